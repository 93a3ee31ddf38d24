# SPDX-License-Identifier: GPL-2.0-or-later
"""One run of one contender: the service in its group, the load, whoever sets the limit, and what was seen."""
import array
import http.client
import json
import os
import shutil
import socket
import time

import limit
import rules
from watch import Agent
from world import Failed

HOST = "127.0.0.1"
COST_MS, WORKERS = 3, 4
SLO_MS, TIMEOUT_S = 100, 5
SEED = 7
START_S = 0.5      # from starting the load generator to its first second
STATUS_S = 1.0
SHARES, WEIGHT = 262144, 10000
POLICY = """version: 1
service: web
tier: gold
match: {{ cgroup: {cgroup} }}
slo: {{ objective: 99%, latency: {slo}ms, window: {window} }}
apis:
  - route: GET /
cpu: {{ mode: cap }}
{more}"""


def free_port():
    """A port nobody has now: an answer on it is the service's own."""
    with socket.socket() as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


class Site:
    """What all runs share; everything of it goes with @world. @more: further lines of the policy."""

    def __init__(self, world, foreshape, tools, sampler, window, more=""):
        self.world, self.foreshape, self.tools, self.sampler = world, foreshape, tools, sampler
        self.port = free_port()
        self.env = dict(os.environ, FORESHAPE_RUN=world.path("run"), NO_COLOR="1")
        # Neighbours on this host are to disturb nobody: neither the service nor what looks after it.
        self.outer, self.control = world.cgroup("bench"), world.cgroup("control")
        self.cgroup = self.outer + "/web"
        world.undo.append(lambda: limit.move(os.getpid(), "/"))
        world.undo.append(lambda: world.remove_cgroup(self.cgroup))
        for path in (self.outer, self.control):
            limit.weigh(path, SHARES, WEIGHT)
        limit.move(os.getpid(), self.control)
        os.makedirs(world.path("run"), mode=0o755)
        world.write("policies/web.yaml", POLICY.format(cgroup=self.cgroup, slo=SLO_MS, window=window, more=more))

    def start_service(self):
        p = self.world.start(self.foreshape, "exec", "web", "--policies", self.world.path("policies"), "--",
                             self.tools + "/burner", "--listen", f"{HOST}:{self.port}", "--workers", str(WORKERS),
                             "--route", f"/={COST_MS}ms", env=self.env)
        end = time.monotonic() + 8
        while not self._answers():
            if time.monotonic() > end or p.poll() is not None:
                with open(self.world.path("errors.log")) as f:
                    raise Failed(f"the service does not answer on {HOST}:{self.port}\n{f.read()[-2000:]}")
            time.sleep(0.05)
        return p

    def _answers(self):
        c = http.client.HTTPConnection(HOST, self.port, timeout=1)
        try:
            c.request("GET", "/")
            return c.getresponse().status == 200
        except OSError:
            return False
        finally:
            c.close()

    def start_load(self, rates, start_mono_s):
        """@rates: (second, requests/s) points."""
        curve = self.world.write("curve", "".join(f"{t:.3f} {rate:.3f}\n" for t, rate in rates))
        raw = self.world.path("requests")
        p = self.world.start(self.tools + "/openload", "--seed", str(SEED), "--timeout", f"{TIMEOUT_S}s",
                             "--start-at", f"{start_mono_s:.3f}", "--raw", raw,
                             "--stream", f"web,{HOST}:{self.port},/,{curve},{SLO_MS}ms")
        return p, raw

    def forget(self):
        """Each run of the agent starts with an empty history."""
        for end in ("", "-wal", "-shm"):
            if os.path.exists(self.world.path("history.db" + end)):
                os.remove(self.world.path("history.db" + end))


def requests_of(path, start_mono_s):
    """[(when due, latency in ms)]; one without a good answer has the timeout."""
    words = array.array("Q")
    with open(path, "rb") as f:
        words.frombytes(f.read())
    found = []
    for at_ns, rest in zip(words[::2], words[1::2]):
        took_us, good = rest & 0xFFFFFFFF, rest >> 32
        found.append((at_ns / 1e9 - start_mono_s, took_us / 1000 if good else TIMEOUT_S * 1000.0))
    return found


