# SPDX-License-Identifier: BSD-2-Clause
"""FlowSpec rules and blackholes between nearcast's control plane and the BGP daemons of Debian, both ways.

    nearcast-controlplane 10.77.0.1, fd77::1 [NAME-c] veth --- veth [NAME-d] 10.77.0.2, fd77::2 the daemon
"""
import json
import os
import pathlib
import signal
import subprocess

import pytest

import peers
from daemons import wait
from lab import BUILD, ip
from peers import PEER, PEER6, PEER_AS, SPEAKER, SPEAKER6

NAME = f"ncr{os.getpid() % 100000}"
CONFIG = f"""
node: {{name: lab, control: $DIR/control, dataplane: $DIR/dataplane, http: 127.0.0.1:9464}}
bgp:
  as: 65001
  router_id: {SPEAKER}
  peers:
    - {{name: peer, address: {PEER}, as: {PEER_AS}, hold: 9s, reconnect: 1s, flowspec: true, blackhole: true,
       next_hop: {{ipv6: "{SPEAKER6}"}}}}
vips:
  - {{name: v4, prefix: 10.99.0.1/32}}
  - {{name: v6, prefix: "fd99::1/128"}}
pools: []
services: []
"""
RULE4, RULE6 = "dst 10.99.0.1/32 proto 17 sport 123", "dst fd99::1/128 proto 6 dport 80"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not (BUILD / "controlplane/nearcast-controlplane").exists(), reason="nearcast is not built"),
]


class Bird(peers.Bird):
    config_text = """
log stderr all;
router id $ID;
flow4 table rules4; flow6 table rules6;
protocol device { }
protocol static s4 { flow4 { table rules4; };
  $RULES4
}
protocol static s6 { flow6 { table rules6; };
  $RULES6
}
protocol static holes { ipv4; $HOLES }
protocol bgp p {
  local $PEER as $PEER_AS; neighbor $SPEAKER as $AS; passive on;
  hold time $HOLD;
  ipv4 { import all; export all; }; ipv6 { import all; export all; };
  flow4 { table rules4; import all; export all; validate off; };
  flow6 { table rules6; import all; export all; validate off; };
}
"""
    drop = "{ bgp_ext_community.add((generic, 0x80060000, 0x0)); }"
    sends = {"rules4": f"route flow4 {{ dst 10.99.0.1/32; proto = 17; sport = 123; }} {drop};",
             "rules6": f"route flow6 {{ dst fd99::1/128; next header = 6; dport = 80; }} {drop};",
             "holes": 'route 10.99.0.1/32 blackhole { bgp_community.add((65535,666)); };'}
    nothing = dict.fromkeys(sends, "")
    rule4 = r"dst 10\.99\.0\.1/32; proto 17; sport 123;[^\n]*\n(.*\n)*?.*0x8006fde9, 0x0"
    rule6 = r"dst fd99::1/128; next header 6; dport 80;"

    def table(self):
        return self.ask("birdc", "-r", "-s", self.dir / "ctl", "show", "route", "table", "all", "all")

    def withdraw(self):
        self.options.update(self.nothing)
        (self.dir / self.config_name).write_text(self.config())
        self.ask("birdc", "-s", self.dir / "ctl", "configure")


class Frr(peers.Frr):
    config_text = peers.Frr.config_text + """
 address-family ipv4 flowspec
  neighbor $SPEAKER activate
 exit-address-family
 address-family ipv6 flowspec
  neighbor $SPEAKER activate
 exit-address-family
"""
    rule4 = r"10\.99\.0\.1/32(.*\n)*?.*= 17(.*\n)*?.*= 123(.*\n)*?.*FS:rate 0"
    rule6 = r"fd99::1/128"
    nothing = {}

    def table(self):
        return "\n".join(self.ask("vtysh", "--vty_socket", self.dir, "-c", f"show bgp {family} flowspec detail")
                         for family in ("ipv4", "ipv6")) + self.ask("vtysh", "--vty_socket", self.dir, "-c", "show bgp ipv4 unicast 10.99.0.1/32")


class GoBgp(peers.GoBgp):
    config_text = peers.GoBgp.config_text + "".join(f"""
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "{name}-flowspec"
""" for name in ("ipv4", "ipv6"))
    rule4 = r"destination: 10\.99\.0\.1/32.*protocol: ==udp.*source-port: ==123.*discard"
    rule6 = r"destination: fd99::1/128.*protocol: ==tcp.*destination-port: ==80.*discard"
    nothing = {}
    given = [("ipv4-flowspec", "match destination 10.99.0.1/32 protocol udp source-port ==123", "then discard"),
             ("ipv6-flowspec", "match destination fd99::1/128 protocol tcp destination-port ==80", "then discard"),
             ("ipv4", "10.99.0.1/32", f"nexthop {PEER} community 65535:666")]

    def table(self):
        return "\n".join(self.ask("gobgp", "global", "rib", "-a", family)
                         for family in ("ipv4-flowspec", "ipv6-flowspec", "ipv4"))

    def announce(self):
        wait("gobgpd", lambda: self.ask("gobgp", "neighbor", SPEAKER))
        for family, match, then in self.given:
            self.ask("gobgp", "global", "rib", "add", "-a", family, *match.split(), *then.split())

    def withdraw(self):
        for family, match, _ in self.given:
            self.ask("gobgp", "global", "rib", "del", "-a", family, *match.split())


