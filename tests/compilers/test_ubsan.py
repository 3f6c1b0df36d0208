# SPDX-License-Identifier: MIT
"""The kernel under the undefined-behaviour sanitizer: a kernel with its checks, which panic, passes
the tests that run in the emulator. The ordinary run builds and takes those that use the kernel alone,
TWZ_TEST_LONG=1 all.

Usage: test_ubsan.py TREE BUILD
"""

import os
import re
import subprocess
import sys
import tempfile

import counting
import run as runner

TOP = os.path.abspath(sys.argv[1])
LONG = os.environ.get("TWZ_TEST_LONG") == "1"
ALL = ["bare", "kernel", "libtwz", "guest"]
SOME = ["bare/machine", "kernel/fault-2", "kernel/thread-4", "kernel/sync-4", "kernel/object-2",
        "kernel/memory-1", "kernel/move-2", "kernel/media", "kernel/fuzz-1"]
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
        suites = ALL if LONG else SOME
        tests = [t for t in runner.load_tests(build) if t.chosen_by(suites)]
        run(["ninja", "-C", build, *([] if LONG else runner.files_of(tests, build))])
        output = run([sys.executable, os.path.join(TOP, "tests/run.py"), build, *suites])
        total = re.search(r"^(\d+) passed, 0 failed", output.splitlines()[-1])
        if not total or int(total[1]) < 100:
            raise AssertionError(output)
        print(f"      {total[1]} tests under the sanitizer")


counting.run(globals(), *sys.argv[3:4])
