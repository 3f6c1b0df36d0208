# SPDX-License-Identifier: MIT
"""The promises of the kernel to make stores durable, under power failure. The first program
(tests/guest/raw/durable.c) stores and flushes nothing; after each step that promises it, a power
failure must leave the stores of all steps so far.

Usage: test_durable.py BUILD [PART-OF-A-NAME]
"""

import os
import sys

import booting
import counting
import powerfail
from booting import same, wanted

BUILD = os.path.abspath(sys.argv[1])
LONG = os.environ.get("TWZ_TEST_LONG") == "1"
IMAGES = powerfail.images(1500 if LONG else 80)


class Prepared(booting.Pool):
    """A pool whose first program is durable, with the objects of its steps."""

    def __init__(self):
        super().__init__(BUILD, size="32M", system=False)
        anchor = os.path.join(self.dir, "anchor")
        with open(anchor, "wb") as f:
            f.truncate(64 << 10)
        self.put(f"{BUILD}/tests/guest/raw/raw-durable", "/bin/init")
        self.tool("boot", "/bin/init")
        self.put(anchor, "/data/anchor")
        self.anchor = self.tool("id", "/data/anchor").stdout.strip()
        self.run("durable", self.anchor, "setup", expect=0)


def test_steps():
    with Prepared() as pool, \
            powerfail.Recording(BUILD, pool, "durable", pool.anchor, "run") as recording:
        steps = len(recording.result.stdout)
        same((recording.result.returncode, recording.result.stdout), (0, b"." * steps))
        stats = recording.stats()
        same(stats["marks"], steps, "steps in the trace")

        def oracle(image, crashed):
            result = crashed.run("durable", pool.anchor, "verify", str(image.marks))
            wanted(result.returncode == 0, f"after {image.marks} steps: {result.stdout!r}")
            crashed.check()

        with recording.pool_of(recording.at_end()) as off:
            off.run("durable", pool.anchor, "verify", str(steps + 1), expect=0)
        tried = recording.try_images(IMAGES, oracle)
        print(f"      {tried} of {steps} steps booted; {stats}")
        wanted(not tried.failures, tried.summary())


def test_missing_flushes_are_caught():
    """Each step is caught by itself when nothing is flushed any more after the step before it."""
    with Prepared() as pool, \
            powerfail.Recording(BUILD, pool, "durable", pool.anchor, "run") as recording:

        def oracle(image, crashed):
            crashed.run("durable", pool.anchor, "verify", str(image.marks), expect=0)

        with recording.without_flushes():
            tried = recording.try_images(40, oracle, enough=1)
        wanted(tried.failures, "no image of a run without flushes failed")


counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
