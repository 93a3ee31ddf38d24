#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Not in the VM: its rules are the same everywhere, and what it plays takes real time
"""
test_bench_shaping.py - make bench-shaping: its rules and its scores against values worked out by hand; it plays a
few seconds, and leaves nothing when interrupted.
"""
import glob
import os
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.join(HERE, "..", "bench", "shaping")
sys.path[:0] = [HERE, BENCH, os.path.join(HERE, "..", "demo")]

import main as bench
import rules
import score
from harness import BUILD, FORESHAPE, check, finish, need_root, skip


def near(a, b):
    return abs(a - b) < 1e-9


def fed(rule, rows):
    """The limits @rule answers to (time, CPU seconds, throttled periods) rows."""
    return [rule.tick(*row) for row in rows]


def test_utilisation():
    k = rules.make("k8s:0.5", 1)
    # 6 CPU seconds in 15 s is 0.4 cores, twice that is asked for; then less, which does not lower what was asked for.
    found = fed(k, [(0, 0, 0), (14.9, 6, 0), (15, 6, 0), (30, 9, 0)])
    check("the utilisation rule waits for its period", found[:2] == [1, 1], found)
    check("the limit is use / target, the most of the window", near(found[2], 0.8) and near(found[3], 0.8), found)
    found = fed(k, [(15 * i, 9 + 1.5 * (i - 2), 0) for i in range(3, 21)])
    check("the window is 300 s: the twentieth look still has the first", near(found[-1], 0.8), found[-1])
    found = fed(k, [(315, 37.5, 0)])
    check("and the next does not", near(found[0], 0.4), found)
    fast = rules.make("fast:0.4", 1)
    found = fed(fast, [(0, 0, 0), (1, 0.4, 0)] + [(i, 0.4 + 0.2 * (i - 1), 0) for i in range(2, 22)])
    check("the fast one looks every second, over 20 s", near(found[1], 1) and near(found[20], 1) and
          near(found[21], 0.5), found)


def steady(captain, from_tick, ticks, per_tick_s, throttled_each, used_s=0.0, throttled=0):
    """Feeds @ticks of a tenth of a second of steady use. Returns (limits, used_s, throttled)."""
    found = []
    for i in range(ticks):
        used_s, throttled = used_s + per_tick_s, throttled + throttled_each
        found.append(captain.tick((from_tick + i) / 10, used_s, throttled))
    return found, used_s, throttled


def test_captain_cuts():
    c = rules.make("captain:0.1", 1)
    c.tick(0, 0, 0)
    found, used, _ = steady(c, 1, 60, 0.02, 0)
    # For 5 s the window has zeros: 50 of 0.2 cores and a margin of 3 - 0.1 a second. After 1 s: use is 0.2 in 10 of 50,
    # of which the deviation is sqrt(40 * 10 / 50 / 49) * 0.2 = 0.0808; 0.2 + 2.9 * 0.0808 = 0.4343 is below half of 1.
    check("no decision before a second is over", found[8] == 1, found[:10])
    check("a cut goes to half at most", near(found[9], 0.5), found[9])
    # 2 s: 20 of 50, deviation 0.2 * sqrt(20 * 30 / 50 / 49) = 0.09897; 0.2 + 2.8 * 0.09897 = 0.4771 > 0.9 * 0.5.
    check("a cut of less than a tenth is none", near(found[19], 0.5), found[19])
    # 4 s: 40 of 50 and a margin of 2.6: 0.2 + 2.6 * 0.0808 = 0.4101 is a cut.
    deviation = 0.2 * (40 * 10 / 50 / 49) ** 0.5
    check("use and its deviation by the margin are wanted", near(found[39], 0.2 + 2.6 * deviation), found[39])
    # 5 s: all 0.2, no deviation: half of 0.4101 is more. At 6 s 0.2 is above 0.9 * 0.2051.
    check("without deviation, use itself", near(found[49], found[39] / 2) and near(found[59], found[49]), found[45:])
    check("the margin falls by the target a second", near(c.margin, 3 - 6 * 0.1), c.margin)


def test_captain_raises():
    c = rules.make("captain:0.1", 1)
    c.tick(0, 0, 0)
    found, _, _ = steady(c, 1, 10, 0.1, 1)
    # All 10 periods throttled: 1 * (1 + (1 - 0.3)).
    check("too much throttling raises by the excess over three targets", near(found[9], 1.7), found)
    check("and the margin grows by ratio - target", near(c.margin, 3 + 1 - 0.1), c.margin)


