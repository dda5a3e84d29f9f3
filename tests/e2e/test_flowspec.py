# SPDX-License-Identifier: BSD-2-Clause
"""Rules that BGP daemons send (FlowSpec, blackholes) at work in a PoP: what they match is dropped, and passes again."""
import shutil
import subprocess

import pytest
from pop import V4, V6, wait

CONTROLLER, CONTROLLER_AS = "10.77.1.11", 65099
CAP = 6
FAMILIES = "ipv4", "ipv6", "ipv4-flowspec", "ipv6-flowspec"
PEER = f"""    - name: controller
      address: {CONTROLLER}
      as: {CONTROLLER_AS}
      hold: 9s
      reconnect: 1s
      flowspec: true
      blackhole: true
"""


class GoBgp:
    """In the namespace of s1, whose addresses are on the edge's LAN."""
    config = f"""
[global.config]
  as = {CONTROLLER_AS}
  router-id = "{CONTROLLER}"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "10.77.1.2"
    peer-as = 65010
  [neighbors.transport.config]
    passive-mode = true
""" + "".join(f"""
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "{name}"
""" for name in ("ipv4-unicast", "ipv6-unicast", "ipv4-flowspec", "ipv6-flowspec"))

    def __init__(self, pop):
        self.pop = pop
        self.file = pop.dir / "gobgp.toml"
        self.file.write_text(self.config)
        self.start()

    def start(self):
        self.process = self.pop.popen("s1", "gobgpd", "-f", self.file, "--api-hosts", "127.0.0.1:50051")
        wait("gobgpd", lambda: "state" in self.ask("neighbor", "10.77.1.2"))

    def ask(self, *words):
        return self.pop.run("s1", "gobgp", *words, check=False)

    def add(self, family, *words):
        self.pop.run("s1", "gobgp", "global", "rib", "add", "-a", family, *words)

    def remove(self, family, *words):
        self.pop.run("s1", "gobgp", "global", "rib", "del", "-a", family, *words)

    def remove_all(self):
        for family in FAMILIES:
            self.pop.run("s1", "gobgp", "global", "rib", "del", "all", "-a", family)

    def kill(self):
        self.process.kill()
        self.process.wait()


def state(pop):
    return next((p["state"] for p in pop.json("bgp") if p["peer"] == "controller"), "")


def imported(pop):
    """The filters that are the controller's, by their text."""
    return {f["filter"]: f for f in pop.json("filters") if f["origin"] == "bgp/controller"}


def received(pop):
    return {r["rule"]: r for r in pop.json("imports") if r["rule"]}


def answers(pop, host="10.99.0.1"):
    return bool(pop.run("c1", "kdig", "+short", "+timeout=1", "+retry=2", f"@{host}", "www.example.net", check=False).strip())


def served(pop):
    """The workers have what the control plane wants."""
    pop.ctl("wait", "generation")


@pytest.fixture(scope="module")
def edge(pop):
    if not shutil.which("gobgpd"):
        pytest.skip("gobgpd is not installed")
    pop.edit(r"  peers:\n", "  peers:\n" + PEER)
    pop.edit(r"(?m)^  peers:\n", f"  import: {{flowspec: {{max: {CAP}}}}}\n  peers:\n")
    pop.ctl("reload")
    return pop


@pytest.fixture(scope="module")
def daemon(edge):
    daemon = GoBgp(edge)
    try:
        yield daemon
    finally:
        daemon.kill()


@pytest.fixture
def gobgp(edge, daemon):
    """With a session, and nothing announced before or after."""
    if daemon.process.poll() is not None:
        daemon.start()
    wait("the session", lambda: state(edge) == "Established", 30)
    yield daemon
    if daemon.process.poll() is None:
        daemon.remove_all()
    wait("that nothing is left", lambda: not received(edge) and not imported(edge))


@pytest.mark.parametrize("family, match, url", [
    ("ipv4-flowspec", ("destination", "10.99.0.1/32", "protocol", "tcp", "destination-port", "==80"), V4),
    ("ipv6-flowspec", ("destination", "fd99::1/128", "protocol", "tcp", "destination-port", "==80"), V6),
])
def test_what_a_rule_discards_is_dropped_until_it_is_withdrawn(edge, gobgp, family, match, url):
    other = V6 if url == V4 else V4
    assert edge.page(url) != "failed"
    gobgp.add(family, "match", *match, "then", "discard")
    wait("the filter", lambda: imported(edge))
    served(edge)
    assert edge.page(url) == "failed"
    assert edge.page(other) != "failed" and answers(edge)
    wait("its hits", lambda: next(iter(imported(edge).values()))["hits"] > 0)
    (rule, filter), = imported(edge).items()
    assert filter["action"] == "drop"
    assert received(edge)[rule]["state"] == "used"
    gobgp.remove(family, "match", *match)
    wait("the withdrawal", lambda: not imported(edge))
    served(edge)
    assert edge.page(url) != "failed"


