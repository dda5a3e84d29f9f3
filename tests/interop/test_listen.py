# SPDX-License-Identifier: BSD-2-Clause
"""Peers that dial: a whole node listens, and the BGP daemons of Debian come to it, as peers by name and out of a range.

    the node 10.77.0.1 [NAME-e] veth --- veth [NAME-n] 10.77.0.2 (and 3..9), the near peer
                                              [NAME-n] far --- far [NAME-f] 10.78.0.2, the far peer: one hop more
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

import peers
from daemons import wait
from lab import BUILD, ip

NAME = f"ncl{os.getpid() % 100000}"
EDGE, NEAR, FAR = f"{NAME}-e", f"{NAME}-n", f"{NAME}-f"
V4, V6 = "10.99.0.1/32", "fd99::1/128"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

CONFIG = """
node: {{name: edge, dataplane: {dir}/dataplane, control: {dir}/control, source: {{ipv4: 10.77.0.1}}}}
bgp:
  as: 65001
  router_id: 10.77.0.1
  peers: [{peers}]
  dynamic: [{dynamic}]
{more}
vips: [{{name: v4, prefix: {v4}, announce: always}}, {{name: v6, prefix: "{v6}", announce: always}}]
pools: [{{name: web, backends: [{{name: s1, address: 10.77.0.200}}]}}]
services: [{{name: http, vip: v4, pool: web, protocol: tcp, port: 80}}]
"""
HOP = 'next_hop: {ipv4: 10.77.0.1, ipv6: "fd77::1"}'
NAMED = "{name: router, address: 10.77.0.2, as: 65002, passive: true, " + HOP
RANGE = "{name: rack, range: 10.77.0.0/28, as: 65002-65010, max: 4, " + HOP
OTHER = "{name: other, address: 10.77.0.250, as: 65003, passive: true}"


class Edge:
    def __init__(self, run_dir):
        self.dir, self.started = pathlib.Path(run_dir), []
        self.config = self.dir / "edge.yaml"

    def write(self, peers="", dynamic="", more=""):
        self.config.write_text(CONFIG.format(dir=self.dir, peers=", ".join(filter(None, [OTHER, peers])), dynamic=dynamic,
                                             more=more, v4=V4, v6=V6))

    def start(self):
        for name, words in {
            "dataplane": ["dataplane/nearcast-dataplane", "--port", "p0=vdev,args=net_null0", "--socket",
                          self.dir / "dataplane", "--file-prefix", NAME, "--memory", "128", "--hugepages", "off",
                          "--flow-entries", "524288", "--steer-object", BUILD / "bpf/steer.bpf.o"],
            "controlplane": ["controlplane/nearcast-controlplane", self.config],
        }.items():
            with (self.dir / f"{name}.log").open("w") as log:
                self.started.append(subprocess.Popen(
                    ["ip", "netns", "exec", EDGE, str(BUILD / words[0]), *map(str, words[1:])], stdout=log, stderr=log))

    def stop(self):
        for process in reversed(self.started):
            process.send_signal(signal.SIGTERM)
            process.wait()

    def log(self):
        return (self.dir / "controlplane.log").read_text()

    def ctl(self, *words, check=True):
        done = subprocess.run([str(BUILD / "ctl/nearcastctl"), "--socket", str(self.dir / "control"), *words], text=True,
                              capture_output=True, timeout=60, check=False)
        assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    def json(self, *words):
        return json.loads(self.ctl("--json", *words).stdout)

    def reload(self, **config):
        self.write(**config)
        return self.ctl("reload")

    def peer(self, name):
        return next((p for p in self.json("bgp") if p["peer"] == name), {"state": None})

    def state(self, name):
        return self.peer(name)["state"]

    def count(self, what):
        return self.json("bgp", "listen")[what]

    def kernel(self, counter):
        """One of the namespace's own counters: what it dropped, and why."""
        text = subprocess.run(["ip", "netns", "exec", EDGE, "cat", "/proc/net/netstat"], text=True, check=True,
                              capture_output=True).stdout.splitlines()
        return int(dict(zip(text[0].split(), text[1].split()))[counter])


