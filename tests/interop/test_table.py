# SPDX-License-Identifier: BSD-2-Clause
import lab
import table


def test_the_document_says_what_is_tested():
    assert table.documented() in (lab.ROOT / "docs/bgp.md").read_text(), \
        "docs/bgp.md: take the table from /usr/bin/python3 tests/interop/table.py"
