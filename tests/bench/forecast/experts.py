# SPDX-License-Identifier: GPL-2.0-or-later
"""experts.py - whether the combination is better than the best of its models, found in hindsight, and whether it
is ever worse than the newest value when it has just begun; mean absolute error of the median, shares of the mean."""
import concurrent.futures
import json
import os
import statistics
import subprocess

import m4
from rolling import KINDS, TRACES, whole

PROGRAM = os.path.join(os.environ.get("BUILD", "build"), "tests", "bench", "forecast_experts")
SECONDS = {"1m": 60, "1h": 3600}
M4_EVERY = 4  # of its series one in so many
M4_TRAIN, M4_STRIDE = 300, 48


def one(name, values, step_s, horizon, train, stride):
    text = "".join(f"{'NA' if v is None else v}\n" for v in values)
    done = subprocess.run([PROGRAM, str(step_s), str(horizon), str(train), str(stride)], input=text,
                          stdout=subprocess.PIPE, text=True, check=True)
    return {"series": name, **json.loads(done.stdout)}


def traces(data):
    for name, path in TRACES:
        full = os.path.join(data, path)
        for kind, (step, train, horizon, stride, _) in KINDS.items() if os.path.exists(full) else ():
            values = whole(full, step)
            yield (f"{name} {kind}", [values.get(i) for i in range(max(values) + 1)], SECONDS[step], horizon, train,
                   stride)


def competition(data):
    path = os.path.join(data, "m4_hourly")
    names = [n for n in (sorted(os.listdir(path)) if os.path.isdir(path) else []) if "train" in n]
    for name in names:
        for k, values in list(m4.read(os.path.join(path, name)).items())[::M4_EVERY]:
            yield k, values, 3600, m4.HORIZON, M4_TRAIN, M4_STRIDE


def run(data):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = list(pool.map(lambda job: one(*job), [*traces(data), *competition(data)]))
    if not rows:
        print(f"experts: skipped, no series in {data}")
        return {}, []
    for row in rows:
        best = min(row["models"], key=row["models"].get)
        row.update(best=best, ratio=row["combination"] / max(row["models"][best], 1e-12),
                   cold_ratio=row["cold"] / max(row["cold_last"], 1e-12))
        print(f"{row['series']:14} {row['combination']:8.4f}, best {best} {row['models'][best]:.4f}: "
              f"{row['ratio']:.2f}; cold {row['cold']:.4f}, newest value {row['cold_last']:.4f}: "
              f"{row['cold_ratio']:.2f}")
    ratios, cold = ([r[k] for r in rows if r[k] is not None] for k in ("ratio", "cold_ratio"))
    return {"experts_better_share": sum(r <= 1 for r in ratios) / len(ratios),
            "experts_ratio_median": statistics.median(ratios), "experts_ratio_worst": max(ratios),
            "experts_single_best": single_best(rows),
            "cold_ratio_median": statistics.median(cold), "cold_ratio_worst": max(cold),
            "cold_worse_share": sum(r > 1.02 for r in cold) / len(cold)}, rows


def single_best(rows):
    """Of the one model that is best over all series, mean of its errors over the combination's."""
    names = rows[0]["models"]
    return min(statistics.geometric_mean(max(r["models"].get(n, 1e9), 1e-12) / max(r["combination"], 1e-12)
                                         for r in rows) for n in names)
