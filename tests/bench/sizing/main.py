#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""main.py - right-sizing of CPU limits against what others do: make bench-sizing DATA=DIR.

Every policy sets the limit of each minute of DATA/cpu/crane*_1min.csv from the minutes before; each trace is scaled to a
mean of 1,000 mcpu and scored from day 3 on. slack is 1 - used / allocated, violations the share of minutes with more
use than limit, moves the changes by more than 10 % a day; medians over the traces. foreshape is `foreshape replay` with
policies/right-size.yaml as shipped; the curves show what another price or factor would give. Others run at the least
factor that leaves 0.30 % of violations or less, chosen in hindsight over all traces; ours is not.
"""
import csv
import glob
import json
import os
import subprocess
import sys
import tempfile

from peers import PEERS, oracle
from score import DAY, least_factor, medians, scaled, score

SKIP = 2 * DAY
SHIPPED, PRICES = "policies/right-size.yaml", (10, 20, 50, 100, 200, 500, 1000)
PRICE = "short_cost: 100"
FACTORS = (0.9, 1.0, 1.1, 1.15, 1.2, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0)


def read(path):
    with open(path) as f:
        used = [float(row["value"]) if row["value"] else None for row in csv.DictReader(f)]
    known = [v for v in used if v is not None]
    factor = 1000 * len(known) / sum(known)
    return [None if v is None else v * factor for v in used], factor


def replay(path, factor, policy):
    done = subprocess.run([os.environ.get("FORESHAPE", "build/foreshape"), "replay", "--csv", path, "--policy", policy,
                           "--step", "1min", "--scale", repr(factor), "--skip", "2d", "--json"],
                          check=True, capture_output=True, text=True)
    j = json.loads(done.stdout)
    return (j["slack"], j["violations"], j["changes_per_day"]), j["times_real_time"]


def line(name, parameter, s):
    print(f"{name:12} {parameter!s:>8} {100 * s[0]:7.1f} {100 * s[1]:7.2f} {s[2]:9.1f}", flush=True)


def ours(traces):
    """[(price, medians)], the scores of the shipped policy, the slowest replay's times real time."""
    curve, shipped, speed = [], None, float("inf")
    with open(SHIPPED) as f:
        text = f.read()
    assert PRICE in text, f"{SHIPPED} has another price than {PRICE}"
    with tempfile.TemporaryDirectory() as d:
        for price in PRICES:
            policy = os.path.join(d, "right-size.yaml")
            with open(policy, "w") as f:
                f.write(text.replace(PRICE, f"short_cost: {price}"))
            own = f"short_cost: {price}" == PRICE
            done = [replay(path, factor, SHIPPED if own else policy) for path, (_, factor) in traces.items()]
            scores = [s for s, _ in done]
            speed = min([speed] + [times for _, times in done])
            curve.append((price, medians(scores)))
            shipped = scores if own else shipped
            line("foreshape", f"{price}{'*' if own else ''}", curve[-1][1])
    return curve, shipped, speed


def other(name, policy, traces, raw):
    """(factor, medians) of @policy where it is at its best; its curve is printed and goes to @raw."""
    recommended = [policy(used) for used, _ in traces]

    def at(factor):
        return medians([score(used, scaled(r, factor), SKIP) for (used, _), r in zip(traces, recommended)])

    raw[name] = {"curve": [(f, at(f)) for f in FACTORS]}
    for f, s in raw[name]["curve"]:
        line(name, f, s)
    factor = least_factor(lambda f: at(f)[1])
    raw[name]["best"] = (factor, at(factor) if factor else None)
    return raw[name]["best"]


def main():
    data = os.environ.get("DATA")
    paths = sorted(glob.glob(os.path.join(data, "cpu", "crane*_1min.csv"))) if data else []
    if not paths:
        print("skipped: all traces; set DATA to the directory with cpu/crane*_1min.csv")
        return 0
    traces = {path: read(path) for path in paths}
    print(f"{len(traces)} traces, medians; * as shipped\n{'policy':12} {'at':>8} {'slack %':>7} {'short %':>7} "
          f"{'moves/day':>9}")
    curve, shipped, speed = ours(traces)
    raw = {"traces": [os.path.basename(p) for p in paths], "foreshape": {"curve": curve, "shipped": shipped}}
    winners = {name: other(name, policy, list(traces.values()), raw) for name, policy in PEERS.items()}
    raw["oracle"] = medians([score(used, scaled(oracle(used), 1), SKIP) for used, _ in traces.values()])
    line("oracle", "", raw["oracle"])
    print("\nat the least factor with 0.30 % short or less; foreshape as shipped:")
    own = medians(shipped)
    line("foreshape", "", own)
    winners = {name: w for name, w in winners.items() if w[0]}
    for name, (f, s) in winners.items():
        line(name, f"{f:.2f}", s)
    print("each trace, foreshape: " + " ".join(f"{100 * a:.0f}/{100 * b:.2f}/{c:.0f}" for a, b, c in shipped))
    champion, (_, top) = min(winners.items(), key=lambda w: w[1][1][0])
    figures = {"slack": own[0], "violations": own[1], "changes_per_day": own[2], "slack_best": top[0],
               "violations_best": top[1], "changes_per_day_best": top[2], "slack_oracle": raw["oracle"][0],
               "replay_times_real_time": speed}
    raw["best"] = champion
    out = os.path.join(os.environ.get("BUILD", "build"), "bench")
    os.makedirs(out, exist_ok=True)
    for name, what in (("sizing.json", {"schema": 1, "figures": figures}), ("sizing.raw.json", raw)):
        with open(os.path.join(out, name), "w") as f:
            json.dump(what, f, indent=1)
    print(f"best of the others: {champion}")
    for name, value in figures.items():
        print(f"{name:28} {value:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
