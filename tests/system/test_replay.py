#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Not in the VM: it computes, the same on every kernel
"""foreshape replay: the planner over recorded CPU use, judged by its own output."""
import csv
import datetime
import json
import os
import pty
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

BIN = os.environ.get("FORESHAPE", "build/foreshape")
DRIVER = os.environ.get("STORE_DRIVER", os.path.join(os.path.dirname(BIN), "tests/agent/store_driver"))
STEP_S = 60
START = 1700000000
failed = 0

CAP = """version: 1
service: trace
tier: gold
match: { cgroup: /trace }
cpu: { mode: cap, floor: 100m }
forecast: { lead: 3min, quantile: 0.99 }
"""
RESERVE = CAP.replace("mode: cap", "mode: reserve")


def check(name, ok, why=""):
    global failed
    print(f"ok {name}" if ok else f"not ok {name}: {why}", flush=True)
    failed += not ok


def replay(*args, timeout=60):
    return subprocess.run([BIN, "replay", *args], capture_output=True, text=True,
                          timeout=timeout, check=False)


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def trace(path, values, times=True):
    lines = ["time,cpu"] if times else []
    for i, v in enumerate(values):
        cell = "" if v is None else f"{v:.6f}"
        lines.append(f"{START + i * STEP_S},{cell}" if times else cell)
    return write(path, "\n".join(lines) + "\n")


def rows(path):
    with open(path, encoding="utf-8") as f:
        return list(csv.DictReader(f))


def square(hours, rng, period=60):
    """Each hour 15 minutes of 1.5 CPUs, else 0.3, in CPUs."""
    return [(1.5 if i % period >= 40 and i % period < 55 else 0.3) * rng.uniform(0.95, 1.05)
            for i in range(hours * 60)]


def run_pair(d, values, policy, name):
    """Runs it and returns (summary, rows)."""
    out = os.path.join(d, name + ".out.csv")
    r = replay("--csv", trace(os.path.join(d, name + ".csv"), values), "--scale", "1000",
               "--policy", policy, "--json", "--emit", out)
    if r.returncode != 0:
        print(r.stderr, file=sys.stderr)
        return None, []
    return json.loads(r.stdout), rows(out)


def summary_agrees(s, steps):
    used = [float(r["used_mcpu"]) for r in steps]
    limit = [float(r["limit_mcpu"]) for r in steps]
    slack = 1 - sum(used) / sum(limit)
    over = sum(u > l for u, l in zip(used, limit))
    return (abs(s["slack"] - slack) < 1e-4 and s["violation_steps"] == over
            and abs(s["used_mean_mcpu"] - sum(used) / len(used)) < 0.01
            and s["schema"] == 1 and s["steps"] == len(steps))


def test_objective(d):
    """What is expected of an objective: more of it under more of a limit, and a line where it is not known."""
    slo = "slo: { objective: 99.9%, latency: 100ms, window: 1h }\n"
    values = square(12, random.Random(11))
    used = trace(os.path.join(d, "slo.csv"), values)
    high, low = [write(os.path.join(d, f"slo{c}.yaml"), CAP.replace("floor: 100m", f"ceiling: {c}") + slo)
                 for c in ("8", "1200m")]
    base = ["--csv", used, "--scale", "1000", "--skip", "2h"]
    s = [json.loads(replay(*base, p, "--json", "--request-cost", "3ms").stdout) for p in (high, low)]
    check("expected_by_the_limit", 0.9 < s[0]["slo_expected"] <= 1 and 0.05 < s[1]["slo_expected"] < 0.7,
          [x["slo_expected"] for x in s])
    slow = json.loads(replay(*base, high, "--json", "--request-cost", "150ms").stdout)
    check("nothing_is_in_time_that_takes_longer", slow["slo_expected"] == 0, slow)
    text = replay(*base, high, "--request-cost", "3ms").stdout
    check("expected_for_people", f"{100 * s[0]['slo_expected']:.3f} % expected within 100 ms, of 99.900 %" in text, text)
    text = replay(*base, "--compare", high, low, "--request-cost", "3ms").stdout
    check("expected_of_both", "EXPECTED" in text and all(f"{100 * x['slo_expected']:.3f} %" in text for x in s), text)
    text = replay(*base, high).stdout
    check("a_cost_is_asked_for", "say --request-cost" in text, text)
    r = replay(*base, high, "--request-cost", "3")
    check("error_cost_without_unit", r.returncode == 2 and "--request-cost" in r.stderr, r.stderr)


