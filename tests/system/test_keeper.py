#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The keeper on this host's real cgroups: knobs set, read back, refused, given back exactly."""
import os
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
from keeper_lib import (Disk, Group, HOST, Keeper, MOUNTS, SLOW, Stage, UNLIMITED, V1_BLKIO, V1_CPU, main, need,
                        read_directly)

EPERM, ENOENT, ESTALE, EOPNOTSUPP, EBUSY, EINVAL, ERANGE = -1, -2, -116, -95, -16, -22, -34
MIB = 2**20


def cpu_knobs_are_set_and_read_back():
    with Stage("cpu") as (k, g):
        k.declare(g)
        got = k.set("cpu.max", 1500)
        need(got["err"] == 0 and got["before"] == UNLIMITED and got["after"] == 1500, got)
        need(g.cpu_max() == 1500, g.cpu_max())
        need(k.set("cpu.weight", 250)["after"] == 250, "weight")
        need(g.weight_text() == ("2560" if V1_CPU else "250"), g.weight_text())
        need(k.set("cpu.max.burst", 20000)["after"] == 20000, "burst")
        read = k.ask("read", target=0, knob="cpu.max")
        need(read["after"] == 1500 and read["baseline"] == UNLIMITED and read["state"] == 1, read)


def disks_are_shared_where_the_kernel_can():
    if Disk.IS_MADE:
        subprocess.run(["modprobe", "bfq"], check=True)  # two files, then
    with Stage("disks") as (k, g):
        file = g.io_weight_file()
        if not file:
            k.declare(g)
            need(k.set("io.weight", 400)["err"] == EOPNOTSUPP, "not here")
            return
        before = {"100": "70", "default 100": "default 70"}[open(file).read().strip()]
        open(file, "w").write(before)
        k.declare(g)
        got = k.set("io.weight", 400)
        need(got["err"] == 0 and got["before"] == 70 and got["after"] == 400, got)
        need(open(file).read().split()[-1] == "400", open(file).read())
        need(abs(k.set("io.weight", 5000)["after"] - 5000) < 10, "rounded by a step at most")
        need(k.set("io.weight", 2**63)["after"] == 10000, "the most there is")
        got = k.set("io.weight", "max")
        need(got["err"] < 0 and got["after"] == 10000, got)
        need(k.set("io.weight", 0)["after"] == 1, "never nothing")
        read = k.ask("read", target=0, knob="io.weight")
        need(read["baseline"] == 70 and read["state"] == 1, read)
        need(k.stop() == 0 and open(file).read().strip() == before, "the baseline")
        other = os.path.dirname(file) + "/io.weight"
        need(not os.path.exists(other) or other == file or open(other).read() == "default 100\n", "and the other one's")


def reads_are_held_down_and_let_go():
    with Stage("reads") as (k, g), Disk(k.dir) as path:
        k.declare(g)
        if g.io_max() is None:
            need(k.set("io.max", MIB)["err"] == EOPNOTSUPP, "not here")
            return
        freely = read_directly(g, path)  # the disk is seen to be used
        read = k.ask("read", target=0, knob="io.max")
        need(read["err"] == 0 and read["after"] == UNLIMITED, read)
        got = k.set("io.max", 2 * MIB)
        if got["err"] == EOPNOTSUPP and freely is None and not Disk.IS_MADE:
            return  # no disk here that could be limited
        need(got["err"] == 0 and got["before"] == UNLIMITED and got["after"] == 2 * MIB, got)
        need(g.io_max() and set(g.io_max().values()) == {(2 * MIB, 2 * MIB)}, g.io_max())
        took = read_directly(g, path)
        print(f"  3 MiB: {freely} s, at 2 MiB a second {took} s")
        need(took is None and not Disk.IS_MADE or took > 0.7, f"it took {took} s")
        need(k.set("io.max", 1)["after"] == 64 * 1024, "never nothing")
        need(k.set("io.max", "max")["after"] == UNLIMITED and not g.io_max(), g.io_max())
        need(k.set("io.max", MIB)["err"] == 0, "again")
        need(k.stop() == 0 and not g.io_max(), g.io_max())


