# SPDX-License-Identifier: BSD-2-Clause
"""How sessions between bgp/ and the daemons of Debian come up, are protected, and end."""
import contextlib
import signal

from lab import SPEAKER, SPEAKER6, too_far
from daemons import AS, DIALS, DIALS_TOO, GTSM, GTSM6, MD5, MD56, PEER_V4, PEER_V6, ROLE, wait
from table import row

V4, V6 = "10.99.0.1/32", "fd99::1/128"


def told(*prefixes):
    return {prefix: (SPEAKER6 if ":" in prefix else SPEAKER, [AS], "igp") for prefix in prefixes}


@contextlib.contextmanager
def stopped(process):
    process.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.signal(signal.SIGCONT)


def stays_down(speaker):
    """Two connections come to nothing."""
    for _ in range(2):
        speaker.wait("Connect", seconds=10)
    assert not {"Established", "OpenConfirm"} & set(speaker.lines)


@row("both dial, one session stays (RFC 4271 6.8)")
def test_both_dial(peer, speaker):
    both = speaker(DIALS, V4, V6, options=["listen"])
    both.wait("Established", seconds=40)
    wait("both prefixes", lambda: peer.routes(DIALS) == told(V4, V6))
    both.tell(f"withdraw {V4}")
    wait("one prefix", lambda: peer.routes(DIALS) == told(V6))


@row("it dials, we wait")
def test_the_peer_dials(peer, speaker):
    waits = speaker(DIALS_TOO, V4, V6, options=["passive"])
    waits.wait("Established", seconds=40)
    wait("both prefixes", lambda: peer.routes(DIALS_TOO) == told(V4, V6))


@row("our OPEN is held back (RFC 4271 DelayOpen)")
def test_delay_open(peer, speaker, plain):
    delays = speaker(plain, V4, options=["delay-open 1"])
    delays.wait("Established")
    wait("a prefix", lambda: peer.routes(plain) == told(V4))


@row("TCP MD5, over IPv4 and IPv6")
def test_md5(peer, speaker):
    for session in MD5, MD56:
        speaker(session, V4, options=["md5 s3cret", "listen"]).wait("Established")
        wait("a prefix", lambda: peer.routes(session) == told(V4))


@row("TCP MD5 with another key: no session")
def test_wrong_key(peer, speaker):
    for session in MD5, MD56:
        stays_down(speaker(session, V4, options=["md5 other", "listen"]))


@row("GTSM, over IPv4 and IPv6")
def test_gtsm(peer, speaker):
    for session in GTSM, GTSM6:
        speaker(session, V4, options=["gtsm", "listen"]).wait("Established")
        wait("a prefix", lambda: peer.routes(session) == told(V4))


@row("GTSM on our side alone: no session")
def test_gtsm_of_a_peer_that_has_none(link, peer, speaker, plain, plain6):
    for session in plain, plain6:
        before, alone = too_far(link[0]), speaker(session, V4, options=["gtsm"])
        wait("packets from too far away", lambda: too_far(link[0]) >= before + 2)
        alone.end()
        assert not {"Established", "OpenConfirm"} & set(alone.rest())


@row("another AS than expected is refused")
def test_a_wrong_as(peer, speaker, plain):
    refuses = speaker(plain, V4, peer_as=65099)
    refuses.wait("sent 2/2")
    assert "Established" not in refuses.lines


NO_ROLES = "has no RFC 9234"


@row("roles: provider and customer, and its OTC", gobgp=NO_ROLES, exabgp=NO_ROLES)
def test_roles(peer, speaker):
    customer = speaker(ROLE, V4, options=["role customer", "strict"])
    assert "role 0" in customer.wait("negotiated .*").group()
    for _ in range(2):
        customer.wait(f"heard ({PEER_V4}|{PEER_V6}) .* otc 65002")
    wait("a prefix", lambda: peer.routes(ROLE) == told(V4))


@row("roles that don't fit: no session", gobgp=NO_ROLES, exabgp=NO_ROLES)
def test_roles_that_do_not_fit(peer, speaker):
    provider = speaker(ROLE, V4, options=["role provider"])
    provider.wait("(sent|received) 2/11")
    assert "Established" not in provider.lines


