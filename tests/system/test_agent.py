# SPDX-License-Identifier: GPL-2.0-or-later
# Takes long.
"""test_agent.py - the agent end to end: real nginx counted, planned for, enforced, restored."""
import os
import sqlite3
import subprocess
import time

from harness import (IN_VM, World, cgroup_dirs, check, finish, free_port, need_root, read,
                     wait_for)

need_root()
w = World("agent")
port = free_port(23000, 23900)
REQUESTS = 3000 if IN_VM else 100000

GOLD = f"""version: 1
service: shop
tier: gold
match: {{ cgroup: {w.group}/shop, ports: [{port}] }}
slo: {{ objective: 99.9%, latency: 200ms, window: 1h }}
apis:
  - route: GET /v1/orders/{{id}}
  - route: POST /v1/orders
  - route: GET /static/*
cpu: {{ floor: 100m, ceiling: 2 }}
memory: {{ floor: 16MiB, ceiling: 512MiB }}
forecast: {{ lead: 3s }}
"""
BATCH = f"""version: 1
service: batch
tier: bronze
match: {{ cgroup: {w.group}/batch }}
cpu: {{ floor: 50m, ceiling: 2, mode: cap }}
forecast: {{ lead: 3s }}
"""


def knob_file(service):
    """Path of the CPU limit and its text for "no limit", v1 or v2."""
    dirs = cgroup_dirs(f"{w.group}/{service}")
    if "cpu" in dirs:
        return os.path.join(dirs["cpu"], "cpu.cfs_quota_us"), "-1"
    return os.path.join(dirs["unified"], "cpu.max"), "max 100000"


def counts_equal_the_log():
    log = os.path.join(nginx.prefix, "access.log")
    targets = [("/v1/orders/7", "GET /v1/orders/{id}"), ("/static/a/b.css", "GET /static/*"),
               ("/nothing", "other")]
    for path, _ in targets:
        subprocess.run(["wrk", "-t1", "-c8", f"-d{1 if IN_VM else 2}s",
                        f"http://127.0.0.1:{port}{path}"], capture_output=True, timeout=60)
    time.sleep(1.5)
    logged = {}
    for line in open(log):
        path = line.split()[1]
        logged[path] = logged.get(path, 0) + 1
    apis = w.apis("shop")
    for path, route in targets:
        row = apis.get(route, {})
        # wrk leaves without its last answers: nginx logs those too, as 200 or 499
        check(f"{route}: as many requests as the access log",
              row.get("requests") == logged.get(path), f"{row.get('requests')} {logged.get(path)}")
        check(f"{route}: nothing in flight afterwards", row.get("in_flight") == 0, str(row))
    check("latencies are there", (apis["GET /static/*"]["ttfb_us"]["p50"] or 0) > 0, str(apis))
    check("the rate is that of the last minute", apis["GET /static/*"]["rate_per_s"] > 1, "")


def status_says_what_is():
    s = w.json("status")
    shop = w.service("shop")
    check("status has its mode", s["mode"] == "observe" and s["schema"] == 1, str(s)[:200])
    check("status has pids", os.path.isdir(f"/proc/{s['pid']}") and
          os.path.isdir(f"/proc/{s['worker_pid']}"), "")
    check("the worker is not root", os.stat(f"/proc/{s['worker_pid']}").st_uid != 0, "")
    caps = [l for l in open(f"/proc/{s['worker_pid']}/status") if l.startswith("CapEff")][0]
    check("the worker has no capability", int(caps.split()[1], 16) == 0, caps)
    check("its CPU was measured", shop["cpu"]["usage_mcpu"] is not None, str(shop))
    check("its objective is followed", shop["slo"] and shop["slo"][0]["attained"] is not None,
          str(shop["slo"]))
    check("demand has quantiles", shop["cpu"]["demand_mcpu"].get("0.99") is not None,
          str(shop["cpu"]))


def observe_writes_nothing():
    path, free = knob_file("batch")
    check("observe leaves every limit alone", read(path) == free, read(path))


