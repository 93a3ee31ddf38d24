#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
demand.py - how often the demand forecast for a live service held: three servers of two APIs of
different cost, whose rates rise together, go apart, or make up for each other, DEMAND_S seconds.

Every second the forecast of the peak over the lead is read and later compared with what history has
as used. Prints the share of peaks within the intervals of 80 and 90 % and writes bench/demand.json.
"""
import json
import math
import os
import random
import sqlite3
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "demo"))
from world import Failed, Interrupted, World  # noqa: E402

FORESHAPE = os.path.abspath(os.environ.get("FORESHAPE", "build/foreshape"))
TOOLS = os.environ.get("DEMO_TOOLS", os.path.join(os.path.dirname(FORESHAPE), "demo"))
PORT = 22200
LEAD_S, WARM_UP_S = 10, 150
LATE_S = 0.8  # within the second
ROUTES = {"/light": (400, 400, 100), "/heavy": (2500, 20000, 25)}  # CPU us, bytes, mean requests/s
SERVICES = {"together": (1, 1), "apart": (1, 0), "opposed": (1, -1)}  # what each API has of the shared swing
RESOURCES = {"cpu": ("cpu_mcpu", "cpu_mcpu"), "bandwidth": ("bandwidth_bits_per_s", "tx_bits_per_s")}
INTERVALS = {80: ("0.10", "0.90"), 90: ("0.05", "0.95")}
POLICY = """version: 1
service: {name}
tier: silver
match: {{ cgroup: {cgroup} }}
forecast: {{ lead: {lead}s }}
apis:
  - route: GET /light
  - route: GET /heavy
"""


def curves(seed, shared, length_s):
    """Rates of both APIs by second: a shared slow swing, one of each alone, and a season of 97 s."""
    draw, common, own = random.Random(seed), 0.0, [0.0, 0.0]
    rows = [[], []]
    for t in range(length_s + 1):
        common = 0.95 * common + 0.10 * draw.gauss(0, 1)
        for k, (_, _, mean) in enumerate(ROUTES.values()):
            own[k] = 0.9 * own[k] + 0.05 * draw.gauss(0, 1)
            season = 1 + 0.3 * math.sin(2 * math.pi * t / 97)
            rows[k].append(f"{t} {mean * season * math.exp(shared[k] * common + own[k]):.2f}\n")
    return ["".join(r) for r in rows]


def ask(env, *words):
    p = subprocess.run([FORESHAPE, *words, "--json"], capture_output=True, text=True, env=env, check=False)
    return json.loads(p.stdout) if p.returncode == 0 else None


def start_agent(world, env):
    os.makedirs(world.path("run"), mode=0o755)
    for name in SERVICES:
        world.write(f"policies/{name}.yaml",
                    POLICY.format(name=name, cgroup=world.cgroup(name), lead=LEAD_S))
    world.start(FORESHAPE, "run", "--observe", "--policies", world.path("policies"),
                "--db", world.path("history.db"), env=env)
    end = time.monotonic() + 15
    while not ask(env, "status"):
        if time.monotonic() > end:
            with open(world.path("errors.log")) as f:
                raise Failed("the agent does not run: " + f.read()[-1000:])
        time.sleep(0.2)


def start_load(world, env, length_s):
    routes = [w for r, (us, size, _) in ROUTES.items() for w in ("--route", f"{r}={us}us,{size}")]
    streams = []
    for i, (name, shared) in enumerate(SERVICES.items()):
        world.start(FORESHAPE, "exec", name, "--policies", world.path("policies"), "--",
                    TOOLS + "/burner", "--listen", f"127.0.0.1:{PORT + i}", "--workers", "4", *routes, env=env)
        for k, rows in enumerate(curves(i + 1, shared, length_s)):
            path, route = world.write(f"curve{i}{k}", rows), list(ROUTES)[k]
            streams += ["--stream", f"s{i}{k},127.0.0.1:{PORT + i},{route},{path},1s"]
    time.sleep(3)
    return world.start(TOOLS + "/openload", *streams, stdout=open(world.path("load"), "w"))


def watch(env, load):
    """[(time, service, {resource: demand})] by second, while the load runs."""
    found, at = [], math.floor(time.time()) + LATE_S
    while load.poll() is None:
        at += 1
        time.sleep(max(0.0, at - time.time()))
        for name in SERVICES:
            answer = ask(env, "forecast", name, "--horizon", f"{LEAD_S}s")
            if answer and answer.get("demand"):
                found.append((math.floor(at), name, answer["demand"]))
    return found


def history(path):
    """{service: {second: row}} as measured."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        db.row_factory = sqlite3.Row
        rows = db.execute("SELECT s.service, v.* FROM service_sample v JOIN series s ON s.id = v.series "
                          "WHERE v.step_s = 1").fetchall()
    found = {}
    for row in rows:
        found.setdefault(row["service"], {})[row["at_real_s"]] = dict(row)
    return found


def compare(forecasts, measured, start):
    """Rows of (service, resource, forecast, peak), one a second once warmed up."""
    rows = []
    for at, service, demand in forecasts:
        # A step has the second in which it ended; that of second @at is over by then, as it was read late.
        seconds = range(at + 1, at + LEAD_S + 2)
        for resource, (key, column) in RESOURCES.items():
            used = [measured[service].get(s, {}).get(column) for s in seconds]
            peak = (demand.get(key) or {}).get("peak")
            if at >= start + WARM_UP_S and peak and None not in used:
                rows.append((service, resource, peak, max(used)))
    return rows


def score(rows):
    figures = {}
    print(f"{'service':10} {'resource':10} {'forecasts':>9} {'80 %':>6} {'90 %':>6} {'width':>6}  (90 %, of the median)")
    for resource in RESOURCES:
        for service in [*SERVICES, "all"]:
            some = [(p, x) for s, r, p, x in rows if r == resource and service in (s, "all")]
            if not some:
                raise Failed(f"no forecast of {resource} of {service} could be compared")
            held = {n: sum(p["q"][lo] <= x <= p["q"][hi] for p, x in some) / len(some)
                    for n, (lo, hi) in INTERVALS.items()}
            width = sum((p["q"]["0.95"] - p["q"]["0.05"]) / max(p["q"]["0.50"], 1e-9) for p, _ in some) / len(some)
            print(f"{service:10} {resource:10} {len(some):9} {100 * held[80]:6.1f} {100 * held[90]:6.1f} {width:6.2f}")
            if service == "all":
                figures.update({f"{resource}_coverage{n}": v for n, v in held.items()})
                figures[f"{resource}_width"] = width
    return figures


def main():
    length_s = int(os.environ.get("DEMAND_S", "600"))
    if os.geteuid() or not os.access(FORESHAPE, os.X_OK):
        print("needs root and a built agent: 'make bench-demand' runs it")
        return 77
    world, failed = World(), False
    try:
        world.begin()
        env = dict(os.environ, FORESHAPE_RUN=world.path("run"))
        start_agent(world, env)
        load, start = start_load(world, env, length_s), time.time()
        forecasts = watch(env, load)
        time.sleep(5)  # history is written in batches
        rows = compare(forecasts, history(world.path("history.db")), start)
        figures = score(rows)
        folder = os.path.join(os.environ.get("BUILD", "build"), "bench")
        os.makedirs(folder, exist_ok=True)
        for name, content in (("demand.json", {"schema": 1, "figures": figures}), ("demand.raw.json", rows)):
            with open(os.path.join(folder, name), "w") as f:
                json.dump(content, f, indent=1)
    except (Failed, Interrupted) as e:
        print(f"demand: {e or 'interrupted'}")
        failed = True
    finally:
        world.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
