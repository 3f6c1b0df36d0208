# SPDX-License-Identifier: MIT
"""A program against the one that started it: it gets no ID of the parent's objects, and what it does
to its own thread object, which the parent watches, ends nothing but itself.

Usage: test_parent.py BUILD [PART-OF-A-NAME]
"""

import os
import sys

import booting
import counting
from booting import same

BUILD = os.path.abspath(sys.argv[1])
POOL = booting.Pool(BUILD)
POOL.put(f"{BUILD}/tests/attack/parent", "/host/parent")
KILLED = 128 + 9
SEGV = 128 + 11


def test_child_finds_no_id_of_its_parent():
    same(POOL.run("/host/parent", "search", expect=0).stdout, b"nothing found\n")


def test_init_outlives_a_program_that_destroys_its_thread_object():
    """A deletion takes the context of the process along, and with it all rights: it ends at once.
    Default permissions are none already."""
    for how, statuses in (("delete", (SEGV,)), ("now", (KILLED,)), ("perms", (0,)),
                          ("generation", (5,)), ("exit", (0, 5))):
        r = POOL.run("/host/parent", "own", how)
        same(r.returncode in statuses, True, f"{how}: status {r.returncode}: {r.stderr!r}")
        same(b"fatal" in POOL.kernel_log(), False, f"{how}: the first program ended")


def test_parent_outlives_a_child_that_destroys_its_thread_object():
    for how, ends in (("delete", (b"signal 11",)), ("now", (b"signal 9", b"no child")),
                      ("perms", (b"status 0",)), ("generation", (b"status 5", b"no child")),
                      ("exit", (b"status 0", b"status 5", b"signal 0"))):
        r = POOL.run("/host/parent", "spawn", how, expect=0)
        same(r.stdout.strip() in ends, True, f"{how}: {r.stdout!r}")


def test_parent_signals_its_child_and_a_program_itself():
    r = POOL.run("/host/parent", "signal", expect=128 + 15)
    same(r.stdout, b"the child ended by the signal\n")


with POOL:
    counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
