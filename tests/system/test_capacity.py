# SPDX-License-Identifier: GPL-2.0-or-later
"""test_capacity.py - CPUs that go offline under a running agent: what it plans for follows within seconds."""
import os
import sqlite3
import subprocess

from harness import FORESHAPE, World, check, finish, need_root, skip, wait_for

ONLINE = "/sys/devices/system/cpu/online"
need_root()
w = World("cpus")
w.policy("s", f"""version: 1
service: s
tier: gold
match: {{ cgroup: {w.group}/s }}
cpu: {{ floor: 50m }}
forecast: {{ lead: 3s }}
""")


def show(cpus):
    """The agent alone sees @cpus as the kernel's list of those online: in a mount namespace of its own."""
    path = os.path.join(w.dir, "online-" + cpus.replace(",", "_"))
    with open(path, "w") as f:
        f.write(cpus + "\n")
    os.chmod(path, 0o644)
    return subprocess.run(["nsenter", "-t", str(w.agent.pid), "-m", "mount", "--bind", path, ONLINE],
                          capture_output=True, text=True)


def events():
    with sqlite3.connect(f"file:{w.db}?mode=ro", uri=True) as db:
        return [text for text, in db.execute("SELECT text FROM event WHERE kind = 'capacity' ORDER BY id")]


had = os.sysconf("SC_NPROCESSORS_ONLN")
log = open(os.path.join(w.dir, "agent.log"), "a")
w.agent = w.spawn(["unshare", "-m", FORESHAPE, "run", "--policies", w.policies, "--db", w.db], stdout=log, stderr=log)
if not check("the agent answers", wait_for(lambda: w.json("status", quiet=True), 15), w.agent_log()):
    finish()
worker = w.json("status")["worker_pid"]
done = show("0-6,8")
if done.returncode != 0:
    skip(f"no bind mount over {ONLINE}: {done.stderr.strip()}")
check("CPUs that came are noticed", wait_for(lambda: len(events()) == 1, 10), str(events()))
show("0")
check("and those that went", wait_for(lambda: len(events()) == 2, 10), str(events()))
check("history says how many there are", events() == [f"8 CPUs online, {had} before", "1 CPUs online, 8 before"],
      str(events()))
check("so does the log", "the host has 1 CPUs online, it had 8" in w.agent_log(), w.agent_log())
check("the agent goes on", w.json("status")["worker_pid"] == worker, "another worker")
w.stop_agent()
finish()
