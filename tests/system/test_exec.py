#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""exec: a command in a service's cgroup in every hierarchy, its status, its signals, and nothing left behind."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from keeper_lib import BINARY, MOUNTS, SLOW, Group, main, need, wait_for

FORESHAPE = os.path.abspath(BINARY)


class Home:
    """Policies and a runtime directory of the test's own."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="fsh-keeper-")
        self.policies = self.dir + "/policies"
        os.mkdir(self.policies, 0o755)
        self.group = Group("exec")
        self.group.remove()
        self.group.path += "/shop"
        self.write("shop", f"match: {{ cgroup: {self.group.path} }}")
        self.write("unit", "match: { unit: shop.service }")
        self.env = dict(os.environ, FORESHAPE_RUN=self.dir + "/run")
        self.agent = None
        return self

    def write(self, name, match):
        with open(f"{self.policies}/{name}.yaml", "w") as f:
            f.write(f"version: 1\nservice: {name}\ntier: silver\n{match}\n")

    def __exit__(self, *_):
        if self.agent:
            self.agent.kill() if self.agent.poll() is None and self.agent.send_signal(signal.SIGTERM) else None
            try:
                self.agent.wait(timeout=10 * SLOW)
            except subprocess.TimeoutExpired:
                self.agent.kill()
                self.agent.wait()
        self.group.remove()
        self.group.path = os.path.dirname(self.group.path)
        self.group.remove()
        shutil.rmtree(self.dir, ignore_errors=True)

    def argv(self, *command, service="shop"):
        return [FORESHAPE, "exec", service, "--policies", self.policies, "--", *command]

    def exec(self, *command, service="shop"):
        return subprocess.run(self.argv(*command, service=service), env=self.env, capture_output=True, text=True,
                              timeout=20 * SLOW)

    def exec_as_nobody(self, *command):
        argv = [self.dir + "/foreshape", *self.argv(*command)[1:]]
        return subprocess.run(argv, env=self.env, capture_output=True, text=True, timeout=20 * SLOW, user=65534,
                              group=65534, extra_groups=[], cwd="/")

    def gone(self):
        parent = os.path.dirname(self.group.path)
        return not any(os.path.exists(d) or os.path.exists(os.path.dirname(d)) for d in self.group.dirs()) and parent


def the_command_is_in_the_group_in_every_hierarchy():
    with Home() as home:
        done = home.exec("cat", "/proc/self/cgroup")
        need(done.returncode == 0, done)
        where = dict((line.split(":")[1] or "unified", line.split(":", 2)[2]) for line in done.stdout.splitlines())
        for name in ("cpu", "cpuacct", "memory", "blkio", "unified"):
            if name in MOUNTS:
                found = next(v for key, v in where.items() if name in key.split(","))
                need(found == home.group.path, f"{name}: {where}")
        if "name=systemd" in MOUNTS:
            need(where["name=systemd"] != home.group.path, "name=systemd is left alone")
        need(home.gone(), "left behind")


def statuses_are_the_commands_own():
    with Home() as home:
        need(home.exec("sh", "-c", "exit 37").returncode == 37, "status")
        need(home.exec("sh", "-c", "kill -9 $$").returncode == 128 + 9, "signal")
        need(home.exec("/nowhere/at/all").returncode == 127, "not found")
        need(home.exec("/etc/passwd").returncode == 126, "not to be run")
        need(home.exec("printf", "%s|", "a b", "--json", "--").stdout == "a b|--json|--|", "words as they are")
        need(home.gone(), "left behind")


def signals_are_passed_on():
    with Home() as home:
        code = "import signal,sys,time\nsignal.signal(signal.SIGTERM, lambda *a: sys.exit(44))\n" \
               "print('ready', flush=True)\nfor _ in range(400): time.sleep(0.05)"
        p = subprocess.Popen(home.argv("/usr/bin/python3", "-c", code), env=home.env, stdout=subprocess.PIPE)
        need(p.stdout.readline() == b"ready\n", "start")
        p.send_signal(signal.SIGTERM)
        need(p.wait(timeout=5 * SLOW) == 44, p.returncode)
        need(home.gone(), "left behind")


def a_group_in_use_stays_until_it_is_empty():
    with Home() as home:
        first = subprocess.Popen(home.argv("sleep", "20"), env=home.env)
        wait_for(lambda: all(os.path.isdir(d) for d in home.group.dirs()))
        wait_for(lambda: open(home.group.dirs()[0] + "/cgroup.procs").read())
        need(home.exec("true").returncode == 0, "second")
        need(all(os.path.isdir(d) for d in home.group.dirs()), "taken away under the first")
        first.send_signal(signal.SIGTERM)
        need(first.wait(timeout=5 * SLOW) == 128 + 15 and home.gone(), "left behind")


def groups_that_were_there_stay():
    with Home() as home:
        home.group.make()
        need(home.exec("true").returncode == 0, "status")
        need(all(os.path.isdir(d) for d in home.group.dirs()), "removed what was not ours")


def mistakes_are_usage_errors():
    with Home() as home:
        done = home.exec("true", service="shopp")
        need(done.returncode == 2 and "shopp" in done.stderr, done)
        done = home.exec("true", service="unit")
        need(done.returncode == 2 and "systemctl" in done.stderr, done)
        need(subprocess.run([FORESHAPE, "exec", "shop"], env=home.env, capture_output=True).returncode == 2, "no command")


def a_missing_policies_directory_is_named():
    with Home() as home:
        shutil.rmtree(home.policies)
        done = home.exec("true")
        need(done.returncode == 2 and f"{home.policies}: No such file" in done.stderr, done)


def without_rights_it_says_so():
    """As another user, with a binary where that one may run it, whatever the mode of the tree."""
    with Home() as home:
        os.chmod(home.dir, 0o755)
        shutil.copy(FORESHAPE, home.dir + "/foreshape")
        os.chmod(home.dir + "/foreshape", 0o755)
        done = home.exec_as_nobody("true")
        need(done.returncode == 1 and "Permission denied" in done.stderr, done)
        need(home.gone(), "left behind")


def what_cannot_enter_its_group_ends_with_126():
    """A group below a threaded one takes no process."""
    if "unified" not in MOUNTS:
        print("  no unified hierarchy: left out")
        return
    with Home() as home:
        parent = MOUNTS["unified"] + os.path.dirname(home.group.path)
        os.makedirs(parent)
        with open(parent + "/cgroup.type", "w") as f:
            f.write("threaded")
        for _ in range(8):  # which end closes first is a matter of luck
            done = home.exec("true")
            if done.returncode != 126:
                break
        need(done.returncode == 126 and "move into" in done.stderr, done)
        need(not any(os.path.exists(d) for d in home.group.dirs()), "left behind")


def a_process_that_cannot_be_started_is_told():
    if subprocess.run(["strace", "-V"], capture_output=True).returncode:
        print("  no strace: left out")
        return
    with Home() as home:
        argv = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=clone,clone3,fork,vfork:error=EAGAIN",
                *home.argv("true")]
        done = subprocess.run(argv, env=home.env, capture_output=True, text=True, timeout=20 * SLOW)
        need(done.returncode == 1 and "temporarily unavailable" in done.stderr, done)
        need(home.gone(), "left behind")


def with_an_agent_the_command_starts_attached():
    with Home() as home:
        home.agent = subprocess.Popen([FORESHAPE, "run", "--observe", "--policies", home.policies, "--db",
                                       home.dir + "/history.db"], env=home.env, stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(home.dir + "/run/control.sock"))
        time.sleep(1 * SLOW)
        start = time.monotonic()
        script = f"FORESHAPE_RUN={home.dir}/run {FORESHAPE} status --json"
        done = home.exec("sh", "-c", script)
        took = time.monotonic() - start
        need(done.returncode == 0, done)
        import json
        status = json.loads(done.stdout)
        shop = next(s for s in status["services"] if s["name"] == "shop")
        print(f"  started attached={shop['attached']} after {took:.2f} s, degraded {status['degraded']}")
        need(shop["attached"] or any("packet" in d for d in status["degraded"]), shop)


main([the_command_is_in_the_group_in_every_hierarchy, statuses_are_the_commands_own, signals_are_passed_on,
      a_group_in_use_stays_until_it_is_empty, groups_that_were_there_stay, mistakes_are_usage_errors,
      a_missing_policies_directory_is_named, without_rights_it_says_so,
      what_cannot_enter_its_group_ends_with_126, a_process_that_cannot_be_started_is_told,
      with_an_agent_the_command_starts_attached])
