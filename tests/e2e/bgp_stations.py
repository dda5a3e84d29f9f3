# SPDX-License-Identifier: BSD-2-Clause
"""Both ends of what is monitored: a BMP collector that takes nothing that RFC 7854 doesn't allow, and a BGP peer made of
octets, which says whatever it is told to. Their sockets are in a namespace, their threads are ours."""
import contextlib
import ctypes
import ipaddress
import os
import socket
import struct
import threading

V4, V6 = (1, 1), (2, 1)
OPEN, UPDATE, NOTIFICATION, KEEPALIVE, REFRESH = range(1, 6)
ROUTE, STATS, DOWN, UP, INITIATION, TERMINATION = range(6)
FLAG_V6, FLAG_POST, FLAG_AS2, FLAG_OUT = 0x80, 0x40, 0x20, 0x10
MARKER = b"\xff" * 16


@contextlib.contextmanager
def inside(netns):
    """This thread in a namespace: a socket that is made here stays there."""
    def enter(file):
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    with open("/proc/thread-self/ns/net", "rb") as home, open(f"/run/netns/{netns}", "rb") as there:
        enter(there)
        try:
            yield
        finally:
            enter(home)


def listener(netns, address, port, room=None):
    with inside(netns):
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if room:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    made.bind((address, port))
    made.listen(4)
    return made


class Cut:
    """A reader of octets that asserts there are enough, and at the end that none is left."""
    def __init__(self, octets):
        self.octets = octets

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        assert kind or not self.octets, f"octets are left: {self.octets.hex()}"

    def take(self, n):
        assert n <= len(self.octets), f"{n} octets of {self.octets.hex()}"
        taken, self.octets = self.octets[:n], self.octets[n:]
        return taken

    def number(self, n):
        return int.from_bytes(self.take(n), "big")

    def sub(self, n):
        return Cut(self.take(n))

    def pdu(self):
        """One message of BGP: its type and body."""
        assert self.take(16) == MARKER
        n = self.number(2)
        return self.number(1), self.take(n - 19)


