# SPDX-License-Identifier: MIT
"""The kernel's log: a program writes lines to it, but none that could be the kernel's, and no more
than the log's file keeps.

Usage: test_log.py BUILD [PART-OF-A-NAME]
"""

import os
import re
import sys

import booting
import counting
from booting import holds, same, wanted

BUILD = os.path.abspath(sys.argv[1])
POOL = booting.Pool(BUILD)
POOL.put(f"{BUILD}/tests/attack/forge", "/host/forge")
MARK = re.compile(rb"\[thread \d+\] ")


def test_lines_of_programs_are_marked():
    POOL.run("/host/forge", "lines", expect=0)
    lines = POOL.log().splitlines()
    forged = [line for line in lines if b"forged" in line or b"xx" in line]
    wanted(len(forged) > 1000, f"{len(forged)} lines")
    for line in forged:
        wanted(MARK.match(line), f"not marked: {line!r}")
    same(len({MARK.match(line)[0] for line in forged}), 1, "threads")
    same(b"forged" in POOL.kernel_log() or b"xx" in POOL.kernel_log(), False)
    wanted(any(line.endswith(b"] twin") for line in lines), "the ordinary line is missing")
    holds(POOL.kernel_log(), b"twz ", b"cores")


def test_program_does_not_fill_the_hosts_disk():
    POOL.run("/host/forge", "flood", "600", expect=0, options=["--log-size", "64K"])
    log = POOL.log()
    wanted(len(log) <= 64 << 10, f"{len(log)} bytes")
    holds(log.partition(b"\n")[0], b"of older log were dropped here")


with POOL:
    counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
