# SPDX-License-Identifier: GPL-2.0-or-later
"""The arithmetic of the isolation benchmark: what bronze did in a window, and ratios to running alone."""
from statistics import median

ALONE, FORESHAPE = "alone", "foreshape"
ROWS = {"none": "no limits", "weights": "static weights", "caps": "static caps", FORESHAPE: "foreshape"}
IDLE_HOGS = ("cpu", "network")  # of what they use it is known how much there was
FRAME_PART = 1448 / 1514  # of a full Ethernet frame on the wire, what a TCP stream with timestamps carries


def counter_at(lines, at_s):
    """A counter of [(time, value)], as time goes, at @at_s: on a straight line between two, held outside."""
    before = [line for line in lines if line[0] <= at_s]
    after = [line for line in lines if line[0] > at_s]
    if not before or not after:
        return (before or after)[-1 if before else 0][1]
    (t0, v0), (t1, v1) = before[-1], after[0]
    return v0 + (v1 - v0) * (at_s - t0) / (t1 - t0)


def per_second(lines, from_s, to_s):
    return (counter_at(lines, to_s) - counter_at(lines, from_s)) / (to_s - from_s)


def cpu_share(bronze_s, idle_s):
    """Of the CPU time that gold and all else left, what bronze used: the rest was idle."""
    left = bronze_s + idle_s
    return bronze_s / left if left > 0 else None


def link_share(bronze_bits_per_s, gold_bits_per_s, link_bits_per_s):
    """Of what the link carries beside gold's answers, what bronze sent."""
    left = FRAME_PART * link_bits_per_s - gold_bits_per_s
    return bronze_bits_per_s / left if left > 0 else None


def cells_of(cells, row, hog=None, turn=None):
    return [c for c in cells if c["row"] == row and c["hog"] == hog and turn in (None, c["round"])]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def ratios(cells, row, hog, key, base=(ALONE, None)):
    """Per round that has both: @key of the row beside the hog over its mean of @base, a row and its hog."""
    found = []
    for cell in cells_of(cells, row, hog):
        others = [c[key] for c in cells_of(cells, *base, turn=cell["round"])]
        if others and mean(others) > 0:
            found.append(cell[key] / mean(others))
    return found


def middle(values):
    values = [v for v in values if v is not None]
    return median(values) if values else None


def least(figures, name, hogs, suffix):
    found = [figures[f"{name}_{hog}{suffix}"] for hog in hogs if f"{name}_{hog}{suffix}" in figures]
    return min(found) if found else None


def figures(cells, hogs):
    """{figure: value} of all rows; those of foreshape have no suffix. What was not measured is left out."""
    found = {}
    for row, title in ROWS.items():
        suffix = "" if row == FORESHAPE else "_" + title.replace(" ", "_")
        for hog in hogs:
            mine = cells_of(cells, row, hog)
            values = {
                "isolation_p99_ratio": middle(1 / r for r in ratios(cells, row, hog, "p99_us")),
                "isolation_throughput_ratio": middle(ratios(cells, row, hog, "full_per_s")),
                "isolation_slo_attained": middle(c["attained"] for c in mine),
                "bronze_idle_share": middle(c["idle_share"] for c in mine) if hog in IDLE_HOGS else None,
                "bronze_work_ratio": middle(c["work_ratio"] for c in mine),
                "bronze_unlimited_ratio": middle(ratios(cells, row, hog, "work_per_s", ("none", hog))),
            }
            found.update({f"{k}_{hog}{suffix}": v for k, v in values.items() if v is not None})
        for name, over in (("isolation_p99_ratio", hogs), ("isolation_throughput_ratio", hogs),
                           ("isolation_slo_attained", hogs), ("bronze_idle_share", IDLE_HOGS)):
            value = least(found, name, over, suffix)
            if value is not None:
                found[name + suffix] = value
    return {k: round(v, 4) for k, v in sorted(found.items())}
