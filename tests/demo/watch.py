# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent as the demo sees it: started, asked, read for the last table, stopped."""
import http.client
import json
import os
import socket
import subprocess
import time

import load
from world import Failed

READY_S = 15
LOOK_S = 10.0  # before a peak
HELD_S = 0.6  # a move counts from when it stayed
SAME = 0.1    # less is no move


class Socket(http.client.HTTPConnection):
    """HTTP over the agent's socket: cheaper than a command, four times a second."""

    def __init__(self, path):
        super().__init__("localhost", timeout=2)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Agent:
    def __init__(self, world, stage):
        self.world, self.stage = world, stage
        self.samples = []  # (seconds into the run, {service: its part of status})
        self.process = world.start(stage.foreshape, "run", "--enforce", "--policies", world.path("policies"),
                                   "--db", world.path("history.db"), env=stage.env, grace_s=10)
        end = time.monotonic() + READY_S
        while not self.ask("status"):
            if self.process.poll() is not None or time.monotonic() > end:
                with open(world.path("errors.log")) as f:
                    raise Failed(f"the agent does not run:\n{f.read()[-2000:]}")
            time.sleep(0.1)

    def call(self, *words):
        p = subprocess.run([self.stage.foreshape, *words], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, env=self.stage.env, timeout=10, start_new_session=True)
        return p.returncode, p.stdout, p.stderr

    def ask(self, *words):
        """The JSON answer, None where there is none."""
        try:
            code, out, _ = self.call(*words, "--json")
            return json.loads(out) if code == 0 else None
        except (ValueError, subprocess.TimeoutExpired):
            return None

    def announce(self, start_real_s):
        """Tells the agent of the known event, as a person would."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start_real_s + load.EVENT_AT_S))
        code, _, error = self.call("event", "add", "gold", "sale", "--starts", at,
                                   "--lasts", f"{load.EVENT_LASTS_S:.0f}s",
                                   "--multiplier", str(load.EVENT_MULTIPLIER))
        if code:
            raise Failed(f"event add: {error.strip()}")

    def sample(self, t):
        c = Socket(self.world.path("run", "control.sock"))
        try:
            c.request("GET", "/v1/status")
            status = json.loads(c.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException):
            status = None
        finally:
            c.close()
        if status:
            self.samples.append((t, {s["name"]: s for s in status["services"]}))

    def latest(self, service):
        return self.samples[-1][1].get(service) if self.samples else None

    def series(self, service, part, key):
        """[(seconds, value)] of what status said, without the seconds it said nothing."""
        rows = [(t, s[service][part].get(key)) for t, s in self.samples if service in s]
        return [(t, v) for t, v in rows if v is not None]

    def leads(self):
        """[(what came, seconds before it of gold's plan, and of room made by bronze)] of what was to be known."""
        found = [(f"peak {n}", at, load.PEAK_LASTS_S) for n, at in enumerate(load.peaks(), 1) if n >= 3]
        found.append(("event", load.EVENT_AT_S, load.EVENT_LASTS_S))
        return [(what, lead_s(self.series("gold", "cpu", "planned_mcpu"), at, lasts),
                 lead_s(self.series("bronze", "cpu", "limit_mcpu"), at, lasts))
                for what, at, lasts in sorted(found, key=lambda row: row[1])]

    def history(self):
        answer = self.ask("history")
        return answer["rows"] if answer else []

    def explanations(self):
        """The knobs that say most: of each service one that was changed, with its reason."""
        found = []
        for service, wanted in (("gold", ("cpu.weight", "htb.rate", "cpu.max")),
                                ("bronze", ("cpu.max", "cpu.weight")), ("silver", ("cpu.max", "cpu.weight"))):
            answer = self.ask("explain", service) or {"knobs": []}
            knobs = {k["knob"]: k for k in answer["knobs"]}
            rows = [knobs[name] for name in wanted if name in knobs]
            changed = [k for k in rows if k["value"] != k["baseline"]] or rows
            if changed:
                found.append(explain_line(service, changed[0]))
        return found

    def stop(self):
        self.world.stop(self.process)


def explain_line(service, knob):
    """The knob's line and, below, the numbers behind it."""
    inputs = ", ".join(f"{k} {number(v)}" for k, v in knob["inputs"].items() if isinstance(v, (int, float)))
    where = os.path.basename(knob["policy"]) if knob.get("policy") else "a default"
    return (f"{service}'s {knob['knob']} is {limit(knob['value'])}, was {limit(knob['baseline'])}: "
            f"{knob.get('reason_text') or knob['reason']}", f"{inputs or 'no numbers'}; {where}")


def limit(value):
    return "unlimited" if value is None else value


def number(value):
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"


def lead_s(series, at_s, lasts_s):
    """
    Seconds before @at_s from which a series was as far as it went in the @lasts_s after: half-way from
    where it was @LOOK_S before. Negative: after; LOOK_S: all along; None: it did not move, or too
    little was seen.
    """
    near = [(t, v) for t, v in series if at_s - LOOK_S <= t < at_s + lasts_s]
    before = [v for t, v in near if t < at_s]
    during = [v for t, v in near if t >= at_s]
    if not before or not during:
        return None
    start, goal = before[0], during[len(during) // 2]
    if abs(goal - start) < SAME * max(goal, start):
        return LOOK_S
    there = [(goal - start) * (v - (start + goal) / 2) > 0 for _, v in near]
    for i, (t, _) in enumerate(near):
        if all(there[k] for k in range(i, len(near)) if near[k][0] < max(t, at_s) + HELD_S):
            return at_s - t
    return None


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else None
