# SPDX-License-Identifier: GPL-2.0-or-later
"""test_capacity.py - CPUs that go under a running agent, offline or out of all cpusets: it knows within seconds."""
import os

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

had = os.sysconf("SC_NPROCESSORS_ONLN")
cpuset = next((p for p in CPUSETS if os.path.exists(p)), None)
log = open(os.path.join(w.dir, "agent.log"), "a")
w.agent = w.spawn(["unshare", "-m", FORESHAPE, "run", "--policies", w.policies, "--db", w.db], stdout=log, stderr=log)
if not check("the agent answers", wait_for(lambda: w.json("status", quiet=True), 15), w.agent_log()):
    finish()
worker = w.json("status")["worker_pid"]
if cpuset:
    w.shown("0-63", cpuset)
done = w.shown("0-6,8", ONLINE)
if done.returncode != 0:
    skip(f"no bind mount over {ONLINE}: {done.stderr.strip()}")
said = [f"8 CPUs to use, {had} before"]
check("CPUs that came are noticed", wait_for(lambda: w.events("capacity") == said, 10), str(w.events("capacity")))
if cpuset:
    w.shown("2-4", cpuset)
    said += ["3 CPUs to use, 8 before"]
    check("a smaller cpuset is, too", wait_for(lambda: w.events("capacity") == said, 10), str(w.events("capacity")))
w.shown("0", ONLINE)
said += [f"1 CPUs to use, {3 if cpuset else 8} before"]
check("and CPUs that went offline", wait_for(lambda: w.events("capacity") == said, 10), str(w.events("capacity")))
check("the log says so", said[-1] in w.agent_log(), w.agent_log())
check("the agent goes on", w.json("status")["worker_pid"] == worker, "another worker")
w.stop_agent()
finish()
