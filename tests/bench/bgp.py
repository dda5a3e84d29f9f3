#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""BGP with everything around it, in namespaces that this makes: routes to and from the daemons of Debian over TCP, and from the
death of a backend to the router's loss of the route. bench-bgp measures the library alone."""
import argparse
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "tests/interop")]
import peers  # noqa: E402
import raw_bgp  # noqa: E402

ROUTES, MANY = 65536, 1000000  # a session's most; what a router may send
GOBGP_MANY = 100000            # it takes 50 us and more to take each in first
RUNS, DEATHS = 3, 7
OURS, THEIRS, FILLER = peers.SPEAKER, peers.PEER, "10.77.0.3"
OUR_AS, THEIR_AS, FILLER_AS = 65001, peers.PEER_AS, 64999
HOLD_S = 90                    # the sender that is octets only says no KEEPALIVE


class Fault(Exception):
    pass


def wait_for(what, condition, seconds=60.0, pause=0.005):
    until = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > until:
            raise Fault(f"waited {seconds} s in vain for {what}")
        time.sleep(pause)
    return value


def run(*words, check=True):
    return subprocess.run(list(map(str, words)), text=True, capture_output=True, check=check).stdout


@contextlib.contextmanager
def link():
    """Two namespaces joined by a veth pair: ours and the daemon's."""
    ours, theirs = (f"ncbb{os.getpid()}{end}" for end in "ot")
    try:
        for space in (ours, theirs):
            run("ip", "netns", "add", space)
        run("ip", "link", "add", "veth", "netns", ours, "type", "veth", "peer", "name", "veth", "netns", theirs)
        for space, address in ((ours, OURS), (ours, FILLER), (theirs, THEIRS)):
            run("ip", "-n", space, "link", "set", "lo", "up")
            run("ip", "-n", space, "link", "set", "veth", "up")
            run("ip", "-n", space, "addr", "add", f"{address}/24", "dev", "veth")
        yield ours, theirs
    finally:
        for space in (ours, theirs):
            run("ip", "netns", "del", space, check=False)


