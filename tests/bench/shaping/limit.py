# SPDX-License-Identifier: GPL-2.0-or-later
"""The one hand that all rules set a service's CPU limit with, on cgroup v1 and v2, and what they look at."""
import os
import time

from world import Failed, hierarchies

PERIOD_US = 100000
LEAST_US = 1000  # the kernel's
WAIT_S = 5


class Group:
    """The CPU side of cgroup @path, which may still have to appear."""

    def __init__(self, path):
        roots = hierarchies()
        self.is_v2 = "cpu" not in roots
        self.cpu = roots["unified" if self.is_v2 else "cpu"] + path
        self.usage = self.cpu if self.is_v2 else roots["cpuacct"] + path
        end = time.monotonic() + WAIT_S
        while not os.path.exists(self.file("cpu.max", "cpu.cfs_quota_us")):
            if time.monotonic() > end:
                raise Failed(f"{self.cpu} has no CPU limit: is the cpu controller enabled there?")
            time.sleep(0.02)

    def file(self, v2, v1):
        return os.path.join(self.cpu, v2 if self.is_v2 else v1)

    def set_limit(self, cores):
        quota_us = max(round(cores * PERIOD_US), LEAST_US)
        with open(self.file("cpu.max", "cpu.cfs_quota_us"), "w") as f:
            f.write(f"{quota_us} {PERIOD_US}" if self.is_v2 else str(quota_us))

    def begin(self, cores):
        """The period and the first limit."""
        if not self.is_v2:
            with open(os.path.join(self.cpu, "cpu.cfs_period_us"), "w") as f:
                f.write(str(PERIOD_US))
        self.set_limit(cores)

    def _stat(self):
        with open(os.path.join(self.cpu, "cpu.stat")) as f:
            return {k: int(v) for k, v in (line.split() for line in f)}

    def look(self):
        """(CPU seconds used, periods throttled) so far."""
        stat = self._stat()
        if self.is_v2:
            return stat["usage_usec"] / 1e6, stat["nr_throttled"]
        with open(os.path.join(self.usage, "cpuacct.usage")) as f:
            return int(f.read()) / 1e9, stat["nr_throttled"]

    def used_s(self):
        return self.look()[0]


def weigh(path, v1_shares, v2_weight):
    """Gives the group at @path, made here, a share so large that other programs of the host matter little."""
    roots = hierarchies()
    if "cpu" in roots:
        for name in ("cpu", "cpuacct"):
            os.makedirs(roots[name] + path, exist_ok=True)
        with open(f"{roots['cpu']}{path}/cpu.shares", "w") as f:
            f.write(str(v1_shares))
        return
    with open(f"{roots['unified']}/cgroup.subtree_control", "w") as f:
        f.write("+cpu")
    os.makedirs(roots["unified"] + path, exist_ok=True)
    with open(f"{roots['unified']}{path}/cpu.weight", "w") as f:
        f.write(str(v2_weight))


def move(pid, path):
    """Puts process @pid into the group, in the hierarchies that account for CPU time."""
    roots = hierarchies()
    for name in ("cpu", "cpuacct") if "cpu" in roots else ("unified",):
        with open(f"{roots[name]}{path}/cgroup.procs", "w") as f:
            f.write(str(pid))
