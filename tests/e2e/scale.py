# SPDX-License-Identifier: BSD-2-Clause
"""A node with many VIPs and many routers, which are one process: what costs grows with either.

    nearcast 10.77.0.1 [NAME-edge] edge0 --- far0 [NAME-far] 10.77.1.1 and on: bench-bgp-peers; 10.77.2.1: the backend;
                                                             10.77.3.1: a router that floods
"""
import contextlib
import http.server
import json
import os
import pathlib
import subprocess
import threading
import time

from pop import BUILD, wait
from raw_bgp import inside

EDGE, BACKEND, FLOODER = "10.77.0.1", "10.77.2.1", "10.77.3.1"
EDGE_AS, ROUTER_AS = 65010, 65001
FLOOD_PORT = 1179
CHECK_MS = 300


def router(index):
    return f"10.77.1.{index + 1}"


def config(directory, n_vips, n_peers, hold):
    """Each VIP with a service of its own, all on one pool."""
    vips = [f"10.99.{i // 256}.{i % 256}" for i in range(n_vips)]
    peer = "    - {{name: r{0}, address: {1}, as: {2}, hold: {3}s, reconnect: 1s}}\n"
    return (f"node:\n  name: scale\n  dataplane: {directory}/dataplane\n  control: {directory}/control\n"
            f"  source: {{ipv4: {EDGE}}}\n"
            f"bgp:\n  as: {EDGE_AS}\n  router_id: {EDGE}\n  peers:\n"
            + "".join(peer.format(i, router(i), ROUTER_AS, hold) for i in range(n_peers))
            + f"    - {{name: flooder, address: {FLOODER}, port: {FLOOD_PORT}, as: {ROUTER_AS}, reconnect: 1s, "
            "max_prefixes: 1000000}\n"
            + "vips:\n" + "".join(f"  - {{name: vip{i}, prefix: {vip}/32}}\n" for i, vip in enumerate(vips))
            + "pools:\n  - name: pool\n    encapsulation: ipip\n    health:\n"
            f"      interval: {CHECK_MS}ms\n      timeout: 200ms\n      rise: 1\n      fall: 10\n      jitter: 0%\n"
            "      checks: [{kind: http, port: 80, path: /, status: 200}]\n"
            f"    backends: [{{name: b, address: {BACKEND}}}]\n"
            "services:\n" + "".join(f"  - {{name: s{i}, vip: vip{i}, protocol: tcp, port: 80, pool: pool}}\n" for i in range(n_vips)))


class Backend:
    """Answers health checks and remembers when they came."""

    def __init__(self, netns):
        self.asked = asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(time.monotonic())
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        with inside(netns):
            self.server = http.server.ThreadingHTTPServer((BACKEND, 80), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def longest_gap(self, since):
        asked = [since] + [t for t in self.asked if t > since] + [time.monotonic()]
        return max(b - a for a, b in zip(asked, asked[1:]))

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Node:
    def __init__(self, stack, directory, n_vips, n_peers, hold=9):
        self.stack, self.dir, self.n_vips, self.n_peers = stack, pathlib.Path(directory), n_vips, n_peers
        self.edge, self.far = (f"ncsc{os.getpid()}-{end}" for end in ("edge", "far"))
        self.wire()
        (self.dir / "config.yaml").write_text(config(self.dir, n_vips, n_peers, hold))
        self.backend = Backend(self.far)
        stack.callback(self.backend.close)
        self.routers = self.start("routers", self.far, BUILD / "tests/bench/bench-bgp-peers", "--as", ROUTER_AS, "--speaker-as",
                                  EDGE_AS, "--hold", hold, EDGE, router(0), n_peers, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.routers_are()
        self.start("dataplane", self.edge, BUILD / "dataplane/nearcast-dataplane", "--socket", self.dir / "dataplane", "--idle",
                   "adaptive", "--file-prefix", self.edge, "--steer-object", BUILD / "bpf/steer.bpf.o", "--port",
                   "edge0=af_xdp,iface=edge0", "--workers", 1, "--hugepages", "off")
        wait("the dataplane's socket", (self.dir / "dataplane").exists)
        self.control = self.start("controlplane", self.edge, BUILD / "controlplane/nearcast-controlplane",
                                  self.dir / "config.yaml")

    def wire(self):
        for space in (self.edge, self.far):
            subprocess.run(["ip", "netns", "add", space], check=True)
            self.stack.callback(subprocess.run, ["ip", "netns", "del", space], check=False)
        lines = [f"link add edge0 netns {self.edge} type veth peer name far0 netns {self.far}"]
        subprocess.run(["ip", *lines[0].split()], check=True)
        for space, interface in ((self.edge, "edge0"), (self.far, "far0")):
            # Copies of frames whose checksums were left to the NIC would go out without: these are no NICs.
            subprocess.run(["ip", "netns", "exec", space, "ethtool", "-K", interface, "tx", "off", "rx", "off", "gso", "off", "tso",
                            "off", "gro", "off"], capture_output=True, check=False)
            for words in (f"link set {interface} up", "link set lo up"):
                subprocess.run(["ip", "-n", space, *words.split()], check=True)
        for space, interface, addresses in ((self.edge, "edge0", [EDGE]),
                                            (self.far, "far0", [BACKEND, FLOODER, *map(router, range(self.n_peers))])):
            for address in addresses:
                subprocess.run(["ip", "-n", space, "addr", "add", f"{address}/16", "dev", interface], check=True)

    def start(self, name, space, *words, **pipes):
        log = self.stack.enter_context(open(self.dir / f"{name}.log", "w"))
        process = subprocess.Popen(["ip", "netns", "exec", space, *map(str, words)], text=True,
                                   **{"stdout": log, "stderr": log, **pipes})
        self.stack.callback(self.stop, process)
        return process

    @staticmethod
    def stop(process):
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()

    def ctl(self, *words):
        return subprocess.run([str(BUILD / "ctl/nearcastctl"), "--socket", str(self.dir / "control"), *words], text=True,
                              capture_output=True, timeout=60, check=True).stdout

    def json(self, *words):
        return json.loads(self.ctl("--json", *words))

    def routers_are(self, word="state"):
        """What the routers count, all together; "reset" begins anew."""
        self.routers.stdin.write(word + "\n")
        self.routers.stdin.flush()
        return json.loads(self.routers.stdout.readline())

    def are_told(self, what):
        """All routers of all routes: "announced", "withdrawn"; gives what they count, or nothing."""
        now = self.routers_are()
        return now[what][0] >= self.n_vips and now

    def are_up(self):
        now = self.are_told("announced")
        return now and now["established"] == self.n_peers and now

    def cpu_s(self):
        """Of the control plane, in user and system mode (proc_pid_stat(5))."""
        fields = pathlib.Path(f"/proc/{self.control.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def most_kib(self):
        """The most memory that the control plane ever had."""
        status = pathlib.Path(f"/proc/{self.control.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0])

    def decided_ms(self, text):
        """When the journal's last entry with this text was made."""
        return [e["time_ms"] for e in self.json("bgp", "log") if text in e["text"]][-1]

    def logs(self):
        return "\n".join(f"== {log.name}\n{log.read_text()[-2000:]}" for log in sorted(self.dir.glob("*.log")))
