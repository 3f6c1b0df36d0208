# SPDX-License-Identifier: MIT
"""How long the kernel keeps interrupts off: no stay in it is longer than LIMIT instructions; the last
one, which ends the machine, does not count (doc/figures.md).

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


def short(pool, *program, **more):
    """Runs the program; no stay in the kernel is over the limit."""
    out = os.path.join(pool.dir, "entries")
    pool.run(*program, expect=0, options=tracing.options(BUILD, "entries", out=out, limit=LIMIT),
             **more)
    with open(out, encoding="ascii") as f:
        worst = [(int(a), int(b, 16), int(c, 16)) for a, b, c in map(str.split, f)]
    wanted(worst, "no stay in the kernel was seen")
    print(f"      {' '.join(program)[:60]}: {worst[0][0]}")
    over = [f"{length} from user code at {user:#x}, in {SYMBOLS.at(kernel)}"
            for length, user, kernel in worst if length > LIMIT]
    wanted(not over, "; ".join(over))


def pool_with(*examples):
    pool = booting.Pool(BUILD)
    for name in examples:
        pool.put(f"{BUILD}/examples/{name}", f"/host/{name}")
    return pool


def test_examples():
    with pool_with("hello", "counter", "list") as pool:
        short(pool, "/host/hello")
        short(pool, "/host/counter")
        short(pool, "/host/counter")
        short(pool, "/host/list", "build")
        short(pool, "/host/list", "walk")


def test_streams():
    with pool_with() as pool:
        short(pool, "/bin/cat", input=b"x" * 3_000_000)


def test_files():
    with pool_with() as pool:
        path = os.path.join(pool.dir, "file")
        with open(path, "wb") as f:
            f.write(b"content." * (512 << 10 >> 3))
        pool.put(path, "/data/file")
        short(pool, "/bin/cp", "/data/file", "/data/copy")
        short(pool, "/bin/sha256sum", "/data/copy")
        short(pool, "/bin/mv", "/data/copy", "/data/moved")
        short(pool, "/bin/rm", "/data/moved")
        short(pool, "/bin/mkdir", "/data/directory")
        short(pool, "/bin/ls", "/data")


def raw_pool(content):
    """A pool whose first program is the churn on the calls alone, and the ID of an object in it."""
    pool = booting.Pool(BUILD, size="64M", system=False)
    file = os.path.join(pool.dir, "content")
    with open(file, "wb") as f:
        f.write(content)
    pool.put(f"{BUILD}/tests/guest/raw/raw-churn", "/bin/init")
    pool.tool("boot", "/bin/init")
    pool.put(file, "/data/object")
    return pool, pool.tool("id", "/data/object").stdout.strip()


def test_kernel_calls():
    """Objects made, written, copied into and deleted by a first program on the calls alone."""
    pool, name = raw_pool(bytes(64 << 10))
    with pool:
        short(pool, "churn", name, "60")
        short(pool, "churn", name, "verify")


def test_large_object():
    pool, name = raw_pool(b"content." * (2 << 20 >> 3))
    with pool:
        short(pool, "stat", name, "stat")


counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
