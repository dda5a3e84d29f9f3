#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Throughput, loss and latency of the programs as they are shipped: nearcast-dataplane with its control plane in a namespace
that this makes, under the load of bench-pktgen, over memif or over a veth with AF_XDP. The worker has the last CPU to itself;
the generator has the first one, and shares it with the dataplane's main thread and the control plane."""
import argparse
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

BALANCER, BACKENDS = "02:00:00:00:01:01", "02:00:00:00:00:bb"
N_BACKENDS = 100
LOADS = (10, 25, 50, 75, 90, 100)  # percent of the zero-loss rate
RESOLUTION = 0.03                  # of the zero-loss search
CHANGE_EVERY_S = 0.25
COLUMNS = ("path", "family", "encap", "kind", "flows", "frame", "during", "changes", "mpps", "lost", "late", "p50_us", "p99_us",
           "p999_us", "max_us", "unmeasured")


class Fault(Exception):
    pass


def run(*words, check=True):
    done = subprocess.run(list(map(str, words)), text=True, capture_output=True)
    if check and done.returncode != 0:
        raise Fault(f"{' '.join(map(str, words))}: {(done.stdout + done.stderr).strip()}")
    return done


def wait_for(what, condition, seconds=15):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise Fault(f"waited {seconds} s in vain for {what}")
        time.sleep(0.05)


def config(directory, encap, weight):
    """All kinds of both families, one pool each: 100 backends that are always up."""
    sections = {"pools": [], "services": []}
    for v, start in ((4, "10.77.1."), (6, "fd77::1:")):
        backends = "".join(f"      - {{name: b{i}, address: \"{start}{i + 1}\", weight: {weight if i == 0 else 100}}}\n"
                           for i in range(N_BACKENDS))
        sections["pools"].append(f"  - name: pool{v}\n    encapsulation: {encap}\n    window: 2s\n    idle: 2s\n"
                                 f"    backends:\n{backends}")
        sections["services"] += [f"  - {{name: {p}{port}-{v}, vip: vip{v}, protocol: {p}, port: {port}, pool: pool{v}}}\n"
                                 for p, port in (("tcp", 443), ("udp", 443), ("udp", 53))]
    return (f"node:\n  name: bench\n  dataplane: {directory}/dataplane\n  control: {directory}/control\n"
            "  source: {ipv4: 10.77.0.1, ipv6: \"fd77::1\"}\n"
            "guard:\n  defaults: {mode: off}\n"  # the load is a flood, as loads go
            "vips:\n  - {name: vip4, prefix: 10.99.0.0/32}\n  - {name: vip6, prefix: \"fd99::/128\"}\n"
            f"pools:\n{''.join(sections['pools'])}services:\n{''.join(sections['services'])}")


