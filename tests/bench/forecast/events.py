# SPDX-License-Identifier: GPL-2.0-or-later
"""events.py - what known events are worth: with a calendar against without, and against R's prophet.

World Cup 1998: matches known by their kick-off, 24 h ahead, since that is how far a day's matches lie, from
every third hour of the tournament on. 15-min steps resolve a match of two hours; 1-h steps are the usual ones.
The file has the matches of a day; in the group stage they began at 14:30 (days of three), 17:30 and 21:00 in
Paris (two hours ahead of UTC), later at 16:00 or 16:30 and 21:00: the schedule of the Associated Press, published
before (washingtonpost.com/wp-srv/sports/soccer/longterm/aj/sked.htm). The trace ends in the group stage.

Peyton Manning's Wikipedia page: play-offs and Super Bowls as in prophet's quick start, 30 days ahead. There an
event is felt on its day and the one after, here that is learned. With R=1 prophet forecasts the same days.
"""
import csv
import os
import subprocess
import tempfile

from score import LEVELS, Backtest, coverage, wql

KICK_OFFS = {2: ("15:30", "19:00"), 3: ("12:30", "15:30", "19:00"), 4: ("14:00", "19:00")}
KNOCKOUT = {1: ("19:00",), 2: ("14:30", "19:00")}
MATCH_H = 2
CUP_STEPS = ("15m", "1h")
# https://facebook.github.io/prophet/docs/seasonality,_holiday_effects,_and_regressors.html
PLAYOFFS = ("2008-01-13 2009-01-03 2010-01-16 2010-01-24 2010-02-07 2011-01-08 2013-01-12 2014-01-12 2014-01-19 "
            "2014-02-02 2015-01-11 2016-01-17 2016-01-24 2016-02-07").split()
SUPERBOWLS = "2010-02-07 2014-02-02 2016-02-07".split()
TRAIN, HORIZON = 1096, 30  # days; three years, since prophet and we look for a yearly season


def matches(path):
    """Lines of a calendar: the matches of the file's days."""
    with open(path, newline="") as f:
        for row in csv.DictReader(f):
            plan = KNOCKOUT if row["knockout"] == "1" else KICK_OFFS
            for at in plan[int(row["matches"])]:
                until = f"{int(at[:2]) + MATCH_H}{at[2:]}"
                yield f"{row['date']}T{at}Z,match,{row['date']}T{until}Z"


def mape(rows):
    return sum(abs(y - q[0.5]) / y for y, q in rows if y > 0) / len(rows)


def pair(path, events, *options):
    """The backtest without and with the events, and what was learned of them."""
    with tempfile.TemporaryDirectory() as directory:
        calendar = os.path.join(directory, "events.csv")
        with open(calendar, "w") as f:
            f.write("date,name,end\n" + "\n".join(events) + "\n")
        return Backtest(path, *options), Backtest(path, *options, "--events", calendar)


def show(name, done, rows):
    cover = " ".join(f"{100 * v:5.1f}" for v in coverage(rows).values())
    print(f"{name:28} {wql(rows):8.4f} {100 * mape(rows):8.2f}   {cover}", flush=True)
    for e in done.result.get("events", []):
        print(f"{'':4}{e['name']}: {e['occurrences']} learned, before x{e['before']:.2f}, during x{e['during']:.2f}, "
              f"after x{e['after']:.2f}")


def world_cup(data):
    path, days = (os.path.join(data, "rates", n) for n in ("worldcup98_1min.csv", "worldcup98_matches_daily.csv"))
    if not os.path.exists(path) or not os.path.exists(days):
        print("skipped: World Cup 1998, no rates/worldcup98_1min.csv with its matches")
        return {}
    figures = {}
    for step in CUP_STEPS:
        plain, known = pair(path, list(matches(days)), "--step", step, "--train", "41d", "--horizon", "24h",
                            "--stride", "3h")
        show(f"wc98 {step}, no calendar", plain, plain.scored())
        show(f"wc98 {step}, with calendar", known, known.scored())
        figures[f"events_wc98_{step}_ratio"] = wql(known.scored()) / wql(plain.scored())
    figures["events_wc98_ratio"] = figures[f"events_wc98_{CUP_STEPS[0]}_ratio"]
    return figures


def prophet(path, events, origins):
    """{(origin, step): quantiles} of R's prophet, its median replaced by what it calls its forecast."""
    with tempfile.TemporaryDirectory() as directory:
        calendar, out = os.path.join(directory, "events.csv"), os.path.join(directory, "out.csv")
        with open(calendar, "w") as f:
            f.write("date,name\n" + "\n".join(events) + "\n")
        script = os.path.join(os.path.dirname(__file__), "prophet.R")
        subprocess.run(["Rscript", script, path, calendar, out, str(HORIZON), ",".join(map(str, origins))],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       env={**os.environ, "TZ": "UTC"})
        found = {}
        with open(out, newline="") as f:
            for row in csv.DictReader(f):
                key = (origins.index(int(row["origin"])), int(row["step"]))
                found[key] = {level: float(row["q%g" % level]) for level in LEVELS}
                found[key][0.5] = float(row["yhat"])
        return found


def peyton(data, with_r):
    path = os.path.join(data, "rates", "peyton_manning_daily_log.csv")
    if not os.path.exists(path):
        print("skipped: Peyton Manning, no rates/peyton_manning_daily_log.csv")
        return {}
    events = [f"{day},playoff" for day in PLAYOFFS] + [f"{day},superbowl" for day in SUPERBOWLS]
    plain, known = pair(path, events, "--train", f"{TRAIN}d", "--horizon", f"{HORIZON}d", "--stride", f"{HORIZON}d")
    show("peyton, no events", plain, plain.scored())
    show("peyton, with events", known, known.scored())
    figures = {"events_peyton_wql": wql(known.scored()), "events_peyton_mape": mape(known.scored()),
               "events_peyton_with_without": wql(known.scored()) / wql(plain.scored())}
    if not with_r:
        print("skipped: prophet; R=1 runs it")
        return figures
    origins = [TRAIN - 1 + i * HORIZON for i in range(max(o for o, *_ in known.rows) + 1)]
    peer = prophet(path, events, origins)
    rows = [(y, peer[o, s]) for o, s, y, _ in known.rows]
    print(f"{'prophet, with events':28} {wql(rows):8.4f} {100 * mape(rows):8.2f}", flush=True)
    figures["events_peyton_wql_ratio"] = wql(known.scored()) / wql(rows)
    figures["events_peyton_ratio"] = mape(known.scored()) / mape(rows)
    return figures


def run(data, with_r):
    print(f"{'':28} {'wql':>8} {'MAPE %':>8}   {'80 %':>5} {'90 %':>5} {'95 %':>5}")
    figures = {**world_cup(data), **peyton(data, with_r)}
    return figures, figures