class ExaBgp(peers.ExaBgp):
    config_text = peers.ExaBgp.config_text.replace("family { ipv4 unicast; ipv6 unicast; }", """
  family { ipv4 unicast; ipv6 unicast; ipv4 flow; ipv6 flow; }
  $FLOWS
""")
    sends = {"flows": f"""
  flow {{
    route one {{ match {{ destination 10.99.0.1/32; protocol udp; source-port =123; }} then {{ discard; }} }}
    route two {{ match {{ destination fd99::1/128; next-header tcp; destination-port =80; }} then {{ discard; }} }}
  }}
  static {{ route 10.99.0.1/32 next-hop {PEER} community [65535:666]; }}"""}
    nothing = {"flows": ""}
    rule4 = r"10\.99\.0\.1/32[^\n]*=udp[^\n]*=123"
    rule6 = r"fd99::1/128[^\n]*=tcp[^\n]*=80"

    def table(self):
        """What its messages add up to: rules of the last announcement of each that no later withdrawal took."""
        found = {}
        file = self.dir / "rx.json"
        for line in file.read_text().splitlines() if file.exists() else []:
            update = json.loads(line).get("neighbor", {}).get("message", {}).get("update", {})
            for hops in update.get("announce", {}).values():
                for rows in hops.values():
                    found.update({row.get("string", row.get("nlri")): json.dumps(update.get("attribute")) for row in rows})
            for rows in update.get("withdraw", {}).values():
                for row in rows:
                    found.pop(row.get("string", row.get("nlri")), None)
        return "\n".join(f"{rule} {attributes}" for rule, attributes in found.items())

    def withdraw(self):
        self.options.update(self.nothing)
        (self.dir / self.config_name).write_text(self.config())
        self.signal(signal.SIGUSR1)


KINDS = [Bird, Frr, GoBgp, ExaBgp]
SENDERS = [Bird, GoBgp, ExaBgp]  # FRR 8.4 can't originate


def names(kinds):
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.package)


class ControlPlane:
    def __init__(self, netns, run_dir):
        self.dir, self.netns = pathlib.Path(run_dir), netns
        (self.dir / "lab.yaml").write_text(CONFIG.replace("$DIR", str(self.dir)))
        self.log = self.dir / "controlplane.log"
        self.start()

    def start(self):
        with self.log.open("a") as log:
            self.process = subprocess.Popen(["ip", "netns", "exec", self.netns, str(BUILD / "controlplane/nearcast-controlplane"),
                                             str(self.dir / "lab.yaml")], stdout=log, stderr=log)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ctl(self, *words, check=True):
        done = subprocess.run([str(BUILD / "ctl/nearcastctl"), "--socket", str(self.dir / "control"), *words], text=True,
                              capture_output=True, timeout=30, check=False)
        assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    def json(self, *words):
        done = self.ctl("--json", *words, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else []

    def is_up(self):
        return any(peer["state"] == "Established" for peer in self.json("bgp"))

    def used(self):
        return {(row["kind"], row["rule"], row["action"]) for row in self.json("imports") if row["state"] == "used"}


@pytest.fixture(scope="module")
def link():
    names = f"{NAME}-c", f"{NAME}-d"
    try:
        for name in names:
            ip("netns", "add", name)
        ip("-n", names[0], "link", "add", "veth", "type", "veth", "peer", "name", "veth", "netns", names[1])
        for name, v4, v6 in zip(names, (SPEAKER, PEER), (SPEAKER6, PEER6)):
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "veth", "up")
            ip("-n", name, "address", "add", f"{v4}/24", "dev", "veth")
            ip("-n", name, "address", "add", f"{v6}/64", "dev", "veth", "nodad")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL, check=False)


@pytest.fixture
def lab(link, tmp_path, request):
    started = []

    def make(kind, **options):
        if not kind.installed():
            pytest.skip(f"{kind.program} is not there: package {kind.package}")
        (tmp_path / "peer").mkdir()
        peer = kind(link[1], tmp_path / "peer", **options)
        peer.start()
        started.append(peer)
        plane = ControlPlane(link[0], tmp_path)
        started.append(plane)
        wait("the session", plane.is_up, 30)
        return plane, peer

    yield make
    for thing in started:
        thing.kill()
        if request.session.testsfailed:
            print(thing.log.read_text(errors="replace")[-2500:])


