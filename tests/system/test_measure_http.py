#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""test_measure_http.py - every shape of HTTP/1 on a socket, counted as worked out by hand."""
import socket

from measure_lib import *

need()
group = Cgroup(f"fsh-measure-http-{os.getpid()}")
other_group = Cgroup(f"fsh-measure-other-{os.getpid()}")
home = Home()
host = Host()
for line in (f"attach {group.path}", f"service s {group.path} -", "route s GET /a",
             "route s POST /b", "route s * /c/{id}", "route s GET /long/*", "route s HEAD /a",
             "route s GET /u/{id}", "route s GET /u/{id}/orders", "go"):
    host.do(line)

A = "GET /a"
B = "POST /b"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Pair:
    """Both ends of a connection: the server's in the group, the client's not."""

    def __init__(self, family=socket.AF_INET, inside=None, client_in=None, defer=False):
        address = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        with (inside or group).sockets():
            self.listener = socket.socket(family)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if defer:
                self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
            self.listener.bind((address, free_port()))
            self.listener.listen(8)
        with (client_in or home).sockets():
            self.client = socket.socket(family)
        self.client.connect(self.listener.getsockname()[:2])
        self.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.deferred = defer
        self.server = None if defer else self.accept()

    def accept(self):
        server, _ = self.listener.accept()
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.settimeout(5 * SLOW)
        self.client.settimeout(5 * SLOW)
        return server

    @staticmethod
    def move(a, b, data):
        a.sendall(data)
        n = 0
        while n < len(data):
            n += len(b.recv(1 << 16))

    def ask(self, *pieces):
        """The client sends, piece by piece, each read before the next."""
        for piece in pieces:
            if self.server is None:
                self.client.sendall(piece)
                self.server = self.accept()
                assert self.server.recv(1 << 16) == piece
            else:
                self.move(self.client, self.server, piece)
        return self

    def answer(self, *pieces):
        for piece in pieces:
            self.move(self.server, self.client, piece)
        return self

    def close(self):
        self.server.close()
        self.client.close()
        self.listener.close()


def each_byte(data):
    return [data[i:i + 1] for i in range(len(data))]


def case(name, talk, apis, unseen=None, **kind):
    """Runs @talk on a new connection; @apis and @unseen are what must have moved, while it is open."""
    before = host.read()
    pair = Pair(**kind)
    talk(pair)
    equal(name, host.read().less(before).seen(), (apis, unseen or {}))
    pair.close()


def done(n=1, responses=None, **more):
    return dict({"requests": n, "done": n, "responses": responses or [0, n, 0, 0, 0]}, **more)


def get(path=b"/a", method=b"GET", headers=b""):
    return method + b" " + path + b" HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n"


def post(body, path=b"/b"):
    return get(path, b"POST", b"Content-Length: %d\r\n" % len(body)) + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"5\r\nhello\r\n1a;x=y\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nTrail: er\r\n\r\n"

case("one request", lambda p: p.ask(get()).answer(OK), {A: done()})
case("keep-alive", lambda p: [p.ask(get()).answer(OK) for _ in range(5)], {A: done(5)})
case("IPv6", lambda p: [p.ask(get()).answer(OK) for _ in range(3)], {A: done(3)},
     family=socket.AF_INET6)
case("in flight until answered", lambda p: p.ask(get()), {A: {"requests": 1, "in_flight": 1}})
case("ten pipelined requests in one packet", lambda p: p.ask(get() * 10).answer(OK * 10),
     {A: done(10)})
case("pipelined, answered one by one", lambda p: p.ask(get() * 10).answer(*[OK] * 10),
     {A: done(10)})
case("two pipelined, the second cut", lambda p: p.ask(get() + get()[:9], get()[9:]).answer(OK, OK),
     {A: done(2)})
case("request byte by byte", lambda p: p.ask(*each_byte(get())).answer(OK), {A: done()})
case("response byte by byte", lambda p: p.ask(get()).answer(*each_byte(OK)), {A: done()})
case("keep-alive byte by byte both ways",
     lambda p: [p.ask(*each_byte(post(b"GET /a HTTP/1.1\r\n\r\n"))).answer(*each_byte(OK))
                for _ in range(2)], {B: done(2)})
case("several spaces", lambda p: p.ask(b"GET  /a HTTP/1.1\r\n\r\n").answer(OK)
     .ask(b"GET /a   HTTP/1.1\r\n\r\n").answer(OK).ask(b"GET   /a?x  HTTP/1.1\r\n\r\n" + get())
     .answer(OK * 2), {A: done(4)})
