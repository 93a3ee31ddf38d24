# SPDX-License-Identifier: GPL-2.0-or-later
"""load.py - made-up services whose load ramps up again and again, second by second, from a fixed seed."""
import random

SEED = 20241
LOW_MCPU = 1000.0
PERIODS_S = (300, 600, 900, 1000, 1800, 2222, 3600)  # not all of whole minutes
JITTERS_S = (0, 5, 15)
EACH = 2                     # services of each period and jitter
LEARNED, SCORED = 4, 8       # cycles
HEIGHTS, LENGTHS_S, NOISES = (1.5, 4.0), (10, 120), (0.05, 0.20)
HIGH_PART = (0.15, 0.35)     # of a period, at the top


class Service:
    """
    Each cycle goes from low to high in @length_s, straight, stays there, and comes back as it went. Its start is off by
    up to @jitter_s to either side; each second has a normal error of @noise times its value, cut at 0.
    """

    def __init__(self, rng, period_s, jitter_s):
        self.period_s, self.jitter_s = period_s, jitter_s
        self.height = rng.uniform(*HEIGHTS)
        self.length_s = min(rng.uniform(*LENGTHS_S), period_s / 5)
        self.noise = rng.uniform(*NOISES)
        high_s = rng.uniform(*HIGH_PART) * period_s
        first_s = rng.uniform(0.1, 0.3) * period_s
        cycles = LEARNED + SCORED
        self.starts_s = [k * period_s + first_s + rng.uniform(-jitter_s, jitter_s) for k in range(cycles)]
        self.used_mcpu = []
        for t in range(cycles * period_s):
            since = t + 0.5 - self.starts_s[t // period_s]
            up = min(since, 2 * self.length_s + high_s - since) / self.length_s
            mean = LOW_MCPU * (1 + (self.height - 1) * min(max(up, 0), 1))
            self.used_mcpu.append(max(mean * (1 + rng.gauss(0, self.noise)), 0))

    def top_mcpu(self):
        return LOW_MCPU * self.height

    def ramps(self):
        """The times, in seconds, at which a scored ramp is half of the way up, and at its top."""
        return [(s + self.length_s / 2, s + self.length_s) for s in self.starts_s[LEARNED:]]


def services():
    rng = random.Random(SEED)
    return [Service(rng, p, j) for p in PERIODS_S for j in JITTERS_S for _ in range(EACH)]
