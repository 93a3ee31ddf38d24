#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make demo: the same three days of load without limits, with static weights, and with foreshape."""
import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is made yet: no traceback out of an import

import argparse
import json
import os
import shutil
import sys
import textwrap
import time

import load
import table
from stage import HOG_STREAMS, HOG_THREADS, LINK_MBIT, SERVICES, Stage
from watch import LOOK_S, Agent, mean
from world import Failed, Interrupted, World

START_S = 0.3  # from starting the load generator to its first second
PLAYS = {"none": "without limits", "weights": "static weights", "foreshape": "foreshape"}
BUSY_CORES = 0.5  # the load and the agent need a quarter of this
PROGRAMS = ("ip", "tc", "nginx")


class Result:
    others = None  # cores used by all else
    bronze_part = None  # of the CPU time that all others left

    def __init__(self, final, hog, changes=0, planned=None, leads=(), explained=()):
        self.final, self.hog = final, hog
        self.changes, self.planned, self.leads, self.explained = changes, planned, leads, explained

    def attained(self, service):
        row = self.final[service]
        return row["good"] / max(row["scheduled"], 1)

    def latency(self, service, q):
        return table.ms(self.final[service]["latency_us"][q])


class Hog:
    """Reads what the batch job prints: its work so far."""

    def __init__(self, path):
        self.path = path

    def read(self):
        try:
            with open(self.path) as f:
                lines = f.read().split("\n")[:-1]
            row = json.loads(lines[-1])
            return row["mono_s"], row["units"], row["bytes"]
        except (OSError, IndexError, ValueError):
            return time.monotonic(), 0, 0


def live_rows(t, player, stage, hog, last, agent):
    """What happened in the second up to @t; @last is the state of the call before, replaced."""
    rows, now = player.second(t), time.monotonic()
    shown, span = {}, now - last["now"] if last else 1.0
    state = {"now": now, "cpu": {s: stage.cpu_s(s) for s in SERVICES}, "hog": hog.read()}
    for name in SERVICES:
        s = shown[name] = {"cores": (state["cpu"][name] - last["cpu"][name]) / span if last else None}
        if name in rows:
            r = rows[name]
            s.update(rate=r["scheduled"], p99_us=r["latency_us"]["p99"],
                     missed=r["late"] + r["refused"] + r["broken"] + r["timeouts"])
        if name == "bronze":
            a, b = last["hog"] if last else state["hog"], state["hog"]
            took = max(b[0] - a[0], 0.1)
            s.update(work=(b[1] - a[1]) / took, mbit=(b[2] - a[2]) * 8e-6 / took)
        part = agent.latest(name) if agent else None
        if part:
            s.update(planned=part["cpu"].get("planned_mcpu"), weight=part["cpu"].get("weight"))
    last.clear()
    last.update(state)
    return shown


def used_s(stage):
    """CPU seconds so far: of each service, of all else, and that there were."""
    return {"others": stage.others_cpu_s(), "capacity": time.monotonic() * os.cpu_count(),
            **{name: stage.cpu_s(name) for name in SERVICES}}


def play(world, stage, kind):
    """One run of the whole load. Returns its Result."""
    live = table.Live(f"{PLAYS[kind]} ({load.RUN_S} s: days of {load.DAY_S} s)")
    agent = Agent(world, stage) if kind == "foreshape" else None
    hog_path = world.path(f"hog-{kind}")
    with open(hog_path, "w") as out:
        stage.start_services(out)
    hog = Hog(hog_path)
    if kind == "weights":
        stage.set_weights()
    start = time.monotonic() + START_S
    if agent:
        agent.announce(time.time() + START_S)
    player, last, t, hog_start = load.Load(world, stage, start), {}, 1, hog.read()
    result_hog, before = hog_start, used_s(stage)
    while not player.finished() or t <= load.RUN_S:
        time.sleep(max(0.0, min(0.25, start + t + 0.05 - time.monotonic())))
        if agent:
            agent.sample(time.monotonic() - start)
        if time.monotonic() < start + t + 0.05:
            continue
        if t <= load.RUN_S:
            live.show(t, load.happening(t - 0.5), live_rows(t, player, stage, hog, last, agent))
            result_hog = hog.read()
        t += 1
    if set(player.final) != {"gold", "silver"}:
        raise Failed("the load generator ended early: " + open(world.path("errors.log")).read()[-500:])
    result = summary(agent, player, hog_start, result_hog)
    spent = {name: s - before[name] for name, s in used_s(stage).items()}
    left = spent["capacity"] - spent["others"] - spent["gold"] - spent["silver"]
    result.others = spent["others"] * os.cpu_count() / spent["capacity"]
    result.bronze_part = spent["bronze"] / max(left, 0.1)
    if agent:
        agent.stop()
    stage.stop_services()
    return result


def summary(agent, player, hog_start, hog_end):
    took = max(hog_end[0] - hog_start[0], 0.1)
    hog = {"units": (hog_end[1] - hog_start[1]) / took, "mbit": (hog_end[2] - hog_start[2]) * 8e-6 / took}
    if not agent:
        return Result(player.final, hog)
    planned = [sum(s["cpu"].get("planned_mcpu") or 0 for s in services.values()) / 1000
               for t, services in agent.samples if t > 0]
    changes = sum(1 for r in agent.history() if r["errno"] == 0 and r["before"] != r["after"])
    return Result(player.final, hog, changes, mean(planned), agent.leads(), agent.explanations())