def a_limit_of_one_disk_from_before_comes_back():
    with Stage("disk") as (k, g):
        if not V1_BLKIO:
            return  # a disk that can be named is not everywhere
        k.declare(g)
        if k.set("io.max", MIB)["err"] == EOPNOTSUPP:
            return
        device = next(iter(g.io_max()))
        need(k.ask("forget", target=0)["err"] == 0 and not g.io_max(), "forget")
        g.limit_reads(device, 7 * MIB)
        k.declare(g)
        got = k.set("io.max", MIB)
        need(got["err"] == 0 and got["before"] == 7 * MIB - 1, got)  # writes are not
        need(g.io_max()[device] == (MIB, MIB), g.io_max())
        need(k.stop() == 0 and g.io_max() == {device: (7 * MIB, UNLIMITED)}, g.io_max())


def quota_below_burst_makes_the_burst_give_way():
    with Stage("burst") as (k, g):
        k.declare(g)
        k.set("cpu.max", 1500)
        need(k.set("cpu.max.burst", 100000)["err"] == 0, "burst")
        got = k.set("cpu.max", 500)
        need(got["err"] == 0 and g.cpu_max() == 500, got)
        need(k.stop() == 0 and g.cpu_max() == UNLIMITED, "back")


def a_baseline_of_another_period_comes_back():
    if not V1_CPU:
        return  # quota and period are one file there
    with Stage("period") as (k, g):
        quota, period, burst = (g.file(f"cpu.cfs_{name}_us", "") for name in ("quota", "period", "burst"))
        for file, value in ((period, "10000"), (quota, "2000")):
            open(file, "w").write(value)
        k.declare(g)
        need(k.set("cpu.max", 90)["err"] == 0 and k.set("cpu.max.burst", 9000)["err"] == 0, "set")
        need(open(period).read() == "100000\n", "a longer period")
        need(k.stop() == 0, "stop")
        need([open(file).read().strip() for file in (quota, period, burst)] == ["2000", "10000", "0"], "baseline")


def a_refused_quota_leaves_the_old_one():
    if not V1_CPU:
        return
    with Stage("refused") as (k, g):
        open(g.cpu_max_file(), "w").write("10000")
        child = Group("refused/kid")
        quota, period = (child.file(f"cpu.cfs_{name}_us", "") for name in ("quota", "period"))
        for file, value in ((period, "50000"), (quota, "2000")):
            open(file, "w").write(value)
        k.declare(child)
        need(k.set("cpu.max", 15)["err"] == 0, "a longer period")
        open(g.cpu_max_file(), "w").write("2000")
        got = k.set("cpu.max", 300)
        need(got["err"] == EINVAL and k.ask("read", target=0, knob="cpu.max")["after"] == 15, got)
        need(k.ask("restore", target="all")["after"] == 1, "a parent in the way")
        need(child.cpu_max() == 15, f"without a limit: {child.cpu_max()}")
        child.remove()


def values_pass_the_gate_only():
    with Stage("gate") as (k, g):
        k.declare(g)
        got = k.set("cpu.max", 100, floor=400)
        need(got["after"] == 400 and got["clamped"] & 1, got)
        got = k.set("cpu.max", 9000, ceiling=1800)
        need(got["after"] == 1800 and got["clamped"] & 2, got)
        got = k.set("cpu.max", 100, step=250000)
        need(got["after"] == 1350 and got["clamped"] & 16, got)
        need(k.set("cpu.max", 500, floor=9, ceiling=5)["err"] == EINVAL, "contradicting bounds")
        need(k.set("cpu.max", 0)["after"] == 10, "never nothing")
        need(k.set("cpu.weight", 2**63)["after"] == 10000, "weight")
        need(k.set("memory.max", 2**64 - 2)["err"] == 0 and g.memory_max() >= 2**52, "huge memory")
        need(k.set("memory.max", "max")["err"] == 0 and g.memory_max() == UNLIMITED, "max")
        got = k.set("cpu.weight", "max")
        need(got["err"] < 0 and g.weight_text() != "0", got)


