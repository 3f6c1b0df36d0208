# SPDX-License-Identifier: MIT
"""Pools that twz-obj must refuse, or read with care: one clear line, the right exit status, the file
unchanged, never a crash.

Usage: test_pools.py TWZ-OBJ [PART-OF-A-NAME]
TWZ_TEST_LONG=1 makes the random part ten times as long.
"""

import fcntl
import os
import random
import shutil
import signal
import struct
import subprocess
import sys

import backstop
import counting
from objtool import Pool, content, digest, holds, id_bytes, one_line, same, wanted

TOOL = os.path.abspath(sys.argv[1])
SIZE = 4 << 20
ROUNDS = 3000 if os.environ.get("TWZ_TEST_LONG") else 300

# Of struct store_super (kernel/store/format.h).
FRAME = 4096
VERSION_AT, LAYOUT_AT, FRAMES_AT, COUNT_AT, MEMBERS_AT, COMMIT_AT = 8, 12, 56, 68, 72, 1016
INCOMPATIBLE_AT, READONLY_COMPATIBLE_AT, COMPATIBLE_AT = 16, 24, 32
MEMBER_BYTES = 32
# In struct hier_dir (objects/hier/layout.h): the word with the offset of the table of names.
DIR_TABLE = 24
DIR_SEE = 256

READ = (["df"], ["ls", "-lR"], ["tree"], ["check"], ["lost"], ["graph"], ["du"], ["info", "/", "/data/*"],
        ["cat", "/data/f"], ["dump", "/data/f"], ["fot", "/data/f"])
WRITE = (["new"], ["put", "/dev/null", "/data/new"], ["mkdir", "/m"], ["rm", "/data/f"],
          ["mv", "/data/f", "/g"], ["cp", "/data/f", "/c"], ["lost", "--delete"], ["del", "-f", "/data/f"],
          ["check", "--repair"], ["ln", "/data/f", "/l"], ["put", "/dev/null", "/data/f"], ["rm", "-r", "/data"])


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def change(path, at, data, seal=True, copies=(0, 1)):
    """Overwrite bytes of superblock copies; `seal` makes their checksums right again."""
    with open(path, "r+b") as f:
        for copy in copies:
            f.seek(copy * FRAME)
            block = bytearray(f.read(COMMIT_AT + 8))
            block[at:at + len(data)] = data
            if seal:
                crc = crc32c(block[:COMMIT_AT])
                block[COMMIT_AT:] = struct.pack("<II", crc, crc ^ 0xffffffff)
            f.seek(copy * FRAME)
            f.write(block)


def refused(pool, *parts, code=4):
    before = digest(pool.path)
    for words in READ + WRITE + (["batch"], ["boot", "/x"], ["snapshot", pool.path + ".copy"]):
        r = pool(*words, code=code, input="new\n")
        one_line(r.stderr, pool.path, *parts)
        same(r.stdout, "")
    same(digest(pool.path), before)
    same(os.listdir(pool.dir), ["pool"])


def test_no_pool():
    with Pool(TOOL, None) as pool:
        for words in READ + WRITE:
            one_line(pool(*words, code=3).stderr, "no such file", "mkpool")
        same(os.listdir(pool.dir), [])


def test_not_a_file():
    with Pool(TOOL, None) as pool:
        for path in ("/dev/null", "/dev/zero", pool.dir):
            pool.path = path
            one_line(pool("ls", code=4).stderr, "not a pool")
            one_line(pool("new", code=4).stderr, "not a pool")
        pool.path = os.path.join(pool.dir, "fifo")
        os.mkfifo(pool.path)
        one_line(pool("ls", code=4).stderr, "not a pool")


def test_short_files():
    with Pool(TOOL) as pool:
        for size in (0, 1, 1024, 4096, 65535):
            os.truncate(pool.path, size)
            refused(pool, "not a pool", f"{size} bytes")