@pytest.fixture(scope="module")
def network():
    try:
        for name in EDGE, NEAR, FAR:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        for device, a, b, nets in (("veth", EDGE, NEAR, ("10.77.0.{}/24", "fd77::{}/64")),
                                   ("far", NEAR, FAR, ("10.78.0.{}/24", "fd78::{}/64"))):
            ip("-n", a, "link", "add", device, "type", "veth", "peer", "name", device, "netns", b)
            for number, name in enumerate((a, b), 1):
                ip("-n", name, "link", "set", device, "up")
                for net in nets:
                    ip("-n", name, "address", "add", net.format(number), "dev", device, *["nodad"] * (":" in net))
        for number in range(3, 10):
            ip("-n", NEAR, "address", "add", f"10.77.0.{number}/24", "dev", "veth")
        subprocess.run(["ip", "netns", "exec", NEAR, "sysctl", "-qw", "net.ipv4.ip_forward=1"], check=True)
        ip("-n", EDGE, "route", "add", "10.78.0.0/24", "via", "10.77.0.2")
        ip("-n", FAR, "route", "add", "10.77.0.0/24", "via", "10.78.0.1")
        yield
    finally:
        for name in EDGE, NEAR, FAR:
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL, check=False)


@pytest.fixture(scope="module")
def edge(network, tmp_path_factory):
    edge = Edge(tmp_path_factory.mktemp("edge"))
    edge.write()
    try:
        edge.start()
        wait("the node", lambda: edge.ctl("wait", "generation", check=False).returncode == 0)
        yield edge
    finally:
        edge.stop()


# Where a kind's own words go into its configuration: behind this, these.
KEY = {
    peers.Bird: ("passive $PASSIVE;", 'password "{}";'),
    peers.Frr: (" $PASSIVE\n", " neighbor $SPEAKER password {}\n"),
    peers.GoBgp: ("    peer-as = $AS\n", '    auth-password = "{}"\n'),
    peers.OpenBgpd: ("  $PASSIVE\n", "  tcp md5sig password {}\n"),
    peers.ExaBgp: ("  $PASSIVE\n", "  md5-password {};\n"),
}
NEAR_ONLY = {
    peers.Bird: ("passive $PASSIVE;", "ttl security on;"),
    peers.Frr: (" $PASSIVE\n", " neighbor $SPEAKER ttl-security hops 1\n"),
    peers.GoBgp: ("    passive-mode = $PASSIVE\n", "  [neighbors.ttl-security.config]\n    enabled = true\n    ttl-min = 255\n"),
    peers.OpenBgpd: ("  $PASSIVE\n", "  ttl-security yes\n"),
}
FAR_TOO = {
    peers.Bird: ("passive $PASSIVE;", "multihop 2; ttl security on;"),
    peers.Frr: (" $PASSIVE\n", " neighbor $SPEAKER ttl-security hops 2\n"),
}


def with_words(kind, words, *values):
    """The kind, dialling, with a line of its own more."""
    behind, line = words[kind]

    class Kind(kind):
        config_text = kind.config_text.replace(behind, behind + line.format(*values))
    assert Kind.config_text != kind.config_text, f"{kind.package}: {behind!r} is not in its configuration"
    return Kind


@pytest.fixture
def dialler(edge, tmp_path, request):
    started = []

    def dialler(kind, netns=NEAR, **options):
        if not kind.installed():
            pytest.skip(f"{kind.program} is not there: package {kind.package}")
        started.append(kind(netns, tmp_path, dials=True, **options))
        started[-1].start()
        return started[-1]

    yield dialler
    for peer in started:
        with contextlib.suppress(ProcessLookupError):
            peer.kill()
        if request.session.testsfailed:
            print(f"== {peer.program}\n{peer.log.read_text(errors='replace')[-3000:]}\n== node\n{edge.log()[-4000:]}")
    edge.reload()  # the next one finds no session that waits after a failure


def named(more=""):
    return {"peers": NAMED + more + "}"}


def ranged(more=""):
    return {"dynamic": RANGE + more + "}"}


ROUTES = {V4: ("10.77.0.1", [65001], "igp"), V6: ("fd77::1", [65001], "igp")}
ROUTER, RACK = (named, "router"), (ranged, "rack@10.77.0.2")
BOTH = pytest.mark.parametrize("config, name", [ROUTER, RACK], ids=["named", "range"])


def kinds(chosen):
    return pytest.mark.parametrize("kind", list(chosen), ids=lambda kind: kind.package)


def cases(by_name, by_range):
    """Which kinds come as a configured peer, and which out of a range."""
    rows = [(kind, *ROUTER) for kind in by_name] + [(kind, *RACK) for kind in by_range]
    return pytest.mark.parametrize("kind, config, name", rows, ids=[f"{r[0].package}-{r[2].split('@')[0]}" for r in rows])


