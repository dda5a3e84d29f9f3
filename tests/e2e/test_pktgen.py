# SPDX-License-Identifier: BSD-2-Clause
"""The load generator against the programs: a gentle load comes back whole and in order, on both paths and while tables change."""
import json
import subprocess

import pytest
from pop import BUILD, ROOT
from scapy.all import IP, TCP, UDP, Ether, IPv6, wrpcap


def pktgen(tmp_path, *words):
    """The one trial's row."""
    out = tmp_path / "out.json"
    done = subprocess.run([ROOT / "tests/bench/pktgen.py", "--build", BUILD, "--json", out, "--seconds", "0.5", *words], text=True,
                          capture_output=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(out.read_text())[1]


@pytest.mark.parametrize("words", (
    ("--path", "memif"), ("--path", "memif", "--family", "6", "--encap", "gue", "--kind", "quic"),
    ("--path", "memif", "--kind", "syn-flood"), ("--path", "memif", "--during", "reload"),
    ("--path", "af_xdp"), ("--path", "af_xdp", "--family", "6", "--kind", "udp", "--during", "drain")), ids=" ".join)
def test_comes_back_whole_and_in_order(tmp_path, words):
    row = pktgen(tmp_path, "--rate", "10000", "--flows", "500", *words)
    assert row["received"] > 500  # of 5,000 on a machine with nothing else to do
    assert (row["lost"], row["late"]) == (0, 0)
    assert "--during" not in words or row["changes"] > 0


def test_listed_flows_come_back(tmp_path):
    flows = tmp_path / "flows"
    flows.write_text("# two clients\n20.0.0.1 1024\n20.0.0.2 65535\n")
    row = pktgen(tmp_path, "--path", "memif", "--rate", "10000", "--flow-list", str(flows))
    assert (row["lost"], row["late"]) == (0, 0)


def test_a_list_that_is_wrong_is_told_with_its_line(tmp_path):
    flows = tmp_path / "flows"
    flows.write_text("20.0.0.1 1024\nfd00::1 80\n")
    done = subprocess.run([ROOT / "tests/bench/pktgen.py", "--build", BUILD, "--path", "memif", "--rate", "1", "--flow-list", flows],
                          text=True, capture_output=True, timeout=60)
    assert done.returncode == 1
    assert f"{flows}:2: the address is not one of the pattern's family" in done.stderr


def test_replays_a_capture_and_sees_what_no_service_takes_as_lost(tmp_path):
    capture = tmp_path / "x.pcap"
    wrpcap(str(capture), [Ether() / IP(src="20.0.0.1", dst="1.2.3.4") / TCP(dport=443), Ether() / IPv6(src="2001:db8::1") / UDP(dport=53) / b"x",
                          Ether() / IP(src="20.0.0.1", dst="1.2.3.4") / TCP(dport=81), Ether(type=0x88cc) / b"lldp"])
    row = pktgen(tmp_path, "--path", "memif", "--rate", "9000", "--pcap", str(capture))
    assert row["received"] > 1000
    # Three of the four are IP, and port 81 is nobody's.
    assert abs(row["lost"] - row["sent"] / 3) <= 1
