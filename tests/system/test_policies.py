#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Not in the VM: it reads text, the same on every kernel
"""foreshape check as people and scripts call it: text, JSON, exit codes, directories, ownership."""
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.abspath(os.environ.get("FORESHAPE", os.path.join(ROOT, "build/foreshape")))
DATA = os.path.join(ROOT, "tests/data/policies")
failed = False


def report(name, why):
    global failed
    failed = failed or bool(why)
    print(f"not ok {name}: {why}" if why else f"ok {name}", flush=True)


def check(*args, cwd=DATA, **more):
    return subprocess.run([BINARY, "check", *args], cwd=cwd, capture_output=True, text=True,
                          errors="replace", timeout=60, **more)


def expected_cases():
    cases = {}
    with open(f"{DATA}/broken/expected", encoding="utf-8") as f:
        for line in f:
            if line.startswith("#"):
                continue
            name, place, text = line.rstrip("\n").split(" ", 2)
            cases.setdefault(name.split("/")[0], []).append((name, place, text))
    return cases


def corpus():
    cases = expected_cases()
    for case, rows in cases.items():
        r = check("--json", "--cpus", "8", "--memory", "16GiB", case, cwd=f"{DATA}/broken")
        if r.returncode != 2:
            return f"{case}: exit {r.returncode}"
        answer = json.loads(r.stdout)
        got = [x for x in answer["findings"] if x["severity"] == "error"]
        if answer["ok"] or len(got) != len(rows):
            return f"{case}: {len(got)} errors, not {len(rows)}"
        for x, (name, place, text) in zip(got, rows):
            if (x["file"], f"{x['line']}:{x['column']}") != (name, place) or text not in x["text"]:
                return f"{case}: {x}, not {name} {place} {text}"
    return None if len(cases) >= 60 else "too few cases"


def good():
    r = check("--json", "--cpus", "8", "--memory", "16GiB", "good")
    answer = json.loads(r.stdout)
    if r.returncode != 0 or not answer["ok"] or answer["schema"] != 1:
        return r.stdout
    return None if (answer["files"], answer["services"]) == (7, 6) else r.stdout


def shipped():
    r = check(f"{ROOT}/policies/examples", "--cpus", "8")
    return None if r.returncode == 0 and r.stdout.startswith("ok: 5 files, 4 services") else r.stdout


def text_form():
    r = check("key-inner-typo-cieling.yaml", cwd=f"{DATA}/broken")
    want = ("key-inner-typo-cieling.yaml:4:21: unknown key 'cieling', did you mean 'ceiling'?\n"
            "  cpu: { floor: 100m, cieling: 2 }\n" + " " * 22 + "^\n")
    return None if r.returncode == 2 and r.stdout.startswith(want) else repr(r.stdout)


def usage():
    for args, code in (((), 2), (("--cpus", "many", "x"), 2), (("nowhere.yaml",), 2),
                       (("--key", "cpu.floor"), 0), (("--key", "nonsense"), 2), (("--keys",), 0)):
        r = check(*args)
        if r.returncode != code or r.returncode and not r.stdout + r.stderr:
            return f"{args}: exit {r.returncode}, not {code}"
    return None


def ownership():
    with tempfile.TemporaryDirectory(prefix="foreshape-policies-") as d:
        path = f"{d}/a.yaml"
        with open(path, "w", encoding="ascii") as f:
            f.write("version: 1\nservice: a\nmatch: { unit: a.service }\n")
        os.chmod(path, 0o666)
        r = check("--json", d)
        answer = json.loads(r.stdout)
        texts = [x["text"] for x in answer["findings"] if x["severity"] == "warning"]
        if r.returncode != 0 or not any("writable by others" in t for t in texts):
            return r.stdout
    return None


def unreadable():
    if os.geteuid() != 0:
        return None
    with tempfile.TemporaryDirectory(prefix="foreshape-policies-") as d:
        os.chmod(d, 0o755)
        binary = f"{d}/foreshape"  # where another user may run it, whatever the mode of the tree
        path = f"{d}/a.yaml"
        with open(BINARY, "rb") as source, open(binary, "wb") as copy:
            copy.write(source.read())
        os.chmod(binary, 0o755)
        with open(path, "w", encoding="ascii") as f:
            f.write("version: 1\n")
        os.chmod(path, 0o600)
        r = subprocess.run([binary, "check", path], cwd="/", user=65534, group=65534,
                           extra_groups=[], capture_output=True, text=True, timeout=60)
        want = f"{path}: cannot be read: make it readable: chmod 0644 {path}\n"
        return None if r.returncode == 2 and r.stdout.startswith(want) else r.stdout + r.stderr


def man_page():
    path = f"{ROOT}/man/foreshape-policy.5"
    with open(path, encoding="utf-8") as f:
        page = f.read()
    return None if check("--man").stdout == page else "stale: foreshape check --man > " + path


def main():
    if not os.access(BINARY, os.X_OK):
        print(f"no {BINARY}: make it first")
        return 77
    for name, run in (("broken policies give exactly their errors", corpus),
                      ("good policies give none", good), ("shipped policies are valid", shipped),
                      ("an error has its line and caret", text_form),
                      ("usage errors and key help", usage),
                      ("ownership is warned about", ownership),
                      ("an unreadable file names the cure", unreadable),
                      ("the man page is the table's", man_page)):
        try:
            report(name, run())
        except (OSError, ValueError, KeyError, subprocess.SubprocessError) as e:
            report(name, repr(e))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