@names(KINDS)
def test_asks_for_rules_and_blackholes_and_takes_them_back(lab, kind):
    plane, peer = lab(kind, **kind.nothing)
    plane.ctl("bgp", "flowspec", "announce", RULE4, "--rate", "0")
    plane.ctl("bgp", "flowspec", "announce", RULE6, "--rate", "0", "--to", "peer")
    plane.ctl("bgp", "blackhole", "announce", "10.99.0.1/32")
    for pattern in kind.rule4, kind.rule6, r"65535[:,] ?666|blackhole":
        wait(pattern, lambda pattern=pattern: peers.re.search(pattern, peer.table()))
    assert [row["told"] for row in plane.json("bgp", "flowspec") + plane.json("bgp", "blackhole")] == [1, 1, 1]
    plane.ctl("bgp", "flowspec", "withdraw", RULE4)
    wait("one rule less", lambda: not peers.re.search(kind.rule4, peer.table()))
    assert peers.re.search(kind.rule6, peer.table())
    plane.ctl("bgp", "flowspec", "announce", RULE6, "--rate", "0", "--for", "1s")
    wait("the end of its time", lambda: not peers.re.search(kind.rule6, peer.table()))
    plane.ctl("bgp", "blackhole", "withdraw", "10.99.0.1/32")
    wait("no blackhole", lambda: "10.99.0.1/32" not in peer.table())
    assert plane.is_up() and not plane.json("bgp", "flowspec")


@names(SENDERS)
def test_imports_rules_and_blackholes_until_they_are_withdrawn(lab, kind):
    plane, peer = lab(kind, **getattr(kind, "sends", {}))
    if hasattr(peer, "announce"):
        peer.announce()
    expected = {("flowspec", "dst 10.99.0.1/32 proto udp sport 123", "drop"),
                ("flowspec", "dst fd99::1/128 proto tcp dport 80", "drop"), ("blackhole", "dst 10.99.0.1/32", "drop")}
    wait("all three", lambda: plane.used() == expected)
    assert plane.json("bgp", "routes", "peer", "--received") == plane.json("imports")
    peer.withdraw()
    wait("nothing", lambda: not plane.json("imports"))
    assert plane.is_up()


class RestartingBird(Bird):
    config_text = Bird.config_text.replace("hold time", "graceful restart on; graceful restart time 60; hold time")
    restarts = False

    def words(self):
        return [*super().words(), *(["-R"] if self.restarts else [])]


def test_keeps_the_rules_of_a_peer_that_restarts_until_its_end_of_rib(lab):
    """RFC 4724 4.2: they stay over the loss of the session, and go when the peer doesn't repeat them."""
    plane, bird = lab(RestartingBird, **RestartingBird.sends)
    wait("all three", lambda: len(plane.used()) == 3)
    bird.kill()
    wait("that they are stale", lambda: {row["state"] for row in plane.json("imports")} == {"stale"})
    assert len(plane.json("filters")) == 3, "and in force"
    bird.restarts = True
    bird.options["rules6"] = ""
    bird.start()
    wait("what it repeats", lambda: {row["rule"] for row in plane.json("imports")} ==
         {"dst 10.99.0.1/32 proto udp sport 123", "dst 10.99.0.1/32"} and len(plane.used()) == 2, 30)


def test_what_is_asked_for_outlives_the_control_plane_and_a_reload(lab):
    plane, peer = lab(GoBgp)
    plane.ctl("bgp", "flowspec", "announce", RULE4, "--rate", "0", "--for", "1h")
    wait("the rule", lambda: peers.re.search(GoBgp.rule4, peer.table()))
    plane.ctl("reload")
    plane.kill()
    wait("its withdrawal", lambda: not peers.re.search(GoBgp.rule4, peer.table()))
    plane.start()
    wait("the rule again", lambda: peers.re.search(GoBgp.rule4, peer.table()), 30)
    assert 3500 < plane.json("bgp", "flowspec")[0]["left_s"] <= 3600


def test_refuses_what_makes_no_sense(lab):
    plane, _ = lab(GoBgp)
    for words, why in (
            (("flowspec", "announce", "dst 10.99.0.1/32"), "what is to be done"),
            (("flowspec", "announce", "dst 10.99.0.1/32 proto 900", "--rate", "0"), "rule: "),
            (("flowspec", "announce", "dst 192.0.2.1/32", "--rate", "0"), "not inside of a vip"),
            (("flowspec", "announce", RULE4, "--rate", "-1"), "from 0"),
            (("flowspec", "announce", RULE4, "--rate", "0", "--to", "nobody"), "no peer"),
            (("flowspec", "withdraw", RULE4), "not announced"),
            (("blackhole", "announce", "192.0.2.1/32"), "not inside of a vip"),
            (("blackhole", "announce", "10.99.0.1/32", "--community", "x"), "one of them is none")):
        done = plane.ctl("bgp", *words, check=False)
        assert done.returncode == 1 and why in done.stderr, (words, done.stderr)
    plane.ctl("bgp", "flowspec", "announce", "dst 192.0.2.1/32", "--rate", "0", "--anyway")
