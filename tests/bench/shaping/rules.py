# SPDX-License-Identifier: GPL-2.0-or-later
"""
The rules foreshape is compared with, after what Autothrottle (NSDI 2024) publishes of itself and of its baselines.

Each is asked every TICK_S with the time, the CPU seconds the service has used and the periods in which it was
throttled so far, and answers with the limit in cores.
"""
import statistics

TICK_S = 0.1
FIRST_CORES = 1.0   # the limit that a rule starts from
LEAST_CORES = 0.01
EARLY_S = 0.0001    # a tick this much early is in time
SWEEP = {
    "k8s": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "fast": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "captain": (0, 0.02, 0.04, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3),
}


class Static:
    def __init__(self, cores):
        self.limit = cores

    def tick(self, _now_s, _used_s, _throttled):
        return self.limit


class Utilisation:
    """Kubernetes' rule: the most of the last @window_s of use / target, looked at every @period_s."""

    def __init__(self, target, period_s, window_s):
        self.target, self.period_s, self.kept = target, period_s, round(window_s / period_s)
        self.limit, self.asked, self.last = FIRST_CORES, [], None

    def tick(self, now_s, used_s, _throttled):
        if self.last is None:
            self.last = now_s, used_s
        if now_s < self.last[0] + self.period_s - EARLY_S:
            return self.limit
        use = (used_s - self.last[1]) / (now_s - self.last[0])
        self.asked = (self.asked + [use / self.target])[-self.kept:]
        self.last = now_s, used_s
        self.limit = max(self.asked)
        return self.limit


class Captain:
    """Autothrottle's controller of one service, at a fixed target for the share of throttled periods."""

    DECIDE_S, DECIDE_TICKS, USE_TICKS = 1, 10, 50
    MARGIN, TOO_MUCH = 3, 3     # standard deviations at first; times the target
    CUT_LEAST, CUT_MOST = 0.9, 0.5  # a cut goes to 0.9 of the limit at most, and not below half

    def __init__(self, target):
        self.target, self.limit, self.before, self.margin = target, FIRST_CORES, FIRST_CORES, self.MARGIN
        self.uses, self.throttled = [0.0] * self.USE_TICKS, [0] * self.DECIDE_TICKS
        self.last, self.decided_s, self.has_cut = None, 0, False

    def tick(self, now_s, used_s, throttled):
        if self.last is None:
            self.decided_s = now_s
        else:
            self._note(now_s - self.last[0], used_s - self.last[1], throttled - self.last[2])
            self._undo()
            if now_s >= self.decided_s + self.DECIDE_S - EARLY_S:
                self._decide(now_s)
        self.last = now_s, used_s, throttled
        return max(self.limit, LEAST_CORES)

    def _note(self, span_s, used_s, throttled):
        self.uses = self.uses[1:] + [used_s / span_s]
        self.throttled = self.throttled[1:] + [throttled]

    def _ratio(self):
        return statistics.mean(self.throttled)

    def _forget(self):
        self.throttled = [0] * self.DECIDE_TICKS

    def _undo(self):
        """A cut that throttles is taken back twice over, without waiting for the next decision."""
        ratio = self._ratio()
        if not self.has_cut or ratio <= self.TOO_MUCH * self.target:
            return
        self.limit = 2 * self.before - self.limit
        self.margin += ratio - self.target
        self.has_cut = False
        self._forget()

    def _decide(self, now_s):
        ratio, self.before, self.has_cut, self.decided_s = self._ratio(), self.limit, False, now_s
        self.margin = max(0, self.margin + ratio - self.target)
        want = max(self.uses) + statistics.stdev(self.uses) * self.margin
        if ratio > self.TOO_MUCH * self.target:
            self.limit *= 1 + ratio - self.TOO_MUCH * self.target
        elif want <= self.CUT_LEAST * self.limit:
            self.limit, self.has_cut = max(self.CUT_MOST * self.limit, want), True
        self.limit = max(self.limit, LEAST_CORES)
        self._forget()


def make(name, most_cores):
    """
    The rule of a contender "static", "fixed:CORES", "k8s:TARGET", "fast:TARGET" or "captain:TARGET"; None of foreshape.
    """
    kind, _, target = name.partition(":")
    if kind == "fixed":
        return Static(float(target))
    if kind == "static":
        return Static(most_cores)
    if kind == "k8s":
        return Utilisation(float(target), 15, 300)
    if kind == "fast":
        return Utilisation(float(target), 1, 20)
    return Captain(float(target)) if kind == "captain" else None
