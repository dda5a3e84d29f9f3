# SPDX-License-Identifier: BSD-2-Clause
"""One PoP, end to end (scripts/lib/pop.sh draws it): real router, servers and clients around the real programs."""
import collections
import contextlib
import re

import pytest
from pop import V4, V6, askers, keepers, unbroken, unlost, wait


def is_settled(pop):
    return pop.json("status")["slots"] == {"moving": 0, "settling": 0}


def drops(pop):
    return {d["reason"]: d["packets"] for d in pop.json("drops")}


@contextlib.contextmanager
def no_route_lost(pop):
    """The router's kernel tells of every change of its routes to the VIPs."""
    monitor = pop.popen("router", "ip", "monitor", "route")
    try:
        yield
    finally:
        monitor.terminate()
        out, _ = monitor.communicate()
    assert "Deleted 10.99.0.1" not in out and "Deleted fd99::1" not in out, out


def line(name):
    return re.compile(rf"^ *- {{name: {name}, address: 10\.77\.1\.1\d, weight: \d+}}\n", re.M)


def test_every_server_answers_over_both_families(pop):
    for url in (V4, V6):
        answers = collections.Counter(pop.page(url) for _ in range(60))
        assert set(answers) == {"s1", "s2", "s3"}, answers


@pytest.mark.parametrize("server", ["10.99.0.1", "fd99::1"])
def test_dns_is_answered_through_the_vip(pop, server):
    out = pop.run("c1", "kdig", "+short", "+timeout=2", f"@{server}", "www.example.net", "A")
    assert out.strip() == "10.99.0.1"


@pytest.mark.parametrize("command", [("ping", "-c2", "-W2", "10.99.0.1"), ("ping", "-6", "-c2", "-W2", "fd99::1")])
def test_the_node_answers_echo_to_a_vip(pop, command):
    assert " 0% packet loss" in pop.run("c1", *command)


@pytest.mark.parametrize("vip", ["10.99.0.1", "[fd99::1]"])
def test_a_port_without_service_is_refused_at_once(pop, vip):
    out = pop.run("c1", "sh", "-c", f"curl -sS --max-time 3 http://{vip}:81/ 2>&1", check=False)
    assert "refused" in out or "Couldn't connect" in out, out


def test_a_download_and_many_connections_survive_changes_of_the_pool(pop):
    text = pop.config().read_text()
    third = line("s3").search(text).group()
    pop.config().write_text(text.replace(third, "", 1))
    pop.ctl("reload")
    pop.ctl("wait", "generation", "--timeout", "10s")
    download = pop.popen("c1", "curl", "-sS", "--limit-rate", "12M", "-o", "/dev/null", "-w", "%{http_code} %{size_download}",
                         f"{V4}/100MB")
    connections = keepers(pop, 1000, 8)

    def add_s3():
        pop.config().write_text(text)
        pop.ctl("reload")
        wait("s3 to be in the table", lambda: [b for b in pop.json("backends") if b["name"] == "s3" and b["share_percent"] > 0])

    def reweight_s1():
        pop.edit(r"(name: s1, address: 10.77.1.11, weight: )\d+", r"\g<1>30", count=1)
        pop.ctl("reload")

    for change in (add_s3, reweight_s1, lambda: pop.ctl("backend", "drain", "web/s2")):
        change()
        pop.ctl("wait", "generation", "--timeout", "10s")
    assert pop.page(V4) != "failed"
    out, _ = download.communicate(timeout=60)
    assert out == "200 100000000"
    assert unbroken(connections)["backends"] == ["s1", "s2"], "connections from before the changes are on s1 and s2"
    answers = collections.Counter(pop.page(V4) for _ in range(40))
    assert set(answers) == {"s1", "s3"}, f"s2 is drained: {answers}"


def test_a_drained_backend_is_removed_and_put_back(pop):
    text = pop.config().read_text()
    connections = keepers(pop, 200, 3)
    pop.config().write_text(line("s2").sub("", text, count=1))
    pop.ctl("reload")
    pop.ctl("wait", "generation", "--timeout", "10s")
    pop.config().write_text(text)
    pop.ctl("reload")
    pop.ctl("backend", "undrain", "web/s2")
    pop.edit(r"(name: s1, address: 10.77.1.11, weight: )\d+", r"\g<1>100", count=1)
    pop.ctl("reload")
    unbroken(connections)
    wait("s2 to answer again", lambda: pop.page(V4) == "s2")


