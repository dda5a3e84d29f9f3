# SPDX-License-Identifier: BSD-2-Clause
"""A PoP in namespaces for a test: a thin hand on scripts/lib/pop.sh, which draws the topology."""
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
    def __init__(self, name, run_dir, edges=1, encap="ipip"):
        self.name, self.dir = name, pathlib.Path(run_dir)
        self.env = dict(os.environ, POP=name, POP_DIR=str(run_dir), POP_EDGES=str(edges), POP_ENCAP=encap,
                        NEARCAST_BUILD=str(BUILD))

    def sh(self, *words, check=True, timeout=120):
        return subprocess.run([str(ROOT / "scripts/lib/pop.sh"), *words], env=self.env, check=check, timeout=timeout,
                              text=True, stdout=subprocess.PIPE)

    def command(self, node, *words):
        return ["ip", "netns", "exec", f"{self.name}-{node}", *map(str, words)]

    def run(self, node, *words, timeout=60, check=True):
        return subprocess.run(self.command(node, *words), text=True, capture_output=True, timeout=timeout,
                              check=check).stdout

    def popen(self, node, *words):
        return subprocess.Popen(self.command(node, *words), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

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
import http.client, json, sys, time, selectors, threading
host, n, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
broken, moved, asked = [], [], 0
conns = []
for i in range(n):
    c = http.client.HTTPConnection(host, 80, timeout=5)
    c.request("GET", "/small"); r = c.getresponse(); r.read()
    conns.append([c, r.getheader("X-Backend")])
print("ready", flush=True)
end = time.monotonic() + seconds
while time.monotonic() < end:
    for entry in conns:
        c, backend = entry
        if c is None: continue
        try:
            c.auto_open = 0
            c.request("GET", "/small"); r = c.getresponse(); r.read(); asked += 1
            if r.getheader("X-Backend") != backend: moved.append(backend)
        except Exception as e:
            broken.append(f"{backend}: {e}"); entry[0] = None
print(json.dumps({"asked": asked, "broken": broken, "moved": moved}))
"""