def report(results):
    capacity = os.cpu_count()
    first = next(iter(results.values()))
    rows = []
    for name in ("gold", "silver"):
        goal = SERVICES[name]
        rows += [
            (f"{name}: under {goal['latency_ms']} ms (want {goal['objective']:.0%})",
             lambda r, n=name: f"{r.attained(n):.2%}" + (" ok" if r.attained(n) >= SERVICES[n]["objective"] else " MISSED")),
            (f"{name}: p50 / p99", lambda r, n=name: f"{r.latency(n, 'p50')} / {r.latency(n, 'p99')}"),
        ]
    rows += [
        ("cores reserved, mean", lambda r: table.cores(r.planned) if r.planned is not None
         else (f"{capacity:.2f}" if r is results.get("weights") else "none")),
        ("bronze: work done", lambda r: f"{r.hog['units']:.0f}/s {r.hog['units'] / max(first.hog['units'], 1):.0%}"),
        ("bronze: of the CPU others left", lambda r: f"{min(r.bronze_part, 1):.0%}"),
        (f"bronze: sent over {LINK_MBIT} Mbit/s", lambda r: f"{r.hog['mbit']:.0f} Mbit/s"),
        ("cores used by all else, mean", lambda r: table.cores(r.others)),
        ("changes made", lambda r: str(r.changes) if r is results.get("foreshape") else "-"),
    ]
    table.final({PLAYS[k]: r for k, r in results.items()}, rows)


def moment(lead):
    if lead is None:
        return "never"
    if lead >= LOOK_S:
        return "all along"
    return f"{abs(lead):.1f} s {'before' if lead >= 0 else 'after'} it"


def report_foreshape(r):
    for what, plan, room in r.leads:
        print(f"{what}: gold's plan covered it {moment(plan)}, bronze made room {moment(room)}")
    print("\nwhy:")
    for first, behind in r.explained:
        print(textwrap.fill(first, 98, initial_indent="  ", subsequent_indent="  "))
        print(textwrap.fill(behind, 98, initial_indent="      ", subsequent_indent="      "))


def verdict(results):
    """The demo's claim, or why it does not stand. Returns the exit code."""
    if not {"none", "foreshape"} <= set(results):
        return 0
    want = SERVICES["gold"]["objective"]
    without, shaped = results["none"].attained("gold"), results["foreshape"].attained("gold")
    if shaped < want:
        print(f"\nFAILED: gold missed its objective with foreshape: {shaped:.2%} of {want:.0%}")
        if results["foreshape"].others > BUSY_CORES:
            print("other programs were busy on this host meanwhile: try again on a quiet one")
        return 1
    if without >= want:
        print(f"\nFAILED: gold held its objective without foreshape too ({without:.2%}): this load shows nothing")
        return 1
    print(f"\ngold held its objective with foreshape ({shaped:.2%}); without it, it did not ({without:.2%})")
    return 0


INTRO = f"""gold and silver: nginx before a server that burns CPU; bronze: {HOG_THREADS} CPU threads and {HOG_STREAMS} bulk streams.
Clients are behind a link of {LINK_MBIT} Mbit/s. The same {load.RUN_S} s of arrivals are played {len(PLAYS)} times: days of {load.DAY_S} s with
a peak at {load.PEAK_AT_S:.0f} s of each, a burst nobody announced at {load.BURST_AT_S:.0f} s, an announced event at {load.EVENT_AT_S:.0f} s.
foreshape starts with an empty history. Latency counts from the time a request was due, so waiting counts."""


def demo(world, binary, tools, kinds):
    print(INTRO, flush=True)
    try:
        world.begin()
        stage = Stage(world, binary, tools)
        results = {kind: play(world, stage, kind) for kind in kinds}
        with world.whole():
            report(results)
            if "foreshape" in results:
                report_foreshape(results["foreshape"])
            return verdict(results)
    except Interrupted:
        print("\ninterrupted: taking everything down", flush=True)
        raise
    except Failed as e:
        print(f"\nFAILED: {e}", flush=True)
        return 1
    finally:
        world.close()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--foreshape", default=os.environ.get("FORESHAPE", "build/foreshape"))
    p.add_argument("--only", choices=PLAYS, action="append", help="play just this; may be given again")
    args = p.parse_args()
    binary = os.path.abspath(args.foreshape)
    if os.geteuid():
        print("the demo makes cgroups and interfaces: run it as root")
        return 1
    missing = [name for name in PROGRAMS if not shutil.which(name)] + \
        [path for path in (binary,) if not os.access(path, os.X_OK)]
    if missing:
        print(f"missing: {', '.join(missing)}; 'make demo' installs and builds what it needs")
        return 1
    tools = os.environ.get("DEMO_TOOLS", os.path.join(os.path.dirname(binary), "demo"))
    world = World()
    try:
        return demo(world, binary, os.path.abspath(tools), args.only or PLAYS)
    except Interrupted:
        return 128 + signal.SIGINT
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
