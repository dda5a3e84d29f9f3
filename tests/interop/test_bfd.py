# SPDX-License-Identifier: BSD-2-Clause
"""BFD of the control plane against BIRD's and FRR's: what comes up, what holds, what falls and takes BGP with it.

    nearcast-controlplane 10.77.0.1 [NAME-s] veth --- veth [NAME-p] 10.77.0.2 the daemon
                          10.78.0.1 [NAME-s] far --- far [NAME-r] on --- on [NAME-p] 10.79.0.2

The daemons get a real-time priority: it is ours that has to hold on a loaded machine.
"""
import contextlib
import json
import os
import pathlib
import shutil
import struct
import subprocess
import time

import pytest

from daemons import wait
from lab import BUILD, ip

PROGRAM, CTL = BUILD / "controlplane/nearcast-controlplane", BUILD / "ctl/nearcastctl"
NAME = f"ncb{os.getpid() % 100000}"
OURS, NEAR, FAR_OURS, FAR = "10.77.0.1", "10.77.0.2", "10.78.0.1", "10.79.0.2"
OURS6, NEAR6 = "fd77::1", "fd77::2"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not PROGRAM.exists(), reason=f"{PROGRAM} is not built"),
]


def join(one, name_one, other, name_other, *addresses):
    """A veth pair, and addresses of both ends in turn."""
    ip("-n", one, "link", "add", name_one, "type", "veth", "peer", "name", name_other, "netns", other)
    for netns, device, own in (one, name_one, addresses[0::2]), (other, name_other, addresses[1::2]):
        for address in own:
            ip("-n", netns, "address", "add", address, "dev", device, *(["nodad"] if ":" in address else []))
        ip("-n", netns, "link", "set", device, "up")


@pytest.fixture(scope="module")
def net():
    names = [f"{NAME}-{end}" for end in "srp"]
    try:
        for name in names:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        s, r, p = names
        join(s, "veth", p, "veth", f"{OURS}/24", f"{NEAR}/24", f"{OURS6}/64", f"{NEAR6}/64")
        join(s, "far", r, "far", f"{FAR_OURS}/24", "10.78.0.2/24")
        join(r, "on", p, "on", "10.79.0.1/24", f"{FAR}/24")
        ip("netns", "exec", r, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        ip("-n", s, "route", "add", "10.79.0.0/24", "via", "10.78.0.2")
        ip("-n", p, "route", "add", "10.78.0.0/24", "via", "10.79.0.1")
        yield s, p
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL, check=False)


