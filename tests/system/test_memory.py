#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""test_memory.py - what the agent does to the memory of three services: protects, limits, never kills."""
import os
import subprocess
import threading
import time

from harness import World, cgroup_dirs, check, finish, need_root, read, wait_for

need_root()
MIB = 1 << 20
ANON = 100 * MIB
CEILING = 200 * MIB
w = World("memory")
SERVICES = ("gold", "silver", "bronze")
# Bronze's ceiling is less than what it holds: whoever wrote it there would have it killed.
MEMORY = {"gold": "", "silver": "memory: { ceiling: 200MiB }", "bronze": "memory: { ceiling: 48MiB }"}
HOG = """
import mmap, sys
m = mmap.mmap(-1, 256 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
def fill(a, b):
    for i in range(a, b, 1 << 20): m[i:i + (1 << 20)] = b'x' * (1 << 20)
fill(0, int(sys.argv[1]))
print('ready', flush=True)
for line in sys.stdin:
    fill(int(sys.argv[1]), int(line))
    print('grown', flush=True)
"""


def file(service, v1, v2):
    """A memory file of the service; None where this host has none such."""
    dirs = cgroup_dirs(f"{w.group}/{service}")
    name, where = (v1, "memory") if "memory" in dirs else (v2, "unified")
    return os.path.join(dirs[where], name) if name and where in dirs else None


def limit(service):
    """memory.max in bytes; what is no limit is infinite."""
    text = read(file(service, "memory.limit_in_bytes", "memory.max"))
    return float("inf") if text == "max" or int(text) > 2**62 else int(text)


def kills(service):
    text = read(file(service, "memory.oom_control", "memory.events"))
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill "))


class Watch(threading.Thread):
    """The least that limits ever were, looked at all the time."""

    def __init__(self):
        super().__init__(daemon=True)
        self.least, self.ended = {}, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.02):
            for service in SERVICES:
                for name in ("memory.max", "memory.high"):
                    path = file(service, "memory.limit_in_bytes" if name == "memory.max" else None, name)
                    text = read(path) if path else "max"
                    if text != "max":
                        key = f"{name} of {service}"
                        self.least[key] = min(self.least.get(key, int(text)), int(text))


for tier in SERVICES:
    w.policy(tier, f"version: 1\nservice: {tier}\ntier: {tier}\nmatch: {{ cgroup: {w.group}/{tier} }}\n"
             f"forecast: {{ lead: 3s }}\n{MEMORY[tier]}\n")
late = cgroup_dirs("/")["unified"] + f"{w.group}/own/late"
os.makedirs(late)  # as its owner would have it: no controller goes that far down yet
w.policy("late", f"version: 1\nservice: late\ntier: silver\nmatch: {{ cgroup: {w.group}/own/late }}\n")
w.start_agent("--observe")
hogs = {s: w.exec_in(s, ["/usr/bin/python3", "-c", HOG, str(ANON)], stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE) for s in SERVICES}
check("the services hold their memory", all(p.stdout.readline() == b"ready\n" for p in hogs.values()))
watch = Watch()
check("enforce is taken", w.cli("enforce").returncode == 0)

check("the policy's ceiling is the limit", wait_for(lambda: limit("silver") == CEILING, 20), limit("silver"))
low = file("gold", None, "memory.low")
if low:
    check("gold's memory is protected", wait_for(lambda: int(read(low)) > ANON // 2, 20), read(low))
    check("and once it stopped growing by about what it uses",
          wait_for(lambda: ANON // 2 < int(read(low)) < 2 * ANON, 12, 0.5), read(low))
    check("bronze's is not", read(file("bronze", None, "memory.low")) == "0")
else:
    print("# no memory.low and memory.high: version 1")
WRITTEN_ONCE = "open({0!r}, 'wb').write(bytes({1})); print('ready', flush=True); input()"
if not os.environ.get("FORESHAPE_VM"):  # its files are shared memory
    before = w.service("gold")["memory"]
    reader = w.exec_in("gold", ["/usr/bin/python3", "-c", WRITTEN_ONCE.format(f"{w.dir}/cache", 96 * MIB)],
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    reader.stdout.readline()
    check("cache that nobody needs is used, but not worked with",
          wait_for(lambda: (m := w.service("gold")["memory"])["usage_bytes"] > before["usage_bytes"] + 80 * MIB and
                   m["working_set_bytes"] < before["working_set_bytes"] + 48 * MIB, 10, 0.5),
          (before, w.service("gold")["memory"]))
    reader.stdin.close()
    w.end(reader)
time.sleep(6)
high = {s: read(file(s, None, "memory.high")) for s in SERVICES} if low else {}
check("without need nothing is slowed down", all(v == "max" for v in high.values()), high)
check("gold has no limit", limit("gold") == float("inf"), limit("gold"))
check("a ceiling below what is in use is not written", limit("bronze") >= ANON, limit("bronze"))
said = w.json("explain", "bronze")
knob = next((k for k in said["knobs"] if k["knob"] == "memory.max"), None)
check("and explain says why", knob and knob["refused"], said)

hogs["silver"].stdin.write(f"{ANON + 60 * MIB}\n".encode())
hogs["silver"].stdin.flush()
check("a service may grow to its ceiling", hogs["silver"].stdout.readline() == b"grown\n")
time.sleep(2)
watch.ended.set()
watch.join()
check("none was ever killed", all(p.poll() is None for p in hogs.values()) and not any(map(kills, SERVICES)))
check("no limit was ever below what was in use", all(v >= ANON for v in watch.least.values()), watch.least)
rows = [r for r in w.json("history", "--limit", "1000")["rows"] if r["knob"].startswith("memory.")]
bad = [r for r in rows if r["after"] == 0 and r["knob"] != "memory.low" or (r["after"] or 0) > 2**52]
check("nothing like 0 or 2^64 was written", rows and not bad, bad or "no rows")
if low:
    with open(os.path.dirname(late) + "/cgroup.subtree_control", "w") as f:
        f.write("+cpu +memory")
    check("controllers that come later are found",
          wait_for(lambda: w.service("late")["cpu"]["weight"], 20, 0.5), w.service("late"))
hogs["silver"].stdin.close()
w.end(hogs["silver"])
check("SIGTERM ends it well", w.stop_agent() == 0, w.agent_log()[-500:])
check("and gives every limit back", all(limit(s) == float("inf") for s in ("gold", "bronze")) and
      (not low or (read(low), read(file("gold", None, "memory.high"))) == ("0", "max")),
      [(s, limit(s)) for s in ("gold", "bronze")])
for p in hogs.values():
    if not p.stdin.closed:
        p.stdin.close()
    w.end(p)
finish()
