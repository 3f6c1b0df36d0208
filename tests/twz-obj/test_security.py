# SPDX-License-Identifier: MIT
"""Keys, capabilities and security contexts of twz-obj.

Usage: test_security.py TWZ-OBJ [PART-OF-A-NAME]
"""

import os
import pty
import select
import signal
import struct
import subprocess
import sys
import time

import counting
from objtool import LIMIT, Pool, content, digest, holds, one_line, same, wanted

TOOL = os.path.abspath(sys.argv[1])
CAP, PERMS_AT, TARGET_AT, NOT_BEFORE_AT, EPOCH_AT, SIGNATURE_AT = 256, 28, 32, 104, 120, 192


def path_in(pool, name):
    return os.path.join(pool.dir, name)


def new_key(pool, name, *words):
    path = path_in(pool, name)
    pool("key", "new", path, "--no-passphrase", *words)
    return path


def read(path):
    with open(path, "rb") as f:
        return f.read()


def world(pool):
    """An object, a context, a key: the words of `cap new` for them, without the file."""
    pool("new", "/data/obj")
    pool("sctx", "new", "/data/ctx")
    key = new_key(pool, "key")
    return ["--key", key, "--to", "/data/ctx", "--perms", "rw"]


# --- key files ---------------------------------------------------------------------------------

def test_a_key_file():
    with Pool(TOOL) as pool:
        umask = os.umask(0)
        try:
            key = new_key(pool, "key", "--label", "alice")
        finally:
            os.umask(umask)
        same(os.stat(key).st_mode & 0o7777, 0o600)
        shown = pool.json("key", "show", key)[0]
        same((shown["label"], shown["protection"]), ("alice", "none"))
        same((len(shown["signing"]), len(shown["recovery"])), (64, 64))
        wanted(shown["signing"] != shown["recovery"], "one key for both")
        holds(pool.out("key", "show", key), "alice", shown["signing"])
        other = pool.json("key", "show", new_key(pool, "other"))[0]
        wanted(other["signing"] != shown["signing"], "the same key again")


def test_a_key_file_is_never_replaced():
    with Pool(TOOL) as pool:
        key = new_key(pool, "key")
        before = read(key)
        one_line(pool("key", "new", key, "--no-passphrase", code=1).stderr, key, "exists already")
        same(read(key), before)
        one_line(pool("key", "export", key, pool.path, code=1).stderr, "exists already")
        one_line(pool("key", "new", path_in(pool, "none/key"), "--no-passphrase", code=3).stderr,
                 "no such directory")
        same(sorted(os.listdir(pool.dir)), ["key", "pool"])


def test_a_passphrase_from_a_descriptor():
    with Pool(TOOL) as pool:
        world(pool)
        key = path_in(pool, "protected")
        pool("key", "new", key, "--passphrase-fd", "0", input="open sesame\nrest")
        same(pool.json("key", "show", key)[0]["protection"], "passphrase")
        wanted(b"open sesame" not in read(key), "the passphrase is in the file")
        words = ["cap", "new", "/data/obj", path_in(pool, "cap"), "--key", key, "--to", "/data/ctx",
                 "--perms", "r", "--passphrase-fd", "0"]
        one_line(pool(*words, input="open sesam\n", code=7).stderr, key, "passphrase is wrong")
        one_line(pool(*words, input="\n", code=2).stderr, "passphrase is empty")
        one_line(pool(*words, input="x" * 1025, code=2).stderr, "too long")
        one_line(pool(*words[:-1], "nine", code=2).stderr, "--passphrase-fd nine")
        one_line(pool(*words[:-2], code=2, start_new_session=True).stderr, "no terminal",
                 "--passphrase-fd")
        wanted(not os.path.exists(path_in(pool, "cap")), "a capability in spite of an error")
        pool(*words, input="open sesame")
        same(len(read(path_in(pool, "cap"))), CAP)


