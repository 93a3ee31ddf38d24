# SPDX-License-Identifier: GPL-2.0-or-later
"""One cell of the tables: gold's load in its two phases, and what bronze did meanwhile."""
import os
import time

import load
import score
from place import HZ, LINK_BITS, PATHS, SLO_MS, available_bytes, gold_bits
from world import Failed

START_S = 0.4            # from starting the load generator to its first request
SKIP_S = 0.3             # of the phase at 25 %: connections open
FIXED_PART, FULL_PART = 0.25, 1.5  # of what gold could do with all CPUs for itself
PROBE_PER_S, PROBE_S = 200, 2
TIMEOUT_S = 2
HOG_SETTLE_S, HOG_ALONE_S = 0.4, 1.0
SEED = 7


class Meter:
    def __init__(self, place, fixed_s, full_s):
        self.place, self.fixed_s, self.full_s = place, fixed_s, full_s
        self.count = 0
        self.most_per_s = self._most()
        self.fixed_per_s = FIXED_PART * self.most_per_s

    def _play(self, phases, start):
        """@phases: [(name, from, to, rate)] in whole seconds after @start."""
        p = self.place
        words = ["ip", "netns", "exec", p.clients, p.tools + "/openload", "--seed", str(SEED + self.count),
                 "--timeout", f"{TIMEOUT_S}s", "--start-at", f"{start:.3f}"]
        for name, from_s, to_s, rate in phases:
            ramp = f"0 0\n{from_s:.3f} 0\n" if from_s else ""
            path = p.world.write(f"{name}.curve", f"{ramp}{from_s + 0.001:.3f} {rate:.2f}\n{to_s:.3f} {rate:.2f}\n")
            words += ["--stream", f"{name},{p.host}:{p.port},{PATHS},{path},{SLO_MS}ms"]
        return load.Player(p.world, words)

    def _await(self, player, what, seconds):
        end = time.monotonic() + seconds
        while not what():
            if time.monotonic() > end or player.process.poll() is not None:
                with open(self.place.world.path("errors.log")) as f:
                    raise Failed("the load generator did not tell in time: " + f.read()[-1000:])
            time.sleep(0.02)

    @staticmethod
    def _answered_per_s(player, from_s, to_s):
        seconds = [player.second(t)["full"] for t in range(from_s + 1, to_s + 1)]
        return sum(r["good"] + r["late"] for r in seconds) / len(seconds)

    def _most(self):
        """All CPUs over the CPU time of a request: other programs may be busy, and change it little."""
        start, before_s = time.monotonic() + START_S, self.place.cpu_s("gold")
        player = self._play([("probe", 0, PROBE_S, PROBE_PER_S)], start)
        self._await(player, lambda: "probe" in player.final, START_S + PROBE_S + TIMEOUT_S + 3)
        self.place.world.stop(player.process)
        row = player.final["probe"]
        if row["good"] + row["late"] < row["scheduled"] / 2:
            raise Failed(f"gold answered too little for a look at its cost: {row}")
        return os.cpu_count() * (row["good"] + row["late"]) / (self.place.cpu_s("gold") - before_s)

    def load_only(self, seconds):
        start = time.monotonic() + START_S
        player = self._play([("fixed", 0, seconds, self.fixed_per_s)], start)
        player.process.wait(seconds + TIMEOUT_S + 5)
        self.place.world.stop(player.process)

    def bronze_alone(self, hog):
        """What the hog does a second while gold has nothing to do."""
        h = self.place.start_hog(hog)
        time.sleep(HOG_SETTLE_S + HOG_ALONE_S)
        lines = h.lines()
        h.stop()
        return score.per_second(lines, lines[-1][0] - HOG_ALONE_S, lines[-1][0])

    def _used(self):
        with open("/proc/stat") as f:
            idle, iowait = map(int, f.readline().split()[4:6])
        return {"at_s": time.monotonic(), "idle_s": (idle + iowait) / HZ,
                **{name: self.place.cpu_s(name) for name in self.place.services}}

    def cell(self, row, hog, settle_s, hog_alone):
        self.count += 1
        self.from_real_s = time.time()
        h = self.place.start_hog(hog) if hog else None
        time.sleep(HOG_SETTLE_S if hog else 0)
        fixed, full = settle_s + self.fixed_s, settle_s + self.fixed_s + self.full_s
        phases = [("fixed", settle_s, fixed, self.fixed_per_s), ("full", fixed, full, FULL_PART * self.most_per_s)]
        if settle_s:
            phases.append(("settle", 0, settle_s, self.fixed_per_s))
        start = time.monotonic() + START_S
        player = self._play(phases, start)
        time.sleep(max(0, start + settle_s + SKIP_S - time.monotonic()))
        before = self._used()
        time.sleep(max(0, start + fixed - time.monotonic()))
        after, free, fixed_end_real_s = self._used(), available_bytes(), time.time()
        self._await(player, lambda: player.second(full) and "fixed" in player.final, START_S + full + TIMEOUT_S + 3)
        self.place.world.stop(player.process)
        found = self._gold(player, fixed, full)
        found.update(row=row, hog=hog, available_bytes=free, limits={}, moves=0, note="", from_real_s=self.from_real_s,
                     fixed_end_real_s=fixed_end_real_s,
                     **self._bronze(hog, h.lines() if h else None, before, after, hog_alone))
        if h:
            h.stop()
        found["to_real_s"] = time.time()
        return found

    def _gold(self, player, fixed, full):
        row = player.final["fixed"]
        return {"p50_us": row["latency_us"]["p50"], "p99_us": row["latency_us"]["p99"],
                "attained": row["good"] / max(row["scheduled"], 1), "requests": row["scheduled"],
                "full_per_s": self._answered_per_s(player, fixed, full)}

    def _bronze(self, hog, lines, before, after, hog_alone):
        """What bronze did in the phase at 25 %."""
        took = after["at_s"] - before["at_s"]
        spent = {k: after[k] - before[k] for k in ("idle_s", "gold", "bronze")}
        work = score.per_second(lines, before["at_s"], after["at_s"]) if lines else None
        share = score.cpu_share(spent["bronze"], spent["idle_s"])
        if hog == "network":
            share = score.link_share(work * 8, gold_bits(self.fixed_per_s), LINK_BITS)
        return {"work_per_s": work, "work_ratio": work / hog_alone if work is not None and hog_alone else None,
                "idle_share": share if hog else None, "gold_cores": spent["gold"] / took,
                "bronze_cores": spent["bronze"] / took, "idle_cores": spent["idle_s"] / took,
                "other_cores": os.cpu_count() - sum(spent.values()) / took}
