# SPDX-License-Identifier: GPL-2.0-or-later
"""test_forget.py - a policy that goes while the keeper is too busy to hear of it leaves no limit."""
import os
import signal

from harness import World, cgroup_dirs, check, finish, need_root, read, wait_for

MANY = 240  # more than the socket to the keeper holds
need_root()
w = World("forget")


def policy(name):
    return w.policy(name, f"""version: 1
service: {name}
tier: bronze
match: {{ cgroup: {w.group}/{name} }}
cpu: {{ floor: 1m, ceiling: 1, mode: cap }}
forecast: {{ lead: 3s }}
""")


def knob():
    dirs = cgroup_dirs(f"{w.group}/zz")
    if "cpu" in dirs:
        return os.path.join(dirs["cpu"], "cpu.cfs_quota_us"), "-1"
    return os.path.join(dirs["unified"], "cpu.max"), "max 100000"


def what_the_keeper_does_not_hear_is_said_again():
    files = [policy(f"a{i}") for i in range(MANY)] + [policy("zz")]
    policy("kept")
    sleeper = w.exec_in("zz", ["/bin/sleep", "120"])
    w.start_agent("--enforce")
    path, free = knob()
    check("a limit is there", wait_for(lambda: read(path) != free, 30), w.agent_log()[-2000:])
    for file in files:
        os.unlink(file)
    os.kill(w.agent.pid, signal.SIGSTOP)
    try:
        r = w.cli("reload")
    finally:
        os.kill(w.agent.pid, signal.SIGCONT)
    check("the policies are gone", r.returncode == 0, r.stderr)
    check("and so is the limit", wait_for(lambda: read(path) == free, 10), read(path))
    sleeper.kill()
    sleeper.wait()
    check("the agent ends well", w.stop_agent() == 0, w.agent_log()[-2000:])


what_the_keeper_does_not_hear_is_said_again()
finish()
