#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Gold's nginx under a latency SLO while bronze hogs CPU, memory, network and disk in turn.

Gold answers an open loop of 25 % of what it could with all CPUs for itself (from the CPU time of a request,
measured first) for FIXED_S, which gives p50, p99 and the share of requests within the SLO; then of 150 % for
FULL_S, which gives its throughput. Latency counts from the time a request was due. The load generator stands
for clients elsewhere and goes before all.
Each of ROUNDS rounds has gold alone, then every row of the table beside every hog, then gold alone again.

Figures, in bench/isolation.json; without a suffix foreshape's, else _no_limits, _static_weights, _static_caps:
  isolation_p99_ratio_HOG         per round gold's p99 alone (mean of both times) over that beside the hog; median
                                  of the rounds. 1: not hurt at all; isolation_p99_ratio is the least over hogs
  isolation_throughput_ratio_HOG  per round gold's throughput beside the hog over that alone, likewise
  isolation_slo_attained_HOG      of gold's requests at 25 %, the part answered within the SLO, likewise
  bronze_idle_share_cpu           of the CPU time gold and all else left at 25 %, the part bronze used
  bronze_idle_share_network       of what the link carries beside gold's answers, the part bronze sent
  bronze_idle_share               the lesser of the two
  bronze_work_ratio_HOG           what bronze did at 25 %, over what it did without gold's load, which with the hog
                                  of CPU could not be reached: gold's part is missing
  bronze_unlimited_ratio_HOG      what bronze did at 25 %, over what it did in that round without limits
On a busy host even rows that should be equal are not, and what a limit keeps from bronze does not stay idle:
other programs take it, so bronze_idle_share_cpu flatters, while bronze_unlimited_ratio_cpu does not.
"""
import argparse
import json
import os
import shutil
import signal
import sys
import tempfile

signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is made yet: no traceback out of an import

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "demo"))
import cell  # noqa: E402
import report  # noqa: E402
import rows  # noqa: E402
import score  # noqa: E402
from place import MEMORY_NEEDED, Place, available_bytes  # noqa: E402
from world import Failed, Interrupted, World  # noqa: E402

HOGS = ("cpu", "memory", "network", "disk")
PROGRAMS = ("ip", "tc", "nginx")
WARM_S = 12        # the agent limits nothing before it has measured for 10 s
WARM_AGAIN_S = 3   # with what it knows from the round before
SETTLE_S = 3       # with each hog, before it is measured


def disk_folder(world):
    """A directory on the disk, which /tmp need not be."""
    folder = tempfile.mkdtemp(prefix=f"{world.tag}-", dir="/var/tmp")
    world.undo.append(lambda: shutil.rmtree(folder, ignore_errors=True))
    os.chmod(folder, 0o755)
    return folder


def turn(place, meter, number, names, hogs):
    """One round: all cells, the rows in an order that changes."""
    cells, alone = [], {}
    tell = report.Progress(number, len(names) * len(hogs) + 2)

    def measure(row, hog, settle_s=0):
        found = meter.cell(row, hog, settle_s, alone.get(hog))
        cells.append(dict(found, round=number))
        tell.cell(cells[-1])

    for hog in {*hogs, "disk"}:  # the administrator's cap is a part of what the disk can do
        alone[hog] = meter.bronze_alone(hog)
    measure(score.ALONE, None)
    for row in names[number % len(names):] + names[:number % len(names)]:
        guard = {"none": rows.Nothing, "weights": rows.Weights, "foreshape": rows.Foreshape}.get(row)
        guard = guard(place) if guard else rows.Caps(place, alone["disk"])
        is_agent = row == score.FORESHAPE
        with guard:
            if is_agent:
                meter.load_only(WARM_AGAIN_S if number else WARM_S)
            for hog in hogs:
                measure(row, hog, SETTLE_S if is_agent else 0)
                cells[-1]["note"] = guard.note(hog)
        if is_agent:
            guard.tell([c for c in cells if c["row"] == row])
    measure(score.ALONE, None)
    return cells


def bench(world, args, hogs):
    place = Place(world, args.foreshape, args.tools, disk_folder(world))
    place.start_gold()
    meter = cell.Meter(place, args.fixed, args.full)
    print(f"with all CPUs gold could do {meter.most_per_s:.0f} requests/s; the SLO is asked at "
          f"{meter.fixed_per_s:.0f}/s", flush=True)
    cells = []
    for number in range(args.rounds):
        cells += turn(place, meter, number, args.row, hogs)
    return cells


def write(figures, cells, args):
    os.makedirs(args.out, exist_ok=True)
    for name, content in (("isolation.json", {"schema": 1, "figures": figures}), ("isolation.raw.json", cells)):
        with open(os.path.join(args.out, name), "w") as f:
            json.dump(content, f, indent=1)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--foreshape", default=os.environ.get("FORESHAPE", "build/foreshape"))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--fixed", type=int, default=2, metavar="FIXED_S")
    p.add_argument("--full", type=int, default=2, metavar="FULL_S")
    p.add_argument("--hog", choices=HOGS, action="append", help="only this; may be given again")
    p.add_argument("--row", choices=score.ROWS, action="append", help="likewise")
    args = p.parse_args()
    args.foreshape = os.path.abspath(args.foreshape)
    args.tools = os.path.abspath(os.environ.get("DEMO_TOOLS", os.path.join(os.path.dirname(args.foreshape), "demo")))
    args.out = os.path.join(os.environ.get("BUILD", "build"), "bench")
    args.row = args.row or list(score.ROWS)
    return args


def main():
    args = arguments()
    hogs = args.hog or list(HOGS)
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if os.geteuid() or missing or not os.access(args.foreshape, os.X_OK):
        print(f"needs root, a built agent, {' '.join(PROGRAMS)}: 'make bench-isolation' runs it")
        return 77
    if "memory" in hogs and available_bytes() < MEMORY_NEEDED:
        hogs.remove("memory")
        print(f"without the hog of memory: less than {MEMORY_NEEDED >> 30} GiB are available")
    world = World()
    try:
        world.begin()
        cells = bench(world, args, hogs)
        with world.whole():
            figures = score.figures(cells, hogs)
            write(figures, cells, args)
            report.tables(cells, figures, hogs, args.row)
        return 0
    except Interrupted:
        print("\ninterrupted: taking everything down", flush=True)
        return 128 + signal.SIGINT
    except Failed as e:
        print(f"FAILED: {e}", flush=True)
        return 1
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