def test_short_and_long_pool():
    with Pool(TOOL) as pool:
        os.truncate(pool.path, SIZE // 2)
        refused(pool, "shorter than its superblock says", str(SIZE // 2), str(SIZE), "copy")
        os.truncate(pool.path, SIZE * 2)
        refused(pool, "longer than its superblock says", str(SIZE * 2))


def test_random_bytes_and_zeroes():
    with Pool(TOOL, None) as pool:
        for data in (random.Random(1).randbytes(SIZE), bytes(SIZE), b"\xff" * SIZE):
            pool.file("pool", data)
            refused(pool, "not a pool", "mkpool --force")


def test_other_version():
    with Pool(TOOL) as pool:
        for version in (1, 99):
            change(pool.path, VERSION_AT, struct.pack("<I", version))
            refused(pool, "another version", f"version: {version}, this one has 2")


def test_unknown_features():
    """An incompatible one refuses the pool, a read-only-compatible one every change of it."""
    with Pool(TOOL) as pool:
        pool("put", pool.file("f", b"text"), "/data/f")
        os.unlink(os.path.join(pool.dir, "f"))
        change(pool.path, COMPATIBLE_AT, struct.pack("<Q", 1))
        pool("new")
        change(pool.path, READONLY_COMPATIBLE_AT, struct.pack("<Q", 64))
        before = digest(pool.path)
        for words in READ:
            pool(*words)
        for words in WRITE:
            one_line(pool(*words, code=4).stderr, pool.path, "another version", "read-only-compatible", "40")
        same(digest(pool.path), before)
        change(pool.path, INCOMPATIBLE_AT, struct.pack("<Q", 2))
        refused(pool, "another version", "incompatible features: 2")


def test_writer_generation():
    """Each command that may change the pool raises it, also if it then changes nothing."""
    with Pool(TOOL) as pool:
        def generation():
            return pool.json("df")[0]["generation"]

        first = generation()
        for words in READ[:4]:
            pool(*words)
        same(generation(), first)
        pool("new")
        pool("rm", "/no", code=3)
        pool("batch", input="new\nnew\n")
        same(generation(), first + 3)
        same(pool.json("df")[0]["boots"], 0)


def test_other_layout():
    with Pool(TOOL) as pool:
        change(pool.path, LAYOUT_AT, b"\1\2\3\4")
        refused(pool, "another version", "layout")


def test_bad_checksum():
    with Pool(TOOL) as pool:
        change(pool.path, MEMBERS_AT + 5, b"\x55", seal=False)
        refused(pool, "damaged", "checksum", "copy")


def test_one_bad_copy_is_repaired():
    with Pool(TOOL) as pool:
        pool("new", "/data/x")
        for copy in (0, 1):
            change(pool.path, MEMBERS_AT + 5, b"\x55", seal=False, copies=(copy,))
            before = digest(pool.path)
            pool("stat", "/data/x")
            same(digest(pool.path), before, "a reading command changed the file")
            pool("check", code=None)
            pool("check", "--repair")
            pool.check()


def test_missing_member():
    with Pool(TOOL) as pool:
        change(pool.path, COUNT_AT, struct.pack("<I", 2))
        change(pool.path, MEMBERS_AT + MEMBER_BYTES,
               bytes(range(1, 17)) + struct.pack("<IIQ", 1, 0, SIZE // FRAME))
        refused(pool, "member")


def test_in_use():
    with Pool(TOOL) as pool, open(pool.path, "r+b") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        refused(pool, "in use", str(os.getpid()), code=5)
        one_line(pool("mkpool", "--force", code=5).stderr, "in use")
        fcntl.flock(holder, fcntl.LOCK_SH)
        pool("ls")
        one_line(pool("new", code=5).stderr, "in use")
        fcntl.flock(holder, fcntl.LOCK_UN)
        pool("new")


def test_no_permission():
    with Pool(TOOL) as pool:
        os.chmod(pool.path, 0o444)
        if os.access(pool.path, os.W_OK):
            raise counting.Skipped("the superuser may write everything")
        pool("ls")
        one_line(pool("new", code=7).stderr, "denied")


def test_reading_never_changes_the_file():
    with Pool(TOOL) as pool:
        pool("put", pool.file("f", b"x" * 9000), "/data/f")
        before = digest(pool.path)
        for words in READ:
            pool(*words)
        same(digest(pool.path), before)


def flaw(path, rng):
    """Make one change that a hostile or failing medium may make, mostly in the metadata."""
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        for _ in range(rng.choice((1, 1, 1, 2, 20))):
            frame = rng.randrange(40) if rng.random() < 0.8 else rng.randrange(size // FRAME)
            at = frame * FRAME + rng.randrange(FRAME // 8) * 8
            f.seek(at)
            old = f.read(8)
            kind = rng.randrange(5)
            if kind == 0:
                new = bytes(8)
            elif kind == 1:
                new = b"\xff" * 8
            elif kind == 2:
                new = (int.from_bytes(old, "little") ^ 1 << rng.randrange(64)).to_bytes(8, "little")
            elif kind == 3:
                f.seek(rng.randrange(40) * FRAME + rng.randrange(FRAME // 8) * 8)
                new = f.read(8)
            else:
                new = rng.randbytes(8)
            f.seek(at)
            f.write(new)


def fill(pool):
    f = pool.file("f", random.Random(5).randbytes(70000))
    pool("batch", input=f"put {f} /data/f\nput {f} /data/g\nmkdir -p /data/d/e\nnew\nnew /data/d/x\n"
                        "cp /data/f /data/d/c\nln /data/g /data/d/g\nln -s /data/f /tmp/s\n")


def test_flaws():
    """Hundreds of broken pools: no crash, reading leaves the file unchanged, errors say where."""
    with Pool(TOOL, "1M") as pool:
        fill(pool)
        good = pool.path + ".good"
        shutil.copy(pool.path, good)
        refusals = 0
        for n in range(ROUNDS):
            rng = random.Random(n)
            shutil.copy(good, pool.path)
            flaw(pool.path, rng)
            before = digest(pool.path)
            if pool("check", code=None).returncode == 0:
                r = pool("stat", "/data/f", "/data/g", "/data/d", "/data/d/c", "/data/d/e", "/tmp", code=None)
                wanted(r.returncode != 4, f"flaw {n}: check finds nothing, stat: {r.stderr}")
            for words in rng.sample(READ, 3):
                r = pool(*words, code=None, text=False)
                wanted(r.returncode == 0 or r.stderr or words == ["check"] or b"damage" in r.stdout,
                       f"flaw {n}: {words}: status {r.returncode} without a word")
                refusals += r.returncode != 0
            same(digest(pool.path), before, f"flaw {n}")
            for words in rng.sample(WRITE, 3):
                # With processor flushes, as on persistent memory: faster, and other code.
                r = pool(*words, code=None, text=False, env={"PMEM_IS_PMEM_FORCE": "1"})
                wanted(r.returncode == 0 or r.stderr or r.stdout, f"flaw {n}: {words} without a word")
        wanted(refusals > ROUNDS / 20, f"only {refusals} commands noticed anything")
        print(f"{ROUNDS} broken pools, {refusals} times refused")


def test_check_finds_what_stat_finds():
    for spoil in (spoil_meta, Pool.spoil_id):
        with Pool(TOOL) as pool:
            bad = pool.line("put", pool.file("f", b"text"), "/data/bad")
            spoil(pool, "/data/bad")
            pool("stat", "/data/bad", code=4)
            holds(pool.out("check", code=4), f"{bad[:16]}:{bad[16:]}")


def change_directory(pool, path, old, new):
    """On the media, change the entry of `path` that names object `old` to `new`."""
    at = int(pool.json("info", path)[0]["tags"][0]["offset"])
    page = bytes.fromhex(pool.json("dump", f"{path}:{at}+2048")[0]["hex"])
    with open(pool.path, "r+b") as f:
        data = f.read()
        start = data.find(page)
        wanted(start > 0 and data.find(page, start + 1) < 0, "the directory's page is not found once")
        f.seek(start + page.index(id_bytes(old)))
        f.write(id_bytes(new))


def spoil_meta(pool, obj):
    pool.overwrite(pool.meta(obj), 0, b"\xff" * 8)


def test_nothing_is_deleted_while_references_are_unknown():
    """A damaged object may point to any object."""
    for spoil in (spoil_meta, Pool.spoil_id):
        with Pool(TOOL) as pool:
            f = pool.file("f", b"text")
            bad = pool.line("put", pool.file("b", b"a longer text"), "/data/bad")
            lost = pool.line("new")
            old = [pool.line("put", f, f"/data/{name}") for name in "abcd"]
            spoil(pool, "/data/bad")
            before = content(pool.path)
            r = pool("lost", "--delete", code=4)
            holds(r.stderr, f"{bad[:16]}:{bad[16:]}", "nothing is deleted")
            holds(pool("del", lost, code=4).stderr, f"{bad[:16]}:{bad[16:]}", "--force")
            same(content(pool.path), before)
            r = pool("lost")
            holds(r.stdout, lost)
            holds(r.stderr, f"{bad[:16]}:{bad[16:]}")
            pool("put", f, "/data/a")
            pool("mv", "/data/a", "/data/b")
            pool("ln", "-f", "/data/b", "/data/c")
            pool("ln", "-s", "-f", "x", "/data/d")
            for i in [lost, *old]:
                pool("stat", i)
            pool("del", "--force", lost)
            pool("id", lost, code=3)


def test_a_directory_that_cannot_be_read():
    """The rest of the pool can be read and checked; nothing is deleted while its names are unknown."""
    with Pool(TOOL) as pool:
        f = pool.file("f", b"text")
        pool("mkdir", "-p", "/data/a", "/data/b", "/data/c")
        inside = pool.line("put", f, "/data/b/inside")
        lost, old = pool.line("new"), pool.line("put", f, "/data/c/old")
        c = pool.line("put", f, "/data/c/x")
        bad = pool.line("id", "/data/b")
        pool.overwrite(pool.page("/data/b"), DIR_TABLE, b"\xff" * 8)
        page = pool.page("/data/c")
        pool.overwrite(page, page.index(id_bytes(c)), b"\xff" * 16)
        r = pool("check", code=4)
        holds(r.stdout, f"directory {bad[:16]}:{bad[16:]}", "a name of a missing object")
        same(r.stdout.count(f"{bad[:16]}:{bad[16:]}"), 1, r.stdout)
        holds(pool("lost", "--delete", code=4).stderr, "/data/b", f"{bad[:16]}:{bad[16:]}")
        holds(pool("del", lost, code=4).stderr, "/data/b", "--force")
        pool("put", f, "/data/c/old")
        r = pool("refs", old)
        holds(r.stderr, "/data/b")
        pool("stat", inside, lost, old)
        pool("del", "--force", lost)
        pool("id", lost, code=3)


def test_a_damaged_object_can_be_deleted():
    """Afterwards all references are known again."""
    for spoil in (spoil_meta, Pool.spoil_id):
        with Pool(TOOL) as pool:
            lost = pool.line("new")
            bad = pool.line("put", pool.file("f", b"text"), "/data/bad")
            spoil(pool, "/data/bad")
            pool("lost", "--delete", code=4)
            pool("del", "--force", bad)
            same(pool.out("ls", "/data"), "")
            pool("lost", "--delete")
            pool("id", lost, code=3)
            pool.check()


def test_directories_in_a_circle():
    with Pool(TOOL) as pool:
        pool("mkdir", "-p", "/data/a/b/c", "/data/a/d")
        ids = {name: pool.line("id", name) for name in ("/data", "/data/a/b/c", "/data/a/d")}
        change_directory(pool, "/data/a/b", ids["/data/a/b/c"], ids["/data"])
        change_directory(pool, "/data/a", ids["/data/a/d"], ids["/data"])
        holds(pool.out("check", code=4), "second name of a directory")
        for words in READ:
            pool(*words, code=None)
        holds(pool("rm", "-r", "/data/a", code=4).stderr, "damaged", "check")


def test_a_directory_that_waits_for_itself():
    """The directory says that a rename out of it into itself is in progress."""
    with Pool(TOOL) as pool:
        f = pool.file("f", b"text")
        pool.overwrite(pool.page("/"), DIR_SEE, id_bytes(pool.line("id", "/")) + struct.pack("<Q", 1))
        for words in (["ls", "/"], ["put", f, "/data/f"], ["check"]):
            pool(*words)


def test_a_store_to_an_absent_page_ends_with_a_message():
    """A directory whose table lies where the object has no page: no name can be stored there."""
    with Pool(TOOL) as pool:
        pool("new", "/data/y")
        pool.overwrite(pool.page("/data"), DIR_TABLE, struct.pack("<Q", 5 << 32 | 1 << 20))
        shutil.copy(pool.path, pool.path + ".bad")
        for words in (["new", "/data/x"], ["mkdir", "/data/x"], ["ln", "-s", "x", "/data/x"], ["batch"]):
            shutil.copy(pool.path + ".bad", pool.path)
            r = pool(*words, code=4, input="new\nnew /data/x\nnew\n")
            one_line(r.stderr, "damaged", "twz-obj check")
            one_line(pool("new", "/data/x", code=4).stderr, "damaged")
            pool("df")


def test_a_fault_of_the_tool_itself_is_no_damage():
    with Pool(TOOL) as pool:
        for signo in (signal.SIGSEGV, signal.SIGBUS):
            p = subprocess.Popen([TOOL, "--pool", pool.path, "batch"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            p.stdin.write(b"df\n" * 10000)
            p.stdin.flush()
            p.stdout.read(1)
            p.send_signal(signo)
            stderr = p.communicate(timeout=backstop.seconds(60))[1]
            same((p.returncode, stderr), (-signo, b""))
        pool("new")


def test_a_directory_with_shared_pages():
    """As after a copy that was made inside the system: a store must copy the page first."""
    with Pool(TOOL) as pool:
        pool("mkdir", "/data/d")
        pool("put", pool.file("f", pool.page("/data/d")), "/data/f")
        pool("cp", "/data/f", "/data/g")
        f, d = pool.line("id", "/data/f"), pool.line("id", "/data/d")
        pool("cp", d, "/data/e", code=1)
        file_meta, dir_meta = pool.meta(f), pool.meta(d)
        with open(pool.path, "rb") as image:
            copy = image.read()
        pool.overwrite(file_meta, 0, dir_meta, 0, of=2)
        if pool.meta(f) == file_meta:  # that was the page of g
            with open(pool.path, "wb") as image:
                image.write(copy)
            pool.overwrite(file_meta, 0, dir_meta, 1, of=2)
        same((pool.meta(f), pool.meta("/data/g")), (dir_meta, file_meta))
        before = pool.page("/data/g")
        lost = pool.line("new")
        pool("lost", "--link", f)
        pool("lost", "--link", f, code=1)
        same(pool.page("/data/g"), before)
        wanted(pool.page(f) != before, "nothing was stored")
        holds(pool.out("check", code=4), "a record that does not count its names", "1 problems")
        pool("id", lost)


def test_directories_deep():
    with Pool(TOOL, "16M") as pool:
        path = "/d" * 400
        pool("batch", input=f"mkdir -p {path}\n")
        pool.check()
        same(len(pool.json("tree")), 405)
        for words in READ[:9]:
            pool(*words, code=None)
        pool("batch", input="rm -r /d\n")
        same(len(pool.json("tree")), 5)


def test_truncated_while_mapped():
    """The file is truncated under a reading command: a message, not a crash."""
    with Pool(TOOL, "64M") as pool:
        f = pool.file("f", random.Random(6).randbytes(32 << 20))
        pool("put", f, "/data/f")
        p = subprocess.Popen([TOOL, "--pool", pool.path, "cat", "/data/f"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        p.stdout.read(1)
        os.truncate(pool.path, 1 << 20)
        p.stdout.read()
        stderr = p.stderr.read().decode()
        same(p.wait(), 6)
        one_line(stderr, pool.path, "cut short")
        p.stdout.close()
        p.stderr.close()


counting.run(globals(), *sys.argv[2:3])
