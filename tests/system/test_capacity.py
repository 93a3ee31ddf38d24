# SPDX-License-Identifier: GPL-2.0-or-later
"""test_capacity.py - CPUs that go under a running agent, offline or out of all cpusets: it knows within seconds."""
import os
import sqlite3
import subprocess

from harness import FORESHAPE, World, check, finish, need_root, skip, wait_for

ONLINE = "/sys/devices/system/cpu/online"
CPUSETS = ("/sys/fs/cgroup/cpuset.cpus.effective", "/sys/fs/cgroup/cpuset/cpuset.effective_cpus")
need_root()
w = World("cpus")
w.policy("s", f"""version: 1
service: s
tier: gold
match: {{ cgroup: {w.group}/s }}
cpu: {{ floor: 50m }}
forecast: {{ lead: 3s }}
""")


def show(cpus, over=ONLINE):
    """The agent alone sees @cpus as the kernel's list @over: in a mount namespace of its own."""
    path = os.path.join(w.dir, f"cpus-{len(os.listdir(w.dir))}")
    with open(path, "w") as f:
        f.write(cpus + "\n")
    os.chmod(path, 0o644)
    return subprocess.run(["nsenter", "-t", str(w.agent.pid), "-m", "mount", "--bind", path, over],
                          capture_output=True, text=True)


def events():
    with sqlite3.connect(f"file:{w.db}?mode=ro", uri=True) as db:
        return [text for text, in db.execute("SELECT text FROM event WHERE kind = 'capacity' ORDER BY id")]


had = os.sysconf("SC_NPROCESSORS_ONLN")
cpuset = next((p for p in CPUSETS if os.path.exists(p)), None)
log = open(os.path.join(w.dir, "agent.log"), "a")
w.agent = w.spawn(["unshare", "-m", FORESHAPE, "run", "--policies", w.policies, "--db", w.db], stdout=log, stderr=log)
if not check("the agent answers", wait_for(lambda: w.json("status", quiet=True), 15), w.agent_log()):
    finish()
worker = w.json("status")["worker_pid"]
if cpuset:
    show("0-63", cpuset)
done = show("0-6,8")
if done.returncode != 0:
    skip(f"no bind mount over {ONLINE}: {done.stderr.strip()}")
said = [f"8 CPUs to use, {had} before"]
check("CPUs that came are noticed", wait_for(lambda: events() == said, 10), str(events()))
if cpuset:
    show("2-4", cpuset)
    said += ["3 CPUs to use, 8 before"]
    check("a smaller cpuset is, too", wait_for(lambda: events() == said, 10), str(events()))
show("0")
said += [f"1 CPUs to use, {3 if cpuset else 8} before"]
check("and CPUs that went offline", wait_for(lambda: events() == said, 10), str(events()))
check("the log says so", said[-1] in w.agent_log(), w.agent_log())
check("the agent goes on", w.json("status")["worker_pid"] == worker, "another worker")
w.stop_agent()
finish()
