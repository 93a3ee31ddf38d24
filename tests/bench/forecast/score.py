# SPDX-License-Identifier: GPL-2.0-or-later
"""score.py - runs a backtest of foreshape and scores forecasts, its own and those of others."""
import csv
import json
import os
import subprocess
import tempfile

FORESHAPE = os.environ.get("FORESHAPE", "build/foreshape")
LEVELS = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)  # of the weighted quantile loss
INTERVALS = {80: (0.10, 0.90), 90: (0.05, 0.95), 95: (0.025, 0.975)}


def column(level):
    return "q" + f"{level:.3f}"[2:].rstrip("0").ljust(2, "0")


def pinball(level, q, y):
    """Twice the pinball loss: at the median the absolute error."""
    d = y - q
    return 2 * (level * d if d >= 0 else (level - 1) * d)


def loss(rows):
    """Sum of the mean loss over LEVELS, and of |y|, over rows of (actual, {level: quantile})."""
    total = sum(sum(pinball(level, q[level], y) for level in LEVELS) / len(LEVELS) for y, q in rows)
    return total, sum(abs(y) for y, _ in rows)


def wql(rows):
    total, size = loss(rows)
    return total / size if size else 0.0


def coverage(rows):
    return {name: sum(q[lo] <= y <= q[hi] for y, q in rows) / len(rows)
            for name, (lo, hi) in INTERVALS.items()}


class Backtest:
    """One run of `foreshape forecast --csv`: .result its JSON, .rows [(origin, step, actual, quantiles)]."""

    def __init__(self, path, *options):
        with tempfile.TemporaryDirectory() as directory:
            out = os.path.join(directory, "out.csv")
            done = subprocess.run([FORESHAPE, "forecast", "--csv", path, "--json", "--emit", out, *options],
                                  stdout=subprocess.PIPE, check=True)
            self.result = json.loads(done.stdout)
            self.rows = list(self._read(out))

    def _read(self, path):
        levels = sorted(set(LEVELS) | {0.025, 0.975, 0.99})
        horizon = self.result["horizon_steps"]
        with open(path, newline="") as f:
            for i, row in enumerate(csv.DictReader(f)):
                if row["actual"]:
                    yield (i // horizon, int(row["step"]), float(row["actual"]),
                           {level: float(row[column(level)]) for level in levels})

    def scored(self, origins=None):
        return [(y, q) for origin, _, y, q in self.rows if origins is None or origin in origins]
