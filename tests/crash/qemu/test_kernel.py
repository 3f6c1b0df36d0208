# SPDX-License-Identifier: MIT
"""The shipped kernel under power failure. The first program (tests/guest/raw/churn.c) uses only
system calls: it creates, writes, names, copies and deletes objects, and checks the promises later.

Usage: test_kernel.py BUILD [PART-OF-A-NAME]
"""

import os
import sys

import booting
import counting
import powerfail
from booting import holds, same, wanted

BUILD = os.path.abspath(sys.argv[1])
LONG = os.environ.get("TWZ_TEST_LONG") == "1"
IMAGES = powerfail.images(3000 if LONG else 120)
RECOVERIES = 400 if LONG else 16  # number of recoveries that are interrupted in turn
CUTS = 12  # number of points in each
BEFORE, ROUNDS = 6, 14


class Churn(booting.Pool):
    """A pool whose first program is churn, with its anchor object."""

    def __init__(self):
        super().__init__(BUILD, size="16M", system=False)
        anchor = os.path.join(self.dir, "anchor")
        with open(anchor, "wb") as f:
            f.truncate(64 << 10)
        self.put(f"{BUILD}/tests/guest/raw/raw-churn", "/bin/init")
        self.tool("boot", "/bin/init")
        self.put(anchor, "/data/anchor")
        self.anchor = self.tool("id", "/data/anchor").stdout.strip()


def oracle_for(anchor, total_marks):
    def oracle(image, pool):
        pool.check()
        result = pool.run("churn", anchor, "verify")
        wanted(result.returncode == 0, f"{result.stdout!r} {result.stderr!r}")
        found = int(result.stdout.split()[0])
        before = churned((), BEFORE)
        after = churned(before, ROUNDS)
        wanted(len(before) <= found <= len(after) + 1, f"{found} objects")
        if image.marks >= total_marks:
            same(found, len(after), "objects after the last word of the program")
        wanted(not booting.PANIC.search(pool.kernel_log()), f"the kernel's log: {pool.log()!r}")
        holds(pool.run("churn", anchor, str(ROUNDS), expect=0).stdout, b"rounds")
        pool.run("churn", anchor, "verify", expect=0)
        pool.check()
    return oracle


def churned(there, rounds):
    """The rounds whose objects have names after churn, if those `there` had names before."""
    there = set(there)
    for n in range(rounds):
        if n in there:
            continue
        there.add(n)
        if n % 3 == 2:
            there.discard(n - 2)
    return there


def recorded(pool):
    pool.run("churn", pool.anchor, str(BEFORE), expect=0)
    recording = powerfail.Recording(BUILD, pool, "churn", pool.anchor, str(ROUNDS))
    same((recording.result.returncode, recording.result.stdout), (0, b"%d rounds\n" % ROUNDS))
    return recording


def test_churn():
    with Churn() as pool, recorded(pool) as recording:
        stats = recording.stats()
        tried = recording.try_images(IMAGES, oracle_for(pool.anchor, stats["marks"]))
        print(f"      {tried} booted; {stats}")
        wanted(not tried.failures, "\n".join(tried.failures[:10]))


def test_power_fails_again_in_recovery():
    """A boot from a crash image is recorded and interrupted in turn: the promises hold, too."""
    tried, stored, problems = [], 0, []
    with Churn() as pool, recorded(pool) as recording:
        for image in recording.sample(RECOVERIES, powerfail.SEED + 1):
            with recording.pool_of(image) as crashed, \
                    powerfail.Recording(BUILD, crashed, "churn", pool.anchor, "verify") as again:
                same(again.result.returncode, 0, f"verify after {image}")
                stored += again.stats()["stores"]
                found = int(again.result.stdout.split()[0])
                tried.append(again.try_images(CUTS, second_oracle(pool.anchor, found)))
                problems += [f"after {image}: {failure}" for failure in tried[-1].failures]
    print(f"      {sum(t.images for t in tried)} images of {RECOVERIES} recoveries booted, {stored} stores in them")
    wanted(not problems, "\n".join(problems[:10]))


def second_oracle(anchor, found):
    """After each interrupted recovery, the next one must find the same objects."""
    def oracle(_, pool):
        pool.check()
        result = pool.run("churn", anchor, "verify", expect=0)
        same(int(result.stdout.split()[0]), found, "objects")
        holds(pool.run("churn", anchor, str(ROUNDS), expect=0).stdout, b"rounds")
        pool.check()
    return oracle


def test_every_flush_is_seen():
    with Churn() as pool, recorded(pool) as recording:
        stats = recording.stats()
        same(stats["lost"], 0, "flushes without an address")
        wanted(stats["flushes"] > 100 and stats["fences"] > 100, f"too few: {stats}")


def test_missing_flushes_are_caught():
    """Without its flushes the same run must fail: the harness can detect errors."""
    with Churn() as pool, recorded(pool) as recording:
        marks = recording.stats()["marks"]
        with recording.without_flushes():
            tried = recording.try_images(30, oracle_for(pool.anchor, marks), enough=1)
        wanted(tried.failures, "no image of a run without flushes failed")


counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
