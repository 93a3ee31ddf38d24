#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Not in the VM: the arithmetic is the same on every kernel, and what is measured is nginx on real CPUs
"""The isolation benchmark: its arithmetic by hand-worked values, and that an end in its middle leaves nothing."""
import os
import shutil
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.join(HERE, "..", "bench", "isolation")
sys.path.insert(0, BENCH)
import score  # noqa: E402
from test_demo import FORESHAPE, TOOLS, interrupted  # noqa: E402

failed = False
# Which row, after how many seconds which signal comes: with caps set, with the agent at work.
ENDS = (("caps", 11.0, signal.SIGINT), ("foreshape", 13.0, signal.SIGTERM))


def check(name, why):
    global failed
    failed = failed or bool(why)
    print(f"not ok {name}: {why}" if why else f"ok {name}", flush=True)


def equal(name, got, want):
    check(name, "" if got == want else f"{got!r} instead of {want!r}")


def cell(turn, row, hog, p99_us, full_per_s, share=None, work=100):
    return {"round": turn, "row": row, "hog": hog, "p99_us": p99_us, "full_per_s": full_per_s,
            "attained": 0.99, "work_per_s": work, "idle_share": share, "work_ratio": None}


def counters():
    lines = [(0.0, 0), (1.0, 100), (3.0, 500)]
    equal("between two reports a counter is on a straight line", score.counter_at(lines, 2.0), 300)
    equal("outside it is held", [score.counter_at(lines, t) for t in (-1.0, 9.0)], [0, 500])
    equal("work is what a counter grew by over the time", score.per_second(lines, 0.5, 3.0), 180)


def shares():
    equal("bronze had 1.2 s of CPU and 0.4 s stayed idle", round(score.cpu_share(1.2, 0.4), 9), 0.75)
    equal("no CPU was left", score.cpu_share(0, 0), None)
    # 1448 of 1514 bytes of a frame are payload: gold leaves 1,000 of 1,448 kbit/s, and bronze sends 700 of it.
    equal("bronze sent 700 of the 1,000 kbit/s gold left", round(score.link_share(700e3, 448e3, 1514e3), 9), 0.7)
    equal("gold left nothing of the link", score.link_share(0, 2e6, 1514e3), None)


def ratios():
    """Alone p99 is 10 ms at 1,000/s in the first round, 20 ms at 800/s in the second and third."""
    cells = [cell(0, "alone", None, 8000, 900), cell(0, "alone", None, 12000, 1100)]
    cells += [cell(n, "alone", None, 20000, 800) for n in (1, 1, 2, 2)]
    cells += [cell(0, "foreshape", "cpu", 12500, 950, 0.8), cell(1, "foreshape", "cpu", 20000, 720, 0.6),
              cell(2, "foreshape", "cpu", 40000, 800, 0.9)]      # p99 0.8, 1.0, 0.5; throughput 0.95, 0.9, 1.0
    cells += [cell(0, "foreshape", "network", 20000, 1000, 0.7)]  # 0.5; 1.0
    cells += [cell(0, "foreshape", "disk", 8000, 700, 0.1)]       # 1.25; 0.7: its share of the CPU tells nothing
    cells += [cell(0, "none", "cpu", 100000, 500, 1.0, 160)]      # 0.1; 0.5; bronze did 160, not 100
    got = score.figures(cells, ["cpu", "network", "disk"])
    wanted = {
        "isolation_p99_ratio_cpu": 0.8, "isolation_p99_ratio_network": 0.5, "isolation_p99_ratio_disk": 1.25,
        "isolation_p99_ratio": 0.5, "isolation_throughput_ratio_cpu": 0.95, "isolation_throughput_ratio": 0.7,
        "bronze_idle_share_cpu": 0.8, "bronze_idle_share_network": 0.7, "bronze_idle_share": 0.7,
        "isolation_p99_ratio_cpu_no_limits": 0.1, "isolation_throughput_ratio_no_limits": 0.5,
        "bronze_idle_share_no_limits": 1.0,
        "bronze_unlimited_ratio_cpu": 0.625, "bronze_unlimited_ratio_cpu_no_limits": 1.0,
    }
    for name, value in wanted.items():
        equal(name, got.get(name), value)
    missing = [k for k in got if "disk" in k and "idle" in k or "static" in k or "work_ratio" in k]
    equal("what was not measured has no figure", missing, [])


def main():
    counters()
    shares()
    ratios()
    if os.geteuid() or not shutil.which("nginx") or not os.access(FORESHAPE, os.X_OK) or \
            not os.access(TOOLS + "/openload", os.X_OK):
        return failed
    for n, (row, after_s, how) in enumerate(ENDS):
        words = (os.path.join(BENCH, "main.py"), "--full", "1", "--hog", "cpu", "--row", row)
        found = interrupted(n, words, after_s, how)
        check(f"{row} ended after {after_s} s by {how.name} leaves nothing", found and str(found[:6]))
    return failed


if __name__ == "__main__":
    sys.exit(main())
