# SPDX-License-Identifier: MIT
"""Users of twz-obj: their objects, their keys, damage, and ends in the midst of user add.

Usage: test_users.py TWZ-OBJ TWZ-OBJ-STOP [PART-OF-A-NAME]
"""

import os
import shutil
import struct
import sys

import counting
from objtool import Pool, content, holds, id_bytes, one_line, same, wanted

TOOL, STOP = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
STOPPED = 99
os.environ["PMEM_IS_PMEM_FORCE"] = "1"  # libpmem takes the pool for persistent memory


def keys_in(pool, name, passphrase=True):
    """A key file, and its ku in the pool. (file, path of the ku)"""
    if "key seal" not in pool.out("--words"):
        raise counting.Skipped("this twz-obj makes no ku")
    file = os.path.join(pool.dir, name)
    if passphrase:
        read, write = os.pipe()
        os.write(write, b"correct horse\n")
        os.close(write)
        pool("key", "new", file, "--label", name, "--passphrase-fd", str(read), pass_fds=(read,))
        os.close(read)
    else:
        pool("key", "new", file, "--label", name, "--no-passphrase")
    pool("key", "seal", file, f"/{name}")
    return file, f"/{name}"


def shown(pool, name):
    return pool.json("user", "show", name)[0]


def exchange(pool, old, new):
    """Exchange bytes that occur in the pool file once."""
    with open(pool.path, "rb") as f:
        data = f.read()
    same(data.count(old), 1, "occurrences")
    with open(pool.path, "r+b") as f:
        f.seek(data.index(old))
        f.write(new)


# --- users -------------------------------------------------------------------------------------

def test_a_user_without_keys():
    with Pool(TOOL) as pool:
        pool("user", "add", "anna")
        user = shown(pool, "anna")
        same((user["name"], user["kuid"], user["kr"], user["keys"]), ("anna", None, None, []))
        same(pool.out("id", "--json", "/home/anna").count(user["home"]), 1)
        holds(pool.out("user", "show", "anna"), "anna\n", user["context"], user["home"])
        holds(pool.out("info", "/sys/users/anna/user"), "type       user", "user anna")
        holds(pool.out("info", "/sys/users/anna/kring"), "keyring, keys 0")
        holds(pool.out("sctx", "show", "/sys/users/anna/context"), "rwxud")
        for path in ("/sys/users", "/sys/users/anna"):
            same(pool.json("stat", path)[0]["perms"], "r--u-")
        same(pool.json("lost"), [])
        pool.check()


def test_a_user_with_keys():
    with Pool(TOOL) as pool:
        file, ku = keys_in(pool, "anna")
        pool("user", "add", "anna", "--ku", ku, "--key", file, "--home", "/data/of/anna")
        user = shown(pool, "anna")
        kuid = pool.json("id", ku)[0]["id"]
        same(user["kuid"], kuid)
        same(user["keys"], [{"ku": kuid, "kr": user["kr"], "trust": "own",
                             "purpose": "sign, login, recover"}])
        same(user["home"], pool.json("id", "/data/of/anna")[0]["id"])
        for leaf, perms in (("user", "r----"), ("kring", "r----"), ("kr", "-----"),
                            ("context", "---u-")):
            stat = pool.json("stat", f"/sys/users/anna/{leaf}")[0]
            same((stat["perms"], stat["kuid"]), (perms, kuid), leaf)
        with open(file, "rb") as f, open(pool.path, "rb") as media:
            wanted(f.read() in media.read(), "the sealed keys are not in the pool")
        holds(pool.out("info", "/sys/users/anna/kr"), "sealed by a passphrase, bytes 312")
        holds(pool.out("info", ku), "public keys", "label anna")
        same(pool.json("stat", ku)[0]["type"], "public keys")
        pool.check()


def test_two_users():
    with Pool(TOOL) as pool:
        pool("user", "add", "anna")
        pool("user", "add", "berta", "--home", "/home/anna")
        anna, berta = shown(pool, "anna"), shown(pool, "berta")
        same(anna["home"], berta["home"])
        wanted(anna["context"] != berta["context"] and anna["kring"] != berta["kring"], "shared")
        same([user["name"] for user in pool.json("user", "show", "berta", "anna")],
             ["berta", "anna"])
        one_line(pool("user", "show", "anna", "carla", code=3).stderr, "carla", "no such user")


# --- refusals ----------------------------------------------------------------------------------