case("path of 8 KiB", lambda p: p.ask(get(b"/long/" + b"x" * 8192)).answer(OK),
     {"GET /long/*": done()})
case("path of 30 KiB in pieces",
     lambda p: p.ask(*[get(b"/long/" + b"x" * 30000)[i:i + 1000] for i in range(0, 31000, 1000)])
     .answer(OK), {"GET /long/*": done()})
case("paths of 120 to 300 bytes, each to its end", lambda p: [
    p.ask(get(b"/u/" + b"i" * (n - 3 - len(tail)) + tail)).answer(OK)
    for n in range(120, 301) for tail in (b"", b"/orders", b"/none")],
    {"GET /u/{id}": done(181), "GET /u/{id}/orders": done(181), "other": done(181)})
case("path that goes on behind a route", lambda p: p.ask(get(b"/a/")).answer(OK), {"other": done()})
case("query string", lambda p: p.ask(get(b"/a?x=/c/1#y")).answer(OK), {A: done()})
case("long query string", lambda p: p.ask(get(b"/a?" + b"q" * 3000)).answer(OK), {A: done()})
case("segment", lambda p: p.ask(get(b"/c/42")).answer(OK), {"* /c/{id}": done()})
case("segment by another method", lambda p: p.ask(get(b"/c/42", b"PURGE")).answer(OK),
     {"* /c/{id}": done()})
case("method not of the route", lambda p: p.ask(get(b"/a", b"DELETE")).answer(OK),
     {"other": done()})
case("whole URL as target", lambda p: p.ask(get(b"http://example.org/a")).answer(OK), {A: done()})
case("OPTIONS *", lambda p: p.ask(get(b"*", b"OPTIONS")).answer(OK), {"other": done()})
case("empty lines before a request", lambda p: p.ask(b"\r\n\r\n" + get()).answer(OK), {A: done()})
case("many headers", lambda p: p.ask(get(headers=b"".join(
    b"X-Header-%d: %s\r\n" % (i, b"v" * 50) for i in range(100)))).answer(OK), {A: done()})
case("header names that begin alike", lambda p: p.ask(get(
    headers=b"Content-Type: a\r\nTransfer-Encodin: chunked\r\nContent-Length-X: 9\r\n"
            b"Connection: keep-alive\r\nTE: trailers\r\n") * 2).answer(OK * 2), {A: done(2)})

case("paths of one length in turn", lambda p: [p.ask(get(b"/a" if i % 3 else b"/x")).answer(OK)
                                               for i in range(30)], {A: done(20), "other": done(10)})
case("requests of every length, each twice", lambda p: [
    p.ask(get(headers=b"X: %s\r\n" % (b"p" * n))).answer(OK).ask(get(headers=b"X: %s\r\n" % (
        b"p" * n))).answer(OK) for n in range(0, 540, 3)], {A: done(360)})
case("a body's length at every place", lambda p: [
    p.ask(get(headers=b"X: %s\r\nContent-Length: 4\r\n" % (b"p" * n)) + b"\r\n\r\n").answer(OK)
    for n in range(0, 540, 7)], {A: done(78)})
case("responses of every length", lambda p: [p.ask(get()).answer(
    b"HTTP/1.1 200 OK\r\nX: y\r\ncontent-length: %d\r\nServer: x\r\n\r\n" % n + b"b" * n)
    for n in range(0, 600, 7)], {A: done(86)})
case("body with a length", lambda p: p.ask(post(b"x" * 100)).answer(OK), {B: done()})
case("body in its own packet", lambda p: p.ask(post(b"")[:-2].replace(b": 0", b": 19") + b"\r\n",
                                               b"GET /a HTTP/1.1\r\n\r\n").answer(OK), {B: done()})
case("body that looks like requests, then one",
     lambda p: p.ask(post(get() * 3) + get()).answer(OK + OK), {A: done(), B: done()})
case("body of 1 MiB", lambda p: p.ask(get(b"/b", b"POST", b"Content-Length: 1048576\r\n"),
                                      *[b"y" * 65536] * 16).answer(OK), {B: done()})
case("GET with a body", lambda p: p.ask(get(headers=b"content-length: 20\r\n") +
                                        b"GET /a HTTP/1.1\r\n\r\nx").answer(OK), {A: done()})
case("chunked request", lambda p: p.ask(get(b"/b", b"POST", CHUNKED) + CHUNKS + get())
     .answer(OK, OK), {A: done(), B: done()})
case("chunked request byte by byte",
     lambda p: p.ask(*each_byte(get(b"/b", b"POST", CHUNKED) + CHUNKS)).answer(OK), {B: done()})
