# SPDX-License-Identifier: BSD-2-Clause
"""Packets that don't fit, and what the network says of them, through a real PoP."""
import pytest
from pop import V4, V6, wait


@pytest.mark.parametrize("url", [V4, V6])
def test_an_upload_learns_the_way_to_its_backend_is_narrower(pop, url):
    """Full-sized segments don't fit into the tunnel: the edge says so, the client sends smaller ones."""
    out = pop.run("c1", "sh", "-c", f"head -c 3000000 /dev/zero | curl -sS --max-time 20 -o /dev/null -w '%{{http_code}} "
                                    f"%{{size_upload}}' --data-binary @- {url}/upload", check=False)
    assert out == "200 3000000", out


@pytest.mark.parametrize("url, narrow", [(V4, ("-4", "10.77.11.100/32")), (V6, ("-6", "fd77:11::100/128"))])
def test_a_download_over_a_narrow_link_reaches_its_backend_with_the_error(pop, url, narrow):
    """The router tells the VIP that 1,500 octets don't fit; only the server of that connection can act on it."""
    pop.run("router", "ip", narrow[0], "route", "replace", narrow[1], "dev", "port-c2", "mtu", "lock", "1300")
    for _ in range(6):
        out = pop.run("c2", "curl", "-sS", "--max-time", "20", "-r", "0-2999999", "-o", "/dev/null", "-w",
                      "%{http_code} %{size_download}", f"{url}/100MB", check=False)
        assert out == "206 3000000", out


@pytest.mark.parametrize("server", ["10.99.0.1", "fd99::1"])
def test_a_query_in_fragments_is_answered(pop, server):
    for _ in range(6):
        out = pop.run("c1", "kdig", "+short", "+timeout=2", "+retry=0", "+bufsize=4096", "+padding=3000", f"@{server}",
                      "www.example.net", "A")
        assert out.strip() == "10.99.0.1"


def test_nothing_was_dropped_on_the_way(pop):
    reasons = {d["reason"]: d["packets"] for d in pop.json("drops") if d["packets"]}
    assert not set(reasons) - {"too_big"}, reasons


def test_the_kernel_keeps_what_is_not_for_a_vip(pop):
    before = sum(p["kernel_unicast"] for p in pop.json("ports"))
    assert " 0% packet loss" in pop.run("c1", "ping", "-c2", "-W2", "10.77.1.2")
    assert " 0% packet loss" in pop.run("c1", "ping", "-6", "-c2", "-W2", "fd77:1::2")
    wait("the counter of the kernel's packets", lambda: sum(p["kernel_unicast"] for p in pop.json("ports")) >= before + 4)
