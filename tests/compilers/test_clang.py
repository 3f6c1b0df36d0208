# SPDX-License-Identifier: MIT
"""clang builds everything without a warning, as gcc does, and its kernel passes tests.

Usage: test_clang.py TREE BUILD
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

import counting

TOP = os.path.abspath(sys.argv[1])
SHOWN = 40
BOOTS = ["bare", "kernel/fault-2", "kernel/thread-4", "kernel/object-2", "guest/endings"]


def run(words, env):
    r = subprocess.run(words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, errors="replace")
    if r.returncode:
        raise AssertionError("\n".join(r.stdout.splitlines()[-SHOWN:]))
    return r.stdout


def test_clang_builds_everything():
    if not shutil.which("clang"):
        raise counting.Skipped("clang is not installed")
    with tempfile.TemporaryDirectory(prefix="twz-clang.") as build:
        env = {**os.environ, "CC": "clang"}
        output = run(["meson", "setup", build, TOP], env)
        if not re.search(r"C compiler for the host machine: clang", output):
            raise AssertionError("the build does not use clang")
        output = run(["ninja", "-C", build], env)
        # clang reports link arguments that it does not need; these are no warnings about the code.
        warnings = [line for line in output.splitlines()
                    if "warning:" in line and "argument unused" not in line]
        if warnings:
            raise AssertionError("\n".join(warnings))
        run([sys.executable, os.path.join(TOP, "tests/run.py"), build, *BOOTS], env)


counting.run(globals(), *sys.argv[3:4])
