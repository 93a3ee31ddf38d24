# SPDX-License-Identifier: GPL-2.0-or-later
"""test_bad_input.py - what is missing, broken or taken away: a clear word, and the rest goes on."""
import os
import shutil
import subprocess
import time

from harness import FORESHAPE, World, cgroup_dirs, check, finish, need_root, read, wait_for

need_root()
w = World("badin")
CAPPED = f"""version: 1
service: batch
tier: bronze
match: {{ cgroup: {w.group}/batch }}
cpu: {{ floor: 50m, ceiling: 2, mode: cap }}
"""


def degraded():
    return (w.json("status", quiet=True) or {"degraded": []})["degraded"]


def shares():
    d = cgroup_dirs(f"{w.group}/batch")
    return read(os.path.join(d["cpu"], "cpu.shares") if "cpu" in d else
                os.path.join(d["unified"], "cpu.weight"))


def tables():
    """Each file, whether it is good, and what must be said of it."""
    at = [f"{1700000000 + 60 * i}" for i in range(300)]
    rows = [f"{t},{100 + i % 60}\n" for i, t in enumerate(at)]
    head = "time,cpu\n"
    return [
        ("plain", head + "".join(rows), [], None),
        ("crlf", (head + "".join(rows)).replace("\n", "\r\n"), [], None),
        ("blank_lines", head + "\n".join(rows), [], None),
        ("missing_values", head + "".join(rows[:50] + [f"{at[50]},\n"] + rows[51:]), [], None),
        ("gaps", head + "".join(rows[:100] + rows[150:]), [], None),
        ("values_alone", "".join(r.split(",")[1] for r in rows), ["--step", "60s"], None),
        ("by_name", "time,a,cpu\n" + "".join(r.replace(",", ",x,") for r in rows),
         ["--column", "cpu"], None),
        ("letters", head + "".join(rows[:9] + [f"{at[9]},abc\n"] + rows[10:]), [], ":11: not a number"),
        ("letters_as_time", head + "".join(rows[:9] + ["noon,1\n"]), [], ":11: not a time"),
        ("backwards", head + "".join(reversed(rows)), [], "goes back"),
        ("short_row", head + "".join(rows[:9] + [at[9] + "\n"]), [], "too few columns"),
        ("infinite", head + "".join(rows[:9] + [f"{at[9]},inf\n"]), [], "not a number"),
        ("nothing", "", [], "is empty"),
        ("a_header", head, [], "has no rows"),
        ("no_such_column", head + "".join(rows), ["--column", "x"], "no column 'x'"),
        ("no_times", "".join(r.split(",")[1] for r in rows), [], "--step"),
    ]


def backtests_and_replays():
    path, out = os.path.join(w.dir, "in.csv"), os.path.join(w.dir, "out.csv")
    policy = os.path.join(w.policies, "batch.yaml")
    for name, text, options, said in tables():
        with open(path, "w", newline="") as f:
            f.write(text)
        for words in (["forecast", "--train", "2h", "--horizon", "10m", "--stride", "1h"],
                      ["replay", "--policy", policy]):
            r = w.cli(*words, "--csv", path, *options, "--emit", out, "--json")
            good = r.returncode == 0 and "nan" not in read(out) if said is None else \
                r.returncode == 1 and said in r.stderr
            check(f"{words[0]} of {name}", good, f"{r.returncode} {r.stderr}")
    with open(path, "w") as f:
        f.write("time,cpu\n1700000000,1\n")
    r = w.cli("forecast", "--csv", path)
    check("one row is too few to backtest", r.returncode == 1 and "too few" in r.stderr, r.stderr)
    check("and enough to replay", w.cli("replay", "--csv", path, "--policy", policy).returncode == 0, "")
    r = w.cli("replay", "--csv", path, "--policy", policy, "--scale", "1e300")
    check("an absurd scale is refused", r.returncode == 2, r.stdout)


