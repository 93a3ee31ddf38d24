#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody else writes a knob foreshape manages: noticed within 100 ms, told, and left alone until adopted."""
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from keeper_lib import FOREIGN, SLOW, Stage, UNLIMITED, V1_BLKIO, V1_CPU, main, need

EPERM, EOPNOTSUPP = -1, -95


def write_as_other(path, text):
    """Another process, still there when it is looked at."""
    code = "import os,sys,time\nwith open(sys.argv[1], 'w') as f: f.write(sys.argv[2])\n" \
           "print(time.monotonic(), flush=True); sys.stdin.read()"
    p = subprocess.Popen(["/usr/bin/python3", "-c", code, path, text], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return p, float(p.stdout.readline())


def a_foreign_write_is_yielded_to():
    with Stage("foreign") as (k, g):
        k.declare(g)
        k.set("cpu.max", 1500)
        k.set("cpu.weight", 200)
        p, written = write_as_other(g.cpu_max_file(), "77777")
        got = k.notice(FOREIGN)
        took_ms = (time.monotonic() - written) * 1000
        p.kill()
        p.wait()
        print(f"  told after {took_ms:.1f} ms")
        need(took_ms < 100 * SLOW, "late")
        need(got["knob"] == 0 and got["before"] == 1500 and got["after"] == 778, got)
        need(got["pid"] == p.pid and got["uid"] == 0 and got["comm"].startswith("python3"), got)
        need(k.set("cpu.max", 1600)["err"] == EPERM, "written over")
        need(k.set("cpu.weight", 300)["err"] == 0, "the other knobs go on")
        need(k.ask("read", target=0, knob="cpu.max")["state"] & 2, "state")
        need(k.stop() == 0, "stop")
        need(open(g.cpu_max_file()).read().split()[0] == "77777", "what they set stays")
        need(g.weight_text() in ("1024", "100"), "the rest goes back")
        k.start()
        k.declare(g)
        need(k.set("cpu.max", 1600)["err"] == EPERM, "a new keeper remembers")


def a_foreign_weight_of_disks_is_yielded_to():
    with Stage("disk") as (k, g):
        file = g.io_weight_file()
        if not file:
            print("  no io.weight here")
            return
        k.declare(g)
        k.set("io.weight", 400)
        p, _ = write_as_other(file, "300")
        got = k.notice(FOREIGN)
        p.kill()
        p.wait()
        need(got["before"] == 400 and got["after"] == 300 and got["pid"] == p.pid, got)
        need(k.set("io.weight", 200)["err"] == EPERM, "written over")
        need(k.stop() == 0 and open(file).read().split()[-1] == "300", "what they set stays")


def a_foreign_limit_of_a_disk_is_yielded_to():
    with Stage("reads") as (k, g):
        k.declare(g)
        if not V1_BLKIO or k.set("io.max", 2**20)["err"] == EOPNOTSUPP:
            print("  no disk to limit here")
            return
        device = next(iter(g.io_max()))
        g.limit_reads(device, 5 * 2**20)  # the writes' is ours still, and less
        got = k.notice(FOREIGN)
        need(got["before"] == 2**20 and got["after"] == 2**20 - 1, got)
        need(k.set("io.max", 2**21)["err"] == EPERM, "written over")
        need(k.stop() == 0 and g.io_max()[device][0] == 5 * 2**20, "what they set stays")


def adopting_takes_it_back_with_the_first_baseline():
    with Stage("adopt") as (k, g):
        g.set_cpu_max(50000)
        k.declare(g)
        k.set("cpu.max", 1500)
        g.set_cpu_max(77777)
        k.notice(FOREIGN)
        need(k.ask("adopt", target=0)["err"] == 0, "adopt")
        got = k.set("cpu.max", 1200)
        need(got["err"] == 0 and got["before"] == 778 and got["baseline"] == 500, got)
        need(k.stop() == 0 and g.cpu_max() == 500, "baseline")


def yielding_lets_go_without_writing():
    with Stage("yield") as (k, g):
        k.declare(g)
        k.set("cpu.max", 1500)
        need(k.ask("yield", target="all")["err"] == 0, "yield")
        need(g.cpu_max() == 1500, "written")
        need(k.set("cpu.max", 900)["err"] == EPERM and k.set("cpu.weight", 900)["err"] == EPERM, "still ours")
        need(k.ask("adopt", target=0)["err"] == 0, "adopt")
        need(k.set("cpu.weight", 900)["err"] == 0 and k.set("cpu.max", 900)["err"] == 0, "adopted")
        need(k.stop() == 0 and g.cpu_max() == UNLIMITED, "baseline")


def our_own_writes_are_not_foreign():
    with Stage("own") as (k, g):
        k.declare(g)
        for i in range(200):
            need(k.set("cpu.max", 1000 + i)["err"] == 0, i)
        need(not [n for n in k.notices if n["kind"] == FOREIGN], k.notices)


def a_write_while_nobody_ran_is_seen_at_the_start():
    with Stage("away") as (k, g):
        k.declare(g)
        k.set("cpu.max", 1500)
        k.kill_all()
        g.set_cpu_max(66666)
        k.start()
        k.declare(g)
        got = k.notice(FOREIGN)
        need(got["after"] == 667 and got["pid"] == 0, got)
        need(k.set("cpu.max", 1000)["err"] == EPERM, "yielded")
        need(k.stop() == 0 and open(g.cpu_max_file()).read().split()[0] == "66666", "left")


def many_foreign_writes_are_all_noticed_in_time():
    with Stage("many") as (k, g):
        k.declare(g)
        times = []
        for i in range(30):
            need(k.set("cpu.max", 1000 + i)["err"] == 0, i)
            start = time.monotonic()
            g.set_cpu_max(50000 + i)
            k.notice(FOREIGN)
            times.append((time.monotonic() - start) * 1000)
            need(k.ask("adopt", target=0)["err"] == 0, "adopt")
        times.sort()
        print(f"  30 writes: median {times[15]:.2f} ms, slowest {times[-1]:.2f} ms")
        need(times[-1] < 100 * SLOW, times)


def a_writer_in_a_loop_is_told_of_once():
    with Stage("flood") as (k, g):
        k.declare(g)
        k.set("cpu.max", 1000)
        stop = time.monotonic() + 2
        loop = "import os,sys\nfd = os.open(sys.argv[1], os.O_WRONLY)\nn = 0\n" \
               "while True: n += 1; os.pwrite(fd, b'%d' % (50000 + n % 2 * 10000), 0)"
        used_before = cpu_s(k.keeper_pid)
        p = subprocess.Popen(["/usr/bin/python3", "-c", loop, g.cpu_max_file()])
        slowest = 0
        try:
            while time.monotonic() < stop:
                start = time.monotonic()
                need(k.ask("read", target=0, knob="cpu.weight")["err"] == 0, "read")
                slowest = max(slowest, time.monotonic() - start)
                time.sleep(0.02)
        finally:
            p.kill()
            p.wait()
        used = cpu_s(k.keeper_pid) - used_before
        told = [n for n in k.notices if n["kind"] == FOREIGN]
        print(f"  {used:.2f} s of CPU in 2 s, slowest order {slowest * 1000:.0f} ms")
        need(len(told) == 1 and told[0]["pid"] == p.pid, told[:3])
        need(used < 0.5, used)
        need(k.ask("adopt", target=0)["err"] == 0 and k.set("cpu.max", 1000)["err"] == 0, "adopt")
        g.set_cpu_max(55555)
        k.notices = []
        need(k.notice(FOREIGN)["after"] == 556, "watched again")


def cpu_s(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def a_write_between_two_orders_is_theirs_or_undone():
    with Stage("between") as (k, g):
        theirs = 0
        for i in range(10):
            if i:
                k.start()
            g.set_cpu_max(-1 if V1_CPU else "max")
            k.declare(g)
            k.set("cpu.max", 900)
            os.kill(k.keeper_pid, signal.SIGSTOP)
            last = [k.send("set", target=0, knob="cpu.max", value=1000 + 10 * n) for n in range(60)][-1]
            time.sleep(0.05)  # all of them wait
            os.kill(k.keeper_pid, signal.SIGCONT)
            time.sleep(0.0002 * i)
            g.set_cpu_max(77777)
            k.answer(last)
            need(k.stop() == 0, "stop")
            need(g.cpu_max() in (777, UNLIMITED), f"ours is left: {g.cpu_max()}")
            theirs += g.cpu_max() == 777
        print(f"  {theirs} of 10 stayed, the others were written over and undone")


main([a_foreign_write_is_yielded_to, a_foreign_weight_of_disks_is_yielded_to, a_foreign_limit_of_a_disk_is_yielded_to,
      adopting_takes_it_back_with_the_first_baseline, yielding_lets_go_without_writing, our_own_writes_are_not_foreign,
      a_write_while_nobody_ran_is_seen_at_the_start, many_foreign_writes_are_all_noticed_in_time,
      a_write_between_two_orders_is_theirs_or_undone, a_writer_in_a_loop_is_told_of_once])
