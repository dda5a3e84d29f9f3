# SPDX-License-Identifier: BSD-2-Clause
"""A fabric without addresses: peers over link-local ones, and IPv4 routes with an IPv6 next hop (RFC 8950).

    bgp-speaker fe80::1 [NAME-s] veth --- veth [NAME-p] fe80::2 BIRD
"""
import os
import subprocess
import types

import pytest

import lab
import peers
from daemons import AS, PEER_AS, wait
from lab import ip

NAME = f"ncu{os.getpid() % 100000}"
US, THEM = "fe80::1", "fe80::2"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not lab.PROGRAM.exists(), reason=f"{lab.PROGRAM} is not built"),
]


class Bird(peers.Bird):
    config_text = f"""
log stderr all;
router id 10.77.0.2;
protocol device {{ }}
protocol static {{ ipv4; route 192.0.2.0/24 blackhole; }}
protocol bgp p {{
  local {THEM} as {PEER_AS}; neighbor {US} as {AS}; interface "veth"; passive $PASSIVE;
  hold time 9; connect retry time 1; connect delay time 1; error wait time 1,2;
  ipv4 {{ import all; export where source = RTS_STATIC; extended next hop on; }};
  ipv6 {{ import all; export none; }};
}}
"""


@pytest.fixture(scope="module")
def link():
    names = f"{NAME}-s", f"{NAME}-p"
    try:
        for name in names:
            ip("netns", "add", name)
        ip("-n", names[0], "link", "add", "veth", "type", "veth", "peer", "name", "veth", "netns", names[1])
        for name, address in zip(names, (US, THEM)):
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "veth", "addrgenmode", "none", "up")
            ip("-n", name, "address", "add", f"{address}/64", "dev", "veth", "nodad")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL, check=False)


@pytest.mark.skipif(not Bird.installed(), reason="BIRD is not there")
@pytest.mark.parametrize("dials", [False, True], ids=["we-dial", "it-dials"])
def test_routes_of_both_families_go_over_link_local_addresses(link, tmp_path, dials):
    session = types.SimpleNamespace(us="::" if dials else US, them=THEM)  # it listens at any address
    bird = Bird(link[1], tmp_path, dials=dials)
    bird.start()
    speaker = lab.Speaker(link[0], session, "10.99.0.1/32", "fd99::1/128", hops=(), options=[
        "interface veth", "extended-next-hop", "reconnect 1", *(["passive"] if dials else [])])
    try:
        speaker.wait("Established")
        speaker.wait(rf"heard 192\.0\.2\.0/24 via (::|{THEM}) .*")  # BIRD leaves the global half empty
        wait("both routes", lambda: {"10.99.0.1/32", "fd99::1/128"} <= bird.routes("p").keys())
        ways = bird.ask("birdc", "-r", "-s", bird.dir / "ctl", "show route protocol p")
        assert ways.count(f"via {US} on veth") == 2, ways
    except AssertionError:
        print(bird.log.read_text()[-3000:])
        raise
    finally:
        speaker.kill()
        bird.kill()