def urgent_orders_never_lower():
    with Stage("urgent") as (k, g):
        k.declare(g)
        k.set("cpu.max", 1000)
        need(k.set("cpu.max", 800, flags=2)["after"] == 1000 and g.cpu_max() == 1000, "lowered")
        need(k.set("cpu.max", 1200, flags=2)["after"] == 1200 and g.cpu_max() == 1200, "raised")


def observe_writes_nothing():
    with Stage("observe") as (k, g):
        k.declare(g)
        need(k.ask("enforce", value=0)["err"] == 0, "observe")
        need(k.set("cpu.max", 500)["err"] == EPERM and g.cpu_max() == UNLIMITED, "written")
        need(k.ask("enforce", value=1)["err"] == 0 and k.set("cpu.max", 500)["err"] == 0, "enforce")


def what_must_never_be_shaped_is_refused():
    with Stage("deny") as (k, _):
        own = [line.strip().split(":", 2)[2] for line in open("/proc/self/cgroup")]
        paths = ["/", "/init.scope", "/system.slice", "/system.slice/ssh.service", "/system.slice/dbus.service",
                 "/system.slice/systemd-journald.service/x", *{p for p in own if p != "/"}]
        for path in paths:
            need(k.ask("target", target=3, path=path)["err"] == EPERM, path)
        for path in ["a/b", "/a/../b", "/a//b", "/a/", "/.", ""]:
            need(k.ask("target", target=3, path=path)["err"] == EINVAL, path)
        need(k.ask("target", target=3, path="/fsh-keeper-none")["err"] == ENOENT, "missing")
        need(k.set("cpu.max", 100, target=9)["err"] == ENOENT, "unknown target")


def sigterm_gives_exact_baselines_back():
    with Stage("term") as (k, g):
        g.set_cpu_max(33333)
        g.set_memory_max(300 * MIB)
        weight = "777"
        open(g.file("cpu.shares", "cpu.weight"), "w").write(weight)
        k.declare(g)
        for knob, value in (("cpu.max", 1500), ("cpu.weight", 900), ("memory.max", 400 * MIB), ("cpu.max", 1200)):
            need(k.set(knob, value)["err"] == 0, knob)
        need(g.memory_max() == 400 * MIB, "memory")
        need(k.stop() == 0, "status")
        need(open(g.cpu_max_file()).read().split()[0] == "33333", "quota")
        need(g.weight_text() == weight and g.memory_max() == 300 * MIB, "rest")
        need(not os.path.exists(k.dir + "/run/journal"), "the journal is left")


def a_worker_that_quits_ends_the_keeper():
    with Stage("quit") as (k, g):
        g.set_cpu_max(33333)
        k.declare(g)
        need(k.set("cpu.max", 1500)["err"] == 0, "cpu.max")
        k.send("quit")
        need(k.process.wait(timeout=5 * SLOW) == 0, "status")
        need(open(g.cpu_max_file()).read().split()[0] == "33333", "quota")


def restore_and_forget_give_baselines_back():
    with Stage("restore") as (k, g):
        k.declare(g)
        k.set("cpu.max", 700)
        k.set("cpu.weight", 400)
        got = k.ask("restore", target="all")
        need(got["err"] == 0 and got["before"] == 2 and got["after"] == 0, got)
        need(g.cpu_max() == UNLIMITED and g.weight_text() in ("1024", "100"), "values")
        need(k.set("cpu.max", 700)["err"] == EPERM, "a restored agent only observes")
        k.ask("enforce", value=1)
        k.set("cpu.max", 600)
        got = k.ask("forget", target=0)
        need(got["err"] == 0 and got["before"] == 1 and g.cpu_max() == UNLIMITED, got)
        need(k.set("cpu.max", 600)["err"] == ENOENT, "forgotten")


