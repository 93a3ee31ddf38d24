#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Not in the VM: it computes, the same on every kernel
"""foreshape replay: the planner over recorded CPU use, judged by its own output."""
import datetime
import json
import os
import pty
import random
import re
import subprocess

from replay_lib import (BIN, CAP, RESERVE, START, STEP_S, check, history, paths, replay, rows, run_pair, run_tests,
                        square, summary_agrees, trace, write)


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


def percents(words):
    """(exit code, what the bar of a call says, whether it is gone in the end)"""
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
    return p.returncode, [int(n) for n in re.findall(rb"(\d+) %", seen)], seen.endswith(b" \r")


def test_progress(d, cap):
    """On a terminal a bar, which ends gone; elsewhere nothing."""
    used = trace(os.path.join(d, "bar.csv"), square(24, random.Random(7)))
    other = write(os.path.join(d, "other-bar.yaml"), CAP.replace("trace", "other"))
    for name, words in (("a_bar_on_a_terminal", ["--csv", used, "--scale", "1000", cap, cap]),
                        ("a_bar_over_a_host", ["--csv", f"trace={used}", "--csv", f"other={used}", "--scale", "1000",
                                               cap, other])):
        code, shown, gone = percents(words)
        check(name, code == 0 and len(set(shown)) > 50 and shown == sorted(shown) and gone, shown)
        check("no_bar_elsewhere", replay(*words).stderr == "")


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
    loose = write(os.path.join(d, "loose.yaml"), CAP.replace("floor: 100m", "ceiling: 1200m") +
                  "apis: [{ route: GET /a }]\nslo: { objective: 99%, latency: 300ms, window: 1h }\n")
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


def main(d):
    cap = write(os.path.join(d, "cap.yaml"), CAP)
    reserve = write(os.path.join(d, "reserve.yaml"), RESERVE)
    test_output(d, cap, reserve)
    test_several(d, cap, reserve)
    test_compare(d, cap)
    test_picture(d, cap)
    test_history(d, cap)
    test_progress(d, cap)
    test_ceiling(d)
    test_input(d, cap)
    test_calendar(d)
    test_errors(d, cap)


run_tests(main)
