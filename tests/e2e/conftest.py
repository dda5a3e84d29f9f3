# SPDX-License-Identifier: BSD-2-Clause
import contextlib
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from pop import pop_up  # noqa: E402


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


@pytest.fixture(scope="module")
def pop(request, tmp_path_factory):
    with pop_up(request, tmp_path_factory) as pop:
        yield pop


@pytest.fixture(scope="module")
def pop2(request, tmp_path_factory):
    with pop_up(request, tmp_path_factory, edges=2) as pop:
        yield pop


@pytest.fixture
def pop_of(request, tmp_path_factory):
    """pop_of(encap="gue"): a PoP of its own for one test."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(pop_up(request, tmp_path_factory, **options))
