# SPDX-License-Identifier: BSD-2-Clause
"""nearcast-backend on a server's NIC: what it takes in, what it refuses, how it leaves. Edge and server are two
namespaces; echo requests go in encapsulated, and the kernel's replies come back plain."""
import json
import os
import signal
import subprocess

import pytest
from pop import BUILD, wait
from scapy.layers.inet import GRE, ICMP, IP, IPOption_NOP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

PROGRAM = BUILD / "bpf/nearcast-backend"
MODES = ("native", "generic", "tc")
RULES = ("--source", "10.77.1.0/24", "--source", "fd77:1::/64", "--vip", "10.99.0.0/24", "--vip", "fd99::/64")
EDGE = {4: "10.77.1.2", 6: "fd77:1::2"}
SERVER = {4: "10.77.1.11", 6: "fd77:1::b"}
CLIENT = {4: "10.77.10.100", 6: "fd77:10::100"}
VIP = {4: "10.99.0.1", 6: "fd99::1"}

# Sends frames given in hex, then gives every frame that came back within the time.
PROBE = r"""
import json, select, socket, sys, time
frames, seconds = json.loads(sys.argv[1]), float(sys.argv[2])
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("eth0", 0))
for frame in frames:
    s.send(bytes.fromhex(frame))
got, end = [], time.monotonic() + seconds
while len(got) < len(frames) and (left := end - time.monotonic()) > 0:
    if select.select([s], [], [], left)[0]:
        frame, address = s.recvfrom(4096)
        if address[2] == socket.PACKET_HOST and (frame[12:14] == b"\x08\x00" and frame[23] == 1 and frame[34] == 0
                or frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 129):
            got.append(frame.hex())
print(json.dumps(got))
"""