class Ours:
    """One session of bgp/ in a process of its own (bench-bgp-peers)."""

    def __init__(self, stack, build, netns, *options):
        words = [build / "tests/bench/bench-bgp-peers", "--as", OUR_AS, "--speaker-as", THEIR_AS, "--hold",
                 HOLD_S, *options, THEIRS, OURS, 1]
        self.process = subprocess.Popen(["ip", "netns", "exec", netns, *map(str, words)], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        stack.callback(self.stop)

    def stop(self):
        self.process.stdin.close()
        self.process.wait()

    def most_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return round(int(status.split("VmHWM:")[1].split()[0]) / 1024)

    def state(self):
        self.process.stdin.write("state\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


class Bird(peers.Bird):
    name, pause_s = "BIRD", 0.005

    def count(self):
        with contextlib.suppress(subprocess.TimeoutExpired):  # it reads its file first
            found = re.search(r"(\d+) of (\d+) routes", self.ask("birdc", "-r", "-s", self.dir / "ctl", "show route count"))
            return int(found[1]) if found else 0
        return 0

    def fill(self, n, _):
        """Static routes, sent to whoever comes."""
        lines = (f"route {socket.inet_ntoa(struct.pack('!I', (20 << 24) + i))}/32 blackhole;" for i in range(n))
        (self.dir / "static").write_text("protocol static { ipv4;\n" + "\n".join(lines) + "\n}\n")
        self.config_text = self.config_text.replace("ipv4 { import all; export none; }", "ipv4 { import all; export all; }") + \
            f'include "{self.dir}/static";\n'
        self.start()
        wait_for("BIRD's static routes", lambda: self.count() == n, 120)
        return self.kill


GOBGP_FILLER = f"""
[[neighbors]]
  [neighbors.config]
    neighbor-address = "{FILLER}"
    peer-as = {FILLER_AS}
  [neighbors.transport.config]
    passive-mode = true
"""


class GoBgp(peers.GoBgp):
    name, pause_s = "GoBGP", 0.1  # its answer costs it time, too

    def count(self):
        found = re.search(r"Destination: (\d+)", self.ask("gobgp", "global", "rib", "summary"))
        return int(found[1]) if found else 0

    def fill(self, n, space):
        """From a third router, since what is injected by hand gets lost."""
        self.config_text += GOBGP_FILLER
        self.start()
        filler = raw_bgp.Router(space, FILLER, FILLER_AS)
        wait_for("GoBGP", lambda: dialled(filler))
        filler.say(raw_bgp.updates(n, FILLER_AS, FILLER))
        wait_for("GoBGP's routes", lambda: self.count() == n, 120, self.pause_s)
        return filler.close


def received(kind, spaces, build, raw):
    """Seconds from Established (raw: from the first octet) to the last of ROUTES routes in the daemon's table."""
    with contextlib.ExitStack() as stack:
        daemon = kind(spaces[1], stack.enter_context(tempfile.TemporaryDirectory(prefix="nearcast-bgp-")), hold=HOLD_S)
        stack.callback(daemon.kill)
        daemon.start()
        if raw:
            messages = raw_bgp.updates(ROUTES, OUR_AS, OURS)
            router = raw_bgp.Router(spaces[0], OURS, OUR_AS)
            stack.callback(router.close)
            wait_for("the daemon to listen", lambda: dialled(router))
            start = time.time()
            router.say(messages)
        else:
            ours = Ours(stack, build, spaces[0], "--dial", "--announce", ROUTES)
            start = wait_for("the session", lambda: ours.state()["established_ms"]) / 1e3
        wait_for("the routes", lambda: daemon.count() == ROUTES, pause=kind.pause_s)
        return time.time() - start


def dialled(router):
    try:
        router.dial(THEIRS)
        router.wire.settimeout(5)
        return len(router.wire.recv(1)) == 1  # an OPEN: the session goes on
    except OSError:
        return False


def heard(kind, spaces, build, n):
    """What our session takes in of n routes of a daemon (kind None: of a socket that has them ready)."""
    with contextlib.ExitStack() as stack:
        options = "--dial", "--max-prefixes", n
        if kind:
            daemon = kind(spaces[1], stack.enter_context(tempfile.TemporaryDirectory(prefix="nearcast-bgp-")), hold=HOLD_S)
            stack.callback(daemon.kill)
            stack.callback(daemon.fill(n, spaces[0]))
            ours = Ours(stack, build, spaces[0], *options)
        else:
            messages = raw_bgp.updates(n, THEIR_AS, THEIRS)
            router = raw_bgp.Router(spaces[1], THEIRS, THEIR_AS)
            stack.callback(router.close)
            router.listen()
            ours = Ours(stack, build, spaces[0], *options)
            router.accept()
            wait_for("the session", lambda: ours.state()["established"])
            router.say(messages)
        now = wait_for("the routes", lambda: (state := ours.state())["announced"][0] >= n and state, 120, 0.02)
        return (now["announced_ms"] - now["established_ms"]) / 1e3, now["cpu_s"], ours.most_mib()


def wire(spec, report):
    with link() as spaces:
        for kind in filter(lambda k: k.installed(), (Bird, GoBgp)):
            for name, raw in (("octets", True), ("nearcast", False)):
                times = [received(kind, spaces, spec.build, raw) for _ in range(RUNS)]
                report({"case": "to", "with": kind.name, "from": name, "routes": ROUTES, "s": statistics.median(times)})
        for kind, n in ((None, MANY), (Bird, MANY), (GoBgp, GOBGP_MANY)):
            if kind and not kind.installed():
                continue
            times, cpu, most = zip(*(heard(kind, spaces, spec.build, n) for _ in range(RUNS if kind is None else 1)))
            report({"case": "from", "with": kind.name if kind else "octets", "routes": n, "s": statistics.median(times),
                    "our_cpu_s": min(cpu), "our_most_mib": max(most)})


class Watch:
    """A command's lines, each with the time when it came."""

    def __init__(self, stack, *words):
        self.lines = []
        self.process = subprocess.Popen(list(map(str, words)), text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=1)
        stack.callback(self.process.wait)
        stack.callback(self.process.kill)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line))

    def first(self, pattern, since):
        return next((at for at, line in list(self.lines) if at > since and re.search(pattern, line)), None)


GOBGP_ROUTER = """
[global.config]
  as = 65001
  router-id = "10.77.1.1"
  local-address-list = ["10.77.1.1"]
[[neighbors]]
  [neighbors.config]
    neighbor-address = "10.77.1.2"
    peer-as = 65010
  [neighbors.transport.config]
    passive-mode = true
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
"""


def router_bird(pop, stack):
    return Watch(stack, "ip", "-n", f"{pop.name}-router", "monitor", "route"), r"Deleted 10\.99\.0\.1 ", r"^10\.99\.0\.1 "


