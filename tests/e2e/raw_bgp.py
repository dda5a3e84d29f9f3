# SPDX-License-Identifier: BSD-2-Clause
"""A BGP router that is nothing but octets: one that can say what no speaker says, and as fast as a socket takes it."""
import contextlib
import ctypes
import os
import socket
import struct

CLONE_NEWNET = 0x40000000
HEADER, LONGEST = 19, 4096
OPEN, UPDATE, KEEPALIVE = 1, 2, 4


@contextlib.contextmanager
def inside(netns):
    """This thread in a network namespace: a socket stays in the one that it was made in."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as own, open(f"/run/netns/{netns}") as other:
        assert libc.setns(other.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            libc.setns(own.fileno(), CLONE_NEWNET)


def message(kind, body=b""):
    """RFC 4271 4.1."""
    return b"\xff" * 16 + struct.pack("!HB", HEADER + len(body), kind) + body


def updates(n, own_as, next_hop):
    """n routes of /32 with one path, as UPDATEs that are as long as they may be."""
    attributes = bytes([0x40, 1, 1, 0, 0x40, 2, 4, 2, 1]) + struct.pack("!H", own_as) + bytes([0x40, 3, 4])
    attributes += socket.inet_aton(next_hop)
    head = struct.pack("!HH", 0, len(attributes)) + attributes
    each = (LONGEST - HEADER - len(head)) // 5
    return [message(UPDATE, head + b"".join(struct.pack("!BI", 32, (20 << 24) + i) for i in range(at, min(at + each, n))))
            for at in range(0, n, each)]


class Router:
    """It waits for the speaker, or dials it, and says OPEN and KEEPALIVE without listening; then what it is told to."""

    def __init__(self, netns, address, own_as, port=179):
        self.netns, self.address, self.own_as, self.port = netns, address, own_as, port
        self.listener = self.wire = None

    def listen(self):
        with inside(self.netns):
            self.listener = socket.create_server((self.address, self.port))
        self.listener.settimeout(30)

    def accept(self):
        self.wire, _ = self.listener.accept()
        self.greet()

    def dial(self, speaker):
        with inside(self.netns):
            self.wire = socket.create_connection((speaker, self.port), source_address=(self.address, 0))
        self.greet()

    def greet(self):
        self.wire.sendall(message(OPEN, struct.pack("!BHH4sB", 4, self.own_as, 90, socket.inet_aton(self.address), 0))
                          + message(KEEPALIVE))

    def say(self, messages):
        self.wire.sendall(b"".join(messages))

    def close(self):
        for end in filter(None, (self.wire, self.listener)):
            end.close()
