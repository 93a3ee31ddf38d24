# SPDX-License-Identifier: GPL-2.0-or-later
"""rolling.py - recorded load from rolling origins: 60 steps of 1 min and 24 steps of 1 h ahead.

All methods forecast the same steps from the same origins; "vs_simple" is foreshape where the simple ones
had enough errors of their own. Those are the newest value
and the value a day ago, each with the quantiles of its own earlier errors at that step; a reactive limit's
(the largest of the last 5 steps). With R=1 also those of R's forecast package, see peers.R.
"""
import bisect
import csv
import os
import subprocess
import tempfile

from score import LEVELS, Backtest, coverage, wql

MIN_ERRORS = 20  # of a naive forecast at one step, before its quantiles count
R_ORIGINS = 8    # of each trace, evenly over its last two fifths: some of R's methods take seconds a fit
TRACES = [("wc98", "rates/worldcup98_1min.csv"), ("nasa", "rates/nasa_july_1min.csv"),
          *((f"crane{i}", f"cpu/crane{i}_1min.csv") for i in range(8)),
          ("azure", "cpu/azure_vm_5min.csv"), ("alibaba", "cpu/alibaba2018_30s.csv")]
# name: step, train, horizon and stride in steps, a day in steps
COLUMNS = ("foreshape", "vs_simple", "naive", "snaive", "reactive")
KINDS = {"hour": ("1m", 7200, 60, 61, 1440), "day": ("1h", 120, 24, 7, 24)}


def quantiles(errors, centre):
    """Empirical quantiles of sorted errors around centre, never negative."""
    n = len(errors)
    return {level: max(0.0, centre + errors[min(int(level * n), n - 1)]) for level in LEVELS}


def simple(values, origins, horizon, guess):
    """{(origin, step): quantiles} of guess(now, step) with its own earlier errors."""
    errors, out, waiting = {}, {}, []
    for i, now in origins:
        for _, step, error in (w for w in waiting if w[0] <= now):
            bisect.insort(errors.setdefault(step, []), error)
        waiting = [w for w in waiting if w[0] > now]
        for step in range(1, horizon + 1):
            value, actual = guess(now, step), values.get(now + step)
            if value is None or actual is None:
                continue
            past = errors.get(step, [])
            if len(past) >= MIN_ERRORS:
                out[i, step] = quantiles(past, value)
            waiting.append((now + step, step, actual - value))
    return out