def test_captain_undoes():
    c = rules.make("captain:0.02", 1)
    c.tick(0, 0, 0)
    found, used, n = steady(c, 1, 10, 0.001, 0)
    check("idle is cut", near(found[9], 0.5), found)
    found, used, n = steady(c, 11, 1, 0.05, 1, used, n)
    # One throttled tick of ten is 0.1 > 0.06: 2 * 1 - 0.5.
    check("a cut that throttles is taken back twice over within a tick", near(found[0], 1.5), found)
    check("which the margin remembers", near(c.margin, 3 - 0.02 + 0.1 - 0.02), c.margin)
    found, used, n = steady(c, 12, 1, 0.05, 1, used, n)
    check("once", near(found[0], 1.5), found)
    floor = rules.make("captain:0.3", 1)
    floor.tick(0, 0, 0)
    found, _, _ = steady(floor, 1, 200, 0, 0)
    check("no limit below a hundredth of a core", near(found[-1], 0.01), found[-1])


def look(t, quota_us, throttled=0, usage_us=0, periods=0):
    return {"t": t, "quota_us": quota_us, "period_us": 100000, "burst_us": 0, "periods": periods,
            "throttled": throttled, "throttled_us": 0, "usage_us": usage_us}


def test_score():
    check("the nearest rank", score.quantile(range(1, 101), 0.99) == 99 and score.quantile([7], 0.99) == 7 and
          score.quantile(range(1, 1001), 0.99) == 990 and score.quantile([], 0.5) is None)
    limits = score.steps([look(-1, 50000), look(0, 50000), look(12, 100000), look(14, -1), look(16, 100000)], 4)
    check("equal looks are one step, no limit the host", limits == [(-1, 0.5), (12, 1), (14, 4), (16, 1)], limits)
    # From 10 to 20: 2 s of 0.5, 2 of 1, 2 of 4, 4 of 1: 15 core-seconds.
    check("the mean limit is weighted by time", near(score.mean_limit(limits, 10, 20), 1.5),
          score.mean_limit(limits, 10, 20))
    check("a limit seen late counts from the start", near(score.mean_limit([(3, 0.5)], 0, 10), 0.5))
    slow = [(10 + i / 10, 101.0 if i in (5, 105) else 10.0) for i in range(200)] + [(9, 900.0), (31, 900.0)]
    p99, over = score.windows(slow, 10, 35, 100)
    # 1 of 100 is late in both windows of 100: rank 99 is not.
    check("windows are whole, and one late in a hundred is none too many", p99 == [10.0, 10.0] and over == 0,
          (p99, over))
    p99, over = score.windows(slow + [(15, 150.0)], 10, 30, 100)
    check("two are", p99 == [101.0, 10.0] and over == 0.5, (p99, over))


def test_run():
    requests = [(i / 100, 100.0 if i % 100 else 100.5) for i in range(2000)] + [(25, 5000.0)]
    looks = [look(0, 50000), look(5, 40000, 1, 100000, 50), look(10, 60000, 2, 3100000, 100),
             look(15, 60000, 4, 5100000, 150)]
    r = score.run(requests, looks, (0, 5, 20), 100, 2)
    # Limits from 5 to 20: 5 s of 0.4 and 10 of 0.6.
    check("cores are those after the warm-up", near(r["cores"], 8 / 15), r)
    check("p99 is of the run's requests; exactly the objective is in it", r["held"] and r["p99_ms"] == 100.0, r)
    check("late is a share of the requests of the run", near(r["over"], 0.01) and r["requests"] == 2000, r)
    check("writes are what changed the limit after the warm-up, an hour", near(r["writes_per_h"], 2 * 3600 / 15), r)
    check("use and throttling are differences", near(r["used_cores"], 0.5) and near(r["throttled"], 0.03), r)
    r = score.run(requests + [(1, 100.1), (2, 100.1)], looks, (0, 5, 20), 100, 2)
    check("a little over is not held", not r["held"], r)


def test_why():
    looks = [look(t / 2, 90000, usage_us=400000 * t + (300000 if t > 5 else 0)) for t in range(20)]
    # 0.8 cores a second, 1.1 in the one with the step; the last half second is no whole one.
    used = score.used_by_second(looks, 1, 10)
    check("use by second", len(used) == 8 and near(used[0], 0.8) and near(max(used), 1.1), used)
    agent = {"status": [{"t": t, "cpu": {"planned_mcpu": p, "demand_mcpu": {"0.5": d}}}
                        for t, p, d in ((0, 5000, 5000), (2, 800, 600), (3, 1000, None))],
             "history": [{"errno": 0, "before": 1, "after": 2, "knob": "cpu.max", "reason": "a"},
                         {"errno": 0, "before": 2, "after": 2, "knob": "cpu.max", "reason": "a"}], "explain": None}
    w = score.why(agent, looks, (0, 1, 10))
    check("plan and forecast are means after the warm-up", near(w["planned"], 0.9) and near(w["forecast_q5"], 0.6) and
          w["forecast_q99"] is None, w)
    check("changes are what changed", w["changes"] == {"cpu.max a": 1}, w)