@cases(peers.PEERS, [peers.Bird, peers.Frr, peers.GoBgp])
def test_a_peer_that_dials_is_told_all_routes(edge, dialler, kind, config, name):
    edge.reload(**config())
    peer = dialler(kind)
    wait("the session", lambda: edge.state(name) == "Established", 40)
    wait("both prefixes", lambda: peer.routes() == ROUTES)
    assert edge.peer(name)["range"] == ("" if name == "router" else "rack")
    edge.ctl("bgp", "withdraw", V4)
    try:
        wait("one prefix", lambda: set(peer.routes()) == {V6})
    finally:
        edge.ctl("bgp", "release", V4)


@cases(KEY, [peers.Bird, peers.Frr])
def test_a_peer_needs_the_key_which_a_reload_changes(edge, dialler, kind, config, name):
    edge.reload(**config(", auth: {kind: md5, key: ours}"))
    failed = edge.kernel("TCPMD5Failure")
    peer = dialler(with_words(kind, KEY, "theirs"))
    wait("a segment with another key", lambda: edge.kernel("TCPMD5Failure") > failed, 40)
    assert edge.state(name) in ("Active", None)
    edge.reload(**config(", auth: {kind: md5, key: theirs}"))
    wait("the session", lambda: edge.state(name) == "Established", 40)
    wait("both prefixes", lambda: peer.routes() == ROUTES)


@BOTH
def test_a_key_that_only_one_side_has_is_no_session(edge, dialler, config, name):
    unsigned = edge.kernel("TCPMD5NotFound")
    edge.reload(**config(", auth: {kind: md5, key: ours}"))
    peer = dialler(peers.Bird)
    wait("an unsigned segment", lambda: edge.kernel("TCPMD5NotFound") > unsigned, 40)
    assert edge.state(name) in ("Active", None)
    peer.kill()
    signed = edge.kernel("TCPMD5Unexpected")
    edge.reload(**config())
    dialler(with_words(peers.Bird, KEY, "theirs"))
    wait("a signed segment", lambda: edge.kernel("TCPMD5Unexpected") > signed, 40)
    assert edge.state(name) in ("Active", None)


@cases(NEAR_ONLY, [peers.Bird])
def test_both_sides_have_gtsm(edge, dialler, kind, config, name):
    edge.reload(**config(", gtsm: true"))
    peer = dialler(with_words(kind, NEAR_ONLY))
    wait("the session", lambda: edge.state(name) == "Established", 40)
    wait("both prefixes", lambda: peer.routes() == ROUTES)


@kinds(FAR_TOO)
def test_a_peer_one_hop_too_far_is_refused(edge, dialler, kind, monkeypatch):
    monkeypatch.setattr(peers, "PEER", "10.78.0.2")
    far = "{{name: far, address: 10.78.0.2, as: 65002, passive: true, gtsm: true, hops: {}}}"
    refused = edge.count("far")
    edge.reload(peers=far.format(1))
    dialler(with_words(kind, FAR_TOO), FAR)
    wait("a refusal", lambda: edge.count("far") > refused, 40)
    assert edge.state("far") == "Active"
    assert "GTSM: its SYN came with a TTL of 254, below 255" in edge.log()
    edge.reload(peers=far.format(2))
    wait("the session", lambda: edge.state("far") == "Established", 40)


@BOTH
def test_who_dials_again_finds_its_session(edge, dialler, config, name):
    edge.reload(**config())
    peer = dialler(peers.Bird)
    wait("the session", lambda: edge.state(name) == "Established", 40)
    peer.kill()
    wait("its end", lambda: edge.state(name) != "Established")
    peer.start()
    wait("the session", lambda: edge.state(name) == "Established", 40)
    assert edge.peer(name)["flaps"] == 1


def test_a_range_takes_so_many(edge, dialler, tmp_path):
    edge.reload(dynamic=RANGE.replace("max: 4", "max: 1") + "}")
    dialler(peers.Bird)
    wait("the session", lambda: edge.state("rack@10.77.0.2") == "Established", 40)
    full = edge.count("full")
    assert flood("10.77.0.3", 1) == 1
    assert edge.count("full") == full + 1
    assert edge.state("rack@10.77.0.2") == "Established"


