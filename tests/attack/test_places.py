# SPDX-License-Identifier: MIT
"""Where programs lie: at random, in each view anew, the same again only in a deterministic machine,
and unknown to others.

Usage: test_places.py BUILD [PART-OF-A-NAME]
"""

import collections
import os
import shutil
import sys

import booting
import counting
from booting import holds, same, wanted

BUILD = os.path.abspath(sys.argv[1])
POOL = booting.Pool(BUILD)
POOL.put(f"{BUILD}/tests/attack/places", "/host/places")
NAMES = ("text", "runtime", "stack", "view", "thread", "args", "heap", "thread's stack")
FIRST, SLOTS, WINDOW = 16384, 1 << 17, 128  # twz/view.h
CHILDREN = 200
LATER = ["--machine-arg", "-rtc", "--machine-arg", "base=2027-03-01T00:00:00,clock=vm"]


def shown(*program, options=()):
    """A line of numbers for each program that shows its places."""
    r = POOL.run("/host/places", *program, expect=0, options=options)
    return [tuple(map(int, line.split())) for line in r.stdout.splitlines()]


def repeated(*more):
    """The places in a deterministic machine that leaves the pool as it was."""
    saved = POOL.path + ".saved"
    shutil.copyfile(POOL.path, saved)
    line = shown("show", options=["--deterministic", *more])[0]
    os.replace(saved, POOL.path)
    return line


def test_each_kind_is_spread_over_all_slots():
    """The bounds hold but for one run in a million, if the choice is uniform."""
    lines = shown("many", str(CHILDREN))
    same(len(lines), CHILDREN, "children")
    for kind, name in enumerate(NAMES):
        slots = [line[kind] for line in lines]
        wanted(min(slots) >= FIRST and max(slots) < SLOTS, f"{name}: {min(slots)} to {max(slots)}")
        wanted(len(set(slots)) >= CHILDREN - 4, f"{name}: {len(set(slots))} of {CHILDREN} differ")
        parts = collections.Counter((slot - FIRST) * 4 // (SLOTS - FIRST) for slot in slots)
        wanted(all(20 <= parts[i] <= 84 for i in range(4)), f"{name}: quarters {parts}")
        in_window = collections.Counter(slot % WINDOW * 4 // WINDOW for slot in slots)
        wanted(all(20 <= in_window[i] <= 84 for i in range(4)), f"{name}: in windows {in_window}")
        low = sum(slot & 1 for slot in slots)
        wanted(60 <= low <= 140, f"{name}: {low} of {CHILDREN} slots are odd")
    wanted(len({line[-1] for line in lines}) > 80, "the first stack begins at few places")


def test_kinds_are_apart():
    """Text and stack are in windows of their own, and no two kinds share a slot."""
    lines = shown("many", "50")
    for line in lines:
        same(len(set(line[:-1])), len(NAMES), f"slots of {line}")
    apart = sum(line[0] // WINDOW != line[2] // WINDOW for line in lines)
    wanted(apart >= len(lines) - 3, f"text and stack are apart in {apart} of {len(lines)}")


def test_boots_differ():
    lines = [shown("show")[0] for _ in range(3)]
    for kind, name in enumerate(NAMES):
        wanted(len({line[kind] for line in lines}) > 1, f"{name}: slots {lines} in three boots")


def test_deterministic_machine_repeats_its_places():
    first = repeated()
    same(repeated(), first, "places of the same run")
    other = repeated(*LATER)
    wanted(all(a != b for a, b in zip(first[:-1], other)), f"{first} a year later, too")


def test_machine_without_random_source_does_not_repeat():
    """Each boot of the pool differs, and a boot from a restored copy at another time does."""
    cpu = ["--machine-arg", "-cpu", "--machine-arg", "max,-rdrand,-erms,-fsrm"]
    first = repeated(*cpu)
    holds(POOL.kernel_log(), b"no random source")
    restored = repeated(*cpu, *LATER)
    shown("show", options=["--deterministic", *cpu])
    second = repeated(*cpu)
    for kind, name in enumerate(NAMES):
        wanted(first[kind] != second[kind], f"{name}: slot {first[kind]} in two boots")
        wanted(first[kind] != restored[kind], f"{name}: slot {first[kind]} in a restored pool")


def test_program_finds_no_address_of_kernel_or_parent():
    r = POOL.run("/host/places", "search", expect=0)
    holds(r.stdout, b"slots searched, 0 addresses found")
    wanted(int(r.stdout.split()[0]) >= 10, r.stdout)


with POOL:
    counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
