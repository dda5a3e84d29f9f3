# SPDX-License-Identifier: BSD-2-Clause
"""The daemons of peers.py with many neighbours: one for each address of the speaker, each with a feature of its own, so
that one start serves many tests. They wait to be dialled where the session doesn't say otherwise.
"""
import contextlib
import dataclasses
import os
import pathlib
import re
import signal
import time

import peers

AS, PEER_AS = 4200000010, 65002
PEER, PEER6, PEER_ID = "10.77.0.2", "fd77::2", "10.77.0.2"
KEY = "s3cret"
PEER_V4, PEER_V6, PEER_LATER = "203.0.113.2/32", "2001:db8:2::1/128", "203.0.113.77/32"
PEER_COMMUNITIES = {"65002:7", "rt:65002:8", "65002:9:10"}
PEER_FLOW = "203.0.113.9"  # it drops UDP to port 53 of it


@dataclasses.dataclass(frozen=True)
class Session:
    """What the daemon's neighbour has beside the plain; `us` is the speaker's address."""
    us: str
    feature: str = ""

    @property
    def is_v6(self):
        return ":" in self.us

    @property
    def them(self):
        return PEER6 if self.is_v6 else PEER

    @property
    def name(self):
        return "to_" + re.sub(r"\W+", "_", self.us)


# Many, taken in turn: daemons let a neighbour wait for seconds after a session's end.
PLAINS = [Session(f"10.77.0.{host}") for host in range(20, 36)]
PLAINS6 = [Session(f"fd77::{host}") for host in range(20, 24)]
MD5, MD56 = Session("10.77.0.3", "md5"), Session("fd77::3", "md5")
GTSM, GTSM6 = Session("10.77.0.4", "gtsm"), Session("fd77::4", "gtsm")
ROLE = Session("10.77.0.5", "role")  # the daemon is the provider
HOP6 = Session("fd77::6", "hop")     # RFC 8950
FLOW = Session("10.77.0.7", "flow")
DIALS, DIALS_TOO = Session("10.77.0.8", "dials"), Session("10.77.0.9", "dials")
SESSIONS = [*PLAINS, *PLAINS6, MD5, MD56, GTSM, GTSM6, ROLE, HOP6, FLOW, DIALS, DIALS_TOO]


def wait(what, condition, seconds=20.0):
    """Waits for a condition, never for a time; gives what it gave."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s in vain for {what}"
        time.sleep(0.03)


class Daemon:
    """What the tests ask of each, in front of its class in peers.py."""
    id = name = ""

    def start(self):
        super().start()
        wait(f"{self.name} to listen", lambda: self.ask("ss", "-Hltn", "sport", "=", ":179"))

    def pids(self):
        """The daemon and its children."""
        pid = self.process.pid
        return [pid, *map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def signal(self, number):
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGKILL)
        super().kill()

    def routes(self, session):
        return super().routes(session.us)

    def communities(self, session, prefix):
        """Of all three kinds, as PEER_COMMUNITIES writes them."""
        raise NotImplementedError

    def flows(self):
        """What it heard of FlowSpec, as text."""
        raise NotImplementedError

    def announce(self, session, prefix, hop=PEER):
        """To that session at least."""
        raise NotImplementedError

    def withdraw(self, session, prefix):
        raise NotImplementedError

    def refresh(self, session):
        """Asks the speaker for its routes."""
        raise NotImplementedError

    def shutdown(self, session, text):
        raise NotImplementedError

    def enable(self, session):
        """Undoes shutdown()."""
        raise NotImplementedError


class Bird(Daemon, peers.Bird):
    id, name = "bird", "BIRD 2.0.12"

    SPECIAL = {"md5": f'password "{KEY}";', "gtsm": "ttl security on;", "role": "local role provider;"}

    def neighbour(self, session):
        hop = "extended next hop on;" if session.feature == "hop" else "" if not session.is_v6 else \
            f"next hop address {PEER};"
        flow = "flow4 { table f4; import all; export where source = RTS_STATIC; };\n" \
               "flow6 { table f6; import all; export where source = RTS_STATIC; };" if session.feature == "flow" else ""
        return f"""
protocol bgp {session.name} {{
  debug {{ states, events }};
  local {session.them} as {PEER_AS}; neighbor {session.us} as {AS};
  passive {'off' if session.feature == 'dials' else 'on'};
  hold time 90; connect retry time 1; connect delay time 1; error wait time 1,2;
  enable extended messages on;
  graceful restart on;
  {self.SPECIAL.get(session.feature, "")}
  ipv4 {{ import all; export where source = RTS_STATIC; {hop} }};
  ipv6 {{ import all; export where source = RTS_STATIC; {"" if session.is_v6 else f"next hop address {PEER6};"} }};
  {flow}
}}"""

    def config(self):
        paths = "{ bgp_community.add((65002, 7)); bgp_ext_community.add((rt, 65002, 8)); " \
                "bgp_large_community.add((65002, 9, 10)); }"
        drops = "{ bgp_ext_community.add((generic, 0x80060000, 0x0)); }"
        return f"""