def test_a_rule_that_ends_the_row_shields_what_it_matches(edge, gobgp):
    """RFC 8955 5.1: the longer prefix comes first, and what it lets through, no later rule sees."""
    gobgp.add("ipv4-flowspec", "match", "destination", "10.99.0.1/32", "then", "discard")
    wait("the filter", lambda: len(imported(edge)) == 1)
    gobgp.add("ipv4-flowspec", "match", "destination", "10.99.0.1/32", "protocol", "udp", "then", "accept")
    wait("the filters", lambda: len(imported(edge)) == 2)
    served(edge)
    assert answers(edge) and edge.page(V4) == "failed"


def test_a_rate_lets_through_what_is_below_it(edge, gobgp):
    gobgp.add("ipv4-flowspec", "match", "destination", "10.99.0.1/32", "protocol", "udp", "then", "rate-limit", "40000")
    wait("the filter", lambda: imported(edge))
    (filter,) = imported(edge).values()
    assert filter["action"] == "limit" and filter["bytes_s"] == 40000
    served(edge)
    assert answers(edge)


def test_what_is_not_for_us_or_redirects_is_refused_with_a_reason(edge, gobgp):
    gobgp.add("ipv4-flowspec", "match", "destination", "10.99.0.1/32", "protocol", "udp", "then", "redirect", "65000:1")
    gobgp.add("ipv4-flowspec", "match", "destination", "10.98.0.0/16", "protocol", "udp", "then", "discard")
    gobgp.add("ipv4-flowspec", "match", "protocol", "udp", "then", "discard")
    wait("three rules", lambda: len(received(edge)) == 3)
    reasons = {r["rule"]: r["reason"] for r in received(edge).values()}
    assert reasons == {"dst 10.99.0.1/32 proto udp": "redirect",
                       "dst 10.98.0.0/16 proto udp": "not for a VIP of ours (RFC 9117)",
                       "proto udp": "no destination (RFC 9117)"}
    assert not imported(edge) and answers(edge)


def test_more_than_the_cap_is_counted_and_asked_for_when_there_is_room(edge, gobgp):
    rules = [("destination", "10.99.0.1/32", "protocol", str(number)) for number in range(100, 100 + CAP + 2)]
    for rule in rules:
        gobgp.add("ipv4-flowspec", "match", *rule, "then", "discard")
    wait("as many as the cap", lambda: len(imported(edge)) == CAP)
    over = wait("what is over", lambda: [r for r in edge.json("imports") if not r["rule"]])
    assert over[0]["state"] == "not applied" and over[0]["reason"].startswith("full"), over
    gobgp.remove("ipv4-flowspec", "match", *rules[0])
    wait("another in its place", lambda: len(imported(edge)) == CAP and "dst 10.99.0.1/32 proto 100" not in imported(edge))


@pytest.mark.parametrize("family, prefix, url", [("ipv4", "10.99.0.1/32", V4), ("ipv6", "fd99::1/128", V6)])
def test_a_blackhole_of_a_vip_drops_all_of_it(edge, gobgp, family, prefix, url):
    gobgp.add(family, prefix, "nexthop", "10.77.1.11" if family == "ipv4" else "fd77:1::b", "community", "65535:666")
    wait("the filter", lambda: f"blackhole dst {prefix}" in imported(edge))
    served(edge)
    assert edge.page(url) == "failed"
    gobgp.remove(family, prefix)
    wait("the withdrawal", lambda: not imported(edge))
    served(edge)
    assert edge.page(url) != "failed"


def test_an_ordinary_route_is_passed_over(edge, gobgp):
    gobgp.add("ipv4", "10.99.0.1/32", "nexthop", "10.77.1.11")
    gobgp.add("ipv4-flowspec", "match", "destination", "10.99.0.1/32", "protocol", "41", "then", "discard")
    wait("the rule behind it", lambda: imported(edge))
    assert len(received(edge)) == 1


def test_a_lost_session_takes_its_rules_along(edge, gobgp):
    gobgp.add("ipv4-flowspec", "match", "destination", "10.99.0.1/32", "protocol", "tcp", "then", "discard")
    wait("the filter", lambda: imported(edge))
    served(edge)
    assert edge.page(V4) == "failed"
    gobgp.kill()
    wait("that the rules are gone", lambda: not imported(edge))
    served(edge)
    assert edge.page(V4) != "failed"
    assert "0 used" in edge.ctl("bgp", "log").stdout


def test_nothing_imported_outlives_the_control_plane(edge, gobgp):
    gobgp.add("ipv4-flowspec", "match", "destination", "10.99.0.1/32", "protocol", "41", "then", "discard")
    wait("the filter", lambda: imported(edge))
    gobgp.kill()
    wait("the end of the session", lambda: state(edge) != "Established")
    edge.sh("kill", "controlplane", "edge1", "KILL")
    edge.sh("start", "controlplane", "edge1")
    wait("the control plane", lambda: edge.ctl("status", check=False).returncode == 0)
    assert not imported(edge)
