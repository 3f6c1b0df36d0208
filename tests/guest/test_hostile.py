# SPDX-License-Identifier: MIT
"""A program denies or destroys what others use: directories, pipes, open files. That is an error of the others, never their end. init lives through each of them, in this boot and in later ones.

Usage: test_hostile.py BUILD [PART-OF-A-NAME]
"""

import os
import sys

import booting
import counting
from booting import holds, wanted

BUILD = os.path.abspath(sys.argv[1])
HOLE, PROTECT = "1", "2"
BASE, META = "4096", str((1 << 30) - 8192)
READ, WRITE, DEL = 1, 2, 16
EACCES, EIO, ENOTDIR = "13", "5", "20"
FAULT = 128 + 11


def new_pool():
    pool = booting.Pool(BUILD)
    for name in "status", "hostile":
        pool.put(f"{BUILD}/tests/guest/{name}", f"/host/{name}")
    return pool


def check_alive(pool):
    """init starts programs, and reports the next fault: it looks through all directories."""
    for _ in range(2):
        pool.run("/host/status", "exit", "3", expect=3)
        r = pool.run("/host/hostile", "perms", "/tmp/alive", str(READ | WRITE | DEL), expect=FAULT)
        holds(r.stderr.decode(), "needed: write")
        wanted(not booting.PANIC.search(pool.log()), f"the kernel's log: {pool.log()!r}")


def check_spoiled(path, op, offset, *errors):
    pool = new_pool()
    pool.run("/host/hostile", "spoil", path, op, offset, expect=FAULT)
    check_alive(pool)
    if errors:
        pool.run("/host/hostile", "dir", path, errors[0], expect=0)


def test_hole_in_a_shared_directory():
    check_spoiled("/tmp/dir", HOLE, BASE, EIO)


def test_hole_in_the_metadata_of_a_directory():
    check_spoiled("/tmp/dir", HOLE, META, EIO)


def test_protected_directory():
    check_spoiled("/tmp/dir", PROTECT, BASE, EACCES)


def test_directory_without_rights():
    for perms, error in (READ, EACCES), (WRITE, EACCES):
        pool = new_pool()
        pool.run("/host/hostile", "perms", "/tmp/dir", str(perms), expect=FAULT)
        check_alive(pool)
        pool.run("/host/hostile", "dir", "/tmp/dir", error, expect=0)


def test_shared_objects_destroyed():
    pool = new_pool()
    for case in "pipe", "state", "file":
        pool.run("/host/hostile", case, expect=0)
    check_alive(pool)


def test_forged_inheritance():
    pool = new_pool()
    pool.run("/host/hostile", "forged", expect=0)
    check_alive(pool)


def test_words_of_shared_tables():
    pool = new_pool()
    for case in "record", "kind":
        pool.run("/host/hostile", case, expect=0)
    check_alive(pool)


def test_locks_that_are_kept():
    """In counted time: half a minute for each call passes while all threads sleep."""
    pool = new_pool()
    pool.run("/host/hostile", "locks", options=["--deterministic"], expect=0)


def test_names_of_readonly_objects():
    pool = new_pool()
    for case in "readonly", "unlinked":
        pool.run("/host/hostile", case, expect=0)
    check_alive(pool)


counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
