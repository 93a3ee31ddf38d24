#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""test_measure_order.py - retransmitted, reordered and overlapping segments change no count."""
from measure_lib import *
from measure_wire import *

need()
if not os.path.exists("/dev/net/tun"):
    skip("no /dev/net/tun")
group = Cgroup(f"fsh-measure-order-{os.getpid()}")
host = Host()
for line in (f"attach {group.path}", f"service s {group.path} -", "route s GET /a",
             "route s POST /b", "go"):
    host.do(line)
tun = Tun()
with group.sockets():
    listener, listener6, deferred = (socket.socket(f) for f in
                                     (socket.AF_INET, socket.AF_INET6, socket.AF_INET))
    deferred.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
    listener.bind(("10.99.0.1", 21990))
    deferred.bind(("10.99.0.1", 21991))
    listener6.bind(("fd99::1", 21990))
    for l in (listener, listener6, deferred):
        l.listen(64)
ports = iter(range(40000, 50000))
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
BODY = bytes(range(256)) * 40
POST = b"POST /b HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + \
    b"".join(b"%x\r\n%s\r\n" % (n, b"c" * n) for n in (700, 1, 300, 900)) + b"0\r\n\r\n"
A, B = "GET /a", "POST /b"


def pieces(data, size):
    return [(i, data[i:i + size]) for i in range(0, len(data), size)]


def case(name, stream, segments, responses, apis, unseen=None, v6=False, bytes_in=None, **kind):
    """Sends @segments of @stream, answers, and compares what moved; byte counts as well."""
    before = host.read()
    w = Wire(tun, listener6 if v6 else listener, next(ports), v6=v6, **kind)
    for offset, data in segments:
        w.send(offset, data)
    w.read(len(stream))
    for r in responses:
        w.answer(r)
    now = host.read().less(before)
    equal(name, now.seen(), (apis, unseen or {}))
    counted = sum(a["bytes_in"] for a in now.apis.values())
    equal(name + ", bytes in", counted, len(stream) if bytes_in is None else bytes_in)
    equal(name + ", bytes out", sum(a["bytes_out"] for a in now.apis.values()),
          sum(len(r) for r in responses))
    w.reset(len(stream))


def done(n=1):
    return {"requests": n, "done": n, "responses": [0, n, 0, 0, 0]}


case("in order", GET, [(0, GET)], [OK], {A: done()})
case("sent twice", GET, [(0, GET), (0, GET)], [OK], {A: done()})
case("pieces sent twice", GET, pieces(GET, 5) + pieces(GET, 5), [OK], {A: done()})
case("each piece at once again", GET, [p for p in pieces(GET, 5) for _ in (1, 2)], [OK],
     {A: done()})
case("overlapping pieces", GET, [(i, GET[i:i + 9]) for i in range(0, len(GET), 4)], [OK],
     {A: done()})
case("head in reverse", GET, pieces(GET, 7)[::-1], [OK], {A: done()})
case("two pieces swapped", GET, [(10, GET[10:]), (0, GET[:10])], [OK], {A: done()})
case("second request first", GET * 2, [(len(GET), GET), (0, GET)], [OK + OK], {A: done(2)})
case("first lost, then all again", GET * 3,
     [(len(GET), GET), (2 * len(GET), GET), (0, GET), (len(GET), GET)], [OK * 3], {A: done(3)})
case("a longer segment fills the hole and more", GET * 2,
     [(len(GET), GET), (0, GET + GET[:11])], [OK * 2], {A: done(2)})
case("body in reverse", POST + GET, [(0, POST[:100])] + pieces(POST + GET, 100)[:0:-1], [OK, OK],
     {A: done(), B: done()})
case("body reordered, next request among it", POST + GET,
     [(0, POST[:200]), (5000, (POST + GET)[5000:]), (200, POST[200:5000])], [OK, OK],
     {A: done(), B: done()})
case("body sent twice", POST + GET, pieces(POST + GET, 999) + pieces(POST + GET, 999), [OK, OK],
     {A: done(), B: done()})
case("a body in one long piece, before its head", POST, [(100, POST[100:]), (0, POST[:100])],
     [OK], {B: done()})
case("long pieces in reverse", POST + GET, pieces(POST + GET, 5100)[::-1], [OK, OK],
     {A: done(), B: done()})
SWAPPED = pieces(CHUNKED + GET, 400)
SWAPPED[1:5] = [SWAPPED[2], SWAPPED[1], SWAPPED[4], SWAPPED[3]]
case("chunks reordered", CHUNKED + GET, SWAPPED, [OK, OK], {A: done(), B: done()})
case("sequence numbers that wrap", POST + GET, pieces(POST + GET, 500), [OK, OK],
     {A: done(), B: done()}, start=0xffffff00)
case("wrap, in reverse", GET, pieces(GET, 7)[::-1], [OK], {A: done()}, start=0xfffffffa)
case("IPv6 in reverse", GET, pieces(GET, 7)[::-1], [OK], {A: done()}, v6=True)
case("IPv6 extension header", GET, [(0, GET)], [OK], {A: done()}, v6=True, extension=True)
case("data on the handshake's last packet", GET, [(0, GET)], [OK], {A: done()}, early=GET)


def lost_for_good():
    """More out of order than is kept: counted as a gap, and the next request is found again."""
    stream = b"".join(b"GET /a HTTP/1.1\r\nX: %s\r\n\r\n" % (b"x" * 500) for _ in range(10))
    n = len(stream) // 10
    before = host.read()
    w = Wire(tun, listener, next(ports))
    for i in list(range(1, 10)) + [0]:
        w.send(i * n, stream[i * n:(i + 1) * n])
    w.read(len(stream))
    w.answer(OK * 10)
    w.send(len(stream), GET)
    w.read(len(GET))
    w.answer(OK)
    apis, unseen = host.read().less(before).seen()
    check("more holes than are kept are counted", unseen.get("gap") == 1 and unseen.get("resync"),
          unseen)
    check("and requests behind them are found", apis[A]["requests"] >= 5, apis)
    w.reset(len(stream) + len(GET))


def retransmitted_response():
    before = host.read()
    w = Wire(tun, listener, next(ports))
    w.send(0, GET)
    w.read(len(GET))
    w.acking = False
    w.answer(OK)
    ends = time.monotonic() + 3
    while max(map(len, w.received.values())) < 3 and time.monotonic() < ends:
        w.poll(0.1)
    sent = max(map(len, w.received.values()))
    now = host.read().less(before)
    equal("a response sent again", (sent >= 3, now.seen()), (True, ({A: done()}, {})))
    equal("a response sent again, bytes out", now.apis[("s", A)]["bytes_out"], len(OK))
    w.reset(len(GET))


def early_data_deferred():
    before = host.read()
    w = Wire(tun, deferred, next(ports), early=GET)
    w.read(len(GET))
    w.answer(OK)
    equal("data before the socket", host.read().less(before).seen(), ({A: done()}, {}))
    w.reset(len(GET))


lost_for_good()
retransmitted_response()
early_data_deferred()
finish()
