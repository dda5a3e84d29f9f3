# SPDX-License-Identifier: BSD-2-Clause
"""A PoP in namespaces for a test: a thin hand on scripts/lib/pop.sh, which draws the topology."""
import contextlib
import json
import os
import pathlib
import re
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NEARCAST_BUILD", ROOT / "build"))
V4, V6 = "http://10.99.0.1", "http://[fd99::1]"


class Pop:
    """Options are pop.sh's, in lower case and without POP_: edges=2, encap="gue"."""

    def __init__(self, name, run_dir, encap="ipip", **options):
        self.name, self.dir = name, pathlib.Path(run_dir)
        self.env = dict(os.environ, POP=name, POP_DIR=str(run_dir), POP_ENCAP=encap, NEARCAST_BUILD=str(BUILD))
        self.env.update({f"POP_{key.upper()}": str(value) for key, value in options.items()})
        self.started = []
        if encap == "l2":
            self.env["POP_CONFIG"] = str(ROOT / "tests/e2e/l2.yaml.in")

    def sh(self, *words, check=True, timeout=120):
        return subprocess.run([str(ROOT / "scripts/lib/pop.sh"), *words], env=self.env, check=check, timeout=timeout,
                              text=True, stdout=subprocess.PIPE)

    def command(self, node, *words):
        return ["ip", "netns", "exec", f"{self.name}-{node}", *map(str, words)]

    def run(self, node, *words, timeout=60, check=True):
        return subprocess.run(self.command(node, *words), text=True, capture_output=True, timeout=timeout,
                              check=check).stdout

    def popen(self, node, *words):
        process = subprocess.Popen(self.command(node, *words), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.started.append(process)
        return process

    def down(self):
        for process in self.started:
            process.kill()
            process.wait()
        self.sh("down")

    def ctl(self, *words, edge="edge1", check=True):
        done = subprocess.run([str(BUILD / "ctl/nearcastctl"), "--socket", str(self.dir / f"{edge}.control"), *words],
                              text=True, capture_output=True, timeout=60)
        if check and done.returncode != 0:
            raise AssertionError(f"nearcastctl {' '.join(words)}: {done.stdout}{done.stderr}")
        return done

    def json(self, *words, edge="edge1"):
        return json.loads(self.ctl("--json", *words, edge=edge).stdout)

    def page(self, url, client="c1"):
        """The backend that answered, or "failed"."""
        out = self.run(client, "curl", "-sS", "--max-time", "3", "-o", "/dev/null", "-w", "%header{x-backend}", url,
                       check=False).strip()
        return out or "failed"

    def show(self, server):
        """What the server's decapsulator counted, by name."""
        lines = self.run(server, BUILD / "bpf/nearcast-backend", "--interface", "eth0", "--show").splitlines()[2:]
        return {words[0]: int(words[1]) for words in map(str.split, lines)}

    def routes(self):
        return (self.run_ip("route", "show", "10.99.0.1") + self.run_ip("-6", "route", "show", "fd99::1")).strip()

    def run_ip(self, *words):
        return subprocess.run(["ip", "-n", f"{self.name}-router", *words], text=True, capture_output=True,
                              check=True).stdout

    def config(self, edge="edge1"):
        return self.dir / f"{edge}.yaml"

    def edit(self, old, new, edge="edge1", count=0):
        text, n = re.subn(old, new, self.config(edge).read_text(), count=count)
        assert n, f"{old} is not in the configuration"
        self.config(edge).write_text(text)

    def pid(self, program, node):
        return int((self.dir / f"{program}-{node}.pid").read_text())

    def logs(self):
        return "\n".join(f"== {p.name}\n{p.read_text()[-3000:]}" for p in sorted(self.dir.glob("*plane*.log")))


@contextlib.contextmanager
def pop_up(request, tmp_path_factory, **options):
    pop = Pop(f"nct{os.getpid() % 1000}", tmp_path_factory.mktemp("pop") / "run", **options)
    failed_before = request.session.testsfailed
    try:
        pop.sh("up")
        yield pop
    finally:
        if request.session.testsfailed > failed_before:
            print(pop.logs())
        pop.down()


def wait(what, condition, seconds=15.0):
    """Waits for a condition, never for a time; gives what it gave."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s in vain for {what}"
        time.sleep(0.05)


# Many connections at once, each kept open and asked again and again: a broken or moved one is seen.
KEEPERS = r"""
import http.client, json, sys, time
host, n, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])

def ask(connection):
    connection.request("GET", "/small")
    answer = connection.getresponse()
    answer.read()
    return answer.getheader("X-Backend")

def opened():
    connection = http.client.HTTPConnection(host, 80, timeout=5)
    backend = ask(connection)
    connection.auto_open = 0  # a connection that broke stays broken
    return connection, backend

kept = [opened() for _ in range(n)]
print("ready", flush=True)
asked, broken, moved, rounds = 0, [], [], 0
end = time.monotonic() + seconds
while kept and (time.monotonic() < end or rounds < 2):
    rounds += 1
    for entry in list(kept):
        try:
            if ask(entry[0]) != entry[1]:
                moved.append(entry[1])
            asked += 1
        except Exception as e:
            broken.append(f"{entry[1]}: {e!r}")
            kept.remove(entry)
backends = sorted({backend for _, backend in kept})
print(json.dumps({"asked": asked, "rounds": rounds, "broken": broken, "moved": moved, "backends": backends}))
"""

# DNS queries at a steady rate, none of them repeated: what isn't answered was lost.
ASKERS = r"""
import json, select, socket, struct, sys, time
host, rate, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
name = b"".join(bytes([len(label)]) + label for label in (b"www", b"example", b"net")) + b"\0"
s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
s.connect((host, 53))
s.setblocking(False)
waiting, sent = {}, 0

def collect(timeout):
    while select.select([s], [], [], timeout)[0]:
        waiting.pop(struct.unpack("!H", s.recv(4096)[:2])[0], None)
        timeout = 0

print("ready", flush=True)
begin = time.monotonic()
while (now := time.monotonic()) < begin + seconds:
    while sent < (now - begin) * rate:
        waiting[sent & 0xffff] = sent
        s.send(struct.pack("!6H", sent & 0xffff, 0x100, 1, 0, 0, 0) + name + struct.pack("!2H", 1, 1))
        sent += 1
    collect(0.001)
end = time.monotonic() + 3
while waiting and time.monotonic() < end:
    collect(0.1)
print(json.dumps({"sent": sent, "lost": sorted(waiting.values())}))
"""


def keepers(pop, n, seconds, host="10.99.0.1", client="c2"):
    """n connections that ask for at least so many seconds; unbroken() takes what this gives."""
    return _load(pop, client, KEEPERS, host, n, seconds)


def askers(pop, rate, seconds, host="10.99.0.1", client="c1"):
    return _load(pop, client, ASKERS, host, rate, seconds)


def _load(pop, client, script, *arguments):
    process = pop.popen(client, "/usr/bin/python3", "-c", script, *arguments)
    assert process.stdout.readline().strip() == "ready", process.communicate()[0]
    return process


def result(process):
    out, _ = process.communicate(timeout=120)
    return json.loads(out.strip().splitlines()[-1])


def unbroken(process):
    got = result(process)
    assert got["rounds"] >= 2 and not got["broken"] and not got["moved"], got
    return got


def unlost(process):
    got = result(process)
    assert got["sent"] > 0 and not got["lost"], got
    return got
