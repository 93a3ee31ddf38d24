#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The keeper and memory in use: lowered by the guarded shrink or not at all, and all of it comes back."""
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from keeper_lib import (Group, SLOW, Stage, UNLIMITED, V1_MEMORY, main, need)

EOPNOTSUPP, EBUSY = -95, -16
MIB = 2**20


HOG = """
import mmap, sys, time
anon = int(sys.argv[1]); cache = int(sys.argv[2])
m = mmap.mmap(-1, anon, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
one = b'x' * 1048576
for i in range(0, anon, 1048576): m[i:i + 1048576] = one
if cache and sys.argv[3] == 'read':  # where all that is writable is memory itself
    import os
    left = cache
    for root, _, names in os.walk('/usr/lib'):
        for name in names:
            path = os.path.join(root, name)
            if left > 0 and os.path.isfile(path) and not os.path.islink(path):
                left -= len(open(path, 'rb').read(left))
elif cache:
    with open(sys.argv[3], 'wb') as f:
        for _ in range(cache // 1048576): f.write(b'x' * 1048576)
print('ready', flush=True)
for line in sys.stdin: pass
"""


def hog(k, g, anon, cache=0):
    how = "read" if os.environ.get("FORESHAPE_VM") else k.dir + "/cache"
    p = g.run_in(["/usr/bin/python3", "-c", HOG, str(anon), str(cache), how], stdin=subprocess.PIPE,
                 stdout=subprocess.PIPE)
    need(p.stdout.readline() == b"ready\n", "hog")
    return p


def memory_in_use_is_never_taken_away():
    with Stage("hog") as (k, g):
        k.declare(g)
        k.set("memory.max", 400 * MIB)
        p = hog(k, g, 100 * MIB)
        try:
            got = k.set("memory.max", 60 * MIB)
            need(got["err"] == EBUSY and g.memory_max() == 400 * MIB, got)
            got = k.set("memory.max", 90 * MIB, flags=4)
            need(got["err"] == EBUSY and g.memory_max() == 400 * MIB, got)
            got = k.set("memory.max", 160 * MIB, flags=4)
            need(got["err"] == 0 and g.memory_max() == 160 * MIB, got)
            need(p.poll() is None and g.oom_kills() == 0, "killed")
        finally:
            p.kill()
            p.wait()


GROWING = """
import mmap, os, sys, time
os.setpriority(os.PRIO_PROCESS, 0, -15)  # on a busy host it would stand still while it is looked at
m = mmap.mmap(-1, 400 * 1048576, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
def fill(a, b):
    for i in range(a * 1048576, b * 1048576, 4096): m[i] = 1
fill(0, 60)
print('ready', flush=True)
for at in range(60, 200):
    fill(at, at + 1)
    time.sleep(0.006)
print('grown', flush=True)
sys.stdin.read()
"""


def a_growing_service_gets_its_old_limit_back():
    if SLOW > 1:
        return  # it grows too slowly there to be caught growing
    for attempt in range(6):
        if caught_growing(f"grow{attempt}"):
            return
    need(False, "six times it did not grow while its limit was lowered: is the host overloaded?")


