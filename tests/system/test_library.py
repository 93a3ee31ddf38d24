#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Not in the VM: it compiles, and there is no compiler
"""test_library.py - the library of forecasts builds into other people's programs."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
LIBRARY = os.path.join(BUILD, "libforeshape-forecast.a")
INCLUDE = os.path.join(BUILD, "include")
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
failed = False


def check(name, ok, why=""):
    global failed
    failed = failed or not ok
    print("ok %s" % name if ok else "not ok %s: %s" % (name, why), flush=True)


def run(*words, text=None):
    return subprocess.run(words, input=text, capture_output=True, text=True, timeout=60)


def example():
    """The example of the man page, as man shows it."""
    with open("man/foreshape-forecast.3") as f:
        text = re.search(r"^\.EX\n(.*?)^\.EE$", f.read(), re.M | re.S)[1]
    return text.replace("\\-", "-").replace("\\e", "\\")


def test_header():
    for compiler, language, standard in (("gcc", "c", "c11"), ("g++", "c++", "c++11")):
        done = run(compiler, "-std=" + standard, *STRICT, "-fsyntax-only", "-x", language,
                   os.path.join(INCLUDE, "foreshape-forecast.h"))
        check("the header compiles alone as %s" % standard, done.returncode == 0, done.stderr)


def test_names():
    lines = run("nm", "--defined-only", LIBRARY).stdout.splitlines()
    names = [line.split()[2] for line in lines if re.match(r"[0-9a-f]+ [A-Z] ", line)]
    check("every name of the library starts with fsh_", len(names) > 15
          and all(n.startswith("fsh_") for n in names), names)
    with open(os.path.join(INCLUDE, "foreshape-forecast.h")) as f:
        declared = set(re.findall(r"\b(fsh_[a-z_]+)\(", f.read()))
    check("what is declared is there", declared <= set(names), declared - set(names))
    with open("man/foreshape-forecast.3") as f:
        page = f.read()
    missing = [n for n in names if n not in page and n != "fsh_series_freep"]
    check("the man page has every function", not missing, missing)


def test_example(d):
    program, more = os.path.join(d, "example"), os.path.join(d, "more.c")
    with open(more, "w") as f:  # names that are the library's own business
        f.write("int series_new(void);\nint series_new(void)\n{\n\treturn 1;\n}\n"
                "int past_init, fft_size, forecast_models;\n")
    for compiler in ("gcc", "clang"):
        if not shutil.which(compiler):
            continue
        done = run(compiler, "-std=c11", *STRICT, "-I" + INCLUDE, "-o", program, "-x", "c", "-", more,
                   "-x", "none", LIBRARY, "-lm", text=example())
        check("the example compiles with %s" % compiler, done.returncode == 0, done.stderr)
    done = run(program)
    check("the example runs", done.returncode == 0, done.stderr)
    ahead = re.findall(r"(\d+) h ahead: (\d+), with 90 % from (\d+) to (\d+)", done.stdout)
    check("it forecasts night and day", len(ahead) == 2 and abs(int(ahead[0][1]) - 100) < 20
          and abs(int(ahead[1][1]) - 503) < 25, done.stdout)
    check("it finds the day", "the longest of 24 steps" in done.stdout or "168" in done.stdout, done.stdout)


def main():
    if not os.access(LIBRARY, os.R_OK) or not shutil.which("g++"):
        print("no %s or no compiler" % LIBRARY)
        return 77
    with open(LIBRARY, "rb") as f:
        if b"__asan_" in f.read():
            print("the library has a sanitizer, the example has none")
            return 77
    test_header()
    test_names()
    with tempfile.TemporaryDirectory() as d:
        test_example(d)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
