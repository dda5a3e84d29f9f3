# SPDX-License-Identifier: BSD-2-Clause
"""Who watches BGP: BMP collectors and the MRT file of a whole PoP (scripts/lib/pop.sh draws it).

The edge has two peers in the router's namespace: BIRD, which takes the VIPs, and one made of octets, at 10.77.1.250, which
announces. Collectors listen there too.
"""
import json
import re
import shutil
import struct
import subprocess

import pytest

from bgp_stations import (DOWN, FLAG_OUT, FLAG_POST, INITIATION, ROUTE, STATS, TERMINATION, UP, V4, V6, Collector, RawPeer,
                          announcement, attribute, message)
from pop import wait

BIRD, RAW = "10.77.1.1", "10.77.1.250"
VIPS = {"10.99.0.1/32": "10.77.1.2", "fd99::1/128": "fd77:1::2"}
ENDS = {V4: "end", V6: "end"}
TOLD = "192.0.2.0/24"
# A route with 975 communities.
BULKY = announcement("100.64.0.0/24", extra=struct.pack("!BBH975I", 0xd0, 8, 3900, *range(975)))
PEER = ("    - {name: raw, address: 10.77.1.250, port: 1790, as: 65002, hold: 9s, reconnect: 1s,\n"
        "       next_hop: {ipv4: 10.77.1.2, ipv6: \"fd77:1::2\"}}\n")


class Monitored:
    """The PoP with its second peer; say() configures who watches."""
    def __init__(self, pop):
        self.pop, self.original = pop, pop.config().read_text()
        pop.run("router", "ip", "address", "add", f"{RAW}/24", "dev", "br0")
        self.netns = f"{pop.name}-router"
        self.peer = RawPeer(self.netns, RAW, 1790, told=[announcement(TOLD)])
        self.say("")

    def say(self, monitors):
        text = self.original.replace("  peers:\n", f"{monitors}  peers:\n", 1).replace("\nvips:", f"{PEER}\nvips:", 1)
        self.pop.config().write_text(text)
        self.pop.ctl("reload")
        wait("both sessions", lambda: {p["state"] for p in self.pop.json("bgp")} == {"Established"})
        wait("the VIPs at both", lambda: [p["advertised"] for p in self.pop.json("bgp")] == [2, 2])

    def watch(self):
        return {m["monitor"]: m for m in self.pop.json("bgp", "monitors")}


@pytest.fixture(scope="module")
def monitored(pop):
    made = Monitored(pop)
    yield made
    made.peer.close()
    pop.config().write_text(made.original)
    pop.ctl("reload")


@pytest.fixture
def collector(monitored):
    made = Collector(monitored.netns, BIRD, 11019)
    monitored.say("  bmp: [{name: c, address: 10.77.1.1, port: 11019, stats: 1s}]\n")
    yield made
    monitored.say("")
    made.close()


def caught_up(collector):
    """Everything that is up has been told, and of the raw peer what it says when it is asked."""
    for peer in BIRD, RAW:
        wait(f"the VIPs that {peer} was told", lambda peer=peer: collector.routes(peer, is_out=True) == {**VIPS, **ENDS})
    wait("what the raw peer told", lambda: collector.routes(RAW, is_out=False).get(TOLD) == RAW)


def next_message(collector, kind, **fields):
    since = len(collector.heard)
    return lambda: collector.find(kind, since, **fields)


def test_a_collector_hears_who_is_up_and_what_was_told_in_both_directions(monitored, collector):
    caught_up(collector)
    [first] = collector.find(INITIATION)
    assert (2, "edge1") in first["tlvs"] and any(k == 1 and t.startswith("nearcast ") for k, t in first["tlvs"])
    for peer, name, number in (BIRD, "router", 65001), (RAW, "raw", 65002):
        [up] = collector.find(UP, peer=peer)
        assert (up["as"], up["id"], up["flags"]) == (number, peer, 0), up
        assert (up["sent"]["as"], up["sent"]["id"], up["received"]["as"], up["received"]["id"]) == \
            (65010, "10.77.1.2", number, peer), up
        assert up["local"] == "10.77.1.2" and (0, name) in up["tlvs"], up
        assert (179 if peer == BIRD else 1790) in up["ports"] and 0 not in up["ports"], up
    flags = {m["flags"] for m in collector.find(ROUTE)}
    assert flags == {0, FLAG_OUT | FLAG_POST}


