# SPDX-License-Identifier: BSD-2-Clause
"""What makes a machine an edge: the systemd units, and the script that reserves hugepages (on a false /sys)."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(os.environ["SOURCE_ROOT"])
UNITS = sorted((ROOT / "configs/systemd").glob("*.service.in"))
HUGEPAGES = ROOT / "scripts/hugepages"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_takes_the_units(tmp_path):
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    for name in ("nearcast-dataplane", "nearcast-controlplane", "nearcast-backend", "hugepages"):
        (bin_dir / name).symlink_to("/bin/true")
    paths = []
    for unit in UNITS:
        text = unit.read_text()
        for word, value in (("@BINDIR@", bin_dir), ("@LIBEXEC@", bin_dir), ("@DATADIR@", "/usr/share")):
            text = text.replace(word, str(value))
        paths.append(tmp_path / unit.stem)
        paths[-1].write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True, timeout=60,
                          check=False)
    ours = [line for line in done.stderr.splitlines() if "nearcast" in line]
    assert done.returncode == 0 and not ours, done.stderr


def test_neither_service_takes_the_other_along():
    for unit in UNITS:
        text = unit.read_text()
        assert not re.search(r"^(BindsTo|PartOf|Requires|Requisite|PropagatesStopTo)=.*nearcast", text, re.M), unit.name
        if "RuntimeDirectory=" in text:
            assert "RuntimeDirectoryPreserve=yes" in text, unit.name


def machine(path, nodes, size="2048kB"):
    counts = []
    for node in range(nodes):
        folder = path / f"devices/system/node/node{node}/hugepages/hugepages-{size}"
        folder.mkdir(parents=True)
        counts.append(folder / "nr_hugepages")
        counts[-1].write_text("0\n")
    return counts


def reserve(sysfs, *words):
    return subprocess.run([HUGEPAGES, "--sysfs", sysfs, "--mount", "none", *words], capture_output=True, text=True,
                          timeout=30, check=False)


@pytest.mark.parametrize("nodes, words, pages", [
    (1, ["512"], [256]),
    (2, ["512"], [256, 256]),
    (2, ["512,0"], [256, 0]),
    (12, [",".join(str(2 * i) for i in range(12))], list(range(12))),
    (1, ["3"], [2]),
    (1, ["010"], [5]),
])
def test_reserves_pages_on_each_node(tmp_path, nodes, words, pages):
    counts = machine(tmp_path, nodes)
    done = reserve(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert [int(count.read_text()) for count in counts] == pages


def test_takes_the_machine_as_one_node_without_numa(tmp_path):
    folder = tmp_path / "kernel/mm/hugepages/hugepages-1048576kB"
    folder.mkdir(parents=True)
    (folder / "nr_hugepages").write_text("0\n")
    assert reserve(tmp_path, "--size", "1G", "2048").returncode == 0
    assert (folder / "nr_hugepages").read_text() == "2\n"


def test_says_what_to_do_when_the_kernel_gives_less(tmp_path):
    count = machine(tmp_path, 1)[0]
    count.unlink()
    count.symlink_to("/dev/null")
    done = reserve(tmp_path, "512")
    assert done.returncode == 1
    assert "asked for 256 pages of 2 MiB, got 0" in done.stderr
    assert "hugepagesz=2M hugepages=256" in done.stderr


def test_a_dry_run_changes_nothing(tmp_path):
    count = machine(tmp_path, 1)[0]
    done = reserve(tmp_path, "--dry-run", "512")
    assert done.returncode == 0
    assert done.stdout == f"echo 256 >{count}\n"
    assert count.read_text() == "0\n"


@pytest.mark.parametrize("words, status, text", [
    ([], 2, "nothing: write MiB as 512 or 512,1024"),
    (["x"], 2, "x: write MiB as"),
    (["512,"], 2, "512,: write MiB as"),
    (["1", "2"], 2, "2: one list of sizes only"),
    (["--size", "4K", "1"], 2, "--size 4K: 2M or 1G"),
    (["--size"], 2, "--size: its value is missing"),
    (["--bogus"], 2, "--bogus: unknown option"),
    (["1,2,3"], 2, "3 sizes for 2 NUMA nodes"),
    (["--size", "1G", "1"], 1, "this kernel or CPU has no pages of 1024 MiB"),
])
def test_refuses_what_it_cannot_do(tmp_path, words, status, text):
    machine(tmp_path, 2)
    done = reserve(tmp_path, *words)
    assert done.returncode == status
    assert text in done.stderr


def test_knows_its_version():
    version = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text()).group(1)
    assert reserve("/sys", "--version").stdout == f"hugepages {version}\n"
    assert reserve("/sys", "--help").stdout.startswith("usage: hugepages ")