def peers(trace, values, kind, origins):
    """Rows of R's methods at @origins: {method: {(origin, step): quantiles}}."""
    _, train, horizon, stride, day = KINDS[kind]
    with tempfile.TemporaryDirectory() as directory:
        path, out = os.path.join(directory, "in.csv"), os.path.join(directory, "out.csv")
        with open(path, "w") as f:
            f.write("v\n" + "".join(f"{values.get(i, 'NA')}\n" for i in range(max(values) + 1)))
        subprocess.run(["Rscript", os.path.join(os.path.dirname(__file__), "peers.R"), path, out, kind,
                        str(horizon), str(day), ",".join(str(train + i * stride) for i in origins)],
                       check=True, stderr=subprocess.DEVNULL)
        found = {}
        with open(out, newline="") as f:
            for row in csv.DictReader(f):
                key = ((int(row["origin"]) - train) // stride, int(row["step"]))
                found.setdefault(row["method"], {})[key] = {
                    level: float(row["q%g" % level]) for level in LEVELS}
        return found


def whole(path, step):
    """All values of the trace at @step, by index; the first one is not emitted and stays unknown."""
    done = Backtest(path, "--step", step, "--train", step, "--horizon", step, "--stride", step)
    return {origin + 1: y for origin, _, y, _ in done.rows}


def one(trace, path, kind, with_r):
    step, train, horizon, stride, day = KINDS[kind]
    unit = step[-1]
    done = Backtest(path, "--step", step, "--train", f"{train}{unit}", "--horizon", f"{horizon}{unit}",
                    "--stride", f"{stride}{unit}")
    values = whole(path, step)
    last = max(o for o, *_ in done.rows)
    origins = [(i, train - 1 + i * stride) for i in range(last + 1)]
    methods = {
        "naive": simple(values, origins, horizon, lambda now, step: values.get(now)),
        "snaive": simple(values, origins, horizon, lambda now, step: values.get(now + step - day)),
        "reactive": simple(values, origins, horizon, lambda now, step: max(
            (values[i] for i in range(now - 4, now + 1) if i in values), default=None)),
    }
    common = set.intersection(*(set(m) for m in methods.values()))
    actual = {(o, s): (y, q) for o, s, y, q in done.rows}
    common &= set(actual)
    row = {"trace": trace, "kind": kind, "foreshape": wql(done.scored()),
           "vs_simple": wql([actual[k] for k in common]) if common else None,
           "coverage": coverage(done.scored()), "below99": sum(y <= q[0.99] for y, q in done.scored()) / len(done.rows),
           **{name: wql([(actual[k][0], m[k]) for k in common]) if common else None for name, m in methods.items()},
           "update_us": done.result["update_us"], "forecast_us": done.result["forecast_us"],
           "state_kib": done.result["state_kib"]}
    if with_r:
        late = [i for i, now in origins if now > 0.6 * max(values)] or [last]
        some = sorted({late[round(j * (len(late) - 1) / max(R_ORIGINS - 1, 1))] for j in range(R_ORIGINS)})
        row["r_foreshape"] = wql(done.scored(set(some)))
        row["r"] = {name: wql([(actual[k][0], q) for k, q in m.items() if k in actual])
                    for name, m in peers(trace, values, kind, some).items()}
    return row


def show(row):
    cover = " ".join(f"{100 * v:5.1f}" for v in row["coverage"].values())
    shown = " ".join(f"{v:8.4f}" if v is not None else f"{'-':>8}" for v in map(row.get, COLUMNS))
    print(f"{row['kind']:5} {row['trace']:9} {shown}   {cover} {100 * row['below99']:6.1f} {row['update_us']:7.1f} "
          f"{row['forecast_us']:7.1f} {row['state_kib']:7.1f}", flush=True)
    if "r" in row:
        best = min(row["r"], key=row["r"].get)
        print(f"      at R's origins: foreshape {row['r_foreshape']:.4f}, " + ", ".join(
            f"{k} {v:.4f}" for k, v in sorted(row["r"].items(), key=lambda kv: kv[1]))
            + f"; {row['r_foreshape'] / row['r'][best]:.2f} of the best", flush=True)


def run(data, with_r):
    print(f"{'':5} {'trace':9} " + " ".join(f"{c:>8}" for c in COLUMNS) + f"   {'80 %':>5} {'90 %':>5} "
          f"{'95 %':>5} {'<=q99':>6} {'upd us':>7} {'8x10 us':>7} {'KiB':>7}")
    figures, raw = {}, []
    for kind in KINDS:
        rows = []
        for trace, path in TRACES:
            if not os.path.exists(os.path.join(data, path)):
                print(f"{kind:5} {trace:9} skipped, no {path}")
                continue
            rows.append(one(trace, os.path.join(data, path), kind, with_r))
            show(rows[-1])
        if not rows:
            continue
        for key in COLUMNS:
            known = [r[key] for r in rows if r[key] is not None]
            figures[f"{kind}_wql" + ("" if key == "foreshape" else "_" + key)] = sum(known) / len(known)
        if with_r:
            figures[f"{kind}_wql_at_r_origins"] = sum(r["r_foreshape"] for r in rows) / len(rows)
            figures[f"{kind}_wql_best_r"] = sum(min(r["r"].values()) for r in rows) / len(rows)
        figures.update({f"{kind}_{k}": sum(r[k] for r in rows) / len(rows)
                        for k in ("update_us", "forecast_us", "state_kib")})
        raw += rows
    figures.update({k: figures[f"hour_{k}"] for k in ("update_us", "forecast_us") if f"hour_{k}" in figures})
    return figures, raw
