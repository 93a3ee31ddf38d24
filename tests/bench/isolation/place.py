# SPDX-License-Identifier: GPL-2.0-or-later
"""Where isolation is measured: the demo's link with slow hop, gold's nginx on it, bronze's hogs."""
import contextlib
import json
import os
import socket
import time

from stage import HOG_STREAMS, HOG_THREADS, LINK_MBIT, SHAPED_MBIT, SINK_PORT, Stage
from world import Failed, hierarchies, run

SLO_MS = 25
ROUTES = 1600             # regular expressions the page's address is tried against: a millisecond
PAGE_BYTES, FILE_BYTES = 3000, 16000
PAGES_A_FILE = 3
ANSWER_BYTES = (PAGES_A_FILE * PAGE_BYTES + FILE_BYTES) / (PAGES_A_FILE + 1)
PAGE = "/en/shop/orders-of-this-week-by-customer-and-by-warehouse.html"
PATHS = f"{PAGE}:{PAGES_A_FILE};/file/picture:1"
WORKERS = 8               # a connection stays with one: with few, one has all the work while another has none
TOUCH_BYTES = 384 << 20   # by each of two threads
FILE_HOG_BYTES = 256 << 20  # likewise
MEMORY_NEEDED = 4 << 30   # available, or the hog of memory is left out
PARALLEL = 2
CONTROLLERS = ("cpu", "cpuacct", "memory", "blkio", "io", "unified")
SLICE_WEIGHT = 1000       # of gold and bronze together; another program's task has 100
LINK_BITS, SHAPED_BITS = LINK_MBIT * 1e6, SHAPED_MBIT * 1e6
HZ = os.sysconf("SC_CLK_TCK")

NGINX = """
daemon off; worker_processes {workers}; pid {dir}/nginx.pid; error_log {dir}/error.log error;
events {{ worker_connections 1024; }}
http {{
  access_log {log}; keepalive_requests 1000000; keepalive_timeout 300s; tcp_nodelay on;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi; map_hash_bucket_size 256;
  map $uri $old_address {{
    default "";
{routes}
  }}
  server {{
    listen {host}:{port} backlog=4096 reuseport; root {dir}/www;
    location /en/ {{ add_header X-Old $old_address; }}
    location /file/ {{ }}
  }}
}}
"""

POLICY = {
    "gold": """version: 1
service: gold
tier: gold
match: {{ cgroup: {cgroup} }}
slo: {{ objective: 99%, latency: SLO_MSms, window: 5m }}
apis:
  - route: GET /en/shop/{{page}}
  - route: GET /file/*
cpu: {{ floor: 200m }}
bandwidth: {{ interface: {interface}, floor: 10Mbit }}
forecast: {{ lead: 3s }}
""".replace("SLO_MS", str(SLO_MS)),
    "bronze": """version: 1
service: bronze
tier: bronze
match: {{ cgroup: {cgroup} }}
cpu: {{ floor: 100m }}
bandwidth: {{ interface: {interface}, floor: 1Mbit }}
forecast: {{ lead: 3s }}
""",
}


def available_bytes():
    with open("/proc/meminfo") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("MemAvailable:"))


def free_network():
    """Four addresses of two /30 nets that nothing here uses."""
    used = run("ip", "-o", "addr").stdout + run("ip", "route").stdout
    for third in range(100, 250):
        if f" 10.213.{third}." not in used:
            return tuple(f"10.213.{third}.{n}" for n in (1, 2, 5, 6))
    raise Failed("no free network among 10.213.100.0 to 10.213.249.0")


def free_port(host):
    with socket.socket() as s:
        s.bind((host, 0))
        return s.getsockname()[1]