def test_the_as_number_is_one_of_the_ranges(edge, dialler):
    edge.reload(**ranged())
    peer = dialler(peers.Bird, peer_as=65011)
    wait("what the node thinks of it", lambda: peer.says(peer.refused), 40)
    assert edge.state("rack@10.77.0.2") != "Established"
    peer.kill()
    edge.reload()
    edge.reload(**ranged())
    peer = dialler(peers.Bird, peer_as=65010)
    wait("both prefixes", lambda: peer.routes() == ROUTES, 40)
    assert edge.peer("rack@10.77.0.2")["as"] == 65010


def test_a_path_that_is_dead_one_way_is_given_up(edge, dialler):
    """What the peer sends still comes; TCP knows that what we send doesn't arrive. Its frames go to a MAC that nobody has."""
    edge.reload(peers=NAMED + ", hold: 90s, send_hold: 3s}")
    dialler(peers.Bird, hold=90)
    wait("the session", lambda: edge.state("router") == "Established", 40)
    ip("-n", EDGE, "neighbor", "replace", "10.77.0.2", "lladdr", "02:00:00:00:00:99", "dev", "veth", "nud", "permanent")
    try:
        edge.ctl("bgp", "withdraw", V4)
        wait("the end of the session", lambda: edge.state("router") != "Established")
    finally:
        ip("-n", EDGE, "neighbor", "delete", "10.77.0.2", "dev", "veth")
        edge.ctl("bgp", "release", V4)


FLOOD = """
import select, socket, sys
source, n = sys.argv[1], int(sys.argv[2])
waiting, done = {}, 0
poll = select.epoll()
for i in range(n):
    s = socket.socket()
    s.bind((source, 0))
    s.setblocking(False)
    s.connect_ex(("10.77.0.1", 179))
    waiting[s.fileno()] = s
    poll.register(s, select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR)
    while len(waiting) > 200 or (i == n - 1 and waiting):
        for fd, _ in poll.poll(10) or sys.exit("nothing happens to the rest: %d" % len(waiting)):
            poll.unregister(fd)
            waiting.pop(fd).close()
            done += 1
print(done)
"""


def flood(source, n):
    """Connections from this address; gives how many the node ended, by itself."""
    done = subprocess.run(["ip", "netns", "exec", NEAR, "/usr/bin/python3", "-c", FLOOD, source, str(n)], text=True,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("source, what", [("10.77.0.99", "unknown"), ("10.77.0.2", "limited")], ids=["stranger", "peer"])
def test_a_flood_of_connections_harms_no_session(edge, dialler, source, what):
    if source == "10.77.0.99":
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("-n", NEAR, "address", "add", "10.77.0.99/24", "dev", "veth")
    edge.reload(peers=NAMED + ", hold: 3s}")
    dialler(peers.Bird, hold=3)
    wait("the session", lambda: edge.state("router") == "Established", 40)
    heard, before = edge.json("bgp", "peer", "router")["received"]["keepalive"], edge.count(what)
    while edge.json("bgp", "peer", "router")["received"]["keepalive"] < heard + 3:
        assert flood(source, 1000) == 1000
    assert edge.count(what) > before + 900
    peer = edge.json("bgp", "peer", "router")
    assert (peer["state"], peer["flaps"], peer["last_error"]) == ("Established", 0, ""), peer
    assert len(re.findall("more of them than|from no peer's", edge.log())) < 20, "a flood doesn't fill the log"


def test_a_port_that_another_has_is_told_and_nothing_changes(edge, dialler):
    edge.reload(**named())
    dialler(peers.Bird)
    wait("the session", lambda: edge.state("router") == "Established", 40)
    taken = subprocess.Popen(["ip", "netns", "exec", EDGE, "/usr/bin/python3", "-c", "import socket\ns = socket.socket()\n"
                              "s.bind(('10.77.0.1', 1179))\ns.listen()\nprint('ready', flush=True)\ninput()"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert taken.stdout.readline() == "ready\n"
        edge.write(**named(), more="  listen: {port: 1179}")
        refused = edge.ctl("reload", check=False)
    finally:
        taken.kill()
        taken.wait()
    assert refused.returncode == 1
    assert "listen: bind to 0.0.0.0 port 1179: Address already in use: does another BGP speaker run here?" in refused.stderr
    assert edge.json("bgp", "listen")["port"] == 179 and edge.state("router") == "Established"


def test_a_key_that_the_kernel_has_not_is_refused(edge):
    edge.write(**named(", auth: {kind: ao, key: secret, id: 1}"))
    done = edge.ctl("reload", check=False)
    if done.returncode == 0:
        pytest.skip("this kernel has TCP-AO")
    assert "bgp: router: this kernel has no TCP-AO" in done.stderr, done.stderr
