#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""test_measure_reload.py - policies that are read again, change or go: no request is lost or stays."""
import os
import socket
import threading
import time

from harness import World, check, finish, free_port, need_root, read, wait_for

need_root()
w = World("measure-reload")
port = free_port(23000, 23900)
GET = b"GET /a HTTP/1.1\r\nHost: x\r\n"


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
          n >= 10 and last[0] == last[1] > 1000, f"{last[0]} counted of {last[1]}")
    check("and nothing is unattributed", not unattributed(), unattributed())


policy()
w.start_agent()
nginx = w.nginx("web", port, "location / { return 200 ok; }")
wait_for(lambda: w.service("web") and w.apis("web"))
time.sleep(1.5)
reloaded_under_load(nginx)
w.stop_agent()
finish()
