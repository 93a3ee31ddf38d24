#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Takes long.
# Not in the VM: SQLite and files, the same on every kernel
"""The history under bad disks, kills, damage and other users; and the commands that read it."""
import concurrent.futures, glob, json, os, random, shutil, signal, sqlite3, subprocess, sys, tempfile, time

FORESHAPE = os.path.abspath(os.environ.get("FORESHAPE", "build/foreshape"))
DRIVER = os.environ.get("STORE_DRIVER", os.path.join(os.path.dirname(FORESHAPE), "tests/agent/store_driver"))
WORKER, READER, GROUP = 64123, 64124, 64125  # nobody's
bad = 0
children = []


def check(name, ok, why=""):
    global bad
    bad += not ok
    print(f"ok {name}" if ok else f"not ok {name}: {why}", flush=True)


def start(*args, **kw):
    p = subprocess.Popen([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw)
    children.append(p)
    return p


def run(*args, **kw):
    return subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=60, **kw)


def ask(path, sql):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


READ = ("import sqlite3,sys; print(sqlite3.connect('file:'+sys.argv[1]+'?mode=ro',uri=True)"
        ".execute('SELECT count(*) FROM knob_write').fetchone()[0])")


def as_other(path, *groups):
    return run("/usr/bin/python3", "-c", READ, path, user=READER, group=READER, extra_groups=list(groups))


def other_users(top):
    """Files in a directory of root: the worker writes, another user of the group reads, nobody else."""
    d = os.path.join(top, "users")
    os.mkdir(d, 0o755)
    db = d + "/history.db"
    r = run(DRIVER, db, "prepare", WORKER, GROUP)
    check("prepare", r.returncode == 0, r.stderr)
    for suffix in ("", "-wal", "-shm"):
        st = os.stat(db + suffix)
        check(f"owner{suffix}", (st.st_uid, st.st_gid, st.st_mode & 0o777) == (WORKER, GROUP, 0o640), str(st))
    check("directory_of_others_is_left", os.stat(d).st_uid == 0, str(os.stat(d)))
    p = start(DRIVER, db, "hold", 3, user=WORKER, group=WORKER, extra_groups=[])
    time.sleep(1.5)
    fds = [os.readlink(f) for f in glob.glob(f"/proc/{p.pid}/fd/*")]
    check("one_writing_connection", fds.count(db) == 1, str(fds))
    r = as_other(db, GROUP)
    check("read_during_by_another_user", r.returncode == 0 and int(r.stdout) > 5, r.stderr)
    out = p.communicate(timeout=20)[0]
    check("healthy_all_the_while", set(out.split()) == {"good"}, out[-200:])
    r = as_other(db, GROUP)
    check("read_after_by_another_user", r.returncode == 0 and int(r.stdout) == 30, r.stdout + r.stderr)
    check("not_readable_by_strangers", as_other(db).returncode != 0, "a stranger could read it")
    os.unlink(db)
    os.symlink("/etc/hostname", db)
    before = os.stat("/etc/hostname")
    r = run(DRIVER, db, "prepare", WORKER, GROUP)
    check("symlink_refused", r.returncode == 1 and os.stat("/etc/hostname").st_uid == before.st_uid, r.stderr)


INSTALLED = """
set -e
mount -t tmpfs fsh-lib /var/lib
install -d -m 0755 /var/lib/foreshape
chmod 0755 /var/lib
"$1" /var/lib/foreshape/history.db prepare "$2" "$3"
stat -c '%u:%g %a' /var/lib/foreshape
setpriv --reuid "$2" --regid "$3" --clear-groups "$1" /var/lib/foreshape/history.db hold 9 > "$4" &
sleep 1.5
head -c 20000 /dev/urandom > /var/lib/foreshape/other
mv /var/lib/foreshape/other /var/lib/foreshape/history.db
chown "$2:$3" /var/lib/foreshape/history.db
wait $!
ls /var/lib/foreshape
chown 0:0 /var/lib/foreshape
chmod 0775 /var/lib/foreshape
"$1" /var/lib/foreshape/history.db prepare "$2" "$3"
stat -c '%u:%g %a' /var/lib/foreshape
"""


