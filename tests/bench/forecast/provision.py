# SPDX-License-Identifier: GPL-2.0-or-later
"""provision.py - limits for the next 5 minutes, set every 5 minutes, from 1-min forecasts; and for every second.

Every policy has one number, tuned in hindsight to 1 % of steps with more demand than limit: the simple ones their
margin, foreshape what a step too short costs (--short-cost); its limits learn online, from the part that is skipped
on. What counts is how much a policy then gives too much: sum
of (limit - demand) above 0 over the sum of demand. The oracle knows the largest demand of the period. Coverage of
whole replays is reported beside it, and the worst rolling day of each interval.
"""
import os
import statistics

from rolling import TRACES
from score import INTERVALS, Backtest

UNDER, SKIP, BEFORE, LADDER = 0.01, 0.2, 30, 24  # share of steps; of the trace, before it counts; steps; costs at once
SECONDS = [("diurnal", "rates/autothrottle_diurnal_1s.csv"), ("noisy", "rates/autothrottle_noisy_1s.csv"),
           ("llm", "rates/azure_llm_conv_1s.csv")]
COLUMNS = ("static", "last", "max of 5", "max of 30", "last + k sd", "foreshape", "oracle")


def measure(limits, demand):
    """(share of steps under, over-provision) of a limit for each period of steps."""
    under = over = total = n = 0
    for limit, steps in zip(limits, demand):
        for y in steps:
            n += 1
            total += y
            under += y > limit
            over += max(limit - y, 0)
    return under / n, over / total


def tuned(policy, demand):
    """Over-provision of policy(k) at the least k that leaves UNDER of the steps short."""
    lo, hi = 0.0, 1.0
    while measure(policy(hi), demand)[0] > UNDER and hi < 1e4:
        hi *= 2
    for _ in range(30):
        k = (lo + hi) / 2
        lo, hi = (k, hi) if measure(policy(k), demand)[0] > UNDER else (lo, k)
    return measure(policy(hi), demand)[1]


def foreshape(run, scale):
    """Over-provision at the least cost of a short step that leaves UNDER of them short: run([costs]) -> limits."""
    lo, hi = 0.05 * scale, 5000 * scale
    for _ in range(2):
        costs = [lo * (hi / lo) ** (i / (LADDER - 1)) for i in range(LADDER)]
        rows = run(costs)
        at = next((i for i, r in enumerate(rows) if r["short"] <= UNDER), LADDER - 1)
        lo, hi = costs[max(at - 1, 0)], costs[at]
    return rows[at]["over"]


def worst_day(scored, level, day):
    """Coverage, furthest from @level, of any @day successive steps of (inside?)."""
    inside, worst = sum(scored[:day]), None
    for i in range(day, len(scored) + 1):
        if worst is None or abs(inside / day - level) > abs(worst - level):
            worst = inside / day
        if i < len(scored):
            inside += scored[i] - scored[i - day]
    return worst


def one(trace, path, step, period):
    every = f"{period}{step[-1]}"
    options = ["--step", step, "--horizon", every, "--stride", every]
    points = Backtest(path, *options, "--train", every).result["points"]
    options += ["--train", f"{int(SKIP * points)}{step[-1]}"]
    done = Backtest(path, *options)
    periods = {}
    for origin, at, y, q in done.rows:
        periods.setdefault(origin, []).append((y, q))
    whole = [o for o in sorted(periods) if len(periods[o]) == period]
    values = [y for o in sorted(periods) for y, _ in periods[o]]
    first = (BEFORE + period - 1) // period
    whole = [o for o in whole if o >= first]
    demand = [[y for y, _ in periods[o]] for o in whole]
    index, before, at = {}, [], 0
    for o in sorted(periods):
        index[o] = at
        at += len(periods[o])
    before = [values[max(index[o] - BEFORE, 0):index[o]] for o in whole]
    simple = {
        "static": lambda k: [k * max(map(max, demand))] * len(demand),
        "last": lambda k: [(1 + k) * b[-1] for b in before],
        "max of 5": lambda k: [(1 + k) * max(b[-5:]) for b in before],
        "max of 30": lambda k: [(1 + k) * max(b) for b in before],
        "last + k sd": lambda k: [b[-1] + k * statistics.pstdev(b) for b in before],
    }
    row = {name: tuned(policy, demand) for name, policy in simple.items()}
    row["foreshape"] = foreshape(
        lambda costs: Backtest(path, *options, "--short-cost", ",".join(f"{c:.6g}" for c in costs)).result["limits"],
        sum(map(sum, demand)) / sum(map(len, demand)))
    row["oracle"] = measure([max(steps) for steps in demand], demand)[1]
    best = min(row[name] for name in simple)
    row["best"] = best
    row["closed"] = (best - row["foreshape"]) / (best - row["oracle"]) if best > row["oracle"] else 0.0
    scored = done.scored()
    inside = {name: [q[lo] <= y <= q[hi] for y, q in scored] for name, (lo, hi) in INTERVALS.items()}
    row["coverage"] = {name: sum(v) / len(v) for name, v in inside.items()}
    row["worst_day"] = {name: worst_day(v, name / 100, 1440) for name, v in inside.items()}
    return {"trace": trace, **row}


def table(data, traces, step, period):
    rows = []
    for trace, path in traces:
        if not os.path.exists(os.path.join(data, path)):
            print(f"{trace:9} skipped, no {path}")
            continue
        r = one(trace, os.path.join(data, path), step, period)
        rows.append(r)
        worst = " ".join(f"{100 * v:.0f}" for v in r["worst_day"].values() if v is not None)
        print(f"{trace:9} " + " ".join(f"{r[c]:11.3f}" for c in COLUMNS) + f" {r['closed']:10.2f}   " +
              " ".join(f"{100 * v:.1f}" for v in r["coverage"].values()) + (f"   {worst}" if worst else ""), flush=True)
    return rows


def run(data):
    head = (" " * 10 + " ".join(f"{c:>11}" for c in COLUMNS) + f" {'gap closed':>10}   covered 80 90 95 %"
            "   in the worst rolling day")
    print(f"over-provision at 1 % of minutes short, limits for 5 min:\n{head}")
    minutes = table(data, [t for t in TRACES if t[0] != "azure"], "1m", 5)  # its step is 5 min
    print(f"at 1 % of seconds short, limits for 1 s:\n{head}")
    seconds = table(data, SECONDS, "1s", 1)
    figures = {}
    if minutes:
        figures["provision_gap_closed"] = sum(r["closed"] for r in minutes) / len(minutes)
        figures["provision_gap_closed_median"] = statistics.median(r["closed"] for r in minutes)
        for name in INTERVALS:
            figures[f"coverage_error_{name}"] = max(abs(r["coverage"][name] - name / 100) for r in minutes)
            figures[f"coverage_error_{name}_rolling_day"] = max(
                abs(r["worst_day"][name] - name / 100) for r in minutes if r["worst_day"][name] is not None)
    if seconds:
        figures["second_over_ratio"] = sum(r["foreshape"] / r["best"] for r in seconds) / len(seconds)
        figures["second_over_ratio_worst"] = max(r["foreshape"] / r["best"] for r in seconds)
    return figures, minutes + seconds
