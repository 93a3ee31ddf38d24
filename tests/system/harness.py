# SPDX-License-Identifier: GPL-2.0-or-later
"""harness.py - what system tests share: checks, an agent of their own, nginx in a cgroup, cleanup."""
import atexit
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FORESHAPE = os.environ.get("FORESHAPE", os.path.join(ROOT, "build", "foreshape"))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
IN_VM = bool(os.environ.get("FORESHAPE_VM"))
failures = 0


def check(name, ok, why=""):
    """Prints one line of the result and remembers a failure."""
    global failures
    if ok:
        print(f"ok {name}", flush=True)
    else:
        failures += 1
        print(f"not ok {name}: {why}", flush=True)
    return ok


def skip(why):
    print(why)
    sys.exit(77)


def finish():
    sys.exit(1 if failures else 0)


def need_root():
    if os.geteuid() != 0:
        skip("needs root")
    if not os.access(FORESHAPE, os.X_OK):
        skip(f"{FORESHAPE} is not built")


def wait_for(what, timeout_s=10.0, step_s=0.02):
    """Calls what() until it gives something true, and gives that; None after the time."""
    end = time.monotonic() + timeout_s * (5 if IN_VM else 1)
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(step_s)
    return None


def free_port(low, high):
    """A TCP port of [low, high) nobody listens on."""
    for port in range(low + os.getpid() % (high - low) // 2, high):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    skip(f"no free port in {low}..{high}")


def cgroup_dirs(path):
    """The directories of cgroup @path that exist, by controller ("unified" for v2)."""
    found = {}
    for line in open("/proc/self/mountinfo"):
        left, right = line.split(" - ")
        point, kind = left.split()[4], right.split()[0]
        options = right.split()[2].split(",")
        if kind == "cgroup2":
            names = ["unified"]
        elif kind == "cgroup":
            names = [o for o in options if o in ("cpu", "cpuacct", "memory", "blkio")]
        else:
            continue
        for name in names:
            if os.path.isdir(point + path):
                found.setdefault(name, point + path)
    return found


def read(path):
    with open(path) as f:
        return f.read().strip()


class World:
    """A temporary place with policies, a runtime directory and a history, gone at exit."""

    def __init__(self, name):
        self.dir = tempfile.mkdtemp(prefix=f"fsh-{name}-")
        os.chmod(self.dir, 0o755)
        self.policies = self.mkdir("policies.d")
        self.run = self.mkdir("run")
        self.db = os.path.join(self.mkdir("history"), "history.db")
        self.group = f"/fsh-{name}-{os.getpid()}"
        self.env = dict(os.environ, FORESHAPE_RUN=self.run, TZ="UTC")
        self.processes = []
        self.agent = None
        atexit.register(self.close)
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, lambda *_: sys.exit(1))

    def mkdir(self, name):
        path = os.path.join(self.dir, name)
        os.makedirs(path, mode=0o755, exist_ok=True)
        return path

    def policy(self, service, text, file=None):
        path = os.path.join(self.policies, file or f"{service}.yaml")
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o644)
        return path

    def shown(self, text, over):
        """The agent, which has to be in a mount namespace of its own, alone sees @text in the file @over."""
        path = os.path.join(self.dir, f"shown-{len(os.listdir(self.dir))}")
        with open(path, "w") as f:
            f.write(text + "\n")
        os.chmod(path, 0o644)
        return subprocess.run(["nsenter", "-t", str(self.agent.pid), "-m", "mount", "--bind", path, over],
                              capture_output=True, text=True)

    def events(self, kind):
        """Their texts in history, as they came."""
        with sqlite3.connect(f"file:{self.db}?mode=ro", uri=True) as db:
            return [text for text, in db.execute("SELECT text FROM event WHERE kind = ? ORDER BY id", (kind,))]

    def spawn(self, argv, **kw):
        kw.setdefault("env", self.env)
        kw.setdefault("stdin", subprocess.DEVNULL)
        p = subprocess.Popen(argv, **kw)
        self.processes.append(p)
        return p

    def start_agent(self, *options, wait=True):
        log = open(os.path.join(self.dir, "agent.log"), "a")
        self.agent = self.spawn(
            [FORESHAPE, "run", "--policies", self.policies, "--db", self.db, *options],
            stdout=log, stderr=log)
        if wait and not wait_for(lambda: self.json("status", quiet=True), 15):
            print(self.agent_log())
            check("the agent answers within 15 s", False, "no status")
            finish()
        return self.agent

    def agent_log(self):
        return read(os.path.join(self.dir, "agent.log"))

    def stop_agent(self, sig=signal.SIGTERM, timeout_s=20):
        self.agent.send_signal(sig)
        try:
            return self.agent.wait(timeout_s * (5 if IN_VM else 1))
        except subprocess.TimeoutExpired:
            self.agent.kill()
            self.agent.wait()
            return None

    def cli(self, *words, **kw):
        return subprocess.run([FORESHAPE, *words], env=self.env, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=kw.pop("timeout", 60), **kw)

    def json(self, *words, quiet=False):
        r = self.cli(*words, "--json")
        if r.returncode != 0:
            if not quiet:
                print(f"{words}: exit {r.returncode}: {r.stderr}")
            return None
        return json.loads(r.stdout)

    def service(self, name):
        """The status of service @name, or None."""
        status = self.json("status", quiet=True)
        return next((s for s in status["services"] if s["name"] == name), None) if status else None

    def apis(self, service):
        """route -> row of apis --json"""
        rows = self.json("apis", quiet=True)
        return {a["route"]: a for a in rows["apis"] if a["service"] == service} if rows else {}

    def exec_in(self, service, argv, **kw):
        kw.setdefault("stdout", subprocess.DEVNULL)
        return self.spawn([FORESHAPE, "exec", service, "--policies", self.policies, "--", *argv],
                          **kw)

    def nginx(self, service, port, locations, workers=1, log=True):
        """nginx in @service's cgroup; its access log is nginx.log of a folder of its own."""
        prefix = self.mkdir(f"nginx-{service}")
        conf = os.path.join(prefix, "nginx.conf")
        with open(conf, "w") as f:
            f.write(f"""daemon off; pid {prefix}/pid; error_log {prefix}/error.log; user root;
worker_processes {workers}; events {{ worker_connections 1024; }}
http {{ log_format m '$request_method $uri $status';
access_log {prefix + '/access.log m buffer=64k flush=1s' if log else 'off'};
keepalive_requests 100000000; client_body_temp_path {prefix}/b; proxy_temp_path {prefix}/p;
fastcgi_temp_path {prefix}/f; uwsgi_temp_path {prefix}/u; scgi_temp_path {prefix}/s;
server {{ listen 127.0.0.1:{port} reuseport; listen [::1]:{port} reuseport; {locations} }} }}
""")
        p = self.exec_in(service, ["/usr/sbin/nginx", "-p", prefix, "-c", conf])
        if not wait_for(lambda: self.connects(port), 10):
            print(read(os.path.join(prefix, "error.log")))
            check(f"nginx of {service} listens", False, f"port {port}")
            finish()
        p.prefix = prefix
        return p

    @staticmethod
    def connects(port):
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return True
        except OSError:
            return False

    def end(self, p, sig=signal.SIGTERM):
        if p.poll() is None:
            p.send_signal(sig)
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()

    def end_group(self, path=None):
        """Ends what still runs in our cgroups and removes them."""
        for where in cgroup_dirs(path or self.group).values():
            for base, _, _ in os.walk(where, topdown=False):
                for pid in read(os.path.join(base, "cgroup.procs")).split():
                    try:
                        os.kill(int(pid), signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                wait_for(lambda b=base: not read(os.path.join(b, "cgroup.procs")), 2)
                try:
                    os.rmdir(base)
                except OSError:
                    pass

    def close(self):
        for p in reversed(self.processes):
            self.end(p)
        self.end_group()
        for name in ("waiter.pid",):
            path = os.path.join(self.run, name)
            if os.path.exists(path):
                try:
                    os.kill(int(read(path)), signal.SIGKILL)
                except (ProcessLookupError, ValueError):
                    pass
        shutil.rmtree(self.dir, ignore_errors=True)
