#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
main.py - cores under an SLO on a live service: foreshape against a static limit, Kubernetes' rule and Autothrottle's.

One HTTP service burning 3 ms a request, p99 of at most 100 ms wanted, under the load of a trace. The score is the mean
limit in cores, and only where p99 of the whole run held. MINUTES of each trace (its middle) by default and a part of
the targets; FULL=1 plays the hour and all of them. ONLY="foreshape captain:0.06 fixed:0.7 steps" and TRACES="noisy"
choose; POLICY_MORE="forecast: { lead: 3s }" adds to foreshape's policy, which has but objective, API and cap mode.
"""
import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is made yet: no traceback out of an import

import csv
import glob
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "demo"))

import play
import rules
import score
from world import Failed, Interrupted, World

MEAN_CORES = 0.55    # of the service over the whole trace
RAMP_S, RAMP_STEP_S, RAMP_BY, SETTLE_S = 180, 5, 1.1, 30  # before the hour and, for limits, of it
HOUR_S = 3600
# Of each rule the targets near its cheapest that held: what is dearer or fails cannot be its best.
PART = ("static", "k8s:0.7", "k8s:0.8", "k8s:0.9", "fast:0.9", "captain:0.15", "captain:0.2", "captain:0.3",
        "foreshape")
ALL = ("static", *(f"{kind}:{target}" for kind, targets in rules.SWEEP.items() for target in targets), "foreshape")
STEP_WARM_S, STEPS, STEP_UP_S, STEP_DOWN_S = 60, 3, 10, 20
STEP_LOW, STEP_HIGH = 0.25, 0.75  # cores


def read_trace(path):
    with open(path) as f:
        return [float(row["rps"]) for row in csv.DictReader(f)]


def ramp(first):
    """Requests/s of the seconds before the hour: up by a tenth every 5 s, to what the trace starts with."""
    n = RAMP_S // RAMP_STEP_S
    return [first * RAMP_BY ** (i // RAMP_STEP_S + 1 - n) for i in range(RAMP_S)]


def part_of(trace, full, length_s, warm_s):
    """(rates by second, (requests count from, limits count from, to)) of what is played."""
    if full:
        return ramp(trace[0]) + trace[:HOUR_S], (RAMP_S, RAMP_S + SETTLE_S, RAMP_S + len(trace[:HOUR_S]))
    start = max((len(trace) - length_s) // 2, warm_s)
    return trace[start - warm_s:start + length_s], (warm_s, warm_s, warm_s + length_s)


def points(rates):
    """A curve whose rate is the trace's in the middle of each second."""
    return [(0, rates[0])] + [(t + 0.5, rate) for t, rate in enumerate(rates)] + [(len(rates), rates[-1])]


def stepped():
    """The load of the surprise: from low to high in no time, several times, at moments the agent cannot know."""
    per_core = 1000 / play.COST_MS
    at, found, ups = STEP_WARM_S, [(0, STEP_LOW * per_core)], []
    for i in range(STEPS):
        at += 1.3 * i
        for t, cores in ((at, STEP_LOW), (at + 0.001, STEP_HIGH), (at + STEP_UP_S, STEP_HIGH),
                         (at + STEP_UP_S + 0.001, STEP_LOW)):
            found.append((t, cores * per_core))
        ups.append(at)
        at += STEP_UP_S + STEP_DOWN_S
    return found + [(at, STEP_LOW * per_core)], ups


def percent(part):
    return "-" if part is None else f"{100 * part:.2f} %"


def line(name, r):
    p99 = f"{r['p99_ms']:.1f}" if r["p99_ms"] < 1000 else f"{r['p99_ms']:.0f}"
    return (f"{name:13} {r['cores']:6.3f} {'' if r['held'] else 'N/A':>5} {p99:>8} {percent(r['over']):>9} "
            f"{percent(r['windows_over']):>9} {r['writes_per_h']:8.0f} {r['used_cores']:6.3f} "
            f"{percent(r['throttled']):>9} {r['others']:6.2f}")


HEAD = (f"{'':13} {'cores':>6} {'score':>5} {'p99 ms':>8} {'late':>9} {'late 10 s':>9} {'writes/h':>8} {'used':>6} "
        f"{'throttled':>9} {'others':>6}")


def print_why(w):
    def cores(key):
        return "-" if w[key] is None else f"{w[key]:.2f}"
    print(f"  in a second {cores('used_q50')} used at 50 %, {cores('used_q99')} at 99 %, {cores('used_most')} at most; "
          f"the lead's peak forecast as {cores('forecast_q5')} at 50 %, {cores('forecast_q9')} at 90 %, "
          f"{cores('forecast_q99')} at 99 %;\n  {cores('planned')} planned, of the demand by {cores('utilisation')}; "
          "changes: " + (", ".join(f"{what} {n}" for what, n in w["changes"].items()) or "none"), flush=True)


