#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Takes long.
"""kill -9 of the worker, of the keeper, of all, at random moments and in the middle of writes."""
import fcntl
import os
import random
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from keeper_lib import BINARY, HOST, SLOW, Group, Keeper, Stage, UNLIMITED, main, need, wait_for

RANDOM = random.Random(int(os.environ.get("SEED", "1")))
ROUNDS = int(os.environ.get("ROUNDS", "12" if SLOW == 1 else "2"))


def alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def churn(k, values, target=0):
    """Orders without waiting for answers; returns what was asked for last."""
    last = None
    for _ in range(RANDOM.randint(1, 30)):
        last = RANDOM.choice(values)
        try:
            k.send("set", target=target, knob="cpu.max", value=last)
        except OSError:
            break
    return last


VALUES = [600, 700, 800, 900, 1100]


def a_killed_worker_is_back_within_2_s_and_limits_hold():
    slowest = 0
    with Stage("worker") as (k, g):
        for _ in range(3):
            k.declare(g)
            need(k.set("cpu.max", 700)["err"] == 0, "set")
            os.kill(k.worker_pid, signal.SIGKILL)
            start = time.monotonic()
            k.meet_worker()
            slowest = max(slowest, time.monotonic() - start)
            need(g.cpu_max() == 700, "moved")
        k.declare(g)
        read = k.ask("read", target=0, knob="cpu.max")
        need(read["baseline"] == UNLIMITED and read["state"] == 1, read)
        need("--mode enforce" in k.worker_argv, k.worker_argv)
        need(k.ask("enforce", value=1, name="enforce/5/7")["err"] == 0, "mode")
        os.kill(k.worker_pid, signal.SIGKILL)
        k.meet_worker()
        need("--mode enforce/5/7 " in k.worker_argv, k.worker_argv)
        print(f"  back after {slowest:.2f} s at most")
        need(slowest < 2 * SLOW, "slow")
        need(k.stop() == 0 and g.cpu_max() == UNLIMITED, "baseline")


