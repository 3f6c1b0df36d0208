# SPDX-License-Identifier: MIT
"""The link to the host under attack by a program: what the program stores in the shared words
decides about nothing but its own bytes.

Usage: test_rings.py BUILD [PART-OF-A-NAME]
"""

import os
import sys

import booting
import counting
from booting import holds, same

BUILD = os.path.abspath(sys.argv[1])
POOL = booting.Pool(BUILD)
POOL.put(f"{BUILD}/tests/attack/rings", "/host/rings")
BAD_VALUES = range(5)


def test_kernels_words_are_read_only():
    for what in "kernel", "input":
        r = POOL.run("/host/rings", what, expect=128 + 11)
        holds(r.stderr, b"rights needed: write, held: read")


def test_control_port_is_inits_alone():
    r = POOL.run("/host/rings", "control", expect=128 + 11)
    same(r.stdout, b"1 devices, no control port\n")
    holds(r.stderr, b"no object")


def test_status_arrives_after_bad_counters():
    for n in BAD_VALUES:
        r = POOL.run("/host/rings", "counters", str(n), expect=3)
        same(r.stdout, b"before\n", f"value {n}")


def test_parent_reads_and_writes_after_a_childs_bad_counters():
    data = bytes(i * 7 & 255 for i in range(1 << 20))
    for n in BAD_VALUES:
        r = POOL.run("/host/rings", "parent", str(n), input=data, expect=4)
        same(r.stdout == b"before\n" + data, True, f"value {n}: {len(r.stdout)} bytes")


with POOL:
    counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
