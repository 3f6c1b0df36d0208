# SPDX-License-Identifier: MIT
"""ln, mv, rm, and symbolic links in the commands that make names.

Usage: test_names.py TWZ-OBJ [PART-OF-A-NAME]
"""

import os
import sys

import counting
from objtool import Pool, one_line, same, wanted

TOOL = os.path.abspath(sys.argv[1])
PAGE = 4096
DATA_MAX = (1 << 30) - (2 << 20) - PAGE


def new_pool(size="4M"):
    return Pool(TOOL, size)


def test_ln():
    with new_pool() as pool:
        i = pool.line("put", pool.file("f", b"text"), "/data/f")
        pool("ln", "/data/f", "/tmp")
        pool("ln", i, "/tmp/g")
        same(pool.line("id", "/tmp/f"), i)
        same(pool.json("stat", "/data/f")[0]["links"], 2)
        j = pool.line("new")
        pool("ln", j, "/tmp/j")
        same(pool.json("stat", "/tmp/j")[0]["links"], 0)
        pool("ln", "-f", "/tmp/g", "/tmp/g")
        pool("ln", "-f", "/data/f", "/tmp/j")
        pool("id", j, code=3)
        pool("rm", "/tmp/j")
        pool("ln", "/data/f", "/tmp/f", code=1)
        pool("ln", "/data", "/tmp/d", code=1)
        pool("ln", "-s", "/data/f", "/tmp/s")
        same(pool.out("cat", "/tmp/s"), "text")
        pool("ln", "-s", "nowhere", "/tmp/dead")
        pool("cat", "/tmp/dead", code=3)
        pool("ln", "-sf", "/data/f", "/tmp/dead")
        same(pool.out("cat", "/tmp/dead"), "text")
        pool("ln", "-s", "loop", "/tmp/loop")
        pool("cat", "/tmp/loop", code=1)
        pool.check()


def test_links_keep_an_object():
    with new_pool() as pool:
        pool("put", pool.file("a", b"one"), "/a")
        pool("ln", "/a", "/b")
        pool("put", pool.file("a", b"two"), "/a")
        same((pool.out("cat", "/a"), pool.out("cat", "/b")), ("two", "one"))
        pool("put", pool.file("a", b"three"), "/b")
        same(pool.json("df")[0]["objects"], 10)
        same(pool.lost(), [])
        pool.check()


def test_mv():
    with new_pool() as pool:
        a = pool.line("new", "/data/a")
        pool("mv", "/data/a", "/tmp/b")
        same(pool.line("id", "/tmp/b"), a)
        pool("mv", "/data/a", "/tmp/c", code=3)
        pool("mv", "/tmp/b", "/data")
        same(pool.line("id", "/data/b"), a)
        b = pool.line("new", "/data/c")
        pool("mv", "/data/c", "/data/b")
        same(pool.line("id", "/data/b"), b)
        same(pool.lost(), [])
        pool("mkdir", "/data/d")
        pool("mv", "/data", "/data/d", code=2)
        pool("mv", "/data/d", "/tmp")
        same(pool.line("ls", "/tmp"), "d")
        pool.check()


def test_an_object_that_is_pointed_to_outlives_its_name():
    with new_pool() as pool:
        f = os.path.join(pool.dir, "f")
        with open(f, "wb") as out:
            out.truncate(DATA_MAX + 10)
        pool("put", f, "/f")
        part = pool.json("fot", "/f")[0]["entries"][0]["target"]
        for words in (["put", pool.file("g"), "/part"], ["mv", "/g", "/part"], ["ln", "-f", "/g", "/part"]):
            pool("ln", part, "/part")
            pool("put", pool.file("g"), "/g")
            pool(*words)
            same(pool.line("id", part), part)
            pool("rm", "/part")
        same(pool.json("stat", "/f")[0]["size"], DATA_MAX + 10)
        pool.check()


def test_rm_removes_names_only():
    with new_pool() as pool:
        a = pool.line("new", "/data/a")
        pool("rm", "/data/a")
        pool("stat", "/data/a", code=3)
        same([o["id"] for o in pool.json("lost")], [a])
        pool("rm", "/data/a", code=3)
        pool("rm", "-f", "/data/a")
        pool("new", "/data/b")
        pool("rm", "/data", code=1)
        pool("rm", "-r", "/data")
        same(len(pool.lost()), 2)
        same("data" in pool.out("ls").split(), False)
        pool("rm", "-r", "/", code=2)
        pool("ln", "-s", "/tmp", "/link")
        pool("rm", "/link")
        same("tmp" in pool.out("ls").split(), True)
        pool.check()


# --- the target of a link stays ----------------------------------------------------------------

def linked(pool):
    """/data/l2 -> precious, /data/into -> d (a directory), /data/nowhere and /data/loop."""
    precious = pool.line("put", pool.file("precious", b"precious"), "/data/precious")
    pool("mkdir", "/data/d")
    for text, link in (("precious", "l2"), ("d", "into"), ("none", "nowhere"), ("loop", "loop")):
        pool("ln", "-s", text, f"/data/{link}")
    return precious


def targets(pool, below="/data"):
    return {o["path"]: o.get("target") for o in pool.json("tree", below) if o["type"] == "symlink"}


def intact(pool, precious):
    same(pool.line("id", "/data/precious"), precious)
    same(pool.out("cat", "/data/precious"), "precious")
    pool.check()


