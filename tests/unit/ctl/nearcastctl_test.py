# SPDX-License-Identifier: BSD-2-Clause
"""The program itself against a server of this file's: exit codes, errors, completion."""
import json
import os
import pathlib
import re
import socket
import subprocess
import threading

import pytest

CTL = os.environ["NEARCASTCTL"]
COMPLETION = os.environ["COMPLETION"]
BACKENDS = [
    {"pool": "web", "name": "s1", "address": "10.77.2.11", "weight": 100, "packets": 0},
    {"pool": "web", "name": "s2", "address": "10.77.2.12", "weight": 100, "packets": 5},
    {"pool": "dns", "name": "s1", "address": "10.77.2.11", "weight": 100, "packets": 1},
]


ATTACKS = [
    {"id": 2, "service": "dns", "vector": "UDP flood", "talkers": [{"of": "source", "value": "192.0.2.1", "packets": 9, "share_percent": 90.0}]},
    {"id": 1, "service": "web", "vector": "SYN flood", "talkers": []},
]


def answer(request):
    method, params = request["method"], request.get("params", {})
    if method == "attacks":
        return {"result": ATTACKS}
    if method == "talkers":
        return {"result": [{"service": params.get("service", "all"), "of": "ttl", "value": "54", "share_percent": 10.0}]}
    if method == "backends":
        return {"result": BACKENDS}
    if method == "wait":
        return {"result": {"met": params["for"] == "announced"}}
    if method == "reload":
        return {"error": {"code": 1, "message": "edge.yaml:14:9: weight 300 is above 255"}}
    return {"result": {"node": "edge", "dataplane": {"connected": True}}}


def serve(listener):
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            request = json.loads(client.makefile().readline())
            if request["method"] == "vips":
                continue
            client.sendall(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer(request)}).encode() + b"\n")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("ctl") / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield str(path)


