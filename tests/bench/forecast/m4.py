# SPDX-License-Identifier: GPL-2.0-or-later
"""m4.py - the hourly series of the M4 competition: one forecast of 48 h each, scored by its rules.

Makridakis, Spiliotis, Assimakopoulos (2020), "The M4 competition": sMAPE, MASE (season 24), MSIS (95 %).
"""
import concurrent.futures
import csv
import os
import tempfile

from score import Backtest, coverage, loss

SEASON, HORIZON, MSIS_ALPHA = 24, 48, 0.05


def read(path):
    with open(path, newline="") as f:
        return {row[0]: [float(v) for v in row[1:] if v] for row in list(csv.reader(f))[1:]}


def score(rows, train):
    scale = sum(abs(b - a) for a, b in zip(train, train[SEASON:])) / (len(train) - SEASON)
    n = len(rows)
    width = sum(q[0.975] - q[0.025] + 2 / MSIS_ALPHA * (max(q[0.025] - y, 0) + max(y - q[0.975], 0))
                for y, q in rows)
    total, size = loss(rows)
    return {"mase": sum(abs(y - q[0.5]) for y, q in rows) / n / scale,
            "smape": sum(200 * abs(y - q[0.5]) / max(abs(y) + abs(q[0.5]), 1e-12) for y, q in rows) / n,
            "msis": width / n / scale, "loss": total, "size": size, "coverage": coverage(rows)}


def one(name, train, test):
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as f:
        f.write("value\n" + "".join(f"{v}\n" for v in train + test))
        f.flush()
        done = Backtest(f.name, "--step", "1h", "--train", f"{len(train)}h", "--horizon", f"{HORIZON}h",
                        "--stride", f"{HORIZON}h")
    return {"series": name, **score(done.scored(), train), "cpu_ms": done.result["update_us"] * len(train) / 1e3}


def run(data):
    folder = os.path.join(data, "m4_hourly")
    names = [n for n in (sorted(os.listdir(folder)) if os.path.isdir(folder) else []) if "train" in n]
    if not names:
        print(f"m4: skipped, no m4_hourly in {data}")
        return {}, []
    jobs = []
    for name in names:
        train, test = (read(os.path.join(folder, n)) for n in (name, name.replace("train", "test")))
        jobs += [(k, train[k], test[k]) for k in train if k in test]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = list(pool.map(lambda job: one(*job), jobs))

    def mean(f):
        return sum(map(f, rows)) / len(rows)

    figures = {f"m4_{k}": mean(lambda r, k=k: r[k]) for k in ("mase", "smape", "msis")}
    figures["m4_wql"] = sum(r["loss"] for r in rows) / sum(r["size"] for r in rows)
    figures["m4_wql_mean_of_series"] = mean(lambda r: r["loss"] / r["size"])
    covered = {k: mean(lambda r, k=k: r["coverage"][k]) for k in (80, 90, 95)}
    figures["m4_coverage_error"] = sum(abs(v - k / 100) for k, v in covered.items()) / len(covered)
    figures["m4_cpu_ms_per_series"] = mean(lambda r: r["cpu_ms"])
    print(f"M4 hourly, {len(rows)} series: MASE {figures['m4_mase']:.3f}, sMAPE {figures['m4_smape']:.2f}, "
          f"MSIS {figures['m4_msis']:.2f}, weighted quantile loss {figures['m4_wql']:.4f} over all and "
          f"{figures['m4_wql_mean_of_series']:.4f} as the mean of series;\n    covered "
          + ", ".join(f"{k} %: {100 * v:.1f} %" for k, v in covered.items())
          + f"; {figures['m4_cpu_ms_per_series']:.1f} ms CPU a series", flush=True)
    return figures, rows
