# SPDX-License-Identifier: BSD-2-Clause
"""The BGP daemons of Debian, one class each: how it is configured, started, asked for its routes and heard complain."""
import json
import os
import pathlib
import re
import shutil
import subprocess

SPEAKER, PEER = "10.77.0.1", "10.77.0.2"
SPEAKER6, PEER6 = "fd77::1", "fd77::2"
PEER_AS = 65002
ROUTER_ID = "10.77.0.2"


class Peer:
    """A daemon in a namespace. Its files are in run_dir; it stays in the foreground and is ended by its pid."""
    package = program = config_text = ""
    config_name = "conf"
    helps_restart = False  # keeps a restarting peer's routes (RFC 4724 4.2)
    refused = refuses = ""  # its log after NOTIFICATION 2/2 from us; after its own

    def __init__(self, netns, run_dir, **options):
        self.netns, self.dir, self.process = netns, pathlib.Path(run_dir), None
        self.options = {"as": 65001, "peer_as": PEER_AS, "id": ROUTER_ID, "hold": 9, "dials": False, **options}
        self.log = self.dir / "log"

    @classmethod
    def installed(cls):
        return shutil.which(cls.program) is not None

    def config(self):
        names = {"RUN": self.dir, "SPEAKER6": SPEAKER6, "SPEAKER": SPEAKER, "PEER6": PEER6, "PEER": PEER,
                 "RATE": max(1, self.options["hold"] // 3), **{k.upper(): v for k, v in self.options.items()}}
        return re.sub(r"\$(\w+)", lambda m: str(names[m.group(1)]), self.config_text)

    def words(self):
        raise NotImplementedError

    def start(self):
        (self.dir / self.config_name).write_text(self.config())
        with self.log.open("a") as log:
            self.process = subprocess.Popen(["ip", "netns", "exec", self.netns, *map(str, self.words())], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, env=self.environment(), cwd=self.dir)

    def environment(self):
        return dict(os.environ)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def says(self, pattern):
        return re.search(pattern, self.log.read_text(errors="replace"), re.I) is not None

    def ask(self, *words):
        done = subprocess.run(["ip", "netns", "exec", self.netns, *map(str, words)], text=True, timeout=20,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return done.stdout if done.returncode == 0 else ""

    def ask_json(self, *words):
        try:
            return json.loads(self.ask(*words) or "{}")
        except ValueError:
            return {}

    def routes(self, of=None):
        """{prefix: (next hop, AS path, origin)} of what the speaker announced; of: that neighbour alone."""
        raise NotImplementedError


class Bird(Peer):
    package, program, helps_restart = "bird2", "bird", True
    refused, refuses = r"Received: Bad peer AS", r"Bad peer AS"

    config_text = """
log stderr all;
router id $ID;
protocol device { }
protocol bgp p {
  debug { states, events };
  local $PEER as $PEER_AS; neighbor $SPEAKER as $AS;
  passive $PASSIVE;
  hold time $HOLD; connect retry time 1; connect delay time 1; error wait time 1,2;
  ipv4 { import all; export none; };
  ipv6 { import all; export none; };
}
"""

    def config(self):
        self.options["passive"] = "off" if self.options["dials"] else "on"
        return super().config()

    def words(self):
        return [self.program, "-f", "-c", self.dir / "conf", "-s", self.dir / "ctl", "-P", self.dir / "pid"]

    def routes(self, of=None):
        found = {}
        protocol = f"protocol {of}" if of else ""
        text = self.ask("birdc", "-r", "-s", self.dir / "ctl", f"show route {protocol} all")
        for block in re.split(r"\n(?=\S)", text):
            match = re.match(r"(\S+/\d+) ", block)
            if match:
                field = dict(re.findall(r"BGP\.(\w+): (.*)", block))
                found[match[1]] = (field["next_hop"].split()[0], [int(a) for a in field["as_path"].split()],
                                   field["origin"].lower())
        return found


class Frr(Peer):
    package, program, helps_restart = "frr", "/usr/lib/frr/bgpd", True
    refused, refuses = r"received NOTIFICATION.*2/2", r"sending NOTIFICATION.*2/2|bad peer AS"
    config_text = """
log stdout
router bgp $PEER_AS
 bgp router-id $ID
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 bgp log-neighbor-changes
 timers bgp $RATE $HOLD
 neighbor $SPEAKER remote-as $AS
 neighbor $SPEAKER timers connect 1
 $PASSIVE
 address-family ipv4 unicast
  neighbor $SPEAKER activate
 exit-address-family
 address-family ipv6 unicast
  neighbor $SPEAKER activate
 exit-address-family
"""

    def config(self):
        self.options["passive"] = "" if self.options["dials"] else f"neighbor {SPEAKER} passive"
        return super().config()

    def words(self):
        return [self.program, "-f", self.dir / "conf", "-i", self.dir / "pid", "-z", self.dir / "zebra", "-n", "-S",
                "--vty_socket", self.dir, "-P", "0", "--log", "stdout"]

    def routes(self, of=None):
        found = {}
        for family in "ipv4", "ipv6":
            table = self.ask_json("vtysh", "--vty_socket", self.dir, "-c", f"show bgp {family} unicast json")
            for prefix, ways in table.get("routes", {}).items():
                for way in [way for way in ways if of in (None, way["peerId"])][:1]:
                    hops = [h["ip"] for h in way["nexthops"] if h.get("scope", "global") == "global"]
                    found[prefix] = (hops[0], [int(a) for a in way["path"].split()], way["origin"].lower())
        return found


class GoBgp(Peer):
    package, program, helps_restart = "gobgpd", "gobgpd", True
    config_name = "gobgpd.toml"
    refused = r"received notification.*(code=2 .*subcode=2|\"Code\":2.*\"Subcode\":2|bad peer as)"
    refuses = r"sent notification.*(subcode=2|\"Subcode\":2|bad peer as)|bad peer as"
    config_text = """
[global.config]
  as = $PEER_AS
  router-id = "$ID"
  local-address-list = ["$PEER"]
[[neighbors]]
  [neighbors.config]
    neighbor-address = "$SPEAKER"
    peer-as = $AS
  [neighbors.transport.config]
    local-address = "$PEER"
    passive-mode = $PASSIVE
  [neighbors.timers.config]
    connect-retry = 1
    hold-time = $HOLD
    keepalive-interval = $RATE
    idle-hold-time-after-reset = 1
  [neighbors.graceful-restart.config]
    enabled = true
    helper-only = true
    restart-time = 60
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
    [neighbors.afi-safis.mp-graceful-restart.config]
      enabled = true
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv6-unicast"
    [neighbors.afi-safis.mp-graceful-restart.config]
      enabled = true
"""
    ORIGINS = "igp", "egp", "incomplete"

    def config(self):
        self.options["passive"] = "false" if self.options["dials"] else "true"
        return super().config()

    def heard(self, of, family):
        """{prefix: {attribute's type: attribute}}."""
        table = ("neighbor", of, "adj-in") if of else ("global", "rib")
        return {prefix: {a["type"]: a for a in ways[0]["attrs"]}
                for prefix, ways in self.ask_json("gobgp", "-j", *table, "-a", family).items()}

    def words(self):
        return [self.program, "-f", self.dir / self.config_name, "--api-hosts", "127.0.0.1:50051", "--log-plain"]

    def routes(self, of=None):
        found = {}
        for family in "ipv4", "ipv6":
            for prefix, attributes in self.heard(of, family).items():
                hop = attributes[3]["nexthop"] if 3 in attributes else attributes[14]["nexthop"]
                path = [a for s in attributes[2]["as_paths"] for a in s["asns"]]
                found[prefix] = (hop, path, self.ORIGINS[attributes[1]["value"]])
        return found


class OpenBgpd(Peer):
    package, program, helps_restart = "openbgpd", "/usr/sbin/bgpd", True
    refused, refuses = r"received notification: .*AS unacceptable", r"sending notification: .*AS unacceptable"
    config_text = """
AS $PEER_AS
router-id $ID
fib-update no
listen on $PEER
holdtime $HOLD
connect-retry 1
socket "$RUN/ctl"
neighbor $SPEAKER {
  remote-as $AS
  local-address $PEER
  $PASSIVE
  announce IPv4 unicast
  announce IPv6 unicast
}
allow from any
deny to any
"""

    @classmethod
    def installed(cls):
        return shutil.which("bgpctl") is not None and shutil.which(cls.program) is not None

    def config(self):
        self.options["passive"] = "" if self.options["dials"] else "passive"
        return super().config()

    def words(self):
        # Its children's root is /run/openbgpd; this namespace's mounts are its own.
        return ["sh", "-c", "mount -t tmpfs none /run && mkdir /run/openbgpd && chmod 600 $1 && exec $0 -d -v -f $1",
                self.program, self.dir / "conf"]

    def routes(self, of=None):
        return {r["prefix"]: (r["exit_nexthop"], [int(a) for a in r["aspath"].split()], r["origin"].lower())
                for r in self.heard(of)}

    def heard(self, of):
        only = ("neighbor", of) if of else ()
        return self.ask_json("bgpctl", "-s", self.dir / "ctl", "-j", "show", "rib", *only, "detail").get("rib", [])


class ExaBgp(Peer):
    """It keeps no table: its routes are what its messages add up to."""
    package, program = "exabgp", "exabgp"
    refused, refuses = r"notification received \(2,2\)|received notification.*\(2,2\)", r"notification.*\(?2,2\)?"
    config_text = """
process rx { run /bin/sh -c "cat >> $RUN/rx.json"; encoder json; }
neighbor $SPEAKER {
  router-id $ID;
  local-address $PEER;
  local-as $PEER_AS;
  peer-as $AS;
  hold-time $HOLD;
  $PASSIVE
  api { processes [ rx ]; neighbor-changes; receive { parsed; update; } }
  family { ipv4 unicast; ipv6 unicast; }
}
"""

    def config(self):
        self.options["passive"] = "" if self.options["dials"] else "passive true; listen 179;"
        return super().config()

    def words(self):
        return [self.program, self.dir / "conf"]

    def environment(self):
        return dict(os.environ, exabgp_daemon_user="root", exabgp_api_cli="false", exabgp_api_ack="false",
                    exabgp_log_level="DEBUG", exabgp_log_destination="stdout", exabgp_log_all="true",
                    exabgp_daemon_daemonize="false", PYTHONUNBUFFERED="1")

    def kill(self):
        super().kill()
        (self.dir / "rx.json").unlink(missing_ok=True)

    def events(self):
        file = self.dir / "rx.json"
        for line in file.read_text().splitlines() if file.exists() else []:
            yield json.loads(line).get("neighbor", {})

    def heard(self, of=None):
        """{route: (next hop, attributes)}."""
        found = {}
        for neighbor in self.events():
            if of not in (None, neighbor.get("address", {}).get("peer")):
                continue
            if neighbor.get("state") == "down":
                found.clear()
            self.apply(neighbor.get("message", {}).get("update", {}), found)
        return found

    @staticmethod
    def apply(update, found):
        for hops in update.get("announce", {}).values():
            for hop, routes in hops.items():
                for route in routes if hop != "null" else []:
                    found[route.get("nlri", route.get("string"))] = (hop, update.get("attribute", {}))
        for routes in update.get("withdraw", {}).values():
            for route in routes:
                found.pop(route.get("nlri", route.get("string")), None)

    def routes(self, of=None):
        found = {}
        for prefix, (hop, attribute) in self.heard(of).items():
            path = attribute.get("as-path", {})
            path = [a for s in path.values() for a in s["value"]] if isinstance(path, dict) else path
            found[prefix] = (hop, path, attribute["origin"])
        return found


PEERS = [Bird, Frr, GoBgp, OpenBgpd, ExaBgp]