class Node:
    """The load balancer in its namespace, on one end of a memif or veth."""

    def __init__(self, stack, build, path, encap):
        self.build, self.path, self.encap = build, path, encap
        self.stack = stack
        self.dir = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nearcast-pktgen-")))
        self.edge, self.outside = (f"ncpg{os.getpid()}{end}" for end in "eo")
        for space in (self.edge, self.outside):
            run("ip", "netns", "add", space)
            stack.callback(run, "ip", "netns", "del", space, check=False)
        self.interface, port = getattr(self, f"wire_{path}")()
        cpus = sorted(os.sched_getaffinity(0))
        self.generator_cpu = cpus[0]
        os.sched_setaffinity(0, cpus[:1])  # the worker's CPU is for the worker
        stack.callback(os.sched_setaffinity, 0, cpus)
        self.start("dataplane", "nice", "-n", "-20", "taskset", "-c", f"{cpus[0]},{cpus[-1]}", build / "dataplane/nearcast-dataplane", "--socket", self.dir / "dataplane", "--idle", "poll",
                   "--lcores", f"{cpus[0]},{cpus[-1]}", "--steer-object", build / "bpf/steer.bpf.o",
                   "--file-prefix", self.edge, "--port", port)
        wait_for("the dataplane's socket", (self.dir / "dataplane").exists)
        self.addresses()
        self.configure(100)
        self.start("controlplane", build / "controlplane/nearcast-controlplane", self.dir / "bench.yaml")
        wait_for("the control plane's socket", (self.dir / "control").exists)
        self.ctl("wait", "generation", "--timeout", "20s")

    def wire_memif(self):
        return "tap0", (f"p0=vdev,exception=tap0,args=net_memif0,role=server,id=0,socket={self.dir}/memif,socket-abstract=no,"
                        f"mac={BALANCER}")

    def wire_af_xdp(self):
        run("ip", "-n", self.edge, "link", "add", "edge0", "address", BALANCER, "type", "veth", "peer", "name", "out0",
            "address", BACKENDS, "netns", self.outside)
        for space, interface in ((self.edge, "edge0"), (self.outside, "out0")):
            run("ip", "netns", "exec", space, "ethtool", "-K", interface, "tx", "off", "rx", "off", "gso", "off", "tso", "off",
                "gro", "off", check=False)
            run("ip", "-n", space, "link", "set", interface, "up")
        return "edge0", "p0=af_xdp,iface=edge0"

    def device(self):
        if self.path == "memif":
            return self.edge, (f"net_memif0,role=client,id=0,socket={self.dir}/memif,socket-abstract=no,mac={BACKENDS},"
                               "rsize=14")
        return self.outside, ("net_af_xdp0,iface=out0,start_queue=0,queue_count=1,"
                              f"xdp_prog={self.build}/tests/bench/pktgen.bpf.o")

    def start(self, name, *words):
        log = open(self.dir / f"{name}.log", "w")
        process = subprocess.Popen(["ip", "netns", "exec", self.edge, *map(str, words)], stdout=log, stderr=log)
        self.stack.callback(self.stop, process)

    @staticmethod
    def stop(process):
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def addresses(self):
        wait_for(self.interface, lambda: run("ip", "-n", self.edge, "link", "show", self.interface, check=False).returncode == 0)
        lines = [f"link set {self.interface} up", f"addr add 10.77.0.1/16 dev {self.interface}",
                 f"addr add fd77::1/64 dev {self.interface} nodad"]
        lines += [f"neigh replace {start}{i + 1} lladdr {BACKENDS} nud permanent dev {self.interface}"
                  for start in ("10.77.1.", "fd77::1:") for i in range(N_BACKENDS)]
        batch = self.dir / "addresses"
        batch.write_text("\n".join(lines) + "\n")
        run("ip", "-n", self.edge, "-batch", batch)

    def configure(self, weight):
        (self.dir / "bench.yaml").write_text(config(self.dir, self.encap, weight))

    def ctl(self, *words):
        return run(self.build / "ctl/nearcastctl", "--socket", self.dir / "control", *words)

    def logs(self):
        return "\n".join(f"== {log.name}\n{log.read_text()[-2000:]}" for log in sorted(self.dir.glob("*.log")))


class Generator:
    def __init__(self, node, spec):
        space, device = node.device()
        pattern = ["--kind", spec.kind, "--family", spec.family, "--flows", spec.flows, "--frame", spec.frame]
        pattern += ["--list", spec.flow_list] if spec.flow_list else []
        pattern += ["--replay", spec.pcap] if spec.pcap else []
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", space, "nice", "-n", "-10", str(node.build / "tests/bench/bench-pktgen"), "--device", device,
             "--cpu", str(node.generator_cpu), "--to", BALANCER, "--from", BACKENDS, *map(str, pattern),
             *(["--huge"] if spec.huge else [])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.frame = self.answer()["frame"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def answer(self):
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):
                return json.loads(line)
        raise Fault("the generator ended (see the line above)")

    def trial(self, rate, seconds):
        self.process.stdin.write(f"{rate:.0f} {seconds}\n")
        self.process.stdin.flush()
        return self.answer()


