# SPDX-License-Identifier: GPL-2.0-or-later
"""keeper_lib.py - a keeper with a scripted worker, and cgroups of the test's own, for the keeper's tests."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

BINARY = os.environ.get("FORESHAPE", "build/foreshape")
HELPERS = os.path.join(os.path.dirname(BINARY) or ".", "tests", "system")
HOST = os.path.abspath(os.path.join(HELPERS, "keeper_host"))
WORKER = os.path.abspath(os.path.join(HELPERS, "keeper_worker"))
UNLIMITED = 2**64 - 1
SLOW = 8 if os.environ.get("FORESHAPE_VM") else 1  # an emulated machine
FOREIGN, GONE = 1, 2


class Failed(Exception):
    pass


def need(condition, why):
    if not condition:
        raise Failed(why)


def wait_for(what, timeout_s=5.0, step_s=0.01):
    """Waits until what() is true; returns how long that took, in seconds."""
    start = time.monotonic()
    while not what():
        need(time.monotonic() - start < timeout_s * SLOW, "timed out waiting")
        time.sleep(step_s)
    return time.monotonic() - start


def mounts():
    found = {}
    for line in open("/proc/self/mountinfo"):
        head, tail = line.split(" - ")
        kind, _, options = tail.split()[:3]
        if kind == "cgroup2":
            found.setdefault("unified", head.split()[4])
        elif kind == "cgroup":
            for word in options.split(","):
                found.setdefault(word, head.split()[4])
    return found


MOUNTS = mounts()
V1_CPU, V1_MEMORY, V1_BLKIO = (name in MOUNTS for name in ("cpu", "memory", "blkio"))


class Group:
    """A cgroup at the same path in every hierarchy a service is made in."""

    def __init__(self, tag):
        self.path = f"/fsh-keeper-{os.getpid()}-{tag}"
        self.make()

    def dirs(self):
        names = ("cpu", "cpuacct", "memory", "blkio", "unified")
        return sorted({MOUNTS[n] + self.path for n in names if n in MOUNTS})

    def make(self):
        for d in self.dirs():
            os.makedirs(d, exist_ok=True)
        if V1_CPU:
            return
        above = MOUNTS["unified"]
        for name in self.path.split("/")[1:]:
            for word in ("+cpu", "+memory", "+io"):
                try:
                    with open(above + "/cgroup.subtree_control", "w") as f:
                        f.write(word)
                except OSError:
                    pass
            above += "/" + name

    def file(self, v1, v2):
        if v1.startswith("cpu"):
            return (MOUNTS["cpu"] + self.path + "/" + v1) if V1_CPU else (MOUNTS["unified"] + self.path + "/" + v2)
        return (MOUNTS["memory"] + self.path + "/" + v1) if V1_MEMORY else (MOUNTS["unified"] + self.path + "/" + v2)

    def cpu_max_file(self):
        return self.file("cpu.cfs_quota_us", "cpu.max")

    def cpu_max(self):
        """In mcpu."""
        text = open(self.cpu_max_file()).read().split()
        if text[0] in ("-1", "max"):
            return UNLIMITED
        period = int(text[1]) if len(text) > 1 else int(open(self.file("cpu.cfs_period_us", "")).read())
        return int(text[0]) * 1000 // period

    def set_cpu_max(self, quota_us):
        with open(self.cpu_max_file(), "w") as f:
            f.write(str(quota_us))

    def weight_text(self):
        return open(self.file("cpu.shares", "cpu.weight")).read().strip()

    def io_weight_file(self):
        """None where this host has none such."""
        for where, name in (("blkio", "blkio.bfq.weight"), ("unified", "io.bfq.weight"), ("unified", "io.weight")):
            path = f"{MOUNTS.get(where, '/nonexistent')}{self.path}/{name}"
            if os.path.exists(path):
                return path
        return None

    def io_max(self):
        """{device: (bytes read, written a second)} where there is a limit; None where this host has none such."""
        v1, v2 = (MOUNTS.get(where, "/nonexistent") + self.path for where in ("blkio", "unified"))
        found = {}
        if os.path.exists(v2 + "/io.max"):
            for line in open(v2 + "/io.max"):
                device, *words = line.split()
                limit = dict(word.split("=") for word in words)
                found[device] = tuple(UNLIMITED if limit[k] == "max" else int(limit[k]) for k in ("rbps", "wbps"))
            return found
        for i, way in enumerate(("read", "write")):
            if not os.path.exists(f"{v1}/blkio.throttle.{way}_bps_device"):
                return None
            for line in open(f"{v1}/blkio.throttle.{way}_bps_device"):
                device, value = line.split()
                found.setdefault(device, [UNLIMITED, UNLIMITED])[i] = int(value)
        return {device: tuple(both) for device, both in found.items()}

    def limit_reads(self, device, bytes_per_s):
        """On v1."""
        with open(f"{MOUNTS['blkio']}{self.path}/blkio.throttle.read_bps_device", "w") as f:
            f.write(f"{device} {bytes_per_s}")

    def memory_max(self):
        text = open(self.file("memory.limit_in_bytes", "memory.max")).read().strip()
        return UNLIMITED if text == "max" or int(text) > 2**62 else int(text)

    def set_memory_max(self, value):
        with open(self.file("memory.limit_in_bytes", "memory.max"), "w") as f:
            f.write(str(value))

    def memory_now(self):
        return int(open(self.file("memory.usage_in_bytes", "memory.current")).read())

    def oom_kills(self):
        name = self.file("memory.oom_control", "memory.events")
        for line in open(name):
            if line.startswith("oom_kill "):
                return int(line.split()[1])
        return 0

    def run_in(self, argv, **more):
        dirs = self.dirs()

        def enter():
            for d in dirs:
                with open(d + "/cgroup.procs", "w") as f:
                    f.write("0")

        return subprocess.Popen(argv, preexec_fn=enter, **more)

    def remove(self):
        for d in self.dirs():
            for sub in sorted((r for r, _, _ in os.walk(d)), reverse=True) if os.path.isdir(d) else []:
                for _ in range(50):
                    try:
                        os.rmdir(sub)
                        break
                    except OSError:
                        time.sleep(0.02)


def read_directly(group, path):
    """Seconds for a process of @group to read 3 MiB of @path past the page cache; None where that cannot be."""
    start = time.monotonic()
    p = group.run_in(["/usr/bin/dd", "if=" + path, "of=/dev/null", "bs=256K", "count=12", "iflag=direct"],
                     stderr=subprocess.DEVNULL)
    return time.monotonic() - start if p.wait(timeout=30 * SLOW) == 0 else None


class Disk:
    """`with Disk(directory) as path`: 3 MiB to read from a disk; a machine without any gets one made of a file."""
    IS_MADE = bool(os.environ.get("FORESHAPE_VM"))

    def __init__(self, directory):
        self.path, self.loop = directory + "/disk", None

    def __enter__(self):
        with open(self.path, "wb") as f:
            f.write(os.urandom(3 * 2**20))
            f.flush()
            os.fsync(f.fileno())
        if self.IS_MADE:
            subprocess.run(["modprobe", "loop"], check=True)
            said = subprocess.run(["losetup", "--find", "--show", self.path], capture_output=True, text=True, check=True)
            self.loop = said.stdout.strip()
        return self.loop or self.path

    def __exit__(self, *_):
        if self.loop:
            subprocess.run(["losetup", "--detach", self.loop], check=True)
        os.unlink(self.path)


class Keeper:
    """The keeper under test. Its worker is ours: orders go down a socket, answers come up it."""

    def __init__(self, wrapper=()):
        self.dir = tempfile.mkdtemp(prefix="fsh-keeper-")
        self.worker, self.process, self.waiters = None, None, set()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.dir + "/test.sock")
        self.listener.listen(8)
        self.env = dict(os.environ, FORESHAPE_RUN=self.dir + "/run", KEEPER_TEST_WORKER=WORKER,
                        KEEPER_TEST_SOCKET=self.dir + "/test.sock")
        self.seq = 0
        try:
            self.start(wrapper)
        except BaseException:
            self.close()
            raise

    def start(self, wrapper=(), expect_worker=True):
        self.log = open(self.dir + "/log", "a")
        self.process = subprocess.Popen([*wrapper, HOST, "run"], env=self.env, stderr=self.log)
        if expect_worker:
            self.meet_worker()

    def meet_worker(self, timeout_s=5):
        """The next worker that starts becomes ours."""
        self.listener.settimeout(timeout_s * SLOW)
        connection, _ = self.listener.accept()
        self.worker = connection
        self.buffer = b""
        self.notices = []
        hello = self.line()
        self.worker_pid, self.worker_argv = hello["pid"], hello["argv"]
        self.keeper_pid = int(open(self.dir + "/run/lock").read().split()[0])
        self.waiters.update(self.children(self.keeper_pid) - {self.worker_pid})

    @staticmethod
    def children(pid):
        try:
            return {int(p) for p in open(f"/proc/{pid}/task/{pid}/children").read().split()}
        except OSError:
            return set()

    def line(self, timeout_s=10):
        self.worker.settimeout(timeout_s * SLOW)
        while b"\n" not in self.buffer:
            more = self.worker.recv(65536)
            need(more, "the worker is gone")
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def send(self, kind, **words):
        self.seq += 1
        text = kind + f" seq={self.seq}" + "".join(f" {k}={v}" for k, v in words.items())
        self.worker.sendall(text.encode() + b"\n")
        return self.seq

    def answer(self, seq, timeout_s=10):
        while True:
            got = self.line(timeout_s)
            if got["seq"] == seq:
                return got
            self.notices.append(got)

    def ask(self, kind, **words):
        return self.answer(self.send(kind, **words))

    def notice(self, kind, timeout_s=3):
        for got in self.notices:
            if got["kind"] == kind:
                self.notices.remove(got)
                return got
        while True:
            got = self.line(timeout_s)
            if got["kind"] == kind:
                return got

    def declare(self, group, target=0, **words):
        got = self.ask("target", target=target, name=f"t{target}", path=group.path, **words)
        need(got["err"] == 0, f"target: {got}")
        return got

    def set(self, knob, value, target=0, **words):
        return self.ask("set", target=target, knob=knob, value=value, **words)

    def kill_all(self):
        for pid in (self.keeper_pid, self.worker_pid, *self.waiters):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            os.kill(self.keeper_pid, signal.SIGTERM)
        return self.process.wait(timeout=15 * SLOW)

    def restore(self, *service):
        """`restore` with no agent running; what it says, as JSON."""
        done = subprocess.run([HOST, "restore", "--json", *service], env=self.env, stdout=subprocess.PIPE, timeout=30 * SLOW)
        return done.returncode, json.loads(done.stdout or "{}")

    def close(self):
        if self.process and self.process.poll() is None:
            try:
                os.kill(self.keeper_pid, signal.SIGKILL)
            except (ProcessLookupError, AttributeError):
                pass
            self.process.kill()
            self.process.wait()
        for pid in self.waiters:
            try:
                if b"restore" in open(f"/proc/{pid}/cmdline", "rb").read():
                    os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self.listener.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def main(checks):
    """Runs each function of @checks; prints a line each; exits as a system test does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if os.geteuid() != 0:
        print("skipped: needs root")
        sys.exit(77)
    if not os.path.exists(HOST):
        print(f"skipped: {HOST} is not built")
        sys.exit(77)
    if not MOUNTS:
        print("skipped: no cgroup file system")
        sys.exit(77)
    failed = 0
    for check in checks:
        name = check.__name__
        try:
            check()
            print(f"ok {name}", flush=True)
        except (Failed, OSError, AssertionError, KeyError, ValueError, subprocess.TimeoutExpired) as e:
            failed += 1
            print(f"not ok {name}: {e!r} line {e.__traceback__.tb_next.tb_lineno if e.__traceback__.tb_next else '?'}", flush=True)
    sys.exit(1 if failed else 0)


class Stage:
    """`with Stage("tag") as (keeper, group)`: both made, and gone afterwards."""

    def __init__(self, tag, wrapper=()):
        self.tag, self.wrapper = tag, wrapper

    def __enter__(self):
        self.group = Group(self.tag)
        try:
            self.keeper = Keeper(self.wrapper)
        except BaseException:
            self.group.remove()
            raise
        return self.keeper, self.group

    def __exit__(self, kind, *_):
        if kind and os.environ.get("KEEPER_TEST_LOG"):
            sys.stderr.write(open(self.keeper.dir + "/log").read())
        self.keeper.close()
        self.group.remove()
