# SPDX-License-Identifier: MIT
"""The shipped system under power failure: the promises of the examples hold on every image tried.

Usage: test_powerfail.py BUILD [PART-OF-A-NAME]
"""

import os
import sys

import booting
import counting
import powerfail
from booting import same, wanted

BUILD = os.path.abspath(sys.argv[1])
LONG = os.environ.get("TWZ_TEST_LONG") == "1"
IMAGES = powerfail.images(3000 if LONG else 120)


def pool_with(name, runs):
    """A pool on which the example ran `runs` times."""
    pool = booting.Pool(BUILD, size="64M")
    pool.put(f"{BUILD}/examples/{name}", f"/host/{name}")
    for _ in range(runs):
        pool.run(f"/host/{name}", expect=0)
    return pool


def counter_oracle(recording, before):
    """The next boot continues from `before` or from one more; after the acknowledgement, from one
    more."""
    total = recording.stats()["marks"]

    def oracle(image, pool):
        pool.check()
        output = pool.run("/host/counter", expect=0).stdout
        acknowledged = image.marks >= total
        allowed = [before + 2] if acknowledged else [before + 1, before + 2]
        wanted(output in [b"%d\n" % n for n in allowed],
               f"printed {output!r}, wanted one of {allowed}")
        pool.check()
        same(pool.run("/host/counter", expect=0).stdout, b"%d\n" % (int(output) + 1))
    return oracle


def counted(runs):
    with pool_with("counter", runs) as pool, \
            powerfail.Recording(BUILD, pool, "/host/counter") as recording:
        same(recording.result.stdout, b"%d\n" % (runs + 1))
        tried = recording.try_images(IMAGES, counter_oracle(recording, runs))
        print(f"counter after {runs}: {tried} booted, {recording.stats()}")
        wanted(not tried.failures, "\n".join(tried.failures[:10]))


def test_counter_first_run():
    counted(0)


def test_counter_later_run():
    counted(2)


def test_no_flush_goes_unseen():
    """Every flush in the trace has an address, so the images above leave out no case."""
    with pool_with("counter", 1) as pool, \
            powerfail.Recording(BUILD, pool, "/host/counter") as recording:
        stats = recording.stats()
        same(stats["lost"], 0, "flushes without an address")
        wanted(stats["flushes"] > 0 and stats["fences"] > 0, f"nothing was flushed: {stats}")


def test_missing_flushes_are_caught():
    """Without its flushes the same run must fail: the harness can detect errors."""
    with pool_with("counter", 1) as pool, \
            powerfail.Recording(BUILD, pool, "/host/counter") as recording:
        oracle = counter_oracle(recording, 1)
        with recording.without_flushes():
            tried = recording.try_images(IMAGES, oracle, enough=1)
        wanted(tried.failures, "no image of a run without flushes failed")


def listed(runs):
    """The list is sound, and as long as before or one boot longer."""
    with pool_with("list", runs) as pool:
        with booting.Pool(BUILD, size=None) as other:
            powerfail.copy_pool(pool.path, other.path)
            old = other.run("/host/list", expect=0).stdout
            new = other.run("/host/list", expect=0).stdout
        with powerfail.Recording(BUILD, pool, "/host/list") as recording:
            same(recording.result.stdout, old)
            total = recording.stats()["marks"]

            def oracle(image, crashed):
                output = crashed.run("/host/list", expect=0).stdout
                allowed = [new] if image.marks >= total else [old, new]
                wanted(output in allowed, f"printed {output!r}, wanted one of {allowed!r}")
                crashed.check()

            tried = recording.try_images(IMAGES, oracle)
            print(f"list after {runs}: {tried} booted, {recording.stats()}")
            wanted(not tried.failures, "\n".join(tried.failures[:10]))


def test_list_first_run():
    listed(0)


def test_list_later_run():
    listed(1)


counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