class Process:
    """A program in a namespace, whose output is its log."""
    def __init__(self, netns, log, *words):
        self.log = log
        with log.open("w") as out:
            self.process = subprocess.Popen(["ip", "netns", "exec", netns, *map(str, words)], stdout=out, stderr=out)

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Node:
    """The control plane, with one peer; bfd is that peer's key of the name."""
    def __init__(self, net, directory, bfd, peer=NEAR, more=""):
        self.netns, self.dir, self.peer, self.more = net[0], directory, peer, more
        self.write(bfd)
        self.process = Process(self.netns, directory / "node.log", PROGRAM, directory / "node.yaml")
        self.end = self.process.end

    def write(self, bfd):
        (self.dir / "node.yaml").write_text(f"""
node: {{name: edge, source: {{ipv4: {OURS}}}, control: {self.dir}/control, dataplane: {self.dir}/dataplane}}
bgp:
  as: 65001
  router_id: {OURS}
  peers: [{{name: p, address: "{self.peer}", as: 65002, hold: 90s, reconnect: 1s, {self.more} bfd: {bfd}}}]
vips: []
pools: []
services: []
""")

    def ctl(self, *words):
        done = subprocess.run([str(CTL), "--socket", str(self.dir / "control"), "--json", *words], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def bfd(self):
        return (self.ctl("bfd") or [{}])[0]

    def bgp(self):
        return (self.ctl("bgp") or [{}])[0]

    def reload(self, bfd):
        self.write(bfd)
        assert self.ctl("reload") is not None

    def up(self, interval=50.0, since=0):
        """Waits until both are up, since some seconds, and the path is watched in that interval."""
        def is_so():
            bfd, bgp = self.bfd(), self.bgp()
            return (bfd.get("state") == "up" and bfd["transmit_ms"] == bfd["receive_ms"] == interval
                    and bgp["state"] == "Established" and min(bfd["since_s"], bgp["since_s"]) >= since and bfd)
        return wait("BFD and BGP to be up", is_so, 40)

    def log(self, kind, text):
        """Times in ms of the log's entries of that kind with that text in them."""
        return [e["time_ms"] for e in self.ctl("bgp", "log") if e["kind"] == kind and text in e["text"]]


class Bird:
    """Interface and multihop sessions alike; options go into both."""
    package, settles = "bird2", 0

    def __init__(self, net, directory, options="", interval=50, local=NEAR, peer=OURS, bgp=""):
        self.dir = directory
        words = f"min rx interval {interval} ms; min tx interval {interval} ms; multiplier 3; {options}"
        (directory / "bird.conf").write_text(f"""
log stderr all;
router id {NEAR};
protocol device {{ }}
protocol bfd bfd1 {{ interface "veth" {{ {words} }}; multihop {{ {words} }}; }}
protocol bgp p {{
  debug {{ states, events }};
  local {local} as 65002; neighbor {peer} as 65001; {bgp} passive on; bfd on;
  connect delay time 1; error wait time 1,2;
  ipv4 {{ import all; export none; }};
}}
""")
        self.process = Process(net[1], directory / "bird.log", "chrt", "-f", "1", "bird", "-f", "-c",
                               directory / "bird.conf", "-s", directory / "bird.ctl", "-P", directory / "bird.pid")
        self.end = self.process.end

    @staticmethod
    def is_there():
        return shutil.which("bird")

    def sees(self):
        done = subprocess.run(["birdc", "-s", self.dir / "bird.ctl", "show", "bfd", "sessions"], text=True,
                              stdout=subprocess.PIPE, check=False)
        return done.stdout


class Frr:
    """zebra tells bgpd and bfdd of each other. They drop root's rights, so the directory is theirs."""
    package, settles = "frr", 2  # it makes its session anew when BGP is there

    def __init__(self, net, directory):
        self.dir = directory / "frr"
        self.dir.mkdir()
        for above in self.dir, *self.dir.parents[:3]:
            above.chmod(0o755)
        shutil.chown(self.dir, "frr", "frr")
        config = {"zebra": "", "bfdd": """
bfd
 profile quick
  detect-multiplier 3
  transmit-interval 50
  receive-interval 50
""", "bgpd": f"""
router bgp 65002
 bgp router-id {NEAR}
 no bgp ebgp-requires-policy
 neighbor {OURS} remote-as 65001
 neighbor {OURS} passive
 neighbor {OURS} bfd profile quick
"""}
        self.processes = []
        for name, text in config.items():
            (self.dir / f"{name}.conf").write_text("log stdout\n" + text)
            self.processes.append(Process(
                net[1], self.dir / f"{name}.log", "chrt", "-f", "1", f"/usr/lib/frr/{name}", "-f",
                self.dir / f"{name}.conf", "-i", self.dir / f"{name}.pid", "-z", self.dir / "zserv", "--vty_socket",
                self.dir, "-P", "0", *(["--bfdctl", self.dir / "bfdd.sock"] if name == "bfdd" else []),
                *(["-n"] if name == "bgpd" else [])))
            wait(f"{name} to listen", (self.dir / f"{name}.vty").exists)

    @staticmethod
    def is_there():
        return pathlib.Path("/usr/lib/frr/bfdd").exists()

    def say(self, *commands):
        words = [word for command in commands for word in ("-c", command)]
        subprocess.run(["vtysh", "--vty_socket", self.dir, *words], check=True, stdout=subprocess.DEVNULL)

    def end(self):
        for process in reversed(self.processes):
            process.end()


@pytest.fixture
def lab(net, tmp_path, request):
    class Lab:
        started = []

        def node(self, *words, **options):
            self.started.append(Node(net, tmp_path, *words, **options))
            return self.started[-1]

        def peer(self, kind, **options):
            if not kind.is_there():
                pytest.skip(f"the package {kind.package} is not there")
            self.started.append(kind(net, tmp_path, **options))
            return self.started[-1]

    made = Lab()
    made.started = []
    try:
        yield made
    finally:
        for device in "veth", "far":
            ip("-n", net[0], "link", "set", device, "up")
        for started in reversed(made.started):
            with contextlib.suppress(ProcessLookupError):
                started.end()
        if request.session.testsfailed:
            for log in tmp_path.rglob("*.log"):
                print(f"== {log.name}\n{log.read_text(errors='replace')[-2000:]}")


both = pytest.mark.parametrize("kind", [Bird, Frr], ids=["bird", "frr"])
FAST = "{interval: 50ms, multiplier: 3}"


@both
def test_three_times_50_ms_hold_while_others_want_the_cpus(lab, kind):
    lab.peer(kind)
    node = lab.node(FAST)
    before, flaps = node.up(since=kind.settles), node.bgp()["flaps"]
    assert before["detection_ms"] == 150
    busy = [subprocess.Popen(["timeout", "10", "sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count() or 1)]
    for process in busy:
        process.wait()
    after = wait("figures of the time after", lambda: (b := node.bfd())["sent"] - before["sent"] > 180 and b)
    assert (after["state"], after["downs"], node.bgp()["flaps"]) == ("up", before["downs"], flaps), after
    assert after["received"] - before["received"] > 180


@both
def test_a_cut_link_ends_bgp_long_before_its_hold_time(lab, net, kind):
    lab.peer(kind)
    node = lab.node(FAST)
    before = node.up(since=kind.settles)
    flaps = node.bgp()["flaps"]
    cut_ms = time.time() * 1000
    ip("-n", net[1], "link", "set", "veth", "down")
    try:
        wait("BFD to be down", lambda: node.bfd()["failures"] > before["failures"])
    finally:
        ip("-n", net[1], "link", "set", "veth", "up")
        ip("-n", net[1], "address", "replace", f"{NEAR6}/64", "dev", "veth", "nodad")
    assert node.log("bfd", "control detection time expired")
    after_ms = node.log("session", "BFD down")[-1] - cut_ms
    assert 0 < after_ms < 150 + 150, f"{after_ms:.0f} ms after the cut"
    node.up()
    assert node.bgp()["flaps"] == flaps + 1


def test_bgp_is_held_down_while_bfd_is(lab, net):
    """What BFD sends is cut, TCP is not: BGP could come up, and must not."""
    lab.peer(Bird)
    node = lab.node(FAST)
    node.up()
    # UDP over IPv4 to port 3784 is dropped, all else goes on.
    code = "6,48 0 0 23,21 0 3 17,40 0 0 36,21 0 1 3784,6 0 0 2,6 0 0 4294967295,"
    tc = ["ip", "netns", "exec", net[0], "tc"]
    subprocess.run([*tc, "qdisc", "add", "dev", "veth", "clsact"], check=True)
    try:
        subprocess.run([*tc, "filter", "add", "dev", "veth", "ingress", "bpf", "da", "bytecode", code], check=True)
        wait("BGP to end", lambda: node.bgp()["state"] == "Idle")
        end = time.monotonic() + 4
        while time.monotonic() < end:
            assert node.bgp()["state"] == "Idle"
            time.sleep(0.2)
        assert node.bfd()["holds_bgp"]
    finally:
        subprocess.run([*tc, "qdisc", "delete", "dev", "veth", "clsact"], check=True)
    node.up()


def test_what_the_peers_operator_takes_down_leaves_bgp_alone(lab):
    """RFC 5882 3.2. FRR says AdminDown when its session is shut down."""
    peer = lab.peer(Frr)
    node = lab.node(FAST)
    before, flaps = node.up(since=Frr.settles), node.bgp()["flaps"]
    peer.say("configure terminal", "bfd", f"peer {OURS} interface veth", "shutdown")
    wait("BFD to be down", lambda: node.bfd()["downs"] > before["downs"])
    assert node.log("bfd", "operator")
    assert node.bfd()["reason"] == "the peer's operator took it down"
    peer.say("configure terminal", "bfd", f"peer {OURS} interface veth", "no shutdown")
    assert node.up()["failures"] == before["failures"]
    assert node.bgp()["flaps"] == flaps


KINDS = {"password": "simple", "md5": "keyed md5", "meticulous-md5": "meticulous keyed md5", "sha1": "keyed sha1",
         "meticulous-sha1": "meticulous keyed sha1"}


@pytest.mark.parametrize("kind", KINDS)
def test_packets_are_authenticated(lab, kind):
    lab.peer(Bird, options=f'authentication {KINDS[kind]}; password "a key" {{ id 7; }};')
    node = lab.node(f'{{interval: 50ms, auth: {{kind: {kind}, id: 7, key: "a key"}}}}')
    assert node.up()["refused"] == 0


def test_who_has_another_key_or_none_does_not_come_up(lab):
    def refused(reason):
        bfd = wait("packets to be refused", lambda: (b := node.bfd()).get("refused", 0) > 2 and b)
        assert (bfd["state"], bfd["reason"]) == ("down", f"packets are refused: {reason}")

    lab.peer(Bird, options='authentication meticulous keyed sha1; password "a key" { id 7; };')
    node = lab.node('{interval: 50ms, auth: {kind: meticulous-sha1, id: 7, key: "a kez"}}')
    refused("wrong digest")
    for auth, reason in ("kind: sha1, id: 7, key: a key", "another authentication type"), (
            "kind: meticulous-sha1, id: 8, key: a key", "unknown key ID"):
        node.reload(f"{{interval: 50ms, auth: {{{auth}}}}}")
        refused(reason)
    node.reload("{interval: 50ms}")
    refused("authenticated, but no authentication is configured")
    node.reload('{interval: 50ms, auth: {kind: meticulous-sha1, id: 7, key: "a key"}}')
    node.up()


def test_new_intervals_are_agreed_upon_and_touch_no_session(lab):
    peer = lab.peer(Bird)
    node = lab.node(FAST)
    node.up()
    node.reload("{interval: 200ms, multiplier: 5}")
    after = node.up(200.0)
    wait("BIRD to know", lambda: "1.000" in peer.sees().split()[-1])
    assert (after["downs"], node.bgp()["flaps"]) == (0, 0)
    node.reload(FAST)
    assert node.up()["downs"] == 0


def test_a_peer_behind_a_router(lab, net):
    """RFC 5883. BIRD's packets begin at a TTL of 64."""
    lab.peer(Bird, local=FAR, peer=FAR_OURS, bgp="multihop 2;")
    node = lab.node("{interval: 50ms}", peer=FAR, more=f"local: {FAR_OURS}, hops: 2,")
    assert node.up()["kind"] == "multihop"
    ip("-n", net[0], "link", "set", "far", "down")
    wait("BGP to end", lambda: node.log("session", "BFD down"))
    ip("-n", net[0], "link", "set", "far", "up")
    ip("-n", net[0], "route", "replace", "10.79.0.0/24", "via", "10.78.0.2")
    node.up()
    node.reload("{interval: 50ms, min_ttl: 64}")
    wait("packets to come from too far away", lambda: node.bfd()["reason"] == "nothing was heard yet")


def test_over_ipv6(lab):
    lab.peer(Bird, local=NEAR6, peer=OURS6)
    node = lab.node(FAST, peer=NEAR6)
    node.up()


def test_over_link_local_addresses(lab, net):
    """An address that names somebody on an interface only."""
    for netns, address in zip(net, ("fe80::a", "fe80::b")):
        ip("-n", netns, "address", "replace", f"{address}/64", "dev", "veth", "nodad")
    lab.peer(Bird, local="fe80::b", peer="fe80::a%veth")
    node = lab.node(FAST, peer="fe80::b", more="local: 'fe80::a', interface: veth,")
    assert node.up()["kind"] == "neighbour"


def test_who_is_no_neighbour_takes_nothing_down(lab, net):
    """Down, said in the peer's name: with a TTL that crossed a router it is nothing, with 255 it is the peer's word."""
    lab.peer(Bird)
    node = lab.node(FAST)
    node.up()

    def say(ttl):
        code = f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("{NEAR}", 49999))
s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, {ttl})
s.sendto(bytes.fromhex("{struct.pack('>BBBBIIIII', 0x20, 0x40, 3, 24, 99, 0, 10**6, 10**6, 0).hex()}"), ("{OURS}", 3784))
"""
        subprocess.run(["ip", "netns", "exec", net[1], "/usr/bin/python3", "-c", code], check=True)

    for ttl in 1, 64, 254:
        say(ttl)
    sent = node.bfd()["sent"]
    wait("packets after it", lambda: node.bfd()["sent"] > sent + 20)
    assert (node.bfd()["downs"], node.bgp()["flaps"]) == (0, 0)
    say(255)
    wait("the peer's word to count", lambda: node.log("bfd", "neighbor signaled session down"))
