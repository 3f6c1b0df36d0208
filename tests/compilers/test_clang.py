# SPDX-License-Identifier: MIT
"""Everything builds with clang as it does with gcc, without a warning, and that kernel works.

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
        said = run(["meson", "setup", build, TOP], env)
        if not re.search(r"C compiler for the host machine: clang", said):
            raise AssertionError("the build did not take clang")
        said = run(["ninja", "-C", build], env)
        # Of a link argument that clang does not need it says so; that is no warning about our code.
        warnings = [line for line in said.splitlines()
                    if "warning:" in line and "argument unused" not in line]
        if warnings:
            raise AssertionError("\n".join(warnings))
        run([sys.executable, os.path.join(TOP, "tests/run.py"), build, *BOOTS], env)


counting.run(globals(), *sys.argv[3:4])