def test_figures():
    def run(cores, held=True):
        return {"cores": cores, "held": held}
    traces = {"a": {"foreshape": run(0.8), "k8s:0.5": run(1.0), "k8s:0.7": run(0.7, False), "captain:0.1": run(0.8)},
              "b": {"foreshape": run(0.6, False), "k8s:0.5": run(1.2), "k8s:0.3": run(1.5),
                    "captain:0.1": run(0.5, False)}}
    f = score.figures(traces)
    check("the best of a rule is the cheapest that held", near(f["cores_ratio_k8s_a"], 0.8) and
          near(f["cores_ratio_k8s_b"], 0.5), f)
    check("the ratio of all is the mean over the traces", near(f["cores_ratio_k8s"], 0.65), f)
    check("no ratio to what never held", "cores_ratio_captain_b" not in f and "cores_ratio_captain" not in f, f)
    check("held is what held everywhere", (f["slo_held_a"], f["slo_held_b"], f["slo_held"]) == (1, 0, 0), f)


def test_reaction():
    looks = [look(9.9, 40000, 5), look(10.1, 50000, 5), look(10.2, 50000, 6), look(10.25, 50000, 6),
             look(10.35, 60000, 7), look(11, 90000, 7)]
    r = score.reaction(looks, 10, 0.8)
    check("the reaction is from the first throttled period to the first raise from then on",
          (r["throttled_s"], r["raised_s"], r["enough_s"]) == (10.2, 10.35, 11), r)
    r = score.reaction(looks[:2] + [look(11, 40000, 6)], 10, 0.8)
    check("a raise before the throttling is none", r["raised_s"] is None and r["throttled_s"] == 11, r)
    late = score.reaction(looks[:2] + [look(12.1, 50000, 6), look(12.2, 60000, 6)], 10, 0.8)
    check("throttling long after the step is none of it", late["throttled_s"] is None and late["raised_s"] is None)

    def row(throttled, raised):
        return {"throttled_s": throttled, "raised_s": raised}
    rows = [row(1, 1.25), row(5, 5.5), row(None, None), row(9, 9.125)]
    check("the reaction is the median of the surprises", score.reaction_ms(rows) == 250, score.reaction_ms(rows))
    check("one never answered spoils it", score.reaction_ms(rows + [row(11, None)]) is None)
    check("without a surprise there is none", score.reaction_ms([row(None, None)]) is None)


def test_parts():
    rates, span = bench.part_of(list(range(3600)), False, 120, 60)
    check("a cut is the middle, after its own past", (rates[0], rates[60], rates[-1], span) ==
          (1680, 1740, 1859, (60, 60, 180)), (rates[0], rates[-1], span))
    rates, span = bench.part_of([10.0] * 3600, True, 120, 60)
    check("the hour follows a ramp of a tenth every 5 s", len(rates) == 3780 and span == (180, 210, 3780) and
          near(rates[179], 10) and near(rates[174], 10 / 1.1), (len(rates), span))


def left(pid):
    return [p for p in glob.glob("/sys/fs/cgroup/*") + glob.glob("/sys/fs/cgroup/*/*") +
            glob.glob(os.path.join(tempfile.gettempdir(), "*")) if f"fshd{pid}" in p]


def start_bench(folder, only):
    os.makedirs(os.path.join(folder, "rates"), exist_ok=True)
    with open(os.path.join(folder, "rates", "autothrottle_made_1s.csv"), "w") as f:
        f.write("time,rps\n" + "".join(f"{t},{20 + t % 3}\n" for t in range(60)))
    return subprocess.Popen([sys.executable, os.path.join(BENCH, "main.py")], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True,
                            env=dict(os.environ, DATA=folder, MINUTES="0.1", WARM_UP_S="2", ONLY=only, FULL="",
                                     TRACES="", BUILD=os.path.join(folder, "build"), FORESHAPE=FORESHAPE,
                                     PYTHONDONTWRITEBYTECODE="1"))


def test_live(folder):
    p = start_bench(folder, "captain:0.1 foreshape")
    out, _ = p.communicate(timeout=120)
    check("a few seconds of two contenders are played and scored", p.returncode == 0 and "captain:0.1" in out and
          "slo_held_made" in out, out[-800:])
    check("and leave nothing", not left(p.pid), left(p.pid))
    for after_s, how in ((0.3, signal.SIGINT), (2.5, signal.SIGTERM)):
        p = start_bench(folder, "foreshape")
        time.sleep(after_s)
        p.send_signal(how)
        out, _ = p.communicate(timeout=60)
        check(f"interrupted after {after_s} s it leaves nothing", not left(p.pid) and "Traceback" not in out,
              (left(p.pid), out[-300:]))


def main():
    for test in (test_utilisation, test_captain_cuts, test_captain_raises, test_captain_undoes, test_score, test_run,
                 test_why, test_figures, test_reaction, test_parts):
        test()
    need_root()
    if not os.access(os.path.join(BUILD, "bench", "shaping", "sampler"), os.X_OK):
        skip("the sampler is not built")
    with tempfile.TemporaryDirectory() as folder:
        test_live(folder)
    finish()


main()