def caught_growing(name):
    """False when it happened not to run while the limit was lowered, so that nothing was there to see."""
    with Stage(name) as (k, g):
        k.declare(g)
        need(k.set("memory.max", 400 * MIB)["err"] == 0, "set")
        p = g.run_in(["/usr/bin/python3", "-c", GROWING], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            need(p.stdout.readline() == b"ready\n", "hog")
            got = k.set("memory.max", 120 * MIB)
            if got["err"] == 0:
                return False
            need(got["err"] == EBUSY and g.memory_max() == 400 * MIB, got)
            need(p.stdout.readline() == b"grown\n" and p.poll() is None and g.oom_kills() == 0, "killed")
            read = k.ask("read", target=0, knob="memory.max")
            need(read["after"] == 400 * MIB and read["state"] == 1, read)
            return True
        finally:
            p.kill()
            p.wait()


def cache_is_squeezed_out_without_waiting_for_it():
    with Stage("cache") as (k, g):
        k.declare(g)
        k.declare(g2 := Group("cache2"), target=1)
        k.set("memory.max", 600 * MIB)
        p = hog(k, g, 40 * MIB, (100 if os.environ.get("FORESHAPE_VM") else 300) * MIB)
        try:
            before = g.memory_now()
            need(before > 120 * MIB, before)
            start = time.monotonic()
            seq = k.send("set", target=0, knob="memory.max", value=100 * MIB)
            worst = 0
            for i in range(20):
                one = time.monotonic()
                need(k.set("cpu.weight", 100 + i, target=1)["err"] == 0, "other orders go on")
                worst = max(worst, time.monotonic() - one)
            got = next((n for n in k.notices if n["seq"] == seq), None) or k.answer(seq)
            print(f"  squeezed {before // MIB} MiB to {g.memory_now() // MIB} MiB in "
                  f"{time.monotonic() - start:.2f} s; slowest other order {worst * 1000:.1f} ms")
            need(got["err"] == 0 and g.memory_max() == 100 * MIB, got)
            need(p.poll() is None and g.oom_kills() == 0, "killed")
        finally:
            p.kill()
            p.wait()
            g2.remove()


def restore_lowers_memory_only_as_far_as_use_allows():
    with Stage("lower") as (k, g):
        g.set_memory_max(64 * MIB)
        k.declare(g)
        need(k.set("memory.max", 300 * MIB)["err"] == 0, "raise")
        p = hog(k, g, 120 * MIB)
        try:
            got = k.ask("restore", target="all")
            need(got["after"] == 1 and g.memory_max() == 300 * MIB, got)
            need(p.poll() is None and g.oom_kills() == 0, "killed")
        finally:
            p.kill()
            p.wait()
        need(k.stop() == 0 and g.memory_max() == 64 * MIB, "given back once it is free")


def more_shrinks_than_can_run_at_once_all_come_back():
    with Stage("sev") as (k, g):
        groups = [Group(f"sev/{i}") for i in range(70)]
        try:
            for i, one in enumerate(groups):
                one.set_memory_max(64 * MIB)
                k.declare(one, target=i)
                need(k.set("memory.max", 128 * MIB, target=i)["err"] == 0, i)
            need(k.stop() == 0, "stop")
            left = [one.path for one in groups if one.memory_max() != 64 * MIB]
            need(not left, f"above their baseline: {left}")
        finally:
            for one in groups:
                one.remove()


def both_limits_of_one_group_come_back():
    if V1_MEMORY:
        return  # it has but one
    with Stage("both") as (k, g):
        files = {knob: g.file("", knob) for knob in ("memory.max", "memory.high")}
        for file in files.values():
            open(file, "w").write(str(64 * MIB))
        k.declare(g)
        for knob, value in (("memory.max", 128 * MIB), ("memory.high", 100 * MIB)):
            need(k.set(knob, value)["err"] == 0, knob)
        need(k.stop() == 0, "stop")
        got = {knob: int(open(file).read()) for knob, file in files.items()}
        need(set(got.values()) == {64 * MIB}, got)


def restores_and_forgets_take_turns():
    with Stage("turns") as (k, g):
        g2 = Group("turns2")
        try:
            for target, group in enumerate((g, g2)):
                group.set_memory_max(400 * MIB)
                k.declare(group, target=target)
                k.set("memory.max", 500 * MIB, target=target)
                k.set("cpu.max", 700, target=target)
            asked = [k.send("forget", target=0), k.send("forget", target=1), k.send("restore", target="all")]
            got = [k.answer(seq) for seq in asked]
            need([(a["err"], a["before"], a["after"]) for a in got] == [(0, 2, 0), (0, 2, 0), (0, 0, 0)], got)
            need(all(x.memory_max() == 400 * MIB and x.cpu_max() == UNLIMITED for x in (g, g2)), "values")
        finally:
            g2.remove()


def memory_high_and_low_exist_on_v2_alone():
    with Stage("high") as (k, g):
        k.declare(g)
        for knob in ("memory.high", "memory.low"):
            got = k.set(knob, 200 * MIB)
            need(got["err"] == (EOPNOTSUPP if V1_MEMORY else 0), got)


main([v for v in list(globals().values()) if callable(v) and getattr(v, "__module__", "") == "__main__" and
      v.__name__ not in ("hog", "caught_growing")])
