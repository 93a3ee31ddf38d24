#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Takes long.
"""test_measure_nginx.py - a real nginx under load: counts equal its own access log, nothing is dropped."""
import collections
import random
import struct

from measure_lib import *

need()
LOAD = os.path.join(BUILD, "tests", "system", "measure_load")
REQUESTS = int(os.environ.get("REQUESTS", "1000000"))
group = Cgroup(f"fsh-measure-nginx-{os.getpid()}")
host = Host()
for line in (f"attach {group.path}", f"service s {group.path} -", "route s GET /a/{id}",
             "route s GET /big", "route s POST /a/{id}", "route s * /static/*", "go"):
    host.do(line)
nginx = Nginx(group, """
    location /a/ { return 200 'hello'; }
    location /static/ { return 404; }
    location /moved { return 301 /a/1; }
    location /big { root /nonexistent; }""", workers=2)
ROUTES = ("GET /a/{id}", "GET /big", "POST /a/{id}", "* /static/*", "other")


def route_of(method, path):
    if path.startswith("/static/"):
        return ROUTES[3]
    if path.startswith("/a/") and path.count("/") == 2 and len(path) > 3 and method in ("GET", "POST"):
        return f"{method} /a/{{id}}"
    return "GET /big" if (method, path) == ("GET", "/big") else "other"


def logged():
    """What nginx wrote of its requests: {route: [requests, by class, length]}."""
    seen = collections.defaultdict(lambda: [0, collections.Counter(), 0])
    with open(nginx.log) as f:
        for line in f:
            method, path, status, _, length = line.split()
            of = seen[route_of(method, path)]
            of[0] += 1
            of[1][int(status) // 100] += 1
            of[2] += int(length)
    return dict(seen)


def whole_log(n):
    def size():
        return sum(x[0] for x in logged().values()) >= n
    wait_for(size, 15)
    return logged()


LUA = """
local paths = {"/a/1", "/a/22?x=1", "/static/deep/er", "/moved", "/a/", "/nothing?" .. string.rep("q", 600)}
local n = 0
request = function()
  n = n + 1
  local path = paths[n % #paths + 1]
  if n % 7 == 0 then
    return wrk.format("POST", "/a/5", {["Content-Type"] = "text/plain"}, string.rep("b", n % 3000))
  end
  return wrk.format(n % 11 == 0 and "DELETE" or "GET", path, {["X-Long"] = string.rep("v", n % 900)})
end
"""
def mixed_load():
    """Ends with requests under way, which nginx may never have read."""
    script = os.path.join(nginx.dir, "mixed.lua")
    with open(script, "w") as f:
        f.write(LUA)
    for address in ("127.0.0.1", "[::1]"):
        wrk(f"http://{address}:{nginx.port}", 2, 8, 1, script)


def exact_load():
    """Every request answered before the end, singly and ten at a time."""
    for depth, n in ((1, REQUESTS // 2), (10, REQUESTS - REQUESTS // 2 - 3), (7, 3)):
        subprocess.run([LOAD, str(nginx.port), "/a/1", "32", str(depth), str(n)], check=True)


def requests():
    return sum(a["requests"] for a in host.read().apis.values())


def compare(name, loose):
    """@loose: requests cut off at the end of the load are ours, and perhaps in the log."""
    wait_for(lambda: not any(a["in_flight"] for a in host.read().apis.values()))
    counts = host.read()
    log = whole_log(sum(a["requests"] - a["aborted"] for a in counts.apis.values()))
    for route in ROUTES:
        a = counts.apis[("s", route)]
        n, classes, length = log.get(route, [0, {}, 0])
        got = (a["requests"], a["bytes_in"], a["responses"][1:], a["in_flight"])
        want = (n, length, [classes.get(k, 0) for k in (2, 3, 4, 5)], 0)
        if loose:
            check(f"{name}: {route}", n <= got[0] <= n + a["aborted"] and got[3] == 0 and
                  all(w - a["aborted"] <= g <= w for g, w in zip(got[2], want[2])), (got, want))
        else:
            equal(f"{name}: {route}", got, want)
    left = {k: v for k, v in counts.unseen["s"].items() if v and k != "bytes"}
    equal(f"{name}: nothing unattributed", left, {})


def resets():
    """Requests whose client resets the connection at about the time of the answer."""
    before, end = host.read(), time.monotonic() + 3 * SLOW
    linger = struct.pack("ii", 1, 0)
    while time.monotonic() < end:
        with socket.create_connection(("127.0.0.1", nginx.port)) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            s.sendall(b"GET /a/1 HTTP/1.1\r\nHost: x\r\n\r\n" * random.choice((1, 1, 20)))
            reset_at = time.monotonic() + random.random() * 120e-6
            while time.monotonic() < reset_at:
                pass
    time.sleep(0.5)
    now = host.read().less(before)
    a = now.apis[("s", ROUTES[0])]
    check("reset while answered: some were, some were not", a["done"] > 100 and a["aborted"] > 100, a)
    equal("reset while answered: each request ends once", a["requests"], a["done"] + a["aborted"])
    equal("reset while answered: nothing unattributed", now.seen()[1], {})


def drops():
    """TCP's timeouts: a program that does not return 1 drops packets, and the sender waits."""
    with open("/proc/net/netstat") as f:
        lines = f.read().split("\n")
    return dict(zip(lines[0].split(), lines[1].split()))["TCPTimeouts"]


before = drops()
exact_load()
compare(f"{REQUESTS} requests", False)
mixed_load()
compare("mixed load", True)
resets()
check("no packet was dropped", int(drops()) - int(before) < 20, (before, drops()))
finish()
