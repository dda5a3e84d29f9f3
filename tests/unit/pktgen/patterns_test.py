# SPDX-License-Identifier: BSD-2-Clause
"""What scripts/pktgen gives to other generators. TRex itself is not in Debian: its calls are recorded."""
import os
import pathlib
import runpy
import subprocess
import sys
import types

import pytest
from scapy.all import IP, TCP, UDP, Ether, IPv6, rdpcap

FOLDER = pathlib.Path(os.environ["SOURCE_ROOT"]) / "scripts/pktgen"
KINDS = ("tcp", "udp", "quic", "syn-flood", "ack-flood", "udp-flood")


def make(*words):
    return subprocess.run([FOLDER / "make-pcap", *map(str, words)], text=True, capture_output=True)


@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("kind", KINDS)
def test_a_capture_has_right_sums_sizes_and_flows(tmp_path, kind, family):
    assert make("--kind", kind, "--family", family, "--flows", 5, "--frames", 60, "--frame", 90, tmp_path / "x").returncode == 0
    frames = rdpcap(str(tmp_path / "x"))
    assert [len(f) for f in frames] == [90] * 60
    flows = {bytes(f)[26 if family == 4 else 22:][:12 if family == 4 else 36] for f in frames}
    assert len(flows) == (60 if kind.endswith("flood") else 5)
    for f in frames:
        again = f.copy()
        for layer in (IP, TCP, UDP):
            if layer in again:
                del again[layer].chksum
        assert bytes(again) == bytes(f)
        assert TCP not in f or f[TCP].flags == ("S" if kind == "syn-flood" else "A")
        assert kind != "quic" or bytes(f[UDP].payload)[0] & 0xc0 == 0x40


@pytest.mark.parametrize("words", (("--kind", "icmp", "x"), ("--frame", "20", "x"), ("--flows", "0", "x"), ("/nowhere/x",)))
def test_wrong_words_are_told(words):
    done = make(*words)
    assert done.returncode != 0 and "make-pcap: " in done.stderr and "Traceback" not in done.stderr


class Recorded:
    L4_TYPE_TCP, L4_TYPE_UDP = "tcp", "udp"

    def __init__(self, *words, **named):
        self.words, self.named = words, named


@pytest.fixture
def trex(monkeypatch):
    names = ("STLFlowLatencyStats STLPktBuilder STLScVmRaw STLStream STLTXCont STLVmFixChecksumHw STLVmFixIpv4 STLVmFlowVar "
             "STLVmFlowVarRepeatableRandom STLVmWrFlowVar CTRexVmInsFixHwCs").split()
    api = types.ModuleType("trex_stl_lib.api")
    vars(api).update({name: type(name, (Recorded,), {}) for name in names}, IP=IP, TCP=TCP, UDP=UDP, Ether=Ether, IPv6=IPv6)
    monkeypatch.setitem(sys.modules, "trex_stl_lib", types.ModuleType("trex_stl_lib"))
    monkeypatch.setitem(sys.modules, "trex_stl_lib.api", api)
    return runpy.run_path(str(FOLDER / "trex.py"))["register"]()


@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("kind", KINDS)
def test_trex_gets_a_load_and_a_watch(trex, kind, family):
    load, watch = trex.get_streams(kind=kind, family=family, flows=7, frame=100)
    packet, engine = load.named["packet"].named["pkt"], load.named["packet"].named["vm"].words[0]
    assert len(packet) == 100
    limits = [step.named["limit"] for step in engine if "limit" in step.named]
    assert limits == ([] if kind.endswith("flood") else [7])
    write = next(step for step in engine if step.named.get("fv_name") == "source")
    assert write.named["offset_fixup"] == (12 if family == 6 else 0)
    assert "flow_stats" in watch.named and "flow_stats" not in load.named


def test_trex_refuses_an_unknown_kind(trex):
    with pytest.raises(ValueError, match="icmp"):
        trex.get_streams(kind="icmp")
