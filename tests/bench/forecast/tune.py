# SPDX-License-Identifier: GPL-2.0-or-later
"""tune.py - what fitting constants (--tune) or training the network (--gru) gains: backtests with and without.

Both learn from what came before each forecast, so all that is scored was not seen. "worse" is the share of series
that lose more than 0.1 %.
"""
import concurrent.futures
import math
import os
import tempfile

import m4
from rolling import TRACES
from score import Backtest, wql

EVERY = 5  # of the M4 series
KINDS = {"hour": ("1m", "5d", "60m", "61m"), "day": ("1h", "5d", "24h", "25h")}
M4 = ("1h", "350h", "48h", "49h")
WORSE = 0.001


def backtest(path, lengths, *options):
    step, train, horizon, stride = lengths
    return Backtest(path, "--step", step, "--train", train, "--horizon", horizon, "--stride", stride, *options)


def one(option, kind, name, path, lengths):
    usual, tuned = backtest(path, lengths), backtest(path, lengths, f"--{option}")
    a, b, how = wql(usual.scored()), wql(tuned.scored()), tuned.result.get("tuned", {})
    days = usual.result["points"] * usual.result["step_s"] / 86400
    return {"kind": kind, "series": name, "usual": a, "tuned": b, "gain": math.log(a / b) if a > 0 and b > 0 else 0.0,
            "ms_a_day": how.get("cpu_ms", 0) / max(days, 1), "proof": how.get("gain"), "searches": how.get("searches"),
            "changes": how.get("changes")}


def m4_jobs(data, directory):
    folder = os.path.join(data, "m4_hourly")
    names = [n for n in (sorted(os.listdir(folder)) if os.path.isdir(folder) else []) if "train" in n]
    for name in names:
        train, test = (m4.read(os.path.join(folder, n)) for n in (name, name.replace("train", "test")))
        for key in sorted(k for k in train if k in test)[::EVERY]:
            path = os.path.join(directory, f"{key}.csv")
            with open(path, "w") as f:
                f.write("value\n" + "".join(f"{v}\n" for v in train[key] + test[key]))
            yield "m4", key, path, M4


def trace_jobs(data):
    for kind, lengths in KINDS.items():
        for name, path in TRACES:
            if os.path.exists(os.path.join(data, path)):
                yield kind, name, os.path.join(data, path), lengths


def run(data, option):
    with tempfile.TemporaryDirectory() as directory:
        jobs = [*trace_jobs(data), *m4_jobs(data, directory)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            rows = list(pool.map(lambda job: one(option, *job), jobs))
    if not rows:
        print(f"{option}: skipped, no series in {data}")
        return {}, []
    figures = {}
    for kind in ("m4", *KINDS, "all"):
        some = [r for r in rows if kind in (r["kind"], "all")]
        if not some:
            continue
        gain = 1 - math.exp(-sum(r["gain"] for r in some) / len(some))
        worse = sum(r["gain"] < -WORSE for r in some) / len(some)
        print(f"{option} {kind:5} {len(some):3} series: {100 * gain:5.2f} % lower loss, {100 * worse:4.1f} % worse, at worst "
              f"{-100 * min(r['gain'] for r in some):.1f} %; {sum(r['ms_a_day'] for r in some) / len(some):.0f} ms CPU a "
              "series a day", flush=True)
        if kind == "all":
            figures = {f"{option}_gain": gain, f"{option}_worse": worse}
            if option == "tune":
                figures["tune_ms_a_day"] = sum(r["ms_a_day"] for r in some) / len(some)
    return figures, rows
