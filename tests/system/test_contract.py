# SPDX-License-Identifier: GPL-2.0-or-later
"""test_contract.py - what programs rely on: keys, exit codes, totals that outlive what happens."""
import csv
import os
import signal
import socket
import subprocess
import time

from harness import (IN_VM, World, cgroup_dirs, check, finish, free_port, need_root, read,
                     wait_for)

need_root()
w = World("contract")
port = free_port(25000, 25900)
SHOP = f"""version: 1
service: shop
tier: gold
match: {{ cgroup: {w.group}/shop, ports: [{port}] }}
slo: {{ objective: 99.9%, latency: 200ms, window: 1h }}
apis:
  - route: GET /v1/orders/{{id}}
  - route: GET /static/*
cpu: {{ floor: 100m, ceiling: 2 }}
memory: {{ floor: 16MiB, ceiling: 512MiB }}
"""
LATENCY = "p50 p90 p99 p999 mean max"
KEYS = {
    "status": "schema mode pid worker_pid uptime_s degraded host services",
    "host": "planned_mcpu contention left_mcpu unused_mcpu left_bytes unused_bytes links",
    "service": "name tier effective_tier cgroup owner cpu memory bandwidth slo",
    "cpu": "usage_mcpu limit_mcpu weight throttled_ratio planned_mcpu short_mcpu demand_mcpu",
    "memory": "usage_bytes limit_bytes high_bytes demand_bytes",
    "bandwidth": "rate_bits_per_s limit_bits_per_s demand_bits_per_s",
    "slo": "route objective latency_us window_s attained burn_rate burn_rate_slow",
    "apis": "schema apis slo unattributed",
    "api": "service route requests responses aborted errors bytes_in bytes_out in_flight"
           " rate_per_s ttfb_us total_us cpu_us_per_request",
    "explain": "schema service lead knobs",
    "knob": "knob value baseline reason inputs policy refused",
    "history": "schema rows",
    "row": "id at_real_ns service knob before after errno reason",
}


def has(what, found):
    missing = [k for k in KEYS[what].split() if k not in found]
    check(f"the keys of {what}", not missing, f"no {missing} in {list(found)}")


def without_an_agent():
    for words in (["status"], ["apis"], ["explain", "shop"], ["forecast", "shop"], ["reload"],
                  ["observe"], ["enforce"], ["freeze"], ["adopt", "shop"], ["yield", "--all"],
                  ["event", "list"]):
        r = w.cli(*words)
        check(f"{words[0]} without an agent", r.returncode == 69 and not r.stdout,
              f"{r.returncode} {r.stdout}{r.stderr}")


def wrong_words():
    for words in (["bogus"], ["status", "x"], ["enforce", "--for", "0s"], ["replay"],
                  ["freeze", "--for", "soon"], ["freeze", "--for", "100000d"], ["yield"],
                  ["event", "add", "shop", "sale", "--starts", "2030-01-01", "--lasts", "367d"],
                  ["exec", "nobody", "--policies", w.policies, "--", "true"]):
        r = w.cli(*words)
        check(f"{' '.join(words[:3])} is a usage error", r.returncode == 2 and r.stderr,
              f"{r.returncode} {r.stderr}")


def keys_are_there():
    status, apis = w.json("status"), w.json("apis")
    has("status", status)
    has("host", status["host"])
    service = status["services"][0]
    has("service", service)
    for part in ("cpu", "memory", "bandwidth"):
        has(part, service[part])
    has("slo", service["slo"][0])
    has("apis", apis)
    for api in apis["apis"]:
        has("api", api)
        check("classes and quantiles", list(api["responses"]) == "1xx 2xx 3xx 4xx 5xx".split() and
              set(LATENCY.split()) <= set(api["ttfb_us"]) & set(api["total_us"]), str(api))
    check("the unmatched route is other", apis["apis"][-1]["route"] == "other", "")
    explained = w.json("explain", "shop")
    has("explain", explained)
    has("knob", explained["knobs"][0])


def get(paths):
    with socket.create_connection(("127.0.0.1", port)) as s:
        for path in paths:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            s.recv(4096)


def totals():
    a = w.apis("shop").get("GET /v1/orders/{id}", {})
    return a.get("requests"), a.get("responses", {}).get("2xx"), a.get("in_flight")


def totals_outlive_reloads_and_the_worker():
    """Under load: routes added, removed and moved, and a worker killed."""
    load = w.spawn(["wrk", "-t1", "-c8", f"-d{6 if IN_VM else 4}s",
                    f"http://127.0.0.1:{port}/v1/orders/7"], stdout=subprocess.DEVNULL)
    for i in range(10):
        w.policy("shop", SHOP.replace("apis:\n", f"apis:\n  - route: GET /new{i % 3}\n"))
        check("reload under load", w.cli("reload").returncode == 0, str(i))
        if i == 5:
            before = w.json("status")["worker_pid"]
            os.kill(before, signal.SIGKILL)
            check("a new worker answers", wait_for(
                lambda: (w.json("status", quiet=True) or {}).get("worker_pid", before) != before,
                5), "")
    load.wait()
    time.sleep(2)
    n = sum(1 for _ in open(os.path.join(nginx.prefix, "access.log")))
    check("totals are those of the access log", totals() == (n, n, 0), f"{totals()} {n}")
    w.policy("shop", SHOP.replace("  - route: GET /v1/orders/{id}\n", ""))
    w.cli("reload")
    w.policy("shop", SHOP)
    w.cli("reload")
    check("a route that was away goes on", totals() == (n, n, 0), f"{totals()} {n}")