def installed(top):
    """The directory as make install leaves it without the user: the worker sets a file aside in it."""
    out = os.path.join(top, "installed.out")
    open(out, "w").close()
    r = run("unshare", "-m", "--propagation", "private", "sh", "-c", INSTALLED, "sh", DRIVER, WORKER, GROUP, out)
    if r.returncode and "Operation not permitted" in r.stderr:
        print(f"# installed: no private mount namespace: {r.stderr.strip()}")
        return
    lines = r.stdout.split("\n")
    check("installed_directory_is_given", r.returncode == 0 and lines[0] == f"{WORKER}:{GROUP} 755", r.stdout + r.stderr)
    check("installed_damage_set_aside", any(".corrupt-" in x for x in lines), r.stdout)
    said = open(out).read().split("\n")
    check("installed_goes_on", "was damaged" in said[-2], said[-2])
    check("installed_changed_is_left", lines[-2] == "0:0 775", r.stdout)


def killed(top):
    """kill -9 at random moments: sound, and every write that was acknowledged is there."""
    db, random_ = top + "/killed.db", random.Random(7)
    acked, sound = [], True
    for _ in range(20):
        p = start(DRIVER, db, "write", 100000)
        time.sleep(random_.uniform(0.02, 0.25))
        p.kill()
        acked += [int(x) for x in p.communicate()[0].split("\n")[:-1]]
        sound = sound and ask(db, "PRAGMA integrity_check") == [("ok",)]
    have = {x[0] for x in ask(db, "SELECT d.id FROM decision d JOIN knob_write w ON w.decision_id = d.id")}
    check("sound_after_kill", sound, "integrity_check")
    check("no_acknowledged_row_lost", len(acked) > 100 and set(acked) <= have,
          f"{len(acked)} acknowledged, {len(set(acked) - have)} missing")
    check("ids_grow_over_restarts", acked == sorted(set(acked)), "ids repeated")


def readers(top):
    """Eight readers do not hold the writer up, and see only whole states."""
    db = top + "/readers.db"
    run(DRIVER, db, "write", 1)
    code = ("import sqlite3,sys,time\n"
            "end=time.time()+3\n"
            "while time.time()<end:\n"
            "  db=sqlite3.connect('file:'+sys.argv[1]+'?mode=ro',uri=True,timeout=5)\n"
            "  n=db.execute('SELECT count(*) FROM decisions WHERE write_id IS NULL').fetchone()[0]\n"
            "  db.execute('SELECT * FROM last_hour').fetchall()\n"
            "  db.close(); time.sleep(0.005)\n"
            "  assert n<=1, n\n")
    many = [start("/usr/bin/python3", "-c", code, db) for _ in range(8)]
    out = start(DRIVER, db, "hold", 3).communicate(timeout=30)[0]
    check("writer_beside_8_readers", set(out.split()) == {"good"}, out[-300:])
    said = [p.communicate(timeout=30)[0] for p in many]
    check("8_readers_beside_writer", not any(p.returncode for p in many), "".join(said)[-300:])


FULL = """
set -e
mount -t tmpfs -o size=3m fsh-history $1
$2 $1/history.db write 5 >/dev/null
$2 $1/history.db hold 14 >$3/out &
p=$!
sleep 1.5
dd if=/dev/zero of=$1/filler bs=64k 2>/dev/null || true
i=0
until grep -q full $3/out || [ $i -ge 40 ]; do sleep 0.1; i=$((i+1)); done
sleep 3.5
rm $1/filler
wait $p
cp $1/history.db* $3/
"""
READ_ONLY = """
set -e
mount -t tmpfs -o size=3m fsh-history $1
$2 $1/history.db write 5 >/dev/null
mount -o remount,ro $1
$2 $1/history.db hold 8 >$3/out &
p=$!
sleep 3.5
mount -o remount,rw $1
wait $p
cp $1/history.db* $3/
"""