def a_target_moves_only_once_it_is_forgotten():
    with Stage("moves") as (k, g):
        other = Group("moves2")
        try:
            k.declare(g)
            k.set("cpu.max", 300)
            got = k.ask("target", target=0, name="t0", path=other.path)
            need(got["err"] == EBUSY and g.path in got["text"], got)
            need(k.ask("forget", target=0)["err"] == 0 and g.cpu_max() == UNLIMITED, "the old one is free")
            k.declare(other)
            need(k.set("cpu.max", 400)["err"] == 0 and other.cpu_max() == 400, "the new one is not")
            os.kill(k.worker_pid, signal.SIGKILL)
            k.meet_worker()
            k.declare(g)  # the next worker counts anew
            need(other.cpu_max() == 400, "moved by a new worker")
        finally:
            other.remove()


def groups_are_made_and_removed():
    g = Group("none")
    g.remove()
    g.path += "/deep/er"
    k = Keeper()
    try:
        got = k.declare(g, flags=1)
        need(got["hierarchies"] & 16 and got["id"], got)
        need(all(os.path.isdir(d) for d in g.dirs()), "made")
        need(not os.path.isdir(MOUNTS.get("name=systemd", "/none") + g.path), "not in name=systemd")
        need(k.set("cpu.max", 500)["err"] == 0 and g.cpu_max() == 500, "set")
        need(k.stop() == 0, "status")
        need(not any(os.path.exists(d) for d in g.dirs()), "removed")
        need(not any(os.path.exists(os.path.dirname(d)) for d in g.dirs()), "parents removed")
    finally:
        k.close()
        g.path = g.path[:-len("/deep/er")]
        g.remove()


def a_recreated_group_has_no_baseline():
    with Stage("again") as (k, g):
        first = k.declare(g)
        k.set("cpu.max", 500)
        g.remove()
        need(k.notice(2)["target"] == 0, "gone")
        need(k.set("cpu.max", 600)["err"] < 0, "set of a gone group")
        g.make()
        second = k.declare(g)
        need(second["id"] != first["id"], "a new id")
        g.set_cpu_max(44444)
        got = k.set("cpu.max", 900, id=second["id"])
        need(got["err"] == 0 and got["before"] == 444, got)
        need(k.set("cpu.max", 901, id=first["id"])["err"] == ESTALE, "old id")
        need(k.stop() == 0 and open(g.cpu_max_file()).read().split()[0] == "44444", "its own baseline")


def a_child_above_its_parent_says_so():
    if not V1_CPU:
        return
    with Stage("nest") as (k, g):
        child = MOUNTS["cpu"] + g.path + "/child"
        os.mkdir(child)
        k.declare(g, target=0)
        need(k.ask("target", target=1, path=g.path + "/child")["err"] == 0, "child")
        need(k.set("cpu.max", 500, target=0)["err"] == 0, "parent")
        got = k.set("cpu.max", 800, target=1)
        need(got["err"] == EINVAL and "parent" in got["text"], got)
        need(k.set("cpu.max", 400, target=1)["err"] == 0, "child below")
        need(k.stop() == 0, "both go back in whatever order works")
        need(open(child + "/cpu.cfs_quota_us").read().strip() == "-1" and g.cpu_max() == UNLIMITED, "values")


def a_second_keeper_exits_75_and_names_the_first():
    with Stage("second") as (k, _):
        done = subprocess.run([HOST, "run"], env=k.env, stderr=subprocess.PIPE, timeout=10 * SLOW)
        need(done.returncode == 75 and str(k.keeper_pid).encode() in done.stderr, done)


