# SPDX-License-Identifier: GPL-2.0-or-later
"""The host the demo plays on: a link with a slow hop, three services, their policies."""
import http.client
import os
import time

from world import Failed, hierarchies, run

LINK_MBIT = 200         # the slow hop between this host and its clients
SHAPED_MBIT = 190       # what the policy says the link carries: a little less, so that queues form here
HOP_QUEUE_BYTES = 1500000  # 60 ms of it
HOST, HOP, HOP_FAR, CLIENT = "10.213.8.1", "10.213.8.2", "10.213.8.5", "10.213.8.6"
GOLD_PORT, SILVER_PORT, SINK_PORT = 22080, 22081, 22084
HOG_THREADS, HOG_STREAMS = 4, 4

# Of the services: objective as a fraction, latency in ms, and what an administrator gives by hand.
SERVICES = {
    "gold": {"objective": 0.99, "latency_ms": 50, "weight": 400},
    "silver": {"objective": 0.95, "latency_ms": 200, "weight": 200},
    "bronze": {"objective": None, "latency_ms": None, "weight": 50},
}
ROUTES = {
    "gold": ("/api/quote=1500us,4000", "/api/order=4ms,16000"),
    "silver": ("/api/report=5ms,32000",),
}
PATHS = {"gold": "/api/quote:4;/api/order:1", "silver": "/api/report"}
PORTS = {"gold": (GOLD_PORT, 22082), "silver": (SILVER_PORT, 22083)}

NGINX = """
daemon off; worker_processes 2; pid {dir}/nginx.pid; error_log {dir}/error.log error;
events {{ worker_connections 2048; }}
http {{
  access_log off; keepalive_requests 1000000; keepalive_timeout 300s;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
  upstream burner {{ server 127.0.0.1:{inner}; keepalive 256; keepalive_requests 1000000; }}
  server {{
    listen {host}:{port} backlog=4096;
    location / {{ proxy_pass http://burner; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""

POLICY = {
    "gold": """version: 1
service: gold
tier: gold
match: {{ cgroup: {cgroup} }}
slo: {{ objective: 99%, latency: 50ms, window: 5m }}
apis:
  - route: GET /api/quote
  - route: GET /api/order
cpu: {{ floor: 200m }}
bandwidth: {{ interface: {interface}, floor: 10Mbit }}
forecast: {{ lead: 3s }}
""",
    "silver": """version: 1
service: silver
tier: silver
match: {{ cgroup: {cgroup} }}
slo: {{ objective: 95%, latency: 200ms, window: 5m }}
apis:
  - route: GET /api/report
cpu: {{ floor: 100m }}
bandwidth: {{ interface: {interface}, floor: 5Mbit }}
forecast: {{ lead: 3s }}
""",
    "bronze": """version: 1
service: bronze
tier: bronze
match: {{ cgroup: {cgroup} }}
cpu: {{ floor: 100m }}
bandwidth: {{ interface: {interface}, floor: 1Mbit }}
forecast: {{ lead: 3s }}
""",
}
HOST_POLICY = """version: 1
links:
  - {{ interface: {interface}, rate: {mbit}Mbit }}
