# SPDX-License-Identifier: GPL-2.0-or-later
"""The compressed days the demo plays, and the generator that plays them."""
import json
import subprocess
import threading

from stage import GOLD_PORT, HOST, PATHS, SERVICES, SILVER_PORT

DAY_S = 20
RUN_S = 66
PEAK_AT_S, PEAK_LASTS_S = 4.0, 4.5   # in each day
BURST_AT_S, BURST_LASTS_S = 34.0, 3.0  # announced to nobody
EVENT_AT_S, EVENT_LASTS_S = 54.0, 4.0  # announced beforehand
EVENT_MULTIPLIER = 5
GOLD_BASE, GOLD_PEAK, GOLD_BURST = 110, 560, 500  # requests/s
SILVER_BASE, SILVER_PEAK = 30, 50
RAMP_S = 0.5
SEED = 20


def peaks():
    """When each day's peak begins: the middle of its ramp."""
    return [at for at in (day * DAY_S + PEAK_AT_S for day in range(RUN_S // DAY_S + 1)) if at < RUN_S]


def happening(t):
    """What the curve is doing at @t seconds, in a word."""
    if BURST_AT_S <= t < BURST_AT_S + BURST_LASTS_S:
        return "burst"
    if EVENT_AT_S <= t < EVENT_AT_S + EVENT_LASTS_S:
        return "event"
    return "peak" if any(at <= t < at + PEAK_LASTS_S for at in peaks()) else ""


def plateau(t, at, lasts):
    """0 to 1: a rise of RAMP_S around @at, and the same down."""
    return max(0.0, min(1.0, (t - at) / RAMP_S + 0.5, (at + lasts - t) / RAMP_S + 0.5))


def gold_rate(t):
    peak = max(plateau(t, at, PEAK_LASTS_S) for at in peaks())
    return max(GOLD_BASE + (GOLD_PEAK - GOLD_BASE) * peak,
               GOLD_BASE + (GOLD_BURST - GOLD_BASE) * plateau(t, BURST_AT_S, BURST_LASTS_S),
               GOLD_BASE * (1 + (EVENT_MULTIPLIER - 1) * plateau(t, EVENT_AT_S, EVENT_LASTS_S)))


def silver_rate(t):
    return SILVER_BASE + (SILVER_PEAK - SILVER_BASE) * plateau(t % DAY_S, 11.0, 6.0)


def curve(rate):
    return "".join(f"{i / 4:.2f} {rate(i / 4):.2f}\n" for i in range(RUN_S * 4 + 1))


class Player:
    """The load generator at work: what it prints, as it comes."""

    def __init__(self, world, words):
        self.process = world.start(*words, stdout=subprocess.PIPE)
        self.rows, self.final = [], {}
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            row = json.loads(line)
            if row.get("final"):
                self.final[row["stream"]] = row
            else:
                self.rows.append(row)

    def second(self, t):
        """{stream: row} of the second that ended at @t, of which may be missing."""
        return {row["stream"]: row for row in self.rows if row["t_s"] == t}

    def finished(self):
        return self.process.poll() is not None and not self.reader.is_alive()


class Load(Player):
    """One play of the days."""

    def __init__(self, world, stage, start_mono_s):
        words = ["ip", "netns", "exec", stage.clients, stage.tools + "/openload", "--seed", str(SEED),
                 "--timeout", "2s", "--start-at", f"{start_mono_s:.3f}"]
        for name, port, rate in (("gold", GOLD_PORT, gold_rate), ("silver", SILVER_PORT, silver_rate)):
            path = world.write(f"{name}.curve", curve(rate))
            words += ["--stream", f"{name},{HOST}:{port},{PATHS[name]},{path},{SERVICES[name]['latency_ms']}ms"]
        super().__init__(world, words)