def router_gobgp(pop, stack):
    pop.sh("kill", "bird", "router")
    (pop.dir / "gobgpd.toml").write_text(GOBGP_ROUTER)
    log = stack.enter_context(open(pop.dir / "gobgpd-router.log", "w"))
    daemon = subprocess.Popen(pop.command("router", "gobgpd", "-f", pop.dir / "gobgpd.toml", "--api-hosts", "127.0.0.1:50051"),
                              stdout=log, stderr=log)
    stack.callback(daemon.wait)
    stack.callback(daemon.kill)
    wait_for("gobgpd", lambda: pop.run("router", "gobgp", "global", check=False) != "")
    return Watch(stack, *pop.command("router", "gobgp", "monitor", "global", "rib")), r"DELROUTE\] 10\.99\.0\.1/32", \
        r"ROUTE\] 10\.99\.0\.1/32"


def death(pop, log, router, gone, there):
    """kill -9 of the one web server of the PoP: seconds until we call it down, and until the router has no route."""
    group = int((pop.dir / "nginx-s1.pid").read_text())
    killed = time.monotonic()
    os.killpg(group, signal.SIGKILL)
    lost = wait_for("the router to lose the route", lambda: router.first(gone, killed), 15)
    down = wait_for("our word", lambda: log.first(r"backend web/s1 is down", killed), 5)
    again = time.monotonic()
    (pop.dir / "nginx-s1.pid").unlink()
    pop.sh("start", "nginx", "s1")
    wait_for("the route again", lambda: router.first(there, again), 15)
    return down - killed, lost - killed


def convergence(spec, report):
    """A PoP as tests/e2e has it, with one server for HTTP, so that its death leaves nothing to announce."""
    from pop import Pop
    for name, make in (("BIRD", router_bird), ("GoBGP", router_gobgp)):
        with contextlib.ExitStack() as stack:
            pop = Pop(f"ncbp{os.getpid() % 1000}", stack.enter_context(tempfile.TemporaryDirectory()) + "/run")
            stack.callback(pop.down)
            pop.sh("up")
            pop.edit(r"\n +- \{name: s[23], address: [\d.]+, weight: 100\}", "")
            pop.edit(r"(router_id: .*\n)", r"\1  damping: {flaps: 0}\n", count=1)
            pop.ctl("reload")
            router, gone, there = make(pop, stack)
            log = Watch(stack, "tail", "-n0", "-F", pop.dir / "controlplane-edge1.log")
            wait_for("the route", lambda: pop.json("bgp")[0]["advertised"] > 0)
            down, lost = zip(*(death(pop, log, router, gone, there) for _ in range(DEATHS)))
            ours = [b - a for a, b in zip(down, lost)]
            report({"case": "death", "with": name, "runs": DEATHS, "check_interval_s": 0.3, "check_fall": 2,
                    "s": statistics.median(lost), "max_s": max(lost), "check_s": statistics.median(down), "check_max_s": max(down),
                    "after_check_s": statistics.median(ours), "after_check_max_s": max(ours)})


def table(row):
    base = row.get("x_octets")
    rest = {"to": lambda: f"{row['routes']} routes from {row['from']}" + (f", {base:.2f} x octets" if base else ""),
            "from": lambda: f"{row['routes']} routes, our CPU {row['our_cpu_s']:.2f} s, {row['our_most_mib']} MiB"
                            + (f", {base:.2f} x octets" if base else ""),
            "death": lambda: f"of {row['runs']}, longest {row['max_s']:.3f} s; check {row['check_s']:.3f} to {row['check_max_s']:.3f} s, "
                             f"the rest {row['after_check_s']:.3f} to {row['after_check_max_s']:.3f} s"}
    print(f"{row['case']:6} {row['with']:8} {row['s']:8.3f} s  {rest[row['case']]()}", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="bench.sh bgp")
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--machine", default="unknown")
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--json", metavar="FILE")
    spec = parser.parse_args()
    os.environ["NEARCAST_BUILD"] = str(spec.build)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.NamedTemporaryFile() as library:
        subprocess.run([spec.build / "tests/bench/bench-bgp", "--machine", spec.machine, "--commit", spec.commit, "--json", library.name],
                       check=True)
        rows = json.loads(pathlib.Path(library.name).read_text())
    octets = {}  # the baseline of each case: octets that are ready when the session is

    def report(row):
        key = (row["case"], row["with"] if row["case"] == "to" else None)
        if "octets" in (row.get("from"), row["with"]):
            octets[key] = row["s"] / row["routes"]
        elif key in octets:
            row["x_octets"] = row["s"] / row["routes"] / octets[key]
        rows.append({"bench": "bgp", **row})
        table(row)

    try:
        wire(spec, report)
        convergence(spec, report)
    except (Fault, subprocess.SubprocessError) as fault:
        sys.exit(f"bench.sh bgp: {fault}")
    finally:
        if spec.json:
            pathlib.Path(spec.json).write_text(json.dumps(rows, indent=1) + "\n")


main()