def on_terminal(words, answers):
    """Run with a terminal of its own; type an answer at each prompt. (status, what it showed)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(TOOL, [TOOL, *words])
    shown, end = b"", time.monotonic() + LIMIT
    prompts = 0
    while time.monotonic() < end:
        if not select.select([fd], [], [], 1)[0]:
            continue
        try:
            data = os.read(fd, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
        if shown.count(b": ") > prompts and prompts < len(answers):
            prompts += 1
            os.write(fd, answers[prompts - 1])
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


def test_a_passphrase_from_the_terminal():
    with Pool(TOOL, size=None) as pool:
        key = path_in(pool, "key")
        status, shown = on_terminal(["key", "new", key], [b"first one\n", b"second one\n"])
        same(status, 1)
        holds(shown.decode(), "differ")
        wanted(not os.path.exists(key), "a key file in spite of an error")
        status, shown = on_terminal(["key", "new", key], [b"\x03"])
        same(status, -2, "interrupted")
        wanted(not os.path.exists(key), "a key file in spite of an interrupt")
        status, shown = on_terminal(["key", "new", key], [b"sesame\n", b"sesame\n"])
        same(status, 0, shown)
        wanted(b"sesame" not in shown, "the terminal shows the passphrase")
        same(subprocess.run([TOOL, "key", "show", key], capture_output=True).returncode, 0)


def test_a_damaged_key_file():
    with Pool(TOOL) as pool:
        words = world(pool)
        good = read(words[1])
        cap = ["cap", "new", "/data/obj", path_in(pool, "cap"), *words]
        for at in (0, 8, 12, 16, 40, 90, 140, 190, 205, 230, 260, 311):
            with open(words[1], "r+b") as f:
                f.seek(at)
                f.write(bytes([good[at] ^ 1]))
            one_line(pool(*cap, code=4).stderr, words[1])
            with open(words[1], "wb") as f:
                f.write(good)
        for data in (b"", good[:-1], good + b"x", b"\0" * 312, os.urandom(312)):
            with open(words[1], "wb") as f:
                f.write(data)
            one_line(pool(*cap, code=4).stderr, words[1], "no key file")
            one_line(pool("key", "show", words[1], code=4).stderr, words[1])
        wanted(not os.path.exists(path_in(pool, "cap")), "a capability in spite of an error")


def test_a_key_file_that_others_can_read():
    with Pool(TOOL) as pool:
        words = world(pool)
        cap = ["cap", "new", "/data/obj", path_in(pool, "cap"), *words]
        for mode in (0o640, 0o604, 0o620, 0o601):
            os.chmod(words[1], mode)
            one_line(pool(*cap, code=7).stderr, words[1], "chmod 600")
        os.chmod(words[1], 0o400)
        pool(*cap)


def test_exported_keys():
    with Pool(TOOL) as pool:
        key, public = new_key(pool, "key", "--label", "bob"), path_in(pool, "public")
        pool("key", "export", key, public)
        same(len(read(public)), 128)
        a, b = pool.json("key", "show", key, public)
        same((a["signing"], a["recovery"]), (b["signing"], b["recovery"]))
        same(b["protection"], "public keys only")
        one_line(pool("key", "show", path_in(pool, "none"), code=3).stderr, "none")
        holds(pool("key", "show", path_in(pool, "none"), public, code=3).stdout, "bob")


def test_a_ku():
    """Its ID is the kuid, which follows from the keys and the label alone."""
    with Pool(TOOL) as pool, Pool(TOOL) as far:
        key, public = new_key(pool, "key", "--label", "carol"), path_in(pool, "public")
        kuid = pool.line("key", "seal", key, "/data/carol")
        same(kuid, pool.json("key", "show", key)[0]["kuid"])
        same(pool.line("id", "/data/carol"), kuid)
        info = pool.json("info", "/data/carol")[0]
        same((info["perms"], info["size"]), ("r----", 128))
        pool("key", "export", key, public)
        same(far.line("key", "import", public), kuid)
        same(far.line("key", "import", public, "/data/carol"), kuid)
        same(far.line("id", "/data/carol"), kuid)
        objects = far.json("df")[0]["objects"]
        same(far.line("key", "import", public), kuid)
        same(far.json("df")[0]["objects"], objects)
        one_line(far("key", "import", public, "/data/carol", code=1).stderr, "exists already")
        one_line(far("key", "import", key, code=2).stderr, "key seal")
        one_line(far("key", "seal", public, code=2).stderr, "key import")
        far.check()
        other = new_key(pool, "other", "--label", "carol")
        wanted(pool.line("key", "seal", other) != kuid, "two owners with one kuid")


def test_the_ku_of_objects_is_not_lost():
    with Pool(TOOL) as pool:
        kuid = pool.line("key", "seal", new_key(pool, "key"))
        same([line.split()[0] for line in pool.lost()], [kuid])
        pool("sctx", "new", "/data/ctx", "--owner", kuid)
        same(pool.lost(), [])
        same([r["kind"] for r in pool.json("refs", "--from", "/data/ctx")], ["owner"])
        same([r["kind"] for r in pool.json("refs", "--to", kuid)], ["owner"])


def test_a_damaged_ku():
    with Pool(TOOL) as pool:
        key = new_key(pool, "key")
        pool("key", "seal", key, "/data/ku")
        page = pool.page("/data/ku")
        pool.overwrite(page, 20, bytes([page[20] ^ 1]))
        one_line(pool("sctx", "new", "/data/c", "--owner", "/data/ku", code=1).stderr, "is no ku")
        one_line(pool("key", "seal", key, code=4).stderr, "damaged")


# --- capabilities ------------------------------------------------------------------------------

def test_a_capability():
    with Pool(TOOL) as pool:
        words, cap = world(pool), path_in(pool, "cap")
        before = content(pool.path)
        pool("cap", "new", "/data/obj", cap, *words, "--until", "+1h", "--from", "1000")
        shown = pool.json("cap", "show", cap)[0]
        same(shown["target"], pool.json("id", "/data/obj")[0]["id"])
        same(shown["accessor"], pool.json("id", "/data/ctx")[0]["id"])
        same((shown["kind"], shown["form"], shown["perms"]), ("capability", "object", "rw---"))
        same((shown["not_before"], shown["epoch"]), (1000, 0))
        wanted(abs(shown["expires"] - time.time() - 3600) < 600, "expires in an hour")
        same(pool.line("cap", "verify", cap, "--key", words[1]), f"{cap}: valid")
        same(content(pool.path), before, "a command that signs changed the pool")
        one_line(pool("cap", "new", "/data/obj", cap, *words, code=1).stderr, "exists already")
        out = pool("cap", "new", "/data/obj", "-", *words, text=False).stdout
        same(len(out), CAP)


def test_a_capability_without_a_pool():
    with Pool(TOOL, size=None) as pool:
        key, cap = new_key(pool, "key"), path_in(pool, "cap")

        def tool(*words, code=0):
            r = subprocess.run([TOOL, *words], capture_output=True, text=True, timeout=LIMIT,
                               stdin=subprocess.DEVNULL, env={**os.environ, "TWZ_POOL": ""})
            same(r.returncode, code, r.stderr)
            return r
        a, b = "11" * 8 + ":" + "22" * 8, "3" * 32
        words = ["--key", key, "--to", b, "--perms", "x"]
        one_line(tool("cap", "new", a, cap, *words, code=2).stderr, "epoch")
        one_line(tool("cap", "new", "/data/x", cap, *words, code=2).stderr, "32 digits")
        tool("cap", "new", a, cap, *words, "--epoch", "7", "--gate", "0x1000:64:16", "--kuid")
        holds(tool("cap", "show", cap).stdout, a.replace(":", ""), b, "--x--", "0x1000", "aligned to 16",
              "all objects of this owner", "epoch       7")
        tool("cap", "verify", cap, "--key", key)
        one_line(tool("cap", "verify", cap, code=2).stderr, "--key")
        other = new_key(pool, "other")
        holds(tool("cap", "verify", cap, "--key", other, code=1).stdout, "not signed by the owner")


def test_each_bit_of_a_capability():
    with Pool(TOOL) as pool:
        words, cap = world(pool), path_in(pool, "cap")
        pool("cap", "new", "/data/obj", cap, *words)
        good = read(cap)
        for at in (0, 15, 16, 20, 24, PERMS_AT, TARGET_AT, 48, 64, 88, 136, SIGNATURE_AT, 255):
            with open(cap, "wb") as f:
                f.write(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
            r = pool("cap", "verify", cap, "--key", words[1], code=None)
            wanted(r.returncode in (1, 4), f"byte {at}: {r}")
            wanted("valid\n" not in r.stdout, f"byte {at}: {r.stdout}")


def test_times():
    with Pool(TOOL) as pool:
        words, cap = world(pool), path_in(pool, "cap")
        pool("cap", "new", "/data/obj", cap, *words, "--from", "1000", "--until", "2000")
        for at, text in (("999", "not valid yet"), ("1000", "valid"), ("1999", "valid"),
                         ("2000", "expired")):
            r = pool("cap", "verify", cap, "--key", words[1], "--at", at, code=None)
            same(r.stdout.split(": ")[1], text + "\n")
            same(r.returncode, 0 if text == "valid" else 1)
        holds(pool("cap", "verify", cap, "--key", words[1], code=1).stdout, "expired")
        for wrong in ("soon", "+1w", "-5", "1h", "+", "+9999999999999d"):
            one_line(pool("cap", "new", "/data/obj", cap + "2", *words, "--until", wrong, code=2).stderr,
                     "--until")
        one_line(pool("cap", "new", "/data/obj", cap + "2", *words, "--from", "9", "--until", "9",
                      code=2).stderr, "expired before it begins")


def test_wrong_words():
    with Pool(TOOL) as pool:
        words, cap = world(pool), path_in(pool, "cap")
        for wrong in (["--perms", "rq"], ["--perms", ""], ["--gate", "1"], ["--gate", "1:0"],
                      ["--gate", "1:2:3"], ["--gate", "1:2:4:8"], ["--gate", "0x40000000:1"],
                      ["--gate", "64:64", "--perms", "r"], ["--epoch", "x"]):
            one_line(pool("cap", "new", "/data/obj", cap, *words, *wrong, code=2).stderr)
        for left_out in range(0, 6, 2):
            some = words[:left_out] + words[left_out + 2:]
            one_line(pool("cap", "new", "/data/obj", cap, *some, code=2).stderr, "give --key")
        one_line(pool("cap", "new", "/data/none", cap, *words, code=3).stderr, "/data/none")
        one_line(pool("cap", "new", "/data/obj", cap, *words, "--by", "/data/ctx", code=2).stderr,
                 "delegator")
        one_line(pool("cap", "show", pool.path, code=4).stderr, "no capability")
        one_line(pool("cap", "new", "/data/obj", "-", *words, "--json", code=2).stderr, "--json")
        same(sorted(os.listdir(pool.dir)), ["key", "pool"])


def test_a_delegation():
    with Pool(TOOL) as pool:
        words, cap = world(pool), path_in(pool, "cap")
        pool("sctx", "new", "/data/other")
        pool("cap", "new", "/data/obj", cap, *words, "--by", "/data/other")
        shown = pool.json("cap", "show", cap)[0]
        same((shown["kind"], shown["delegator_epoch"]), ("delegation", 0))
        same(shown["delegator"], pool.json("id", "/data/other")[0]["id"])


def owned(pool):
    """A ku and a context that it owns; the words of `cap new` for all objects of that ku."""
    key = new_key(pool, "key")
    pool("key", "seal", key, "/data/ku")
    pool("sctx", "new", "/data/ctx", "--owner", "/data/ku", "--perms", "")
    return ["--key", key, "--to", "/data/ctx", "--perms", "rwxud", "--kuid"]


def test_a_signature_in_the_pool():
    with Pool(TOOL) as pool:
        words, cap = owned(pool), path_in(pool, "cap")
        pool("cap", "new", "/data/ku", cap, *words)
        same(pool.line("cap", "verify", cap), f"{cap}: valid")
        same(pool("sctx", "add", "/data/ctx", cap).stderr, "")
        same(pool.json("sctx", "check", "/data/ctx")[0]["valid"], True)
        words[1] = new_key(pool, "thief")
        one_line(pool("cap", "new", "/data/ku", cap + "2", *words, code=7).stderr, "not the key")
        wanted(not os.path.exists(cap + "2"), "a capability in spite of an error")
        forged = read(cap)[:SIGNATURE_AT] + os.urandom(64)
        with open(cap, "wb") as f:
            f.write(forged)
        one_line(pool("sctx", "add", "/data/ctx", cap, code=1).stderr, "not signed by the owner")
        same(pool.json("cap", "verify", cap, code=1)[0]["reason"], "not signed by the owner")


def test_revocation():
    with Pool(TOOL) as pool:
        words, cap, statement = owned(pool), path_in(pool, "cap"), path_in(pool, "statement")
        pool("cap", "new", "/data/ku", cap, *words)
        pool("sctx", "add", "/data/ctx", cap)
        key = words[1]
        revoke = ["cap", "revoke", "/data/ku", "--key"]
        one_line(pool(*revoke, new_key(pool, "thief"), code=7).stderr, "not the key")
        for epoch in ("0", "65537"):
            one_line(pool(*revoke, key, "--epoch", epoch, code=2).stderr, "65536 at most")
        pool(*revoke, key, "--statement", statement)
        same(len(read(statement)), 128)
        pool("cap", "verify", cap)
        same(pool.json(*revoke, key)[0]["epoch"], 1)
        same(pool.json("cap", "verify", cap, code=1)[0]["reason"], "revoked")
        holds(pool("sctx", "check", "/data/ctx", code=1).stderr, "revoked")
        pool("cap", "new", "/data/ku", cap + "2", *words)
        same(pool.json("cap", "show", cap + "2")[0]["epoch"], 1)
        pool("cap", "verify", cap + "2")
        same(pool.json(*revoke, key, "--epoch", "65537")[0]["epoch"], 65537)
        pool("new", "/data/free")
        one_line(pool("cap", "revoke", "/data/free", "--key", key, code=1).stderr, "owner")


def test_a_pool_with_an_owner():
    with Pool(TOOL, size=None) as pool:
        key = new_key(pool, "key", "--label", "owner")
        one_line(pool("mkpool", "--size", "152K", "--key", key, code=2).stderr, "159744 bytes (156K)")
        pool("mkpool", "--size", "156K", "--key", key)
        pool("mkpool", "--size", "4M", "--key", key, "--force")
        df = pool.json("df")[0]
        same(df["owner"], pool.json("key", "show", key)[0]["kuid"])
        same(pool.json("sctx", "check", df["context"])[0]["valid"], True)
        same(pool.lost(), [])
        pool.check()
        cap = pool.json("sctx", "show", df["context"])[0]["capabilities"]
        same([(c["form"], c["target"], c["perms"]) for c in cap], [("kuid", df["owner"], "rwxud")])
        one_line(pool("del", "-f", df["owner"], code=1).stderr, "root of the pool")
        before = digest(pool.path)
        one_line(pool("mkpool", "-f", "--size", "4M", "--key", pool.path, code=4).stderr, "key file")
        one_line(pool("mkpool", "-f", "--key", path_in(pool, "none"), code=3).stderr, "none")
        same(digest(pool.path), before)
    with Pool(TOOL) as pool:
        df = pool.json("df")[0]
        same(df["owner"], None)
        same(pool.json("sctx", "show", df["context"])[0]["capabilities"], [])


# --- contexts ----------------------------------------------------------------------------------

def test_a_context():
    with Pool(TOOL) as pool:
        words, cap = world(pool), path_in(pool, "cap")
        pool("cap", "new", "/data/obj", cap, *words)
        holds(pool("sctx", "add", "/data/ctx", cap).stderr, "signature is not checked")
        shown = pool.json("sctx", "show", "/data/ctx")[0]
        same((shown["mask"], shown["without"]), ("rwxud", "-----"))
        same([c["perms"] for c in shown["capabilities"]], ["rw---"])
        holds(pool("sctx", "add", "/data/ctx", cap, code=1).stderr, "has this capability already")
        holds(pool.out("sctx", "show", "/data/ctx"), "rw---", shown["id"])
        pool.check()
        same(pool.json("stat", "/data/ctx")[0]["perms"], "r----")


def test_masks_of_a_context():
    with Pool(TOOL) as pool:
        pool("sctx", "new", "/data/c", "--mask", "rx", "--without", "d", "--perms", "ru")
        shown = pool.json("sctx", "show", "/data/c")[0]
        same((shown["mask"], shown["without"], shown["capabilities"]), ("r-x--", "----d", []))
        page = pool.page("/data/c")
        same(struct.unpack_from("<QIIIIQ", page), (0x317874632d7a7774, 1, 0, 5, 16, 0))
        one_line(pool("sctx", "new", "/data/c", code=1).stderr, "exists already")
        one_line(pool("sctx", "new", "/data/d", "--perms", "rw", code=2).stderr, "leave w out")
        one_line(pool("sctx", "new", "/data/d", "--perms", "", code=2).stderr, "--owner")
        one_line(pool("sctx", "new", "/data/d", "--owner", "/data/c", code=1).stderr, "is no ku")
        one_line(pool("sctx", "show", "/data", code=1).stderr, "no security context")
        one_line(pool("sctx", "new", "/none/d", code=3).stderr, "/none")
        same(pool.lost(), [])


def test_capabilities_for_another_context():
    with Pool(TOOL) as pool:
        words, cap = world(pool), path_in(pool, "cap")
        pool("sctx", "new", "/data/other")
        pool("cap", "new", "/data/obj", cap, *words)
        before = content(pool.path)
        one_line(pool("sctx", "add", "/data/other", cap, code=1).stderr, "for another context")
        one_line(pool("sctx", "add", "/data/obj", cap, code=1).stderr, "no security context")
        same(content(pool.path), before)


def test_a_full_bucket():
    with Pool(TOOL) as pool:
        words = world(pool)
        files = [path_in(pool, f"cap{n}") for n in range(9)]
        for n, cap in enumerate(files):
            pool("cap", "new", "/data/obj", cap, *words, "--until", str(10**10 + n))
        pool("sctx", "add", "/data/ctx", *files[:8])
        holds(pool("sctx", "add", "/data/ctx", files[8], code=6).stderr, "no place")
        same(len(pool.json("sctx", "show", "/data/ctx")[0]["capabilities"]), 8)


def test_a_damaged_context():
    with Pool(TOOL) as pool:
        words, cap = world(pool), path_in(pool, "cap")
        pool("cap", "new", "/data/obj", cap, *words)
        pool("sctx", "add", "/data/ctx", cap)
        bucket = struct.pack("<Q", 1) + b"\0" * 248 + read(cap)
        pool.overwrite(bucket, 8, b"\x02")
        one_line(pool("sctx", "check", "/data/ctx", code=4).stderr, "commit word")
        pool.overwrite(struct.pack("<QQ", 1, 2) + bucket[16:], 8, b"\x00")
        pool("sctx", "new", "/data/wrong", "--mask", "rx")
        pool.overwrite(struct.pack("<QIIII", 0x317874632d7a7774, 1, 0, 5, 0), 20, b"\x40")
        before = digest(pool.path)
        one_line(pool("sctx", "check", "/data/wrong", code=4).stderr, "unknown right")
        one_line(pool("sctx", "show", "/data/wrong", code=4).stderr, "unknown right")
        same(digest(pool.path), before)
        one_line(pool("sctx", "add", "/data/wrong", cap, code=4).stderr, "unknown right")


counting.run(globals(), *sys.argv[2:3])