class Changes:
    """Publications of the tables while a trial runs. drain: one backend in and out (a delta of some slots); reload: the file
    is read again with another weight."""

    def __init__(self, node, how):
        self.node, self.how, self.n = node, how, 0
        self.done = threading.Event()
        self.fault = None
        self.thread = threading.Thread(target=self.work)

    def one(self):
        if self.how == "reload":
            self.node.configure(100 - self.n % 2)
            self.node.ctl("reload")
        else:
            self.node.ctl("backend", ("undrain" if self.n % 2 else "drain"), "pool4/b1")

    def work(self):
        try:
            while not self.done.wait(CHANGE_EVERY_S):
                self.one()
                self.n += 1
        except Fault as fault:
            self.fault = fault

    def __enter__(self):
        if self.how != "quiet":
            self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        if self.how != "quiet":
            self.thread.join()
        if self.fault:
            raise self.fault


class Campaign:
    def __init__(self, spec, node, generator, report):
        self.spec, self.node, self.generator, self.report = spec, node, generator, report

    def row(self, result, during, load=None, changes=0):
        spec = self.spec
        self.report({"bench": "pktgen", "path": spec.path, "family": spec.family, "encap": spec.encap,
                     "kind": spec.pcap or spec.flow_list or spec.kind, "flows": spec.flows, "frame": self.generator.frame,
                     "during": during, "load_percent": load, "changes": changes,
                     "mpps": round(result["received"] / result["seconds"] / 1e6, 3), **result})

    def warm_up(self):
        """Until all next hops are there, and no packet is lost for want of one. Of what is replayed some may be nobody's."""
        wait_for("a trial without loss", lambda: self.lossless(self.generator.trial(20000, 0.1)) if not self.spec.pcap else
                 self.generator.trial(20000, 0.1)["received"] > 0, 30)

    @staticmethod
    def lossless(result):
        return result["lost"] == 0 and result["received"] > 0

    def zero_loss(self, top):
        """RFC 2544 26.1: the highest rate without a lost packet. The machine's other work costs packets too: a rate has
        two tries."""
        low, high, rate, best = 0.0, top, top, None
        while True:
            result = self.generator.trial(rate, self.spec.seconds)
            if not self.lossless(result):
                result = self.generator.trial(rate, self.spec.seconds)
            if self.lossless(result):
                low, best = rate, result
            else:
                high = rate
            if high - low <= RESOLUTION * high:
                return low, best
            if high < 1000:
                raise Fault("packets are lost at 1,000 a second already")
            rate = (low + high) / 2

    def fixed(self):
        during = self.spec.during
        with Changes(self.node, during) as changes:
            result = self.generator.trial(self.spec.rate, self.spec.seconds)
        self.row(result, during, changes=changes.n)

    def whole(self, everything):
        result = self.generator.trial(0, self.spec.seconds)
        self.row(result, "full speed")
        rate, best = self.zero_loss(result["received"] / result["seconds"])
        self.row(best, "zero loss", 100)
        for load in LOADS if everything else ():
            self.row(self.generator.trial(rate * load / 100, self.spec.seconds), "quiet", load)
        for how in ("drain", "reload") if everything else ():
            with Changes(self.node, how) as changes:
                result = self.generator.trial(rate / 2, 2 * self.spec.seconds)
            self.row(result, how, 50, changes.n)


def table(row=None):
    widths = {"path": 6, "family": 6, "encap": 5, "kind": 9, "flows": 8, "frame": 5, "during": 10, "changes": 7, "mpps": 6,
              "unmeasured": 10}
    cells = [str(row[c]) if row else c.replace("_us", " us") for c in COLUMNS]
    print("  ".join(f"{cell[:24]:{'<' if c in ('path', 'encap', 'kind', 'during') else '>'}{widths.get(c, 8)}}"
                    for c, cell in zip(COLUMNS, cells)), flush=True)


