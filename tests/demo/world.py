# SPDX-License-Identifier: GPL-2.0-or-later
"""What the demo makes on the host, and how all of it goes away again."""
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asks the demo to end. No Exception, so that nothing swallows it."""


class Failed(Exception):
    """The demo cannot go on; the text says why and what to do."""


def run(*words, ok=True, timeout=20):
    p = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                       start_new_session=True)
    if ok and p.returncode:
        raise Failed(f"{' '.join(words)}: {p.stderr.strip() or p.stdout.strip() or p.returncode}")
    return p


def hierarchies():
    """Mount points of the cgroup hierarchies: {controller or "unified": path}."""
    found = {}
    with open("/proc/self/mounts") as f:
        for line in f:
            _, where, kind, options = line.split()[:4]
            if kind == "cgroup2":
                found["unified"] = where
            elif kind == "cgroup":
                for word in options.split(","):
                    found[word] = where
    return found


def kill_group(group):
    """Ends what is still in a group of ours."""
    with contextlib.suppress(OSError), open(group + "/cgroup.procs") as f:
        for pid in f.read().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


class World:
    """Undo steps are noted before the thing is made, so that a signal in between leaves nothing."""

    def __init__(self):
        self.tag = f"fshd{os.getpid()}"
        self.undo, self.children = [], []
        self.busy, self.pending, self.dir = 1, False, None
        for s in STOP_SIGNALS:
            signal.signal(s, self._signal)

    def begin(self):
        """From here on a signal raises Interrupted; before, it is only remembered."""
        self.dir = tempfile.mkdtemp(prefix=f"{self.tag}-")
        if "DEMO_KEEP" not in os.environ:  # to look at the history of a play
            self.undo.append(lambda: shutil.rmtree(self.dir, ignore_errors=True))
        else:
            print(f"keeping {self.dir}")
        os.chmod(self.dir, 0o755)  # the agent's worker runs as another user
        self.busy = 0
        if self.pending:
            raise Interrupted

    def _signal(self, *_):
        first, self.pending = not self.pending, True
        if first and not self.busy:
            raise Interrupted

    @contextlib.contextmanager
    def whole(self):
        """A stretch that a signal ends only at its end."""
        self.busy += 1
        try:
            yield
        finally:
            self.busy -= 1
        if self.pending and not self.busy:
            raise Interrupted

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o644)
        return path

    def start(self, *words, stdout=None, env=None, grace_s=3.0):
        """Starts a program in a session of its own, its errors going to errors.log; it has @grace_s to end."""
        with self.whole(), open(self.path("errors.log"), "ab") as errors:
            p = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=stdout or subprocess.DEVNULL,
                                 stderr=errors, env=env, start_new_session=True, text=True)
            p.grace_s = grace_s
            self.children.append(p)
        return p

    def stop(self, p):
        """Ends @p and what it started: politely, then not."""
        for s in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                if p.poll() is None:
                    p.send_signal(s)
            with contextlib.suppress(subprocess.TimeoutExpired):
                p.wait(p.grace_s)
                break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGKILL)
        if p in self.children:
            self.children.remove(p)

    def namespace(self, suffix):
        name = self.tag + suffix
        self.undo.append(lambda: run("ip", "netns", "del", name, ok=False))
        with self.whole():
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        return name

    def cgroup(self, name):
        """Path below each hierarchy's root of a group that goes when the demo does."""
        path = f"/{self.tag}-{name}"
        self.undo.append(lambda: self.remove_cgroup(path))
        return path

    @staticmethod
    def remove_cgroup(path):
        for root in set(hierarchies().values()):
            for _ in range(40):
                try:
                    os.rmdir(root + path)
                except FileNotFoundError:
                    break
                except OSError:
                    kill_group(root + path)
                    time.sleep(0.05)
                    continue
                break

    def close(self):
        for s in STOP_SIGNALS:
            signal.signal(s, signal.SIG_IGN)
        while self.children:
            self.stop(self.children[-1])
        while self.undo:
            with contextlib.suppress(Exception):
                self.undo.pop()()