log stderr all;
router id {PEER_ID};
flow4 table f4;
flow6 table f6;
protocol device {{ }}
protocol static v4 {{ ipv4; route {PEER_V4} blackhole {paths}; }}
protocol static v6 {{ ipv6; route {PEER_V6} blackhole {paths}; }}
protocol static later {{ disabled; ipv4; route {PEER_LATER} blackhole; }}
protocol static flows {{ flow4 {{ table f4; }}; route flow4 {{ dst {PEER_FLOW}/32; proto = 17; dport = 53; }} {drops}; }}
""" + "".join(map(self.neighbour, SESSIONS))

    def tell(self, line):
        return self.ask("birdc", "-s", self.dir / "ctl", line)

    def routes(self, session):
        return peers.Bird.routes(self, session.name)

    def communities(self, session, prefix):
        text = self.tell(f"show route {prefix} protocol {session.name} all")
        fields = re.findall(r"BGP\.(?:\w*)community: (.*)", text)
        return {":".join(re.findall(r"\w+", group)) for field in fields for group in re.findall(r"\([^)]*\)", field)}

    def flows(self):
        return "".join(self.tell(f"show route table {table} protocol {FLOW.name}") for table in ("f4", "f6"))

    def announce(self, session, prefix, hop=PEER):
        self.tell("enable later")

    def withdraw(self, session, prefix):
        self.tell("disable later")

    def refresh(self, session):
        self.tell(f"reload in {session.name}")

    def shutdown(self, session, text):
        self.tell(f'disable {session.name} "{text}"')

    def enable(self, session):
        self.tell(f"enable {session.name}")


class Frr(Daemon, peers.Frr):
    id, name = "frr", "FRR 8.4"

    SPECIAL = {"md5": f"password {KEY}", "gtsm": "ttl-security hops 1", "role": "local-role provider",
               "hop": "capability extended-nexthop"}

    def neighbour(self, session):
        lines = [f"remote-as {AS}", "timers connect 1"]
        if session.feature != "dials":
            lines.append("passive")
        if session.feature in self.SPECIAL:
            lines.append(self.SPECIAL[session.feature])
        return "".join(f" neighbor {session.us} {line}\n" for line in lines)

    def family(self, name, *lines, sessions=SESSIONS):
        active = "".join(f"  neighbor {s.us} activate\n  neighbor {s.us} route-map out out\n" for s in sessions)
        rest = "".join(f"  {line}\n" for line in lines)
        return f" address-family {name}\n{active}{rest} exit-address-family\n"

    def config(self):
        return f"""
log stdout
bgp large-community-list standard none permit 1:1:1
route-map out permit 10
 set community 65002:7
 set extcommunity rt 65002:8
 set large-community 65002:9:10
 set ip next-hop {PEER}
 set ipv6 next-hop global {PEER6}
router bgp {PEER_AS}
 bgp router-id {PEER_ID}
 no bgp ebgp-requires-policy
 no bgp network import-check
 no bgp default ipv4-unicast
 bgp log-neighbor-changes
 bgp graceful-restart
 bgp graceful-restart preserve-fw-state
 coalesce-time 0
 timers bgp 30 90
