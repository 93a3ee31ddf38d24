# SPDX-License-Identifier: GPL-2.0-or-later
"""measure_lib.py - the counting tests' ground: a cgroup, the test host, servers that say what they are told."""
import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
HOST = os.path.join(BUILD, "tests", "system", "measure_host")
PORTS = (21000, 21999)
SLOW = 8 if os.environ.get("FORESHAPE_VM") else 1  # an emulated machine
failures = 0


def check(name, ok, why=""):
    global failures
    print(f"ok {name}" if ok else f"not ok {name}: {why}", flush=True)
    failures += not ok
    return ok


def equal(name, got, want):
    return check(name, got == want, f"{got!r} instead of {want!r}")


def skip(why):
    print(why)
    sys.exit(77)


def finish():
    sys.exit(1 if failures else 0)


def unified():
    for path in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        if os.path.exists(os.path.join(path, "cgroup.procs")):
            return path
    skip("no unified cgroup hierarchy")


def need():
    if os.geteuid() != 0:
        skip("needs root")
    if not os.access(HOST, os.X_OK):
        skip(f"{HOST} is not built")


def wait_for(what, timeout_s=10.0):
    end = time.monotonic() + timeout_s * SLOW
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.01)
    return None


_port = PORTS[0] + os.getpid() % 400


def free_port():
    global _port
    while True:
        _port += 1
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", _port))
                return _port
            except OSError:
                continue


class Cgroup:
    """A group of the unified hierarchy of our own, removed at exit."""

    def __init__(self, name):
        self.name = name
        self.path = os.path.join(unified(), name)
        os.mkdir(self.path)
        atexit.register(self.remove)

    def remove(self):
        for _ in range(100):
            try:
                os.rmdir(self.path)
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.02)

    def enter(self):
        with open(os.path.join(self.path, "cgroup.procs"), "w") as f:
            f.write("0")

    def sockets(self):
        """Context: what this thread's process makes inside belongs to the group."""
        return _Inside(self)


class Home(Cgroup):
    """Where this process was before: outside of every group of ours."""

    def __init__(self):
        with open("/proc/self/cgroup") as f:
            self.path = unified() + [l.split("::")[1].strip() for l in f if l.startswith("0::")][0]


class _Inside:
    def __init__(self, group):
        self.group = group

    def __enter__(self):
        self.back = Home()
        self.group.enter()

    def __exit__(self, *_):
        self.back.enter()


class Host:
    """The packet programs, by the test host."""

    def __init__(self):
        self.process = subprocess.Popen([HOST], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        atexit.register(self.end)

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(10 * SLOW)

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            skip("cannot count here: " + self.process.stderr.read().strip())
        return json.loads(answer)

    def do(self, line):
        answer = self.ask(line)
        if answer["code"]:
            raise RuntimeError(f"{line}: {answer['error']}")

    def read(self):
        return Counts(self.ask("print"))


class Counts:
    def __init__(self, answer):
        self.apis = {(a["service"], a["route"]): a for a in answer["apis"]}
        self.unseen = answer["unseen"]
        self.traffic = answer["traffic"]

    def less(self, before):
        """The growth since @before, by (service, route) and reason."""
        for key, now in self.apis.items():
            then = before.apis.get(key)
            if then:
                for field, value in now.items():
                    if isinstance(value, int) and field != "in_flight":
                        now[field] = value - then[field]
                now["responses"] = [a - b for a, b in zip(now["responses"], then["responses"])]
        for service, counts in self.unseen.items():
            for reason in counts:
                counts[reason] -= before.unseen.get(service, {}).get(reason, 0)
        return self

    def seen(self, service="s"):
        """What moved of a service, in short: {route: {field: count}}, {reason: count}."""
        fields = ("requests", "done", "aborted", "interim", "upgrades", "in_flight")
        apis = {}
        for (name, route), a in self.apis.items():
            moved = {f: a[f] for f in fields if a[f]}
            if any(a["responses"]):
                moved["responses"] = a["responses"]
            if name == service and moved:
                apis[route] = moved
        return apis, {k: v for k, v in self.unseen[service].items() if v and k != "bytes"}


class Nginx:
    """nginx in a group, with @locations inside its server block."""

    def __init__(self, group, locations, log=True, listen=None, workers=1):
        self.port = listen or free_port()
        self.dir = tempfile.mkdtemp(prefix="fsh-measure-")
        atexit.register(self.end)
        self.log = os.path.join(self.dir, "access.log")
        access = f"{self.log} plain buffer=64k flush=1s" if log else "off"
        temp = "".join(f"{k}_temp_path {self.dir}/{k};" for k in
                       ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(os.path.join(self.dir, "nginx.conf"), "w") as f:
            f.write(f"""daemon off; master_process on; worker_processes {workers};
error_log {self.dir}/error.log; pid {self.dir}/pid; user root;
events {{ worker_connections 512; }}
http {{ {temp} log_format plain '$request_method $uri $status $body_bytes_sent $request_length';
access_log {access}; keepalive_requests 1000000000;
server {{ listen 127.0.0.1:{self.port}; listen [::1]:{self.port}; {locations} }} }}
""")
        self.process = subprocess.Popen(["nginx", "-p", self.dir, "-c", self.dir + "/nginx.conf"],
                                        preexec_fn=group.enter, stderr=subprocess.DEVNULL)
        if not wait_for(self.answers):
            raise RuntimeError("nginx does not start: " + open(self.dir + "/error.log").read())

    def answers(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(10 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGTERM)
                self.process.wait(10 * SLOW)
        shutil.rmtree(self.dir, ignore_errors=True)


def wrk(url, seconds, connections=16, threads=1, script=None):
    """Runs wrk; returns (requests, requests a second, errors)."""
    command = ["wrk", "-t", str(threads), "-c", str(connections), "-d", f"{seconds}s"]
    if script:
        command += ["-s", script]
    text = subprocess.run(command + [url], stdout=subprocess.PIPE, text=True, check=True).stdout
    requests = rate = errors = 0
    for line in text.splitlines():
        word = line.split()
        if "requests in" in line:
            requests = int(word[0])
        elif line.startswith("Requests/sec"):
            rate = float(word[1])
        elif "Socket errors" in line or "Non-2xx" in line:
            errors += 1
    return requests, rate, errors
