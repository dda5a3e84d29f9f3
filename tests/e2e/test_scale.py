# SPDX-License-Identifier: BSD-2-Clause
"""1,000 VIPs and 100 routers, and one more that floods: the control plane's bounds (docs/performance.md has what it measures)."""
import contextlib
import time

import pytest
import raw_bgp
import scale
from pop import wait

N_VIPS, N_PEERS, HOLD_S = 1000, 100, 3
KEEPALIVE_S = HOLD_S / 3
FLOOD = 1000000  # routes, and the flooder's max_prefixes
COUNTED_KIB = 2**21 * 8 // 1024  # a place of 8 octets for each, at most half full
SPARE_KIB = 4096
TRIES = 5  # of what is measured in wall time on a machine that has other work


@pytest.fixture(scope="module")
def node(request, tmp_path_factory):
    failed_before = request.session.testsfailed
    with contextlib.ExitStack() as stack:
        node = scale.Node(stack, tmp_path_factory.mktemp("scale"), N_VIPS, N_PEERS, HOLD_S)
        node.flooder = raw_bgp.Router(node.far, scale.FLOODER, scale.ROUTER_AS, scale.FLOOD_PORT)
        stack.callback(node.flooder.close)
        node.flooder.listen()
        yield node
        if request.session.testsfailed > failed_before:
            print(node.logs())


def updates(n):
    return raw_bgp.updates(n, scale.ROUTER_AS, scale.FLOODER)


def flooded(node):
    return node.json("bgp", "peer", "flooder")


def test_all_routes_are_with_all_routers_for_little_cpu_time(node):
    now = wait("all routes with all routers", node.are_up, 60)
    assert now["announced"] == [N_VIPS, N_VIPS], "each one once"
    assert (now["flaps"], now["errors"]) == (0, 0)
    assert node.cpu_s() < 2


def flood(node, messages):
    """For longer than the others' hold time; the longest silence towards a router and between health checks, in seconds."""
    node.routers_are("reset")
    since, before = time.monotonic(), flooded(node)["received"]["update"]
    sent = 0
    while time.monotonic() < since + 1.5 * HOLD_S:
        node.flooder.say(messages)
        sent += len(messages)
    wait("all of it to be read", lambda: flooded(node)["received"]["update"] == before + sent)
    now = node.routers_are()
    assert (now["established"], now["flaps"], now["errors"]) == (N_PEERS, 0, 0)
    return now["gap_ms"] / 1000, node.backend.longest_gap(since)


def test_a_router_that_floods_takes_nothing_from_the_others(node):
    """The same million routes again and again: they are counted, and not kept."""
    messages = updates(FLOOD)
    node.flooder.accept()
    wait("the flooder's session", lambda: flooded(node)["state"] == "Established")
    before_kib, seen = node.most_kib(), []
    while not seen or (len(seen) < TRIES and not keeps_time(seen[-1])):
        seen.append(flood(node, messages))
    assert keeps_time(seen[-1]), seen
    assert node.json("backends")[0]["health"] == "up"
    assert node.most_kib() - before_kib < COUNTED_KIB + SPARE_KIB, "what counts routes has the room that the limit asks for"


def keeps_time(silences):
    keepalive_s, check_s = silences
    return keepalive_s < 2 * KEEPALIVE_S and check_s < 0.003 * scale.CHECK_MS


def test_a_router_that_goes_beyond_its_limit_is_left(node):
    assert flooded(node)["prefixes"] == FLOOD
    node.routers_are("reset")
    node.flooder.say(updates(FLOOD + 1)[-1:])
    left = wait("the end of the session", lambda: flooded(node)["state"] != "Established" and flooded(node))
    assert left["last_error"] == "sent: cease/maximum number of prefixes reached", left
    assert left["prefixes"] == 0
    now = node.routers_are()
    assert (now["established"], now["flaps"], now["errors"]) == (N_PEERS, 0, 0)


def test_a_withdrawal_of_all_is_with_all_routers_at_once(node):
    took_ms = []
    while not took_ms or (min(took_ms) > 100 and len(took_ms) < TRIES):
        node.routers_are("reset")
        node.ctl("node", "drain", "--now", "--no-wait")
        now = wait("no routes", lambda: node.are_told("withdrawn"))
        took_ms.append(now["withdrawn_ms"] - node.decided_ms("drained by the operator"))
        assert now["withdrawn"] == [N_VIPS, N_VIPS], "each one once"
        node.routers_are("reset")
        node.ctl("node", "undrain")
        wait("all routes again", lambda: node.are_told("announced"))
    assert min(took_ms) <= 100, took_ms
