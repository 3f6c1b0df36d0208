# SPDX-License-Identifier: MIT
"""Messages of twz-obj for what it refuses: in the words of the command, with the reason and a remedy.

Usage: test_refusals.py TWZ-OBJ [PART-OF-A-NAME]
"""

import os
import struct
import sys

import counting
from objtool import FRAME, Pool, holds, one_line, same, wanted

TOOL = os.path.abspath(sys.argv[1])
# Of struct store_super (kernel/store/format.h) and struct hier_dir (objects/hier/layout.h).
DIR_AT, TABLE_AT = 344, 24


def lacks(text, *parts):
    for part in parts:
        wanted(part not in text, f"{part!r} in {text!r}")


# --- host files --------------------------------------------------------------------------------

def test_a_host_file_in_the_way():
    """Only a command that has --force advises it."""
    with Pool(TOOL) as pool:
        taken = pool.file("taken")
        for words in (["snapshot", taken], ["check", "--repair", "--backup", taken]):
            stderr = pool(*words, code=1).stderr
            one_line(stderr, taken, "exists already", "another name")
            lacks(stderr, "--force")
        one_line(pool("mkpool", code=1).stderr, "exists already", "another name", "--force")


def test_a_host_directory_that_is_missing():
    with Pool(TOOL) as pool:
        pool("new", "/data/x")
        none = os.path.join(pool.dir, "none")
        for words in (["snapshot", f"{none}/x"], ["check", "--repair", "--backup", f"{none}/x"],
                      ["get", "/data/x", f"{none}/x"], ["mkpool", f"{none}/x"]):
            stderr = pool(*words, code=3).stderr
            one_line(stderr, f"{none}: no such directory")
        one_line(pool("snapshot", f"{pool.file('f')}/x", code=1).stderr, "/f: ", "ot a directory")
        for words in (["snapshot", ""], ["get", "/data/x", ""], ["mkpool", ""]):
            one_line(pool(*words, code=2).stderr, "empty")


# --- paths -------------------------------------------------------------------------------------

def test_a_directory_on_the_way_is_named():
    with Pool(TOOL) as pool:
        f = pool.file("f", b"text")
        pool("put", f, "/data/n1")
        pool("ln", "-s", "nowhere", "/data/dead")
        for words, gap in ((["new", "/nodir/x"], "/nodir"), (["put", f, "/data/nod/x"], "/data/nod"),
                           (["put", f, "/data/nod/"], "/data/nod"), (["new", "/data/nod/"], "/data/nod"),
                           (["mkdir", "/data/u/v"], "/data/u"), (["mkdir", "/data/u/v/w/"], "/data/u"),
                           (["mkdir", "u/v"], "u"), (["cp", "/data/n1", "/u/x"], "/u"),
                           (["mv", "/data/n1", "/u/x"], "/u"), (["ln", "/data/n1", "/u/x"], "/u"),
                           (["ln", "-s", "a", "/u/x"], "/u"), (["mkdir", "/data/dead/x"], "/data/dead")):
            one_line(pool(*words, code=3).stderr, f": {gap}: no such directory: ", "'mkdir -p'")
        for words in (["rm", "/u/x"], ["mv", "/u/x", "/data/y"]):
            stderr = pool(*words, code=3).stderr
            one_line(stderr, ": /u: no such directory")
            lacks(stderr, "mkdir")
        for words in (["mkdir", "/data/n1/k"], ["mkdir", "-p", "/data/n1/k/l"], ["put", f, "/data/n1/k"],
                      ["new", "/data/n1/k/l"], ["rm", "/data/n1/k"], ["stat", "/data/n1/k"],
                      ["mv", "/data/n1", "/data/n1/k"]):
            one_line(pool(*words, code=1).stderr, ": /data/n1: not a directory")
        one_line(pool("stat", "/data/none", code=3).stderr, "/data/none: no such name")


def test_an_empty_name():
    with Pool(TOOL) as pool:
        f = pool.file("f", b"text")
        pool("new", "/data/n1")
        for words in (["new"], ["mkdir"], ["mkdir", "-p"], ["put", f], ["cp", "/data/n1"], ["rm"],
                      ["mv", "/data/n1"], ["ln", "/data/n1"], ["ln", "-s", "x"], ["stat"]):
            one_line(pool(*words, "", code=2).stderr, "the name is empty")
        one_line(pool("mv", "", "/x", code=2).stderr, "the name is empty")


