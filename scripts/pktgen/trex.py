# SPDX-License-Identifier: BSD-2-Clause
"""TRex stateless profile of nearcast's patterns: start -f trex.py -m 1mpps -t kind=tcp,family=4,flows=1000000,vip=10.99.0.1"""
from trex_stl_lib.api import (IP, TCP, UDP, Ether, IPv6, STLFlowLatencyStats, STLPktBuilder, STLScVmRaw, STLStream, STLTXCont,
                              STLVmFixChecksumHw, STLVmFixIpv4, STLVmFlowVar, STLVmFlowVarRepeatableRandom, STLVmWrFlowVar,
                              CTRexVmInsFixHwCs)

FLAGS = {"tcp": "A", "syn-flood": "S", "ack-flood": "A"}
KINDS = ("tcp", "udp", "quic", "syn-flood", "ack-flood", "udp-flood")
LOWEST, HIGHEST = 0x10000000, 0x3fffffff  # of the source's first or last four octets
LATENCY_PPS, LATENCY_GROUP = 1000, 7


class Nearcast:
    def get_streams(self, direction=0, kind="tcp", family=4, flows=1000000, frame=64, vip=None, port=None, **_):
        if kind not in KINDS:
            raise ValueError(f"kind={kind}: one of {', '.join(KINDS)}")
        v6 = int(family) == 6
        tcp = kind in FLAGS
        ip = IPv6(src="2000::1", dst=vip or "fd99::1") if v6 else IP(src="16.0.0.1", dst=vip or "10.99.0.1", flags="DF")
        dport = int(port or (53 if kind.startswith("udp") else 443))
        l4 = TCP(sport=1024, dport=dport, flags=FLAGS[kind]) if tcp else UDP(sport=1024, dport=dport)
        head = Ether() / ip / l4
        packet = head / ((b"\x40" if kind == "quic" else b"\0").ljust(max(int(frame) - len(head), 1), b"\0"))
        load = STLStream(packet=STLPktBuilder(pkt=packet, vm=self.engine(kind, v6, tcp, int(flows))), mode=STLTXCont(percentage=100))
        watch = STLStream(packet=STLPktBuilder(pkt=head / (b"\0" * 32)), mode=STLTXCont(pps=LATENCY_PPS),
                          flow_stats=STLFlowLatencyStats(pg_id=LATENCY_GROUP))
        return [load, watch]

    @staticmethod
    def engine(kind, v6, tcp, flows):
        """As many sources as flows; a flood draws a source and a port for each packet."""
        layer, protocol = "IPv6" if v6 else "IP", "TCP" if tcp else "UDP"
        if kind.endswith("flood"):
            steps = [STLVmFlowVar(name="source", min_value=LOWEST, max_value=HIGHEST, size=4, op="random"),
                     STLVmFlowVar(name="port", min_value=1024, max_value=65535, size=2, op="random"),
                     STLVmWrFlowVar(fv_name="port", pkt_offset=f"{protocol}.sport")]
        else:
            steps = [STLVmFlowVarRepeatableRandom(name="source", min_value=LOWEST, max_value=HIGHEST, size=4, limit=flows, seed=1)]
        steps.append(STLVmWrFlowVar(fv_name="source", pkt_offset=f"{layer}.src", offset_fixup=12 if v6 else 0))
        if not v6:
            steps.append(STLVmFixIpv4(offset="IP"))
        l4 = CTRexVmInsFixHwCs.L4_TYPE_TCP if tcp else CTRexVmInsFixHwCs.L4_TYPE_UDP
        return STLScVmRaw(steps + [STLVmFixChecksumHw(l3_offset=layer, l4_offset=protocol, l4_type=l4)])


def register():
    return Nearcast()
