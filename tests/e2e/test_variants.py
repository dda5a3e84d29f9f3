# SPDX-License-Identifier: BSD-2-Clause
"""The same traffic over every encapsulation, family of backends and way to share the NIC."""
import collections
import pathlib

import pytest
from pop import V4, V6, wait

PORT = "--port eth0=af_xdp,iface=eth0"
PLAIN = "--hugepages off"
HUGEPAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")


def dropped(pop):
    return {d["reason"]: d["packets"] for d in pop.json("drops") if d["packets"]}


def serves(pop):
    """Nothing is dropped meanwhile; before, a wire that was just plugged in may have been down."""
    before = dropped(pop)
    for url in (V4, V6):
        answers = collections.Counter(pop.page(url, client) for _ in range(20) for client in ("c1", "c2"))
        assert set(answers) == {"s1", "s2", "s3"}, (url, answers)
    for server in ("10.99.0.1", "fd99::1"):
        assert pop.run("c1", "kdig", "+short", "+timeout=2", f"@{server}", "www.example.net", "A").strip() == "10.99.0.1"
    out = pop.run("c1", "curl", "-sS", "--max-time", "20", "-r", "0-9999999", "-o", "/dev/null", "-w", "%{size_download}",
                  f"{V4}/100MB")
    assert out == "10000000"
    assert dropped(pop) == before


@pytest.mark.parametrize("encap, backends", [("l2", 4), ("ipip", 6), ("gue", 4), ("gue", 6), ("gre", 4), ("gre", 6)])
def test_an_encapsulation_serves(pop_of, encap, backends):
    pop = pop_of(encap=encap, backends=backends)
    serves(pop)
    if encap != "l2":
        kinds = {"ipip": ("4in6", "6in6"), "gue": ("gue",), "gre": ("gre",)}[encap]
        shown = pop.show("s1")
        assert all(shown[kind] > 0 for kind in kinds) and sum(shown.values()) == sum(shown[kind] for kind in kinds), shown


def test_xdp_in_the_stack_serves(pop_of):
    serves(pop_of(dataplane=f"{PORT},mode=generic --workers 1 {PLAIN}"))


def test_a_tap_with_two_queues_feeds_two_workers_and_another_port_sends(pop_of):
    """veth has one queue for AF_XDP's driver; a TAP has as many as one likes. Its packets leave through the NIC's port."""
    pop = pop_of(dataplane=f"{PORT} --port tap=vdev,queues=2,args=net_tap0,iface=tap0 --workers 2 {PLAIN}")
    mac = pop.run("edge1", "cat", "/sys/class/net/tap0/address").strip()
    for words in (["addr", "add", "10.77.9.1/24", "dev", "tap0"], ["link", "set", "tap0", "up"],
                  ["neigh", "replace", "10.77.9.2", "lladdr", mac, "dev", "tap0"],
                  ["route", "replace", "10.99.0.1", "via", "10.77.9.2", "dev", "tap0", "src", "10.77.1.2"]):
        pop.run("edge1", "ip", *words)
    for _ in range(30):
        assert pop.run("edge1", "kdig", "+short", "+timeout=2", "@10.99.0.1", "www.example.net", "A").strip() == "10.99.0.1"
    took = [w["rx_packets"] for w in pop.json("workers")]
    assert len(took) == 2 and min(took) > 0 and sum(took) >= 30, took


def test_a_port_that_the_kernel_does_not_see_gives_it_an_exception_port(pop_of):
    """As a pci port: the node's own addresses, BGP and checks live on a TAP behind the dataplane. The wire is a TAP too,
    whose kernel end is plugged into the router's bridge in place of the edge's veth."""
    pop = pop_of()
    mac = pop.run("edge1", "cat", "/sys/class/net/eth0/address").strip()
    for program in ("controlplane", "dataplane"):
        pop.sh("kill", program, "edge1")
    pop.run("edge1", "ip", "link", "del", "eth0")
    pop.env["POP_DATAPLANE"] = f"--port nic=vdev,exception=exc0,args=net_tap0,iface=nic0,mac={mac} --workers 1 {PLAIN}"
    pop.sh("start", "dataplane", "edge1")
    wait("the ports", lambda: "exc0" in (links := pop.run("edge1", "ip", "link")) and "nic0" in links)
    pop.run("edge1", "ip", "link", "set", "nic0", "netns", f"{pop.name}-router")
    pop.run("router", "ip", "link", "set", "nic0", "address", "02:00:00:77:00:01", "master", "br0", "up")
    for words in (["addr", "add", "10.77.1.2/24", "dev", "exc0"], ["-6", "addr", "add", "fd77:1::2/64", "dev", "exc0", "nodad"],
                  ["link", "set", "exc0", "up"], ["route", "add", "default", "via", "10.77.1.1"],
                  ["-6", "route", "add", "default", "via", "fd77:1::1"]):
        pop.run("edge1", "ip", *words)
    pop.sh("start", "controlplane", "edge1")
    wait("the VIPs to be announced", lambda: "10.99.0.1" in pop.routes() and "fd99::1" in pop.routes(), 20)
    serves(pop)
    assert " 0% packet loss" in pop.run("c1", "ping", "-c2", "-W2", "10.77.1.2")
    kernel = {w: sum(worker[w] for worker in pop.json("workers")) for w in ("rx_packets", "kernel_tx")}
    assert kernel["kernel_tx"] > 0, kernel


def test_hugepages_serve(pop_of):
    before = HUGEPAGES.read_text()
    try:
        HUGEPAGES.write_text("192")
        if int(HUGEPAGES.read_text()) < 192:
            pytest.skip("the kernel gives no 192 hugepages of 2 MiB")
        pop = pop_of(dataplane=f"{PORT} --workers 1 --hugepages on")
        serves(pop)
        assert "hugepages" in (pop.dir / "dataplane-edge1.log").read_text()
        pop.down()
    finally:
        HUGEPAGES.write_text(before)
