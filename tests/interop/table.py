# SPDX-License-Identifier: BSD-2-Clause
"""The table of peers and features: each row is a test, each of its cells that test with one peer.

    /usr/bin/python3 tests/interop/table.py     what docs/bgp.md says: which cells are tested
    pytest tests/interop                        prints it with what came out
"""
import importlib
import pathlib

import pytest

from daemons import DAEMONS

ROWS = {}  # {title: {peer's id: why it has no such thing}}


def row(title, **lacks):
    """Makes a test a row. lacks: peers that don't have the feature themselves, and why."""
    assert title not in ROWS and set(lacks) <= {kind.id for kind in DAEMONS}
    ROWS[title] = lacks

    def mark(test):
        peers = pytest.mark.parametrize("peer", DAEMONS, ids=[kind.id for kind in DAEMONS], indirect=True, scope="module")
        return pytest.mark.row(title)(peers(test))
    return mark


def is_empty(title, peer_id):
    return peer_id in ROWS[title]


def render(cell):
    """Markdown; cell(title, peer's id) says what stands in a cell that isn't empty."""
    lines = ["| | " + " | ".join(kind.name for kind in DAEMONS) + " |", "|---" * (len(DAEMONS) + 1) + "|"]
    notes = []
    for title, lacks in ROWS.items():
        cells = []
        for kind in DAEMONS:
            if kind.id not in lacks:
                cells.append(cell(title, kind.id))
                continue
            if lacks[kind.id] not in notes:
                notes.append(lacks[kind.id])
            cells.append(f"- ({notes.index(lacks[kind.id]) + 1})")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines + [""] + [f"{i}. {note}" for i, note in enumerate(notes, 1)]) + "\n"


def documented():
    """All cells that are tested. One that fails is a failed test, and no matter of the document."""
    for file in sorted(pathlib.Path(__file__).parent.glob("test_*.py")):
        importlib.import_module(file.stem)
    return render(lambda title, peer_id: "yes")


if __name__ == "__main__":
    print(importlib.import_module("table").documented(), end="")  # the instance that the tests know, not __main__
