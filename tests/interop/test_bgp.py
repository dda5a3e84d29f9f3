# SPDX-License-Identifier: BSD-2-Clause
"""bgp/ against the BGP daemons of Debian.

    bgp-speaker 10.77.0.1, fd77::1 [NAME-s] veth --- veth [NAME-p] 10.77.0.2, fd77::2 the daemon
"""
import contextlib
import os
import pathlib
import queue
import signal
import subprocess
import threading
import time

import pytest

import peers
from peers import PEERS, PEER, PEER6, PEER_AS, SPEAKER, SPEAKER6

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NEARCAST_BUILD", ROOT / "build"))
PROGRAM = BUILD / "tests/interop/bgp-speaker"
V4, V4B, V6, V6B = "10.99.0.1/32", "10.99.0.128/25", "fd99::1/128", "fd99:0:0:1::/64"
NAME = f"nci{os.getpid() % 100000}"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not PROGRAM.exists(), reason=f"{PROGRAM} is not built"),
]


def wait(what, condition, seconds=20.0):
    """Waits for a condition, never for a time; gives what it gave."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s in vain for {what}"
        time.sleep(0.05)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


@pytest.fixture(scope="module")
def link():
    """Two namespaces joined by a veth pair; gives their names."""
    names = f"{NAME}-s", f"{NAME}-p"
    try:
        for name in names:
            ip("netns", "add", name)
        ip("-n", names[0], "link", "add", "veth", "type", "veth", "peer", "name", "veth", "netns", names[1])
        for name, v4, v6 in zip(names, (SPEAKER, PEER), (SPEAKER6, PEER6)):
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "veth", "up")
            ip("-n", name, "address", "add", f"{v4}/24", "dev", "veth")
            ip("-n", name, "address", "add", f"{v6}/64", "dev", "veth", "nodad")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL, check=False)


class Speaker:
    def __init__(self, netns, *prefixes, local_as=65001, peer_as=PEER_AS, router_id=SPEAKER, options=()):
        self.lines, self.heard = [], queue.Queue()
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", netns, str(PROGRAM), "--local", SPEAKER, "--next-hop", SPEAKER6, *options, PEER,
             str(local_as), str(peer_as), router_id, *prefixes],
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self.hear, daemon=True).start()

    def hear(self):
        for line in self.process.stdout:
            self.heard.put(line.strip())

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait(self, *expected, seconds=20.0):
        """The next line that is one of those; lines before it are passed over."""
        end = time.monotonic() + seconds
        while True:
            try:
                line = self.heard.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"the speaker never said {expected}, but {self.lines}") from None
            self.lines.append(line)
            if line in expected:
                return line

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait()


@pytest.fixture
def lab(link, tmp_path, request):
    """Makes speakers and daemons, and ends them."""
    class Lab:
        started = []

        def speaker(self, *prefixes, **options):
            self.started.append(Speaker(link[0], *prefixes, **options))
            return self.started[-1]

        def peer(self, kind, **options):
            if not kind.installed():
                pytest.skip(f"{kind.program} is not there: package {kind.package}")
            self.started.append(kind(link[1], tmp_path, **options))
            self.started[-1].start()
            return self.started[-1]

    lab = Lab()
    lab.started = []
    try:
        yield lab
    finally:
        for started in lab.started:
            with contextlib.suppress(ProcessLookupError):
                started.kill()
            if isinstance(started, peers.Peer) and request.session.testsfailed:
                print(f"== {started.program}\n{started.log.read_text(errors='replace')[-3000:]}")


def routes(local_as, *prefixes):
    return {prefix: (SPEAKER6 if ":" in prefix else SPEAKER, [local_as], "igp") for prefix in prefixes}


def names(kinds):
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.package)


@names(PEERS)
def test_announces_and_withdraws_exactly_what_it_is_told(lab, kind):
    local_as = 4200000010
    peer = lab.peer(kind, **{"as": local_as})
    speaker = lab.speaker(V4, V6, local_as=local_as)
    speaker.wait("Established")
    wait("both prefixes", lambda: peer.routes() == routes(local_as, V4, V6))
    for prefix in V4B, V6B:
        speaker.tell(f"announce {prefix}")
    speaker.tell(f"withdraw {V4}")
    wait("one prefix less, two more", lambda: peer.routes() == routes(local_as, V6, V4B, V6B))
    for prefix in V6, V4B, V6B:
        speaker.tell(f"withdraw {prefix}")
    wait("no prefix", lambda: peer.routes() == {})
    speaker.tell(f"announce {V4}")
    wait("a prefix", lambda: peer.routes() == routes(local_as, V4))
    speaker.tell("stop")
    speaker.wait("sent 6/2")
    wait("no prefix after a stop", lambda: peer.routes() == {})


@names(PEERS)
def test_a_wrong_as_is_refused(lab, kind):
    """The peer is another AS than the speaker was told: it says so and doesn't come up."""
    lab.peer(kind)
    speaker = lab.speaker(V4, peer_as=65099)
    speaker.wait("sent 2/2")
    assert "Established" not in speaker.lines


