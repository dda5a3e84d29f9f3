# SPDX-License-Identifier: BSD-2-Clause
"""Two edges behind the router's ECMP: one dies, running connections go on through the other."""
from pop import V4, keepers, unbroken, wait


def ways(pop):
    return pop.run_ip("route", "show", "10.99.0.1").count("nexthop")


def received(pop, edge):
    return sum(w["rx_packets"] for w in pop.json("workers", edge=edge))


def test_connections_go_on_through_the_other_edge(pop2):
    wait("the router to have two ways", lambda: ways(pop2) == 2, 20)
    connections = keepers(pop2, 300, 8)
    taken = {edge: received(pop2, edge) for edge in ("edge1", "edge2")}
    assert all(n > 300 for n in taken.values()), f"ECMP used one edge only: {taken}"
    pop2.sh("kill", "dataplane", "edge2", "KILL")
    wait("the router to have one way", lambda: ways(pop2) == 0 and pop2.routes(), 5)
    assert pop2.page(V4) != "failed"
    unbroken(connections)
