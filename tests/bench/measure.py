#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""measure.py - what counting costs: kernel time per request, throughput, the agent's own CPU and memory."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from measure_lib import *

RUNS = int(os.environ.get("RUNS", "15"))
ROUNDS = int(os.environ.get("ROUNDS", "15"))
SECONDS = int(os.environ.get("SECONDS_EACH", "1"))
EMPTY = os.path.join(BUILD, "tests", "bench", "measure_empty")
FORESHAPE = os.environ.get("FORESHAPE", os.path.join(BUILD, "foreshape"))
STATS = "/proc/sys/kernel/bpf_stats_enabled"
LOCATIONS = "location / { return 200 'hello'; }"
ROUTES = ("GET /v1/orders/{id}", "POST /v1/orders", "GET /static/*", "GET /hello")


def median(values):
    values = sorted(values)
    n = len(values)
    return (values[(n - 1) // 2] + values[n // 2]) / 2 if n else None


def stats(on):
    with open(STATS) as f:
        was = f.read().strip()
    with open(STATS, "w") as f:
        f.write(on)
    return was


def programs(pid):
    """(run_time_ns, run_cnt) of all programs process @pid holds."""
    seen = {}
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            text = open(f"/proc/{pid}/fdinfo/{fd}").read()
        except OSError:
            continue
        id_ = re.search(r"^prog_id:\s*(\d+)", text, re.M)
        time_ = re.search(r"^run_time_ns:\s*(\d+)", text, re.M)
        count = re.search(r"^run_cnt:\s*(\d+)", text, re.M)
        if id_ and time_ and count:
            seen[id_.group(1)] = (int(time_.group(1)), int(count.group(1)))
    return sum(t for t, _ in seen.values()), sum(c for _, c in seen.values())


def growth(pid, action):
    t0, c0 = programs(pid)
    result = action()
    t1, c1 = programs(pid)
    return result, t1 - t0, c1 - c0


def counting(group, host):
    host.do(f"attach {group.path}")
    host.do(f"service bench {group.path} -")
    for route in ROUTES:
        host.do(f"route bench {route}")
    host.do("go")


def start_empty(group):
    p = subprocess.Popen([EMPTY, group.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if p.stdout.readline().strip() != b"ready":
        raise RuntimeError("cannot attach the empty programs")
    atexit.register(lambda: (p.stdin.close(), p.wait(10)) if p.poll() is None else None)
    return p


def kernel_time(url, empty_url, host, empty):
    """Per run: kernel ns a request, by both programs, less an empty program's mean a packet."""
    samples = []
    was = stats("1")
    try:
        for _ in range(RUNS):
            _, empty_ns, empty_runs = growth(empty.pid, lambda: wrk(empty_url, SECONDS))
            (n, rate, _), ns, runs = growth(host.process.pid, lambda: wrk(url, SECONDS))
            base = empty_ns / empty_runs
            samples.append({"requests": n, "rate": rate, "ns": ns, "runs": runs,
                            "empty_ns": base, "ns_per_request": (ns - runs * base) / n})
    finally:
        stats(was)
    return samples


def throughput(url, plain_url):
    """Rounds of both in turn, the order changing, each against the same server without counting."""
    samples = []
    for i in range(ROUNDS):
        rates = {}
        for which in (("with", "without"), ("without", "with"))[i % 2]:
            rates[which] = wrk(url if which == "with" else plain_url, SECONDS)[1]
        samples.append(dict(rates, ratio=rates["with"] / rates["without"]))
    return samples


def pss_mib(pids):
    total = 0
    for pid in pids:
        text = open(f"/proc/{pid}/smaps_rollup").read()
        total += int(re.search(r"^Pss:\s*(\d+)", text, re.M).group(1))
    return total / 1024


def cpu_s(pids):
    ticks = 0
    for pid in pids:
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def agent(group, nginx):
    """The agent in observe mode over the same server at full load. None where it cannot run."""
    folder = tempfile.mkdtemp(prefix="fsh-measure-agent-")
    atexit.register(shutil.rmtree, folder, True)
    policies, run = os.path.join(folder, "policies"), os.path.join(folder, "run")
    os.mkdir(policies)
    os.chmod(folder, 0o755)
    with open(os.path.join(policies, "bench.yaml"), "w") as f:
        f.write(f"version: 1\nservice: bench\ntier: gold\nmatch: {{ cgroup: /{group.name} }}\napis:\n" +
                "".join(f"  - route: {r}\n" for r in ROUTES) +
                "".join(f"  - route: GET /api/v1/item{i}\n" for i in range(50 - len(ROUTES))))
    os.chmod(os.path.join(policies, "bench.yaml"), 0o644)
    keeper = subprocess.Popen(
        [FORESHAPE, "run", "--observe", "--policies", policies, "--db", folder + "/history.db"],
        env=dict(os.environ, FORESHAPE_RUN=run), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def end():
        if keeper.poll() is None:
            keeper.terminate()
            keeper.wait(10)
    atexit.register(end)

    def status():
        if keeper.poll() is not None:
            raise RuntimeError(keeper.stderr.read().decode(errors="replace").strip()[-300:])
        r = subprocess.run([FORESHAPE, "status", "--json"], env=dict(os.environ, FORESHAPE_RUN=run),
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return json.loads(r.stdout) if r.returncode == 0 else None

    s = wait_for(status)
    if not s:
        raise RuntimeError("no status within 10 s")
    time.sleep(5)
    pids = [s["pid"], s["worker_pid"]]
    before, at = cpu_s(pids), time.monotonic()
    _, rate, _ = wrk(f"http://127.0.0.1:{nginx.port}/v1/orders/1", 20)
    result = {"cpu_percent": 100 * (cpu_s(pids) - before) / (time.monotonic() - at),
              "pss_mib": pss_mib(pids), "requests_per_s": rate}
    end()
    return result


def main():
    need()
    counted, plain, empty_group = (Cgroup(f"fsh-measure-{k}-{os.getpid()}")
                                   for k in ("bench", "plain", "empty"))
    host = Host()
    counting(counted, host)
    empty = start_empty(empty_group)
    servers = [Nginx(g, LOCATIONS, log=False) for g in (counted, plain, empty_group)]
    urls = [f"http://127.0.0.1:{n.port}/v1/orders/1" for n in servers]
    figures, raw = {}, {}
    raw["kernel_time"] = kernel_time(urls[0], urls[2], host, empty)
    figures["http1_ns_per_request"] = round(median(s["ns_per_request"] for s in raw["kernel_time"]), 1)
    raw["throughput"] = throughput(urls[0], urls[1])
    figures["http1_throughput_ratio"] = round(median(s["ratio"] for s in raw["throughput"]), 4)
    figures["requests_per_s"] = round(median(s["with"] for s in raw["throughput"]))
    host.end()
    try:
        raw["agent"] = agent(counted, servers[0])
        figures["agent_cpu_percent"] = round(raw["agent"]["cpu_percent"], 2)
        figures["agent_rss_mib"] = round(raw["agent"]["pss_mib"], 2)
    except (OSError, RuntimeError, ValueError, KeyError) as e:
        print(f"skipped agent_cpu_percent, agent_rss_mib: {e}")
    folder = os.path.join(BUILD, "bench")
    os.makedirs(folder, exist_ok=True)
    for name, content in (("measure.json", {"schema": 1, "figures": figures}),
                          ("measure.raw.json", raw)):
        with open(os.path.join(folder, name), "w") as f:
            json.dump(content, f, indent=1)
    for name, value in figures.items():
        print(f"{name:28} {value}")


main()
