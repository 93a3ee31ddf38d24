# SPDX-License-Identifier: GPL-2.0-or-later
"""anomaly.py - labelled anomalies of the Numenta Anomaly Benchmark, found by `forecast --csv --scores`.

Scored by its rules: Lavin, Ahmad (2015), "Evaluating real-time anomaly detection algorithms". The earliest find in
a labelled window counts, by a sigmoid that falls towards its end; what is found outside costs the more the farther
behind a window it lies; the first 15 % of a file are not scored. 0 is to find nothing, 100 to find every window at
its first row. The threshold is the best one of half of the files (every other one by name) and is scored on the
other half, and the other way round; a figure is the mean of both.
"""
import concurrent.futures
import csv
import datetime
import json
import math
import os
import statistics
import subprocess
import tempfile

from score import FORESHAPE

# name: weight of a window found, of a false find, of a window missed
PROFILES = {"standard": (1.0, 0.11, 1.0), "low_fp": (1.0, 0.22, 1.0), "low_fn": (1.0, 0.11, 2.0)}
PROBATION, PROBATION_ROWS = 0.15, 5000
NOTHING = 1.1  # a threshold above every score


def sigmoid(position):
    """Worth of a find: -1 is a window's first row, 0 its last, 1 a width behind it."""
    return -1.0 if position > 3 else 2 / (1 + math.exp(5 * position)) - 1


class File:
    def __init__(self, folder, name, windows):
        with open(os.path.join(folder, "data", name), newline="") as f:
            rows = list(csv.DictReader(f))
        self.name = name
        self.times = [row["timestamp"] for row in rows]
        self.values = [float(row["value"]) for row in rows]
        self.first = int(min(PROBATION * len(rows), PROBATION * PROBATION_ROWS))
        last = {time: i for i, time in enumerate(self.times)}
        self.windows = [(self.times.index(a[:19]), last[b[:19]]) for a, b in windows]
        self.scores = []

    def step_s(self):
        at = [datetime.datetime.strptime(time, "%Y-%m-%d %H:%M:%S") for time in self.times]
        return max(1, round(statistics.median((b - a).total_seconds() for a, b in zip(at, at[1:]))))

    def detect(self):
        """Row by row at even steps, as the benchmark feeds its detectors; rates are never negative, so where the
        probationary part is, all is lifted by twice its lowest."""
        lift = -2 * min(0.0, min(self.values[:self.first]))
        with tempfile.TemporaryDirectory() as directory:
            path, out = os.path.join(directory, "in.csv"), os.path.join(directory, "out.csv")
            with open(path, "w") as f:
                f.write("value\n" + "".join(f"{value + lift!r}\n" for value in self.values))
            subprocess.run([FORESHAPE, "forecast", "--csv", path, "--step", f"{self.step_s()}s", "--scores", out],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            with open(out, newline="") as f:
                self.scores = [float(row["score"]) for row in csv.DictReader(f)]
        assert len(self.scores) == len(self.values)
        return self

    def worth(self):
        """(score, window or None, what a find there is worth) of each row after the probationary part."""
        ahead, behind = list(self.windows), None
        for i, score in enumerate(self.scores):
            while ahead and i > ahead[0][1]:
                behind = ahead.pop(0)
            if i < self.first:
                continue
            if ahead and i >= ahead[0][0]:
                start, end = ahead[0]
                yield score, (self.name, start), sigmoid(-(end - i + 1) / (end - start + 1)) / sigmoid(-1)
            elif behind:
                yield score, None, sigmoid((i - behind[1]) / max(behind[1] - behind[0], 1))
            else:
                yield score, None, -1.0


def sweep(files, profile):
    """[(threshold, normalised score)] for falling thresholds."""
    tp, fp, fn = PROFILES[profile]
    windows = sum(len(f.windows) for f in files)
    raw, best, out = -fn * windows, {}, [(NOTHING, 0.0)]
    points = sorted((p for f in files for p in f.worth() if p[0] > 0), key=lambda p: -p[0])
    for i, (score, window, worth) in enumerate(points):
        if window is None:
            raw += fp * worth
        else:
            before = best.get(window, -fn)
            best[window] = max(before, tp * worth)
            raw += best[window] - before
        if i + 1 == len(points) or points[i + 1][0] != score:
            out.append((score, 100 * (raw + fn * windows) / ((tp + fn) * windows)))
    return out


def at(swept, threshold):
    return [score for reached, score in swept if reached >= threshold][-1]


def run(data):
    folder = os.path.join(data, "anomaly")
    if not os.path.exists(os.path.join(folder, "windows.json")):
        print(f"anomaly: skipped, no anomaly/windows.json in {data}")
        return {}, []
    with open(os.path.join(folder, "windows.json")) as f:
        windows = json.load(f)
    files = [File(folder, name, windows[name]) for name in sorted(windows)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        files = list(pool.map(File.detect, files))
    figures, raw = {}, []
    for profile in PROFILES:
        halves = [sweep(files[k::2], profile) for k in (0, 1)]
        thresholds = [max(half, key=lambda point: point[1])[0] for half in halves]
        crossed = [at(halves[0], thresholds[1]), at(halves[1], thresholds[0])]
        whole = max(sweep(files, profile), key=lambda point: point[1])
        figures[f"anomaly_{profile}"] = sum(crossed) / 2
        raw.append({"profile": profile, "thresholds": thresholds, "scores": crossed, "best_of_all": whole})
        print(f"anomalies {profile:9} {sum(crossed) / 2:6.1f}   by the other half's threshold: {crossed[0]:.1f} "
              f"(> {thresholds[1]:.2f}), {crossed[1]:.1f} (> {thresholds[0]:.2f}); one threshold, chosen on all files "
              f"as others report it: {whole[1]:.1f}", flush=True)
    return figures, raw
