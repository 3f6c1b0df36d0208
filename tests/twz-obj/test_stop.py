# SPDX-License-Identifier: MIT
"""Ends twz-obj right before each step of its persistence seam in turn, for every command that
changes a pool. The pool must then show the state before or after the command, and nothing may be
lost or leaked.

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
# libpmem takes the pool for persistent memory: processor flushes are faster than msync.
os.environ["PMEM_IS_PMEM_FORCE"] = "1"
total = 0


def state(pool, ignored=()):
    """The pool as a user sees it: names with the attributes and data of their objects, but those
    ignored, and lost objects."""
    names, paths = [], []
    for o in pool.json("tree"):
        # A new object has another ID and time in each run; its data identify it.
        for key in ("ctime_ns", "id", *ignored):
            o.pop(key, None)
        names.append(sorted(o.items()))
        if o["type"] in ("file", "object"):
            paths.append(o["path"])
    names.append(pool("cat", *paths, text=False).stdout)
    return names, [(o["size"], o["pages"]) for o in pool.json("lost")]


def usage(pool):
    df = pool.json("df")[0]
    return df["objects"], df["free"], df["init"] is not None


def matching(now, states, leftover):
    """The state that `now` equals, with up to `leftover` more lost objects, or None."""
    for which in states:
        if now[0] == which[0] and 0 <= len(now[1]) - len(which[1]) <= leftover:
            return which
    return None


def prepare(pool):
    a, b = pool.file("a", b"\x7fELF"), pool.file("b", b"second" * 1500)
    pool("batch", input=f"put {a} /data/a\nput {b} /data/b\nmkdir /data/d\nnew /data/d/x\n"
                        "ln -s a /data/s\nnew\nnew\nln /data/b /data/b2\n")


def stop_at(pool, good, step, words, known, ignored):
    """Run the command stopped before a step; the pool must then be in one of the known states.
    False: the command came to its end first."""
    shutil.copy(good, pool.path)
    r = pool(*words, program=STOP, env={"TWZ_STOP_AT": str(step)}, code=None)
    if r.returncode != STOPPED:
        same(r.returncode, 0)
        return False
    states, usages, leftover = known
    torn = digest(pool.path)
    pool.check()
    now = state(pool, ignored)
    same(digest(pool.path), torn, "a reading command changed the file")
    which = matching(now, states, leftover)
    wanted(which, f"step {step}: {now} is none of {states}")
    pool("check", "--repair")
    same(state(pool, ignored), now, f"step {step}: after repair")
    if not ignored and len(now[1]) == len(which[1]):
        wanted(usage(pool) in usages, f"step {step}: {usage(pool)} is not in {usages}")
    pool("new", "/after")
    return True


def stop_everywhere(*words, leftover=0, half=None, ignored=(), more=""):
    """Run the command to its end, then stopped before step 1, 2, ...  half: another command, whose
    result this one may leave if it is stopped. ignored: attributes that may change in parts. more:
    commands that prepare the pool further."""
    global total
    with Pool(TOOL, "1M" if not more else "4M") as pool:
        prepare(pool)
        pool("batch", input=more)
        pool.file("new", bytes(range(251)) * 40)
        good = pool.path + ".good"
        shutil.copy(pool.path, good)
        nameless = pool.json("lost")[0]["id"]
        words = [w.replace("@", pool.dir).replace("NAMELESS", nameless) for w in words]
        states, usages = [state(pool, ignored)], [usage(pool)]
        for run in (words, half):
            if run:
                shutil.copy(good, pool.path)
                pool(*run)
                states.append(state(pool, ignored))
                usages.append(usage(pool))
        wanted((states[0], usages[0]) != (states[1], usages[1]), "the command changes nothing")
        step = 1
        while step < STEPS_MAX and stop_at(pool, good, step, words,
                                             (states, usages, leftover), ignored):
            step += 1
        wanted(3 < step < STEPS_MAX, f"{step} steps")
        total += step - 1


def test_new():
    stop_everywhere("new")


def test_new_with_a_name():
    stop_everywhere("new", "/data/new")


def test_put_unnamed():
    stop_everywhere("put", "@/new")


def test_put_new_name():
    stop_everywhere("put", "@/new", "/data/new")


def test_put_over_a_name():
    stop_everywhere("put", "@/new", "/data/a", leftover=1)


def test_put_over_one_of_two_names():
    stop_everywhere("put", "@/new", "/data/b", leftover=1)


def test_cp():
    stop_everywhere("cp", "/data/b", "/data/copy")


def test_mkdir():
    stop_everywhere("mkdir", "/data/new")


def test_ln():
    stop_everywhere("ln", "/data/a", "/data/a2")


def test_sctx_new():
    stop_everywhere("sctx", "new")


def test_sctx_new_with_a_name():
    stop_everywhere("sctx", "new", "/data/new", leftover=1)


LAST = 60


def stops(pool, good, words):
    """The steps to stop a command at: all, or of a long one each 13th and the last ones."""
    def stopped(step):
        shutil.copy(good, pool.path)
        r = pool(*words, program=STOP, env={"TWZ_STOP_AT": str(step)}, code=None)
        return r.returncode == STOPPED
    low, high = 0, STEPS_MAX
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if stopped(middle) else (low, middle)
    wanted(3 < low, f"{low} steps")
    return [n for n in range(1, low + 1) if low < 2 * LAST or n % 13 == 0 or n > low - LAST]


def stop_between(pool, words, look):
    """Stop a command. Then `look` sees the state before the command, or the one after it, and both
    are seen."""
    global total
    good, seen = pool.path + ".good", []
    shutil.copy(pool.path, good)
    before = look(pool)
    pool(*words)
    after = look(pool)
    wanted(before != after, "the command changes nothing")
    steps = stops(pool, good, words)
    for step in steps:
        shutil.copy(good, pool.path)
        pool(*words, program=STOP, env={"TWZ_STOP_AT": str(step)}, code=STOPPED)
        pool.check()
        now = look(pool)
        wanted(now in (before, after), f"step {step}: {now}")
        seen.append(now)
        pool("check", "--repair")
        same(look(pool), now, f"step {step}: after repair")
    wanted(before in seen and after in seen, f"states {seen}")
    total += len(steps)


def stop_adding(caps, first):
    """Stop `sctx add` of the last of some capabilities; the context has it, or not."""
    with Pool(TOOL) as pool:
        files = [os.path.join(pool.dir, f"cap{n}") for n in range(caps)]
        key = os.path.join(pool.dir, "key")
        pool("key", "new", key, "--no-passphrase")
        pool("sctx", "new", "/data/ctx")
        pool("new", "/data/obj")
        for n, path in enumerate(files):
            pool("cap", "new", "/data/obj", path, "--key", key, "--to", "/data/ctx", "--perms", "r",
                 "--until", str(10**10 + n))
        if first:
            pool("sctx", "add", "/data/ctx", *files[:first])
        stop_between(pool, ["sctx", "add", "/data/ctx", files[-1]],
                     lambda pool: pool.json("sctx", "show", "/data/ctx")[0]["capabilities"])


def test_key_seal():
    """Neither the ku nor its tree is there, or both."""
    with Pool(TOOL) as pool:
        key = os.path.join(pool.dir, "key")
        pool("key", "new", key, "--no-passphrase")
        stop_between(pool, ["key", "seal", key],
                     lambda pool: (pool.lost(), pool.json("df")[0]["objects"]))


def test_cap_revoke():
    with Pool(TOOL) as pool:
        key = os.path.join(pool.dir, "key")
        pool("key", "new", key, "--no-passphrase")
        pool("key", "seal", key, "/data/ku")
        stop_between(pool, ["cap", "revoke", "/data/ku", "--key", key],
                     lambda pool: [line for line in pool.out("info", "/data/ku").splitlines()
                                   if "revoked" in line])


def test_sctx_add_a_first_capability():
    stop_adding(1, 0)


def test_sctx_add_a_second_capability():
    stop_adding(2, 1)


def test_ln_symbolic():
    stop_everywhere("ln", "-s", "a", "/data/s2")


def test_ln_force_symbolic():
    stop_everywhere("ln", "-s", "-f", "elsewhere", "/data/a")


def test_ln_force_symbolic_over_a_link():
    stop_everywhere("ln", "-s", "-f", "elsewhere", "/data/s")


def test_ln_force_symbolic_over_one_of_two_names():
    stop_everywhere("ln", "-s", "-f", "elsewhere", "/data/b2")


def test_ln_force():
    stop_everywhere("ln", "-f", "/data/b", "/data/a", half=("ln", "/data/b", "/data/.twz-obj.ln.0"))


def test_ln_force_over_a_link():
    stop_everywhere("ln", "-f", "/data/a", "/data/s", half=("ln", "/data/a", "/data/.twz-obj.ln.0"))


def test_ln_force_of_a_nameless_object():
    stop_everywhere("ln", "-f", "NAMELESS", "/data/b")


def test_mv():
    stop_everywhere("mv", "/data/a", "/data/moved")


def test_mv_over_a_name():
    stop_everywhere("mv", "/data/a", "/data/b2")


def test_mv_over_a_link():
    stop_everywhere("mv", "/data/a", "/data/s")


def test_mv_to_another_directory():
    stop_everywhere("mv", "/data/a", "/data/d/a")


def test_mv_past_many_directories():
    """A reading command completes the change in memory, and comes to the second directory after 160
    others. It has windows for 128: what it changed must outlive the window."""
    many = "mkdir /data/m\n" + "".join(f"mkdir /data/m/{i}\n" for i in range(160))
    many += "mkdir /data/z\nnew /data/z/x\n"
    stop_everywhere("mv", "/data/d/x", "/data/z/moved", more=many)
    stop_everywhere("mv", "/data/z/x", "/data/d/moved", more=many)


def test_mv_directory():
    stop_everywhere("mv", "/data/d", "/tmp/d")


def test_rm():
    stop_everywhere("rm", "/data/a")


def test_rm_symlink():
    stop_everywhere("rm", "/data/s")


def test_del():
    stop_everywhere("del", "--force", "/data/a", leftover=1)


def test_boot():
    # the program points to the system's directories before it is the first one
    stop_everywhere("boot", "/data/a", ignored=("fot", "media", "pages"))


def test_steps():
    print(f"{total} stops")
    wanted(total > 300, f"only {total} stops in all")


counting.run(globals(), *sys.argv[3:4])
