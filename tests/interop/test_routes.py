# SPDX-License-Identifier: BSD-2-Clause
"""What bgp/ and the daemons of Debian tell each other."""
from lab import SPEAKER, SPEAKER6
from daemons import AS, FLOW, HOP6, PEER, PEER6, PEER_AS, PEER_COMMUNITIES, PEER_FLOW, PEER_LATER, PEER_V4, PEER_V6, \
    wait
from table import row

V4, V4B, V6, V6B = "10.99.0.1/32", "10.99.0.128/25", "fd99::1/128", "fd99:0:0:1::/64"
FAMILIES = "ipv4", "ipv6"
ENDS = [f"end-of-rib {family}" for family in FAMILIES]


def told(*prefixes):
    return {prefix: (SPEAKER6 if ":" in prefix else SPEAKER, [AS], "igp") for prefix in prefixes}


def heard(prefix, hop):
    return rf"heard {prefix} via {hop} as {PEER_AS} with.*"


def tells_exactly(peer, speaker, session):
    tells = speaker(session, V4, V6)
    wait("both prefixes", lambda: peer.routes(session) == told(V4, V6))
    for prefix in V4B, V6B:
        tells.tell(f"announce {prefix}")
    tells.tell(f"withdraw {V4}")
    wait("one prefix less, two more", lambda: peer.routes(session) == told(V6, V4B, V6B))
    for prefix in V6, V4B, V6B:
        tells.tell(f"withdraw {prefix}")
    wait("no prefix", lambda: peer.routes(session) == {})
    tells.tell(f"announce {V4}")
    wait("a prefix", lambda: peer.routes(session) == told(V4))


@row("we announce and withdraw, both families over IPv4")
def test_tells_over_ipv4(peer, speaker, plain):
    tells_exactly(peer, speaker, plain)


@row("we announce and withdraw, both families over IPv6")
def test_tells_over_ipv6(peer, speaker, plain6):
    tells_exactly(peer, speaker, plain6)


def hears(peer, speaker, session, hops):
    """All that the peer has, and then a change. Some send an End-of-RIB to those with graceful restart only."""
    listens = speaker(session, options=["graceful-restart 30"])
    listens.wait("Established")  # no route is told before
    listens.wait_all(heard(PEER_V4, hops[0]), heard(PEER_V6, hops[1]), *ENDS)
    peer.announce(session, PEER_LATER)
    listens.wait(heard(PEER_LATER, hops[0]))
    peer.withdraw(session, PEER_LATER)
    listens.wait(f"lost {PEER_LATER}")


@row("it announces and withdraws, both families over IPv4")
def test_hears_over_ipv4(peer, speaker, plain):
    hears(peer, speaker, plain, (PEER, r"\S+"))


@row("it announces and withdraws, both families over IPv6",
     openbgpd="gives IPv4 routes the next hop 127.0.0.1 there, which RFC 7606 has us treat as withdrawn")
def test_hears_over_ipv6(peer, speaker, plain6):
    hears(peer, speaker, plain6, (PEER, PEER6))


@row("communities, extended and large ones, both ways")
def test_communities(peer, speaker, plain):
    ours = "65001:1", "rt:65001:2", "65001:3:4"
    both = speaker(plain)
    for prefix in V4, V6:
        both.tell(f"announce {prefix} {' '.join(ours)}")
    for _ in range(2):
        line = both.wait(rf"heard ({PEER_V4}|{PEER_V6}) .* with (.*)")
        assert set(line[2].split()) == PEER_COMMUNITIES
    for prefix in V4, V6:
        wait("the communities", lambda: peer.communities(plain, prefix) == set(ours))
    both.tell(f"announce {V4} 65001:5")
    wait("other communities", lambda: peer.communities(plain, V4) == {"65001:5"})


@row("it asks for a refresh, all is sent again", gobgp="keeps all that it hears, and never asks")
def test_the_peer_asks_for_a_refresh(peer, speaker, plain):
    asked = speaker(plain, V4, V6)
    wait("both prefixes", lambda: peer.routes(plain) == told(V4, V6))
    peer.refresh(plain)
    asked.wait_all(*(f"received refresh request {family}" for family in FAMILIES), *["sent update of .*"] * 2)
    wait("both prefixes", lambda: peer.routes(plain) == told(V4, V6))


