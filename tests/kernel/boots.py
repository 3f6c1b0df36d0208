# SPDX-License-Identifier: MIT
"""Boots a kernel test twice on one pool: boots.py POOL-MAKER KERNEL TEST

The checks of both boots count. The pool is checked after the second one. The clock counts
instructions, so that sleeping takes no time of the host.
"""

import os
import subprocess
import sys
import tempfile

import boot

BOOTS = 2


def main(maker, kernel, test):
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="twz-boots.") as where:
        pool = os.path.join(where, "pool")
        subprocess.run([maker, pool, boot.POOL_MIB, test], check=True, timeout=boot.LIMIT)
        for _ in range(BOOTS):
            run = subprocess.run(boot.command(kernel, pool, "count", []), stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True, errors="replace",
                                 timeout=boot.LIMIT)
            print(run.stdout, end="")
            sums = boot.SUMMARY.findall(run.stdout)
            if not sums:
                print("the test did not end")
                return 1
            counts = sums[-1].split()
            passed, failed = passed + int(counts[0]), failed + int(counts[2])
        check = subprocess.run([maker, pool], capture_output=True, text=True, timeout=boot.LIMIT)
    return boot.print_result(f"{passed} passed, {failed} failed\n", check)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
