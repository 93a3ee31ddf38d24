#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line against a made-up agent, and that agent's API against hostile clients."""
import atexit
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from cli_golden import GOLDEN_APIS, GOLDEN_EXPLAIN, GOLDEN_STATUS

FORESHAPE = os.path.abspath(os.environ.get("FORESHAPE", "build/foreshape"))
FAKE = os.path.join(os.path.dirname(FORESHAPE), "tests/agent/fake_agent")
WIDTH = 80
NOBODY = 65534
SLOW = 8 if os.environ.get("FORESHAPE_VM") else 1  # an emulated machine
failed = 0


def check(name, good, why=""):
    global failed
    if good:
        print(f"ok {name}")
    else:
        failed += 1
        print(f"not ok {name}: {why}")
    sys.stdout.flush()


def run(*words, env=None, **more):
    return subprocess.run([FORESHAPE, *words], capture_output=True, text=True, timeout=20 * SLOW,
                          env={**os.environ, "COLUMNS": "", **(env or {})}, **more)


class Agent:
    """A made-up agent in a directory of its own; ends with its standard input."""

    def __init__(self, kind="plain"):
        self.dir = tempfile.mkdtemp(prefix="foreshape-cli-")
        os.chmod(self.dir, 0o755)
        self.process = subprocess.Popen([FAKE, self.dir, kind], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        atexit.register(self.end)
        self.process.stdout.readline()
        self.socket = os.path.join(self.dir, "control.sock")

    def run(self, *words, env=None):
        return run(*words, env={"FORESHAPE_RUN": self.dir, **(env or {})})

    def connect(self, timeout=10):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        s.connect(self.socket)
        return s

    def ask(self, request):
        """The answer to the bytes of a request, until the agent closes."""
        with self.connect() as s:
            try:
                s.sendall(request)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return read_all(s)

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def read_all(s):
    got = b""
    try:
        while True:
            more = s.recv(65536)
            if not more:
                return got
            got += more
    except (ConnectionResetError, socket.timeout):
        return got


def status_of(answer):
    m = re.match(rb"HTTP/1\.[01] (\d+)", answer)
    return int(m[1]) if m else 0


# --- the table of commands ---

def commands():
    return json.loads(run("help", "--json").stdout)["commands"]


def check_table():
    table = commands()
    man, bash = run("_man").stdout, run("completion").stdout
    missing = [c["name"] for c in table if f'.SS "{c["name"]}' not in man]
    check("man page has every command", not missing, missing)
    missing = [c["name"] for c in table if f"\t{c['name']}) options=" not in bash]
    check("completion has every command", not missing, missing)
    bad = []
    for c in table:
        helped = run("help", c["name"])
        again = run(c["name"], "--help")
        if helped.returncode or helped.stdout != again.stdout or \
                c["help"] not in helped.stdout.replace("\n", " "):
            bad.append(c["name"])
        bad += [f"{c['name']} --{o['name']}" for o in c["options"] if f"--{o['name']}" not in helped.stdout]
    check("help shows every command and option", not bad, bad)
    bad = []
    for c in table:
        for name in [o["name"] for o in c["options"] if len(o["name"]) > 3] + ["help"]:
            wrong = name[:-2] + name[-1] + name[-2]
            if wrong in [o["name"] for o in c["options"]] or wrong == name:
                continue
            r = run(c["name"], f"--{wrong}")
            if r.returncode != 2 or "did you mean '--" not in r.stderr:
                bad.append(f"{c['name']} --{wrong}")
    check("misspelt options get a suggestion and exit 2", not bad, bad)
    wide = [line for line in run("help").stdout.splitlines() if len(line) > WIDTH]
    for c in table:
        wide += [line for line in run("help", c["name"]).stdout.splitlines() if len(line) > WIDTH]
    check("help fits 80 columns", not wide, wide)
    r = subprocess.run(["bash", "-n"], input=bash, text=True, capture_output=True)
    check("completion is bash", r.returncode == 0, r.stderr)


def check_completion(agent):
    script = run("completion").stdout + """
PATH=%s:$PATH
COMP_WORDS=(foreshape explain ch); COMP_CWORD=2; _foreshape; echo "${COMPREPLY[@]}"
COMP_WORDS=(foreshape enf); COMP_CWORD=1; _foreshape; echo "${COMPREPLY[@]}"
COMP_WORDS=(foreshape enforce --f); COMP_CWORD=2; _foreshape; echo "${COMPREPLY[@]}"
""" % os.path.dirname(FORESHAPE)
    r = subprocess.run(["bash"], input=script, text=True, capture_output=True,
                       env={**os.environ, "FORESHAPE_RUN": agent.dir})
    check("completion completes", r.stdout.split() == ["checkout", "enforce", "--for"], r.stdout + r.stderr)


def check_man():
    if not shutil.which("man"):
        return
    with tempfile.NamedTemporaryFile("w", suffix=".1") as f:
        f.write(run("_man").stdout)
        f.flush()
        r = subprocess.run(["man", "--warnings", "-l", f.name], capture_output=True, text=True,
                           env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"})
        check("man page is clean roff", r.returncode == 0 and not r.stderr, r.stderr[:300])


# --- answers for people and for programs ---

def check_people(agent):
    for words, golden in ((["status"], GOLDEN_STATUS), (["apis", "checkout"], GOLDEN_APIS),
                          (["explain", "checkout"], GOLDEN_EXPLAIN)):
        r = agent.run(*words)
        check(f"{words[0]} reads as it should", r.returncode == 0 and r.stdout.startswith(golden),
              r.stdout + r.stderr)
    r = agent.run("status", env={"TERM": "xterm"})
    check("no colour off a terminal", "\033" not in r.stdout)
    table = agent.run("apis").stdout.splitlines()
    table += agent.run("forecast", "checkout").stdout.splitlines() + agent.run("explain", "checkout").stdout.splitlines()
    check("tables fit 80 columns", all(len(line) <= WIDTH for line in table), table)
    check_chart(agent)
    check("an empty agent says so", "no services" in empty_status())


def check_chart(agent):
    plain, dots = [agent.run("forecast", "checkout", env={"LC_ALL": locale, "TZ": "UTC"}).stdout
                   for locale in ("C", "C.UTF-8")]
    check("a chart in ASCII", plain.isascii() and "* measured   - median   . 90 % band" in plain
          and "ets 0.75, last 0.25; a period of 20 s; 90% interval held 90.0%" in plain, plain)
    check("demand over the lead", re.search(r"next 30 s:\n.*\nCPUs, peak +0.50 +0.75 +1.10 +1.20 +79.00% ", plain), plain)
    r = agent.run("forecast", "checkout/v1/orders/{id}", "--json", "--svg", picture := os.path.join(agent.dir, "chart.svg"))
    with open(picture) as f:
        check("a picture beside the JSON", json.loads(r.stdout)["schema"] == 1 and "requests/s" in f.read(), r.stderr)
    check("a chart in Unicode", "\u2500" in dots and "\u2591" in dots and " UTC\n" in dots, dots)


def empty_status():
    agent = Agent("empty")
    out = agent.run("status").stdout
    agent.end()
    return out


def check_json(agent):
    calls = [["status"], ["apis"], ["apis", "checkout"], ["explain", "checkout"], ["forecast", "checkout"],
             ["forecast", "checkout/v1/orders/{id}"], ["forecast", "checkout", "--horizon", "5m"], ["doctor"],
             ["help"], ["version"], ["reload"], ["observe"], ["enforce", "--for", "30m"], ["freeze"],
             ["freeze", "--off"], ["adopt", "checkout"], ["yield", "checkout"], ["yield", "--all"],
             ["event", "list"], ["event", "remove", "9"]]
    bad = []
    for words in calls:
        r = agent.run(*words, "--json")
        try:
            if json.loads(r.stdout)["schema"] != 1 or len(r.stdout.splitlines()) != 1:
                bad.append((words, "schema"))
        except (ValueError, KeyError) as e:
            bad.append((words, str(e), r.stderr))
    check("every --json is one line with schema 1", not bad, bad)


def check_codes(agent):
    gone = tempfile.mkdtemp(prefix="foreshape-cli-")
    for words in (["status"], ["reload"], ["explain", "x"]):
        r = run(*words, env={"FORESHAPE_RUN": gone})
        said = f"no agent answers at {gone}/control.sock; start one with 'foreshape run'"
        check(f"{words[0]} without an agent exits 69", r.returncode == 69 and said in r.stderr, r.stderr)
    with open(os.path.join(gone, "control.sock"), "w"):
        pass
    check("a file in the socket's place is no agent",
          run("status", env={"FORESHAPE_RUN": gone}).returncode == 69)
    shutil.rmtree(gone)
    r = agent.run("enforce", "--for", "30m")
    check("a time for what lasts anyway has no end", r.returncode == 0 and "no end was set" in r.stdout, r.stdout)
    r = agent.run("event", "remove", "9")
    check("an event is removed", r.returncode == 0 and "event removed" in r.stdout, r.stdout + r.stderr)
    r = agent.run("event", "remove", "8")
    check("an unknown event is named", r.returncode == 1 and "no event 8" in r.stderr, r.stderr)
    r = agent.run("adopt", "nobody")
    check("an unknown service is named", r.returncode == 1 and "'nobody'" in r.stderr, r.stderr)
    r = subprocess.run([FORESHAPE, "help"], stdout=open("/dev/full", "w"), stderr=subprocess.PIPE, text=True)
    check("a full standard output is a failure", r.returncode == 1 and "No space" in r.stderr, r.stderr)


def check_impostors():
    """What is no agent behind the socket: silence, garbage, half an answer, an endless one."""
    answers = {
        "garbage": b"\x00\xff" * 50,
        "half an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        "no JSON": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "nothing": b"",
    }
    for name, bytes_sent in answers.items():
        with tempfile.TemporaryDirectory(prefix="foreshape-cli-") as d, socket.socket(socket.AF_UNIX) as s:
            s.bind(os.path.join(d, "control.sock"))
            s.listen(1)

            def serve():
                c, _ = s.accept()
                c.recv(4096)
                c.sendall(bytes_sent)
                c.close()
            t = threading.Thread(target=serve, daemon=True)
            t.start()
            r = run("status", env={"FORESHAPE_RUN": d})
            check(f"{name} is an error in one line", r.returncode == 1 and len(r.stderr.splitlines()) == 1,
                  r.stderr)
            t.join(2)
    with tempfile.TemporaryDirectory(prefix="foreshape-cli-") as d, socket.socket(socket.AF_UNIX) as s:
        s.bind(os.path.join(d, "control.sock"))
        s.listen(1)
        start = time.monotonic()
        r = run("status", env={"FORESHAPE_RUN": d})
        took = time.monotonic() - start
        check("silence ends after 5 s", r.returncode == 1 and 4 < took < 5 + 4 * SLOW and "5 s" in r.stderr,
              f"{took:.1f} s {r.stderr}")


# --- the API against hostile clients ---

def check_rights(agent):
    if os.geteuid() != 0:
        return

    def as_nobody(*words):
        return subprocess.run([sys.executable, "-c", AS_NOBODY, agent.socket, *words], user=NOBODY,
                              group=NOBODY, extra_groups=[], capture_output=True)
    for method, path, expected in (("GET", "/v1/status", 200), ("POST", "/v1/reload", 403),
                                   ("POST", "/v1/restore", 403), ("DELETE", "/v1/events?id=9", 403)):
        r = as_nobody(method, path)
        check(f"{method} {path} by nobody is {expected}", status_of(r.stdout) == expected, r.stdout + r.stderr)


AS_NOBODY = """
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendall(f"{sys.argv[2]} {sys.argv[3]} HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2\\r\\n\\r\\n{{}}".encode())
sys.stdout.buffer.write(s.recv(65536))
"""


def check_hostile(agent):
    before = agent.open_files()
    big = b"POST /v1/mode HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n" + b"x" * 1048576
    check("a body of 1 MB is refused", status_of(agent.ask(big)) == 413)
    chunks = b"".join(b"1000\r\n" + b"x" * 4096 + b"\r\n" for _ in range(64)) + b"0\r\n\r\n"
    answer = agent.ask(b"POST /v1/mode HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    check("a body that grows too large is cut off", status_of(answer) != 200, answer[:80])
    check("a head of 1 MB is refused",
          status_of(agent.ask(b"GET / HTTP/1.1\r\nX: " + b"y" * 1048576 + b"\r\n\r\n")) != 200)
    deep = b'{"service":' + b"[" * 30000 + b"]" * 30000 + b"}"
    answer = agent.ask(b"POST /v1/adopt HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(deep) + deep)
    check("JSON nested 30,000 deep is refused", status_of(answer) == 400, answer[:80])
    for garbage in (b"\x00" * 4096, b"\xff\xfe\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01" * 20,
                    b"GET /v1/status%00%ff?service=%zz HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        agent.ask(garbage)
    check("it answers after garbage", agent.run("status").returncode == 0)
    check_slow(agent)
    check_many(agent)
    check_flood(agent)
    deadline = time.monotonic() + 8 * SLOW
    while agent.open_files() > before and time.monotonic() < deadline:
        time.sleep(0.2)
    check("no connection is left behind", agent.open_files() <= before, f"{before} -> {agent.open_files()}")


def check_slow(agent):
    """A client that drips one byte a second is shown out; others are answered meanwhile."""
    with agent.connect() as s:
        start = time.monotonic()
        answered = 0
        try:
            for byte in b"GET /v1/status HTTP/1.1\r\nX: " + b"a" * 20:
                s.sendall(bytes([byte]))
                answered += agent.run("status").returncode == 0
                time.sleep(1)
                if time.monotonic() - start > 12 * SLOW:
                    break
        except (BrokenPipeError, ConnectionResetError):
            pass
        took = time.monotonic() - start
        check("a dripping client is shown out within 8 s", took < 8 * SLOW, f"{took:.1f} s")
        check("others are answered meanwhile", answered >= (4 if SLOW == 1 else 2), answered)


def check_many(agent):
    """64 idle connections: those it takes end after 2 s, and then it answers."""
    idle = []
    try:
        for _ in range(64):
            s = socket.socket(socket.AF_UNIX)
            s.setblocking(False)
            try:
                s.connect(agent.socket)
            except BlockingIOError:
                pass
            idle.append(s)
        start = time.monotonic()
        r = None
        while time.monotonic() - start < 12 * SLOW and (r is None or r.returncode != 0):
            r = agent.run("status")
        took = time.monotonic() - start
        check("64 idle connections do not keep it", r.returncode == 0, f"{took:.1f} s {r.stderr}")
        print(f"# answered after {took:.1f} s behind 64 idle connections")
    finally:
        for s in idle:
            s.close()


FLOOD = """
import socket, sys, time
held = []
for _ in range(64):
    s = socket.socket(socket.AF_UNIX); s.setblocking(False)
    try: s.connect(sys.argv[1])
    except BlockingIOError: pass
    held.append(s)
print("held", flush=True)
sys.stdin.read()
"""


def check_flood(agent):
    """64 idle connections of another user leave root its places."""
    if os.geteuid() != 0:
        return
    with subprocess.Popen([sys.executable, "-c", FLOOD, agent.socket], user=NOBODY, group=NOBODY,
                          extra_groups=[], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as flood:
        flood.stdout.readline()
        start = time.monotonic()
        r = agent.run("status")
        took = time.monotonic() - start
        check("another user's flood does not keep root out", r.returncode == 0 and took < SLOW,
              f"{took:.1f} s {r.stderr}")
        flood.stdin.close()


def check_size():
    agent = Agent("many")
    start = time.monotonic()
    status = json.loads(agent.run("status", "--json").stdout)
    check("256 services are shown", len(status["services"]) == 256)
    metrics = agent.ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    check("their metrics too", status_of(metrics) == 200 and metrics.count(b"foreshape_api_requests_total{") == 512)
    print(f"# {time.monotonic() - start:.2f} s, metrics {len(metrics)} bytes")
    agent.end()


def check_metrics(agent):
    answer = agent.ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    text = answer.split(b"\r\n\r\n", 1)[1].decode()
    bad = [line for line in text.splitlines()
           if not re.fullmatch(r'# (HELP|TYPE) foreshape_\w+ .+|foreshape_\w+(\{(\w+="([^"\\]|\\.)*",?)+\})? '
                               r"(\+Inf|-?[0-9.e+-]+)", line)]
    check("metrics are Prometheus text", not bad, bad[:3])
    burns = [line.split("{", 1)[1] for line in text.splitlines() if line.startswith("foreshape_slo_burn_rate{")]
    check("burn rates by route and window, those known", burns == [
        'service="checkout",window="fast"} 0.9', 'service="checkout",window="slow"} 0.8',
        'service="checkout",route="POST /v1/orders/{id}",window="slow"} 1.4'], burns)
    left = [line[len("foreshape_left_"):] for line in text.splitlines() if line.startswith("foreshape_left_")]
    check("what is left for bronze, where known", left == [
        "cpu_cores 1.24", "unused_cpu_cores 0.62", f"memory_bytes {7 << 29}", f"unused_memory_bytes {3 << 30}",
        'link_bytes_per_second{interface="eth0"} 10000000',
        'unused_link_bytes_per_second{interface="eth0"} 2500000'], left)
    promtool = shutil.which("promtool") or os.environ.get("PROMTOOL")
    if promtool:
        r = subprocess.run([promtool, "check", "metrics"], input=text, text=True, capture_output=True)
        check("promtool finds nothing", r.returncode == 0, r.stdout + r.stderr)


def check_doctor():
    start = time.monotonic()
    r = run("doctor", "--json")
    took = time.monotonic() - start
    found = json.loads(r.stdout)
    check("doctor runs at least 30 checks in less than 1 s", len(found["checks"]) >= 30 and took < SLOW,
          f"{len(found['checks'])} in {took:.2f} s")
    check("its exit code is 1 only where something is broken", r.returncode == (1 if found["broken"] else 0))
    bare = [c["name"] for c in found["checks"] if c["state"] != "ok" and not (c["cause"] and c["fix"])]
    check("what is wrong has cause and fix", not bare, bare)
    with tempfile.TemporaryDirectory(prefix="foreshape-cli-") as d:
        with open(os.path.join(d, "a.yaml"), "w") as f:
            f.write("version: 1\nservice: a\ntier: golden\nmatch: { cgroup: /a }\n")
        os.chmod(os.path.join(d, "a.yaml"), 0o644)
        r = run("doctor", "--policies", d)
        check("a broken policy is broken, with its line", r.returncode == 1 and "a.yaml:3" in r.stdout, r.stdout)
    if os.geteuid() == 0:
        with tempfile.TemporaryDirectory(prefix="foreshape-cli-") as d:
            os.chmod(d, 0o755)
            copy = shutil.copy(FORESHAPE, d)
            r = subprocess.run([copy, "doctor"], user=NOBODY, group=NOBODY, extra_groups=[],
                               capture_output=True, text=True)
            check("without rights it names what is missing",
                  r.returncode == 1 and re.search(r"broken +root ", r.stdout) and
                  re.search(r"broken +cap-bpf ", r.stdout), r.stdout + r.stderr)


def check_restore_answer():
    agent = Agent("slow")
    start = time.monotonic()
    answer = agent.ask(b"POST /v1/restore HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    if os.geteuid() == 0:
        check("a restore answers when it is done",
              b'"restored":3' in answer and time.monotonic() - start > 0.5, answer)
    agent.end()


def main():
    for program in (FORESHAPE, FAKE):
        if not os.access(program, os.X_OK):
            print(f"{program} is not built")
            return 77
    check_table()
    check_man()
    agent = Agent()
    check_completion(agent)
    check_people(agent)
    check_json(agent)
    check_codes(agent)
    check_metrics(agent)
    check_rights(agent)
    check_hostile(agent)
    agent.end()
    check_size()
    check_restore_answer()
    check_impostors()
    check_doctor()
    return 1 if failed else 0


sys.exit(main())