DROPS_REQUESTS = "drops requests as not negotiated (openbgpd-portable issue 46)"
ENDS_SESSIONS = "ends the session of an enhanced peer that asks: its own exception"
NO_ENHANCED = "has no enhanced refresh (RFC 7313)"


def asks(speaker, session):
    """FRR leaves a request open until its End-of-RIB, which it sends to those with graceful restart only."""
    asking = speaker(session, options=["graceful-restart 30"])
    asking.wait_all(f"heard {PEER_V4} .*", f"heard {PEER_V6} .*")
    asking.tell("refresh")
    return asking


@row("we ask for a refresh, all is sent again", openbgpd=DROPS_REQUESTS, exabgp=ENDS_SESSIONS)
def test_we_ask_for_a_refresh(peer, speaker, plain):
    asking = asks(speaker, plain)
    asking.wait_all(f"heard {PEER_V4} .*", f"heard {PEER_V6} .*")
    assert "Idle" not in asking.lines


@row("enhanced refresh, when it asks", gobgp=NO_ENHANCED)
def test_the_peer_asks_for_an_enhanced_refresh(peer, speaker, plain):
    asked = speaker(plain, V4)
    assert "enhanced-refresh" in asked.wait("negotiated .*").group()
    wait("a prefix", lambda: peer.routes(plain) == told(V4))
    peer.refresh(plain)
    for line in "sent refresh begin ipv4", "sent update of .*", "sent refresh end ipv4":
        asked.wait(line)
    wait("a prefix", lambda: peer.routes(plain) == told(V4))


@row("enhanced refresh, when we ask", gobgp=NO_ENHANCED, openbgpd=DROPS_REQUESTS, exabgp=ENDS_SESSIONS)
def test_we_ask_for_an_enhanced_refresh(peer, speaker, plain):
    asking = asks(speaker, plain)
    asking.wait_all(*(f"refresh {what} {family}" for what in ("begins", "ends") for family in FAMILIES),
                    f"heard {PEER_V4} .*", f"heard {PEER_V6} .*")
    assert "Idle" not in asking.lines


@row("IPv4 with an IPv6 next hop, both ways", openbgpd="has no RFC 8950")
def test_extended_next_hop(peer, speaker):
    both = speaker(HOP6, V4, V6, hops=(), options=["extended-next-hop"])
    assert "extended-next-hop" in both.wait("negotiated .*").group()
    peer.announce(HOP6, PEER_LATER, hop=PEER6)
    both.wait(heard(PEER_LATER, PEER6))
    peer.withdraw(HOP6, PEER_LATER)
    wait("an IPv6 next hop", lambda: peer.routes(HOP6) == {prefix: (HOP6.us, [AS], "igp") for prefix in (V4, V6)})
    both.tell(f"withdraw {V4}")
    wait("one prefix less", lambda: V4 not in peer.routes(HOP6))


@row("extended messages", gobgp="has no RFC 8654", openbgpd="has no RFC 8654")
def test_extended_messages(peer, speaker, plain):
    tells = speaker(plain)
    assert "extended-message" in tells.wait("negotiated .*").group()
    tells.tell("many 400")
    assert int(tells.wait("sent update of (.*)")[1]) > 4096
    wait("all prefixes", lambda: len(peer.routes(plain)) == 400)


NO_FLOWSPEC = "has no FlowSpec"


@row("we announce and withdraw FlowSpec, both families", openbgpd=NO_FLOWSPEC)
def test_tells_flowspec(peer, speaker):
    tells = speaker(FLOW, options=["flowspec"])
    assert "flow4 flow6" in tells.wait("negotiated .*").group()
    tells.tell("flow dst 10.99.0.9/32 proto udp dport 53")
    tells.tell("flow dst fd99::9/128 proto tcp sport >1024 length 100-200")
    wait("both rules", lambda: all(address in peer.flows() for address in ("10.99.0.9/32", "fd99::9/128")))
    tells.tell("unflow dst 10.99.0.9/32 proto udp dport 53")
    wait("one rule", lambda: "10.99.0.9/32" not in peer.flows() and "fd99::9/128" in peer.flows())


@row("it announces FlowSpec", openbgpd=NO_FLOWSPEC, frr="passes FlowSpec on, and can't originate it")
def test_hears_flowspec(peer, speaker):
    hears_now = speaker(FLOW, options=["flowspec"])
    hears_now.wait(f"heard dst {PEER_FLOW}/32 proto udp dport 53 .* 0x8006[0-9a-f]{{4}}00000000")
