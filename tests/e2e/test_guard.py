# SPDX-License-Identifier: BSD-2-Clause
"""Floods against a PoP that real clients go on using: kernel TCP stacks, kdig, nginx and Knot, packets by tcpreplay."""
import os
import pathlib
import random
import re
import struct

import pytest
from pop import ROOT, pop_up, wait

# Captures of real attacks, towards 10.10.10.10. They are not part of the project.
CAPTURES = pathlib.Path(os.environ.get("NEARCAST_CAPTURES", ROOT.parent / "shared/captures"))
PPS, CLIENTS = 40000, 40

CONNECT = r"""
import http.client, sys
host, first, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
ok = 0
for i in range(n):
    source = first % (i % 40 + 110) if "." in host else first % (i % 40 + 0x110)
    try:
        connection = http.client.HTTPConnection(host, 80, timeout=4, source_address=(source, 0))
        connection.request("GET", "/small")
        ok += connection.getresponse().status == 200
        connection.close()
    except OSError as e:
        print(source, e, file=sys.stderr)
print(ok)
"""


def checksum(octets):
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff


def turned(packet, port, macs):
    """The IPv4 packet of a frame, sent to the service of the same protocol; None where it is of another one."""
    ip = bytearray(packet[14:])
    header = (ip[0] & 15) * 4
    if packet[12:14] != b"\x08\x00" or ip[9] not in port or struct.unpack(">H", ip[6:8])[0] & 0x1fff:
        return None
    ip[16:20] = bytes((10, 99, 0, 1))
    ip[10:12] = b"\0\0"
    ip[10:12] = checksum(bytes(ip[:header])).to_bytes(2, "big")
    ip[header + 2:header + 4] = port[ip[9]].to_bytes(2, "big")
    return macs + b"\x08\x00" + bytes(ip)


def frames_of(capture):
    data, at = capture.read_bytes(), 24
    while at < len(data):
        length, = struct.unpack("<I", data[at + 8:at + 12])
        yield data[at + 16:at + 16 + length]
        at += 16 + length


def spoofed(flags):
    """TCP segments from anywhere in 16.0.0.0/4, one in five from one address."""
    dice = random.Random(1)
    for i in range(20000):
        source = dice.randrange(16 << 24, 32 << 24) if i % 5 else 0x14010203
        ip = struct.pack(">BBHHHBBHII", 0x45, 0, 40, dice.randrange(65536), 0x4000, 60, 6, 0, source, 0)
        yield b"\0" * 12 + b"\x08\x00" + ip + struct.pack(">HHIIBBHHH", dice.randrange(1024, 65536), 80, 1, 1, 0x50, flags, 65535, 0, 0)


def spoofed_udp():
    for frame in spoofed(2):
        ip = bytearray(frame[14:34])
        ip[9] = 17
        yield frame[:14] + bytes(ip) + frame[34:36] + struct.pack(">HHH", 53, 20, 0) + random.randbytes(12)


LOUD = {"source": "20.1.2.3", "prefix": "20.1.2.0/24", "length": "40"}
# Frames or none (a capture), the services that they are sent to, the victim; what the attack is called, and who stands out.
FLOODS = {
    "spoofed-syn": (lambda: spoofed(2), {6: 80}, "http4", r"SYN flood", LOUD),
    "random-ack": (lambda: spoofed(16), {6: 80}, "http4", r"ACK flood", LOUD),
    "random-udp": (spoofed_udp, {17: 53}, "dns4", r"UDP flood", LOUD),
    "amp.TCP.reflection.SYNACK": (None, {6: 80}, "http4", r"SYN-ACK reflection from port 80",
                                  {"port": "80", "length": "44"}),
    "amp.UDP.isakmp": (None, {17: 53}, "dns4", r"UDP amplification, ike-nat-t \(port 4500\)", {"port": "4500", "length": "232"}),
    "pkt.TCP.synflood.spoofed": (None, {6: 80}, "http4", r"SYN flood", {"length": "40", "ttl": "24[234]|23[0-9]"}),
}