""" + "".join(map(self.neighbour, SESSIONS)) + \
            self.family("ipv4 unicast", f"network {PEER_V4}") + \
            self.family("ipv6 unicast", f"network {PEER_V6}") + \
            self.family("ipv4 flowspec", sessions=[FLOW]) + self.family("ipv6 flowspec", sessions=[FLOW])

    def vtysh(self, *lines):
        words = [word for line in lines for word in ("-c", line)]
        return self.ask("vtysh", "--vty_socket", self.dir, *words)

    def vtysh_json(self, line):
        return self.ask_json("vtysh", "--vty_socket", self.dir, "-c", f"{line} json")

    def configure(self, *lines):
        self.vtysh("configure terminal", f"router bgp {PEER_AS}", *lines)

    def communities(self, session, prefix):
        ways = self.vtysh_json(f"show bgp {'ipv6' if ':' in prefix else 'ipv4'} unicast {prefix}").get("paths", [])
        kinds = "community", "extendedCommunity", "largeCommunity"
        return {community for way in ways if way["peer"]["peerId"] == session.us
                for kind in kinds for community in way.get(kind, {}).get("string", "").lower().split()}

    def flows(self):
        return self.vtysh("show bgp ipv4 flowspec") + self.vtysh("show bgp ipv6 flowspec")

    def announce(self, session, prefix, hop=PEER):
        self.configure("address-family ipv4 unicast", f"network {prefix}")

    def withdraw(self, session, prefix):
        self.configure("address-family ipv4 unicast", f"no network {prefix}")

    def refresh(self, session):
        for family in "ipv4", "ipv6":
            self.vtysh(f"clear bgp {family} unicast {session.us} soft in")

    def shutdown(self, session, text):
        self.configure(f"neighbor {session.us} shutdown message {text}")

    def enable(self, session):
        self.configure(f"no neighbor {session.us} shutdown")


class GoBgp(Daemon, peers.GoBgp):
    id, name = "gobgp", "GoBGP 3.10"
    def neighbour(self, session):
        families = ["ipv4-unicast", "ipv6-unicast"]
        if session.feature == "flow":
            families += ["ipv4-flowspec", "ipv6-flowspec"]
        key = f'auth-password = "{KEY}"' if session.feature == "md5" else ""
        gtsm = "[neighbors.ttl-security.config]\nenabled = true\nttl-min = 255" if session.feature == "gtsm" else ""
        return f"""
[[neighbors]]
  [neighbors.config]
    neighbor-address = "{session.us}"
    peer-as = {AS}
    {key}
  [neighbors.transport.config]
    local-address = "{session.them}"
    passive-mode = {"false" if session.feature == "dials" else "true"}
  [neighbors.timers.config]
    connect-retry = 1
    hold-time = 90
    keepalive-interval = 30
    idle-hold-time-after-reset = 1
  [neighbors.graceful-restart.config]
    enabled = true
    restart-time = 60
    notification-enabled = true
  {gtsm}
""" + "".join(f"""
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "{family}"
    [neighbors.afi-safis.mp-graceful-restart.config]
      enabled = true
""" for family in families)

    def config(self):
        return f"""
[global.config]
  as = {PEER_AS}
  router-id = "{PEER_ID}"
  local-address-list = ["{PEER}", "{PEER6}"]
""" + "".join(map(self.neighbour, SESSIONS))

    def start(self):
        super().start()
        wait("GoBGP's API", lambda: "65002" in self.ask("gobgp", "global"))
        rest = "community", "65002:7", "rt", "65002:8", "large-community", "65002:9:10"
        self.rib("add", PEER_V4, *rest, hop=PEER)
        self.rib("add", PEER_V6, *rest, hop=PEER6)
        self.rib("add", "match", "destination", f"{PEER_FLOW}/32", "protocol", "udp", "destination-port", "==53", "then",
                 "discard", family="ipv4-flowspec")

    def rib(self, verb, *words, family=None, hop=None):
        words = *words, *(("nexthop", hop) if hop else ())
        return self.ask("gobgp", "global", "rib", verb, *words, "-a", family or ("ipv6" if ":" in words[0] else "ipv4"))

    def communities(self, session, prefix):
        attributes = self.heard(session.us, "ipv6" if ":" in prefix else "ipv4").get(prefix, {})
        standard = {f"{c >> 16}:{c & 65535}" for c in attributes.get(8, {}).get("communities", [])}
        extended = {f"rt:{c['value']}" for c in attributes.get(16, {}).get("value", []) if c["subtype"] == 2}
        large = {f"{c['ASN']}:{c['LocalData1']}:{c['LocalData2']}" for c in attributes.get(32, {}).get("value", [])}
        return standard | extended | large

    def flows(self):
        return "".join(self.ask("gobgp", "neighbor", FLOW.us, "adj-in", "-a", f"{family}-flowspec")
                       for family in ("ipv4", "ipv6"))

    def announce(self, session, prefix, hop=PEER):
        self.rib("add", prefix, hop=hop)

    def withdraw(self, session, prefix):
        self.rib("del", prefix)

    def shutdown(self, session, text):
        self.ask("gobgp", "neighbor", session.us, "shutdown", "--reason", text)

    def enable(self, session):
        """It ended the session, and takes the next."""


class OpenBgpd(Daemon, peers.OpenBgpd):
    """Its listener drops signed SYNs on Linux, so it dials where there is a key."""
    id, name = "openbgpd", "OpenBGPD 7.7"

    SPECIAL = {"md5": f"tcp md5sig password {KEY}", "gtsm": "ttl-security yes", "role": "announce policy provider"}

    def neighbour(self, session):
        return f"""
