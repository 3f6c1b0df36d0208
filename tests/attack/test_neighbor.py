# SPDX-License-Identifier: MIT
"""Programs of one user against each other: each has its memory, its view and its threads alone.

Usage: test_neighbor.py BUILD [PART-OF-A-NAME]
"""

import os
import sys

import booting
import counting
from booting import same

BUILD = os.path.abspath(sys.argv[1])
POOL = booting.Pool(BUILD)
POOL.put(f"{BUILD}/tests/attack/neighbor", "/host/neighbor")


def test_every_attempt_is_denied_and_works_on_own_objects():
    r = POOL.run("/host/neighbor", "all", expect=0)
    same(r.stdout, b"17 attempts\n17 attempts\nspy 0, victim 0\n")


with POOL:
    counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