@names(PEERS)
def test_the_peer_is_killed_and_comes_back(lab, kind):
    peer = lab.peer(kind)
    speaker = lab.speaker(V4, V6)
    wait("both prefixes", lambda: peer.routes() == routes(65001, V4, V6))
    peer.kill()
    speaker.wait("Idle", "Active", "Connect")
    peer.start()
    speaker.wait("Established", seconds=40)
    wait("both prefixes again", lambda: peer.routes() == routes(65001, V4, V6))


@names(PEERS)
@pytest.mark.parametrize("side", ["both", "the peer"])
def test_whoever_dials_there_is_one_session(lab, kind, side):
    """RFC 4271 6.8: when both dial at once, one connection goes and the other stays."""
    speaker = lab.speaker(V4, V6, options=("--listen" if side == "both" else "--passive",))
    peer = lab.peer(kind, dials=True)
    speaker.wait("Established", seconds=40)
    wait("both prefixes", lambda: peer.routes() == routes(65001, V4, V6))
    speaker.tell(f"withdraw {V4}")
    wait("one prefix", lambda: peer.routes() == routes(65001, V6))


@names([peers.Bird, peers.Frr])
def test_a_peer_that_hangs_is_given_up(lab, kind):
    """RFC 4271 6.5. The daemon is stopped, not ended: TCP goes on taking what we send."""
    peer = lab.peer(kind, hold=3)
    speaker = lab.speaker(V4, V6, options=("--hold", "3"))
    wait("both prefixes", lambda: peer.routes() == routes(65001, V4, V6))
    peer.signal(signal.SIGSTOP)
    try:
        speaker.wait("sent 4/0", seconds=10)
    finally:
        peer.signal(signal.SIGCONT)
    speaker.wait("Established", seconds=40)
    wait("both prefixes again", lambda: peer.routes() == routes(65001, V4, V6))


@names([peers.Bird, peers.Frr])
def test_a_speaker_that_hangs_is_given_up_and_comes_back(lab, kind):
    peer = lab.peer(kind, hold=3)
    speaker = lab.speaker(V4, V6, options=("--hold", "3"))
    wait("both prefixes", lambda: peer.routes() == routes(65001, V4, V6))
    speaker.process.send_signal(signal.SIGSTOP)
    try:
        wait("no prefix", lambda: peer.routes() == {})
    finally:
        speaker.process.send_signal(signal.SIGCONT)
    wait("both prefixes again", lambda: peer.routes() == routes(65001, V4, V6), seconds=40)


@names([kind for kind in PEERS if kind in (peers.Bird, peers.Frr)])
def test_the_speaker_is_killed_and_its_routes_stay(lab, kind):
    """RFC 4724: the peer keeps the routes until the End-of-RIB of the next session, which takes one away."""
    peer = lab.peer(kind)
    first = lab.speaker(V4, V6, options=("--graceful-restart", "30"))
    wait("both prefixes", lambda: peer.routes() == routes(65001, V4, V6))
    first.kill()
    seen = [peer.routes()]
    second = lab.speaker(V6, options=("--graceful-restart", "30"))

    def one_is_left():
        seen.append(peer.routes())
        return seen[-1] == routes(65001, V6)

    wait("the End-of-RIB to take one away", one_is_left)
    assert all(V6 in got for got in seen), seen
    assert V4 in seen[0]
    second.tell("stop")
    wait("no prefix after a stop", lambda: peer.routes() == {})
