# SPDX-License-Identifier: MIT
"""Ends twz-obj right before each step of its persistence seam in turn, for every command that
changes a pool. The pool then shows the state before the command, or the one after it, and nothing
is lost or leaked.

Usage: test_stop.py TWZ-OBJ TWZ-OBJ-STOP [PART-OF-A-NAME]
"""

import os
import shutil
import sys

import counting
from objtool import Pool, digest, same, wanted

TOOL, STOP = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
STOPPED = 99
STEPS_MAX = 20000
# The whole tool sees the pool as persistent memory: processor flushes are quicker than msync.
os.environ["PMEM_IS_PMEM_FORCE"] = "1"
total = 0


def state(pool):
    """What a user sees: names with their objects' facts and data, and lost objects."""
    names, paths = [], []
    for o in pool.json("tree"):
        # What is new has another ID and time in each run: which object it is, its data say.
        o.pop("ctime_ns", None)
        o.pop("id", None)
        names.append(sorted(o.items()))
        if o["type"] in ("file", "object"):
            paths.append(o["path"])
    names.append(pool("cat", *paths, text=False).stdout)
    return names, [(o["size"], o["pages"]) for o in pool.json("lost")]


def room(pool):
    df = pool.json("df")[0]
    return df["objects"], df["free"], df["init"] is not None


def verdict(now, states, leftover):
    """Which of the states this is; leftover: so many more lost objects are right. None: none."""
    for which in states:
        if now[0] == which[0] and 0 <= len(now[1]) - len(which[1]) <= leftover:
            return which
    return None


def prepare(pool):
    a, b = pool.file("a", b"\x7fELF"), pool.file("b", b"second" * 1500)
    pool("batch", input=f"put {a} /data/a\nput {b} /data/b\nmkdir /data/d\nnew /data/d/x\n"
                        "ln -s a /data/s\nnew\nnew\nln /data/b /data/b2\n")


def stop_at(pool, good, step, words, seen):
    """Run the command stopped before a step; the pool is then as before, as half done where that is a
    state, or as after. False: the command came to its end first."""
    shutil.copy(good, pool.path)
    r = pool(*words, program=STOP, env={"TWZ_STOP_AT": str(step)}, code=None)
    if r.returncode != STOPPED:
        same(r.returncode, 0)
        return False
    states, rooms, leftover = seen
    torn = digest(pool.path)
    pool.check()
    now = state(pool)
    same(digest(pool.path), torn, "looking changed the file")
    which = verdict(now, states, leftover)
    wanted(which, f"step {step}: {now} is none of {states}")
    pool("check", "--repair")
    same(state(pool), now, f"step {step}: after repair")
    if len(now[1]) == len(which[1]):
        wanted(room(pool) in rooms, f"step {step}: {room(pool)} is not in {rooms}")
    pool("new", "/after")
    return True


def sweep(*words, leftover=0, half=None):
    """Run the command to its end, then stopped before step 1, 2, ... half: another command, that does
    what this one may leave half done."""
    global total
    with Pool(TOOL, "1M") as pool:
        prepare(pool)
        pool.file("new", bytes(range(251)) * 40)
        good = pool.path + ".good"
        shutil.copy(pool.path, good)
        nameless = pool.json("lost")[0]["id"]
        words = [w.replace("@", pool.dir).replace("NAMELESS", nameless) for w in words]
        states, rooms = [state(pool)], [room(pool)]
        for run in (words, half):
            if run:
                shutil.copy(good, pool.path)
                pool(*run)
                states.append(state(pool))
                rooms.append(room(pool))
        wanted((states[0], rooms[0]) != (states[1], rooms[1]), "the command changes nothing")
        step = 1
        while step < STEPS_MAX and stop_at(pool, good, step, words, (states, rooms, leftover)):
            step += 1
        wanted(3 < step < STEPS_MAX, f"{step} steps")
        total += step - 1


def test_new():
    sweep("new")


def test_new_with_a_name():
    sweep("new", "/data/new")


def test_put_unnamed():
    sweep("put", "@/new")


def test_put_new_name():
    sweep("put", "@/new", "/data/new")


def test_put_over_a_name():
    sweep("put", "@/new", "/data/a", leftover=1)


def test_put_over_one_of_two_names():
    sweep("put", "@/new", "/data/b", leftover=1)


def test_cp():
    sweep("cp", "/data/b", "/data/copy")


def test_mkdir():
    sweep("mkdir", "/data/new")


def test_ln():
    sweep("ln", "/data/a", "/data/a2")


def test_ln_symbolic():
    sweep("ln", "-s", "a", "/data/s2")


def test_ln_force_symbolic():
    sweep("ln", "-s", "-f", "elsewhere", "/data/a")


def test_ln_force_symbolic_over_a_link():
    sweep("ln", "-s", "-f", "elsewhere", "/data/s")


def test_ln_force_symbolic_over_one_of_two_names():
    sweep("ln", "-s", "-f", "elsewhere", "/data/b2")


def test_ln_force():
    sweep("ln", "-f", "/data/b", "/data/a", half=("ln", "/data/b", "/data/.twz-obj.ln.0"))


def test_ln_force_over_a_link():
    sweep("ln", "-f", "/data/a", "/data/s", half=("ln", "/data/a", "/data/.twz-obj.ln.0"))


def test_ln_force_of_a_nameless_object():
    sweep("ln", "-f", "NAMELESS", "/data/b")


def test_mv():
    sweep("mv", "/data/a", "/data/moved")


def test_mv_over_a_name():
    sweep("mv", "/data/a", "/data/b2")


def test_mv_over_a_link():
    sweep("mv", "/data/a", "/data/s")


def test_mv_to_another_directory():
    sweep("mv", "/data/a", "/data/d/a")


def test_mv_directory():
    sweep("mv", "/data/d", "/tmp/d")


def test_rm():
    sweep("rm", "/data/a")


def test_rm_symlink():
    sweep("rm", "/data/s")


def test_del():
    sweep("del", "--force", "/data/a", leftover=1)


def test_boot():
    sweep("boot", "/data/a")


def test_steps():
    print(f"{total} stops")
    wanted(total > 300, f"only {total} stops in all")


counting.run(globals(), *sys.argv[3:4])
