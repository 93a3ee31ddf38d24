# SPDX-License-Identifier: GPL-2.0-or-later
"""replay_lib.py - what the tests of foreshape replay share: calls of it, recordings, what it wrote."""
import csv
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

BIN = os.environ.get("FORESHAPE", "build/foreshape")
DRIVER = os.environ.get("STORE_DRIVER", os.path.join(os.path.dirname(BIN), "tests/agent/store_driver"))
STEP_S = 60
START = 1700000000
failed = 0

CAP = """version: 1
service: trace
tier: gold
match: { cgroup: /trace }
cpu: { mode: cap, floor: 100m }
forecast: { lead: 3min, quantile: 0.99 }
"""
RESERVE = CAP.replace("mode: cap", "mode: reserve")


def check(name, ok, why=""):
    global failed
    print(f"ok {name}" if ok else f"not ok {name}: {why}", flush=True)
    failed += not ok


def replay(*args, timeout=60):
    return subprocess.run([BIN, "replay", *args], capture_output=True, text=True,
                          timeout=timeout, check=False)


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def trace(path, values, times=True):
    lines = ["time,cpu"] if times else []
    for i, v in enumerate(values):
        cell = "" if v is None else f"{v:.6f}"
        lines.append(f"{START + i * STEP_S},{cell}" if times else cell)
    return write(path, "\n".join(lines) + "\n")


def rows(path):
    with open(path, encoding="utf-8") as f:
        return list(csv.DictReader(f))


def square(hours, rng, period=60):
    """Each hour 15 minutes of 1.5 CPUs, else 0.3, in CPUs."""
    return [(1.5 if i % period >= 40 and i % period < 55 else 0.3) * rng.uniform(0.95, 1.05)
            for i in range(hours * 60)]


def run_pair(d, values, policy, name):
    """Runs it and returns (summary, rows)."""
    out = os.path.join(d, name + ".out.csv")
    r = replay("--csv", trace(os.path.join(d, name + ".csv"), values), "--scale", "1000",
               "--policy", policy, "--json", "--emit", out)
    if r.returncode != 0:
        print(r.stderr, file=sys.stderr)
        return None, []
    return json.loads(r.stdout), rows(out)


def summary_agrees(s, steps):
    used = [float(r["used_mcpu"]) for r in steps]
    limit = [float(r["limit_mcpu"]) for r in steps]
    slack = 1 - sum(used) / sum(limit)
    over = sum(u > l for u, l in zip(used, limit))
    return (abs(s["slack"] - slack) < 1e-4 and s["violation_steps"] == over
            and abs(s["used_mean_mcpu"] - sum(used) / len(used)) < 0.01
            and s["schema"] == 1 and s["steps"] == len(steps))


def paths(svg):
    """{stroke or fill: [path]} of a picture."""
    ns = "{http://www.w3.org/2000/svg}"
    found = {}
    for p in xml.etree.ElementTree.parse(svg).iter(ns + "path"):
        found.setdefault(p.get("stroke") or p.get("fill"), []).append(p.get("d"))
    return found


def history(path, values, routes=False):
    """A history with these seconds, in CPUs, of service trace; None: nothing was sampled."""
    subprocess.run([DRIVER, path, "write", "0"], check=True, timeout=30)
    db = sqlite3.connect(path)
    db.execute("INSERT INTO series VALUES (1, 'trace', ''), (2, 'trace', 'GET /a')")
    db.executemany("INSERT INTO service_sample (step_s, at_real_s, series, seconds, cpu_mcpu) VALUES (1, ?, 1, 1, ?)",
                   [(START + i, v * 1000) for i, v in enumerate(values) if v is not None])
    if routes:
        db.execute("UPDATE service_sample SET tx_bits_per_s = 8000, memory_bytes = 1e8, psi_cpu = 0")
        db.executemany("INSERT INTO route_sample (step_s, at_real_s, series, seconds, requests, responses_1xx,"
                       " responses_2xx, responses_3xx, responses_4xx, responses_5xx, aborted, bytes_in, bytes_out)"
                       " VALUES (1, ?, 2, 1, ?, 0, ?, 0, 0, 0, 0, 1, 1)",
                       [(START + i, int(v * 100), int(v * 100)) for i, v in enumerate(values)])
        db.execute("INSERT INTO slo_sample VALUES (?, 1, 0.99, 1000, 0.995, 0.5)", (START + 60,))
    db.commit()
    db.close()
    return path


def run_tests(main):
    """Ends with what @main, which gets a directory, came to."""
    if not os.access(BIN, os.X_OK):
        print(f"skip: no {BIN}")
        sys.exit(77)
    if not os.access(DRIVER, os.X_OK):
        print(f"skip: no {DRIVER}: make system-bins builds it")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="fsh-replay-") as d:
        main(d)
    sys.exit(1 if failed else 0)