def test_ln_force_replaces_the_link_itself():
    with new_pool() as pool:
        precious = linked(pool)
        other = pool.line("new", "/data/other")
        for link in ("l2", "nowhere", "loop"):
            pool("ln", "-s", "-f", "elsewhere", f"/data/{link}")
            same(targets(pool)[f"/data/{link}"], "elsewhere")
        pool("ln", "-f", "/data/other", "/data/l2")
        same(pool.line("id", "/data/l2"), other)
        pool("ln", "-s", "-f", "elsewhere", "/data/into")
        same(targets(pool)["/data/into"], "d")
        same(targets(pool)["/data/d/elsewhere"], "elsewhere")
        same(pool.lost(), [])
        intact(pool, precious)


def test_mv_replaces_the_link_itself():
    with new_pool() as pool:
        precious = linked(pool)
        for link in ("l2", "nowhere", "loop"):
            new = pool.line("new", "/data/new")
            pool("mv", "/data/new", f"/data/{link}")
            same(pool.line("id", f"/data/{link}"), new)
        pool.line("new", "/data/new")
        pool("mv", "/data/new", "/data/into")
        same(pool.line("ls", "/data/d"), "new")
        pool("mv", "/data/into", "/tmp/into")
        same(targets(pool, "/tmp")["/tmp/into"], "d")
        same(pool.lost(), [])
        intact(pool, precious)


def test_a_slash_behind_a_link_does_not_reach_through_it():
    with new_pool() as pool:
        precious = linked(pool)
        pool("new", "/data/d/inside")
        for words in (["rm", "-r", "/data/into/"], ["rm", "/data/l2/"], ["mv", "/data/into/", "/tmp/x"],
                      ["mkdir", "/data/nowhere/"], ["ln", "-f", "/data/precious", "/data/l2/"]):
            pool(*words, code=1)
        same(pool.line("ls", "/data/d"), "inside")
        same(len(targets(pool)), 4)
        intact(pool, precious)


def test_put_and_cp_through_a_link_replace_its_target():
    with new_pool() as pool:
        precious = linked(pool)
        pool("put", pool.file("f", b"new"), "/data/l2")
        same(targets(pool)["/data/l2"], "precious")
        same(pool.out("cat", "/data/precious"), "new")
        pool("id", precious, code=3)
        pool("cp", "/data/precious", "/data/nowhere")
        same(pool.out("cat", "/data/none"), "new")
        same(pool.lost(), [])
        pool.check()


def test_a_slash_behind_a_new_name_wants_a_directory():
    with new_pool() as pool:
        pool("new", "/data/f")
        one_line(pool("mv", "/data/f", "/data/new/", code=3).stderr, "/data/new: ")
        one_line(pool("ln", "/data/f", "/data/new/", code=3).stderr, "/data/new: ")
        one_line(pool("ln", "-s", "f", "/data/new/", code=3).stderr, "/data/new: ")
        same(pool.line("ls", "/data"), "f")
        pool("mkdir", "/data/d")
        pool("mv", "/data/d", "/data/new/")
        pool("mv", "/data/f", "/data/new/")
        same(pool.line("ls", "/data/new"), "f")


# --- a refusal changes nothing -----------------------------------------------------------------

def test_ln_force_refused_deletes_nothing():
    with new_pool() as pool:
        precious = linked(pool)
        for text, code in (("", 2), ("x" * 5000, 2)):
            pool("ln", "-s", "-f", text, "/data/precious", code=code)
            intact(pool, precious)
        pool("ln", "-f", "/data", "/data/precious", code=1)
        pool("ln", "-f", "/data/none", "/data/precious", code=3)
        pool("mkdir", "/tmp/precious")
        one_line(pool("ln", "-f", "/data/precious", "/tmp", code=1).stderr, "directory")
        pool("ln", "-s", "-f", "/x/precious", "/tmp", code=1)
        same(pool.lost(), [])
        intact(pool, precious)


def test_ln_force_of_a_damaged_object_deletes_nothing():
    with new_pool() as pool:
        precious = linked(pool)
        pool("put", pool.file("f", b"bad"), "/data/bad")
        bad = pool.line("id", "/data/bad")
        pool.spoil_id("/data/bad")
        pool("ln", "-f", "/data/bad", "/data/precious", code=4)
        pool("ln", "-f", bad, "/data/precious", code=4)
        same(pool.line("id", "/data/precious"), precious)
        same(pool.out("cat", "/data/precious"), "precious")


def test_ln_force_in_a_full_pool_deletes_nothing():
    with new_pool("512K") as pool:
        precious = linked(pool)
        while not pool("new", code=None).returncode:
            pass
        pool("batch", "-k", input="".join(f"ln -s x /data/n{n}\n" for n in range(2000)), code=None)
        pool("ln", "-s", "-f", "x" * 200, "/data/precious", code=6)
        intact(pool, precious)


def test_ln_force_of_names_and_counts():
    with new_pool() as pool:
        f = pool.file("f", b"f")
        pool("batch", input=f"put {f} /data/a\nput {f} /data/b\nput {f} /data/c\n")
        b = pool.line("id", "/data/b")
        pool("ln", "-f", "/data/a", "/data/b")
        pool("id", b, code=3)
        pool("ln", "-f", "/data/b", "/data/c")
        same(pool.json("stat", "/data/a")[0]["links"], 2)
        nameless = pool.line("new")
        pool("ln", "-f", nameless, "/data/c")
        same(pool.json("stat", nameless)[0]["links"], 0)
        same(pool.json("stat", "/data/a")[0]["links"], 1)
        same(sorted(pool.out("ls", "/data").split()), ["a", "b", "c"])
        same(pool.lost(), [])
        pool.check()


counting.run(globals(), *sys.argv[2:3])