def enforce_limits_and_says_why():
    path, free = knob_file("batch")
    r = w.cli("enforce")
    check("enforce is taken", r.returncode == 0, r.stderr)
    limited = wait_for(lambda: read(path) != free, 30)
    check("a capped service gets a limit", limited, read(path))
    time.sleep(2)
    e = w.json("explain", "batch")
    cpu = next((k for k in e["knobs"] if k["knob"] == "cpu.max"), None)
    check("explain has a reason and inputs", cpu and cpu["reason"] and cpu["inputs"], str(e)[:400])
    check("explain names the policy's line", cpu and "batch.yaml:" in (cpu["policy"] or ""), str(cpu))
    check("the baseline was no limit", cpu and cpu["baseline"] is None, str(cpu))
    rows = w.json("history")["rows"]
    mine = [r for r in rows if r["service"] == "batch" and r["knob"] == "cpu.max"]
    check("history has the write", mine and mine[-1]["errno"] in (0, None), str(rows)[:300])


def a_removed_event_leaves_the_forecast():
    def ahead():
        """The median of batch's CPU in half a minute, in mcpu."""
        points = (w.json("forecast", "batch", "--horizon", "30s") or {}).get("points")
        return points[-1]["q"]["0.50"] if points else 0
    usual = wait_for(ahead, 10)
    starts = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 15))
    event = w.json("event", "add", "batch", "sale", "--starts", starts, "--lasts", "1h",
                   "--multiplier", "3")
    check("an event is in the forecast", usual and wait_for(lambda: ahead() > 2 * usual, 5),
          f"{usual} {ahead()}")
    r = w.cli("event", "remove", str((event or {}).get("id")))
    check("an event is removed", r.returncode == 0 and "sale" not in w.cli("event", "list").stdout,
          r.stderr)
    check("and leaves the forecast", wait_for(lambda: ahead() < 1.5 * usual, 5), f"{usual} {ahead()}")


def calendars_are_followed():
    def calendar(name):
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86400))
        w.policy("batch", f"date,name\n{day},{name}\n", "days.csv")

    def names():
        return [e["name"] for e in w.json("event", "list")["events"] if e["service"] == "batch"]
    calendar("first")
    w.policy("batch", BATCH + "calendars: [days.csv]\n")
    r = w.cli("reload")
    check("a policy's calendar is read", r.returncode == 0 and wait_for(lambda: names() == ["first"], 5),
          f"{r.stderr} {names()}")
    r = w.cli("reload")
    check("a reload keeps its events", r.returncode == 0 and names() == ["first"], f"{r.stderr} {names()}")
    calendar("second")
    check("a changed calendar is read again", wait_for(lambda: names() == ["second"], 20), names())
    w.policy("batch", "date,name\ntomorrow,third\n", "days.csv")
    r = w.cli("check", os.path.join(w.policies, "batch.yaml"))
    check("check tells what is wrong with a calendar", r.returncode == 2 and "days.csv:2: not a date" in r.stdout,
          r.stdout)
    check("the agent tells of it", wait_for(lambda: "calendars: " in w.cli("history", "--events").stdout, 20))
    check("a broken one leaves what was known", names() == ["second"], names())
    os.unlink(os.path.join(w.policies, "days.csv"))
    w.policy("batch", BATCH)
    r = w.cli("reload")
    check("without a calendar no event is left", r.returncode == 0 and names() == [], f"{r.stderr} {names()}")


def a_moved_policy_lets_the_old_group_go():
    path, free = knob_file("batch")
    moved = path.replace("/batch/", "/moved/")
    w.policy("batch", BATCH.replace("/batch }", "/moved }"))
    sleeper = w.exec_in("batch", ["/bin/sleep", "60"])
    check("its group is made", wait_for(lambda: os.path.exists(moved), 5), moved)
    check("a policy with another cgroup is taken", w.cli("reload").returncode == 0, "")
    check("the old cgroup has no limit any more", wait_for(lambda: read(path) == free, 10), read(path))
    check("the new one gets one", wait_for(lambda: read(moved) != free, 30), read(moved))
    w.policy("batch", BATCH)
    check("it moves back", w.cli("reload").returncode == 0 and
          wait_for(lambda: read(moved) == free and read(path) != free, 30), read(moved) + read(path))
    sleeper.kill()
    sleeper.wait()