def test_keys_that_are_refused():
    with Pool(TOOL) as pool:
        file, ku = keys_in(pool, "anna")
        plain, other = keys_in(pool, "plain", passphrase=False)
        before = content(pool.path)
        one_line(pool("user", "add", "berta", "--ku", other, "--key", plain, code=1).stderr,
                 "no passphrase")
        one_line(pool("user", "add", "berta", "--ku", other, "--key", file, code=1).stderr,
                 "other keys")
        one_line(pool("user", "add", "berta", "--ku", ku, "--key", pool.path, code=4).stderr)
        same(content(pool.path), before, "a refusal changed the pool")


def test_names_of_users_are_refused():
    with Pool(TOOL) as pool:
        pool("user", "add", "anna")
        before = content(pool.path)
        one_line(pool("user", "add", "anna", code=1).stderr, "there is a user of that name")
        for name in ("9a", "Anna", "a b", "a/b", "..", "", "x" * 32):
            one_line(pool("user", "add", name, code=1).stderr)
        one_line(pool("user", "add", "berta", "--key", "/none", code=2).stderr, "--ku")
        one_line(pool("user", "add", "berta", "--ku", "/data", code=1).stderr, "is no ku")
        one_line(pool("user", "add", "berta", "--ku", "/none", code=3).stderr)
        one_line(pool("user", "show", "berta", code=3).stderr, "no such user")
        one_line(pool("user", "show", "../x", code=3).stderr, "no such user")
        same(content(pool.path), before, "a refusal changed the pool")


def test_no_secret_lies_in_the_pool():
    with Pool(TOOL) as pool:
        plain, ku = keys_in(pool, "plain", passphrase=False)
        pool("user", "add", "anna", "--ku", ku, "--key", plain, code=1)
        with open(plain, "rb") as f, open(pool.path, "rb") as media:
            secret = f.read()[-96:]
            wanted(secret[:32] not in media.read(), "the seed is in the pool")


# --- damage ------------------------------------------------------------------------------------

def test_damage_is_found():
    with Pool(TOOL) as pool:
        pool("user", "add", "anna")
        context = id_bytes(shown(pool, "anna")["context"])
        exchange(pool, b"anna".ljust(32, b"\0") + bytes(16) + context,
                 b"anna".ljust(31, b"\0") + b"x" + bytes(16) + context)
        r = pool("check", code=4)
        holds(r.stdout, "the name of the user is not valid: user ")
        one_line(pool("user", "show", "anna", code=4).stderr, "anna")
        holds(pool("info", "/sys/users/anna/user", code=None).stdout, "damaged")


def test_a_bad_ku_is_found():
    """Public keys that no command would seal."""
    with Pool(TOOL) as pool:
        ku = b"twz-ku-1" + struct.pack("<II", 1, 7) + bytes([1] * 32 + [2] * 32) + bytes(48)
        pool("put", "--perms", "r", pool.file("ku", ku), "/ku")
        holds(pool("check", code=4).stdout, "unknown algorithm of a ku: public keys ")
        holds(pool.out("info", "/ku"), "damaged")


# --- ends in the midst -------------------------------------------------------------------------

def stop_at_steps(pool, words, stride, whole):
    """There is no such user, or a whole one. The same command then makes it."""
    with pool:
        good = pool.path + ".good"
        shutil.copy(pool.path, good)
        step, absent = 1, 0
        while True:
            shutil.copy(good, pool.path)
            r = pool(*words, program=STOP, env={"TWZ_STOP_AT": str(step)}, code=None)
            if r.returncode != STOPPED:
                same(r.returncode, 0)
                break
            pool.check()
            if pool("user", "show", "anna", code=None).returncode == 3:
                absent += 1
                pool(*words)
            user = shown(pool, "anna")
            wanted(whole(user), f"step {step}: {user}")
            step += stride
        wanted(absent > 10, f"only {absent} steps before the user")


def test_stopped_at_each_step():
    stop_at_steps(Pool(TOOL, "2M"), ["user", "add", "anna"], 5,
                  lambda user: user["context"] and user["kring"] and user["home"])


def test_stopped_with_keys():
    pool = Pool(TOOL, "2M")
    file, ku = keys_in(pool, "anna")
    stop_at_steps(pool, ["user", "add", "anna", "--ku", ku, "--key", file], 11,
                  lambda user: user["kr"] and user["keys"][0]["kr"] == user["kr"])


counting.run(globals(), sys.argv[3] if len(sys.argv) > 3 else None)