@row("strict roles refuse a peer without")
def test_strict_roles(peer, speaker, plain):
    customer = speaker(plain, V4, options=["role customer", "strict"])
    customer.wait("sent 2/11")
    assert "Established" not in customer.lines


@row("our shutdown and its text", exabgp="fails over any text: its own exception")
def test_our_shutdown(peer, speaker, plain):
    text = "back at noon"
    stops = speaker(plain, V4)
    wait("a prefix", lambda: peer.routes(plain) == told(V4))
    stops.tell(f"stop {text}")
    stops.wait("sent 6/2")
    wait("the text", lambda: peer.says(text))
    wait("no prefix", lambda: peer.routes(plain) == {})


@row("its shutdown and the text", exabgp="its command takes no text")
def test_its_shutdown(peer, speaker, plain):
    told_off = speaker(plain, V4)
    told_off.wait("Established")
    peer.shutdown(plain, "gone for lunch")
    try:
        told_off.wait("received 6/2")
        told_off.wait("text gone for lunch")
    finally:
        peer.enable(plain)
    told_off.wait("Established", seconds=40)


@row("it hangs: our hold timer ends the session")
def test_the_peer_hangs(peer, speaker, plain):
    waits = speaker(plain, V4, V6, options=["hold 3"])
    wait("both prefixes", lambda: peer.routes(plain) == told(V4, V6))
    with stopped(peer):
        waits.wait("sent 4/0", seconds=10)
    waits.wait("Established", seconds=40)
    wait("both prefixes again", lambda: peer.routes(plain) == told(V4, V6))


@row("we hang: its hold timer ends the session")
def test_the_speaker_hangs(peer, speaker, plain):
    hangs = speaker(plain, V4, V6, options=["hold 3"])
    wait("both prefixes", lambda: peer.routes(plain) == told(V4, V6))
    with stopped(hangs):
        wait("no prefix", lambda: peer.routes(plain) == {})
    hangs.wait("received 4/0")


@row("it stops reading: our send hold timer ends the session (RFC 9687)")
def test_the_peer_stops_reading(peer, speaker, plain):
    sends = speaker(plain, options=["hold 90", "send-hold 2"])
    sends.wait("Established")
    with stopped(peer):
        sends.tell("many 50000")
        sends.wait("sent 8/0", seconds=10)


@row("too many prefixes end the session")
def test_too_many_prefixes(peer, speaker, plain):
    full = speaker(plain, options=["max-prefixes 1"])
    full.wait("sent 6/1")


@row("it is killed and comes back, and we may keep its routes meanwhile (RFC 4724)")
def test_the_peer_restarts(peer, speaker, plain):
    stays = speaker(plain, V4, V6, options=["graceful-restart 30"])
    stays.wait_all(f"heard {PEER_V4} .*", f"heard {PEER_V6} .*")
    wait("both prefixes", lambda: peer.routes(plain) == told(V4, V6))
    peer.kill()
    stays.wait("may keep its routes")
    peer.start()
    stays.wait_all(f"heard {PEER_V4} .*", f"heard {PEER_V6} .*", "end-of-rib ipv4", "end-of-rib ipv6", seconds=40)
    wait("both prefixes again", lambda: peer.routes(plain) == told(V4, V6))


@row("we are killed, and it keeps our routes until the next End-of-RIB", exabgp="keeps no table")
def test_the_speaker_restarts_gracefully(peer, speaker, plain):
    first = speaker(plain, V4, V6, options=["graceful-restart 30"])
    wait("both prefixes", lambda: peer.routes(plain) == told(V4, V6))
    first.kill()
    seen = [peer.routes(plain)]
    second = speaker(plain, V6, options=["graceful-restart 30"])

    def one_is_left():
        seen.append(peer.routes(plain))
        return seen[-1] == told(V6)

    wait("the End-of-RIB to take one away", one_is_left)
    assert all(V6 in routes for routes in seen) and V4 in seen[0], seen
    second.tell("stop")
    wait("no prefix after a stop", lambda: peer.routes(plain) == {})