def prefixes(cut, family):
    found, size = [], 4 if family == V4 else 16
    while cut.octets:
        bits = cut.number(1)
        octets = cut.take((bits + 7) // 8)
        found.append(str(ipaddress.ip_network((octets + bytes(size - len(octets)), bits))))
    return found


def update(body):
    """What an UPDATE says: {announced, withdrawn: {family: prefixes}, attributes: {type: value}, next_hop, end: family}."""
    said = {"announced": {}, "withdrawn": {}, "attributes": {}, "next_hop": None, "end": None}
    with Cut(body) as cut:
        withdrawn = prefixes(cut.sub(cut.number(2)), V4)
        with cut.sub(cut.number(2)) as attributes:
            while attributes.octets:
                flags, kind = attributes.take(2)
                said["attributes"][kind] = attributes.take(attributes.number(2 if flags & 0x10 else 1))
        announced = prefixes(cut, V4)
    for family, kind, told in (V4, "withdrawn", withdrawn), (V4, "announced", announced):
        if told:
            said[kind][family] = told
    if 3 in said["attributes"]:
        said["next_hop"] = str(ipaddress.ip_address(said["attributes"][3]))
    if 14 in said["attributes"]:
        with Cut(said["attributes"][14]) as cut:
            family = cut.number(2), cut.number(1)
            said["next_hop"] = str(ipaddress.ip_address(cut.take(cut.number(1))[:16]))
            cut.take(1)
            said["announced"][family] = prefixes(cut, family)
    if 15 in said["attributes"]:
        with Cut(said["attributes"][15]) as cut:
            family = cut.number(2), cut.number(1)
            said["withdrawn"][family] = prefixes(cut, family)
    if not body.strip(b"\0"):
        said["end"] = V4
    elif list(said["attributes"]) == [15] and not said["withdrawn"][family]:
        said["end"] = family
    return said


def tlvs(cut):
    found = []
    while cut.octets:
        kind, n = cut.number(2), cut.number(2)
        found.append((kind, cut.take(n).decode()))
    return found


def peer_header(cut):
    kind, flags = cut.number(1), cut.number(1)
    assert kind == 0 and not flags & 0x0f and cut.take(8) == bytes(8)
    octets = cut.take(16)
    assert flags & FLAG_V6 or octets[:12] == bytes(12)
    address = str(ipaddress.ip_address(octets if flags & FLAG_V6 else octets[12:]))
    head = {"peer": address, "flags": flags, "as": cut.number(4), "id": str(ipaddress.ip_address(cut.take(4))),
            "time": cut.number(4)}
    assert cut.number(4) < 1000000
    return head


def opened(pdu):
    kind, body = pdu
    assert kind == OPEN
    with Cut(body) as cut:
        assert cut.number(1) == 4
        said = {"as": cut.number(2), "hold": cut.number(2), "id": str(ipaddress.ip_address(cut.take(4)))}
        cut.take(cut.number(1))
    return said


def decode(kind, body):
    """One BMP message; an AssertionError says what RFC 7854 doesn't allow in it."""
    with Cut(body) as cut:
        message = {"kind": kind}
        if kind == INITIATION:
            message["tlvs"] = tlvs(cut)
            return message
        if kind == TERMINATION:
            assert cut.number(2) == 1 and cut.number(2) == 2
            message["reason"] = cut.number(2)
            return message
        message.update(peer_header(cut))
        if kind == ROUTE:
            pdu = cut.pdu()
            assert pdu[0] == UPDATE
            message["raw"] = pdu[1]
        elif kind == UP:
            local = cut.take(16)
            message["local"] = str(ipaddress.ip_address(local if message["flags"] & FLAG_V6 else local[12:]))
            message["ports"] = cut.number(2), cut.number(2)
            message["sent"], message["received"] = opened(cut.pdu()), opened(cut.pdu())
            message["tlvs"] = tlvs(cut)
        elif kind == DOWN:
            message["reason"] = cut.number(1)
            assert message["reason"] in range(1, 6)
            if message["reason"] in (1, 3):
                pdu = cut.pdu()
                assert pdu[0] == NOTIFICATION
                message["notification"] = pdu[1][0], pdu[1][1], pdu[1][2:]
            elif message["reason"] == 2:
                message["event"] = cut.number(2)
        elif kind == STATS:
            message["stats"] = {}
            for _ in range(cut.number(4)):
                stat, n = cut.number(2), cut.number(2)
                assert n == (8 if stat in (7, 8, 14, 15) else 4)
                message["stats"][stat] = cut.number(n)
        else:
            raise AssertionError(f"a message of type {kind}")
    return message


class Collector:
    """Takes one connection after the other. `heard` has the messages of the last one, `connections` says how many there were.
    A malformed message is kept in `fault`, which fails the test that looks at what was heard."""
    def __init__(self, netns, address, port):
        self.netns, self.at = netns, (address, port)
        self.heard, self.connections, self.fault = [], 0, None
        self.reads, self.ends = threading.Event(), False
        self.reads.set()
        self.open()

    def open(self):
        self.ends = False
        self.listener = listener(self.netns, *self.at, room=65536)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def close(self):
        self.ends = True
        self.reads.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.drop()
        self.thread.join()

    def drop(self):
        with contextlib.suppress(AttributeError, OSError):
            self.stream.shutdown(socket.SHUT_RDWR)

    def run(self):
        while not self.ends:
            try:
                self.stream, _ = self.listener.accept()
            except OSError:
                return
            self.heard, self.connections = [], self.connections + 1
            with self.stream:
                self.read()

    def octets(self, n):
        got = b""
        while len(got) < n:
            self.reads.wait()
            more = self.stream.recv(n - len(got))
            if not more:
                return None
            got += more
        return got

    def read(self):
        """Until the other side closes. The first message is an Initiation, a Termination the last (RFC 7854 4.3)."""
        up = set()
        with contextlib.suppress(OSError):
            while (head := self.octets(6)) and not self.ends:
                version, n, kind = struct.unpack("!BIB", head)
                body = self.octets(n - 6)
                if body is None:
                    return
                try:
                    assert version == 3 and (kind == INITIATION) == (not self.heard), (version, kind, len(self.heard))
                    message = decode(kind, body)
                    self.follow(message, up)
                    self.heard.append(message)
                except AssertionError as fault:
                    self.fault = fault

    @staticmethod
    def follow(message, up):
        """Of a session nothing is said but between its Peer Up and its Peer Down."""
        if message["kind"] == UP:
            assert message["peer"] not in up
            up.add(message["peer"])
        elif message["kind"] in (ROUTE, STATS, DOWN):
            assert message["peer"] in up, message
            if message["kind"] == DOWN:
                up.remove(message["peer"])

    def find(self, kind, since=0, **fields):
        assert not self.fault, self.fault
        return [m for m in self.heard[since:] if m["kind"] == kind and all(m[k] == v for k, v in fields.items())]

    def routes(self, peer, is_out):
        """What the UPDATEs of a peer add up to: {prefix: next hop}; families that were ended are in it by themselves."""
        found = {}
        for message in self.find(ROUTE, peer=peer):
            if bool(message["flags"] & FLAG_OUT) == is_out:
                assert bool(message["flags"] & FLAG_POST) == is_out
                said = update(message["raw"])
                for prefix in sum(said["withdrawn"].values(), []):
                    found.pop(prefix, None)
                found.update({p: said["next_hop"] for p in sum(said["announced"].values(), [])})
                if said["end"]:
                    found[said["end"]] = "end"
        return found


def message(kind, body=b""):
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def attribute(kind, value, flags=0x40):
    return bytes([flags, kind, len(value)]) + value


def announcement(*told, path=(65002,), extra=b""):
    """An UPDATE of IPv4 prefixes from AS 65002."""
    nlri = b""
    for prefix in map(ipaddress.ip_network, told):
        nlri += bytes([prefix.prefixlen]) + prefix.network_address.packed[:(prefix.prefixlen + 7) // 8]
    attributes = (attribute(1, b"\0") + attribute(2, bytes([2, len(path)]) + struct.pack(f"!{len(path)}I", *path)) +
                  attribute(3, bytes([10, 77, 1, 250])) + extra)
    return message(UPDATE, struct.pack("!HH", 0, len(attributes)) + attributes + nlri)


class RawPeer:
    """AS 65002 of IPv4 and IPv6, which waits to be dialled. `told` are its UPDATEs, which it says again when asked to."""
    def __init__(self, netns, address, port, told=()):
        self.told, self.received, self.stream, self.sessions = list(told), [], None, 0
        self.lock = threading.Lock()
        self.listener = listener(netns, address, port)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError, AssertionError), stream:
                self.session(stream)
            self.stream = None

    def session(self, stream):
        octets = b""
        capabilities = bytes([1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 2, 0, 65, 4]) + struct.pack("!I", 65002)
        parameter = bytes([2, len(capabilities)]) + capabilities
        stream.sendall(message(OPEN, struct.pack("!BHH4sB", 4, 65002, 9, bytes([10, 77, 1, 250]), len(parameter)) + parameter))
        while got := stream.recv(65536):
            octets += got
            while len(octets) >= 19 and len(octets) >= (n := int.from_bytes(octets[16:18], "big")):
                self.take(stream, octets[18], octets[19:n])
                octets = octets[n:]

    def take(self, stream, kind, body):
        self.received.append((kind, body))
        if kind in (OPEN, KEEPALIVE):
            self.push(stream, message(KEEPALIVE))
        is_up = kind == KEEPALIVE and not self.stream
        if is_up or (kind, body) == (REFRESH, struct.pack("!HBB", 1, 0, 1)):
            self.push(stream, b"".join(self.told))
        if is_up:
            self.stream, self.sessions = stream, self.sessions + 1

    def push(self, stream, octets):
        with self.lock:
            stream.sendall(octets)

    def tell(self, *updates):
        self.push(self.stream, b"".join(updates))

    def close(self):
        self.listener.close()
        self.hang_up()

    def hang_up(self):
        if self.stream:
            with contextlib.suppress(OSError):
                self.stream.shutdown(socket.SHUT_RDWR)