@pytest.fixture(scope="module")
def guarded(request, tmp_path_factory):
    with pop_up(request, tmp_path_factory, config=ROOT / "tests/e2e/guard.yaml.in") as pop:
        for i in range(CLIENTS):
            pop.run("c1", "ip", "addr", "add", f"10.77.10.{110 + i}/24", "dev", "eth0")
            pop.run("c1", "ip", "addr", "add", f"fd77:10::{0x110 + i:x}/64", "dev", "eth0", "nodad")
        pop.run("router", "ip", "route", "add", "blackhole", "default")  # answers to who was never there
        yield pop


def flood_file(pop, directory, name):
    frames, port = FLOODS[name][:2]
    capture = CAPTURES / f"{name}.pcap"
    if not frames and not capture.exists():
        pytest.skip(f"{capture} is not there")
    mac = [pop.run(node, "cat", f"/sys/class/net/{interface}/address").strip().replace(":", "")
           for node, interface in (("router", "port-c2"), ("c2", "eth0"))]
    out = directory / "flood.pcap"
    with out.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for frame in frames() if frames else frames_of(capture):
            frame = turned(frame, port, bytes.fromhex("".join(mac)))
            if frame:
                file.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
    return out


def service(pop, name):
    return next(s for s in pop.json("services") if s["name"] == name)


def opened(pop, host, first, n):
    done = pop.popen("c1", "/usr/bin/python3", "-c", CONNECT, host, first, n)
    out = done.communicate(timeout=120)[0]
    return int(out.splitlines()[-1]), out


def summary_holds(pop, attack, vector, talkers):
    """What it was and who stood out, in `attacks` and in the log's line of its end."""
    top = {t["of"]: t for t in reversed(attack["talkers"])}
    assert re.fullmatch(vector, attack["vector"]) and attack["vector_percent"] > 60, attack
    for of, value in talkers.items():
        assert re.fullmatch(value, top[of]["value"]), attack["talkers"]
        assert 0 < top[of]["share_percent"] <= 100 and top[of]["error_percent"] < 20, top[of]
    number, log = attack["id"], (pop.dir / "controlplane-edge1.log").read_text()
    assert re.search(rf"attack {number} on service {attack['service']} begins: .* packets/s, .* kbit/s, over in ", log)
    assert re.search(rf"attack {number} on service {attack['service']} is over after \d+ s: {vector}, peak \d+ packets/s, .*% stopped: ", log)
    shown = pop.ctl("attacks", str(number)).stdout
    assert re.search(rf"^vector +{vector}$", shown, re.M) and "WHAT" in shown


@pytest.mark.parametrize("name", FLOODS)
def test_clients_get_through_a_flood(guarded, tmp_path, name):
    pop, victim = guarded, FLOODS[name][2]
    flood = pop.popen("c2", "tcpreplay", "-K", "-i", "eth0", f"--pps={PPS}", "--loop=0", "--duration=14",
                      flood_file(pop, tmp_path, name))
    wait("the service to be armed", lambda: service(pop, victim)["guard"] == "armed")
    before = service(pop, victim)
    wait("its talkers", lambda: {t["of"]: t for t in pop.json("talkers", victim)}.get("length"))
    ok, said = opened(pop, "10.99.0.1", "10.77.10.%d", 200)
    assert ok >= 198, said
    bystander, said = opened(pop, "fd99::1", "fd77:10::%x", 100)
    assert bystander == 100, said
    answers = 0
    for i in range(CLIENTS):
        out = pop.run("c1", "kdig", "+short", "+timeout=2", "-b", f"10.77.10.{110 + i}", "@10.99.0.1", "www.example.net", "A", check=False)
        answers += out.strip() == "10.99.0.1"
    assert answers == CLIENTS
    wait("enough of the flood", lambda: service(pop, victim)["packets"] - before["packets"] > 100000)
    after = service(pop, victim)
    assert flood.poll() is None, f"the flood was over before: {flood.stdout.read()}"
    seen, dropped = (after[key] - before[key] for key in ("packets", "dropped"))
    clients = 200 * 12 + CLIENTS * 4  # packets of those who get through, at most
    if name not in ("random-ack", "random-udp"):
        assert seen - dropped - clients < seen / 100, pop.ctl("drops").stdout
    else:  # nobody can be asked: what passes is the allowance
        assert seen - dropped - clients < seen / 5
    flood.communicate(timeout=30)
    wait("the service to stand down", lambda: service(pop, victim)["guard"] == "watching")
    attack = pop.json("attacks")[0]
    summary_holds(pop, attack, *FLOODS[name][3:])
    assert (attack["service"], attack["state"]) == (victim, "over"), pop.ctl("attacks").stdout
    assert attack["peak_pps"] > PPS / 2
    assert attack["stopped_percent"] > 80
    assert all(s["dropped"] == 0 for s in pop.json("services") if s["name"] == "http6")


