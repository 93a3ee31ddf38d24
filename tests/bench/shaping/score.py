# SPDX-License-Identifier: GPL-2.0-or-later
"""
What a run came to. Times are seconds from its start.

A request is (when it was due, latency in ms); a look is a dict with "t" and what the sampler saw; a step of the limit
is (since when, cores).
"""
import math

WINDOW_S = 10
SURPRISE_S = 2


def quantile(values, q):
    """The nearest rank of @values, None of nothing."""
    values = sorted(values)
    return values[max(math.ceil(q * len(values)), 1) - 1] if values else None


def steps(looks, unlimited_cores):
    """The limit over time, one step where it changed; none at all counts as @unlimited_cores."""
    found = []
    for k in looks:
        cores = k["quota_us"] / k["period_us"] if k["quota_us"] >= 0 else unlimited_cores
        if not found or found[-1][1] != cores:
            found.append((k["t"], cores))
    return found


def mean_limit(limits, from_s, to_s):
    """Weighted by the time each was in force; the first counts from before it was seen."""
    total = 0
    for i, (since, cores) in enumerate(limits):
        start = max(since, from_s) if i else from_s
        end = min(limits[i + 1][0], to_s) if i + 1 < len(limits) else to_s
        total += cores * max(end - start, 0)
    return total / (to_s - from_s)


