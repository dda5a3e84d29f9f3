#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds every #include of the tree against the arrows that docs/architecture.md allows; prints what breaks them."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ARROWS = {
    "base": set(),
    "abi": {"base"},
    "bgp": {"base"},
    "dataplane": {"abi", "base", "bpf/steer.h"},
    "controlplane": {"abi", "base", *(f"bgp/{name}.h" for name in ("bgp", "events", "community", "path", "session", "tcp", "flowspec", "bfd", "bfd_mux", "bmp", "mrt", "replay", "rib_in", "update"))},
    "ctl": {"abi/control.h", "base"},
    "bpf": {"base"},
}
DPDK = {"dataplane"}
SOCKETS = {"bgp/connection.c", "bgp/tcp.c"}
CLOCKS = {"bgp/session.c"}
# A stage knows the packet vector and its own table, never another stage; these describe what stages share.
STAGE_SHARED = {"dataplane/packet.h"}
# What a stage is made of, and what those that answer a packet share.
PARTS = {"guard": {"limit", "known", "challenge", "list", "signature", "filter"}, "filter": {"limit", "match"}, "capture": {"filter"}, "challenge": {"answer"}, "icmp": {"answer"}}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)
CLOCK = re.compile(r"\bclock_now_ns\(")


def allowed(folder, target):
    return target.split("/")[0] == folder or any(target == a or target.startswith(a + "/") for a in ARROWS[folder])


def stage_of(path):
    return path.stem if path.parent.name == "stage" else None


def broken(path):
    relative = path.relative_to(ROOT)
    folder = relative.parts[0]
    text = path.read_text()
    if folder == "bgp" and CLOCK.search(text) and str(relative) not in CLOCKS:
        yield f"{relative}: reads the clock: clocks belong to bgp/session.c alone"
    for mark, target in INCLUDE.findall(text):
        if target.startswith("rte_") and folder not in DPDK:
            yield f"{relative}: {target}: DPDK belongs to dataplane/ alone"
        if folder == "bgp" and target == "sys/socket.h" and str(relative) not in SOCKETS:
            yield f"{relative}: {target}: sockets belong to bgp/session.c and bgp/tcp.c alone"
        if folder == "bgp" and target == "time.h" and str(relative) not in CLOCKS:
            yield f"{relative}: {target}: clocks belong to bgp/session.c alone"
        if mark == '"' and target.split("/")[0] in ARROWS and not allowed(folder, target):
            yield f"{relative}: {target}: no arrow leads there"
        if stage_of(path) and target.startswith("dataplane/") and target not in STAGE_SHARED:
            other = pathlib.PurePath(target)
            if other.stem not in (stage_of(path), "flowtable", "counter", *PARTS.get(stage_of(path), ())):
                yield f"{relative}: {target}: a stage knows no other stage"


def main():
    files = [p for f in ARROWS for p in sorted((ROOT / f).rglob("*.[ch]"))]
    faults = [fault for path in files for fault in broken(path)]
    print("\n".join(faults) or f"layers: {len(files)} files keep to the arrows")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