def test_a_broken_file_changes_nothing_and_says_why(pop):
    before = pop.json("status")["generation"]
    text = pop.config().read_text()
    pop.edit("weight: 100", "weight: 300", count=1)
    at = pop.config().read_text()[: pop.config().read_text().index("weight: 300")].count("\n") + 1
    refused = pop.ctl("reload", check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode == 1 and "300" in said and f"edge1.yaml:{at}:" in said, said
    assert pop.json("status")["generation"] == before
    assert pop.page(V4) != "failed"
    pop.config().write_text(text)
    pop.ctl("reload")


def test_the_control_plane_is_killed_and_nothing_is_lost_or_moved(pop):
    wait("all slots to be stable", lambda: is_settled(pop), 90)
    before = drops(pop)
    connections = keepers(pop, 200, 8)
    queries = askers(pop, 300, 8)
    with no_route_lost(pop):
        pop.sh("kill", "controlplane", "edge1", "KILL")
        assert pop.page(V4) != "failed"
        pop.sh("start", "controlplane", "edge1")
        pop.ctl("wait", "announced", "--timeout", "20s")
        unbroken(connections)
        unlost(queries)
    assert is_settled(pop), "a restarted control plane moved slots"
    assert drops(pop) == before


def test_a_dead_server_is_left_out_and_comes_back(pop):
    pop.sh("kill", "nginx", "s3", "KILL")
    wait("s3 to be down", lambda: [b for b in pop.json("backends") if b["pool"] == "web" and b["health"] == "down"])
    pop.ctl("wait", "generation", "--timeout", "10s")
    assert {pop.page(V4) for _ in range(40)} == {"s1", "s2"}
    pop.sh("start", "nginx", "s3")
    wait("s3 to be up", lambda: all(b["health"] == "up" for b in pop.json("backends")))
    wait("s3 to answer again", lambda: pop.page(V4) == "s3")


def test_the_dataplane_is_killed_and_the_vips_are_withdrawn_at_once(pop):
    assert pop.routes()
    pop.sh("kill", "dataplane", "edge1", "KILL")
    wait("the router to lose its routes", lambda: not pop.routes(), 2)
    pop.sh("start", "dataplane", "edge1")
    wait("the router to have its routes again", lambda: "10.99.0.1" in pop.routes() and "fd99::1" in pop.routes(), 20)
    assert pop.page(V4) != "failed"


def test_all_servers_die_and_the_vips_are_withdrawn(pop):
    for server in ("s1", "s2", "s3"):
        pop.sh("kill", "nginx", server, "KILL")
        pop.sh("kill", "knot", server, "KILL")
    wait("the router to lose its routes", lambda: not pop.routes(), 10)
    for server in ("s1", "s2", "s3"):
        pop.sh("start", "nginx", server)
        pop.sh("start", "knot", server)
    wait("the router to have its routes again", lambda: "10.99.0.1" in pop.routes() and "fd99::1" in pop.routes(), 20)


def test_the_node_is_drained(pop):
    pop.ctl("node", "drain", "--no-wait")
    wait("the router to lose its routes", lambda: not pop.routes(), 5)
    pop.ctl("wait", "drained", "--timeout", "20s")
    pop.ctl("node", "undrain")
    wait("the router to have its routes again", lambda: "10.99.0.1" in pop.routes(), 10)


def test_a_clean_end_leaves_no_trace(pop):
    pop.sh("kill", "controlplane", "edge1", "TERM")
    wait("the router to lose its routes", lambda: not pop.routes(), 5)
    pop.sh("kill", "dataplane", "edge1", "TERM")
    assert "prog/xdp" not in pop.run("edge1", "ip", "link", "show", "eth0")
    assert not (pop.dir / "edge1.dataplane").exists() and not (pop.dir / "edge1.control").exists()
    pop.sh("start", "dataplane", "edge1")
    pop.sh("start", "controlplane", "edge1")
    wait("the router to have its routes again", lambda: "10.99.0.1" in pop.routes(), 20)


def test_a_vip_whose_backends_no_packet_can_reach_is_withdrawn(pop):
    """Health checks take another way than packets: one that leaves by an interface the dataplane doesn't have."""
    servers = [(f"s{i}", f"10.77.1.1{i}", f"10.78.{i}.1", f"10.78.{i}.2") for i in (1, 2, 3)]
    for name, _, near, far in servers:
        pop.run("edge1", "ip", "link", "add", f"by-{name}", "type", "veth", "peer", "name", "by", "netns",
                f"{pop.name}-{name}")
        for node, device, address in ("edge1", f"by-{name}", near), (name, "by", far):
            pop.run(node, "ip", "address", "add", f"{address}/30", "dev", device)
            pop.run(node, "ip", "link", "set", device, "up")
    try:
        for name, address, _, far in servers:
            pop.run("edge1", "ip", "route", "add", f"{address}/32", "via", far)
        wait("the VIP to be withdrawn", lambda: "10.99.0.1" not in pop.routes())
        rows = [row for row in pop.json("backends") if row["pool"] == "web"]
        assert {row["health"] for row in rows} == {"up"}, rows
        assert all("no port of the dataplane" in row["reason"] for row in rows), rows
        assert {row["share_percent"] for row in rows} == {0}, rows
        assert all("no port of the dataplane" in row["reason"] for row in pop.json("services")), pop.json("services")
        wait("the log to tell", lambda: "healthy but gets no packet" in pop.logs())
    finally:
        for name, *_ in servers:
            pop.run("edge1", "ip", "link", "delete", f"by-{name}", check=False)
    pop.ctl("wait", "announced", "--timeout", "15s")
    assert pop.page(V4) in {"s1", "s2", "s3"}
