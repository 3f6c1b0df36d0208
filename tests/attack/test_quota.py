# SPDX-License-Identifier: MIT
"""A program takes all that its account may have of one thing, and holds it. A program in another
account works meanwhile; the account's holder gets all of it back.

Usage: test_quota.py BUILD [PART-OF-A-NAME]
"""

import os
import sys

import booting
import counting
from booting import same, wanted

BUILD = os.path.abspath(sys.argv[1])


def test_exhausting_an_account_stops_nobody_else():
    with booting.Pool(BUILD, size="32M") as pool:
        pool.put(f"{BUILD}/tests/attack/quota", "/host/quota")
        r = pool.run("/host/quota", options=["--memory", "128M"])
        same(r.returncode, 7, f"{r.stdout!r} {r.stderr!r}")
        same(r.stdout.count(b"the other program ends with 7"), 7, r.stdout)
        wanted(not booting.PANIC.search(pool.kernel_log()), pool.kernel_log())
        pool.check()


def test_programs_run_within_limits():
    with booting.Pool(BUILD, size="32M") as pool:
        pool.put(f"{BUILD}/tests/attack/quota", "/host/quota")
        for _ in range(2): # the account is made at the first boot and found at the second
            pool.run("/host/quota", "own", options=["--memory", "128M"], expect=7)
        pool.check()


counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
