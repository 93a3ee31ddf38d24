# SPDX-License-Identifier: GPL-2.0-or-later
"""measure_wire.py - a TCP client in user space on a TUN device: sends any segment, at any time, again."""
import ctypes
import fcntl
import os
import select
import socket
import struct
import subprocess
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454ca
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Tun:
    """This process goes to a network namespace of its own, with a device whose far end we play."""

    def __init__(self):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        self.fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", b"fsh0", IFF_TUN | IFF_NO_PI))
        for command in ("link set lo up", "link set fsh0 up", "address add 10.99.0.1/24 dev fsh0",
                        "address add fd99::1/64 dev fsh0 nodad"):
            subprocess.run(["ip"] + command.split(), check=True)


class Wire:
    """One connection from 10.99.0.2 (fd99::2 with @v6; @extension: behind an extension header)."""

    def __init__(self, tun, listener, port, v6=False, extension=False, start=1000, early=b""):
        self.tun, self.v6, self.extension, self.port = tun, v6, extension, port
        self.far = listener.getsockname()[1]
        self.acked = 0
        self.acking = True
        self.received = {}
        self.base = start + 1
        self.packet(start, 0, SYN)
        end = time.monotonic() + 2
        while not self.acked and time.monotonic() < end:
            self.poll(0.1)
        self.packet(self.base, self.acked, ACK, early)
        self.server, _ = listener.accept()
        self.server.settimeout(5)
        self.server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def packet(self, seq, ack, flags, data=b""):
        tcp = struct.pack("!HHIIBBHHH", self.port, self.far, seq & 0xffffffff, ack & 0xffffffff,
                          5 << 4, flags, 65000, 0, 0) + data
        if self.v6:
            a, b = (socket.inet_pton(socket.AF_INET6, x) for x in ("fd99::2", "fd99::1"))
            pseudo = a + b + struct.pack("!II", len(tcp), 6)
        else:
            a, b = (socket.inet_aton(x) for x in ("10.99.0.2", "10.99.0.1"))
            pseudo = a + b + struct.pack("!BBH", 0, 6, len(tcp))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
        if self.v6:
            options = struct.pack("!BBBB4x", 6, 0, 1, 4) if self.extension else b""
            ip = struct.pack("!IHBB", 6 << 28, len(options + tcp), 60 if options else 6, 64) + a + b
            tcp = options + tcp
        else:
            ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + a + b
            ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        os.write(self.tun.fd, ip + tcp)

    def poll(self, timeout_s=0.0):
        """Takes in what the far end sent; acknowledges it unless told not to."""
        while select.select([self.tun.fd], [], [], timeout_s)[0]:
            timeout_s = 0
            raw = os.read(self.tun.fd, 65536)
            if raw[0] >> 4 == 4:
                tcp = raw[(raw[0] & 15) * 4:] if raw[9] == 6 else b""
            else:
                tcp = raw[40:] if raw[6] == 6 else b""
            if len(tcp) < 20 or struct.unpack("!H", tcp[2:4])[0] != self.port:
                continue
            seq, flags = struct.unpack("!I", tcp[4:8])[0], tcp[13]
            data = tcp[(tcp[12] >> 4) * 4:]
            if data:
                self.received.setdefault(seq, []).append(data)
            end = seq + len(data) + bool(flags & SYN) + bool(flags & FIN)
            if (end - self.acked) & 0xffffffff < 1 << 31 or not self.acked:
                if self.acking or flags & SYN:
                    self.acked = end & 0xffffffff
            if data and self.acking:
                self.packet(self.base, self.acked, ACK)

    def send(self, offset, data, flags=ACK | PSH):
        """A segment with the stream's bytes from @offset on."""
        self.packet(self.base + offset, self.acked, flags, data)

    def read(self, n):
        """The server reads @n bytes."""
        data = b""
        while len(data) < n:
            data += self.server.recv(n - len(data))
        return data

    def answer(self, data):
        self.server.sendall(data)
        self.poll(0.05)

    def reset(self, n):
        self.packet(self.base + n, self.acked, RST | ACK)
        self.server.close()