def bad_disk(top, name, script, words):
    """The disk fails for a while: told at once, then the gap is in the history."""
    mnt, out = f"{top}/mnt-{name}", f"{top}/out-{name}"
    os.mkdir(mnt)
    os.mkdir(out)
    r = run("unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", mnt, DRIVER, out)
    if r.returncode and "Operation not permitted" in r.stderr:
        print(f"# {name}: no private mount namespace: {r.stderr.strip()}")
        return
    check(f"{name}_goes_on", r.returncode == 0, r.stderr)
    if r.returncode:
        return
    said = open(out + "/out").read().split("\n")
    check(f"{name}_is_told", any(words in x for x in said), str(sorted(set(said)))[:400])
    check(f"{name}_recovers", said[-2] == "good", said[-2])
    db = out + "/history.db"
    gaps = [x[0] for x in ask(db, "SELECT text FROM event WHERE kind = 'gap'")]
    check(f"{name}_gap_is_recorded", gaps and all("records from" in x for x in gaps), str(gaps))
    check(f"{name}_is_sound", ask(db, "PRAGMA integrity_check") == [("ok",)], "integrity_check")
    n = 140 if name == "full_disk" else 80
    kept = ask(db, "SELECT count(*) FROM knob_write")[0][0]
    check(f"{name}_keeps_the_audit", kept == n + 5, f"{kept} of {n + 5} writes")


def flips(top):
    """Random damage: either it opens, or it is set aside; history goes on after it."""
    rnd, whole = random.Random(20), top + "/whole.db"
    run(DRIVER, whole, "load", 130, 5)
    run(DRIVER, whole, "write", 20)
    content = open(whole, "rb").read()
    aside = failed = 0
    for i in range(240):
        d = f"{top}/flip{i}"
        os.mkdir(d)
        damaged = bytearray(content)
        for _ in range(rnd.choice((1, 4, 64))):
            at = rnd.randrange(100) if rnd.random() < 0.2 else rnd.randrange(len(damaged))
            damaged[at] ^= 1 << rnd.randrange(8)
        if i % 10 == 0:
            damaged = damaged[:rnd.randrange(len(damaged))]
        open(d + "/history.db", "wb").write(damaged)
        if i % 7 == 0:
            open(d + "/history.db-wal", "wb").write(rnd.randbytes(9000))
        r = run(DRIVER, d + "/history.db", "prepare", os.getuid(), os.getgid())
        aside += len(glob.glob(d + "/*.corrupt-*")) > 0
        # Another version or application in the header is not damage but somebody else's file.
        refused = r.returncode == 1 and ("version" in r.stderr or "another program" in r.stderr)
        w = run(DRIVER, d + "/history.db", "write", 0 if refused else 2)
        ok = r.returncode == 0 and w.returncode == 0 and len(w.stdout.split()) == 2
        failed += not (ok or refused)
        if not (ok or refused):
            print(f"# flip {i}: prepare {r.returncode} {r.stderr.strip()}, write {w.returncode}")
        shutil.rmtree(d)
    check("damage_opens_or_is_set_aside", failed == 0, f"{failed} of 240")
    check("damage_was_seen", aside > 20, f"{aside} of 240 set aside")
    print(f"# {aside} of 240 damaged files were set aside")
    # One bit of the header asks for a later SQLite to write it: it can be read, and never written again.
    later = top + "/later/history.db"
    os.mkdir(top + "/later")
    open(later, "wb").write(content[:18] + bytes([content[18] ^ 8]) + content[19:])
    r = run(DRIVER, later, "prepare", os.getuid(), os.getgid())
    check("file_only_to_be_read_is_set_aside", r.returncode == 0 and glob.glob(later + ".corrupt-*"), r.stderr)


