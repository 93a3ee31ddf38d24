# SPDX-License-Identifier: GPL-2.0-or-later
"""score.py - what counts of a right-sized limit: slack, violations, moves; medians over traces."""
from statistics import median

MOVE, DAY, ENOUGH = 0.1, 1440, 0.003  # part of the limit; minutes; violations that are few enough
LARGE = 64000.0  # mcpu before anything is known


def score(used, limits, skip):
    """(slack, violations, moves a day) from minute @skip on; minutes without a measured use do not count."""
    scored = [(u, x) for u, x in zip(used[skip:], limits[skip:]) if u is not None]
    kept = [x for _, x in scored]
    moves = sum(abs(b - a) > MOVE * a for a, b in zip(kept, kept[1:]))
    return (1 - sum(u for u, _ in scored) / sum(kept), sum(u > x for u, x in scored) / len(scored),
            moves / (len(scored) / DAY))


def medians(scores):
    return tuple(median(s[k] for s in scores) for k in range(3))


def scaled(recommended, factor):
    return [LARGE if r is None else r * factor for r in recommended]


def least_factor(violations, most=64.0):
    """The least factor, to 1 %, for which violations(factor) are few enough; they fall as it grows. None: none to @most."""
    low, high = 0.5, 1.0
    while violations(high) > ENOUGH:
        low, high = high, 2 * high
        if high > most:
            return None
    while high / low > 1.01:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if violations(middle) > ENOUGH else (low, middle)
    return high
