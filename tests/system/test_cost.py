#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
The cost model against a server whose true costs are known: within 10 % after COST_S seconds (600 in
'make bench-cost') of varied load. Writes BENCH_DIR/cost.json where BENCH_DIR is set.
"""
import json
import math
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "demo"))
from world import Failed, Interrupted, World  # noqa: E402

FORESHAPE = os.path.abspath(os.environ.get("FORESHAPE", "build/foreshape"))
TOOLS = os.environ.get("DEMO_TOOLS", os.path.join(os.path.dirname(FORESHAPE), "demo"))
PORT = 22100
BOUND = 0.10
# Route: true CPU time in us, mean requests/s, how far and how often (s) its rate swings.
ROUTES = {
    "/api/small": (300, 120, 0.6, 47),
    "/api/middle": (1000, 60, 0.8, 29),
    "/api/large": (4000, 20, 0.9, 73),
}
POLICY = """version: 1
service: cost
tier: silver
match: {{ cgroup: {cgroup} }}
apis:
"""


def curve(mean, swing, period_s, length_s):
    """A swing, and now and then none at all, so that the routes' counts tell their costs apart."""
    rows = []
    for t in range(length_s + 1):
        rate = mean * (1 + swing * math.sin(2 * math.pi * t / period_s))
        rows.append(f"{t} {0 if t % (2 * period_s) >= 2 * period_s - 8 else rate:.2f}\n")
    return "".join(rows)


def ask(env, *words):
    p = subprocess.run([FORESHAPE, *words, "--json"], capture_output=True, text=True, env=env, check=False)
    return json.loads(p.stdout) if p.returncode == 0 else None


def measure(world, length_s):
    env = dict(os.environ, FORESHAPE_RUN=world.path("run"))
    os.makedirs(world.path("run"), mode=0o755)
    policy = POLICY.format(cgroup=world.cgroup("cost")) + "".join(f"  - route: GET {r}\n" for r in ROUTES)
    world.write("policies/cost.yaml", policy)
    world.start(FORESHAPE, "run", "--observe", "--policies", world.path("policies"),
                "--db", world.path("history.db"), env=env)
    end = time.monotonic() + 15
    while not ask(env, "status"):
        if time.monotonic() > end:
            with open(world.path("errors.log")) as f:
                raise Failed("the agent does not run: " + f.read()[-1000:])
        time.sleep(0.2)
    routes = [w for r, (us, *_) in ROUTES.items() for w in ("--route", f"{r}={us}us,200")]
    world.start(FORESHAPE, "exec", "cost", "--policies", world.path("policies"), "--",
                TOOLS + "/burner", "--listen", f"127.0.0.1:{PORT}", "--workers", "4", *routes, env=env)
    time.sleep(3)
    streams = []
    for n, (route, (_, mean, swing, period_s)) in enumerate(ROUTES.items()):
        path = world.write(f"curve{n}", curve(mean, swing, period_s, length_s))
        streams += ["--stream", f"s{n},127.0.0.1:{PORT},{route},{path},1s"]
    load = world.start(TOOLS + "/openload", *streams, stdout=open(world.path("load"), "w"))
    load.wait(length_s + 30)
    answer = ask(env, "apis")
    if not answer:
        raise Failed("apis gave no answer")
    return {a["route"]: a for a in answer["apis"] if a["service"] == "cost"}


def main():
    length_s = int(os.environ.get("COST_S", "0"))
    if os.geteuid() or not length_s or not os.access(FORESHAPE, os.X_OK):
        print("needs root and a built agent, and takes ten minutes: 'make bench-cost' runs it")
        return 77
    world, figures, failed = World(), {}, False
    try:
        world.begin()
        apis = measure(world, length_s)
        for route, (true_us, *_) in ROUTES.items():
            api = apis.get("GET " + route, {})
            learned = api.get("cpu_us_per_request")
            off = abs(learned / true_us - 1) if learned else None
            name = f"{route} costs {true_us} us"
            said = f"learned {learned} us from {api.get('requests')} requests"
            good = off is not None and off <= BOUND
            print(f"ok {name} # {said}" if good else f"not ok {name}: {said}")
            failed |= not good
            figures["error_" + route.rsplit("/", 1)[1]] = off
        if "BENCH_DIR" in os.environ:
            os.makedirs(os.environ["BENCH_DIR"], exist_ok=True)
            with open(os.path.join(os.environ["BENCH_DIR"], "cost.json"), "w") as f:
                json.dump({"schema": 1, "figures": figures, "raw": apis}, f, indent=1)
    except (Failed, Interrupted) as e:
        print(f"not ok cost: {e or 'interrupted'}")
        failed = True
    finally:
        world.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