def test_the_root_and_a_directory_into_itself():
    with Pool(TOOL) as pool:
        pool("mkdir", "-p", "/data/d/e")
        for words in (["/data", "/data/d"], ["/data", "/data"], ["/data/d", "/data/d/e/f"]):
            one_line(pool("mv", *words, code=2).stderr, f": {words[0]}: ", "into itself")
        for words in (["rm", "/"], ["rm", "-r", "/"], ["rm", "-rf", "/data/.."], ["del", "-f", "/"],
                      ["mv", "/", "/data"]):
            stderr = pool(*words, code=2).stderr
            one_line(stderr, "the root directory cannot be")
            lacks(stderr, "rm -r")
        for words in (["rm", "-r", "/data/d/."], ["mv", "/data/d/e/..", "/tmp"]):
            one_line(pool(*words, code=2).stderr, "without '.'")
        same(pool.out("ls", "/data/d"), "e\n")
        pool.check()


# --- limits ------------------------------------------------------------------------------------

def test_a_full_object_table():
    with Pool(TOOL, "1M") as pool:
        f = pool.file("f")
        limit = pool.json("df")[0]["objects_max"]
        pool("new", "--count", limit, code=6)
        same(pool.json("df")[0]["objects"], limit)
        for words in (["new"], ["new", "/data/x"], ["put", f], ["put", f, "/data/x"], ["mkdir", "/x"],
                      ["mkdir", "-p", "/x/y"]):
            one_line(pool(*words, code=6).stderr, "object table is full",
                     f"({limit} of {limit} objects)", "del", "mkpool --size")
        stderr = pool("batch", input="df\nnew /data/x\n", code=6).stderr
        one_line(stderr, "standard input, line 2: /data/x: the pool's object table is full")
        lines = pool.file("lines", b"df\nnew /data/x\n")
        one_line(pool("batch", lines, code=6).stderr, f"{lines}, line 2: ")


# --- damage ------------------------------------------------------------------------------------

def spoil_directory_word(pool):
    """Damage both copies of the word that locates the first entries of the object table."""
    with open(pool.path, "r+b") as f:
        frames = struct.unpack_from("<QQ", f.read(FRAME), DIR_AT)
        for frame in frames:
            f.seek(frame * FRAME)
            f.write(b"\xff" * 8)


def spoil_table(pool):
    """Move a directory's table to where the object has no page."""
    pool.overwrite(pool.page("/data"), TABLE_AT, struct.pack("<Q", 5 << 32 | 1 << 20))


def test_check_does_not_advise_to_run_check():
    for spoil in (spoil_directory_word, spoil_table, lambda pool: pool.spoil_id("/data/x")):
        with Pool(TOOL) as pool:
            pool("new", "/data/x")
            spoil(pool)
            for words in (["check"], ["check", "--repair", "--dry-run"]):
                stderr = pool(*words, code=4).stderr
                lacks(stderr, "run 'twz-obj check'")
                holds(stderr.splitlines()[-1], "copy")
            holds(pool("check", code=4).stderr, "check --repair", "--backup")
            stderr = pool("check", "--repair", code=4).stderr
            lacks(stderr, "twz-obj check")
            holds(stderr.splitlines()[-1], "copy")


def test_an_interrupted_change_is_no_damage():
    """One bad copy of a mirrored word: the other one is valid."""
    with Pool(TOOL) as pool:
        with open(pool.path, "r+b") as f:
            f.seek(struct.unpack_from("<Q", f.read(FRAME), DIR_AT)[0] * FRAME)
            f.write(bytes(8))
        r = pool("check")
        same(r.stderr, "")
        holds(r.stdout, "no problem, for recovery to complete: 1 mirrored word, 0 new objects kept")
        last = pool.json("check")[-1]
        same([last[k] for k in ("pending_superblocks", "pending_words", "pending_objects")], [0, 1, 0])


def test_a_destroyed_superblock_copy_is_named():
    """The other copy is in force; recovery writes this one again, and the epoch word beside it."""
    for copy in (0, 1):
        with Pool(TOOL) as pool:
            with open(pool.path, "r+b") as f:
                f.seek(copy * FRAME)
                f.write(b"\x55" * FRAME)
            for words in (["check"], ["check", "--repair", "--dry-run"], ["check", "--repair"]):
                holds(pool.out(*words), f": superblock copy {copy} (damaged, or older than the other), "
                      "1 mirrored word, 0 new objects kept")
            holds(pool.out("check"), "no problem\n")


counting.run(globals(), *sys.argv[2:3])