def ctl(*words):
    return subprocess.run([CTL, *words], capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("words, status, out, err", [
    (["status"], 0, r"^node +edge\ndataplane.connected +yes\n$", r"^$"),
    (["--json", "status"], 0, r'^{\n  "node": "edge",', r"^$"),
    (["backends"], 0, r"^POOL  BACKEND  ADDRESS +WEIGHT.*\nweb   s1 .*\nweb   s2 .*\ndns   s1 .*\n$", r"^$"),
    (["backends", "dns"], 0, r"^POOL.*\ndns   s1 .*\n$", r"^$"),
    (["backends", "none"], 0, r"^none\n$", r"^$"),
    (["attacks"], 0, r"^ID  SERVICE  .*VECTOR.*\n +2  dns .* UDP flood .*\n +1  web .*\n$", r"^$"),
    (["attacks", "2"], 0, r"^id +2\nservice +dns\nvector +UDP flood\nWHAT    VALUE      PACKETS.*\nsource  192.0.2.1        9    90.0  -\n$", r"^$"),
    (["attacks", "--verbose"], 0, r"^id +2\n(.*\n)+\nid +1\nservice +web\nvector +SYN flood\nnone\n$", r"^$"),
    (["attacks", "3"], 0, r"^none\n$", r"^$"),
    (["--json", "attacks", "1"], 0, r'^\[\n  {\n    "id": 1,', r"^$"),
    (["talkers"], 0, r"^SERVICE  WHAT  VALUE  SHARE%  \+-%\nall      ttl   54       10.0  -\n$", r"^$"),
    (["talkers", "dns"], 0, r"\ndns      ttl ", r"^$"),
    (["wait", "announced"], 0, r"^met +yes\n$", r"^$"),
    (["wait", "settled"], 1, r"^met +no\n$", r"^$"),
    (["reload"], 1, r"^$", r"^nearcastctl: edge.yaml:14:9: weight 300 is above 255\n$"),
    (["vips"], 3, r"^$", r"^nearcastctl: the control plane closed the connection\n$"),
    (["dance"], 2, r"^$", r"^nearcastctl: dance: no such command\nusage: "),
    ([], 2, r"^$", r"^nearcastctl: a command is missing\nusage: "),
    (["--help"], 0, r"^usage: [^$]*exit: 0 done, 1 refused .*, 2 usage, 3 no control plane", r"^$"),
    (["--version"], 0, r"^nearcastctl \d+\.\d+\.\d+\n$", r"^$"),
])
def test_exits_by_what_became_of_it(path, words, status, out, err):
    done = ctl("--socket", path, *words)
    assert done.returncode == status, done.stderr
    assert re.search(out, done.stdout), done.stdout
    assert re.search(err, done.stderr), done.stderr


def test_says_what_to_do_when_nobody_is_there(tmp_path):
    nowhere = tmp_path / "nowhere"
    done = ctl("--socket", str(nowhere), "status")
    assert done.returncode == 3
    assert done.stderr == (f"nearcastctl: {nowhere}: No such file or directory: is nearcast-controlplane running? "
                           "--socket names another socket\n")
    assert ctl("--socket", "x" * 200, "status").returncode == 3


def complete(line, path):
    """What the shell would offer at the line's end."""
    words = line.split(" ")
    script = f"""
        source {COMPLETION}
        nearcastctl() {{ {CTL} --socket {path} "$@"; }}
        COMP_WORDS=({" ".join(f"'{word}'" for word in words)})
        COMP_CWORD={len(words) - 1}
        _nearcastctl
        echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("line, offers", [
    ("nearcastctl ", "status services backends vips bgp bfd workers ports drops attacks talkers lists signatures filters imports capture reload backend node list filter wait"),
    ("nearcastctl b", "backends bgp bfd backend"),
    ("nearcastctl backend ", "drain undrain"),
    ("nearcastctl node u", "undrain"),
    ("nearcastctl wait ", "dataplane generation settled established announced drained"),
    ("nearcastctl --socket /x wait a", "announced"),
    ("nearcastctl --timeout 5s --json no", "node"),
    ("nearcastctl --ti", "--timeout"),
    ("nearcastctl capture --sam", "--sample --sampled"),
    ("nearcastctl capture -w file --seconds 5 --expr udp stat", ""),
    ("nearcastctl backends ", "dns web"),
    ("nearcastctl backend drain ", "web/s1 web/s2 dns/s1"),
    ("nearcastctl backend undrain d", "dns/s1"),
    ("nearcastctl status ", ""),
])
def test_completes(path, line, offers):
    assert complete(line, path) == offers.split()


def test_offers_every_command_and_option_that_help_tells(path):
    usage = ctl("--help").stdout
    words = {a or b for line in usage[:usage.index("options:")].splitlines()[1:] for a, b in re.findall(r"^  ([a-z]+)|\| ([a-z]+)", line)}
    assert words == set(complete("nearcastctl ", path))
    options = set(re.findall(r"--[a-z-]+", usage[usage.index("options:"):]))
    assert options == set(complete("nearcastctl -", path))


def test_completes_nothing_without_a_control_plane(tmp_path):
    assert complete("nearcastctl backend drain ", tmp_path / "nowhere") == []


def test_says_that_one_hangs(tmp_path):
    """It listens, but its backlog is full."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(0)
        waiting = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) for _ in range(4)]
        for one in waiting:
            one.connect_ex(str(path))
        done = ctl("--socket", str(path), "status")
        for one in waiting:
            one.close()
    assert done.returncode == 3
    assert "listens there, but doesn't answer" in done.stderr


def test_completion_is_plain_text():
    assert pathlib.Path(COMPLETION).read_text().isascii()


def test_wait_waits_for_the_control_plane_too(tmp_path):
    """Nobody is there at first; then one that goes away without an answer; then one that answers."""
    path = tmp_path / "socket"
    waiting = subprocess.Popen([CTL, "--socket", path, "wait", "announced", "--timeout", "20s"], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(20)
        listener.accept()[0].close()
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        out, err = waiting.communicate(timeout=20)
    assert waiting.returncode == 0, err
    assert "met" in out and not err


def test_a_drain_waits_over_a_restart(tmp_path):
    """The control plane takes the drain, and then goes away while traffic is waited for: another one knows of it."""
    path, asked = tmp_path / "socket", []

    def take(listener):
        for reply in ({"draining": True}, None, {"met": True}):
            client, _ = listener.accept()
            with client:
                request = json.loads(client.makefile().readline())
                asked.append(request["method"])
                if reply:
                    client.sendall(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": reply}).encode() + b"\n")

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        threading.Thread(target=take, args=(listener,), daemon=True).start()
        done = ctl("--socket", str(path), "node", "drain", "--timeout", "10s")
    assert done.returncode == 0, done.stderr
    assert asked == ["node.drain", "wait", "wait"]


def test_wait_says_in_the_end_that_nobody_came(tmp_path):
    done = ctl("--socket", str(tmp_path / "none"), "wait", "announced", "--timeout", "300ms")
    assert done.returncode == 3
    assert "is nearcast-controlplane running?" in done.stderr
