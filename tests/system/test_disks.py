#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""test_disks.py - bronze reads all the disk gives: it is held down while gold waits for it, and let go afterwards."""
import os
import signal
import subprocess
import time

from harness import World, cgroup_dirs, check, finish, need_root, read, skip, wait_for

need_root()
MIB = 1 << 20
FILE_MIB, HOGS = 128, 12
STALLED_MANY = 0.1  # as the planner has it
w = World("disks")
READER = """
import mmap, os, random, sys, time
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
blocks, room = os.fstat(fd).st_size // 4096, mmap.mmap(-1, 4096)
print('ready', flush=True)
while True:
    os.preadv(fd, [room], random.randrange(blocks) * 4096)
    time.sleep(0.005)
"""
HOG = """
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
size, room, at = os.fstat(fd).st_size, mmap.mmap(-1, 1 << 20), 0
while True:
    at += os.preadv(fd, [room], at % size)
"""


def stalled(service, seconds):
    """The part of the next @seconds in which one of its tasks waited for a disk."""
    path = os.path.join(cgroup_dirs(f"{w.group}/{service}")["unified"], "io.pressure")
    total = [0, 0]
    for i in range(2):
        total[i] = int(read(path).splitlines()[0].rsplit("total=", 1)[1])
        time.sleep(seconds if i == 0 else 0)
    return (total[1] - total[0]) / 1e6 / seconds


def limits(service):
    """The lines of the service's io.max that limit something."""
    dirs, found = cgroup_dirs(f"{w.group}/{service}"), []
    for where, name in (("blkio", "blkio.throttle.read_bps_device"), ("blkio", "blkio.throttle.write_bps_device"),
                        ("unified", "io.max")):
        path = os.path.join(dirs.get(where, "/nonexistent"), name)
        found += read(path).splitlines() if os.path.exists(path) else []
    return [line for line in found if "rbps=max wbps=max" not in line]


def knob(service, name):
    said = w.json("explain", service)
    return next((k for k in said["knobs"] if k["knob"] == name), None)


def hog():
    for _ in range(HOGS):
        w.exec_in("bronze", ["/usr/bin/python3", "-c", HOG, path])


def end(service):
    for pid in read(cgroup_dirs(f"{w.group}/{service}")["unified"] + "/cgroup.procs").split():
        os.kill(int(pid), signal.SIGKILL)


path = os.path.join(w.dir, "file")
with open(path, "wb") as f:
    f.write(os.urandom(MIB) * FILE_MIB)
    f.flush()
    os.fsync(f.fileno())
try:
    os.close(os.open(path, os.O_RDONLY | os.O_DIRECT))
except OSError as e:
    skip(f"{w.dir} is on no disk of its own: {e}")
for tier in ("gold", "bronze"):
    w.policy(tier, f"version: 1\nservice: {tier}\ntier: {tier}\nmatch: {{ cgroup: {w.group}/{tier} }}\n"
             "forecast: { lead: 3s }\n")
w.start_agent("--observe")
gold = w.exec_in("gold", ["/usr/bin/python3", "-c", READER, path], stdout=subprocess.PIPE)
check("gold reads", gold.stdout.readline() == b"ready\n")
alone = stalled("gold", 2)
hog()
time.sleep(1)
shared = stalled("gold", 3)
print(f"# gold waits {alone:.3f} of the time alone, {shared:.3f} with {HOGS} hogs")
if shared < 1.5 * STALLED_MANY or alone > STALLED_MANY / 2:
    skip("this disk is too fast or too busy to tell")
if not knob("bronze", "io.max"):
    skip("no io.max on this host")
check("nothing is limited in observe mode", not limits("bronze"), limits("bronze"))
check("enforce is taken", w.cli("enforce").returncode == 0)
check("bronze is held down", wait_for(lambda: limits("bronze"), 15), knob("bronze", "io.max"))
held = knob("bronze", "io.max")
check("and explain says why", held and held["reason"] in ("io_contention", "io_over"), held)
check("gold is not", not limits("gold"), limits("gold"))
time.sleep(6)
after = stalled("gold", 4)
print(f"# and {after:.3f} with bronze held down to {limits('bronze')}")
check("gold waits less", after < 0.7 * shared, f"{after} of {shared}")
end("bronze")
check("what is not felt is lifted", wait_for(lambda: not limits("bronze"), 20, 0.5), knob("bronze", "io.max"))
hog()
check("it is held down again", wait_for(lambda: limits("bronze"), 60), knob("bronze", "io.max"))
check("SIGTERM ends it well", w.stop_agent() == 0, w.agent_log()[-500:])
check("and gives the disk back", not limits("bronze"), limits("bronze"))
finish()
