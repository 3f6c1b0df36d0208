# SPDX-License-Identifier: MIT
"""A program takes all that there is of one thing. It ends with its status or by a fault of its own,
init reports that end, the machine powers off in order, and the next boot works.

Usage: test_flood.py BUILD [PART-OF-A-NAME]
"""

import os
import sys

import booting
import counting
from booting import same, wanted

BUILD = os.path.abspath(sys.argv[1])
OWN_ENDS = (7, 128 + 7, 128 + 9, 128 + 11)


def flood(how, memory, size="16M"):
    with booting.Pool(BUILD, size=size) as pool:
        pool.put(f"{BUILD}/tests/attack/flood", "/host/flood")
        r = pool.run("/host/flood", how, options=["--memory", memory])
        log = pool.kernel_log()
        wanted(r.returncode in OWN_ENDS, f"{how}: status {r.returncode}: {r.stderr!r}\n{log!r}")
        wanted(not booting.PANIC.search(log) and b"fatal" not in log, f"{how}: {log!r}")
        same(pool.run("echo", "twin", expect=0).stdout, b"twin\n", how)
        pool.check()


def test_machine_outlives_a_flood_of_processes():
    flood("spawn", "96M")
    flood("spawn", "128M")


def test_machine_outlives_a_flood_of_pages():
    flood("pages", "64M")


def test_machine_outlives_a_flood_of_threads():
    flood("threads", "64M")


def test_machine_outlives_a_flood_of_objects():
    for how in "objects", "views", "ties":
        flood(how, "64M")


def test_machine_outlives_a_full_pool():
    flood("pool", "128M")


counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
