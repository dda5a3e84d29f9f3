# SPDX-License-Identifier: BSD-2-Clause
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from pop import Pop  # noqa: E402


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


def _pop(request, tmp_path_factory, **options):
    name = f"nct{os.getpid() % 1000}"
    pop = Pop(name, tmp_path_factory.mktemp("pop") / "run", **options)
    try:
        pop.sh("up")
        yield pop
    except Exception:
        print(pop.logs())
        raise
    finally:
        if request.session.testsfailed:
            print(pop.logs())
        pop.down()


@pytest.fixture(scope="module")
def pop(request, tmp_path_factory):
    yield from _pop(request, tmp_path_factory)


@pytest.fixture(scope="module")
def pop2(request, tmp_path_factory):
    yield from _pop(request, tmp_path_factory, edges=2)