def test_a_collector_hears_of_every_change(monitored, collector):
    pop = monitored.pop
    caught_up(collector)
    monitored.peer.tell(announcement("198.51.100.0/24", "203.0.113.0/24"))
    wait("two more", lambda: {"198.51.100.0/24", "203.0.113.0/24"} <= set(collector.routes(RAW, is_out=False)))
    monitored.peer.tell(message(2, struct.pack("!H", 4) + bytes([24, 198, 51, 100]) + bytes(2)))
    wait("one less", lambda: "198.51.100.0/24" not in collector.routes(RAW, is_out=False))
    pop.ctl("bgp", "withdraw", "10.99.0.1/32")
    wait("no VIP", lambda: "10.99.0.1/32" not in collector.routes(BIRD, is_out=True))
    pop.ctl("bgp", "release", "10.99.0.1/32")
    caught_up(collector)


def test_what_is_taken_as_withdrawn_is_withdrawn_for_collectors_too(monitored, collector):
    """RFC 7606 7.1: an ORIGIN of 9."""
    caught_up(collector)
    treated = monitored.pop.json("bgp", "peer", "raw")["faults"]
    broken = announcement(TOLD).replace(attribute(1, b"\0"), attribute(1, b"\x09"))
    monitored.peer.tell(broken)
    wait("the withdrawal", lambda: TOLD not in collector.routes(RAW, is_out=False))
    assert monitored.pop.json("bgp", "peer", "raw")["faults"] == treated + 1
    wait("a report that counts it", next_message(collector, STATS, peer=RAW, stats={11: 1, 15: 2}))


def test_a_collector_hears_why_a_session_ended(monitored, collector):
    pop = monitored.pop
    caught_up(collector)

    def down(act):
        heard = next_message(collector, DOWN, peer=RAW)
        again = next_message(collector, UP, peer=RAW)
        act()
        [said] = wait("Peer Down", heard)
        return said, again

    said, again = down(monitored.peer.hang_up)
    assert said["reason"] == 4, said
    wait("Peer Up", again)
    said, again = down(lambda: monitored.peer.tell(message(3, bytes([6, 4]))))
    assert (said["reason"], said["notification"]) == (3, (6, 4, b"")), said
    wait("Peer Up", again)
    said, again = down(lambda: pop.ctl("bgp", "shutdown", "raw", "--reason", "new disks"))
    assert (said["reason"], said["notification"]) == (1, (6, 2, b"\x09new disks")), said
    pop.ctl("bgp", "open", "raw")
    wait("Peer Up", again)


def test_a_collector_that_was_away_is_told_everything_again(monitored, collector):
    caught_up(collector)
    collector.close()
    wait("the connection to be given up", lambda: monitored.watch()["c"]["state"] == "waits")
    assert monitored.watch()["c"]["error"] and monitored.watch()["c"]["queue"] == 0
    flaps = [p["flaps"] for p in monitored.pop.json("bgp")]
    collector.open()
    wait("a second connection", lambda: collector.connections == 2)
    caught_up(collector)
    assert monitored.watch()["c"]["drops"] == 1
    assert [p["flaps"] for p in monitored.pop.json("bgp")] == flaps


def test_a_collector_that_stops_reading_is_dropped_and_no_session_feels_it(monitored, collector):
    pop = monitored.pop
    caught_up(collector)
    flaps = [p["flaps"] for p in pop.json("bgp")]
    collector.reads.clear()
    for _ in range(5000):
        monitored.peer.tell(BULKY)
        if _ % 500 == 0:
            assert monitored.watch()["c"]["queue"] <= 16 << 20
    wait("the collector to be dropped", lambda: monitored.watch()["c"]["drops"] > 0)
    assert [p["flaps"] for p in pop.json("bgp")] == flaps
    collector.reads.set()
    wait("another connection", lambda: collector.connections > 1)
    caught_up(collector)
    assert [p["flaps"] for p in pop.json("bgp")] == flaps


def test_a_collector_that_is_no_longer_configured_is_told_so(monitored, collector):
    caught_up(collector)
    monitored.say("")
    wait("Termination", lambda: collector.find(TERMINATION, reason=0))
    assert monitored.watch() == {}