LOOK_KEYS = ("quota_us", "period_us", "burst_us", "periods", "throttled", "throttled_us", "usage_us")


def looks_of(path, start_mono_s):
    found = []
    with open(path) as f:
        for line in f:
            words = [int(w) for w in line.split()]
            if len(words) == len(LOOK_KEYS) + 1:
                found.append(dict(zip(LOOK_KEYS, words[1:]), t=words[0] / 1e9 - start_mono_s))
    return found


def host_used_s():
    with open("/proc/stat") as f:
        user, nice, system, _, _, irq, softirq = map(int, f.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


class Watch:
    """The CPU time of the service, of generator and controller, and of all else on the host, over a run."""

    def __init__(self, group, control):
        self.groups, self.first = (group, control), None

    def used(self):
        service, control = (g.used_s() for g in self.groups)
        return time.monotonic(), service, control, host_used_s() - service - control

    def begin(self):
        self.first = self.used()

    def cores(self):
        span, *used = (b - a for a, b in zip(self.first, self.used()))
        return dict(zip(("service", "control", "others"), (round(s / span, 4) for s in used)))


def drive(rule, group, load, agent, start):
    """Until the load ends: the rule every tick, or a look at the agent every STATUS_S."""
    now, held, asked_s = time.monotonic(), None, start
    while load.poll() is None:
        now = max(now + rules.TICK_S, time.monotonic())
        time.sleep(max(0.0, now - time.monotonic()))
        if agent:
            if time.monotonic() >= asked_s:
                agent.sample(time.monotonic() - start)
                asked_s += STATUS_S
            continue
        wanted = rule.tick(time.monotonic(), *group.look())
        if wanted != held:
            group.set_limit(wanted)
            held = wanted


def timeline(agent):
    """What the agent said of the service, a row a second."""
    return [dict(t=round(t, 2), **services["web"]) for t, services in agent.samples if "web" in services]


def play(site, name, rates, most_cores):
    """Plays @rates once. Returns {"requests", "looks", "cores": of whom, "agent": what it said and did}."""
    world, rule = site.world, rules.make(name, most_cores)
    site.forget()
    service = site.start_service()
    group, control = limit.Group(site.cgroup), limit.Group(site.control)
    agent = None
    if rule:
        group.begin(rule.limit)
    else:
        agent = Agent(world, site)
    with open(world.path("looks"), "w") as out:
        sampler = world.start(site.sampler, group.cpu, group.usage, stdout=out)
    start = time.monotonic() + START_S
    load, raw = site.start_load(rates, start)
    watch = Watch(group, control)
    watch.begin()
    drive(rule, group, load, agent, start)
    if load.returncode:
        with open(world.path("errors.log")) as f:
            raise Failed("the load generator failed: " + f.read()[-500:])
    found = {"start_mono_s": start, "requests": requests_of(raw, start), "cores": watch.cores()}
    world.stop(sampler)
    found["looks"] = looks_of(world.path("looks"), start)
    if agent:
        found["agent"] = {"status": timeline(agent), "history": agent.history(), "explain": agent.ask("explain", "web"),
                          "start_real_s": time.time() - time.monotonic() + start}
        agent.stop()
    world.stop(service)
    world.remove_cgroup(site.cgroup)
    if not found["looks"]:
        raise Failed("the sampler saw nothing")
    return found


def save(site, folder, name, found):
    """The raw side of the run just played: struct load_records, the sampler's lines, and all else."""
    os.makedirs(folder, exist_ok=True)
    for what in ("requests", "looks"):
        shutil.copyfile(site.world.path(what), os.path.join(folder, f"{name}.{what}"))
    with open(os.path.join(folder, name + ".json"), "w") as f:
        json.dump({k: v for k, v in found.items() if k not in ("requests", "looks")}, f)