def damaged_while_running(top):
    """Damage under a running agent: a new file, each time."""
    db = top + "/live/history.db"
    os.mkdir(top + "/live")
    run(DRIVER, db, "load", 3600, 20)
    p = start(DRIVER, db, "hold", 15)
    time.sleep(1)
    with open(db, "r+b") as f:
        for at in range(0, os.path.getsize(db), 4096):
            f.seek(at)
            f.write(b"\xa5" * 200)
    time.sleep(6.5)
    first = len(glob.glob(db + ".corrupt-*Z"))
    with open(db + ".other", "wb") as f:
        f.write(b"\xa5" * 20000)
    os.unlink(db + "-wal")  # it has all that is new, and would mend the file
    os.unlink(db + "-shm")
    os.rename(db + ".other", db)
    out = p.communicate(timeout=30)[0]
    check("live_damage_survived", p.returncode == 0 and "was damaged" in out.split("\n")[-2], out[-200:])
    check("live_damage_set_aside", first == 1, str(os.listdir(top + "/live")))
    check("later_damage_set_aside", len(glob.glob(db + ".corrupt-*Z")) == 2, str(os.listdir(top + "/live")))
    check("live_damage_gap", ask(db, "SELECT count(*) FROM event WHERE kind = 'gap'")[0][0] >= 1, "no gap event")


def commands(top):
    db = top + "/commands.db"
    run(DRIVER, db, "write", 3)
    env = dict(os.environ, FORESHAPE_RUN=top + "/no-agent")
    def fs(*args):
        return run(FORESHAPE, *args, env=env)
    r = fs("history", "--db", db, "--json")
    rows = json.loads(r.stdout)["rows"] if r.returncode == 0 else []
    check("history_json", len(rows) == 3 and rows[0]["before"] is None and rows[0]["after"] == 1500
          and rows[0]["errno"] == 0 and rows[0]["inputs"]["quantile"] == 0.99, r.stdout + r.stderr)
    r = fs("history", "--db", db, "--json", "--decisions", "--limit", 2, "--since", "1h", "--service", "checkout")
    rows = json.loads(r.stdout)["rows"] if r.returncode == 0 else []
    check("history_decisions", [x["value"] for x in rows] == [1500, 1500], r.stdout + r.stderr)
    r = fs("history", "--db", db)
    check("history_table", "unlimited" in r.stdout and "1.5" in r.stdout and "cpu.max" in r.stdout, r.stdout)
    r = fs("history", "--db", db, "--knob", "cpu.max", "--service", "nobody")
    check("history_nothing", r.returncode == 0 and "nothing was written" in r.stdout, r.stdout)
    check("history_no_file", fs("history", "--db", top + "/none.db").returncode == 1)
    check("history_usage", fs("history", "--db", db, "--since", "yesterday-ish").returncode == 2)
    check("event_no_agent", fs("event", "list").returncode == 69)
    check("event_usage", fs("event", "add", "checkout").returncode == 2)


def main():
    if not os.access(DRIVER, os.X_OK):
        print(f"no {DRIVER}: make unit builds it")
        return 77
    top = tempfile.mkdtemp(prefix="foreshape-history-")
    os.chmod(top, 0o755)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        jobs = [(killed, top), (readers, top), (flips, top), (damaged_while_running, top)]
        if os.getuid() == 0:
            jobs = [(bad_disk, top, "full_disk", FULL, "full"), (bad_disk, top, "read_only", READ_ONLY, "readonly"),
                    (other_users, top), (installed, top)] + jobs
        else:
            print("# not root: no other users, no mounts")
        if os.access(FORESHAPE, os.X_OK):
            jobs.append((commands, top))
        else:
            print(f"# no {FORESHAPE}: commands not tried")
        # Most of it is waiting for a retry: three at a time.
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            for job in [pool.submit(*job) for job in jobs]:
                job.result()
    finally:
        for p in children:
            if p.poll() is None:
                p.kill()
                p.wait()
        shutil.rmtree(top, ignore_errors=True)
    return 1 if bad else 0


sys.exit(main())
