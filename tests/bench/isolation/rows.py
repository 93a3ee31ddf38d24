# SPDX-License-Identifier: GPL-2.0-or-later
"""What protects gold in each row of the table: nothing, weights, caps, or foreshape. Each is undone."""
import contextlib
import os
import sys
import time

from place import SHAPED_BITS
from stage import SINK_PORT
from watch import Agent
from world import Failed, hierarchies, run

CAP_PART = 0.25        # of each resource, as an administrator would leave to a batch job
CAP_MEMORY = 1 << 30   # above what the hog touches, or the kernel would kill it
PERIOD_US = 100000


def scheduler_of(folder):
    """The io scheduler of the disk that @folder is on."""
    device = os.stat(folder).st_dev
    where = os.path.realpath(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    for path in (where, os.path.dirname(where)):  # of a partition it is the disk's
        with contextlib.suppress(OSError), open(path + "/queue/scheduler") as f:
            return f.read().partition("[")[2].partition("]")[0] or "none"
    return "none"


class Files:
    """Control files, and what was in them before."""

    def __init__(self, place):
        self.place, self.before = place, []

    def set(self, service, v1, v2, undo=None):
        """
        Sets one of two (controller, file, value), that of cgroup v1 where its controller is mounted. @undo is
        written in the end where that is not what was read. False: the host has no such file.
        """
        controller, file, value = v1 if v1[0] in hierarchies() else v2
        root = hierarchies().get(controller, hierarchies().get("unified", ""))
        path = f"{root}{self.place.cgroups[service]}/{file}"
        if not os.path.exists(path):
            return False
        with open(path) as f:
            was = f.read().split("\n")[0]
        self.before.append((path, was if undo is None else undo))
        try:
            self.place.write(path, value)
        except OSError as e:
            raise Failed(f"set {path} to {value}: {e}") from e
        return True

    def must(self, service, v1, v2, undo=None):
        if not self.set(service, v1, v2, undo):
            raise Failed(f"{service} has neither {v1[1]} nor {v2[1]}: is the controller on?")

    def undo(self):
        while self.before:
            path, was = self.before.pop()
            try:
                self.place.write(path, was)
            except OSError as e:
                print(f"give {path} back: {e}", file=sys.stderr)


class Nothing:
    def __init__(self, place):
        self.place, self.files = place, Files(place)

    def __enter__(self):
        try:
            self.begin()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def begin(self):
        pass

    def end(self):
        self.files.undo()

    def note(self, hog):
        return ""


class Weights(Nothing):
    """CPU and io by weight, as systemd offers; it has none for the network, and memory has none."""

    has_io = False

    def begin(self):
        for service, row in self.place.services.items():
            weight = row["weight"]
            self.files.must(service, ("cpu", "cpu.shares", weight * 1024 // 100), ("", "cpu.weight", weight))
            self.has_io = self.files.set(service, ("blkio", "blkio.bfq.weight", weight), ("", "io.weight", weight))

    def note(self, hog):
        return {"network": "systemd has no weights for it", "memory": "there are no weights for it",
                "disk": self._io_note()}.get(hog, "CPU weights 400 and 50")

    def _io_note(self):
        if not self.has_io:
            return "there are no io weights here"
        scheduler = scheduler_of(self.place.disk)
        return "io weights too" + (f", which this disk's scheduler ({scheduler}) does not go by"
                                   if "blkio" in hierarchies() and scheduler != "bfq" else "")


class Caps(Nothing):
    """A quarter of everything for bronze, by cgroup and by an HTB class for its port."""

    has_io = False

    def __init__(self, place, disk_bytes_per_s):
        super().__init__(place)
        self.disk_bytes_per_s = disk_bytes_per_s

    def begin(self):
        quota = int(CAP_PART * os.cpu_count() * PERIOD_US)
        self.files.must("bronze", ("cpu", "cpu.cfs_quota_us", quota), ("", "cpu.max", f"{quota} {PERIOD_US}"))
        self.files.must("bronze", ("memory", "memory.limit_in_bytes", CAP_MEMORY), ("", "memory.max", CAP_MEMORY),
                        "-1" if "memory" in hierarchies() else None)
        self.has_io = self._cap_disk()
        self._cap_network()

    def _cap_disk(self):
        device = os.stat(self.place.disk).st_dev
        at, rate = f"{os.major(device)}:{os.minor(device)}", int(CAP_PART * self.disk_bytes_per_s)
        if "blkio" not in hierarchies():
            return self.files.set("bronze", ("", "", ""), ("", "io.max", f"{at} rbps={rate} wbps={rate}"),
                                  f"{at} rbps=max wbps=max")
        files = [f"blkio.throttle.{way}_bps_device" for way in ("read", "write")]
        return all([self.files.set("bronze", ("blkio", file, f"{at} {rate}"), ("", "", ""), f"{at} 0")
                    for file in files])

    def _cap_network(self):
        dev, mine = self.place.interface, int(CAP_PART * SHAPED_BITS)
        self.place.world.undo.append(self._free_network)
        run("tc", "qdisc", "add", "dev", dev, "root", "handle", "1:", "htb", "default", "10")
        for minor, rate, ceil in (("10", SHAPED_BITS - mine, SHAPED_BITS), ("20", mine, mine)):
            run("tc", "class", "add", "dev", dev, "parent", "1:", "classid", f"1:{minor}", "htb",
                "rate", f"{rate:.0f}bit", "ceil", f"{ceil:.0f}bit")
        run("tc", "filter", "add", "dev", dev, "parent", "1:", "protocol", "ip", "u32",
            "match", "ip", "dport", str(SINK_PORT), "0xffff", "flowid", "1:20")

    def _free_network(self):
        run("tc", "qdisc", "del", "dev", self.place.interface, "root", ok=False)

    def end(self):
        super().end()
        self._free_network()

    def note(self, hog):
        part = f"{CAP_PART:.0%} for bronze"
        return {"cpu": part, "network": part, "disk": f"{part} of the disk" if self.has_io else "no io limits here",
                "memory": f"bronze: {CAP_MEMORY >> 20} MiB"}[hog]


class Foreshape(Nothing):
    """The agent, with a policy for each of the two; what it learned stays for the next time it starts."""

    agent = None

    def begin(self):
        self.from_real_s = time.time()
        self.agent = Agent(self.place.world, self.place)

    def end(self):
        if self.agent:
            self.agent.stop()

    def tell(self, cells):
        """
        Adds to each cell which limits were in force when the phase at 25 % ended, and how often limits moved in
        the cell. History is complete once the agent has ended.
        """
        answer = self.agent.ask("history", "--db", self.place.world.path("history.db"))
        if not answer:
            raise Failed("the agent left no history")
        for row in answer["rows"]:
            at_real_s, name = row["at_real_ns"] / 1e9, f"{row['service']}'s {row['knob']}"
            if row["errno"] or at_real_s < self.from_real_s:
                continue
            for cell in cells:
                if at_real_s <= cell["fixed_end_real_s"]:
                    cell["limits"][name] = row["after"]
                if cell["from_real_s"] <= at_real_s <= cell["to_real_s"]:
                    cell["moves"] += row["before"] != row["after"]