neighbor {session.us} {{
  remote-as {AS}
  local-address {session.them}
  {"" if session.feature in ("dials", "md5") else "passive"}
  {"" if session.feature == "gtsm" else "multihop 2"}
  announce IPv4 unicast
  announce IPv6 unicast
  announce enhanced refresh yes
  {self.SPECIAL.get(session.feature, "")}
}}"""

    def config(self):
        path = "community 65002:7 ext-community rt 65002:8 large-community 65002:9:10"
        return f"""
AS {PEER_AS}
router-id {PEER_ID}
fib-update no
listen on {PEER}
listen on {PEER6}
holdtime 90
connect-retry 1
socket "{self.dir}/ctl"
network {PEER_V4} set {{ nexthop {PEER} {path} }}
network {PEER_V6} set {{ nexthop {PEER6} {path} }}
""" + "".join(map(self.neighbour, SESSIONS)) + f"""
allow from any
allow to any
"""

    def tell(self, *words):
        return self.ask("bgpctl", "-s", self.dir / "ctl", *words)

    def communities(self, session, prefix):
        for route in self.heard(session.us):
            if route["prefix"] == prefix:
                extended = [c.replace(" ", ":") for c in route.get("extended_communities", [])]
                return {*route.get("communities", []), *extended, *route.get("large_communities", [])}
        return set()

    def announce(self, session, prefix, hop=PEER):
        self.tell("network", "add", prefix)

    def withdraw(self, session, prefix):
        self.tell("network", "delete", prefix)

    def refresh(self, session):
        self.tell("neighbor", session.us, "refresh")

    def shutdown(self, session, text):
        self.tell("neighbor", session.us, "down", text)

    def enable(self, session):
        self.tell("neighbor", session.us, "up")


class ExaBgp(Daemon, peers.ExaBgp):
    """It reads commands from a file that grows."""
    id, name = "exabgp", "ExaBGP 4.2"

    SPECIAL = {"md5": f'md5-password "{KEY}";', "gtsm": "incoming-ttl 255; outgoing-ttl 255;"}

    def neighbour(self, session):
        path = "community [ 65002:7 ] extended-community [ target:65002:8 ] large-community [ 65002:9:10 ]"
        families, more = "ipv4 unicast; ipv6 unicast;", ""
        hop = PEER
        if session.feature == "flow":
            families += " ipv4 flow; ipv6 flow;"
            more = f"flow {{ route drop {{ match {{ destination {PEER_FLOW}/32; protocol udp; destination-port =53; }} " \
                   "then { discard; } } }"
        if session.feature == "hop":
            more, hop = "nexthop { ipv4 unicast ipv6; }", PEER6
        return f"""
neighbor {session.us} {{
  router-id {PEER_ID};
  local-address {session.them};
  local-as {PEER_AS};
  peer-as {AS};
  hold-time 90;
  {"" if session.feature in ("dials", "gtsm") else "passive true; listen 179;"}
  capability {{ route-refresh enable; graceful-restart 60; {"nexthop enable;" if session.feature == "hop" else ""} }}
  {self.SPECIAL.get(session.feature, "")}
  api {{ processes [ io ]; neighbor-changes; receive {{ parsed; update; }} }}
  family {{ {families} }}
  static {{
    route {PEER_V4} next-hop {hop} {path};
    route {PEER_V6} next-hop {PEER6} {path};
  }}
  {more}
}}"""

    def config(self):
        (self.dir / "commands").touch()
        return f"""
process io {{ run /bin/sh -c "exec 3<&0; cat <&3 >> {self.dir}/rx.json & exec tail -n 0 -f {self.dir}/commands"; encoder json; }}
""" + "".join(map(self.neighbour, SESSIONS))

    def tell(self, session, line):
        with (self.dir / "commands").open("a") as commands:
            commands.write(f"neighbor {session.us} {line}\n")

    def communities(self, session, prefix):
        attribute = self.heard(session.us).get(prefix, ("", {}))[1]
        numbers = attribute.get("community", []) + attribute.get("large-community", [])
        extended = {c["string"].replace("target", "rt") for c in attribute.get("extended-community", [])}
        return {":".join(map(str, group)) for group in numbers} | extended

    def flows(self):
        return " ".join(self.heard(FLOW.us))

    def announce(self, session, prefix, hop=PEER):
        self.tell(session, f"announce route {prefix} next-hop {hop}")

    def withdraw(self, session, prefix):
        self.tell(session, f"withdraw route {prefix} next-hop {PEER}")

    def refresh(self, session):
        for family in "ipv4", "ipv6":
            self.tell(session, f"announce route-refresh {family} unicast")


DAEMONS = [Bird, Frr, GoBgp, OpenBgpd, ExaBgp]
