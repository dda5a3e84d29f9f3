# SPDX-License-Identifier: BSD-2-Clause
import contextlib
import itertools
import os

import pytest

import lab
import table
from daemons import PLAINS, PLAINS6

TURNS, TURNS6 = itertools.cycle(PLAINS), itertools.cycle(PLAINS6)
RESULTS = {}  # {(row, peer's id): what came out}


def pytest_configure(config):
    config.addinivalue_line("markers", "row(title): a row of the table of peers and features")


def pytest_collection_modifyitems(items):
    for item in list(items):
        mark = item.get_closest_marker("row")
        if mark and table.is_empty(mark.args[0], item.callspec.params["peer"].id):
            items.remove(item)
        elif mark and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="network namespaces need root"))
        elif mark and not lab.PROGRAM.exists():
            item.add_marker(pytest.mark.skip(reason=f"{lab.PROGRAM} is not built"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    mark = item.get_closest_marker("row")
    if mark and (report.when == "call" or not report.passed):
        RESULTS[mark.args[0], item.callspec.params["peer"].id] = report.outcome
    peer = getattr(item, "funcargs", {}).get("peer")
    if mark and peer and report.failed:
        report.sections.append((peer.name, peer.log.read_text(errors="replace")[-4000:]))


def pytest_terminal_summary(terminalreporter):
    if RESULTS:
        terminalreporter.section("peers and features")
        terminalreporter.write(table.render(lambda *cell: RESULTS.get(cell, "not run")))


@pytest.fixture(scope="session")
def link():
    with lab.link() as names:
        yield names


@pytest.fixture(scope="module")
def peer(link, request, tmp_path_factory):
    """The daemon, which serves all tests of a file."""
    kind = request.param
    if not kind.installed():
        pytest.skip(f"{kind.program} is not there: package {kind.package}")
    run_dir = tmp_path_factory.mktemp(kind.id)
    for folder in run_dir, *run_dir.parents[:2]:
        folder.chmod(0o755)  # its children may run as other users
    peer = kind(link[1], run_dir)
    try:
        peer.start()
        yield peer
    finally:
        peer.kill()


@pytest.fixture
def plain():
    """A session without special features that has rested."""
    return next(TURNS)


@pytest.fixture
def plain6():
    return next(TURNS6)


@pytest.fixture
def speaker(link):
    """Makes speakers, and ends them so that the peer knows."""
    with contextlib.ExitStack() as stack:
        def make(session, *prefixes, **options):
            made = lab.Speaker(link[0], session, *prefixes, **options)
            stack.callback(made.end)
            return made
        yield make