def objectives_follow_the_log():
    good = wait_for(lambda: w.service("shop")["slo"][0]["attained"], 5)
    check("all is well at first", good and good > 0.99, str(good))
    bad = w.policy("fail", SHOP.replace("shop", "fail").replace(f"{port}", f"{port + 1}"))
    w.cli("reload")
    w.nginx("fail", port + 1,
            "location / { if ($request_uri ~ '0$') { return 503; } return 200 x; }")
    with socket.create_connection(("127.0.0.1", port + 1)) as s:
        for i in range(1000):
            s.sendall(f"GET /static/{i} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            s.recv(4096)
    slo = wait_for(lambda: next((o for o in w.service("fail")["slo"]
                                 if o["attained"] and o["attained"] < 0.95), None), 5) or {}
    check("a tenth failed: 0.9 attained", abs(slo.get("attained", 0) - 0.9) < 0.005, str(slo))
    check("that burns 100 times too fast", 80 < slo.get("burn_rate", 0) < 120, str(slo))
    check("over both windows", abs(slo.get("burn_rate_slow", 0) - slo.get("burn_rate", 0)) < 1e-6, str(slo))
    slos = {o["route"]: o for o in w.json("apis", "fail")["slo"]}
    check("the API that failed is held to it, others had no answers",
          abs((slos["GET /static/*"]["attained"] or 0) - 0.9) < 0.005 and 80 < slos["GET /static/*"]["burn_rate_slow"] < 120
          and slos["other"]["attained"] is None and slos["other"]["burn_rate"] is None, str(slos))
    check("its errors are counted", w.apis("fail")["GET /static/*"]["errors"] == 100, "")
    os.unlink(bad)


def shares():
    d = cgroup_dirs(f"{w.group}/shop")
    return read(os.path.join(d["cpu"], "cpu.shares") if "cpu" in d else
                os.path.join(d["unified"], "cpu.weight"))


def a_trial_ends():
    before = shares()
    check("a trial starts", w.cli("enforce", "--for", "3s").returncode == 0, "")
    check("it writes", wait_for(lambda: shares() != before, 3), shares())
    has("history", w.json("history"))
    has("row", (wait_for(lambda: w.json("history")["rows"], 3) or [{}])[0])
    check("it ends in observe", wait_for(lambda: w.json("status")["mode"] == "observe", 6), "")
    check("and gives back", wait_for(lambda: shares() == before, 2), f"{before} {shares()}")


def a_trial_outlives_its_worker():
    w.cli("enforce", "--for", "8s")
    w.cli("freeze", "--for", "5m")
    before = w.json("status")
    os.kill(before["worker_pid"], signal.SIGKILL)
    after = wait_for(lambda: next((s for s in [w.json("status", quiet=True)]
                                   if s and s["worker_pid"] != before["worker_pid"]), None), 5) or {}
    check("a new worker keeps mode, end and freeze",
          all(after.get(k) == before[k] for k in ("mode", "mode_until_real_ns", "frozen_until_real_ns")) and
          before["mode"] == "enforce" and before["mode_until_real_ns"], f"{before} {after}")
    check("and ends in observe", wait_for(lambda: w.json("status")["mode"] == "observe", 12), "")
    w.cli("freeze", "--off")


def restore_says_why():
    """An agent that does not answer is not "running already"."""
    pid = w.json("status")["pid"]
    stopped = w.json("status")["worker_pid"]
    os.kill(stopped, signal.SIGSTOP)
    asked = w.spawn([os.environ.get("FORESHAPE", "build/foreshape"), "restore"],
                    stderr=subprocess.PIPE, text=True)
    try:
        said = asked.communicate(timeout=60)[1]
    finally:
        os.kill(stopped, signal.SIGCONT)
    check("restore names what failed", asked.returncode == 1 and "did not answer" in said,
          f"{asked.returncode} {said}")
    check("and the agent goes on", w.json("status")["pid"] == pid, "")


def tables_have_their_columns():
    recorded, out = os.path.join(w.dir, "in.csv"), os.path.join(w.dir, "out.csv")
    with open(recorded, "w") as f:
        f.write("time,cpu\n" + "".join(f"{1700000000 + 60 * i},{100 + i % 60}\n"
                                       for i in range(600)))
    r = w.cli("forecast", "--csv", recorded, "--train", "14400s", "--horizon", "600s",
              "--stride", "1h", "--json", "--emit", out)
    rows = list(csv.DictReader(open(out)))
    check("forecast's columns", r.returncode == 0 and ",".join(rows[0]) ==
          "origin,step,time,actual,mean,q05,q10,q25,q50,q75,q90,q95,q99,q025,q975,q999", f"{r.stderr}")
    check("steps count from the last observed", rows[0]["step"] == "1" and
          int(rows[0]["time"]) - int(rows[0]["origin"]) == 60, str(rows[0]))
    r = w.cli("replay", "--csv", recorded, "--policy", os.path.join(w.policies, "shop.yaml"),
              "--json", "--emit", out)
    rows = list(csv.DictReader(open(out)))
    check("replay's columns", r.returncode == 0 and len(rows) == 600 and
          ",".join(rows[0]) == "time,used_mcpu,limit_mcpu,reason", f"{r.stderr}")


w.policy("shop", SHOP)
without_an_agent()
wrong_words()
tables_have_their_columns()
w.start_agent("--observe")
nginx = w.nginx("shop", port, "location / { return 200 'hello'; }")
check("a second agent: 75", w.cli("run", "--policies", w.policies).returncode == 75, "")
keys_are_there()
totals_outlive_reloads_and_the_worker()
get(["/v1/orders/1"] * 10)
objectives_follow_the_log()
a_trial_ends()
a_trial_outlives_its_worker()
if os.environ.get("FORESHAPE_LONG"):
    restore_says_why()
check("SIGTERM ends it well", w.stop_agent() == 0, w.agent_log()[-300:])
finish()