def a_worker_is_started_with_what_it_needs():
    with Stage("argv") as (k, _):
        for word in ("_worker", "--mode enforce", f"--keeper-pid {k.keeper_pid}", "--boot-id", "--runtime"):
            need(word in k.worker_argv, k.worker_argv)
        fds = os.listdir(f"/proc/{k.worker_pid}/fd")
        need({"3", "4", "5"} <= set(fds), fds)
        need("socket" in os.readlink(f"/proc/{k.worker_pid}/fd/4"), "control.sock")
        need(os.readlink(f"/proc/{k.worker_pid}/fd/5").endswith("/lock"), "lock")
        mode = os.stat(k.dir + "/run/control.sock").st_mode & 0o777
        need(mode == 0o660, oct(mode))
        if not int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")), 16) >> 24 & 1:
            return  # without CAP_SYS_RESOURCE nobody may lower it
        adj = open(f"/proc/{k.keeper_pid}/oom_score_adj").read().strip()
        need(adj == "-900", adj)


def bandwidth_classes_come_and_go_with_the_keeper():
    with Stage("htb", wrapper=["unshare", "-n"]) as (k, g):
        def run(*argv):
            return subprocess.run(["nsenter", "-t", str(k.keeper_pid), "-n", *argv], capture_output=True, text=True)

        if run("ip", "link", "add", "fshk0", "type", "veth", "peer", "name", "fshk1").returncode:
            print("  no veth here: left out")
            return
        need(k.ask("link", interface="fshk0", value=100_000_000)["err"] == 0, "link")
        k.declare(g, interface="fshk0", minor=0x1001)
        need(k.set("htb.rate", 20_000_000)["err"] == 0, "rate")
        got = k.set("htb.ceil", 30_000_000)
        need(got["err"] == 0 and got["after"] == 30_000_000, got)
        need(k.ask("read", target=0, knob="htb.rate")["after"] == 20_000_000, "read")
        need("rate 20Mbit ceil 30Mbit" in run("tc", "class", "show", "dev", "fshk0").stdout, "tc")
        need(k.ask("restore", target="all")["err"] == 0, "restore")
        need("htb" not in run("tc", "qdisc", "show", "dev", "fshk0").stdout, "root left")
        k.ask("enforce", value=1)
        run("tc", "qdisc", "add", "dev", "fshk1", "root", "handle", "5:", "htb")
        got = k.ask("link", interface="fshk1", value=100_000_000)
        need(got["err"] == -17 and "5:" in run("tc", "qdisc", "show", "dev", "fshk1").stdout, got)
        need(k.ask("link", interface="fshk0", value=100_000_000)["err"] == 0, "link again")
        run("ip", "link", "del", "fshk0")
        need("fshk0" in k.notice(3)["text"], "told that it went")


def broken_orders_are_refused():
    with Stage("broken") as (k, _):
        need(k.ask("set", target=999, knob="cpu.max", value=1)["err"] == EINVAL, "target")
        need(k.ask("attach", path="/fsh-keeper-none")["err"] < 0, "attach")


def nothing_to_restore_is_fine():
    with Stage("nothing") as (k, g):
        need(k.stop() == 0, "stop")
        code, said = k.restore()
        need(code == 0 and said["restored"] == 0, said)


def a_handover_moves_no_limit():
    with Stage("upgrade") as (k, g):
        g.set_cpu_max(50000)
        k.declare(g)
        k.set("cpu.max", 1300)
        os.kill(k.keeper_pid, signal.SIGUSR2)
        need(k.process.wait(timeout=5 * SLOW) == 0 and g.cpu_max() == 1300, "held")
        k.start()
        k.declare(g)
        read = k.ask("read", target=0, knob="cpu.max")
        need(read["baseline"] == 500 and read["after"] == 1300 and read["state"] == 1, read)
        need(k.set("cpu.max", 1400)["err"] == 0, "goes on")
        need(k.stop() == 0 and g.cpu_max() == 500, "the first baseline")


main([v for v in list(globals().values()) if callable(v) and getattr(v, "__module__", "") == "__main__"])
