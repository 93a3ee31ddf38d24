# SPDX-License-Identifier: GPL-2.0-or-later
"""peers.py - how others size a CPU limit, from their published rules; every minute, from the minutes before it.

Each policy takes the use of every minute in mcpu (None: not measured) and gives the recommendation for every minute
(None: nothing known yet). What its authors fix stays fixed; the limit is the recommendation times the one number that is
left to the operator: a margin, or one over a target utilisation.
"""
import cmath
import math
from collections import deque

DAY = 1440  # minutes
FIRST_BUCKET, BUCKET_GROWTH, BUCKETS = 10.0, 1.05, 200  # mcpu; k8s autoscaler, exponential histogram
RESCALE = 2.0 ** 60


class Histogram:
    """Decaying histogram of the Vertical Pod Autoscaler: a sample weighs half as much every half-life."""

    def __init__(self, half_life):
        self.half_life, self.weights, self.sum, self.reference = half_life, [0.0] * BUCKETS, 0.0, 0

    def add(self, at, value):
        weight = 2.0 ** ((at - self.reference) / self.half_life)
        if weight > RESCALE:
            self.weights = [w / weight for w in self.weights]
            self.sum /= weight
            self.reference, weight = at, 1.0
        k = int(math.log(value * (BUCKET_GROWTH - 1) / FIRST_BUCKET + 1, BUCKET_GROWTH)) if value > 0 else 0
        self.weights[min(k, BUCKETS - 1)] += weight
        self.sum += weight

    def percentiles(self, levels):
        """The upper ends of the buckets that hold @levels, ascending."""
        found, part, k = [], 0.0, 0
        for level in levels:
            while k < BUCKETS - 1 and part + self.weights[k] < level * self.sum:
                part += self.weights[k]
                k += 1
            found.append(FIRST_BUCKET * (BUCKET_GROWTH ** (k + 1) - 1) / (BUCKET_GROWTH - 1))
        return found


def rolling_max(values, n):
    """Of the @n values before each one; None where there is none."""
    out, window = [], deque()
    for i, v in enumerate(values):
        while window and window[0] < i - n:
            window.popleft()
        out.append(values[window[0]] if window else None)
        if v is not None:
            while window and values[window[-1]] <= v:
                window.pop()
            window.append(i)
    return out


def applied(recommended, differs):
    """The recommendation in force: taken over where it differs by more than @differs, or there is none yet."""
    out, now = [], None
    for r in recommended:
        if r is not None and (now is None or abs(r - now) > differs * now):
            now = r
        out.append(now)
    return out


def vpa(used):
    """VPA: P90, half-life 24 h; acted on outside of [P50, P95 (1 + 1/days)] or, 12 h later, by more than 10 %."""
    histogram, now, since, base = Histogram(DAY), None, 0, []
    for t, v in enumerate(used):
        base.append(now)
        if v is not None:
            histogram.add(t, v)
        if not histogram.sum:
            continue
        p50, p90, p95 = histogram.percentiles([0.5, 0.9, 0.95])
        days = max(t + 1, 1) / DAY
        low, high = p50 * (1 + 0.001 / days) ** -2, p95 * (1 + 1 / days)
        old = t - since > DAY / 2 and now is not None and abs(p90 - now) > 0.1 * now
        if now is None or not low <= now <= high or old:
            now, since = p90, t
    return base


def koordinator(used):
    """koordlet's peak prediction: P95, half-life 12 h; taken over by more than 10 %."""
    histogram, base = Histogram(DAY / 2), []
    for t, v in enumerate(used):
        base.append(histogram.percentiles([0.95])[0] if histogram.sum else None)
        if v is not None:
            histogram.add(t, v)
    return applied(base, 0.1)


def low_passed(day):
    """@day without components of less than an hour: DFT, harmonics 0 to 24 kept."""
    n, out = len(day), [0.0] * len(day)
    for k in range(25):
        turn = cmath.exp(-2j * math.pi * k / n)
        c, w = 0j, 1 + 0j
        for v in day:
            c += v * w
            w *= turn
        c *= (1 if k == 0 else 2) / n
        w = 1 + 0j
        for i in range(n):
            out[i] += (c * w).real
            w *= turn.conjugate()
    return out


def crane_dsp(used):
    """Crane's DSP: yesterday, clipped at P0.1 and P99.9, low-passed; the largest of the next hour."""
    base, forecast = [], None
    for start in range(0, len(used), DAY):
        day = used[start:start + DAY]
        if forecast:
            ahead = forecast + forecast[:60]
            base += [max(ahead[i:i + 60]) for i in range(len(day))]
        else:
            base += [None] * len(day)
        known = sorted(v for v in day if v is not None)
        if len(day) == DAY and len(known) > DAY / 2:
            low, high = known[int(0.001 * len(known))], known[int(0.999 * (len(known) - 1))]
            fill = sum(known) / len(known)
            forecast = low_passed([min(max(fill if v is None else v, low), high) for v in day])
    return base


def static_p99(used):
    """The P99 of the first two days, from then on."""
    known = sorted(v for v in used[:2 * DAY] if v is not None)
    p99 = known[min(int(math.ceil(0.99 * len(known))), len(known)) - 1] if known else None
    return [p99] * len(used)


def k8s_cpu(used):
    """Kubernetes' HPA-like K8s-CPU of Autothrottle: the largest use of 5 min; the factor is 1 / target utilisation."""
    return rolling_max(used, 5)


def seasonal(used):
    """The largest within 15 min of this minute on the two days before, and of the last 5 min."""
    recent, wide = rolling_max(used, 5), rolling_max(used, 31)
    base = []
    for t in range(len(used)):
        # The window of 31 ends 15 minutes after the same minute of an earlier day.
        back = [wide[t - d * DAY + 16] for d in (1, 2) if 0 <= t - d * DAY + 16 < t]
        known = [v for v in back + [recent[t]] if v is not None]
        base.append(max(known) if known else None)
    return base


def last(used):
    """The last minute."""
    return rolling_max(used, 1)


PEERS = {"vpa": vpa, "koordinator": koordinator, "crane_dsp": crane_dsp, "k8s_cpu": k8s_cpu, "static_p99": static_p99,
         "seasonal": seasonal, "last": last}


def oracle(used):
    """The true maximum of this minute and the 4 after it."""
    return rolling_max(used[::-1] + [None], 5)[1:][::-1]
