#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""main.py - how long before recurring ramps the limits are up: make bench-ramps.

Services of load.py, whose ramps recur every 5 to 60 minutes, are planned for by `foreshape replay` second by second, in
virtual time. After LEARNED cycles each ramp is scored: it is met E seconds early where the limit in force covers the
mean need at the ramp's top from E seconds before the ramp is half of the way up until then. early30 and early10 are the
shares of ramps met 30 s and 10 s early; before_top those whose limit covers the top 30 s before it is reached, which is
what the default lead of 30 s promises: early30 wants half of the ramp more, which whole minutes looked at mostly have.
allocated is the mean limit over the mean use of the scored cycles: a limit that never comes down is early, always, and
dear. In mode reserve the plan counts as the limit, since there is none. Rules that only react are asked the same; where
one is early, the limit has not yet come down from the ramp before.
"""
import csv
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "shaping"))
import rules  # noqa: E402
from load import LEARNED, services  # noqa: E402

EARLY_S, LITTLE_S = 30, 10
CPUS = 16
LEAD = "60s"             # long enough for EARLY_S and half of the ramps there are
OURS = {"cap": ("cap", None), "reserve": ("reserve", None), f"cap, {LEAD}": ("cap", LEAD),
        f"reserve, {LEAD}": ("reserve", LEAD)}
DEFAULT, LONGER = "cap", f"cap, {LEAD}"
RULES = ("k8s:0.7", "fast:0.7", "captain:0.1")
RULE_CYCLES = 3          # they learn nothing of cycles
TICKS = 10               # of a rule a second


def policy(mode, lead):
    ahead = f"forecast: {{ lead: {lead} }}\n" if lead else ""
    return f"version: 1\nservice: ramps\ntier: gold\nmatch: {{ cgroup: /ramps }}\ncpu: {{ mode: {mode} }}\n{ahead}"


def replay(service, text, d):
    """The limit in force in each second."""
    trace, rule, out = (os.path.join(d, name) for name in ("trace.csv", "ramps.yaml", "limits.csv"))
    with open(trace, "w") as f:
        f.write("time,used\n" + "".join(f"{1700000000 + t},{u:.3f}\n" for t, u in enumerate(service.used_mcpu)))
    with open(rule, "w") as f:
        f.write(text)
    subprocess.run([os.environ.get("FORESHAPE", "build/foreshape"), "replay", "--csv", trace, "--policy", rule,
                    "--step", "1s", "--cpus", str(CPUS), "--emit", out], check=True, capture_output=True)
    with open(out) as f:
        return [float(row["limit_mcpu"]) for row in csv.DictReader(f)]


def react(service, name):
    """The limit of a rule in each second from the scored cycles on; seconds before are None."""
    rule, first = rules.make(name, 0), LEARNED * service.period_s
    limits, used_s = [None] * first, 0.0
    for t in range(first, min(first + RULE_CYCLES * service.period_s, len(service.used_mcpu))):
        want = service.used_mcpu[t] / 1000
        limits.append(1000 * rule.limit)
        for k in range(TICKS):
            used_s += min(want, rule.limit) / TICKS
            rule.tick(t + (k + 1) / TICKS, used_s, int(want > rule.limit))
    return limits


def met(limits, top_mcpu, at_s):
    """For how many seconds before @at_s the limit has covered @top_mcpu without a break."""
    t = int(at_s)
    while t >= 0 and limits[t] is not None and limits[t] >= top_mcpu:
        t -= 1
    return int(at_s) - t


def score(service, limits):
    known = [(x, u) for x, u in zip(limits, service.used_mcpu)][LEARNED * service.period_s:]
    ramps = [r for r in service.ramps() if r[1] < len(limits)]
    half = [met(limits, service.top_mcpu(), h) for h, _ in ramps]
    top = [met(limits, service.top_mcpu(), e) for _, e in ramps]
    return {"n": len(ramps), "early30": sum(e >= EARLY_S for e in half), "early10": sum(e >= LITTLE_S for e in half),
            "before_top": sum(e >= EARLY_S for e in top),
            "allocated": sum(x for x, _ in known) / sum(u for _, u in known), "period_s": service.period_s,
            "jitter_s": service.jitter_s, "length_s": service.length_s, "height": service.height,
            "noise": service.noise, "early_s": half}


def share(scores, key):
    return sum(s[key] for s in scores) / sum(s["n"] for s in scores)


def mean(scores):
    return sum(s["allocated"] for s in scores) / len(scores)


def line(name, scores):
    by = {}
    for s in scores:
        by.setdefault(s["period_s"], []).append(s)
    print(f"{name:16} {100 * share(scores, 'early30'):7.1f} {100 * share(scores, 'early10'):7.1f} "
          f"{100 * share(scores, 'before_top'):10.1f} {mean(scores):9.2f}   "
          + " ".join(f"{100 * share(v, 'early30'):5.0f}" for v in by.values()), flush=True)


def main():
    raw, made = {}, services()
    periods = sorted({s.period_s for s in made})
    print(f"{len(made)} services, {sum(len(s.ramps()) for s in made)} ramps\n{'':16} {'early30':>7} {'early10':>7} "
          f"{'before_top':>10} {'allocated':>9}   early30, %, by period: {' '.join(f'{p}s' for p in periods)}")
    with tempfile.TemporaryDirectory() as d:
        for name, (mode, lead) in OURS.items():
            raw[name] = [score(s, replay(s, policy(mode, lead), d)) for s in made]
            line(name, raw[name])
    for name in RULES:
        raw[name] = [score(s, react(s, name)) for s in made]
        line(name, raw[name])
    raw["static"] = [score(s, [max(s.used_mcpu)] * len(s.used_mcpu)) for s in made]
    line("static", raw["static"])
    figures = {f"ramps_{name}_share": share(raw[DEFAULT], what)
               for name, what in (("early", "early30"), ("early10", "early10"), ("before_top", "before_top"))}
    figures |= {"ramps_allocated": mean(raw[DEFAULT]), "ramps_longer_lead_early_share": share(raw[LONGER], "early30"),
                "ramps_longer_lead_allocated": mean(raw[LONGER]),
                "ramps_rules_early_share": max(share(raw[name], "early30") for name in RULES),
                "ramps_static_allocated": mean(raw["static"])}
    out = os.path.join(os.environ.get("BUILD", "build"), "bench")
    os.makedirs(out, exist_ok=True)
    for name, what in (("ramps.json", {"schema": 1, "figures": figures}), ("ramps.raw.json", raw)):
        with open(os.path.join(out, name), "w") as f:
            json.dump(what, f, indent=1)
    for name, value in figures.items():
        print(f"{name:32} {value:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