class Place(Stage):
    services = {"gold": {"latency_ms": SLO_MS, "weight": 400}, "bronze": {"latency_ms": None, "weight": 50}}
    policies = POLICY
    # Both in a group of one weight: what is set on them is against each other, not against other programs.
    below = "slice/"

    def __init__(self, world, foreshape, tools, disk):
        self.addresses = free_network()
        self.slice = world.cgroup(self.below.rstrip("/"))
        self.disk = disk  # a directory on the disk
        super().__init__(world, foreshape, tools)
        for path in (self.slice, *self.cgroups.values()):
            self._make(path)
        v1 = hierarchies().get("cpu")
        self.write((v1 or hierarchies()["unified"]) + self.slice + ("/cpu.shares" if v1 else "/cpu.weight"),
                   SLICE_WEIGHT * 1024 // 100 if v1 else SLICE_WEIGHT)

    def _make(self, path):
        """The group @path in every hierarchy that limits are set in, so that they hold before anything runs in it."""
        found = hierarchies()
        for root in {found[name] for name in CONTROLLERS if name in found}:
            if root == found.get("unified"):
                for name in CONTROLLERS:
                    with contextlib.suppress(OSError):
                        self.write(root + os.path.dirname(path) + "/cgroup.subtree_control", "+" + name)
            os.mkdir(root + path)

    @staticmethod
    def write(path, value):
        with open(path, "w") as f:
            f.write(str(value))

    def _files(self):
        w = self.world
        self._write_policies()
        self.host, self.port = self.addresses[0], free_port(self.addresses[0])
        where = w.path("nginx")
        w.write("nginx" + "/www" + PAGE, "p" * PAGE_BYTES)
        w.write("nginx/www/file/picture", "f" * FILE_BYTES)
        routes = "".join(f'    "~^/(en|de|fr)/shop/.*-(customer|account{n})[0-9]+\\.html$" /old/{n};\n'
                         for n in range(ROUTES))
        w.write("nginx/nginx.conf", NGINX.format(dir=where, log=os.path.join(self.disk, "access.log"), host=self.host,
                                                 port=self.port, workers=WORKERS, routes=routes))
        for path in (where, w.path("nginx", "www"), w.path("nginx", "www", "en"), w.path("nginx", "www", "en", "shop"),
                     w.path("nginx", "www", "file")):
            os.chmod(path, 0o755)

    def start_gold(self):
        self.world.start("ip", "netns", "exec", self.clients, self.tools + "/hog",
                         "--sink", f"{self.addresses[3]}:{SINK_PORT}")
        self._exec("gold", "nginx", "-p", self.world.path("nginx"),
                   "-e", self.world.path("nginx", "error.log"), "-c", "nginx.conf")
        self._wait_for("gold", self.port, PAGE)

    def hog_words(self, hog):
        if hog == "cpu":
            return ["--threads", str(HOG_THREADS)]
        if hog == "memory":
            return ["--touch", str(TOUCH_BYTES)] * PARALLEL
        if hog == "network":
            return ["--to", f"{self.addresses[3]}:{SINK_PORT}", "--streams", str(HOG_STREAMS)]
        return [w for n in range(PARALLEL) for w in ("--file", f"{self.disk}/hog{n}:{FILE_HOG_BYTES}")]

    def start_hog(self, hog):
        out = self.world.path("hog")
        with open(out, "w") as f:
            p = self._exec("bronze", self.tools + "/hog", *self.hog_words(hog), stdout=f)
        return Hog(self, p, out, "units" if hog == "cpu" else "bytes")


class Hog:
    def __init__(self, place, process, out, key):
        self.place, self.process, self.out, self.key = place, process, out, key
        end = time.monotonic() + 8
        while not self.lines():
            if process.poll() is not None or time.monotonic() > end:
                with open(place.world.path("errors.log")) as f:
                    raise Failed(f"the hog does not work\n{f.read()[-2000:]}")
            time.sleep(0.02)

    def lines(self):
        """[(time, work so far)]"""
        with open(self.out) as f:
            rows = [json.loads(line) for line in f.read().split("\n")[:-1]]
        return [(r["mono_s"], r[self.key]) for r in rows]

    def stop(self):
        if self.process.poll() is not None:
            raise Failed(f"the hog ended by itself: {self.process.returncode}")
        self.place.running.remove(self.process)
        self.place.world.stop(self.process)


def gold_bits(requests_per_s):
    return requests_per_s * ANSWER_BYTES * 8

