#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Takes long.
# Not in the VM: it computes, the same on every kernel
"""test_forecast_csv.py - forecast --csv reads any CSV or says what is wrong, and where."""
import csv
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
import xml.dom.minidom

BINARY = os.environ.get("FORESHAPE", "build/foreshape")
HEADER = "origin,step,time,actual,mean,q05,q10,q25,q50,q75,q90,q95,q99,q025,q975,q999".split(",")
failed = False


def check(name, ok, why=""):
    global failed
    failed = failed or not ok
    print("ok %s" % name if ok else "not ok %s: %s" % (name, why), flush=True)


def forecast(path, *options):
    return subprocess.run([BINARY, "forecast", "--csv", path, *options], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, encoding="utf-8", errors="replace", timeout=120)


def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w") as f:
        f.write(text)
    return path


def day(n, step=60, start=1000000000, form=str):
    """A noisy day of 48 steps."""
    rng = random.Random(1)
    rows = ["time,rate,other"]
    for i in range(n):
        v = 100 * (1.5 + math.sin(i * 2 * math.pi / 48)) * math.exp(0.05 * rng.gauss(0, 1))
        rows.append("%s,%.3f,%d" % (form(start + i * step), v, 7))
    return rows


def ascending(row):
    """The quantiles of an emitted row by their level; .025 and .975 were added behind the others."""
    by_level = sorted(zip(HEADER[5:], row[5:]), key=lambda q: float("0." + q[0][1:]))
    return [value for _, value in by_level]


