# SPDX-License-Identifier: GPL-2.0-or-later
"""What the demo prints: the live lines and the table at the end."""
import os
import sys

TTY = sys.stdout.isatty()
COLOUR = TTY and "NO_COLOR" not in os.environ


def paint(text, code):
    return f"\x1b[{code}m{text}\x1b[0m" if COLOUR else text


def ms(us):
    if us is None:
        return "-"
    return f"{us / 1000:.1f} ms" if us < 100000 else f"{us / 1e6:.2f} s"


def cores(value):
    return "-" if value is None else f"{value:.2f}"


class Live:
    """A block that refreshes on a terminal; one line a second elsewhere."""

    def __init__(self, title):
        print(paint(f"\n== {title}", "1"), flush=True)
        self.lines = 0

    def show(self, t, doing, services):
        """@services: {name: {"rate", "p99_us", "missed", "cores", "work", "mbit", "weight", "planned"}}."""
        if TTY:
            self._block(t, doing, services)
            return
        parts = [f"{name} {self._short(s)}" for name, s in services.items()]
        print(f"{t:3.0f} s {doing or '-':5} | " + " | ".join(parts), flush=True)

    @staticmethod
    def _short(s):
        words = []
        if "rate" in s:
            words.append(f"{s['rate']:4d}/s p99 {ms(s['p99_us']):>8} missed {s['missed']:3d}")
        if "work" in s:
            words.append(f"work {s['work']:5.0f}/s {s['mbit']:4.0f} Mbit/s")
        words.append(f"{cores(s['cores'])} cores")
        if s.get("planned") is not None:
            words.append(f"plan {s['planned'] / 1000:.2f}")
        if s.get("weight") is not None:
            words.append(f"weight {s['weight']}")
        return " ".join(words)

    def _block(self, t, doing, services):
        out = [f"  {t:3.0f} s  {doing or '':8}"]
        for name, s in services.items():
            missed = s.get("missed", 0)
            out.append(f"  {name:7} " + paint(self._short(s), "31" if missed else "32"))
        up = f"\x1b[{self.lines}A" if self.lines else ""
        print(up + "".join(f"\x1b[2K{line}\n" for line in out), end="", flush=True)
        self.lines = len(out)


def final(results, rows):
    """@rows: (label, function of a result giving text); @results: {title: result}."""
    width = max(len(label) for label, _ in rows) + 2
    print("\n" + " " * width + "".join(f"{title:>18}" for title in results))
    for label, text in rows:
        print(f"{label:{width}}" + "".join(f"{text(r):>18}" for r in results.values()))
    print(flush=True)