def a_worker_killed_at_random_moments_leaves_a_sound_state():
    for i in range(max(ROUNDS // 4, 1)):
        with Stage(f"wr{i}") as (k, g):
            for _ in range(4):
                k.declare(g)
                churn(k, VALUES)
                time.sleep(RANDOM.random() * 0.004)
                os.kill(k.worker_pid, signal.SIGKILL)
                k.meet_worker()
                need(g.cpu_max() in (*VALUES, UNLIMITED), g.cpu_max())
            k.declare(g)
            need(k.stop() == 0 and g.cpu_max() == UNLIMITED, "baseline")


def five_deaths_in_a_minute_loosen_and_end():
    with Stage("five") as (k, g):
        g.set_cpu_max(150000)
        g.set_memory_max(64 << 20)
        k.declare(g)
        k.set("cpu.max", 500)
        k.set("cpu.weight", 900)
        k.set("memory.max", 128 << 20)
        for i in range(5):
            os.kill(k.worker_pid, signal.SIGKILL)
            if i < 4:
                k.meet_worker()
        need(k.process.wait(timeout=5 * SLOW) == 1, "status")
        need(g.cpu_max() == 1500 and g.weight_text() in ("1024", "100"), "not loosened")
        need(g.memory_max() == 128 << 20, "a looser limit stays")


def a_killed_keeper_takes_its_worker_and_is_adopted():
    slowest = 0
    for i in range(ROUNDS):
        with Stage(f"kr{i}") as (k, g):
            g.set_cpu_max(50000)
            k.declare(g)
            churn(k, VALUES)
            time.sleep(RANDOM.random() * 0.004)
            worker = k.worker_pid
            os.kill(k.keeper_pid, signal.SIGKILL)
            k.process.wait()
            slowest = max(slowest, wait_for(lambda: not alive(worker), 1.0))
            held = g.cpu_max()
            need(held in (500, *VALUES), held)
            k.start()
            k.declare(g)
            need(g.cpu_max() == held, "a restart moved a limit")
            need(not [n for n in k.notices if n["kind"] == 1], "its own write taken for a foreign one")
            need(k.set("cpu.max", 1234)["err"] == 0, "goes on")
            need(k.stop() == 0 and g.cpu_max() == 500, "the first baseline")
    print(f"  {ROUNDS} keepers killed; the worker ended after {slowest:.3f} s at most")


def all_killed_is_undone_by_restore():
    for i in range(ROUNDS):
        with Stage(f"ar{i}") as (k, g):
            g.set_cpu_max(44444)
            k.declare(g)
            churn(k, VALUES)
            time.sleep(RANDOM.random() * 0.004)
            k.kill_all()
            code, said = k.restore()
            need(code == 0 and said["refused"] == 0, said)
            need(open(g.cpu_max_file()).read().split()[0] == "44444", g.cpu_max())


def one_service_alone_is_restored_by_name():
    with Stage("one") as (k, g):
        g2 = Group("one2")
        try:
            for target, group in enumerate((g, g2)):
                k.declare(group, target=target)
                k.set("cpu.max", 500, target=target)
            k.kill_all()
            code, said = k.restore("t1")
            need(code == 0 and said["restored"] == 1 and g.cpu_max() == 500 and g2.cpu_max() == UNLIMITED, said)
        finally:
            g2.remove()


def loosen_raises_and_never_lowers():
    for baseline, ours, left in ((500, 1300, 1300), (1500, 700, 1500)):
        with Stage(f"loose{ours}") as (k, g):
            g.set_cpu_max(baseline * 100)
            k.declare(g)
            need(k.set("cpu.max", ours)["err"] == 0, "set")
            k.kill_all()
            done = subprocess.run([os.path.abspath(BINARY), "restore", "--loosen"], env=k.env, timeout=30 * SLOW)
            need(done.returncode == 0 and g.cpu_max() == left, (done, g.cpu_max()))


def all_killed_is_taken_over_by_the_next_start():
    with Stage("next") as (k, g):
        k.declare(g)
        k.set("cpu.max", 500)
        k.kill_all()
        need(g.cpu_max() == 500, "moved")
        k.start()
        k.declare(g)
        need(g.cpu_max() == 500 and k.stop() == 0 and g.cpu_max() == UNLIMITED, "baseline")


def a_keeper_killed_in_mid_write_leaves_the_old_or_the_new():
    if subprocess.run(["strace", "-V"], capture_output=True).returncode:
        print("  no strace: left out")
        return
    g = Group("mid")
    try:
        for n in range(1, 13):
            g.set_cpu_max(50000)
            wrapper = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=write,pwrite64,fdatasync,renameat", "-e",
                       f"inject=write,pwrite64,fdatasync:signal=KILL:when={n + 6}"]
            k = Keeper(wrapper)
            try:
                k.declare(g)
                for value in VALUES:
                    k.send("set", target=0, knob="cpu.max", value=value)
                time.sleep(0.05)
            except (OSError, ValueError) as e:
                if isinstance(e, TimeoutError):
                    raise
            except Exception as e:
                need("gone" in str(e), e)
            try:
                os.kill(k.keeper_pid, signal.SIGKILL)
            except (ProcessLookupError, AttributeError):
                pass
            k.process.wait()
            held = g.cpu_max()
            need(held in (500, *VALUES), f"{held} at write {n}")
            wait_for(lambda: k.restore()[0] == 0, 3)
            need(g.cpu_max() == 500, f"baseline after write {n}")
            k.close()
    finally:
        g.remove()


def a_torn_journal_is_read_up_to_the_tear():
    with Stage("torn") as (k, g):
        k.declare(g)
        k.set("cpu.max", 600)
        k.set("cpu.weight", 300)
        k.kill_all()
        with open(k.dir + "/run/journal", "r+b") as f:
            f.seek(-7, 2)
            f.truncate()
        code, said = k.restore()
        need(code == 0 and said["restored"] == 1 and g.cpu_max() == UNLIMITED, said)


def a_keeper_gone_for_good_is_loosened_after_10_s():
    """The waiting process's ten seconds, for real; a worker that hangs does not stop it."""
    with Stage("wait") as (k, g):
        g.set_cpu_max(150000)
        k.declare(g)
        k.set("cpu.max", 500)
        k.set("cpu.weight", 900)
        need(len(k.waiters) == 1, k.waiters)
        waiter = next(iter(k.waiters))
        need(b"restore\0--wait" in open(f"/proc/{waiter}/cmdline", "rb").read(), "cmdline")
        need(os.getsid(waiter) == waiter, "its own session")
        os.kill(k.keeper_pid, signal.SIGKILL)
        k.process.wait()
        start = time.monotonic()
        time.sleep(8)
        need(g.cpu_max() == 500, "too soon")
        wait_for(lambda: g.cpu_max() == 1500, 6, 0.05)
        took = time.monotonic() - start
        wait_for(lambda: not alive(waiter), 2)
        print(f"  loosened after {took:.1f} s")
        need(9.5 < took < 10 + 1.5 * SLOW and g.weight_text() in ("1024", "100"), took)


def keepers_that_fail_to_start_do_not_stop_the_waiter():
    with Stage("fails") as (k, g):
        k.declare(g)
        k.set("cpu.max", 500)
        os.kill(k.keeper_pid, signal.SIGKILL)
        k.process.wait()
        start = time.monotonic()
        wait_for(lambda: not alive(k.worker_pid), 1)
        os.unlink(k.dir + "/run/control.sock")
        os.mkdir(k.dir + "/run/control.sock")  # it cannot be bound
        while time.monotonic() - start < 8:
            need(subprocess.run([HOST, "run"], env=k.env, stderr=subprocess.DEVNULL).returncode == 1, "status")
            time.sleep(0.05)
        need(g.cpu_max() == 500, "too soon")
        wait_for(lambda: g.cpu_max() == UNLIMITED, 6, 0.05)


def groups_made_anew_leave_nothing_in_the_journal():
    with Stage("anew") as (k, g):
        k.declare(g)
        for i in range(5):
            need(k.set("cpu.max", 300)["err"] == 0 and k.set("cpu.weight", 50 + i)["err"] == 0, i)
            g.remove()
            g.make()
            k.declare(g, target=i % 2)  # before the sweep has come by
            k.declare(g)
        k.kill_all()
        code, said = k.restore()
        need(code == 0 and not said["knobs"], said)


def left_to_its_waiter(k, g):
    k.declare(g)
    k.set("cpu.max", 500)
    os.kill(k.keeper_pid, signal.SIGKILL)
    k.process.wait()
    return next(iter(k.waiters))


def a_keeper_still_starting_after_10_s_is_waited_for():
    with Stage("starting") as (k, g):
        left_to_its_waiter(k, g)
        with open(k.dir + "/run/lock", "r+") as lock:
            wait_for(lambda: held(lock), 2)
            lock.write(f"{os.getpid()}\n")
            lock.truncate()
            lock.flush()
            time.sleep(12)
            need(g.cpu_max() == 500, "loosened under a keeper that starts")
        wait_for(lambda: g.cpu_max() == UNLIMITED, 5, 0.05)


def held(lock):
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def a_waiter_too_late_to_look_leaves_a_new_keeper_alone():
    with Stage("late") as (k, g):
        waiter = left_to_its_waiter(k, g)
        time.sleep(1)  # its ten seconds have begun
        os.kill(waiter, signal.SIGSTOP)
        k.start()
        time.sleep(10)
        os.kill(waiter, signal.SIGCONT)
        wait_for(lambda: not alive(waiter), 5)
        k.declare(g)
        need(g.cpu_max() == 500 and k.set("cpu.max", 700)["err"] == 0, "moved")
        k.kill_all()
        need(k.restore()[0] == 0 and g.cpu_max() == UNLIMITED, "its journal was taken away")


main([a_killed_worker_is_back_within_2_s_and_limits_hold, a_worker_killed_at_random_moments_leaves_a_sound_state,
      five_deaths_in_a_minute_loosen_and_end, a_killed_keeper_takes_its_worker_and_is_adopted,
      all_killed_is_undone_by_restore, one_service_alone_is_restored_by_name, loosen_raises_and_never_lowers,
      all_killed_is_taken_over_by_the_next_start,
      a_keeper_killed_in_mid_write_leaves_the_old_or_the_new, a_torn_journal_is_read_up_to_the_tear,
      groups_made_anew_leave_nothing_in_the_journal, a_keeper_gone_for_good_is_loosened_after_10_s,
      keepers_that_fail_to_start_do_not_stop_the_waiter,
      a_keeper_still_starting_after_10_s_is_waited_for, a_waiter_too_late_to_look_leaves_a_new_keeper_alone])