def rises_before(steps, period=60, peak=40):
    """Share of hours from the fourth on whose limit was enough before the peak began."""
    met = hours = 0
    for start in range(3 * period, len(steps) - period, period):
        hours += 1
        met += float(steps[start + peak]["limit_mcpu"]) >= 1400
    return met / hours


def test_output(d, cap, reserve):
    values = square(24, random.Random(1))
    s, steps = run_pair(d, values, cap, "square")
    check("summary", s is not None and summary_agrees(s, steps), s)
    check("a_row_a_step", len(steps) == len(values)
          and [int(r["time"]) for r in steps[:3]] == [START, START + 60, START + 120])
    check("no_empty_limit", all(float(r["limit_mcpu"]) >= 100 and r["reason"] for r in steps))
    early = rises_before(steps)
    check("raised_before_recurring_peaks", early >= 0.9, f"{early:.2f} of the hours")
    again = run_pair(d, values, cap, "again")[1]
    check("same_every_time", again == steps)
    cut = run_pair(d, values[:700], cap, "cut")[1]
    changed = run_pair(d, values[:700] + [9.0] + values[701:], cap, "changed")[1]
    check("decided_from_the_past_alone", cut == steps[:700]
          and [r["limit_mcpu"] for r in changed[:701]] == [r["limit_mcpu"] for r in steps[:701]]
          and changed[701]["limit_mcpu"] != steps[701]["limit_mcpu"])
    s, steps = run_pair(d, values, reserve, "reserve")
    check("reserve_mode_scores_the_plan", s is not None and summary_agrees(s, steps)
          and 0 < s["slack"] < 0.9, s)


def test_several(d, cap, reserve):
    """Each of several policies does what it does alone, in the same call."""
    used = trace(os.path.join(d, "many.csv"), square(12, random.Random(5)))
    low = write(os.path.join(d, "low.yaml"), CAP.replace("0.99", "0.5"))
    base = ["--csv", used, "--scale", "1000", "--json"]
    alone = [json.loads(replay(*base, "--policy", p).stdout) for p in (cap, reserve, low)]
    for name, words in (("options", ["--policy", cap, "--policy", reserve, "--policy", low]),
                        ("words", [cap, reserve, low]), ("both", ["--policy", cap, reserve, low])):
        r = json.loads(replay(*base, *words).stdout)
        check(f"several_by_{name}", r["schema"] == 1 and "compare" not in r and len(r["policies"]) == 3 and all(
            one[k] == many[k] for one, many in zip(alone, r["policies"]) for k in one
            if k not in ("schema", "steps_per_s", "times_real_time")), r)
    s, steps = alone[0], run_pair(d, square(12, random.Random(5)), cap, "many2")[1]
    limit = [float(r["limit_mcpu"]) for r in steps]
    check("cost_in_core_hours", abs(s["reserved_core_h"] - sum(limit) / 60000) < 1e-3
          and abs(s["used_core_h"] - sum(float(r["used_mcpu"]) for r in steps) / 60000) < 1e-3, s)
    check("minutes_with_too_little", s["short_minutes"] == s["violation_steps"] and s["slo_expected"] is None, s)
    text = replay(*base[:-1], cap, low).stdout
    check("a_row_a_policy", "low.yaml" in text and "cap.yaml" in text and "CORE-HOURS" in text, text)


HOST = {"api": ("gold", 1), "batch": ("bronze", 2), "web": ("silver", 3)}


def make_host(d, name, floor="100m"):
    """A directory of policies of three services that together want more than 3 CPUs at times."""
    path = os.path.join(d, name)
    os.mkdir(path)
    for service, (tier, _) in HOST.items():
        write(os.path.join(path, service + ".yaml"),
              f"version: 1\nservice: {service}\ntier: {tier}\nmatch: {{ cgroup: /{service} }}\n"
              f"cpu: {{ mode: cap, floor: {floor} }}\nforecast: {{ lead: 3min }}\n")
    return path