def test_tells_attacks_and_drops_by_service(guarded):
    table = guarded.ctl("attacks").stdout
    assert re.search(r"^ID +SERVICE +STATE +VECTOR +BEGAN s +LASTED s +OVER IN", table)
    assert "http4" in table
    drops = {row["reason"]: row for row in guarded.json("drops")}
    assert drops["source_unknown"]["services"].get("http4", 0) > 0


def test_sanity_is_told_by_its_reason(guarded):
    pop = guarded
    send = ("from scapy.all import *; ip = IP(src='10.77.11.100', dst='10.99.0.1')\n"
            "send([ip/TCP(dport=80, flags='SF'), IP(src='10.99.0.1', dst='10.99.0.1')/TCP(dport=80), ip/TCP(sport=0, dport=80),"
            " ip/UDP(dport=53, len=200)/b'x', IP(src='192.0.2.9', dst='10.99.0.1')/TCP(dport=80)], verbose=False)")
    before = {row["reason"]: row["packets"] for row in pop.json("drops")}
    pop.run("c2", "/usr/bin/python3", "-c", send)
    reasons = ("tcp_flags", "port_zero", "udp_length", "source_bogon")
    wait("the drops", lambda: all({row["reason"]: row["packets"] for row in pop.json("drops")}[r] == before[r] + 1 for r in reasons))


def test_lists_are_changed_live_and_outlive_a_restart(guarded, tmp_path):
    pop, file = guarded, tmp_path / "blocked.list"
    source = "10.77.10.150"

    def is_dropped():
        return "200" not in pop.run("c1", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "0.5", "--interface", source,
                                    "http://10.99.0.1/small", check=False)

    pop.run("c1", "ip", "addr", "replace", f"{source}/24", "dev", "eth0")
    assert not is_dropped()
    pop.ctl("list", "add", f"{source}/32", "drop", "--for", "1h", "--comment", "scanner")
    wait("the entry", is_dropped)
    rows = pop.json("lists")
    assert [(r["prefix"], r["action"], r["source"], r["comment"]) for r in rows] == [(f"{source}/32", "drop", "by hand", "scanner")]
    assert 3500 < rows[0]["left_s"] <= 3600
    assert next(d for d in pop.json("drops") if d["reason"] == "listed")["services"]["http4"] > 0
    pop.sh("kill", "controlplane", "edge1")
    assert is_dropped()
    pop.sh("start", "controlplane", "edge1")
    pop.ctl("wait", "generation")
    assert is_dropped() and len(pop.json("lists")) == 1
    pop.ctl("list", "remove", f"{source}/32")
    wait("its end", lambda: not is_dropped())
    pop.ctl("list", "add", f"{source}/32", "drop", "--for", "1s")
    wait("the entry", is_dropped)
    wait("its time", lambda: not is_dropped())
    # By a file, with an exception by hand.
    file.write_text("10.77.10.0/24 drop # all of them\n")
    pop.edit(r"  bogons:", f"  lists: [{{name: blocked, file: {file}}}]\n  bogons:")
    pop.ctl("reload")
    wait("the file's entry", is_dropped)
    pop.ctl("list", "add", f"{source}/32", "allow")
    wait("the exception", lambda: not is_dropped())
    file.write_text("10.77.10.0/24 drop\n10.77.10.0/33 drop\n")
    done = pop.ctl("reload", check=False)
    assert done.returncode == 1 and f"{file}:2:" in done.stderr
    assert len(pop.json("lists")) == 2
    file.write_text("")
    pop.ctl("reload")
    pop.ctl("list", "remove", f"{source}/32")
    assert pop.json("lists") == []


