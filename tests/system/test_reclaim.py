#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""test_reclaim.py - cold memory of bronze is given back in small steps, and no more once it is missed."""
import json
import os
import sqlite3
import subprocess

from harness import IN_VM, World, cgroup_dirs, check, finish, need_root, read, wait_for

need_root()
MIB = 1 << 20
CACHE = {"bronze": 120 * MIB, "gold": 60 * MIB}
FLOOR = 32 * MIB
FILES = "/usr/lib/x86_64-linux-gnu"
w = World("reclaim")
# Reads what the host has in FILES, from one end of it or the other: the first who reads a page has it. Once, and
# whenever it is told to. In the VM 9p keeps it as a disk's would be.
READER = """
import os, sys
paths = [os.path.join(sys.argv[3], name) for name in sorted(os.listdir(sys.argv[3]), reverse=sys.argv[1] == 'gold')]
def read_all():
    left = int(sys.argv[2])
    for path in paths:
        if left <= 0:
            break
        if os.path.isfile(path) and not os.path.islink(path):
            with open(path, 'rb') as f:
                while left > 0 and (chunk := f.read(1 << 20)):
                    left -= len(chunk)
read_all()
print('ready', flush=True)
for line in sys.stdin:
    read_all()
    print('again', flush=True)
"""


def knob(service):
    said = w.json("explain", service)
    return next((k for k in said["knobs"] if k["knob"] == "memory.reclaim"), None)


def steps(service):
    """What was asked for and what went, oldest first."""
    with sqlite3.connect(f"file:{w.db}?mode=ro", uri=True) as db:
        return db.execute("SELECT asked, after, errno, reason FROM knob_write WHERE knob = 'memory.reclaim' AND"
                          " service = ? ORDER BY id", (service,)).fetchall()


def used(service):
    return int(read(os.path.join(cgroup_dirs(f"{w.group}/{service}")["unified"], "memory.current")))


for tier in ("gold", "bronze"):
    w.policy(tier, f"version: 1\nservice: {tier}\ntier: {tier}\nmatch: {{ cgroup: {w.group}/{tier} }}\n"
             f"memory: {{ floor: {FLOOR // MIB}MiB }}\n")
doctor = json.loads(w.cli("doctor", "--all", "--json").stdout)
said = next(c for c in doctor["checks"] if c["name"] == "memory-reclaim")
w.start_agent("--enforce")
if IN_VM:
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("1")  # what an earlier test has read is nobody's here
readers = {t: w.exec_in(t, ["/usr/bin/python3", "-c", READER, t, str(CACHE[t]), FILES],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE) for t in CACHE}
for p in readers.values():
    p.stdout.readline()
group = cgroup_dirs(f"{w.group}/bronze")["unified"]
if not os.path.exists(os.path.join(group, "memory.reclaim")):
    check("doctor says that there is none", said["state"] == "warning", said)
    check("and explain that it is not used here",
          wait_for(lambda: (k := knob("bronze")) and any("unsupported" in str(r) for r in k["refused"]), 20, 0.5),
          knob("bronze"))
    finish()

before = used("bronze")
check("both have cache", all(used(t) > 0.9 * CACHE[t] for t in CACHE), (before, used("gold")))
check("bronze is asked to give some back", wait_for(lambda: steps("bronze"), 30 if IN_VM else 90, 1), knob("bronze"))
check("and again", wait_for(lambda: len(steps("bronze")) >= 2, 20 if IN_VM else 45, 1), knob("bronze"))
found = steps("bronze")
check("a hundredth at a time, for its reason", len(found) > 1 and
      all(256 << 10 <= s[0] <= before / 90 and s[2] == 0 and s[3] == "reclaim" for s in found), found)
given = sum(s[0] for s in found)
check("it went", all(s[0] // 2 <= s[1] <= s[0] for s in found) and
      wait_for(lambda: used("bronze") <= before - given // 2, 10, 0.5), (before, used("bronze"), found))
check("it stays above what must stay", used("bronze") > FLOOR, used("bronze"))
check("nothing is asked of gold", not steps("gold"), steps("gold"))
told = knob("bronze")
readers["bronze"].stdin.write(b"\n")
readers["bronze"].stdin.flush()
readers["bronze"].stdout.readline()
check("what went is read again, and that ends it for a while",
      wait_for(lambda: knob("bronze")["reason"] == "reclaim_paused", 6 if IN_VM else 20, 0.5), (told, knob("bronze")))
n = len(steps("bronze"))
check("no step comes then", not wait_for(lambda: len(steps("bronze")) > n, 8 if IN_VM else 35, 2), steps("bronze"))
for p in readers.values():
    p.stdin.close()
    w.end(p)
check("SIGTERM ends it well: nothing had to be put back", w.stop_agent() == 0, w.agent_log()[-500:])
finish()
