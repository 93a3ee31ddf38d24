# SPDX-License-Identifier: GPL-2.0-or-later
"""What the isolation benchmark prints: a line a cell, a table a hog, what was reached."""
import os
import textwrap
import time

import table
from place import FILE_HOG_BYTES, LINK_BITS, PARALLEL, SLO_MS, TOUCH_BYTES
from score import ALONE, FORESHAPE, IDLE_HOGS, ROWS, cells_of, middle
from stage import HOG_STREAMS, HOG_THREADS

REACH = {"isolation_p99_ratio": 0.95, "isolation_throughput_ratio": 0.95, "bronze_idle_share": 0.70}
BUSY_PART = 0.15  # of the CPUs: the load and the agent need half of this
HOGS = {
    "cpu": f"CPU: {HOG_THREADS} threads that compute",
    "memory": f"memory: {PARALLEL} threads that touch {TOUCH_BYTES >> 20} MiB each, free it, begin again",
    "network": f"network: {HOG_STREAMS} streams over the link of {LINK_BITS / 1e6:.0f} Mbit/s that gold answers over",
    "disk": f"disk: {PARALLEL} threads that write and read files of {FILE_HOG_BYTES >> 20} MiB past the page cache, "
            "on the disk that has gold's access log",
}


class Progress:
    """A line a cell."""

    def __init__(self, number, cells):
        self.number, self.cells, self.done, self.start = number, cells, 0, time.monotonic()

    def cell(self, c):
        self.done += 1
        print(f"round {self.number + 1}, {self.done:2} of {self.cells}: {ROWS.get(c['row'], c['row']):14} "
              f"{c['hog'] or '-':8} p99 {table.ms(c['p99_us']):>8} {c['full_per_s']:6.0f}/s  "
              f"cores: gold {c['gold_cores']:.2f} bronze {c['bronze_cores']:.2f} others {c['other_cores']:.2f}",
              flush=True)


def work(hog, value):
    if value is None:
        return "-"
    if hog == "network":
        return f"{value * 8e-6:.0f} Mbit/s"
    return f"{value:.0f}/s" if hog == "cpu" else f"{value / 1e6:.0f} MB/s"


def percent(value):
    return "-" if value is None else f"{value:.0%}"


class Column:
    """A row of the benchmark, as a column of the table."""

    def __init__(self, cells, figures, row, hog):
        self.cells, self.figures, self.hog = cells_of(cells, row, None if row == ALONE else hog), figures, hog
        self.suffix = "" if row == FORESHAPE else "_" + ROWS.get(row, "").replace(" ", "_")
        self.is_alone = row == ALONE

    def middle(self, key):
        return middle(c[key] for c in self.cells)

    def figure(self, name):
        return 1.0 if self.is_alone else self.figures.get(f"{name}_{self.hog}{self.suffix}")

    def bronze(self, text):
        return "-" if self.is_alone else text()


def hog_table(cells, figures, hog, rows):
    columns = {ROWS.get(row, row): Column(cells, figures, row, hog) for row in [ALONE, *rows]}
    lines = [
        ("gold: p50 / p99", lambda c: f"{table.ms(c.middle('p50_us'))} / {table.ms(c.middle('p99_us'))}"),
        ("gold: p99 alone over this", lambda c: percent(c.figure("isolation_p99_ratio"))),
        (f"gold: within {SLO_MS} ms (want 99%)", lambda c: f"{c.middle('attained'):.2%}"),
        ("gold: throughput", lambda c: f"{c.middle('full_per_s'):.0f}/s"),
        ("gold: throughput over that alone", lambda c: percent(c.figure("isolation_throughput_ratio"))),
        ("bronze: work", lambda c: c.bronze(lambda: work(hog, c.middle("work_per_s")))),
        ("bronze: work over that alone", lambda c: c.bronze(lambda: percent(c.middle("work_ratio")))),
        ("bronze: work over no limits'", lambda c: c.bronze(lambda: percent(c.figure("bronze_unlimited_ratio")))),
    ]
    if hog in IDLE_HOGS:
        lines.append(("bronze: of what was idle", lambda c: c.bronze(lambda: percent(c.middle("idle_share")))))
    lines.append(("cores used by all else", lambda c: table.cores(c.middle("other_cores"))))
    print(f"\n== {HOGS[hog]}", end="")
    table.final(columns, lines)
    for row in rows:
        notes = {c["note"] for c in cells_of(cells, row, hog) if c["note"]}
        if notes:
            print(f"{ROWS[row]}: {', '.join(sorted(notes))}")
    if FORESHAPE in rows:
        print(textwrap.fill("foreshape set: " + held(cells_of(cells, FORESHAPE, hog)), 110, subsequent_indent="  "))


def held(cells):
    """The limits at the end of the phase at 25 %, over the rounds, and how often one moved in a round."""
    seen = {}
    for c in cells:
        for name, value in c["limits"].items():
            seen.setdefault(name, []).append(value)
    said = [f"{name} {span(values)}" for name, values in sorted(seen.items())]
    moves = sum(c["moves"] for c in cells) / max(len(cells), 1)
    return f"{', '.join(said) or 'nothing'}; {moves:.1f} changes beside a hog"


def span(values):
    ends = sorted({float("inf") if v is None else float(v) for v in values})
    words = ["unlimited" if v == float("inf") else f"{v / 1e6:.0f}M" if v >= 1e6 else f"{v:.0f}" for v in ends]
    return " to ".join(dict.fromkeys((words[0], words[-1])))


def tables(cells, figures, hogs, rows):
    for hog in hogs:
        hog_table(cells, figures, hog, rows)
    least = min(c["available_bytes"] for c in cells)
    print(f"\nat least {least / 2**30:.1f} GiB of memory were available: memory is limited under pressure only")
    if FORESHAPE not in rows:
        return
    busy = middle(c["other_cores"] for c in cells)
    is_busy = busy > BUSY_PART * os.cpu_count()
    for name, want in REACH.items():
        if name in figures:
            said = ("reached" if figures[name] >= want else "NOT reached") + (", on a busy host" if is_busy else "")
            print(f"{name:28} {figures[name]:.3f}, to reach {want:.2f}: {said}")
    if is_busy:
        print(f"other programs took {busy:.2f} of {os.cpu_count()} cores meanwhile: measure again on a quiet host")
