# SPDX-License-Identifier: MIT
"""The kernel keeps interrupts off for at most LIMIT instructions in each entry. The last entry,
which ends the machine, does not count (doc/figures.md).

Usage: test_entries.py BUILD [PART-OF-A-NAME]
"""

import bisect
import os
import subprocess
import sys

import booting
import counting
import tracing
from booting import wanted

BUILD = os.path.abspath(sys.argv[1])
LIMIT = 50_000


class Symbols:
    def __init__(self, kernel):
        text = subprocess.run(["nm", kernel], capture_output=True, text=True, check=True).stdout
        pairs = [line.split() for line in text.splitlines()]
        self.names = sorted((int(p[0], 16), p[2]) for p in pairs if len(p) == 3 and p[1] in "tT")

    def at(self, address):
        return self.names[max(0, bisect.bisect(self.names, (address, "~")) - 1)][1]


SYMBOLS = Symbols(os.path.join(BUILD, "kernel/twz.elf"))


def run_checked(pool, *program, **more):
    """Runs the program and checks the length of its longest kernel entries."""
    out = os.path.join(pool.dir, "entries")
    pool.run(*program, expect=0, options=tracing.options(BUILD, "entries", out=out, limit=LIMIT),
             **more)
    with open(out, encoding="ascii") as f:
        worst = [(int(a), int(b, 16), int(c, 16)) for a, b, c in map(str.split, f)]
    wanted(worst, "no kernel entry was recorded")
    print(f"      {' '.join(program)[:60]}: {worst[0][0]}")
    over = [f"{length} from user code at {user:#x}, in {SYMBOLS.at(kernel)}"
            for length, user, kernel in worst if length > LIMIT]
    wanted(not over, "; ".join(over))


def pool_with(*examples):
    pool = booting.Pool(BUILD)
    for name in examples:
        pool.put(f"{BUILD}/examples/{name}", f"/host/{name}")
    return pool


def test_entries_of_examples_are_bounded():
    with pool_with("hello", "counter", "list") as pool:
        run_checked(pool, "/host/hello")
        run_checked(pool, "/host/counter")
        run_checked(pool, "/host/counter")
        run_checked(pool, "/host/list", "build")
        run_checked(pool, "/host/list", "walk")


def test_entries_of_streams_are_bounded():
    with pool_with() as pool:
        run_checked(pool, "/bin/cat", input=b"x" * 3_000_000)


def test_entries_of_file_commands_are_bounded():
    with pool_with() as pool:
        path = os.path.join(pool.dir, "file")
        with open(path, "wb") as f:
            f.write(b"content." * (512 << 10 >> 3))
        pool.put(path, "/data/file")
        run_checked(pool, "/bin/cp", "/data/file", "/data/copy")
        run_checked(pool, "/bin/sha256sum", "/data/copy")
        run_checked(pool, "/bin/mv", "/data/copy", "/data/moved")
        run_checked(pool, "/bin/rm", "/data/moved")
        run_checked(pool, "/bin/mkdir", "/data/directory")
        run_checked(pool, "/bin/ls", "/data")


def raw_pool(content):
    """A pool with raw-churn as its first program, and the ID of an object in it."""
    pool = booting.Pool(BUILD, size="64M", system=False)
    file = os.path.join(pool.dir, "content")
    with open(file, "wb") as f:
        f.write(content)
    pool.put(f"{BUILD}/tests/guest/raw/raw-churn", "/bin/init")
    pool.tool("boot", "/bin/init")
    pool.put(file, "/data/object")
    return pool, pool.tool("id", "/data/object").stdout.strip()


def test_entries_of_kernel_calls_are_bounded():
    """A first program on the calls alone creates, writes, copies and deletes objects."""
    pool, name = raw_pool(bytes(64 << 10))
    with pool:
        run_checked(pool, "churn", name, "60")
        run_checked(pool, "churn", name, "verify")


def test_entries_for_a_large_object_are_bounded():
    pool, name = raw_pool(b"content." * (2 << 20 >> 3))
    with pool:
        run_checked(pool, "stat", name, "stat")


counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
