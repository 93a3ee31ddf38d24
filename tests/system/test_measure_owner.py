#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""test_measure_owner.py - whose requests: nested groups, ports, services that appear, older connections."""
import time

from measure_lib import *

need()
outer = Cgroup(f"fsh-measure-owner-{os.getpid()}")
inner = Cgroup(outer.name + "/inner")
leaf = Cgroup(inner.name + "/leaf")
twin = Cgroup(f"fsh-measure-twin-{os.getpid()}")
host = Host()
PORT_A, PORT_B = free_port(), free_port()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"


class Talk:
    """A server in a group and a client outside (or in @client_in)."""

    def __init__(self, group, port=None, client_in=None):
        with group.sockets():
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(("127.0.0.1", port or free_port()))
            self.listener.listen()
        with (client_in or Home()).sockets():
            self.client = socket.socket()
        self.client.connect(self.listener.getsockname())
        self.server, _ = self.listener.accept()

    def turn(self, n=1):
        for _ in range(n):
            self.client.sendall(GET)
            assert self.server.recv(4096) == GET
            self.server.sendall(OK)
            assert self.client.recv(4096) == OK
        return self

    def close(self):
        for s in (self.client, self.server, self.listener):
            s.close()


def counted(service):
    return host.read().seen(service)


def done(n):
    return {"GET /a": {"requests": n, "done": n, "responses": [0, n, 0, 0, 0]}}


for line in (f"attach {outer.path}", f"attach {twin.path}", f"service out {outer.path} -",
             "route out GET /a", f"service in {inner.path} -", "route in GET /a",
             f"service ports {twin.path} {PORT_A}", "route ports GET /a"):
    host.do(line)
waiting = Talk(leaf)
old = Talk(leaf).turn(2)
time.sleep(0.3)  # its last acknowledgement is not to be the first packet that is counted
host.do("go")

equal("nothing before owners are known", [counted(s) for s in ("out", "in")], [({}, {})] * 2)
for talk in (Talk(outer).turn(3), Talk(inner).turn(5), Talk(leaf).turn(7)):
    talk.close()
equal("nearest owner: the outer group's own", counted("out"), (done(3), {}))
equal("nearest owner: the inner group and below, once each", counted("in"), (done(12), {}))

old.turn(3)
equal("a connection older than the counting goes on at its next request", counted("in"),
      (done(15), {"older_connection": 1, "resync": 2}))
waiting.turn(1)
equal("one that had not said anything is no older one", counted("in"),
      (done(16), {"older_connection": 1, "resync": 2}))

Talk(twin, PORT_A).turn(4).close()
Talk(twin, PORT_B).turn(2).close()
equal("ports of the policy count, others are named", counted("ports"), (done(4), {"other_port": 1}))

Talk(inner, client_in=leaf).turn(2).close()
seen = counted("in")
equal("a client below the same owner is internal", seen[1].get("internal"), 2)
equal("and in no API", seen[0], done(16))
Talk(inner, client_in=outer).turn(2).close()
equal("a client of the outer service is another's", counted("in")[0], done(18))

long_lived = Talk(outer).turn(1)
for line in (f"service late {outer.path} -", "route late GET /a", "go"):
    host.do(line)
long_lived.turn(2)
equal("a connection changes its owner with the policies", (counted("out")[0], counted("late")[0]),
      (done(4), done(2)))

pending, cut = Talk(outer), Talk(outer)
for talk in (pending, cut):
    talk.client.sendall(GET)
    talk.server.recv(4096)
equal("two wait for their response", counted("late")[0]["GET /a"]["in_flight"], 2)
host.do("gone late")
pending.client.sendall(GET)
pending.server.recv(4096)
pending.server.sendall(OK * 2)
pending.client.recv(4096)
cut.close()
aborted = {"GET /a": {"requests": 4, "done": 2, "aborted": 2, "responses": [0, 2, 0, 0, 0]}}
equal("what waits when the owner goes is aborted", counted("late")[0], aborted)
host.do("go")
pending.turn(1)
seen = counted("late")
equal("a connection that comes back has nothing pending", (seen[0]["GET /a"].get("in_flight"),
      seen[0]["GET /a"]["aborted"], seen[1]["older_connection"]), (None, 2, 1))
pending.close()

before = host.read().traffic["late"]
host.do("priority late 0x10003")
long_lived.turn(1)
after = host.read().traffic["late"]
# A request and its response, each with 20 bytes IP and 32 bytes TCP header; acknowledgements besides.
check("traffic has headers and all", after["bytes_in"] - before["bytes_in"] >= len(GET) + 52 and
      after["bytes_out"] - before["bytes_out"] >= len(OK) + 52, (before, after))
finish()
