# SPDX-License-Identifier: BSD-2-Clause
"""Copies of packets, as nearcastctl writes them and as tcpdump and a reader of this file's own read them."""
import signal
import struct
import subprocess
import time

import pytest
from pop import BUILD, ROOT, askers, keepers, pop_up, unbroken, unlost, wait

SEND = ("from scapy.all import *; ip = IP(src='10.77.11.100', dst='10.99.0.1')\n"
        "send([%s], verbose=False)")
FLAGS, BOGON = "ip/TCP(dport=80, flags='SF')", "IP(src='192.0.2.9', dst='10.99.0.1')/TCP(dport=80)"


@pytest.fixture(scope="module")
def guarded(request, tmp_path_factory):
    with pop_up(request, tmp_path_factory, config=ROOT / "tests/e2e/guard.yaml.in") as pop:
        pop.run("router", "ip", "route", "add", "blackhole", "default")  # answers to who was never there
        yield pop


def options_of(octets):
    """Code to value."""
    options = {}
    while octets:
        code, length = struct.unpack("<HH", octets[:4])
        options[code] = octets[4:4 + length]
        octets = octets[4 + (length + 3) // 4 * 4:]
        if code == 0:
            assert not octets
    return options


def read(path):
    """Interfaces' names, and packets as (time, frame, comment), by draft-ietf-opsawg-pcapng; every length must hold."""
    data, names, packets = path.read_bytes(), [], []
    while data:
        kind, length = struct.unpack("<II", data[:8])
        assert length % 4 == 0 and len(data) >= length and data[length - 4:length] == data[4:8]
        body, data = data[8:length - 4], data[length:]
        if kind == 0x0a0d0d0a:
            assert body[:8] == struct.pack("<IHH", 0x1a2b3c4d, 1, 0)
        elif kind == 1:
            assert struct.unpack("<HHI", body[:8])[0] == 1  # Ethernet
            options = options_of(body[8:])
            assert options[9] == b"\x09"  # nanoseconds
            names.append(options[2].decode())
        else:
            assert kind == 6
            interface, high, low, held, full = struct.unpack("<5I", body[:20])
            assert interface < len(names) and held <= full
            comment = options_of(body[20 + (held + 3) // 4 * 4:])[1].decode()
            packets.append(((high << 32 | low) / 1e9, body[20:20 + held], comment))
    return names, packets


def capture(pop, *words, out=subprocess.PIPE):
    process = subprocess.Popen([BUILD / "ctl/nearcastctl", "--socket", pop.dir / "edge1.control", "capture", *map(str, words)],
                               stdout=out, stderr=subprocess.PIPE, text=True)
    pop.started.append(process)
    return process


def begun(pop, file, *words):
    """A capture whose workers copy already."""
    process = capture(pop, "-w", file, *words)
    wait("the file's head", lambda: process.poll() is not None or (file.exists() and file.stat().st_size > 0))
    assert process.poll() is None, process.stderr.read()
    return process


def ended(process, code=0):
    said = process.communicate(timeout=60)[1]
    assert process.returncode == code, said
    return said


def send(pop, *packets):
    pop.run("c2", "/usr/bin/python3", "-c", SEND % ", ".join(packets))


def asks(pop):
    return pop.run("c1", "kdig", "+short", "+timeout=2", "@10.99.0.1", "www.example.net", "A").strip() == "10.99.0.1"


def free(pop):
    """No capture is left behind: another one can begin and is over at once."""
    def again():
        return pop.ctl("capture", "-w", "/dev/null", "--seconds", "1", "--reason", "land", check=False).returncode == 0
    wait("another capture", again, seconds=20)


def test_drops_are_written_with_their_reason(guarded, tmp_path):
    pop, file = guarded, tmp_path / "drops.pcapng"
    process = begun(pop, file, "--dropped", "-c", 3)
    assert asks(pop)  # not among them
    send(pop, FLAGS, BOGON, FLAGS)
    assert ended(process).strip() == "3 packets, 0 missed; ended by count"
    names, packets = read(file)
    assert names == ["eth0"]
    assert [comment.split(",")[0] for _, _, comment in packets] == [f"dropped: {r}" for r in ("tcp_flags", "source_bogon", "tcp_flags")]
    assert all(abs(at - time.time()) < 60 for at, _, _ in packets)
    assert packets[1][1][26:34] == bytes((192, 0, 2, 9, 10, 99, 0, 1))
    done = subprocess.run(["tcpdump", "-nr", file], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.count("10.99.0.1.80: Flags") == 3 and "192.0.2.9" in done.stdout


def test_a_reason_a_service_and_an_expression_choose(guarded, tmp_path):
    pop, file = guarded, tmp_path / "chosen.pcapng"
    process = begun(pop, file, "--reason", "source_bogon", "-c", 1)
    send(pop, FLAGS, BOGON)
    ended(process)
    assert [comment.split(",")[0] for _, _, comment in read(file)[1]] == ["dropped: source_bogon"]
    process = begun(pop, file, "--passed", "--service", "dns4", "--expr", "udp and src net 10.77.10.0/24", "-c", 2, "--snap", 60)
    send(pop, FLAGS, "ip/UDP(dport=53)/b'elsewhere'")
    while process.poll() is None:
        pop.page("http://10.99.0.1/small")
        assert asks(pop)
    ended(process)
    packets = read(file)[1]
    assert [comment for _, _, comment in packets] == ["passed: forwarded, service dns4"] * 2
    assert all(len(frame) == 60 and frame[26:29] == bytes((10, 77, 10)) and frame[36:38] == b"\0\x35" for _, frame, _ in packets)


def test_a_pipe_into_tcpdump(guarded):
    pop = guarded
    process = capture(pop, "-w", "-", "--expr", "icmp", "--seconds", 30)
    shown = subprocess.Popen(["tcpdump", "-nl", "-c", "2", "-r", "-"], stdin=process.stdout, stdout=subprocess.PIPE, text=True)
    process.stdout.close()
    while shown.poll() is None:
        pop.run("c1", "ping", "-c", "1", "-W", "2", "10.99.0.1")
    assert shown.communicate()[0].count("10.99.0.1: ICMP echo request") == 2
    process.wait(timeout=20)  # who has read enough ends it
    assert process.returncode == 0
    free(pop)


def test_rules_that_sample_feed_captures(guarded, tmp_path):
    pop, file, rules = guarded, tmp_path / "sampled.pcapng", tmp_path / "signatures.yaml"
    rules.write_text("rules:\n  - {name: tagged, protocol: udp, pattern: '^tagged', action: sample, source: a test}\n")
    pop.edit(r"  bogons:", f"  signatures: {rules}\n  bogons:")
    pop.edit(r"fragments: 2k}", "fragments: 2k}, signatures: always")
    pop.ctl("reload")
    number = pop.json("filter", "add", "udp and src port 4444", "--service", "dns4", "--action", "sample")["id"]
    pop.ctl("wait", "generation")
    process = begun(pop, file, "--sampled", "-c", 2)
    send(pop, "ip/UDP(sport=3333, dport=53)/b'other'", "ip/UDP(sport=4444, dport=53)/b'other'", "ip/UDP(sport=3333, dport=53)/b'tagged'")
    ended(process)
    assert [comment.partition(", ")[2] for _, _, comment in read(file)[1]] == [
        f"service dns4, sampled by filter {number}", "service dns4, sampled by signature tagged"]
    wait("the filter's hit", lambda: {row["id"]: row["hits"] for row in pop.json("filters")} == {str(number): 1})
    wait("the signature's hit", lambda: [row["hits"] for row in pop.json("signatures")] == [1])
    pop.ctl("filter", "remove", str(number))
    pop.edit(f"  signatures: {rules}\n", "")
    pop.ctl("reload")


def test_ends_by_time_and_by_the_client_and_leaves_nothing_behind(guarded, tmp_path):
    pop, file = guarded, tmp_path / "ends.pcapng"
    assert "ended by time" in ended(begun(pop, file, "--reason", "land", "--seconds", 1))
    assert read(file)[1] == []
    for how, code in ((signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)):
        file.unlink()
        process = begun(pop, file, "--dropped")
        refused = pop.ctl("capture", "-w", "/dev/null", check=False)
        assert refused.returncode == 1 and "another capture runs" in refused.stderr
        send(pop, FLAGS)
        head = file.stat().st_size
        wait("the packet", lambda: file.stat().st_size > head or read(file)[1])
        process.send_signal(how)
        said = ended(process, code)
        assert code or "1 packets, 0 missed; ended by client" in said
        assert len(read(file)[1]) == 1
        free(pop)
    process = begun(pop, file, "--dropped")
    pop.sh("kill", "controlplane", "edge1")
    assert "closed the connection" in ended(process, 3)
    pop.sh("start", "controlplane", "edge1")
    pop.ctl("wait", "generation")
    free(pop)


def test_a_capture_of_a_flood_costs_nobody_a_packet(guarded, tmp_path):
    pop, file, frames = guarded, tmp_path / "flood.pcapng", tmp_path / "flood.pcap"
    macs = [bytes.fromhex(pop.run(node, "cat", f"/sys/class/net/{of}/address").strip().replace(":", ""))
            for node, of in (("router", "port-c2"), ("c2", "eth0"))]
    with frames.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i in range(20000):
            ip = struct.pack(">BBHHHBBHII", 0x45, 0, 40, i, 0x4000, 60, 6, 0, 0x14000000 + i * 7919, 0x0a630001)
            total = sum(struct.unpack(">10H", ip))
            ip = ip[:10] + struct.pack(">H", 0xffff - (total % 0xffff)) + ip[12:]
            frame = macs[0] + macs[1] + b"\x08\x00" + ip + struct.pack(">HHIIBBHHH", 1024 + i, 80, 1, 1, 0x50, 16, 65535, 0, 0)
            out.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
    asking, keeping = askers(pop, 300, 6), keepers(pop, 20, 6, host="10.99.0.1", client="c1")
    process = begun(pop, file, "--seconds", 5, "-c", 1000000)
    flood = pop.popen("c2", "tcpreplay", "-K", "-i", "eth0", "--pps=40000", "--loop=0", "--duration=4", frames)
    said = ended(process)
    flood.communicate(timeout=30)
    unlost(asking)
    unbroken(keeping)
    packets = read(file)[1]
    assert "ended by time" in said and len(packets) > 20000, said
    comments = {comment for _, _, comment in packets}
    assert {"passed: forwarded, service dns4", "dropped: source_unknown, service http4"} <= comments, comments
    assert all(abs(at - time.time()) < 60 for at, _, _ in packets)


@pytest.mark.parametrize("words, code, fault", (
    (("--expr", "udp and"), 1, "syntax error"), (("--service", "nobody"), 1, "there is no service nobody"),
    (("--reason", "whim"), 1, 'by the reason "whim"'), (("--passed", "--reason", "land"), 1, 'no packet is passed by the reason "land"'),
    (("-c", "0"), 2, "--count 0: write a number from 1"), (("-c", "2000000"), 1, "count is a number from 1 to 1000000"),
    (("--one-in", "1/10"), 2, "--one-in 1/10: write a number from 1"), (("--snap", "4000"), 1, "snap is a number from 1 to 2048"),
    (("-w", "/nowhere/file"), 1, "/nowhere/file: No such file or directory")))
def test_a_wrong_request_is_refused_with_its_reason(guarded, words, code, fault):
    done = guarded.ctl("capture", "-w", "/dev/null", *words, check=False)
    assert (done.returncode, fault in done.stderr) == (code, True), done.stderr
