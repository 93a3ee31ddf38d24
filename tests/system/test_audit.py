#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Not in the VM: what is decided again is the same on every kernel
"""test_audit.py - all that a live agent decided is decided again from its history, bit for bit."""
import json
import sqlite3
import sys
import time

from harness import World, check, finish, need_root, wait_for

need_root()
w = World("audit")
CAPPED = f"""version: 1
service: capped
tier: gold
match: {{ cgroup: {w.group}/capped }}
cpu: {{ mode: cap, floor: 50m, ceiling: 1.5 }}
memory: {{ ceiling: 512MiB }}
forecast: {{ lead: 3s }}
"""
BATCH = f"""version: 1
service: batch
tier: silver
match: {{ cgroup: {w.group}/batch }}
forecast: {{ lead: 3s }}
"""
HOST = "version: 1\ndwell: 2s\n"
# Two seconds of work, three of rest.
BURNER = "import time\nwhile True:\n e = time.monotonic() + 2\n while time.monotonic() < e: pass\n time.sleep(3)"


def audit(*words):
    r = w.cli("replay", "--db", w.db, "--audit", w.policies, *words)
    return r.returncode, r.stdout + r.stderr


def audit_json(*words):
    code, text = audit("--json", *words)
    try:
        return code, json.loads(text)
    except ValueError:
        return code, {"text": text}


def same(name, code, found, least):
    check(name, code == 0 and found.get("different") == 0 and found["same"] == found["decisions"] >= least
          and found["why"] is None, found)


w.policy("capped", CAPPED)
w.policy("batch", BATCH)
w.policy("host", HOST)
w.start_agent("--observe")
for service in ("capped", "batch"):
    w.exec_in(service, [sys.executable, "-c", BURNER])
time.sleep(6)
w.cli("enforce")
time.sleep(12)
code, first = audit_json()
same("decisions_of_a_running_agent", code, first, 4)
check("ticks_and_guards_were_told", first.get("ticks", 0) >= 12 and first.get("guards", 0) >= 20, first)
w.cli("event", "add", "capped", "sale", "--starts", str(int(time.time()) + 60), "--lasts", "30s", "--multiplier", "2")
w.cli("freeze", "--for", "2s")
w.policy("batch", BATCH.replace("silver", "bronze"))
w.cli("reload")
time.sleep(6)
w.stop_agent()
db = sqlite3.connect(w.db)
kept = sorted(key for key, in db.execute("SELECT key FROM model_state"))
check("models_are_kept_at_the_end_a_row_a_service", kept == ["models/0/0", "models/0/1", "models/0/2"], kept)
print("# bytes a tick: %s; of the state: %s" % db.execute(
    "SELECT avg(length(told)) FILTER (WHERE part > 0), avg(length(told)) FILTER (WHERE part = 0) FROM planner_tape"
).fetchone())
begun = db.execute("SELECT min(begun_real_ns), max(begun_real_ns) FROM planner_tape").fetchone()
second = begun[1] // 10 ** 9
code, found = audit_json("--from", str(second))
same("decisions_after_a_reload_and_of_an_agent_that_ended", code, found, 1)
check("of_the_last_recording", found.get("recordings") == 1, found)
w.policy("batch", BATCH)
code, found = audit_json("--to", str(second))
same("decisions_by_the_policies_of_then", code, found, 4)
code, found = audit_json()
check("other_policies_decide_otherwise", code == 1 and found["different"] > 0 and found["differences"], found)
text = audit()[1]
check("and_that_is_shown", "THEN" in text and "different" in text, text)
check("the_audit_has_decisions", db.execute("SELECT count(*) FROM decision").fetchone()[0] >= 4)
victim = db.execute("SELECT id FROM decision WHERE knob = 'cpu.max' AND service = 'capped' AND at_real_ns > ?"
                    " ORDER BY id LIMIT 1", (begun[0],)).fetchone()[0]
db.execute("UPDATE decision SET value = value + 1 WHERE id = ?", (victim,))
db.commit()
code, found = audit_json("--to", str(second))
check("a_decision_that_is_another_is_found", code == 1 and found["different"] >= 1
      and victim in [d["id"] for d in found["differences"]], found)
db.execute("DELETE FROM planner_tape WHERE part = 3 AND begun_real_ns = ?", (begun[1],))
db.commit()
code, found = audit_json()
check("a_part_that_is_lost_is_told", code == 1 and "part 3" in (found.get("why") or ""), found)
db.execute("UPDATE planner_tape SET told = x'00' WHERE part = 0")
db.commit()
code, found = audit_json()
check("a_damaged_recording_is_told", code == 1 and found.get("skipped", 0) >= 2 and found["why"], found)
db.execute("DELETE FROM planner_tape")
db.commit()
db.close()
code, text = audit()
check("no_recording", code == 1 and "no recording" in text, text)
for words in (["--csv", "x"], ["--compare"], ["--step", "1s"]):
    code, text = audit(*words)
    check(f"audit_without_{words[0]}", code == 2 and words[0] in text, text)
finish()