def windows(requests, from_s, to_s, slo_ms):
    """[p99 in ms] of each WINDOW_S, without a last one that is not whole, and the share of them over the objective."""
    found = [[] for _ in range(int((to_s - from_s) // WINDOW_S))]
    for t, ms in requests:
        if t >= from_s and (t - from_s) // WINDOW_S < len(found):
            found[int((t - from_s) // WINDOW_S)].append(ms)
    p99 = [quantile(ms, 0.99) for ms in found]
    return p99, sum(1 for ms in p99 if ms is not None and ms > slo_ms) / len(p99) if p99 else None


def run(requests, looks, span, slo_ms, unlimited_cores):
    """@span: (requests count from, limits count from, to). What a contender is compared by."""
    from_s, limits_from_s, to_s = span
    latencies = [ms for t, ms in requests if from_s <= t < to_s]
    limits = steps(looks, unlimited_cores)
    p99, over = windows(requests, from_s, to_s, slo_ms)
    writes = sum(1 for t, _ in limits[1:] if limits_from_s <= t < to_s)
    inside = [k for k in looks if limits_from_s <= k["t"] < to_s]
    periods = inside[-1]["periods"] - inside[0]["periods"]
    return {
        "cores": mean_limit(limits, limits_from_s, to_s),
        "p50_ms": quantile(latencies, 0.5), "p99_ms": quantile(latencies, 0.99),
        "held": quantile(latencies, 0.99) <= slo_ms,
        "over": sum(1 for ms in latencies if ms > slo_ms) / len(latencies),
        "windows_over": over, "windows_p99_ms": p99, "requests": len(latencies),
        "writes_per_h": writes * 3600 / (to_s - limits_from_s),
        "used_cores": (inside[-1]["usage_us"] - inside[0]["usage_us"]) / 1e6 / (inside[-1]["t"] - inside[0]["t"]),
        "throttled": (inside[-1]["throttled"] - inside[0]["throttled"]) / max(periods, 1),
        "burst_ms": sum(k["burst_us"] for k in inside) / len(inside) / 1000,
    }


def used_by_second(looks, from_s, to_s):
    """Cores used in each second, between the looks nearest to its ends."""
    found, first = [], None
    for k in looks:
        if not from_s <= k["t"] < to_s:
            continue
        first = first or k
        if k["t"] >= first["t"] + 1:
            found.append((k["usage_us"] - first["usage_us"]) / 1e6 / (k["t"] - first["t"]))
            first = k
    return found


def why(agent, looks, span):
    """
    What foreshape's limit was made of after the warm-up: what was used in a second, what it forecast for the peak over
    its lead and planned, in cores, its target utilisation at the end, and its changes of knobs by reason in all.
    """
    _, from_s, to_s = span
    used = used_by_second(looks, from_s, to_s)
    rows = [r["cpu"] for r in agent["status"] if from_s <= r["t"] < to_s and r["cpu"].get("planned_mcpu") is not None]
    knobs = {k["knob"]: k for k in (agent.get("explain") or {"knobs": []})["knobs"]}
    changes = {}
    for r in agent["history"]:
        if r["errno"] == 0 and r["before"] != r["after"]:
            key = f"{r['knob']} {r['reason']}"
            changes[key] = changes.get(key, 0) + 1

    def mean_of(values):
        values = [v for v in values if v is not None]
        return sum(values) / len(values) / 1000 if values else None
    return {
        "used_q50": quantile(used, 0.5), "used_q99": quantile(used, 0.99), "used_most": max(used, default=None),
        **{f"forecast_q{q[2:]}": mean_of(r["demand_mcpu"].get(q) for r in rows) for q in ("0.5", "0.9", "0.99")},
        "planned": mean_of(r["planned_mcpu"] for r in rows),
        "utilisation": knobs.get("cpu.max", {"inputs": {}})["inputs"].get("target_utilisation"), "changes": changes,
    }


def best(runs, kind):
    """(name, run) of the fewest cores among those of @kind that held the objective, or None."""
    held = [(name, r) for name, r in runs.items() if name.split(":")[0] == kind and r["held"]]
    return min(held, key=lambda row: row[1]["cores"], default=None)


def figures(traces):
    """@traces: {trace: {contender: run}}. Ratios are of foreshape's cores; none where no other held."""
    found, against = {}, {"k8s": [], "fast": [], "captain": [], "static": []}
    for trace, runs in traces.items():
        ours = runs.get("foreshape")
        if not ours:
            continue
        found[f"slo_held_{trace}"] = int(ours["held"])
        for kind, ratios in against.items():
            other = best(runs, kind)
            if other:
                ratios.append(ours["cores"] / other[1]["cores"])
                found[f"cores_ratio_{kind}_{trace}"] = ratios[-1]
    held = [v for k, v in found.items() if k.startswith("slo_held_")]
    for kind, ratios in against.items():
        if ratios and len(ratios) == len(held):
            found[f"cores_ratio_{kind}"] = sum(ratios) / len(ratios)
    if held:
        found["slo_held"] = min(held)
    return found


def reaction_ms(rows):
    """The median over the steps that surprised, None where one was never answered, or none surprised."""
    took = [math.inf if r["raised_s"] is None else 1000 * (r["raised_s"] - r["throttled_s"])
            for r in rows if r["throttled_s"] is not None]
    return quantile(took, 0.5) if took and max(took) < math.inf else None


def reaction(looks, step_s, needed_cores):
    """
    What followed a step of the load at @step_s: {"throttled_s", "raised_s", "enough_s"}, each a time or None: the first
    throttled period seen within SURPRISE_S, which is when it is over; the first raise seen then or later; the first
    limit of what the step needs. Without the first the step was no surprise.
    """
    found = {"throttled_s": None, "raised_s": None, "enough_s": None}
    last = None
    for k in looks:
        cores = math.inf if k["quota_us"] < 0 else k["quota_us"] / k["period_us"]
        if k["t"] >= step_s and last is not None:
            if found["throttled_s"] is None and k["throttled"] > last["throttled"] and k["t"] < step_s + SURPRISE_S:
                found["throttled_s"] = k["t"]
            if found["throttled_s"] is not None and found["raised_s"] is None and cores > last["cores"]:
                found["raised_s"] = k["t"]
            if found["enough_s"] is None and cores >= needed_cores:
                found["enough_s"] = k["t"]
        last = dict(k, cores=cores)
    return found
