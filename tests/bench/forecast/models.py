# SPDX-License-Identifier: GPL-2.0-or-later
"""models.py - the table of models: what each costs by itself, in bytes of a series (horizon 60, periods up to 300)
and in CPU of learning a value and of forecasting a step, the mean over near and far ones."""
import json
import os
import subprocess

PROGRAM = os.path.join(os.environ.get("BUILD", "build"), "tests", "bench", "forecast_models")
RUNS = 3


def run():
    runs = [json.loads(subprocess.run([PROGRAM], stdout=subprocess.PIPE, check=True).stdout) for _ in range(RUNS)]
    print(f"{'model':22} {'bytes':>6} {'learn ns':>9} {'ask ns':>7}  source")
    rows = []
    for same in zip(*runs):  # the slower ones were disturbed
        row = dict(same[0], learn_ns=min(r["learn_ns"] for r in same), ask_ns=min(r["ask_ns"] for r in same))
        print(f"{row['name']:22} {row['bytes']:6} {row['learn_ns']:9.0f} {row['ask_ns']:7.0f}  {row['source']}")
        rows.append(row)
    return {}, rows