def test_a_collector_of_pmacct_understands_it(monitored, tmp_path):
    log = tmp_path / "bmp.json"
    (tmp_path / "conf").write_text(f"bmp_daemon_ip: {BIRD}\nbmp_daemon_port: 11020\nbmp_daemon_msglog_file: {log}\n"
                                   "bmp_daemon_msglog_output: json\nbmp_daemon_max_peers: 4\n")
    process = monitored.pop.popen("router", shutil.which("pmbmpd"), "-f", tmp_path / "conf")

    def heard():
        lines = log.read_text().splitlines()[:-1] if log.exists() else []
        return [json.loads(line) for line in lines]

    try:
        monitored.say("  bmp: [{name: pmacct, address: 10.77.1.1, port: 11020, stats: 1s}]\n")
        routes = {(TOLD, RAW, 0), ("10.99.0.1/32", RAW, 1), ("fd99::1/128", BIRD, 1)}
        wait("routes in both directions", lambda: routes <= {
            (m.get("ip_prefix"), m["peer_ip"], m.get("is_out", 0)) for m in heard() if m.get("bmp_msg_type") == "route_monitor"})
        assert {m["peer_ip"] for m in heard() if m.get("bmp_msg_type") == "peer_up"} == {BIRD, RAW}
        wait("statistics", lambda: [m for m in heard() if m.get("bmp_msg_type") == "stats"])
    finally:
        monitored.say("")
        process.terminate()


def bgpdump(*files):
    """The lines of bgpdump -m: lists of words."""
    lines = []
    for file in files:
        done = subprocess.run(["bgpdump", "-m", str(file)], text=True, capture_output=True, check=True)
        lines += [line.split("|") for line in done.stdout.splitlines()]
    return lines


def test_bgpdump_reads_what_went_over_the_sessions(monitored):
    file = monitored.pop.dir / "bgp.mrt"
    monitored.say(f"  mrt: {{file: {file}, rotate: 1M, keep: 3}}\n")
    monitored.peer.hang_up()
    wait("the session again", lambda: monitored.peer.stream and
         {p["state"] for p in monitored.pop.json("bgp")} == {"Established"})

    def seen():
        lines = [[line[0], *line[2:9]] for line in bgpdump(file) if line[3] == RAW]
        states = [line[4:] for line in lines if line[1] == "STATE"]
        return (["6", "1"] in states and "6" in [now for _, now in states] and
                ["BGP4MP_ET", "A", RAW, "65002", TOLD, "65002", "IGP", RAW] in lines and
                ["BGP4MP_ET_LOCAL", "A", RAW, "65002", "10.99.0.1/32", "65010", "IGP", "10.77.1.2"] in lines)

    wait("the session's end and begin, and a route in each direction", seen)
    monitored.say("")


def test_an_mrt_file_turns_over_and_holds_no_more_than_it_may(monitored):
    file = monitored.pop.dir / "turn.mrt"
    monitored.say(f"  mrt: {{file: {file}, rotate: 1M, keep: 2}}\n")
    for _ in range(1200):
        monitored.peer.tell(BULKY)
    wait("four files", lambda: monitored.watch()["mrt"]["rotations"] >= 4)
    row = monitored.watch()["mrt"]
    assert (row["state"], row["lost"]) == ("writes", 0), row
    names = sorted(p.name for p in monitored.pop.dir.glob("turn.mrt*"))
    assert names == ["turn.mrt", "turn.mrt.1", "turn.mrt.2"]
    assert all((monitored.pop.dir / name).stat().st_size <= 1000000 for name in names)
    assert len(bgpdump(file.with_suffix(".mrt.1"))) > 200
    monitored.say("")


def test_a_full_disk_costs_records_and_no_session(monitored):
    pop = monitored.pop
    disk = pop.dir / "disk"
    disk.mkdir()
    into = ["nsenter", "-m", "-t", str(pop.pid("controlplane", "edge1"))]
    subprocess.run([*into, "mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], check=True)
    try:
        monitored.say(f"  mrt: {{file: {disk}/bgp.mrt, rotate: 1M, keep: 2}}\n")
        flaps = [p["flaps"] for p in pop.json("bgp")]
        for _ in range(50):
            monitored.peer.tell(BULKY)
        wait("the disk to be full", lambda: monitored.watch()["mrt"]["state"] == "fails")
        row = monitored.watch()["mrt"]
        assert row["error"] == "No space left on device" and row["lost"] > 0, row
        assert [p["flaps"] for p in pop.json("bgp")] == flaps
        subprocess.run([*into, "mount", "-o", "remount,size=8m", str(disk)], check=True)
        monitored.peer.tell(BULKY)
        wait("records again", lambda: monitored.watch()["mrt"]["state"] == "writes")
        assert "is written again" in (pop.dir / "controlplane-edge1.log").read_text()
    finally:
        monitored.say("")
        subprocess.run([*into, "umount", str(disk)], check=True)


def test_an_operator_sees_who_watches(monitored, collector):
    caught_up(collector)
    text = monitored.pop.ctl("bgp", "monitors").stdout
    assert re.search(r"^c +bmp +10\.77\.1\.1:11019 +connected +\d+ +0 +[1-9]\d* +[1-9]\d* +0 +- +- +-$", text, re.M), text