class Link:
    def __init__(self, name):
        self.name, self.process = name, None
        for node in ("edge", "server"):
            self.ip("netns", "add", f"{name}-{node}")
        self.ip("link", "add", "eth0", "netns", f"{name}-edge", "type", "veth", "peer", "name", "eth0", "netns", f"{name}-server")
        for node, host in (("edge", "2"), ("server", "11")):
            self.run(node, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0",
                     "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
            self.run(node, "ip", "addr", "add", f"10.77.1.{host}/24", "dev", "eth0")
            self.run(node, "ip", "-6", "addr", "add", f"fd77:1::{int(host):x}/64", "dev", "eth0", "nodad")
            self.run(node, "ip", "link", "set", "lo", "up")
            self.run(node, "ip", "link", "set", "eth0", "up")
            self.run(node, "ethtool", "-K", "eth0", "tx", "off", "rx", "off", "gso", "off", "tso", "off", "gro", "off")
        self.mac = {node: self.run(node, "cat", "/sys/class/net/eth0/address").strip() for node in ("edge", "server")}
        for family in (4, 6):
            self.run("server", "ip", f"-{family}", "addr", "add", VIP[family], "dev", "lo")
            self.run("server", "ip", f"-{family}", "neigh", "replace", EDGE[family], "lladdr", self.mac["edge"], "dev", "eth0")
            self.run("server", "ip", f"-{family}", "route", "add", "default", "via", EDGE[family])

    def ip(self, *words):
        subprocess.run(["ip", *words], check=True)

    def command(self, node, *words):
        return ["ip", "netns", "exec", f"{self.name}-{node}", *map(str, words)]

    def run(self, node, *words, check=True):
        done = subprocess.run(self.command(node, *words), text=True, capture_output=True, timeout=30)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *arguments):
        self.process = subprocess.Popen(self.command("server", PROGRAM, "--interface", "eth0", *arguments), text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = self.process.stdout.readline()
        assert "takes tunnels on eth0" in said, said
        return said

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.communicate(timeout=10)
            status, self.process = self.process.returncode, None
            return status

    def show(self):
        lines = self.run("server", PROGRAM, "--interface", "eth0", "--show").splitlines()[2:]
        return {words[0]: int(words[1]) for words in map(str.split, lines)}

    def is_hooked(self):
        return "prog/xdp" in self.run("server", "ip", "link", "show", "eth0") or \
            "nearcast" in self.run("server", "tc", "filter", "show", "dev", "eth0", "ingress", check=False)

    def frame(self, packet):
        link = Ether(src=self.mac["edge"], dst=self.mac["server"])
        return bytes(link / packet).hex()

    def replies(self, *packets, seconds=3.0):
        frames = json.dumps([self.frame(packet) for packet in packets])
        return [Ether(bytes.fromhex(f)) for f in json.loads(self.run("edge", "/usr/bin/python3", "-c", PROBE, frames, seconds))]

    def close(self):
        self.stop(signal.SIGKILL)
        for node in ("edge", "server"):
            self.ip("netns", "del", f"{self.name}-{node}")


@pytest.fixture(scope="module")
def link():
    link = Link(f"ncb{os.getpid() % 1000}")
    yield link
    link.close()


@pytest.fixture
def server(link):
    yield link
    link.stop()


def outer(family, ecn=0, **fields):
    if family == 4:
        return IP(src=EDGE[4], dst=SERVER[4], tos=ecn, flags="DF", **fields)
    return IPv6(src=EDGE[6], dst=SERVER[6], tc=ecn, **fields)


def echo(family, ecn=0, vip=None, octets=56):
    payload = Raw(b"n" * octets)
    if family == 4:
        return IP(src=CLIENT[4], dst=vip or VIP[4], tos=ecn) / ICMP(id=7, seq=1) / payload
    return IPv6(src=CLIENT[6], dst=vip or VIP[6], tc=ecn) / ICMPv6EchoRequest(id=7, seq=1) / payload


def gue(inner, words=0, port=6080, first=0, kind=None):
    header = bytes([first | words, kind or (4 if inner == 4 else 41), 0, 0]) + b"\0" * 4 * words
    return UDP(sport=49152, dport=port, chksum=0) / Raw(header)


def gre(inner, **fields):
    return GRE(proto=0x800 if inner == 4 else 0x86dd, **fields)


def wrapped(kind, out, inner, ecn=0, inner_ecn=0):
    head = outer(out, ecn, **({"proto": {4: 4, 6: 41}[inner]} if out == 4 else {"nh": {4: 4, 6: 41}[inner]})
                 if kind == "ipip" else {})
    middle = {"ipip": None, "gue": gue(inner), "gre": gre(inner)}[kind]
    body = echo(inner, inner_ecn)
    return head / body if middle is None else head / middle / body


KINDS = [(kind, out, inner) for kind in ("ipip", "gue", "gre") for out in (4, 6) for inner in (4, 6)]


@pytest.mark.parametrize("mode", MODES)
def test_every_tunnel_of_every_family_is_taken_in(server, mode):
    assert f"mode {mode}" in server.start("--mode", mode, *RULES)
    for kind, out, inner in KINDS:
        (reply,) = server.replies(wrapped(kind, out, inner))
        assert reply[IP if inner == 4 else IPv6].dst == CLIENT[inner], (kind, out, inner)
        assert reply.haslayer(ICMP if inner == 4 else ICMPv6EchoReply)
    shown = server.show()
    assert [shown[k] for k in ("4in4", "6in4", "4in6", "6in6", "gue", "gre")] == [1, 1, 1, 1, 4, 4], shown


@pytest.mark.parametrize("mode", MODES)
def test_full_sized_packets_are_taken_in(server, mode):
    server.start("--mode", mode, *RULES)
    (reply,) = server.replies(outer(4, proto=4) / echo(4, octets=1480 - 28))
    assert reply[IP].len == 1480


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", (4, 6))
def test_congestion_marks_are_combined(server, mode, family):
    """RFC 6040 4.2, figure 4: rows are the inner field, columns the outer; None: dropped."""
    table = {0: {0: 0, 1: 0, 2: 0, 3: None}, 2: {0: 2, 1: 1, 2: 2, 3: 3}, 1: {0: 1, 1: 1, 2: 1, 3: 3}, 3: {0: 3, 1: 3, 2: 3, 3: 3}}
    server.start("--mode", mode, *RULES)
    cases = [(inner, out, want) for inner, row in table.items() for out, want in row.items()]
    replies = server.replies(*(wrapped("ipip", family, family, out, inner) for inner, out, _ in cases), seconds=1.0)
    got = [(r[IP].tos if family == 4 else r[IPv6].tc) & 3 for r in replies]
    assert got == [want for _, _, want in cases if want is not None]
    assert server.show()["ecn"] == 1


REFUSED = [
    ("source", IP(src="10.77.2.2", dst=SERVER[4], proto=4) / echo(4)),
    ("source", IPv6(src="fd77:2::2", dst=SERVER[6], nh=41) / echo(6)),
    ("vip", outer(4, proto=4) / echo(4, vip="10.98.0.1")),
    ("vip", outer(6, nh=41) / echo(6, vip="fd98::1")),
    ("outer", IP(src=EDGE[4], dst=SERVER[4], proto=4, flags="MF") / echo(4)),
    ("header", outer(4) / gue(4, first=0x20) / echo(4)),
    ("header", outer(4) / gue(4, first=0x40) / echo(4)),
    ("header", outer(4) / gue(4, kind=17) / echo(4)),
    ("header", outer(4) / GRE(proto=0x6558) / echo(4)),
    ("header", outer(4) / GRE(proto=0x800, version=1) / echo(4)),
    ("inner", outer(4, proto=4) / Raw(b"\x45\0\0\x54")),
    ("inner", outer(4, proto=4) / Raw(b"\x65" + bytes(echo(4))[1:])),
    ("inner", outer(4, proto=4) / Raw(b"\x44" + bytes(echo(4))[1:])),
    ("inner", outer(4, proto=4) / Raw(b"\x45\0\xff\xff" + bytes(echo(4))[4:])),
    ("inner", outer(6, nh=41) / Raw(bytes(echo(6))[:4] + b"\xff\xff" + bytes(echo(6))[6:])),
    ("inner", outer(4, proto=41) / Raw(bytes(echo(4)))),
]


@pytest.mark.parametrize("mode", MODES)
def test_what_is_refused_is_counted_by_its_reason(server, mode):
    server.start("--mode", mode, *RULES)
    assert server.replies(*(packet for _, packet in REFUSED), seconds=0.5) == []
    shown = server.show()
    for reason in {reason for reason, _ in REFUSED}:
        assert shown[reason] == sum(1 for r, _ in REFUSED if r == reason), (reason, shown)


@pytest.mark.parametrize("mode", MODES)
def test_optional_fields_are_looked_through(server, mode):
    server.start("--mode", mode, "--gue-port", "6081", *RULES)
    packets = [outer(4) / gue(4, words=3, port=6081) / echo(4), outer(4) / gre(4, key_present=1, key=5) / echo(4),
               outer(4) / gre(4, key_present=1, key=5, seqnum_present=1, sequence_number=9, chksum_present=1) / echo(4),
               IP(src=EDGE[4], dst=SERVER[4], proto=4, options=[IPOption_NOP()] * 8) / echo(4),
               outer(6, nh=60) / Raw(b"\x29\0\x04\x01\x04\x01\x01\0") / echo(6)]
    for packet in packets:
        assert len(server.replies(packet)) == 1, packet.summary()
    assert server.replies(outer(4) / gue(4) / echo(4), seconds=0.3) == [], "6080 is an ordinary port now"


@pytest.mark.parametrize("mode", MODES)
def test_other_traffic_passes(server, mode):
    server.start("--mode", mode, *RULES)
    for family in (4, 6):
        assert " 0% packet loss" in server.run("edge", "ping", f"-{family}", "-c1", "-W2", SERVER[family])
    assert sum(server.show().values()) == 0


@pytest.mark.parametrize("mode", MODES)
def test_it_leaves_cleanly(server, mode):
    server.start("--mode", mode, *RULES)
    assert server.is_hooked()
    assert server.stop() == 0
    assert not server.is_hooked()


@pytest.mark.parametrize("mode", MODES)
def test_after_a_kill_the_next_one_takes_over(server, mode):
    server.start("--mode", mode, *RULES)
    server.stop(signal.SIGKILL)
    if mode != "tc":
        wait("the kernel to unhook it", lambda: not server.is_hooked())
    server.start("--mode", mode, *RULES)
    assert len(server.replies(wrapped("ipip", 4, 4))) == 1
    assert server.show()["4in4"] == 1
    server.stop()
    assert not server.is_hooked()


def test_auto_takes_tc_where_another_program_has_xdp(server):
    server.run("server", "ip", "link", "set", "dev", "eth0", "xdpgeneric", "object", BUILD / "bpf/steer.bpf.o", "section", "xdp")
    try:
        assert "mode tc" in server.start(*RULES)
        assert len(server.replies(wrapped("gre", 4, 6))) == 1
    finally:
        server.run("server", "ip", "link", "set", "dev", "eth0", "xdpgeneric", "off")


def test_two_on_one_interface_are_one_too_many(server):
    server.start("--mode", "native", *RULES)
    done = subprocess.run(server.command("server", PROGRAM, "--interface", "eth0", *RULES), text=True, capture_output=True)
    assert done.returncode == 1 and "there already" in done.stderr, done.stderr


@pytest.mark.parametrize("arguments, said", [
    (["--interface", "eth0"], "--source"),
    (["--interface", "nosuch0", *RULES], "--interface nosuch0: there is no such interface"),
    (["--interface", "eth0", "--source", "10.77.1.2/24", "--vip", "10.99.0.0/24"], "--source 10.77.1.2/24: not a prefix"),
    (["--interface", "eth0", "--source", "10.77.1.0/24", "--vip", "10.99.0.0/33"], "--vip 10.99.0.0/33: not a prefix"),
    (["--interface", "eth0", "--mode", "fast", *RULES], "--mode fast: use auto, native, generic or tc"),
    (["--interface", "eth0", "--gue-port", "65536", *RULES], "--gue-port 65536: not a port"),
    (["--interface", "eth0", *RULES, "more"], "more: "),
])
def test_wrong_words_are_named(link, arguments, said):
    done = subprocess.run(link.command("server", PROGRAM, *arguments), text=True, capture_output=True)
    assert done.returncode == 2 and said in done.stderr, done.stderr


def test_show_without_one_says_so(link):
    done = subprocess.run(link.command("server", PROGRAM, "--interface", "eth0", "--show"), text=True, capture_output=True)
    assert done.returncode == 1 and "none runs on eth0" in done.stderr