def run_trace(site, name, trace, settings, folder):
    """{contender: run} of one trace."""
    scale = MEAN_CORES * 1000 / play.COST_MS / (sum(trace) / len(trace))
    rates, span = part_of([rate * scale for rate in trace], settings["full"], settings["length_s"], settings["warm_s"])
    most_cores = max(trace) * scale * play.COST_MS / 1000
    mean = sum(rates[span[0]:]) / len(rates[span[0]:])
    print(f"\n== {name} x {scale:.3f}: {mean:.0f} requests/s for {span[2] - span[0]} s after {span[0]} s of warm-up; "
          f"a window of 300 s has what there is\n{HEAD}", flush=True)
    found = {}
    for contender in settings["contenders"]:
        raw = play.play(site, contender, points(rates), most_cores)
        found[contender] = r = score.run(raw["requests"], raw["looks"], span, play.SLO_MS, os.cpu_count())
        r["others"] = raw["cores"]["others"]
        r["control"] = raw["cores"]["control"]
        if "agent" in raw:
            r["why"] = score.why(raw["agent"], raw["looks"], span)
        play.save(site, folder, f"{name}-{contender.replace(':', '-')}", dict(raw, score=r))
        print(line(contender, r), flush=True)
        if "why" in r:
            print_why(r["why"])
    for kind in ("k8s", "fast", "captain"):
        best = score.best(found, kind)
        print(f"best {kind} that held: " + ("%s with %.3f cores" % (best[0], best[1]["cores"]) if best else "none"),
              flush=True)
    return found


def run_steps(site, folder):
    """Time from the first throttled period of a surprise to a raised limit, ms, or None."""
    rates, ups = stepped()
    raw = play.play(site, "foreshape", rates, STEP_HIGH)
    rows = [score.reaction([k for k in raw["looks"] if k["t"] < up + STEP_UP_S], up, STEP_HIGH) for up in ups]
    play.save(site, folder, "steps", dict(raw, steps=rows))
    print(f"\n== a surprise: {STEP_LOW} to {STEP_HIGH} cores at once")
    for up, r in zip(ups, rows):
        print("step at %.1f s: " % up + ", ".join(
            f"{what} {'never' if r[key] is None else f'after {1000 * (r[key] - up):.0f} ms'}" for what, key in (
                ("throttled", "throttled_s"), ("raised", "raised_s"), ("enough", "enough_s"))), flush=True)
    return score.reaction_ms(rows)


def settings_of(env):
    full = bool(env.get("FULL"))
    wanted = env.get("ONLY", "").split() or (ALL if full else PART)
    unknown = [name for name in wanted if name not in ALL + ("steps",) and not re.fullmatch(r"fixed:[0-9.]+", name)]
    if unknown:
        raise Failed(f"no contender {unknown[0]}: {' '.join(ALL)} fixed:CORES steps")
    return {"full": full, "length_s": round(60 * float(env.get("MINUTES") or 2)),
            "warm_s": int(env.get("WARM_UP_S") or 120), "steps": not env.get("ONLY") or "steps" in wanted,
            "contenders": [name for name in wanted if name != "steps"], "window": "1h" if full else "5m"}


def traces_of(env):
    """{name: path} of the traces of this kind in DATA, held-out ones too."""
    found = {}
    for path in sorted(glob.glob(os.path.join(env.get("DATA") or "", "rates", "autothrottle_*_1s.csv"))):
        found[re.search(r"autothrottle_(.*)_1s", os.path.basename(path))[1]] = path
    wanted = env.get("TRACES", "").split() or list(found)
    missing = [name for name in wanted if name not in found]
    if not env.get("DATA") or not found or missing:
        raise Failed("DATA=DIR is to have rates/autothrottle_NAME_1s.csv" +
                     (f", not found: {missing}" if missing else ""))
    return {name: found[name] for name in wanted}


def bench(world, env, out):
    settings, traces = settings_of(env), traces_of(env)
    world.begin()
    foreshape = os.path.abspath(env.get("FORESHAPE") or "build/foreshape")
    site = play.Site(world, foreshape, os.path.abspath(env.get("DEMO_TOOLS") or os.path.dirname(foreshape) + "/demo"),
                     os.path.join(os.path.dirname(foreshape), "bench", "shaping", "sampler"), settings["window"],
                     env.get("POLICY_MORE", ""))
    folder = os.path.join(out, "shaping.raw")
    played_s = RAMP_S + HOUR_S if settings["full"] else settings["warm_s"] + settings["length_s"]
    print(f"{len(traces)} traces, {len(settings['contenders'])} contenders: about "
          f"{len(traces) * len(settings['contenders']) * (played_s + 3) / 60:.0f} minutes", flush=True)
    runs = {name: run_trace(site, name, read_trace(path), settings, folder) for name, path in traces.items()} \
        if settings["contenders"] else {}
    figures = score.figures(runs)
    if settings["steps"]:
        reaction_ms = run_steps(site, folder)
        figures.update({"reaction_ms": reaction_ms} if reaction_ms is not None else {})
    for name, content in (("shaping.json", {"schema": 1, "figures": figures}), ("shaping.raw.json", runs)):
        with open(os.path.join(out, name), "w") as f:
            json.dump(content, f, indent=1)
    print()
    for name, value in figures.items():
        print(f"{name:28} {value:.3f}")


def main():
    if os.geteuid():
        print("it makes cgroups and sets limits: run it as root")
        return 1
    out = os.path.join(os.environ.get("BUILD") or "build", "bench")
    os.makedirs(out, exist_ok=True)
    world = World()
    try:
        bench(world, os.environ, out)
        return 0
    except Failed as e:
        print(f"FAILED: {e}", flush=True)
        return 1
    except Interrupted:
        print("\ninterrupted: taking everything down", flush=True)
        return 128 + signal.SIGINT
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
