# SPDX-License-Identifier: MIT
"""Counts the kernel's instructions under locks that all cores share: locks.py MAKER KERNEL TEST PLUGIN

The program (locks.c) runs on one core under a plugin that counts. A lock that all cores share is one
that kernel/lock.h marks SHARED_LOCK; this checks that each static lock of the kernel is so marked. Of
the instructions of a page add and of a creation, at most LIMIT per cent may run under such a lock.
"""

import os
import subprocess
import sys
import tempfile

import backstop
import boot

LIMIT = 12
INTERVALS = ("page add, persistent", "page add, volatile", "create, persistent")


def symbols(kernel):
    names = subprocess.run(["nm", kernel], check=True, capture_output=True, text=True).stdout
    found = (line.split() for line in names.splitlines())
    return {words[2].split(".")[0]: words[0] for words in found if len(words) == 3}


def count(maker, kernel, test, plugin):
    """The plugin's intervals, as (instructions, instructions under a lock)."""
    at = symbols(kernel)
    with tempfile.TemporaryDirectory(prefix="twz-locks.") as where:
        pool, out = os.path.join(where, "pool"), os.path.join(where, "out")
        subprocess.run([maker, pool, boot.POOL_MIB, test], check=True)
        args = (f"{plugin},toggle=0x{at['call_null']},start=0x{at['shared_locks_start']},"
                f"end=0x{at['shared_locks_end']},out={out}")
        run = subprocess.run(boot.command(kernel, pool, "count", []) + ["-plugin", args],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             errors="replace", timeout=backstop.seconds(60))
        if not run.stdout.rstrip().endswith(" 0 failed"):
            raise RuntimeError(run.stdout + run.stderr)
        with open(out, encoding="ascii") as lines:
            return [tuple(map(int, line.split())) for line in lines]


def main(maker, kernel, test, plugin):
    failed = 0
    found = count(maker, kernel, test, plugin)
    if len(found) != len(INTERVALS):
        print(f"{len(found)} intervals instead of {len(INTERVALS)}")
        return 1
    for name, (every, locked) in zip(INTERVALS, found):
        share = 100 * locked / every
        print(f"{name}: {locked} of {every} instructions under a shared lock, {share:.1f} %")
        failed += share > LIMIT or locked == 0
    print(f"{len(INTERVALS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
