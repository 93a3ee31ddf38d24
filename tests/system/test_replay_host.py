#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Not in the VM: it computes, the same on every kernel
"""foreshape replay of several services of a host, and what it expects of objectives."""
import json
import os
import random
import sqlite3

from replay_lib import (CAP, START, STEP_S, check, history, paths, replay, rows, run_pair, run_tests, square,
                        summary_agrees, trace, write)

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


def test_history(d):
    """Services of one history, of which one has no samples for a while."""
    values = square(30, random.Random(12))[:1200]
    part = [None if 300 <= i < 400 else v for i, v in enumerate(values)]
    path, other = history(os.path.join(d, "two.db"), values), history(os.path.join(d, "part.db"), part)
    db = sqlite3.connect(path)
    db.execute("ATTACH ? AS other", (other,))
    db.execute("INSERT INTO series VALUES (7, 'web', '')")
    db.execute("INSERT INTO service_sample (step_s, at_real_s, series, seconds, cpu_mcpu)"
               " SELECT step_s, at_real_s, 7, seconds, cpu_mcpu FROM other.service_sample")
    db.commit()
    db.close()
    policies = os.path.join(d, "history")
    os.mkdir(policies)
    for name in ("trace", "web"):
        write(os.path.join(policies, name + ".yaml"), CAP.replace("trace", name))
    r = replay("--db", path, policies, "--json")
    s = json.loads(r.stdout or '{"policies": [{"services": []}]}')["policies"][0]["services"]
    check("services_of_a_history", [(x["service"], x["steps"], x["missing"]) for x in s]
          == [("trace", 1200, 0), ("web", 1200, 100)], r.stdout + r.stderr)
    write(os.path.join(policies, "db.yaml"), CAP.replace("trace", "db"))
    r = replay("--db", path, policies)
    check("error_service_of_no_history", r.returncode == 1 and "'db'" in r.stderr, r.stderr)


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
    check("expected_for_people",
          f"{100 * s[0]['slo_expected']:.3f} % expected within 100 ms, of 99.900 %" in text, text)
    text = replay(*base, "--compare", high, low, "--request-cost", "3ms").stdout
    check("expected_of_both", "EXPECTED" in text and all(f"{100 * x['slo_expected']:.3f} %" in text for x in s), text)
    text = replay(*base, high).stdout
    check("a_cost_is_asked_for", "say --request-cost" in text, text)
    r = replay(*base, high, "--request-cost", "3")
    check("error_cost_without_unit", r.returncode == 2 and "--request-cost" in r.stderr, r.stderr)


def main(d):
    cap = write(os.path.join(d, "cap.yaml"), CAP)
    test_host(d, cap)
    test_history(d)
    test_objective(d)


run_tests(main)