def restore_gives_back():
    path, free = knob_file("batch")
    r = w.cli("restore")
    check("restore is done", r.returncode == 0, r.stderr + r.stdout)
    check("the limit is gone", read(path) == free, read(path))
    check("a restored agent observes", w.json("status")["mode"] == "observe", "")


def a_broken_policy_keeps_the_last_good():
    path = w.policy("batch", BATCH.replace("floor: 50m", "flor: 50m"))
    r = w.cli("reload")
    check("reload of a broken policy fails with its line",
          r.returncode == 2 and "batch.yaml:5" in r.stderr + r.stdout, f"{r.returncode} {r.stderr}")
    check("the services go on", w.service("batch") is not None, "")
    with open(path, "w") as f:
        f.write(BATCH)
    check("a mended one is taken", w.cli("reload").returncode == 0, "")


def an_old_listener_is_named():
    """A server that listened before it was moved in is invisible to the programs: say so."""
    old = w.spawn(["/usr/bin/python3", "-c", "import socket, time; s = socket.socket();"
                   "s.bind(('127.0.0.1', 0)); s.listen(); print('ready', flush=True);"
                   "time.sleep(300)"], stdout=subprocess.PIPE)
    old.stdout.readline()
    for where in cgroup_dirs(f"{w.group}/shop").values():
        with open(f"{where}/cgroup.procs", "w") as f:
            f.write(str(old.pid))
    said = wait_for(lambda: any("listening socket" in d for d in w.json("status")["degraded"]), 10)
    check("a listener older than its move is reported", said, str(w.json("status")["degraded"]))
    check("and counted", w.json("apis")["unattributed"].get("unseen_listener") == 1,
          str(w.json("apis")["unattributed"]))
    w.end(old)


def history_is_readable():
    db = sqlite3.connect(f"file:{w.db}?mode=ro", uri=True)
    n = db.execute("SELECT count(*) FROM sqlite_master WHERE type = 'view'").fetchone()[0]
    check("history has its views", n >= 4, str(n))
    ok = db.execute("PRAGMA integrity_check").fetchone()[0]
    check("history is sound", ok == "ok", ok)


w.policy("shop", GOLD)
w.policy("batch", BATCH)
w.start_agent("--observe")
nginx = w.nginx("shop", port, "location / { return 200 'hello'; }")
hog = w.exec_in("batch", ["/usr/bin/python3", "-c", "while True: pass"])
check("exec waits until the packets are counted",
      wait_for(lambda: (w.service("shop") or {}).get("attached"), 5), str(w.service("shop")))
counts_equal_the_log()
status_says_what_is()
observe_writes_nothing()
enforce_limits_and_says_why()
a_removed_event_leaves_the_forecast()
calendars_are_followed()
a_moved_policy_lets_the_old_group_go()
restore_gives_back()
a_broken_policy_keeps_the_last_good()
an_old_listener_is_named()
history_is_readable()
second = w.cli("run", "--policies", w.policies, "--db", w.db, timeout=20)
check("a second agent says who holds the lock", second.returncode == 75 and
      str(w.agent.pid) in second.stderr, f"{second.returncode} {second.stderr}")
w.cli("enforce")
limit, free = knob_file("batch")
wait_for(lambda: read(limit) != free, 30)
# Whoever traces the worker reaps it first; its end must be noticed all the same.
tracer = w.spawn(["strace", "-f", "-o", "/dev/null", "-p", str(w.json("status")["worker_pid"])],
                 stderr=subprocess.DEVNULL)
time.sleep(1)
check("SIGTERM ends it well", w.stop_agent() == 0, w.agent_log()[-500:])
check("SIGTERM gives the baseline back", read(limit) == free, read(limit))
check("without an agent commands exit 69", w.cli("status").returncode == 69, "")
w.end(hog)
w.end(nginx)
check("its groups are gone", wait_for(lambda: not cgroup_dirs(f"{w.group}/batch"), 5),
      str(cgroup_dirs(f"{w.group}/batch")))
finish()