def test_host(d, cap):
    """Several services of one host, planned together: tiers, the sources they may come from, comparison."""
    one, two = make_host(d, "one"), make_host(d, "two", "900m")
    loads = {s: square(12, random.Random(seed)) for s, (_, seed) in HOST.items()}
    steps = len(loads["api"])
    files = {s: trace(os.path.join(d, s + ".host.csv"), v) for s, v in loads.items()}
    named = [w for s in HOST for w in ("--csv", f"{s}={files[s]}")]
    wide = write(os.path.join(d, "wide.csv"), "time," + ",".join(HOST) + "\n" + "".join(
        f"{START + i * STEP_S}," + ",".join(f"{loads[s][i]:.6f}" for s in HOST) + "\n" for i in range(steps)))
    base = ["--scale", "1000", "--cpus", "3", "--json"]
    emit = os.path.join(d, "host.out.csv")
    r = replay(*named, *base, one, "--emit", emit)
    host = json.loads(r.stdout or '{"policies": [{"services": []}]}')["policies"][0]
    check("a_host", r.returncode == 0 and [s["service"] for s in host["services"]] == list(HOST)
          and host["steps"] == steps, r.stdout + r.stderr)
    decided = rows(emit)
    check("steps_of_all_services", len(decided) == 3 * steps and
          [s["service"] for s in decided[:4]] == ["api", "batch", "web", "api"], decided[:4])
    of = {s["service"]: s for s in host["services"]}
    for s in HOST:
        mine = [row for row in decided if row["service"] == s]
        check(f"summary_of_{s}", summary_agrees({**of[s], "schema": 1}, mine), of[s])
    alone = run_pair(d, loads["batch"], write(os.path.join(d, "b.yaml"), CAP.replace("gold", "bronze")), "b")[0]
    late = [r for r in decided if r["service"] == "batch"][steps // 2:]
    check("bronze_yields", of["batch"]["violations"] > 0.05 > alone["violations"]
          and 0.02 < host["contended_steps"] / steps < 0.9 and min(float(r["limit_mcpu"]) for r in late) < 1000
          and of["api"]["violations"] < 0.1, (of["batch"], host["contended_steps"], alone))
    speed = ("steps_per_s", "times_real_time")

    def told(*args):
        p = replay(*args)
        found = json.loads(p.stdout or '{"policies": []}')["policies"]
        for policy in found:
            for entry in [policy, *policy["services"]]:
                for k in ("policy", "missing", *speed):
                    entry.pop(k, None)
        return found or p.stderr

    same = told(*named, *base, one)
    check("one_file_of_all", told("--csv", wide, *base, one) == same, "")
    apart = told(*named, *base, *(os.path.join(one, s + ".yaml") for s in HOST))
    check("files_of_one_host", apart == same, (apart, same))
    r = replay(*named, *base, "--compare", one, two)
    c = json.loads(r.stdout or '{"compare": []}')["compare"]
    check("hosts_compared", [x["service"] for x in c] == list(HOST) and all(
        0 < x["steps_differ"] < steps and x["compared"] == steps for x in c), r.stdout[-2000:] + r.stderr)
    r = replay(*named, *base[:-1], "--compare", one, two)
    check("hosts_for_people", all(w in r.stdout for w in ("SERVICE", "contention ", "api: limits differ", "bronze")),
          r.stdout)
    r = replay(*named, *base[:-1], one, two, "--svg", os.path.join(d, "host.svg"), "--service", "web")
    check("one_of_a_host_drawn", r.returncode == 0 and len(paths(os.path.join(d, "host.svg"))["#e8590c"][0]) > 100,
          r.stderr)
    part = [f"{s}={p}" for s, p in files.items()]
    later = "".join(f"{START + (i + 100) * STEP_S},{v}\n" for i, v in enumerate(loads["web"]))
    part[2] = "web=" + write(os.path.join(d, "later.csv"), "time,cpu\n" + later)
    r = replay(*(w for p in part for w in ("--csv", p)), *base, one)
    s = json.loads(r.stdout or '{"policies": [{"services": []}]}')["policies"][0]["services"]
    check("put_side_by_side_by_time", [x["steps"] for x in s] == [steps + 100] * 3 and
          [x["missing"] for x in s] == [100] * 3, r.stdout + r.stderr)
    hours = write(os.path.join(d, "hours.csv"), "time,cpu\n" + "".join(
        f"{START + 3600 * i},1\n" for i in range(20)))
    for name, args, says in [
            ("unnamed_service", named[:4] + [one], "--csv web=FILE"),
            ("unknown_service", [*named, "--csv", f"db={hours}", one], "no policy has service 'db'"),
            ("no_name", ["--csv", hours, "--csv", hours, cap], "NAME=FILE"),
            ("other_steps", [*named[:4], "--csv", f"web={hours}", one], "--step"),
            ("mixed", [*named, one, cap], "directories"),
            ("draw_which", [*named, one, "--svg", os.path.join(d, "no.svg")], "--service"),
            ("draw_nobody", [*named, one, "--service", "x"], "no policy has service 'x'")]:
        r = replay(*args)
        check("error_host_" + name, r.returncode == 2 and says in r.stderr, f"exit {r.returncode}: {r.stderr}")


def differing(one, two):
    """(steps, stretches, length of the longest) in which limits differ by more than 10 %."""
    signs = [(a > 1.1 * b) - (b > 1.1 * a) for a, b in zip(one, two)]
    runs, length = [], 0
    for i, s in enumerate(signs):
        length = length + 1 if i and s == signs[i - 1] else 1
        if s and (i + 1 == len(signs) or signs[i + 1] != s):
            runs.append(length)
    return sum(map(bool, signs)), len(runs), max(runs)


def test_compare(d, cap):
    values = square(24, random.Random(6))
    low = write(os.path.join(d, "lower.yaml"), CAP.replace("0.99", "0.6"))
    one, two = [run_pair(d, values, p, n)[1] for p, n in ((cap, "cmp1"), (low, "cmp2"))]
    base = ["--csv", os.path.join(d, "cmp1.csv"), "--scale", "1000"]
    r = replay(*base, "--compare", cap, low, "--json")
    c = json.loads(r.stdout)["compare"]
    limits = [[float(s["limit_mcpu"]) for s in steps] for steps in (one, two)]
    check("compare_counts", (c["steps_differ"], c["stretches"], c["longest"][0]["steps"]) == differing(*limits)
          and c["compared"] == len(values), c)
    first = c["longest"][0]
    at = [s["time"] for s in one].index(first["from"])
    there = range(at, at + first["steps"])
    check("compare_tells_where_and_why", one[there[-1]]["time"] == first["to"] and all(
        abs(first["limits_mean_mcpu"][k] - sum(limits[k][i] for i in there) / len(there)) < 1
        and first["reasons"][k] in {steps[i]["reason"] for i in there} for k, steps in ((0, one), (1, two)))
        and abs(first["used_mean_mcpu"] - sum(float(one[i]["used_mcpu"]) for i in there) / len(there)) < 0.1, first)
    text = replay(*base, "--compare", "--policy", cap, "--policy", low).stdout
    check("compare_for_people", f"A is {cap}\n" in text and f"B is {low}\n" in text and "WHY B" in text
          and f"in {c['steps_differ']} of {len(values)} steps" in text, text)
    c = json.loads(replay(*base, "--compare", cap, cap, "--json").stdout)["compare"]
    check("equal_policies_do_not_differ", c["steps_differ"] == 0 and c["longest"] == [], c)


def paths(svg):
    """{stroke or fill: [path]} of a picture."""
    ns = "{http://www.w3.org/2000/svg}"
    found = {}
    for p in xml.etree.ElementTree.parse(svg).iter(ns + "path"):
        found.setdefault(p.get("stroke") or p.get("fill"), []).append(p.get("d"))
    return found


def test_picture(d, cap):
    """Long recordings keep their peaks and shortages in a picture that stays small."""
    svg, emit = os.path.join(d, "long.svg"), os.path.join(d, "long.out.csv")
    values = square(200, random.Random(8))
    values[7000] = 3.0  # one step of 12,000
    used = trace(os.path.join(d, "long.csv"), values)
    r = replay("--csv", used, "--scale", "1000", cap, "--svg", svg, "--emit", emit)
    check("picture_drawn", r.returncode == 0, r.stderr)
    steps, drawn = rows(emit), paths(svg)
    with open(svg, encoding="utf-8") as f:
        text = f.read()
    check("picture_is_small", len(text) < 200000, len(text))
    check("picture_says_what_it_shows", all(word in text for word in (
        ">used<", ">limit<", ">too little<", "median<", "CPUs", "slack", "writes of the limit")), text[:2000])
    # 316 high from 92 on; the axis goes from 0 to the round number that has the least y.
    ys = [float(y) for y in re.findall(r"[ V]([0-9.]+)", drawn["#1f2933"][0])]
    top = max(float(t) for t in re.findall(r'text-anchor="end">([0-9.]+)<', text))
    peak = (92 + 316 - min(ys)) / 316 * top
    check("the_one_peak_is_there", abs(peak - 3.0) < 0.02, peak)
    short = {i * 850 // len(steps) for i, s in enumerate(steps) if float(s["used_mcpu"]) > float(s["limit_mcpu"])}
    check("each_span_with_too_little_is_marked", len(short) > 0 and
          drawn["#e03131"][0].count("v7") == len(short), f"{len(short)} {drawn['#e03131']}")
    limit = drawn["#7048e8"][0]
    check("a_limit_is_steps", re.fullmatch(r"(M[0-9. ]+h0|[HV][0-9.]+)+", limit), limit[:200])
    other = write(os.path.join(d, "other.yaml"), CAP.replace("0.99", "0.5"))
    r = replay("--csv", used, "--scale", "1000", cap, other, "--svg", svg)
    check("two_limits_in_one_picture", r.returncode == 0 and len(paths(svg)["#e8590c"][0]) > 1000, r.stderr)
    r = replay("--csv", trace(os.path.join(d, "none.csv"), [None] * 60), cap, "--svg", svg)
    check("a_picture_of_nothing", r.returncode == 0 and "#e03131" not in paths(svg), r.stderr)
    r = subprocess.run(["make", "-s", "plot", f"BUILD={os.path.dirname(BIN)}", f"CSV={used}", f"POLICY={cap}",
                        f"OUT={svg}", "ARGS=--scale 1000", "-o", BIN], capture_output=True, text=True,
                       timeout=60, check=False)
    check("make_plot", r.returncode == 0 and ">limit<" in open(svg, encoding="utf-8").read(), r.stderr)


def test_progress(d, cap):
    """On a terminal a bar, which ends gone; elsewhere nothing."""
    used = trace(os.path.join(d, "bar.csv"), square(24, random.Random(7)))
    words = ["--csv", used, "--scale", "1000", cap, cap]
    master, slave = pty.openpty()
    p = subprocess.run([BIN, "replay", *words], stdout=subprocess.DEVNULL, stderr=slave, timeout=60, check=False)
    os.close(slave)
    seen = b""
    try:
        while more := os.read(master, 65536):
            seen += more
    except OSError:  # all is read and nobody holds the other end
        pass
    os.close(master)
    shown = [int(n) for n in re.findall(rb"(\d+) %", seen)]
    check("a_bar_on_a_terminal", p.returncode == 0 and len(set(shown)) > 50 and shown == sorted(shown)
          and seen.endswith(b" \r"), seen[-200:])
    check("no_bar_elsewhere", replay(*words).stderr == "")


def history(path, values, routes=False):
    """A history with these seconds, in CPUs, of service trace; None: nothing was sampled."""
    subprocess.run([DRIVER, path, "write", "0"], check=True, timeout=30)
    db = sqlite3.connect(path)
    db.execute("INSERT INTO series VALUES (1, 'trace', ''), (2, 'trace', 'GET /a')")
    db.executemany("INSERT INTO service_sample (step_s, at_real_s, series, seconds, cpu_mcpu) VALUES (1, ?, 1, 1, ?)",
                   [(START + i, v * 1000) for i, v in enumerate(values) if v is not None])
    if routes:
        db.execute("UPDATE service_sample SET tx_bits_per_s = 8000, memory_bytes = 1e8, psi_cpu = 0")
        db.executemany("INSERT INTO route_sample (step_s, at_real_s, series, seconds, requests, responses_1xx,"
                       " responses_2xx, responses_3xx, responses_4xx, responses_5xx, aborted, bytes_in, bytes_out)"
                       " VALUES (1, ?, 2, 1, ?, 0, ?, 0, 0, 0, 0, 1, 1)",
                       [(START + i, int(v * 100), int(v * 100)) for i, v in enumerate(values)])
        db.execute("INSERT INTO slo_sample VALUES (?, 1, 0.99, 1000, 0.995, 0.5)", (START + 60,))
    db.commit()
    db.close()
    return path


def test_history(d, cap):
    """What only the history's CPU says is the same as a CSV of it; what else it holds is used."""
    values = square(30, random.Random(9))[:1800]
    db = history(os.path.join(d, "h.db"), values)
    emits = [os.path.join(d, n) for n in ("h.csv", "c.csv")]
    lines = "".join(f"{START + i},{v:.9f}\n" for i, v in enumerate(values))
    used = write(os.path.join(d, "seconds.csv"), "time,cpu\n" + lines)
    r = replay("--db", db, "--policy", cap, "--json", "--emit", emits[0])
    replay("--csv", used, "--scale", "1000", "--policy", cap, "--emit", emits[1])
    s = json.loads(r.stdout or "{}")
    check("replays_a_history", r.returncode == 0 and s["steps"] == 1800 and s["slo_recorded"] is None
          and s["slo_expected"] is None, r.stdout + r.stderr)
    one, two = rows(emits[0]), rows(emits[1])
    check("cpu_alone_is_as_a_csv", len(one) == 1800 and [(r["limit_mcpu"], r["reason"]) for r in one]
          == [(r["limit_mcpu"], r["reason"]) for r in two], one[-1])
    check("with_its_times", one[60]["time"] == "2023-11-14T22:14:19Z", one[60])  # the second that ended at :20
    r = replay("--db", db, "--policy", cap, "--json", "--from", str(START + 600), "--to", "2023-11-14T22:33:19Z")
    check("a_range_of_it", json.loads(r.stdout)["steps"] == 600, r.stdout)
    rich = history(os.path.join(d, "rich.db"), values, routes=True)
    apis = write(os.path.join(d, "apis.yaml"), CAP + "apis: [{ route: GET /a }]\nslo: { objective: 99%, latency: 1ms, "
                 "window: 1h }\n")
    r = replay("--db", rich, "--policy", apis, "--json")
    s = json.loads(r.stdout or "{}")
    check("the_objective_when_recorded", s.get("slo_recorded") ==
          {"objective": 0.99, "attained": 0.995, "worst": 0.995}, r.stdout + r.stderr)
    routes = write(os.path.join(d, "routes.yaml"), CAP + "apis: [{ route: GET /a }]\n")
    s, bare = (json.loads(replay("--db", of, "--policy", routes, "--json").stdout) for of in (rich, db))
    check("requests_are_used", s.get("limit_mean_mcpu", 0) > 0 and s["limit_mean_mcpu"] != bare["limit_mean_mcpu"], s)
    text = replay("--db", rich, apis).stdout
    check("and_told", "recorded      99.500 % of 99.000 % when it was recorded" in text, text)
    loose = write(os.path.join(d, "loose.yaml"), CAP.replace("floor: 100m", "ceiling: 1200m") + "apis: [{ route: GET /a }]\nslo: { objective: 99%, latency: "
                  "300ms, window: 1h }\n")
    s = json.loads(replay("--db", rich, loose, "--json").stdout)
    check("costs_are_learned_for_the_objective", 0.05 < s["slo_expected"] < 0.95, s)
    both = replay("--db", rich, "--compare", apis, cap, "--service", "trace", "--svg", os.path.join(d, "h.svg"))
    check("policies_over_a_history", both.returncode == 0 and "limits differ" in both.stdout, both.stderr)
    for name, args, code, says in [
            ("no_such_service", ["--db", db, cap, "--service", "nobody"], 1, "nobody"),
            ("no_such_history", ["--db", os.path.join(d, "none.db"), cap], 1, "none.db"),
            ("nothing_there", ["--db", db, cap, "--from", "2026-01-01"], 1, "no samples"),
            ("from_letters", ["--db", db, cap, "--from", "x"], 2, "--from"),
            ("both_sources", ["--db", db, "--csv", used, cap], 2, "--csv FILE or --db FILE"),
            ("column_of_a_history", ["--db", db, cap, "--column", "cpu"], 2, "--column"),
            ("service_of_a_csv", ["--csv", used, cap, "--service", "trace"], 2, "--service"),
            ("odd_step", ["--db", db, cap, "--step", "7s"], 2, "1s, 1m and 1h"),
            ("broken_for_it", ["--db", db, write(os.path.join(d, "bad.yaml"), "version: 2\n")], 2, "bad.yaml:1"),
            ("no_policy_for_it", ["--db", db], 2, "--policy")]:
        r = replay(*args)
        check("error_" + name, r.returncode == code and says in r.stderr, f"exit {r.returncode}: {r.stderr}")


def test_ceiling(d):
    """Use far above the ceiling: the limit goes there once and stays, and says why."""
    policy = write(os.path.join(d, "ceiling.yaml"), CAP.replace("floor: 100m", "ceiling: 4"))
    rng, out = random.Random(4), os.path.join(d, "ceiling.out.csv")
    path = trace(os.path.join(d, "ceiling.csv"), [100 + i % 60 + rng.uniform(0, 5) for i in range(600)])
    for scale in ("100", "1e9"):
        r = replay("--csv", path, "--scale", scale, "--policy", policy, "--json", "--emit", out)
        steps = rows(out)[20:]
        check(f"held_at_the_ceiling_at_{scale}", json.loads(r.stdout)["writes"] == 1 and all(
            s["limit_mcpu"] == "4000.000" and s["reason"] == "policy_ceiling" for s in steps),
            r.stdout + str(steps[:3]))


def test_input(d, cap):
    rng = random.Random(2)
    values = square(6, rng)
    for i in range(100, 130):
        values[i] = None
    s, steps = run_pair(d, values, cap, "gap")
    check("a_gap_is_not_scored", s is not None and s["missing"] == 30
          and s["scored"] == len(values) - 30 and all(float(r["limit_mcpu"]) > 0 for r in steps), s)
    path = trace(os.path.join(d, "plain.csv"), [v or 0 for v in values], times=False)
    r = replay("--csv", path, "--step", "60s", "--scale", "1000", "--policy", cap, "--json")
    check("one_column_with_a_step", r.returncode == 0
          and json.loads(r.stdout)["steps"] == len(values), r.stderr)
    r = replay("--csv", write(os.path.join(d, "one.csv"), "time,cpu\n1700000000,1\n"),
               "--step", "60s", "--policy", cap, "--json")
    check("one_row", r.returncode == 0 and json.loads(r.stdout)["steps"] == 1, r.stderr)
    for name, words in (("skipped", ["--skip", "1d"]), ("missing", [])):
        none = trace(os.path.join(d, "none.csv"), [0.5 if words else None] * 60)
        r = replay("--csv", none, *words, "--policy", cap, "--json")
        s = json.loads(r.stdout or "{}")
        check(f"all_{name}_is_no_score", s.get("scored") == 0 and s["violation_steps"] == 0 and all(
            s[k] is None for k in ("slack", "violations", "used_mean_mcpu", "limit_mean_mcpu",
                                   "changes_per_day")), r.stdout + r.stderr)
        r = replay("--csv", none, *words, "--policy", cap)
        check(f"all_{name}_reads_dash", "slack         -\n" in r.stdout and "nan" not in r.stdout,
              r.stdout)
    text = replay("--csv", path, "--step", "60s", "--scale", "1000", "--policy", cap)
    check("text_for_people", text.returncode == 0 and "slack" in text.stdout, text.stdout)


def test_calendar(d):
    """A calendar's event at the time of the recording, years ago: the limit is there when it begins."""
    begin, end = 200, 220
    used = trace(os.path.join(d, "sale.used.csv"), [0.9 if begin <= i < end else 0.3 for i in range(300)])

    def iso(step):
        at = datetime.datetime.fromtimestamp(START + step * STEP_S, datetime.timezone.utc)
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")

    write(os.path.join(d, "sale.csv"), f"date,name,end,multiplier\n{iso(begin)},sale,{iso(end)},3\n")
    for name, more, planned in (("without", "", False), ("with", "calendars: [sale.csv]\n", True)):
        policy = write(os.path.join(d, f"{name}.yaml"), CAP + more)
        emit = os.path.join(d, f"{name}.csv")
        r = replay("--csv", used, "--scale", "1000", "--policy", policy, "--emit", emit)
        check(f"replay_{name}_calendar", r.returncode == 0, r.stderr)
        steps = rows(emit)
        check(f"event_{name}_calendar", (float(steps[begin]["limit_mcpu"]) >= 900) == planned
              and float(steps[begin - 20]["limit_mcpu"]) < 900, steps[begin])


def test_errors(d, cap):
    good = trace(os.path.join(d, "good.csv"), [0.5] * 20)
    letters = write(os.path.join(d, "letters.csv"), "time,cpu\n1700000000,1\n1700000060,x\n")
    long = write(os.path.join(d, "long.csv"), "1\n" * 600)
    broken = write(os.path.join(d, "broken.yaml"), CAP.replace("tier: gold", "teir: gold"))
    for name, args, code, says in [
            ("no_options", [], 2, "--csv"),
            ("no_policy", ["--csv", good], 2, "--policy"),
            ("compare_one", ["--csv", good, "--compare", cap], 2, "two policies"),
            ("emit_two", ["--csv", good, cap, cap, "--emit", os.path.join(d, "no")], 2, "one policy"),
            ("draw_three", ["--csv", good, cap, cap, cap, "--svg", os.path.join(d, "no")], 2, "one policy or two"),
            ("cannot_draw", ["--csv", good, cap, "--svg", d], 1, d),
            ("too_many", ["--csv", good] + [cap] * 17, 2, "16 policies"),
            ("second_broken", ["--csv", good, cap, broken], 2, "broken.yaml:3:1"),
            ("letters", ["--csv", letters, "--policy", cap], 1, "letters.csv:3"),
            ("steps_beyond_time", ["--csv", long, "--step", "400w", "--policy", cap], 1, "step right"),
            ("no_such_csv", ["--csv", os.path.join(d, "none"), "--policy", cap], 1, "none"),
            ("no_such_policy", ["--csv", good, "--policy", os.path.join(d, "none")], 1, "none"),
            ("broken_policy", ["--csv", good, "--policy", broken], 2, "broken.yaml:3:1"),
            ("scale_of_letters", ["--csv", good, "--policy", cap, "--scale", "x"], 2, "--scale"),
            ("cannot_write", ["--csv", good, "--policy", cap, "--emit", d], 1, d)]:
        r = replay(*args)
        check("error_" + name, r.returncode == code and says in r.stderr,
              f"exit {r.returncode}: {r.stderr}")


def main():
    if not os.access(BIN, os.X_OK):
        print(f"skip: no {BIN}")
        return 77
    if not os.access(DRIVER, os.X_OK):
        print(f"skip: no {DRIVER}: make system-bins builds it")
        return 77
    with tempfile.TemporaryDirectory(prefix="fsh-replay-") as d:
        cap = write(os.path.join(d, "cap.yaml"), CAP)
        reserve = write(os.path.join(d, "reserve.yaml"), RESERVE)
        test_output(d, cap, reserve)
        test_several(d, cap, reserve)
        test_host(d, cap)
        test_objective(d)
        test_compare(d, cap)
        test_picture(d, cap)
        test_history(d, cap)
        test_progress(d, cap)
        test_ceiling(d)
        test_input(d, cap)
        test_calendar(d)
        test_errors(d, cap)
    return 1 if failed else 0


sys.exit(main())
