#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""forecast.py - foreshape's forecasts of recorded series against naive and seasonal naive ones.

Every method forecasts the same steps from the same origins. The naive ones are the newest value
and the value of the shortest period that foreshape found (else the newest), each with the
quantiles of its own earlier errors at that step; so all three give distributions.

usage: DATA=DIR FORESHAPE=build/foreshape tests/bench/forecast.py [NAME...]
"""
import bisect
import csv
import json
import os
import subprocess
import sys
import tempfile

LEVELS = [0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95]
MIN_ERRORS = 20  # of a naive forecast at one step, before its quantiles count
MINUTE, HOUR = ["--train", "3d", "--horizon", "1h", "--stride", "1h"], \
    ["--step", "1h", "--train", "5d", "--horizon", "24h", "--stride", "6h"]
SECOND = ["--train", "10m", "--horizon", "60s", "--stride", "20s"]
# name, file, options
SERIES = [
    ("wc98-1m", "rates/worldcup98_1min.csv", MINUTE),
    ("nasa-1m", "rates/nasa_july_1min.csv", MINUTE),
    ("crane0-1m", "cpu/crane0_1min.csv", MINUTE),
    ("crane1-1m", "cpu/crane1_1min.csv", MINUTE),
    ("crane2-1m", "cpu/crane2_1min.csv", MINUTE),
    ("crane4-1m", "cpu/crane4_1min.csv", MINUTE),
    ("crane6-1m", "cpu/crane6_1min.csv", MINUTE),
    ("azure-5m", "cpu/azure_vm_5min.csv", MINUTE),
    ("alibaba-30s", "cpu/alibaba2018_30s.csv",
     ["--train", "2d", "--horizon", "1h", "--stride", "1h"]),
    ("diurnal-1s", "rates/autothrottle_diurnal_1s.csv", SECOND),
    ("noisy-1s", "rates/autothrottle_noisy_1s.csv", SECOND),
    ("llm-1s", "rates/azure_llm_conv_1s.csv", SECOND),
    ("wc98-1h", "rates/worldcup98_1min.csv", HOUR),
    ("nasa-1h", "rates/nasa_july_1min.csv", HOUR),
    ("crane1-1h", "cpu/crane1_1min.csv", HOUR),
    ("azure-1h", "cpu/azure_vm_5min.csv", HOUR),
]


def pinball(q, y):
    """Mean of twice the pinball loss over LEVELS."""
    total = 0
    for level, value in zip(LEVELS, q):
        d = y - value
        total += level * d if d >= 0 else (level - 1) * d
    return 2 * total / len(LEVELS)


def quantiles(errors, centre):
    """Empirical quantiles of sorted errors around centre, never negative."""
    n = len(errors)
    return [max(0.0, centre + errors[min(int(level * n), n - 1)]) for level in LEVELS]


def read_emitted(path):
    """Rows of OUT.csv by origin: {origin: [(actual or None, quantiles)]}, in order."""
    origins = {}
    with open(path, newline="") as f:
        for row in csv.DictReader(f):
            actual = float(row["actual"]) if row["actual"] else None
            q = [float(row["q%02d" % round(100 * level)]) for level in LEVELS]
            origins.setdefault(row["origin"], []).append((actual, q))
    return list(origins.values())


def whole(emitted, stride):
    """The series from the first origin on, put together from the overlapping forecasts."""
    values = {}
    for i, rows in enumerate(emitted):
        for step, (actual, _) in enumerate(rows):
            values[i * stride + step] = actual
    return values


def baseline(values, emitted, stride, lag_of):
    """Losses of 'the value lag_of(step) steps before' by (origin, step), where errors are known."""
    errors, losses, waiting = {}, {}, []
    for i, rows in enumerate(emitted):
        now = i * stride - 1
        for _, step, error in (w for w in waiting if w[0] <= now):
            bisect.insort(errors.setdefault(step, []), error)
        waiting = [w for w in waiting if w[0] > now]
        for step, (actual, _) in enumerate(rows):
            guess = values.get(now + 1 + step - lag_of(step))
            if guess is None or actual is None:
                continue
            past = errors.get(step, [])
            if len(past) >= MIN_ERRORS:
                losses[i, step] = pinball(quantiles(past, guess), actual)
            waiting.append((now + 1 + step, step, actual - guess))
    return losses


def score_all(result, path):
    """Weighted quantile losses of foreshape and the naive ones, over what all of them forecast."""
    emitted = read_emitted(path)
    stride, period = result["stride_steps"], min(result["periods"] or [1])
    values = whole(emitted, stride)
    naive = baseline(values, emitted, stride, lambda step: step + 1)
    seasonal = baseline(values, emitted, stride, lambda step: period * (step // period + 1))
    common = [key for key in naive if key in seasonal]
    size = sum(abs(emitted[i][step][0]) for i, step in common)
    ours = sum(pinball(emitted[i][step][1], emitted[i][step][0]) for i, step in common)
    return [total / size for total in (ours, sum(naive[k] for k in common),
                                       sum(seasonal[k] for k in common))]


def run(binary, data, series, directory):
    name, path, options = series
    out = os.path.join(directory, name + ".csv")
    done = subprocess.run([binary, "forecast", "--csv", os.path.join(data, path), "--json", "--emit",
                           out] + options, stdout=subprocess.PIPE, check=True)
    result = json.loads(done.stdout)
    return result, score_all(result, out)


def main():
    data, binary = os.environ.get("DATA"), os.environ.get("FORESHAPE", "build/foreshape")
    if not data:
        print("skipped: all series; set DATA to the directory with cpu/ and rates/")
        return 0
    print("%-12s %8s %8s %8s %7s %6s %6s %6s %9s %8s  %s" % (
        "series", "wql", "naive", "snaive", "mase", "cov80", "cov90", "cov98", "update_us",
        "fc_us", "periods"))
    figures, raw, ahead = {}, [], 0
    with tempfile.TemporaryDirectory() as directory:
        for series in SERIES:
            if sys.argv[1:] and series[0] not in sys.argv[1:]:
                continue
            if not os.path.exists(os.path.join(data, series[1])):
                print("%-12s skipped: no %s" % (series[0], series[1]))
                continue
            result, (ours, naive, seasonal) = run(binary, data, series, directory)
            cover = result["coverage"]
            print("%-12s %8.4f %8.4f %8.4f %7.3f %6.3f %6.3f %6.3f %9.2f %8.1f  %s" % (
                series[0], ours, naive, seasonal, result["mase"] or float("nan"), cover["80"],
                cover["90"], cover["98"], result["update_us"], result["forecast_us"],
                result["periods"]), flush=True)
            ahead += ours < min(naive, seasonal)
            raw.append({"series": series[0], "wql": ours, "naive": naive, "seasonal": seasonal,
                        **result})
    if not raw:
        return 0
    n = len(raw)
    figures = {key: sum(r[key] for r in raw) / n for key in ("wql", "naive", "seasonal", "update_us")}
    figures["coverage90_in_85_95"] = sum(0.85 <= r["coverage"]["90"] <= 0.95 for r in raw)
    figures["better_than_both"] = ahead
    print("mean wql %.4f, naive %.4f, seasonal naive %.4f; better than both on %d of %d; "
          "90 %% interval within 85-95 %% on %d" % (
              figures["wql"], figures["naive"], figures["seasonal"], ahead, n,
              figures["coverage90_in_85_95"]))
    os.makedirs("build/bench", exist_ok=True)
    with open("build/bench/forecast.json", "w") as f:
        json.dump({"schema": 1, "figures": figures}, f, indent=1)
    with open("build/bench/forecast.raw.json", "w") as f:
        json.dump(raw, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
