#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tick.py - what a control step costs with 100 services and 1,000 APIs: make bench-tick.

CPU time of tick_once alone, once every memory is full; period searches run on a thread of their own in the agent and do
not count. Allocations are counted by wrapping malloc, calloc and realloc.
"""
import json
import os
import subprocess
import sys

NAMES = ("tick_ms", "tick_p99_ms", "tick_worst_ms", "tick_allocations", "writes_per_tick")
GOAL_MS = 2.0


def main():
    build = os.environ.get("BUILD", "build")
    done = subprocess.run([os.path.join(build, "tests/bench/tick")], check=True, capture_output=True, text=True)
    figures = dict(zip(NAMES, map(float, done.stdout.split())))
    for name, value in figures.items():
        print(f"{name:20} {value:.3f}")
    print(f"goal: {GOAL_MS} ms, {'reached' if figures['tick_ms'] <= GOAL_MS else 'not reached'}")
    os.makedirs(os.path.join(build, "bench"), exist_ok=True)
    with open(os.path.join(build, "bench", "tick.json"), "w") as f:
        json.dump({"schema": 1, "figures": figures}, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
