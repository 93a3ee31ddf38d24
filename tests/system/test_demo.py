#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo, interrupted at several moments, leaves nothing of what it made."""
import glob
import os
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DEMO = os.path.join(HERE, "..", "demo", "demo.py")
FORESHAPE = os.path.abspath(os.environ.get("FORESHAPE", "build/foreshape"))
TOOLS = os.environ.get("DEMO_TOOLS", os.path.join(os.path.dirname(FORESHAPE), "demo"))
SLOW = 10 if os.environ.get("FORESHAPE_VM") else 1  # an emulated machine
# What is played, and after how many seconds which signal comes.
ROWS = (
    ("none", 0.2, signal.SIGINT), ("none", 0.4, signal.SIGTERM), ("none", 1.6, signal.SIGINT),
    ("foreshape", 0.6, signal.SIGINT), ("foreshape", 1.2, signal.SIGHUP), ("foreshape", 5.0, signal.SIGINT),
)


def processes(mark):
    """Processes of one demo, by a word in their environment."""
    found = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as f:
                if mark.encode() in f.read():
                    found.append(path.split("/")[2])
        except OSError:
            pass
    return found


def left(pid, mark):
    tag = f"fshd{pid}"
    words = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout.splitlines() + \
        subprocess.run(["ip", "netns"], capture_output=True, text=True).stdout.splitlines() + \
        glob.glob("/sys/fs/cgroup/*") + glob.glob("/sys/fs/cgroup/*/*") + \
        glob.glob(os.path.join(tempfile.gettempdir(), "*")) + glob.glob("/var/tmp/*")
    return [w for w in words if tag in w] + processes(mark)


def has_begun(pid):
    """Whether the demo has its signals in hand: Python itself may take a second to get there."""
    try:
        with open(f"/proc/{pid}/status") as f:
            caught = int(next(line for line in f if line.startswith("SigCgt:")).split()[1], 16)
    except (OSError, StopIteration):
        return True
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def interrupted(n, words, after_s, how):
    """Runs a script, interrupts it twice, and returns what it left, or that it did not end."""
    mark = f"FSH_DEMO_MARK={os.getpid()}-{n}"
    name, _, value = mark.partition("=")
    p = subprocess.Popen([sys.executable, *words, "--foreshape", FORESHAPE],
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
                         env=dict(os.environ, DEMO_TOOLS=TOOLS, PYTHONDONTWRITEBYTECODE="1", **{name: value}))
    until = time.monotonic() + 30 * SLOW
    while not has_begun(p.pid) and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(after_s * SLOW)
    p.send_signal(how)
    time.sleep(0.1)
    if p.poll() is None:
        p.send_signal(signal.SIGINT)  # the impatient press it twice
    try:
        _, errors = p.communicate(timeout=30 * SLOW)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        return [f"it did not end in {30 * SLOW} s"]
    time.sleep(0.2)
    return left(p.pid, mark) + (["a traceback: " + errors[-300:]] if "Traceback" in errors else [])


def main():
    if os.geteuid():
        print("needs root")
        return 77
    if not all(os.access(p, os.X_OK) for p in (FORESHAPE, TOOLS + "/burner", TOOLS + "/hog", TOOLS + "/openload")):
        print(f"needs {FORESHAPE} and {TOOLS}: make them first")
        return 77
    failed = False
    for n, (kind, after_s, how) in enumerate(ROWS):
        found = interrupted(n, (DEMO, "--only", kind), after_s, how)
        name = f"{kind} ended after {after_s} s by {how.name} leaves nothing"
        print(f"ok {name}" if not found else f"not ok {name}: {found[:6]}", flush=True)
        failed |= bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