@pytest.mark.parametrize("words, fault", (
    (("10.0.0.0/33", "drop"), "is no prefix"), (("10.0.0.0/8", "dorp"), "action is drop, allow or limit"),
    (("10.0.0.0/8", "limit", "256"), "limit takes a class"), (("10.0.0.0/8", "drop", "--for", "1x"), "is no duration")))
def test_a_wrong_entry_is_refused_with_its_reason(guarded, words, fault):
    done = guarded.ctl("list", "add", *words, check=False)
    assert done.returncode == 1 and fault in done.stderr


def test_payloads_are_scanned_for_signatures(guarded, tmp_path):
    pop, rules = guarded, tmp_path / "signatures.yaml"
    rules.write_text((ROOT / "configs/signatures.yaml").read_text())
    pop.edit(r"  bogons:", f"  signatures: {rules}\n  bogons:")
    pop.edit(r"fragments: 2k}", "fragments: 2k}, signatures: always")
    pop.ctl("reload")
    pop.ctl("wait", "generation")
    send = ("from scapy.all import *; ip = IP(src='10.77.11.100', dst='10.99.0.1')\n"
            "send([ip/UDP(sport=40000, dport=53)/b'HTTP/1.1 200 OK\\r\\nCACHE-CONTROL: max-age=1800\\r\\nST: upnp:rootdevice\\r\\n'] * 3, verbose=False)")
    pop.run("c2", "/usr/bin/python3", "-c", send)
    wait("the hits", lambda: {s["name"]: s["hits"] for s in pop.json("signatures")}.get("ssdp-answer") == 3)
    assert next(d for d in pop.json("drops") if d["reason"] == "signature")["services"] == {"dns4": 3}
    assert pop.json("status")["payloads"]["scanned"] >= 3
    assert pop.run("c1", "kdig", "+short", "+timeout=2", "@10.99.0.1", "www.example.net", "A").strip() == "10.99.0.1"
    rules.write_text("rules:\n  - {name: bad, pattern: '(', action: drop}\n")
    done = pop.ctl("reload", check=False)
    assert done.returncode == 1 and f"{rules}:2:" in done.stderr
    assert len(pop.json("signatures")) > 40
    pop.edit(f"  signatures: {rules}\n", "")
    pop.ctl("reload")
    assert pop.json("signatures") == []


def test_filters_are_tried_out_then_drop_and_end_by_themselves(guarded):
    pop = guarded

    def hits():
        return {row["id"]: row["hits"] for row in pop.json("filters")}

    def answers():
        return pop.run("c1", "kdig", "+short", "+timeout=1", "+retry=0", "@10.99.0.1", "www.example.net", "A", check=False).strip() == "10.99.0.1"

    dry = str(pop.json("filter", "add", "udp and dst port 53", "--service", "dns4", "--action", "count")["id"])
    pop.ctl("wait", "generation")
    assert answers()
    wait("a hit", lambda: hits()[dry] >= 1)
    drop = str(pop.json("filter", "add", "udp and dst port 53 and src net 10.77.10.0/24", "--service", "dns4", "--for", "2s")["id"])
    wait("the filter", lambda: not answers())
    assert next(d for d in pop.json("drops") if d["reason"] == "filtered")["services"].keys() == {"dns4"}
    counted = hits()[dry]
    pop.sh("kill", "controlplane", "edge1")
    assert not answers()
    pop.sh("start", "controlplane", "edge1")
    pop.ctl("wait", "generation")
    wait("its time", answers)
    assert drop not in hits() and hits()[dry] > counted
    done = pop.ctl("filter", "add", "udp and", check=False)
    assert done.returncode == 1 and "syntax error" in done.stderr
    assert pop.ctl("filter", "add", "udp", "--service", "nobody", check=False).returncode == 1
    pop.ctl("filter", "remove", dry)
    assert pop.json("filters") == []
