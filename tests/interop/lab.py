# SPDX-License-Identifier: BSD-2-Clause
"""Two namespaces, and bgp/ as a program in one of them.

    bgp-speaker 10.77.0.N, fd77::N [NAME-s] veth --- veth [NAME-p] 10.77.0.2, fd77::2 the daemon
"""
import contextlib
import os
import pathlib
import queue
import re
import signal
import subprocess
import threading
import time

from daemons import AS, PEER, PEER6, PEER_AS, SESSIONS

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NEARCAST_BUILD", ROOT / "build"))
PROGRAM = BUILD / "tests/interop/bgp-speaker"
SPEAKER, SPEAKER6 = "10.77.0.1", "fd77::1"  # the next hops, and the identifier
NAME = f"nci{os.getpid() % 100000}"


def ip(*words):
    subprocess.run(["ip", *words], check=True)


@contextlib.contextmanager
def link():
    """Two namespaces joined by a veth pair; gives their names."""
    names = f"{NAME}-s", f"{NAME}-p"
    try:
        for name in names:
            ip("netns", "add", name)
        ip("-n", names[0], "link", "add", "veth", "type", "veth", "peer", "name", "veth", "netns", names[1])
        for name, addresses in zip(names, ([s.us for s in SESSIONS], (PEER, PEER6))):
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "veth", "up")
            for address in addresses:
                words = (f"{address}/64", "dev", "veth", "nodad") if ":" in address else (f"{address}/24", "dev", "veth")
                ip("-n", name, "address", "add", *words)
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL, check=False)


def too_far(netns):
    """Packets that a namespace has dropped for their TTL (RFC 5082)."""
    text = subprocess.run(["ip", "netns", "exec", netns, "nstat", "-asz", "TcpExtTCPMinTTLDrop"], text=True, check=True,
                          stdout=subprocess.PIPE).stdout
    return int(text.split()[-2])


class Speaker:
    """bgp-speaker in one session; options are its own, without their dashes."""

    def __init__(self, netns, session, *prefixes, local_as=AS, peer_as=PEER_AS, hops=(SPEAKER, SPEAKER6),
                 options=()):
        options = [f"local {session.us}", *(f"next-hop {hop}" for hop in hops), *options]
        words = [word for option in options for word in f"--{option}".split(" ", 1)]
        self.lines, self.heard = [], queue.Queue()
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", netns, str(PROGRAM), *words, session.them, str(local_as), str(peer_as), SPEAKER,
             *prefixes],
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.hearing = threading.Thread(target=self.hear, daemon=True)
        self.hearing.start()

    def hear(self):
        for line in self.process.stdout:
            self.heard.put(line.strip())

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait(self, *patterns, seconds=20.0):
        """The match of the next line that is one of those; lines before it are passed over."""
        end = time.monotonic() + seconds
        while True:
            try:
                line = self.heard.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"the speaker never said {patterns}, but {self.lines[-40:]}") from None
            self.lines.append(line)
            for pattern in patterns:
                match = re.fullmatch(pattern, line)
                if match:
                    return match

    def wait_all(self, *patterns, seconds=20.0):
        """Waits for as many lines, in any order."""
        missing = list(patterns)
        while missing:
            line = self.wait(*missing, seconds=seconds).string
            missing.remove(next(pattern for pattern in missing if re.fullmatch(pattern, line)))

    def rest(self):
        """All lines of a speaker that has ended."""
        self.hearing.join()
        return self.lines + list(self.heard.queue)

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        """Cleanly: the peer is told."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(10)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
