# SPDX-License-Identifier: BSD-2-Clause
"""What is announced, when, and how: a whole PoP whose router is BIRD (scripts/lib/pop.sh draws it)."""
import re

from pop import wait


def route(pop, prefix="10.99.0.1/32"):
    """BIRD's attributes of the route; {} without one."""
    text = pop.run("router", "birdc", "-r", "-s", pop.dir / "bird.ctl", "show", "route", "all", prefix, check=False)
    return dict(re.findall(r"BGP\.(\w+): (.*)", text))


def settled(pop, **attributes):
    def fits():
        got = route(pop)
        return all(got.get(name) == value for name, value in attributes.items()) and got
    return wait(f"{attributes} at the router", fits)


def configured(pop, text):
    """The VIP's line with this at its end, from the line as it was."""
    original = pop.config().read_text()
    pop.config().write_text(re.sub(r"(\{name: anycast4, [^}]*)\}", rf"\1, {text}}}", original, count=1))
    pop.ctl("reload")
    return original


def restore(pop, original):
    pop.config().write_text(original)
    pop.ctl("reload")


def test_a_vip_has_attributes_of_its_own_and_no_session_is_touched(pop):
    flaps = [peer["flaps"] for peer in pop.json("bgp")]
    own = settled(pop)["as_path"]
    original = configured(pop, 'communities: [65010:77, "65010:1:2", no-export], med: 50, prepend: 2')
    got = settled(pop, as_path=" ".join([own] * 3), med="50")
    assert "(65010,77)" in got["community"] and "(65535,65281)" in got["community"], got
    assert got["large_community"] == "(65010, 1, 2)", got
    assert "med" not in route(pop, "fd99::1/128"), "the other VIP is as it was"
    restore(pop, original)
    wait("no community", lambda: "community" not in route(pop) and route(pop))
    assert [peer["flaps"] for peer in pop.json("bgp")] == flaps


def test_an_operator_withdraws_and_releases_a_prefix(pop):
    settled(pop)
    pop.ctl("bgp", "withdraw", "10.99.0.1/32", "--for", "10m")
    wait("no route", lambda: not route(pop))
    why = pop.json("bgp", "explain", "anycast4")
    assert (why["state"], why["reason"], why["by_hand"]) == ("withdrawn", "withdrawn by hand", "withdrawn"), why
    assert not any(peer["announced"] for peer in why["peers"])
    assert route(pop, "fd99::1/128"), "the other VIP stays"
    pop.ctl("bgp", "release", "10.99.0.1/32")
    settled(pop)
    assert "withdrawn" in pop.ctl("bgp", "log").stdout
    refused = pop.ctl("bgp", "announce", "192.0.2.1/32", check=False)
    assert refused.returncode == 1 and "is no vip" in refused.stderr


def test_explains_what_a_peer_is_told(pop):
    settled(pop)
    [peer] = pop.json("bgp", "explain", "anycast4")["peers"]
    assert peer["announced"] and peer["reason"] == "announced", peer
    known = pop.json("bgp", "peer", peer["peer"])
    assert {"ipv4", "ipv6", "four-octet AS", "route refresh"} <= set(known["capabilities"]), known
    assert known["router_id"] == "10.77.1.1" and known["received"]["keepalive"] > 0, known
    assert {(r["prefix"], r["state"]) for r in pop.json("bgp", "routes", peer["peer"])} >= {("10.99.0.1/32", "told")}
    pop.ctl("bgp", "refresh", peer["peer"])


def test_a_withdrawal_by_hand_ends_by_itself(pop):
    settled(pop)
    pop.ctl("bgp", "withdraw", "10.99.0.1/32", "--for", "2s")
    wait("no route", lambda: not route(pop))
    settled(pop)


def test_a_peer_is_told_why_its_session_is_shut_down(pop):
    peer = pop.json("bgp")[0]["peer"]
    pop.ctl("bgp", "shutdown", peer, "--reason", "kernel upgrade")
    wait("the session to end", lambda: pop.json("bgp", "peer", peer)["state"] == "shut down")
    assert pop.json("bgp", "peer", peer)["shut_reason"] == "kernel upgrade"
    text = pop.run("router", "birdc", "-r", "-s", pop.dir / "bird.ctl", "show", "protocols", "all", check=False)
    assert "Administrative shutdown" in text, text
    pop.ctl("bgp", "open", peer)
    wait("the session", lambda: pop.json("bgp", "peer", peer)["state"] == "Established", 30)
    settled(pop)


def test_a_node_says_goodbye_before_it_withdraws(pop):
    settled(pop)
    pop.ctl("node", "drain", "--no-wait")
    got = wait("GRACEFUL_SHUTDOWN, or that all traffic had gone", lambda: "(65535,0)" in route(pop).get("community", "") or
               pop.json("bgp", "explain", "anycast4")["state"] == "withdrawn")
    assert got
    pop.ctl("wait", "drained", "--timeout", "90s")
    assert not route(pop)
    pop.ctl("node", "undrain")
    assert "(65535,0)" not in settled(pop).get("community", "")