def policies_come_later():
    """Missing, broken at the start, replaced, gone: a reload finds what is there now."""
    shutil.rmtree(w.policies)
    w.start_agent("--enforce")
    check("no policies: observing", w.json("status")["mode"] == "observe", "")
    check("and saying so", any("no policies" in d for d in degraded()), str(degraded()))
    check("there is nothing to enforce", w.cli("enforce").returncode == 2, "")
    os.makedirs(w.policies)
    w.policy("batch", CAPPED)
    check("a directory made later is read", w.cli("reload").returncode == 0 and
          w.service("batch") and not degraded(), str(degraded()))
    w.stop_agent()
    w.policy("batch", CAPPED.replace("bronze", "brnze"))
    w.start_agent("--enforce")
    check("a broken one at the start: observing", w.json("status")["mode"] == "observe" and
          any("batch.yaml:3" in d for d in degraded()), str(degraded()))
    check("and saying that it was to enforce", any("not enforcing" in d for d in degraded()), str(degraded()))
    w.policy("batch", CAPPED)
    check("mended, it is taken", w.cli("reload").returncode == 0 and w.service("batch"), "")
    check("and enforced", w.json("status")["mode"] == "enforce" and not degraded(), str(degraded()))
    os.unlink(w.policies + "/batch.yaml")
    check("a directory empty for a moment: observing", w.cli("reload").returncode == 0 and
          w.json("status")["mode"] == "observe", "")
    w.policy("batch", CAPPED)
    check("and then enforcing again", w.cli("reload").returncode == 0 and
          w.json("status")["mode"] == "enforce", str(degraded()))
    os.rename(w.policies, w.policies + ".old")
    shutil.copytree(w.policies + ".old", w.policies)
    shutil.rmtree(w.policies + ".old")
    check("a directory put in its place is read", w.cli("reload").returncode == 0 and
          w.service("batch"), str(degraded()))
    shutil.rmtree(w.policies)
    r = w.cli("reload")
    check("one that is gone is an error", r.returncode == 1 and degraded(), r.stderr)
    check("and the last good set stays", w.service("batch") is not None, "")
    w.mkdir("policies.d")
    w.policy("batch", CAPPED)
    w.stop_agent()


def shaped_with_history(name, spoil, said, **kw):
    """The agent enforces although its history is of no use, and says so."""
    shutil.rmtree(os.path.dirname(w.db), ignore_errors=True)
    w.mkdir("history")
    spoil()
    w.start_agent("--enforce", **kw)
    idle = w.exec_in("batch", ["sleep", "60"])
    written = wait_for(lambda: cgroup_dirs(f"{w.group}/batch") and
                       shares() not in ("1024", "100"), 10)
    check(f"{name}: shaping goes on", written, w.agent_log()[-300:])
    check(f"{name}: status says so", wait_for(lambda: any(said in d for d in degraded()), 6),
          str(degraded()))
    w.end(idle)
    check(f"{name}: ends well", w.stop_agent() == 0, "")


def garbage():
    with open(w.db, "w") as f:
        f.write("no database " * 4000)


def without_packets():
    """As without CAP_BPF: what needs no packet programs works, status and doctor name the rest."""
    denied = ["setpriv", "--bounding-set", "-bpf,-perfmon,-sys_admin",
              "--inh-caps", "-bpf,-perfmon,-sys_admin"]
    log = open(os.path.join(w.dir, "agent.log"), "a")
    w.agent = w.spawn([*denied, FORESHAPE, "run", "--enforce", "--policies", w.policies, "--db",
                       w.db], stdout=log, stderr=log)
    wait_for(lambda: w.json("status", quiet=True), 10)
    check("status says packets are not counted", any("not counted" in d for d in degraded()),
          str(degraded()))
    idle = w.exec_in("batch", ["sleep", "60"])
    check("weights are written all the same", wait_for(
        lambda: cgroup_dirs(f"{w.group}/batch") and shares() not in ("1024", "100"), 10), "")
    r = subprocess.run([*denied, FORESHAPE, "doctor"], env=w.env, capture_output=True, text=True)
    check("doctor names the capability", r.returncode == 1 and "CAP_BPF is not held" in r.stdout,
          r.stdout)
    w.end(idle)
    w.stop_agent()


def services_come_and_go():
    w.start_agent("--enforce")
    before = w.json("status")["worker_pid"]
    failed = [r for r in (w.exec_in("batch", ["true"]).wait(10) for _ in range(12)) if r]
    check("a group made and removed 12 times", not failed, str(failed))
    time.sleep(1.2)
    check("by the same worker, with nothing left", w.json("status")["worker_pid"] == before and
          not cgroup_dirs(f"{w.group}/batch"), str(degraded()))
    check("which has no complaint", not degraded(), str(degraded()))
    w.stop_agent()


w.policy("batch", CAPPED)
backtests_and_replays()
policies_come_later()
shaped_with_history("a damaged history", garbage, "begins anew")
shaped_with_history("a directory in its place", lambda: os.mkdir(w.db), "open history")
shutil.rmtree(os.path.dirname(w.db))
w.mkdir("history")
without_packets()
services_come_and_go()
finish()