def test_contract(d):
    path = write(d, "day.csv", "\n".join(day(1500)) + "\n")
    out = os.path.join(d, "out.csv")
    done = forecast(path, "--train", "8h", "--horizon", "30m", "--stride", "20m", "--json", "--emit", out)
    check("exit 0", done.returncode == 0, done.stderr)
    r = json.loads(done.stdout)
    keys = {"schema", "points", "step_s", "origins", "horizon_steps", "wql", "mase", "coverage",
            "models", "periods"}
    check("json has the contract's keys", keys <= set(r) and r["schema"] == 1, str(set(r)))
    check("json counts", r["points"] == 1500 and r["step_s"] == 60 and r["horizon_steps"] == 30
          and r["origins"] == (1500 - 480 - 30) // 20 + 1, done.stdout[:200])
    check("period found", 48 in r["periods"], str(r["periods"]))
    check("90 % interval covers 85 to 95 %", 0.85 <= r["coverage"]["90"] <= 0.95, str(r["coverage"]))
    check("weights sum to 1", abs(sum(m["weight"] for m in r["models"]) - 1) < 0.01)
    own = [m["state_bytes"] for m in r["models"]]
    check("models say how much of the state is theirs", min(own) >= 0 and 4096 < sum(own) < 1024 * r["state_kib"], str(own))
    check("quantiles are near", r["wql"] < 0.04, str(r["wql"]))
    with open(out, newline="") as f:
        rows = list(csv.reader(f))
    check("emitted header", rows[0] == HEADER, str(rows[0]))
    check("emitted rows", len(rows) == 1 + 30 * r["origins"], str(len(rows)))
    first = rows[1]
    check("origin is the last observed time", first[0] == str(1000000000 + 479 * 60)
          and first[1] == "1" and first[2] == str(1000000000 + 480 * 60), str(first))
    check("quantiles in order", all(float(a) <= float(b) for row in rows[1:]
                                    for a, b in zip(ascending(row), ascending(row)[1:])))
    again = os.path.join(d, "again.csv")
    forecast(path, "--train", "8h", "--horizon", "30m", "--stride", "20m", "--json", "--emit", again)
    with open(out) as a, open(again) as b:
        check("the same twice", a.read() == b.read())
    table = forecast(path, "--train", "8h", "--horizon", "30m", "--stride", "20m")
    check("table for people", "weighted quantile loss" in table.stdout and not table.stderr, table.stderr)
    check("chart for people", "90 % band" in table.stdout and "based on " in table.stdout
          and "48 min (48 steps)" in table.stdout and max(map(
              len, table.stdout.split("the last forecast")[1].splitlines())) <= 80,
          table.stdout)


def test_forms(d):
    iso = write(d, "iso.csv", "\n".join(day(300, form=lambda t: time.strftime(
        "%Y-%m-%dT%H:%M:%SZ", time.gmtime(t)))))
    out = os.path.join(d, "iso.out")
    done = forecast(iso, "--train", "2h", "--horizon", "5m", "--emit", out, "--json")
    with open(out) as f:
        line = f.readlines()[1].split(",")
    check("ISO-8601 in and out", done.returncode == 0 and line[0].endswith("Z") and "T" in line[2],
          done.stderr + str(line))
    values = "\n".join(row.split(",")[1] for row in day(300)[1:])
    bare = write(d, "bare.csv", values)
    done = forecast(bare, "--step", "60s", "--train", "7200s", "--horizon", "5m", "--json")
    check("one column with --step", done.returncode == 0 and json.loads(done.stdout)["points"] == 300,
          done.stderr)
    done = forecast(bare, "--train", "2h", "--horizon", "5m")
    check("one column without --step is said", done.returncode == 1 and "--step" in done.stderr, done.stderr)
    path = write(d, "day.csv", "\n".join(day(300)))
    done = forecast(path, "--column", "other", "--train", "2h", "--horizon", "5m", "--json")
    check("--column takes another one", done.returncode == 0 and json.loads(done.stdout)["wql"] < 0.001,
          done.stdout + done.stderr)
    done = forecast(path, "--column", "nope")
    check("unknown column is said", done.returncode == 1 and "nope" in done.stderr, done.stderr)
    done = forecast(path, "--train", "potato")
    check("bad duration is a usage error", done.returncode == 2 and "potato" in done.stderr, done.stderr)
    done = forecast(path, "--step", "5m", "--train", "2h", "--horizon", "10m", "--json")
    check("coarser --step averages", done.returncode == 0 and json.loads(done.stdout)["points"] == 60,
          done.stdout + done.stderr)
    rows = day(300)
    gappy = write(d, "gaps.csv", "\n".join(rows[:100] + rows[150:200]) + "\n"
                  + "\n".join(r.split(",")[0] + ",," for r in rows[200:210]) + "\n"
                  + "\n".join(rows[210:]))
    done = forecast(gappy, "--train", "2h", "--horizon", "5m", "--json")
    check("gaps and blanks are missing values", done.returncode == 0
          and json.loads(done.stdout)["missing"] == 60, done.stdout + done.stderr)


def test_bad(d):
    rows = day(300)
    bad = {
        "letters": (rows[:50] + ["1000003000,abc,1"] + rows[52:], ":51:"),
        "infinite": (rows[:50] + ["1000003000,inf,1"], ":51:"),
        "time goes back": (rows[:50] + [rows[20]], ":51:"),
        "same time again": (rows[:50] + [rows[49]], ":51:"),
        "bad time": (rows[:50] + ["yesterday,1,1"], ":51:"),
        "too few columns": (rows[:50] + ["1000009999"], ":51:"),
        "one row": (rows[:2], "few"),
        "header alone": (rows[:1], "no rows"),
        "nothing": ([], "empty"),
        "far jump": (rows[:50] + ["9000000000,1,1"], "step"),
    }
    for name, (lines, text) in bad.items():
        done = forecast(write(d, "bad.csv", "\n".join(lines)), "--train", "2h", "--horizon", "5m")
        check("%s is said" % name, done.returncode == 1 and text in done.stderr
              and done.stderr.count("\n") == 1, done.stderr)
    done = forecast(os.path.join(d, "gone.csv"))
    check("no file is said", done.returncode == 1 and "gone.csv" in done.stderr, done.stderr)
    done = forecast(write(d, "short.csv", "\n".join(day(100))), "--train", "7d")
    check("too little to train on is said", done.returncode == 1 and "--train" in done.stderr, done.stderr)
    for rows, step in ((300000, "1d"), (600, "400w")):
        path = write(d, "long.csv", "1\n" * rows)
        done = forecast(path, "--step", step)
        check("%d steps of %s are said" % (rows, step), done.returncode == 1
              and "is the step right?" in done.stderr, "%d %s" % (done.returncode, done.stderr))
    wild = ["time,v"] + ["%d,%s" % (i, random.Random(i).choice(
        ["0", "1e15", "", "nan", "5", "-3", "1e300", "7"])) for i in range(600)]
    done = forecast(write(d, "wild.csv", "\n".join(wild)), "--train", "100s", "--horizon", "20s", "--json")
    check("wild values give a clean result", done.returncode == 0
          and math.isfinite(json.loads(done.stdout)["wql"]), done.stdout + done.stderr)


def odd_inputs():
    """Values at even steps by name, None: no row."""
    rng = random.Random(3)
    week = [rng.random() * 100 for _ in range(168)]
    return {
        "constant": [42] * 400, "zero": [0] * 400, "one point": [None] * 30 + [7] + [""] * 369,
        "alternating": [0, 1e6] * 200, "exponential": [math.exp(t / 12) for t in range(400)],
        "1e15": [1e15 * rng.random() for _ in range(400)],
        "negative": [-5 if t % 3 else 5 for t in range(400)],
        "not numbers": ["nan" if t % 3 else 3 for t in range(400)],
        "a gap of weeks": [t % 24 for t in range(300)] + [None] * 600 + [t % 24 for t in range(100)],
        "counts that reset": [t % 131 * 1e4 for t in range(400)], "copies of a week": week * 3,
    }


def test_odd(d):
    out = os.path.join(d, "odd.out")
    for name, values in odd_inputs().items():
        path = write(d, "odd.csv", "time,v\n" + "".join(
            "%d,%s\n" % (1700000000 + 3600 * t, v) for t, v in enumerate(values) if v is not None))
        most = max(v for v in values if isinstance(v, (int, float)))
        done = forecast(path, "--train", "100h", "--horizon", "24h", "--stride", "7h", "--emit", out)
        with open(out, newline="") as f:
            rows = list(csv.reader(f))[1:]
        bad = [row for row in rows for q in row[4:] if not 0 <= float(q) <= 4 * most * (1 + 1e-8)]  # 9 digits
        check("%s: forecasts are finite and bounded" % name, done.returncode == 0 and rows and not bad,
              done.stderr + str(bad[:1]))
        check("%s: nothing shown is nan" % name, "nan" not in done.stdout and "inf" not in done.stdout,
              done.stdout)


def read(path):
    with open(path) as f:
        return f.read()


def test_emit_spares_files(d):
    rows, out = day(300), write(d, "old.out.csv", "older result\n")
    for name, lines, train in (("letters", rows[:50] + ["1000003000,abc,1"], "2h"),
                               ("too little", rows[:50], "7d")):
        forecast(write(d, "bad.csv", "\n".join(lines)), "--train", train, "--emit", out)
        check("%s leaves the older result" % name, read(out) == "older result\n", read(out)[:99])
    path = write(d, "same.csv", "\n".join(rows) + "\n")
    done = forecast(path, "--train", "2h", "--horizon", "5m", "--emit", path)
    check("the input may be the output", done.returncode == 0 and
          read(path).startswith(",".join(HEADER)), done.stderr)
    done = forecast(write(d, "good.csv", "\n".join(rows)), "--train", "2h", "--emit", d)
    check("an output that cannot be written is said", done.returncode == 1 and d in done.stderr,
          done.stderr)


def test_svg(d):
    rows, out = day(600), os.path.join(d, "out.svg")
    rows[0] = 'time,"<a> & ""b"" \x01\xe9",other'
    path = os.path.join(d, "day.csv")
    with open(path, "w", encoding="latin-1") as f:
        f.write("\n".join(rows))
    done = forecast(path, "--train", "2h", "--horizon", "1h", "--svg", out)
    check("a picture is written", done.returncode == 0, done.stderr)
    svg = xml.dom.minidom.parse(out)
    title = svg.getElementsByTagName("title")[0].firstChild.data
    check("its title is the column", title.startswith("<a> & "), title)
    paths = [p.getAttribute("d") for p in svg.getElementsByTagName("path")]
    check("it has lines and bands of numbers", sum(p.endswith("Z") for p in paths) == 2
          and not any(c in "".join(paths) for c in "ni") and len(paths) > 10, paths)
    picture = read(out)
    done = forecast(write(d, "bad.csv", "x\ny\n"), "--svg", out, "--step", "1s")
    check("bad input leaves the older picture", done.returncode == 1 and read(out) == picture, done.stderr)
    for to in (d, os.path.join(d, "none/out.svg"), "/dev/full"):
        done = forecast(path, "--train", "2h", "--horizon", "1h", "--svg", to)
        check("%s cannot be written and is said" % to, done.returncode == 1 and to in done.stderr
              and done.stderr.count("\n") == 1, done.stderr)
    blank = write(d, "blank.csv", "time,v\n" + "".join("%d,\n" % i for i in range(100)))
    done = forecast(blank, "--train", "50s", "--horizon", "5s", "--svg", out)
    xml.dom.minidom.parse(out)
    check("nothing measured is a picture that says so", done.returncode == 0
          and "no values to draw" in read(out), done.stderr)


def test_nothing_to_score(d):
    zero = ["time,v"] + ["%d,0" % i for i in range(100)]
    files = {"missing": ["time,v"] + ["%d," % i for i in range(100)],
             "negative": ["time,v"] + ["%d,-1" % i for i in range(100)], "zero": zero}
    for name, rows in files.items():
        path = write(d, "none.csv", "\n".join(rows))
        done = forecast(path, "--train", "50s", "--horizon", "5s")
        check("all %s reads -" % name, done.returncode == 0 and "loss  -\n" in done.stdout
              and "nan" not in done.stdout, done.stdout + done.stderr)
        r = json.loads(forecast(path, "--train", "50s", "--horizon", "5s", "--json").stdout)
        check("all %s is null" % name, r["wql"] is None and
              r["missing"] == (0 if name == "zero" else 100), str(r))
    done = forecast(write(d, "day.csv", "\n".join(day(100))), "--train", "60s", "--horizon", "60s")
    check("one step of training reads -", done.returncode == 0 and "nan" not in done.stdout,
          done.stdout + done.stderr)


def test_anomalies(d):
    rows = day(900)
    rows[1 + 700] = "%d,2500,7" % (1000000000 + 700 * 60)
    del rows[1 + 800]
    path, out = write(d, "odd.csv", "\n".join(rows)), os.path.join(d, "scores.csv")
    done = forecast(path, "--horizon", "5m", "--anomalies", "--json", "--scores", out)
    found = json.loads(done.stdout)["anomalies"]
    at = [a for a in found if a["time"] == str(1000000000 + 700 * 60)]
    check("the spike is found", len(at) == 1 and at[0]["kind"] == "spike" and at[0]["severity"] == 1
          and at[0]["value"] == 2500 and 20 < at[0]["expected"] < 300, str(found))
    check("little else is", len(found) < 6, str(found))
    scores = list(csv.DictReader(open(out, newline="")))
    check("a score for every step", len(scores) == 900 and list(scores[0]) == ["time", "value", "score"],
          str(scores[:1]))
    check("scores are from 0 to 1", all(0 <= float(r["score"]) <= 1 for r in scores))
    check("the spike has the score", float(scores[700]["score"]) == 1 and float(scores[699]["score"]) == 0,
          str(scores[699:701]))
    check("a step without a value is blank", scores[800]["value"] == "" and scores[800]["score"] == "0.000",
          str(scores[800]))
    done = forecast(path, "--horizon", "5m", "--anomalies")
    line = [row.split() for row in done.stdout.split("\n") if row.startswith(str(1000000000 + 700 * 60))]
    check("a table of them for people", line and line[0][1:4] == ["spike", "1.00", "2500"], done.stdout)
    r = json.loads(forecast(path, "--horizon", "5m", "--json").stdout)
    check("not asked, not told", "anomalies" not in r)
    flat = write(d, "flat.csv", "\n".join(["time,v"] + ["%d,5" % i for i in range(200)]))
    done = forecast(flat, "--horizon", "5s", "--anomalies")
    check("none is said", "no anomalies found" in done.stdout, done.stdout + done.stderr)
    done = forecast(flat, "--horizon", "5s", "--scores", d)
    check("scores that cannot be written are said", done.returncode == 1 and d in done.stderr, done.stderr)


ICS = """BEGIN:VCALENDAR
BEGIN:VEVENT
UID:1
DTSTART:20010910T020000Z
DURATION:PT1H
RRULE:FREQ=DAILY;COUNT=9;INTERVAL=2
SUMMARY:rush
END:VEVENT
END:VCALENDAR
"""


def with_events(first, hours, felt):
    """Hours about 100, three times that from hour felt[i] on for one."""
    rng = random.Random(2)
    return "\n".join(["time,rate"] + ["%d,%.2f" % (first + 3600 * i, (300 if i in felt else 100)
                                                 * math.exp(0.05 * rng.gauss(0, 1))) for i in range(hours)])


def test_events(d):
    """18 days from 10 September 2001 on; at two in the morning of every other one there is a rush."""
    path = write(d, "rush.csv", with_events(1000080000, 432, {2 + 48 * i for i in range(9)}))
    ics, out = write(d, "rush.ics", ICS), os.path.join(d, "rush.out.csv")
    options = ["--train", "146h", "--horizon", "24h", "--stride", "24h", "--json", "--emit", out]
    holidays = write(d, "holidays.csv", "date,name,end\n2001-09-12T02:00Z,rush,2001-09-12T03:00Z\n2001-09-20,day off\n")
    plain = json.loads(forecast(path, *options).stdout)
    check("no events without --events", "events" not in plain, plain)
    r = json.loads(forecast(path, *options, "--events", ics, "--events", holidays).stdout)
    events = {e["name"]: e for e in r["events"]}
    check("events of both files", set(events) == {"rush", "day off"} and events["rush"]["known"] == 10, events)
    check("an event is learned", 2.4 < events["rush"]["during"] < 3.6 and events["rush"]["occurrences"] == 9, events)
    check("what is before and after is not", all(0.9 < events["rush"][k] < 1.1 for k in ("before", "after")), events)
    check("no multiplier was stated", events["rush"]["multiplier"] is None, events)
    check("events help", r["wql"] < 0.9 * plain["wql"], (r["wql"], plain["wql"]))
    with open(out) as f:
        rush = [row for row in csv.DictReader(f) if float(row["actual"]) > 220]
    check("each is known a day ahead", rush and all(200 < float(row["q50"]) < 400 for row in rush), rush)
    text = forecast(path, "--train", "146h", "--horizon", "24h", "--events", ics).stdout
    check("the table shows it", any(line.split()[:3] == ["rush", "9", "9"] for line in text.splitlines()), text)
    for name, words in {
            "bad.csv": ("2001-09-10,a\n2001-09-31,b\n", "bad.csv:2: not a date"),
            "bad.ics": (ICS.replace("DAILY", "DAIRY"), "bad.ics:6: RRULE cannot be read"),
            "cut.ics": (ICS[:90], "cut.ics:7: the end is missing: END:VEVENT"),
    }.items():
        done = forecast(path, "--events", write(d, name, words[0]))
        check(f"{name} is refused with its line", done.returncode == 1 and words[1] in done.stderr
              and not done.stdout, done.stderr)
    for name in ("/nonexistent", d, "/dev/zero"):
        done = forecast(path, "--events", name)
        check(f"{name} holds no events", done.returncode == 1 and name in done.stderr, done.stderr)
    done = forecast(path, "--events", write(d, "other.csv", "1999-01-01,then\n"))
    check("events elsewhere are told of", done.returncode == 0 and "no event lies within" in done.stderr, done.stderr)


def test_limits(d):
    """Noise on 100: what a short step costs trades steps short against what is unused."""
    rng = random.Random(4)
    path = write(d, "noise.csv", "time,v\n" + "\n".join("%d,%.3f" % (60 * i, 100 * math.exp(0.1 * rng.gauss(0, 1)))
                                                       for i in range(2000)))
    options = ["--step", "1m", "--train", "500m", "--horizon", "5m", "--stride", "5m"]
    rows = json.loads(forecast(path, *options, "--json", "--short-cost", "10,100,1000").stdout)["limits"]
    check("a row for each cost", [r["short_cost"] for r in rows] == [10, 100, 1000], rows)
    check("what is dear is short more seldom", rows[0]["short"] > rows[1]["short"] > rows[2]["short"]
          and rows[0]["over"] < rows[1]["over"] < rows[2]["over"], rows)
    # Of a normal value of sd 10, F = 100 F' at 1.66 sd: 4.8 % are above, and 17 of 100 unused.
    check("as often as it pays", 0.03 < rows[1]["short"] < 0.07 and 0.14 < rows[1]["over"] < 0.20, rows[1])
    # Steps of 10 up or down: a limit of one step above leaves 10 of 150 unused on average.
    at, walk = 150, []
    for i in range(3000):
        at += 10 if at < 100 or (at < 200 and rng.random() < 0.5) else -10
        walk.append("%d,%d" % (i, at))
    walked = write(d, "walk.csv", "time,v\n" + "\n".join(walk))
    row, = json.loads(forecast(walked, "--step", "1s", "--train", "1000s", "--horizon", "1s", "--stride", "1s",
                               "--json", "--short-cost", "500").stdout)["limits"]
    check("one step above a walk in steps", row["short"] < 0.005 and 0.06 < row["over"] < 0.075, row)
    text = forecast(path, *options, "--short-cost", "100").stdout
    check("the table shows them", "SHORT-COST" in text, text)
    for bad in ("", "0", "-1", "1,,2", "x", "nan", ",".join(["1"] * 33)):
        done = forecast(os.path.join(d, "none.csv"), "--short-cost", bad)
        check(f"--short-cost '{bad[:9]}' is refused", done.returncode == 2 and "--short-cost" in done.stderr,
              done.stderr)


def swing(n):
    """Hours of a swing that is quicker and slower by turns."""
    random.seed(1)
    phase = 0
    yield "time,v"
    for t in range(n):
        phase += 2 * math.pi / (20 + 10 * math.sin(t / 100))
        yield "%d,%.3f" % (t * 3600, 1000 * math.exp(0.5 * math.sin(phase) + random.gauss(0, 0.01)))


def test_tune(d):
    path = write(d, "swing.csv", "\n".join(swing(1500)))
    usual = forecast(path, "--horizon", "2h", "--json")
    done = forecast(path, "--horizon", "2h", "--json", "--tune")
    a, b = json.loads(usual.stdout), json.loads(done.stdout)
    check("not asked, not tuned", "tuned" not in a)
    check("a change is found and proved", b["tuned"]["changes"] >= 1 and b["tuned"]["searches"] >= 1
          and 0 < b["tuned"]["gain"] < 1 and b["tuned"]["cpu_ms"] > 0, str(b["tuned"]))
    check("it pays", b["wql"] < a["wql"], f"{a['wql']} {b['wql']}")
    done = forecast(path, "--horizon", "2h", "--tune")
    check("it is said", "times changed; the last change saved" in done.stdout, done.stdout)


def test_size(d):
    path = os.path.join(d, "big.csv")
    with open(path, "w") as f:
        f.write("time,v\n")
        f.writelines("%d,%d\n" % (i, 100 + i % 60) for i in range(1000000))
    began = time.monotonic()
    done = forecast(path, "--train", "11d", "--horizon", "60s", "--stride", "1h", "--json")
    took = time.monotonic() - began
    check("a million rows", done.returncode == 0 and json.loads(done.stdout)["points"] == 1000000,
          done.stderr)
    print("# a million rows: %.1f s" % took)


def main():
    if not os.access(BINARY, os.X_OK):
        print("no binary %s" % BINARY)
        return 77
    with tempfile.TemporaryDirectory() as d:
        for test in (test_contract, test_forms, test_bad, test_odd, test_emit_spares_files, test_svg,
                     test_nothing_to_score, test_anomalies, test_events, test_limits, test_tune, test_size):
            test(d)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
