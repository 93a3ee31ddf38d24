#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""main.py - how good the forecasts are, on public series: make bench-forecast DATA=DIR [R=1] [ONLY=m4,rolling,...].

Prints tables and writes build/bench/forecast.json, with what it was worked out from beside it.
"""
import json
import os
import sys

import anomaly
import events
import experts
import m4
import models
import provision
import rolling
import scale
import tune


def main():
    data, with_r = os.environ.get("DATA"), os.environ.get("R") == "1"
    parts = {"m4": lambda: m4.run(data), "rolling": lambda: rolling.run(data, with_r),
             "provision": lambda: provision.run(data), "anomaly": lambda: anomaly.run(data),
             "events": lambda: events.run(data, with_r), "scale": lambda: scale.run(data), "models": models.run,
             "experts": lambda: experts.run(data),
             "tune": lambda: tune.run(data, "tune"), "gru": lambda: tune.run(data, "gru")}
    only = [name for name in os.environ.get("ONLY", "").split(",") if name] or list(parts)
    if not data:
        print("skipped: all series; set DATA to the directory with m4_hourly/, cpu/, rates/ and anomaly/")
        return 0
    figures, raw = {}, {}
    for name in only:
        found, raw[name] = parts[name]()
        figures.update(found)
    out = os.path.join(os.environ.get("BUILD", "build"), "bench")
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "forecast.json"), "w") as f:
        json.dump({"schema": 1, "figures": figures}, f, indent=1)
    with open(os.path.join(out, "forecast.raw.json"), "w") as f:
        json.dump(raw, f, indent=1)
    for name, value in figures.items():
        print(f"{name:28} {value:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
