# SPDX-License-Identifier: GPL-2.0-or-later
"""test_alert.py - demand that the host cannot meet is told: in history, status, metrics, and to the administrator's
program, which is run as nobody's, with nothing but its words."""
# Takes long
import json
import os

from harness import FORESHAPE, World, check, finish, need_root, skip, wait_for

ONLINE = "/sys/devices/system/cpu/online"
CPUSETS = ("/sys/fs/cgroup/cpuset.cpus.effective", "/sys/fs/cgroup/cpuset/cpuset.effective_cpus")
need_root()
w = World("alert")
told = os.path.join(w.dir, "told")
os.mkdir(told)
os.chmod(told, 0o777)
hook = os.path.join(w.dir, "hook")
with open(hook, "w") as f:
    f.write("#!/usr/bin/python3\nimport json, os, sys\n"
            f"with open('{told}/' + sys.argv[1], 'a') as f:\n"
            "    json.dump({'words': sys.argv[2:], 'uid': os.getuid(), 'env': sorted(os.environ), 'fds':"
            " sorted(int(n) for n in os.listdir('/proc/self/fd'))[:4]}, f)\n")
os.chmod(hook, 0o755)
os.chmod(w.dir, 0o755)
w.policy("s", f"""version: 1
service: s
tier: gold
match: {{ cgroup: {w.group}/s }}
forecast: {{ lead: 3s }}
""")
w.policy("host", f"version: 1\nalert_hook: {hook}\n")


def called(word):
    try:
        with open(os.path.join(told, word)) as f:
            return json.load(f)
    except (OSError, ValueError):
        return None


log = open(os.path.join(w.dir, "agent.log"), "a")
w.agent = w.spawn(["unshare", "-m", FORESHAPE, "run", "--policies", w.policies, "--db", w.db], stdout=log, stderr=log)
if not check("the agent answers", wait_for(lambda: w.json("status", quiet=True), 15), w.agent_log()):
    finish()
done = w.shown("0", ONLINE)
if done.returncode != 0:
    skip(f"no bind mount over {ONLINE}: {done.stderr.strip()}")
hog = w.spawn([FORESHAPE, "exec", "s", "--policies", w.policies, "--", "sh", "-c", "while :; do :; done"],
              stdout=log, stderr=log)
check("a demand above one CPU is an alert", wait_for(lambda: w.events("alert"), 40), w.agent_log())
text = (w.events("alert") or [""])[0]
check("it says who is short of how much", text.startswith("s: 0.") and "CPUs short of its forecast" in text, text)
check("the program is run", wait_for(lambda: called("alert"), 10), w.agent_log())
call = called("alert") or {}
check("with the service, what it is short of, and the text", call.get("words") == ["s", "cpu", text], str(call))
check("not as root, with a PATH alone and no files of the agent's",
      call.get("uid") not in (0, None) and call["env"] == ["LC_CTYPE", "PATH"] and call["fds"] == [0, 1, 2, 3],
      str(call))
status = w.json("status")
check("status says so", any("CPUs short of its forecast" in line for line in status["degraded"]),
      str(status["degraded"]))
check("and how much", status["services"][0]["cpu"]["short_mcpu"] > 20, str(status["services"][0]["cpu"]))
for path in filter(os.path.exists, CPUSETS):
    w.shown("0-63", path)
w.shown("0-7", ONLINE)  # enough, however busy this host is
check("with more CPUs it is over, in time", wait_for(lambda: w.events("alert_over"), 60), w.agent_log())
check("which is told, too", wait_for(lambda: called("over"), 10) and called("over")["words"][:2] == ["s", "cpu"],
      str(called("over")))
check("once each", len(w.events("alert")) == 1 and len(w.events("alert_over")) == 1, str(w.events("alert")))
hog.terminate()
w.stop_agent()
finish()
