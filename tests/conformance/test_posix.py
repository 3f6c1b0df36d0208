# SPDX-License-Identifier: MIT
"""The same C programs on the host and in the system must have the same output and status.

Usage: test_posix.py BUILD [PART-OF-A-NAME]
"""

import difflib
import os
import subprocess
import sys
import tempfile

import backstop
import booting
import counting

BUILD = os.path.abspath(sys.argv[1])
HERE = f"{BUILD}/tests/conformance"
POOL = booting.Pool(BUILD)
NATIVE_LIMIT = backstop.seconds(60)


def native(name):
    with tempfile.TemporaryDirectory() as scratch:
        os.mkdir(f"{scratch}/{name}")
        r = subprocess.run([f"{HERE}/native-{name}", f"{scratch}/{name}"], capture_output=True,
                           stdin=subprocess.DEVNULL, timeout=NATIVE_LIMIT)
    return r.stdout.decode(), r.returncode if r.returncode >= 0 else 128 - r.returncode


def in_system(name, cpus):
    POOL.put(f"{HERE}/guest-{name}", f"/host/{name}")
    POOL.tool("mkdir", "-p", f"/tmp/{cpus}/{name}")
    r = POOL.run(f"/host/{name}", f"/tmp/{cpus}/{name}", options=["--cpus", cpus])
    return r.stdout.decode(errors="replace"), r.returncode, r.stderr.decode(errors="replace")


def compare(name):
    """On two cores, where processes run at once, and on one, where a child waits for its parent."""
    wanted, wanted_status = native(name)
    booting.wanted(wanted.count("\n") > 20, f"{name} says almost nothing on the host: {wanted!r}")
    for cpus in "2", "1":
        got, status, errors = in_system(name, cpus)
        lines = list(difflib.unified_diff(wanted.splitlines(), got.splitlines(), "host", "system",
                                          n=1, lineterm=""))
        booting.wanted(not lines, "\n".join(lines[:40]) + f"\n{cpus} cores, errors: {errors}")
        booting.same(status, wanted_status, "status")
        booting.wanted(not booting.PANIC.search(POOL.kernel_log()), f"kernel log: {POOL.log()!r}")


def test_files():
    compare("files")


def test_directories():
    compare("dirs")


def test_edges():
    compare("edges")


def test_streams():
    compare("streams")


def test_memory():
    compare("memory")


def test_devices():
    compare("devices")


def test_processes():
    compare("processes")


def test_races():
    compare("races")


def test_signals():
    compare("signals")


def test_threads():
    compare("threads")


def test_pool_is_valid_afterwards():
    POOL.check()


with POOL:
    counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