"""


class Stage:
    services, policies, host_policy = SERVICES, POLICY, HOST_POLICY
    addresses = HOST, HOP, HOP_FAR, CLIENT
    below = ""  # a group that holds those of the services, and "/"

    def __init__(self, world, foreshape, tools):
        self.world, self.foreshape, self.tools = world, foreshape, tools
        self.env = dict(os.environ, FORESHAPE_RUN=world.path("run"), NO_COLOR="1")
        self.interface = world.tag
        self.cgroups = {name: world.cgroup(self.below + name) for name in self.services}
        self.running = []
        os.makedirs(world.path("run"), mode=0o755)
        self._network()
        self._files()

    def _network(self):
        w = self.world
        host, hop, hop_far, client = self.addresses
        self.hop, self.clients = w.namespace("h"), w.namespace("c")
        w.undo.append(lambda: run("ip", "link", "del", self.interface, ok=False))
        near, far, end = w.tag + "n", w.tag + "f", w.tag + "e"
        with w.whole():
            run("ip", "link", "add", self.interface, "type", "veth", "peer", "name", near, "netns", self.hop)
            run("ip", "-n", self.hop, "link", "add", far, "type", "veth", "peer", "name", end,
                "netns", self.clients)
        for ns, dev, address in (([], self.interface, host), (["-n", self.hop], near, hop),
                                 (["-n", self.hop], far, hop_far), (["-n", self.clients], end, client)):
            run("ip", *ns, "addr", "add", address + "/30", "dev", dev)
            run("ip", *ns, "link", "set", dev, "up")
        run("ip", "route", "add", client + "/32", "via", hop, "dev", self.interface)
        run("ip", "-n", self.clients, "route", "add", "default", "via", hop_far)
        run("ip", "netns", "exec", self.hop, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        run("tc", "-n", self.hop, "qdisc", "add", "dev", far, "root", "tbf", "rate", f"{LINK_MBIT}mbit",
            "burst", "128kb", "limit", str(HOP_QUEUE_BYTES))

    def _files(self):
        w = self.world
        self._write_policies()
        for name, (port, inner) in PORTS.items():
            where = w.path("nginx", name)
            w.write(f"nginx/{name}/nginx.conf", NGINX.format(dir=where, host=HOST, port=port, inner=inner))

    def _write_policies(self):
        w = self.world
        for name, text in self.policies.items():
            w.write(f"policies/{name}.yaml", text.format(cgroup=self.cgroups[name], interface=self.interface))
        w.write("policies/host.yaml", self.host_policy.format(interface=self.interface, mbit=SHAPED_MBIT))

    def _exec(self, service, *words, stdout=None):
        p = self.world.start(self.foreshape, "exec", service, "--policies", self.world.path("policies"), "--",
                             *words, stdout=stdout, env=self.env)
        self.running.append(p)
        return p

    def start_services(self, hog_out):
        """Starts the three services in their groups and waits until they answer."""
        sink = self.world.start("ip", "netns", "exec", self.clients, self.tools + "/hog",
                                "--sink", f"{CLIENT}:{SINK_PORT}")
        self.running.append(sink)
        for name, (_, inner) in PORTS.items():
            routes = [word for route in ROUTES[name] for word in ("--route", route)]
            self._exec(name, self.tools + "/burner", "--listen", f"127.0.0.1:{inner}", "--workers", "4", *routes)
            self._exec(name, "nginx", "-p", self.world.path("nginx", name),
                       "-e", self.world.path("nginx", name, "error.log"), "-c", "nginx.conf")
        for name, (port, _) in PORTS.items():
            self._wait_for(name, port, PATHS[name].split(":")[0].split(";")[0])
        self._exec("bronze", self.tools + "/hog", "--threads", str(HOG_THREADS),
                   "--to", f"{CLIENT}:{SINK_PORT}", "--streams", str(HOG_STREAMS), stdout=hog_out)

    def _wait_for(self, name, port, path):
        host, end = self.addresses[0], time.monotonic() + 8
        while True:
            try:
                c = http.client.HTTPConnection(host, port, timeout=1)
                c.request("GET", path)
                if c.getresponse().status == 200:
                    c.close()
                    return
            except OSError:
                pass
            if time.monotonic() > end:
                with open(self.world.path("errors.log")) as f:
                    raise Failed(f"{name} does not answer on {host}:{port}\n{f.read()[-2000:]}")
            time.sleep(0.05)

    def stop_services(self):
        for p in reversed(self.running):
            self.world.stop(p)
        self.running.clear()
        for path in self.cgroups.values():
            self.world.remove_cgroup(path)

    def set_weights(self):
        """What an administrator would write once: weights by importance."""
        v1 = hierarchies().get("cpu")
        root, file, per_100 = (v1, "cpu.shares", 1024) if v1 else (hierarchies()["unified"], "cpu.weight", 100)
        for name, row in self.services.items():
            path = f"{root}{self.cgroups[name]}/{file}"
            end = time.monotonic() + 3
            while not os.path.exists(path) and time.monotonic() < end:
                time.sleep(0.02)
            try:
                with open(path, "w") as f:
                    f.write(str(row["weight"] * per_100 // 100))
            except OSError as e:
                raise Failed(f"set the weight of {name}: {e}") from e

    def cpu_s(self, service):
        """CPU seconds the service has used."""
        try:
            with open(f"{hierarchies()['unified']}{self.cgroups[service]}/cpu.stat") as f:
                return int(f.readline().split()[1]) / 1e6
        except (OSError, KeyError):
            return 0.0

    def others_cpu_s(self):
        """CPU seconds that all else on this host has used: other programs, the load, the agent."""
        with open("/proc/stat") as f:
            user, nice, system, _, _, irq, softirq = map(int, f.readline().split()[1:8])
        return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK") - \
            sum(self.cpu_s(name) for name in self.services)
