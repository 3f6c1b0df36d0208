# SPDX-License-Identifier: MIT
"""The kernel under the undefined-behaviour sanitizer: a kernel with its checks, which panic, passes
the tests that run in the emulator.

Usage: test_ubsan.py TREE BUILD
"""

import os
import re
import subprocess
import sys
import tempfile

import counting

TOP = os.path.abspath(sys.argv[1])
SUITES = ["bare", "kernel", "libtwz", "guest"]
SHOWN = 60


def run(words):
    r = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    if r.returncode:
        raise AssertionError("\n".join(r.stdout.splitlines()[-SHOWN:]))
    return r.stdout


def test_kernel_under_the_sanitizer():
    with tempfile.TemporaryDirectory(prefix="twz-ubsan.") as build:
        run(["meson", "setup", build, TOP, "-Dubsan=true"])
        run(["ninja", "-C", build])
        output = run([sys.executable, os.path.join(TOP, "tests/run.py"), build, *SUITES])
        total = re.search(r"^(\d+) passed, 0 failed", output.splitlines()[-1])
        if not total or int(total[1]) < 100:
            raise AssertionError(output)
        print(f"      {total[1]} tests under the sanitizer")


counting.run(globals(), *sys.argv[3:4])
