#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""replay.py - how fast a host of 10 services is replayed, by steps of a second: make bench-replay.

HOURS of recorded CPU use (6 by default), each service with a season of its own, a longer one that all share, and noise;
a third of each tier, half in cap mode, on 16 CPUs that are too few at times. With all CPUs, and with one; the decisions
of both have to be the same.
"""
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile

SERVICES = 10
ROUNDS = 3
GOAL = 10000
START = 1700000000


def record(path, steps):
    rng = random.Random(1)
    with open(path, "w", encoding="utf-8") as f:
        f.write("time," + ",".join(f"s{k}" for k in range(SERVICES)) + "\n")
        for i in range(steps):
            slow = 0.3 * math.sin(2 * math.pi * i / 3000)
            used = [(400 + 100 * k) * (1.3 + math.sin(2 * math.pi * i / (60 + 37 * k)) / 2 + slow) * rng.uniform(.9, 1.1)
                    for k in range(SERVICES)]
            f.write(f"{START + i}," + ",".join(f"{v:.2f}" for v in used) + "\n")


def write_policies(path):
    os.mkdir(path)
    for k in range(SERVICES):
        with open(os.path.join(path, f"s{k}.yaml"), "w", encoding="utf-8") as f:
            f.write(f"version: 1\nservice: s{k}\ntier: {('gold', 'silver', 'bronze')[k % 3]}\n"
                    f"match: {{ cgroup: /s{k} }}\ncpu: {{ mode: {('cap', 'reserve')[k % 2]}, floor: 100m }}\n")


def replay(words, cpus):
    p = subprocess.run([os.environ.get("FORESHAPE", "build/foreshape"), "replay", *words], check=True, text=True,
                       capture_output=True, preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    host = json.loads(p.stdout)["policies"][0]
    speed = host["times_real_time"]
    decided = [[s[k] for k in ("limit_mean_mcpu", "slack", "writes", "violation_steps")] for s in host["services"]]
    return speed, decided


def main():
    steps = int(float(os.environ.get("HOURS", "6")) * 3600)
    cpus = os.sched_getaffinity(0)
    found = {"times_real_time": [], "times_real_time_1_cpu": []}
    same = True
    with tempfile.TemporaryDirectory(prefix="fsh-bench-replay-") as d:
        record(os.path.join(d, "host.csv"), steps)
        write_policies(os.path.join(d, "policies"))
        words = ["--csv", os.path.join(d, "host.csv"), os.path.join(d, "policies"), "--cpus", "16", "--json"]
        for _ in range(ROUNDS):
            many, one = replay(words, cpus), replay(words, {min(cpus)})
            same &= many[1] == one[1]
            found["times_real_time"].append(many[0])
            found["times_real_time_1_cpu"].append(one[0])
    figures = {name: statistics.median(v) for name, v in found.items()}
    figures["same_decisions"] = int(same)
    for name, value in figures.items():
        print(f"{name:24} {value:.0f}")
    print(f"goal: {GOAL} times real time on {len(cpus)} CPUs, "
          f"{'reached' if figures['times_real_time'] >= GOAL else 'not reached'}")
    build = os.path.join(os.environ.get("BUILD", "build"), "bench")
    os.makedirs(build, exist_ok=True)
    with open(os.path.join(build, "replay.json"), "w", encoding="utf-8") as f:
        json.dump({"schema": 1, "figures": figures, "samples": found}, f, indent=1)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
