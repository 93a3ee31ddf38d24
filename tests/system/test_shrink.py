#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guarded shrink on cgroup v2 against a service that starts to grow at any moment of it."""
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from keeper_lib import FOREIGN, Stage, UNLIMITED, V1_MEMORY, main, need, wait_for

EBUSY = -16
MIB = 2**20
# Grows from 60 MiB, at most to 200, as fast as it is told and until a moment.
GROWING = """
import mmap, sys, time
m = mmap.mmap(-1, 400 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
def fill(a, b):
    for i in range(a << 20, b << 20, 1 << 20): m[i:i + (1 << 20)] = b'x' * (1 << 20)
fill(0, 60)
print('ready', flush=True)
begin, end, pause = map(float, sys.stdin.readline().split())
at = 60
while at < 200 and time.monotonic() < end:
    if time.monotonic() >= begin:
        fill(at, at + 1)
        at += 1
    time.sleep(pause)
print('grown', at, flush=True)
sys.stdin.read()
"""
# The keeper watches for half a second after the limit is in force: all growth ends before that.
GROWS_UNTIL_S = 0.45
ROWS = ((0, 0), (0, 0.003), (0.1, 0), (0.15, 0.001), (0.2, 0), (0.25, 0), (0.3, 0))


def growing(tag, after_s, pause_s):
    """The keeper's word on a shrink to 80 MiB while a service grows, or not; never a kill."""
    with Stage(tag) as (k, g):
        k.declare(g)
        need(k.set("memory.max", 400 * MIB)["err"] == 0, "set")
        p = g.run_in(["/usr/bin/python3", "-c", GROWING], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            need(p.stdout.readline() == b"ready\n", "hog")
            now = time.monotonic()
            p.stdin.write(f"{now + after_s} {now + GROWS_UNTIL_S} {pause_s}\n".encode())
            p.stdin.flush()
            got = k.ask("set", target=0, knob="memory.max", value=80 * MIB)
            grown = p.stdout.readline().decode().strip()
            print(f"  from {after_s} s on: {grown} MiB, answer {got['err']}")
            need(grown and p.poll() is None and g.oom_kills() == 0, f"killed {after_s} s after the order: {got}")
            need(g.memory_max() == (80 if got["err"] == 0 else 400) * MIB, got)
            need(open(g.file("", "memory.high")).read() == "max\n", "memory.high was left behind")
            need(got["err"] in (0, EBUSY), got)
            return got["err"]
        finally:
            p.kill()
            p.wait()


def a_service_that_grows_during_the_shrink_is_not_killed():
    said = [growing(f"shrink{n}", *row) for n, row in enumerate(ROWS)]
    need(EBUSY in said, f"none grew in time: {said}")


def what_is_squeezed_on_the_way_is_no_baseline():
    with Stage("halfway") as (k, g):
        high = g.file("", "memory.high")
        k.declare(g)
        need(k.set("memory.max", 400 * MIB)["err"] == 0, "set")
        shrink = k.send("set", target=0, knob="memory.max", value=80 * MIB)
        wait_for(lambda: open(high).read() != "max\n")
        got = k.set("memory.high", 100 * MIB)  # more than it is just now, less than it was
        need(got["err"] == 0 and got["baseline"] == UNLIMITED, got)
        need(open(high).read() == f"{100 * MIB}\n" and g.memory_max() == 400 * MIB, "set")
        need(k.stop() == 0 and open(high).read() == "max\n" and g.memory_max() == UNLIMITED, f"{shrink} left a limit")


def a_weight_that_others_set_does_not_end_it():
    with Stage("weight") as (k, g):
        weight, high = g.io_weight_file(), g.file("", "memory.high")
        if not weight:
            print("  no io.weight here")
            return
        k.declare(g)
        need(k.set("memory.max", 400 * MIB)["err"] == 0 and k.set("io.weight", 400)["err"] == 0, "set")
        shrink = k.send("set", target=0, knob="memory.max", value=80 * MIB)
        wait_for(lambda: open(high).read() != "max\n")
        with open(weight, "w") as f:
            f.write("default 300")
        got = k.answer(shrink)
        need(got["err"] == 0 and g.memory_max() == 80 * MIB, got)
        need(k.notice(FOREIGN)["after"] == 300, "yielded to")


def absurd_sizes_never_reach_the_kernel():
    with Stage("absurd") as (k, g):
        k.declare(g)
        for knob in ("memory.max", "memory.high", "memory.low"):
            for value in (0, 1, 2**52 + 1, 2**63, 2**64 - 2):
                k.set(knob, value)
                text = open(g.file("", knob)).read().strip()
                need(text == "max" or (4 * MIB if knob != "memory.low" else 0) <= int(text) <= 2**52, (knob, value, text))
            if knob != "memory.low":
                need(k.set(knob, "max")["err"] == 0 and open(g.file("", knob)).read() == "max\n", knob)
        need(k.set("memory.low", "max")["err"] < 0, "no protection without end")
        need(g.oom_kills() == 0, "a kill")


if V1_MEMORY:
    print("memory is on cgroup v1 here: no memory.high to slow a service down with")
    sys.exit(77)
main([a_service_that_grows_during_the_shrink_is_not_killed, what_is_squeezed_on_the_way_is_no_baseline,
      a_weight_that_others_set_does_not_end_it, absurd_sizes_never_reach_the_kernel])
