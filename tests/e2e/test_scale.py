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


def test_a_router_that_floods_takes_nothing_from_the_others(node):
    """For longer than the others' hold time, the same million routes again and again. They are counted, and not kept."""
    messages = updates(FLOOD)
    node.flooder.accept()
    wait("the flooder's session", lambda: flooded(node)["state"] == "Established")
    node.routers_are("reset")
    before_kib, since, sent = node.most_kib(), time.monotonic(), 0
    while time.monotonic() < since + 1.5 * HOLD_S:
        node.flooder.say(messages)
        sent += len(messages)
    wait("all of it to be read", lambda: flooded(node)["received"]["update"] == sent)
    now = node.routers_are()
    assert (now["established"], now["flaps"], now["errors"]) == (N_PEERS, 0, 0)
    assert now["gap_ms"] < 1000 * 2 * KEEPALIVE_S, "the routers heard a keepalive in time"
    assert node.backend.longest_gap(since) < 0.002 * scale.CHECK_MS, "health checks keep their time"
    assert node.json("backends")[0]["health"] == "up"
    assert node.most_kib() - before_kib < COUNTED_KIB + 1024, "what counts routes has the room that the limit asks for"


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