def campaigns(spec):
    """What to run: all that is of interest, or what was asked for."""
    asked = spec.kind or spec.pcap or spec.flow_list or spec.rate is not None
    for path in [spec.path] if spec.path else ["memif", "af_xdp"]:
        for kind, family in [(spec.kind or "tcp", spec.family)] if asked else \
                [("tcp", 4), ("tcp", 6), ("quic", 4), ("syn-flood", 4), ("udp-flood", 4)] if path == "memif" else [("tcp", 4)]:
            yield argparse.Namespace(**{**vars(spec), "path": path, "kind": kind, "family": family}), \
                (kind, family) == ("tcp", 4) or bool(asked)


def machine_stalls(spec):
    """What a loop that only reads the clock notices on the worker's CPU: the machine's share in loss and latency."""
    cpu = max(os.sched_getaffinity(0))
    line = run("nice", "-n", "-20", "taskset", "-c", cpu, spec.build / "tests/bench/bench-pktgen", "--spin", 3).stdout
    stalls = json.loads(line)
    print(f"CPU {cpu} by itself: {stalls['stalls_a_second']:.0f} stalls over 20 us a second, {stalls['share_percent']:.2f} % of "
          f"the time, longest {stalls['stall_max_us']:.0f} us", flush=True)
    return stalls


def measure(spec, everything, report):
    with contextlib.ExitStack() as stack:
        node = Node(stack, spec.build, spec.path, spec.encap)
        try:
            with Generator(node, spec) as generator:
                campaign = Campaign(spec, node, generator, report)
                campaign.warm_up()
                if spec.rate is None:
                    campaign.whole(everything)
                else:
                    campaign.fixed()
        except Fault as fault:
            raise Fault(f"{fault}\n{node.logs()}") from fault


def arguments():
    parser = argparse.ArgumentParser(prog="bench.sh pktgen", description="Throughput, loss and latency of the shipped programs.")
    parser.add_argument("--build", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--machine", default="unknown", help=argparse.SUPPRESS)
    parser.add_argument("--commit", default="unknown", help=argparse.SUPPRESS)
    parser.add_argument("--huge", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--path", choices=("memif", "af_xdp"), help="only this one (both)")
    parser.add_argument("--kind", choices=("tcp", "udp", "quic", "syn-flood", "ack-flood", "udp-flood"))
    parser.add_argument("--family", type=int, choices=(4, 6), default=4)
    parser.add_argument("--encap", choices=("ipip", "gre", "gue", "l2"), default="ipip")
    parser.add_argument("--flows", type=int, default=1000000)
    parser.add_argument("--frame", type=int, default=0, help="octets, without FCS (as few as the stamp leaves, at least 64)")
    parser.add_argument("--flow-list", metavar="FILE", help='flows, one "ADDRESS PORT" a line')
    parser.add_argument("--pcap", metavar="FILE", help="frames to send, with their destination turned to the VIP")
    parser.add_argument("--rate", type=float, metavar="PPS", help="one trial at this rate (0: full speed), no search")
    parser.add_argument("--during", choices=("quiet", "drain", "reload"), default="quiet", help="--rate: what changes meanwhile")
    parser.add_argument("--seconds", type=float, default=2, help="of a trial")
    parser.add_argument("--json", metavar="FILE")
    return parser.parse_args()


def main():
    spec = arguments()
    rows = [{"machine": spec.machine, "commit": spec.commit, "hugepages": spec.huge,
             "compiler": run("cc", "-dumpfullversion").stdout.strip()}]

    def report(row):
        rows.append(row)
        table(row)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows[0].update(machine_stalls(spec))
    table()
    try:
        for one, everything in campaigns(spec):
            measure(one, everything, report)
    except Fault as fault:
        sys.exit(f"bench.sh pktgen: {fault}")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        if spec.json:
            pathlib.Path(spec.json).write_text(json.dumps(rows, indent=1) + "\n")


main()
