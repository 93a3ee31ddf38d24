#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""test_measure_reload.py - policies that are read again, change or go: no request is lost or stays."""
import os
import socket
import threading
import time

from harness import IN_VM, World, cgroup_dirs, check, finish, free_port, need_root, read, wait_for

need_root()
w = World("measure-reload")
port = free_port(23000, 23900)
GET = b"GET /a HTTP/1.1\r\nHost: x\r\n"


def equal(name, got, want):
    return check(name, got == want, f"{got!r} instead of {want!r}")


def policy(ports=""):
    w.policy("web", f"version: 1\nservice: web\ntier: gold\nmatch: {{ cgroup: {w.group}/web{ports} }}\n"
                    "apis:\n  - route: GET /a\n")


def logged(nginx):
    with open(os.path.join(nginx.prefix, "access.log")) as f:
        return sum(1 for _ in f)


def unattributed():
    return {k: v for k, v in w.json("apis")["unattributed"].items() if v and k != "bytes"}


def load(until):
    """A connection a request."""
    while not until.is_set():
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(GET + b"Connection: close\r\n\r\n")
            while s.recv(1000):
                pass


def reloaded_under_load(nginx):
    """Each reload finds other ports in the policy, of which ours is one, or the same ones."""
    done = threading.Event()
    client = threading.Thread(target=load, args=(done,))
    client.start()
    ends, n = time.monotonic() + 6, 0
    while time.monotonic() < ends:
        policy(["", "", f", ports: [{port}]", f", ports: [1, {port}]", f", ports: [{port}, 2]"][n % 5])
        r = w.cli("reload")
        if r.returncode:
            check("the policies are reloaded", False, r.stdout + r.stderr)
        n += 1
    done.set()
    client.join()
    last = [0, 0]

    def settled():
        now = [w.apis("web")["GET /a"]["requests"], logged(nginx)]
        same = now == last and now[0]
        last[:] = now
        return same
    wait_for(settled, 10, 1.5)
    check(f"{n} reloads under {last[1]} connections: each request is counted",
          n >= (3 if IN_VM else 10) and last[0] == last[1] > (100 if IN_VM else 1000),
          f"{last[0]} counted of {last[1]}")
    check("and nothing is unattributed", not unattributed(), unattributed())


def web():
    return w.apis("web")["GET /a"]


def conversations(n):
    """Clients of this process's own cgroup, with servers in the service's."""
    own = read("/proc/self/cgroup").split("0::")[1].split("\n")[0]
    root = cgroup_dirs("/")["unified"]

    def enter(path):
        with open(os.path.join(root, path.lstrip("/"), "cgroup.procs"), "w") as f:
            f.write("0")
    enter(w.group + "/web")
    listener = socket.create_server(("127.0.0.1", 0))
    enter(own)
    with listener:
        clients = [socket.create_connection(listener.getsockname()) for _ in range(n)]
        return [(c, listener.accept()[0]) for c in clients]


def requested(talk):
    talk[0].sendall(GET + b"\r\n")
    talk[1].recv(1000)


def answered(talk):
    talk[1].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    talk[0].recv(1000)


def gone_under_way():
    """The policy goes while two requests wait, and comes back: one was closed, one goes on."""
    policy()
    w.cli("reload")
    ended, goes_on = conversations(2)
    before = web()
    for talk in (ended, goes_on):
        requested(talk)
    check("two wait", wait_for(lambda: web()["in_flight"] == 2), web())
    os.unlink(os.path.join(w.policies, "web.yaml"))
    w.cli("reload")
    check("the policy is gone", wait_for(lambda: not w.apis("web")), w.apis("web"))
    time.sleep(0.3)
    answered(ended)
    for s in ended:
        s.close()
    policy()
    w.cli("reload")
    check("back again, nothing waits", wait_for(lambda: w.apis("web") and web()["in_flight"] == 0),
          w.apis("web"))
    equal("its requests were aborted", web()["aborted"] - before["aborted"], 2)
    wait_for(lambda: w.service("web") and w.json("status")["services"][0]["cgroup"])
    time.sleep(1.5)
    answered(goes_on)
    for _ in range(2):
        requested(goes_on)
        answered(goes_on)
    requested(goes_on)
    check("a connection that goes on counts again", wait_for(lambda: web()["in_flight"] == 1), web())
    equal("and is not aborted for the time before", web()["aborted"] - before["aborted"], 2)
    for s in goes_on:
        s.close()


policy()
w.policy("other", f"version: 1\nservice: other\ntier: gold\nmatch: {{ cgroup: {w.group}/other }}\n")
w.start_agent()
nginx = w.nginx("web", port, "location / { return 200 ok; }")
wait_for(lambda: w.service("web") and w.apis("web"))
time.sleep(1.5)
reloaded_under_load(nginx)
gone_under_way()
w.stop_agent()
finish()