case("chunked response", lambda p: [p.ask(get()).answer(b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n" +
                                                        CHUNKS) for _ in range(3)], {A: done(3)})
case("chunked response byte by byte", lambda p: p.ask(get()).answer(*each_byte(
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, Chunked\r\n\r\n" + CHUNKS)), {A: done()})
case("chunked response, half of it",
     lambda p: p.ask(get()).answer(b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n5\r\nhel"),
     {A: {"requests": 1, "in_flight": 1, "responses": [0, 1, 0, 0, 0]}})
case("response of 1 MiB", lambda p: [p.ask(get()).answer(
    b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n", *[b"z" * 65536] * 16)
    for _ in range(2)], {A: done(2)})
case("HEAD", lambda p: [p.ask(get(method=b"HEAD")).answer(
    b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n") for _ in range(3)], {"HEAD /a": done(3)})
case("204 and 304", lambda p: p.ask(get()).answer(b"HTTP/1.1 204 No Content\r\n\r\n").ask(get())
     .answer(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n").ask(get()).answer(OK),
     {A: done(3, [0, 2, 1, 0, 0])})
case("status classes", lambda p: [p.ask(get()).answer(OK.replace(b"200", s))
                                  for s in (b"201", b"301", b"404", b"503", b"500", b"204")[:5]],
     {A: done(5, [0, 1, 1, 1, 2])})
case("100 Continue", lambda p: p.ask(post(b"xy", b"/b")[:-2]).answer(
    b"HTTP/1.1 100 Continue\r\n\r\n").ask(b"xy").answer(OK), {B: done(interim=1)})
case("100 Continue with the response", lambda p: p.ask(post(b"xy")).answer(
    b"HTTP/1.1 100 Continue\r\n\r\n" + OK), {B: done(interim=1)})
case("103 Early Hints", lambda p: p.ask(get()).answer(
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", OK), {A: done(interim=1)})


def upgraded(p):
    p.ask(get(headers=b"Upgrade: websocket\r\nConnection: upgrade\r\n"))
    p.answer(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
    p.ask(b"GET /a HTTP/1.1\r\n\r\n").answer(b"12345")


case("upgrade", upgraded, {A: done(responses=[1, 0, 0, 0, 0], upgrades=1)}, {"upgraded_bytes": 24})
case("CONNECT", lambda p: p.ask(get(b"host:443", b"CONNECT")).answer(
    b"HTTP/1.1 200 OK\r\n\r\n").ask(b"\x16\x03\x01").answer(b"\x16\x03"),
    {"other": done(upgrades=1)}, {"upgraded_bytes": 5})


def close_delimited(p):
    p.ask(get(headers=b"Connection: close\r\n"))
    p.answer(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"body", b"more")
    equal("until close: not done before", host.read().apis[("s", A)]["in_flight"], 1)
    p.server.close()
    p.client.recv(1)


case("body until close", close_delimited, {A: done()})


def aborted_by_server(p):
    p.ask(get() * 3).answer(OK)
    p.server.close()
    p.client.recv(1)


def aborted_by_client(p):
    p.ask(get())
    p.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    p.client.close()
    try:
        p.server.recv(1)
    except ConnectionResetError:
        pass


case("closed with two waiting", aborted_by_server,
     {A: {"requests": 3, "done": 1, "aborted": 2, "responses": [0, 1, 0, 0, 0]}})
case("reset by the client", aborted_by_client, {A: {"requests": 1, "aborted": 1}})
case("closed in a body", lambda p: (p.ask(get()).answer(OK[:-1]), p.server.close(), p.client.recv(1)),
     {A: {"requests": 1, "aborted": 1, "responses": [0, 1, 0, 0, 0]}})
case("client half closed, then answered", lambda p: (
    p.ask(get()), p.client.shutdown(socket.SHUT_WR), p.server.recv(1), p.answer(OK)), {A: done()})

case("TLS", lambda p: p.ask(b"\x16\x03\x01\x02\x00\x01", b"\x00" * 50).answer(b"\x16\x03\x03"),
     {}, {"tls": 1})
case("HTTP/2 in clear", lambda p: p.ask(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 9), {},
     {"http2": 1})
case("another protocol", lambda p: p.ask(b"\x00\x01binary").answer(b"+OK\r\n"), {},
     {"unknown_protocol": 1})
case("a verb of another protocol", lambda p: p.ask(b"SET x 1\r\n", b"GET x\r\n").answer(b"+OK\r\n"),
     {}, {"unknown_protocol": 1})
case("the server speaks first", lambda p: p.answer(b"220 mail\r\n").ask(b"EHLO x\r\n"), {},
     {"unknown_protocol": 1})
case("rubbish after a request", lambda p: p.ask(get()).answer(OK).ask(b"\x01\x02\x03"), {A: done()},
     {"bad_request": 1})
case("a request after rubbish", lambda p: p.ask(get()).answer(OK).ask(b"\x01\x02\x03").ask(get())
     .answer(OK), {A: done(2)}, {"bad_request": 1, "resync": 1})
case("no response but other words", lambda p: p.ask(get()).answer(b"what?"),
     {A: {"requests": 1, "in_flight": 1}}, {"bad_response": 1})
case("client of the same service", lambda p: [p.ask(get()).answer(OK) for _ in range(3)], {},
     {"internal": 3, "client_side": 1}, client_in=group)
case("client of the same service, IPv6", lambda p: [p.ask(get()).answer(OK) for _ in range(2)], {},
     {"internal": 2, "client_side": 1}, client_in=group, family=socket.AF_INET6)
case("server elsewhere", lambda p: p.ask(get()).answer(OK), {}, {"client_side": 1},
     inside=other_group, client_in=group)
case("data with the handshake", lambda p: p.ask(get()).answer(OK).ask(get()).answer(OK),
     {A: done(2)}, defer=True)
case("a body's 9 KB with the handshake", lambda p: p.ask(post(b"x" * 9000)).answer(OK).ask(get())
     .answer(OK), {A: done(), B: done()}, defer=True)
case("half a body with the handshake", lambda p: p.ask(post(b"x" * 9000)[:5000],
                                                        post(b"x" * 9000)[5000:] + get())
     .answer(OK * 2), {A: done(), B: done()}, defer=True)
case("a long chunk with the handshake", lambda p: p.ask(
    get(b"/b", b"POST", CHUNKED) + b"1770\r\n" + b"x" * 6000, b"\r\n0\r\n\r\n" + get())
     .answer(OK * 2), {A: done(), B: done()}, defer=True)
case("a long head with the handshake, then a request", lambda p: p.ask(get(b"/a?" + b"q" * 5000))
     .answer(OK).ask(get()).answer(OK), {A: done()}, {"gap": 1, "unexpected_response": 1, "resync": 2},
     defer=True)
case("sixty-four pipelined", lambda p: p.ask(get() * 64).answer(OK * 64),
     {A: done(32)}, {"pipeline_full": 32})
case("sixty-four pipelined, then more", lambda p: p.ask(get() * 64).answer(OK * 64).ask(get())
     .answer(OK), {A: done(33)}, {"pipeline_full": 32})

HEAD_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
case("forty HEADs pipelined, then more", lambda p: p.ask(get(method=b"HEAD") * 40)
     .answer(HEAD_OK * 40).ask(get()).answer(OK).ask(get()).answer(OK),
     {"HEAD /a": done(32), A: done(2)}, {"pipeline_full": 8})
case("HEAD and GET in turn, two hundred, twice", lambda p: [
    p.ask((get(method=b"HEAD") + get() * 2) * 70).answer((HEAD_OK + OK * 2) * 70).ask(get())
    .answer(OK) for _ in range(2)],
    {"HEAD /a": done(22), A: done(44)}, {"pipeline_full": 356})


def bytes_and_times():
    before = host.read()
    p = Pair()
    p.ask(get())
    time.sleep(0.2)
    p.answer(OK[:10])
    time.sleep(0.3)
    p.answer(OK[10:])
    p.ask(*each_byte(post(b"x" * 100))).answer(OK)
    now = host.read()
    a, b = now.apis[("s", A)], now.apis[("s", B)]
    a0, b0 = before.apis[("s", A)], before.apis[("s", B)]
    equal("bytes in", (a["bytes_in"] - a0["bytes_in"], b["bytes_in"] - b0["bytes_in"]),
          (len(get()), len(post(b"x" * 100))))
    equal("bytes out", (a["bytes_out"] - a0["bytes_out"], b["bytes_out"] - b0["bytes_out"]),
          (len(OK), len(OK)))
    check("first byte after 0.2 s", 195e3 < now.apis[("s", A)]["ttfb_us"]["max"] < 200e3 + SLOW * 100e3,
          a["ttfb_us"])
    check("last byte after 0.5 s", 490e3 < now.apis[("s", A)]["total_us"]["max"] < 500e3 + SLOW * 100e3,
          a["total_us"])
    p.close()


bytes_and_times()
finish()
