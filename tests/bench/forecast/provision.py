# SPDX-License-Identifier: GPL-2.0-or-later
"""provision.py - limits for the next 5 minutes, set every 5 minutes, from 1-min forecasts.

Every policy has one margin, tuned in hindsight to 1 % of minutes with more demand than limit; what counts is
how much it then gives too much: sum of (limit - demand) above 0 over the sum of demand. The oracle knows the
largest of the next 5 minutes. Coverage of whole replays is reported beside it.
"""
import os
import statistics

from rolling import TRACES
from score import INTERVALS, Backtest

PERIOD, UNDER, SKIP = 5, 0.01, 0.2  # minutes; share of minutes; of the trace, before it counts


def measure(limits, demand):
    """(share of minutes under, over-provision) of a limit for each period of minutes."""
    under = over = total = n = 0
    for limit, minutes in zip(limits, demand):
        for y in minutes:
            n += 1
            total += y
            under += y > limit
            over += max(limit - y, 0)
    return under / n, over / total


def tuned(policy, demand):
    """Over-provision of policy(k) at the least k that leaves UNDER of the minutes short."""
    lo, hi = 0.0, 1.0
    while measure(policy(hi), demand)[0] > UNDER and hi < 1e4:
        hi *= 2
    for _ in range(30):
        k = (lo + hi) / 2
        lo, hi = (k, hi) if measure(policy(k), demand)[0] > UNDER else (lo, k)
    return measure(policy(hi), demand)[1]


def one(trace, path):
    done = Backtest(path, "--step", "1m", "--train", "1d", "--horizon", f"{PERIOD}m", "--stride", f"{PERIOD}m")
    periods, values = {}, {}
    for origin, step, y, q in done.rows:
        periods.setdefault(origin, []).append((y, q))
        values[origin * PERIOD + step - 1] = y
    first = int(SKIP * max(periods)) + 6
    origins = [o for o in sorted(periods) if o >= first and len(periods[o]) == PERIOD]
    demand = [[y for y, _ in periods[o]] for o in origins]
    before = [[values[i] for i in range(o * PERIOD - 30, o * PERIOD) if i in values] for o in origins]
    origins = list(range(len(demand)))
    quantiles = [[q for _, q in periods[o]] for o in sorted(periods) if o >= first and len(periods[o]) == PERIOD]
    simple = {
        "static": lambda k: [k * max(map(max, demand))] * len(demand),
        "max of 5": lambda k: [(1 + k) * max(b[-5:], default=0) for b in before],
        "max of 30": lambda k: [(1 + k) * max(b, default=0) for b in before],
        "last + k sd": lambda k: [(b[-1] + k * statistics.pstdev(b)) if b else 0 for b in before],
    }
    row = {name: tuned(policy, demand) for name, policy in simple.items()}
    row["foreshape"] = tuned(lambda k: [max(q[0.5] + k * (q[0.95] - q[0.5]) for q in steps) for steps in quantiles],
                             demand)
    row["oracle"] = measure([max(minutes) for minutes in demand], demand)[1]
    best = min(row[name] for name in simple)
    row["closed"] = (best - row["foreshape"]) / (best - row["oracle"]) if best > row["oracle"] else 0.0
    scored = done.scored()
    row["coverage"] = {name: sum(q[lo] <= y <= q[hi] for y, q in scored) / len(scored)
                       for name, (lo, hi) in INTERVALS.items()}
    return {"trace": trace, **row}


def run(data):
    columns = ("static", "max of 5", "max of 30", "last + k sd", "foreshape", "oracle")
    print("over-provision at 1 % of minutes short, limits for 5 min:\n          " +
          " ".join(f"{c:>11}" for c in columns) + f" {'gap closed':>10}   covered 80 90 95 %")
    rows = []
    for trace, path in TRACES:
        if trace == "azure" or not os.path.exists(os.path.join(data, path)):
            continue  # its step is 5 min
        rows.append(one(trace, os.path.join(data, path)))
        r = rows[-1]
        print(f"{trace:9} " + " ".join(f"{r[c]:11.3f}" for c in columns) + f" {r['closed']:10.2f}   " +
              " ".join(f"{100 * v:.1f}" for v in r["coverage"].values()), flush=True)
    if not rows:
        return {}, []
    return {"provision_gap_closed": sum(r["closed"] for r in rows) / len(rows),
            "provision_gap_closed_median": statistics.median(r["closed"] for r in rows)}, rows
