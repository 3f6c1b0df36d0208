# SPDX-License-Identifier: MIT
"""Pools that are none: each gets one clear line from the kernel and from twz-obj, an exit code that
is not 0, and not a byte of the file changes.

Usage: test_pools.py BUILD [PART-OF-A-NAME]
"""

import hashlib
import os
import random
import struct
import subprocess
import sys

import booting
import counting
from booting import holds, same, wanted

BUILD = os.path.abspath(sys.argv[1])
SIZE = 64 << 20

# struct store_super (kernel/store/format.h)
SUPER = 1024
VERSION_AT = 8
MEMBER_COUNT_AT = 44
COMMIT_AT = SUPER - 8


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def patch(path, at, data):
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(data)


def patch_supers(path, at, data):
    """Changes both copies of the superblock and makes their checksums right again."""
    for start in 0, 4096:
        with open(path, "r+b") as f:
            f.seek(start)
            block = bytearray(f.read(SUPER))
            wanted(crc32c(block[:COMMIT_AT]) == struct.unpack_from("<I", block, COMMIT_AT)[0],
                   "the superblock is not where this test believes")
            block[at:at + len(data)] = data
            crc = crc32c(block[:COMMIT_AT])
            struct.pack_into("<II", block, COMMIT_AT, crc, crc ^ 0xffffffff)
            f.seek(start)
            f.write(block)


def one_line(text, program):
    lines = text.decode(errors="replace").strip().splitlines()
    same(len(lines), 1, f"lines of {program}: {lines}")
    return lines[0]


def refused(pool, what, tool_code, boot_code):
    """Both refuse the pool, say `what`, and change nothing."""
    before = digest(pool.path)
    for command in (["df"], ["check"], ["ls", "/"], ["new"]):
        r = pool.tool(*command, expect=tool_code, text=False)
        line = one_line(r.stderr, "twz-obj")
        holds(line, pool.path)
        wanted(what in line, f"twz-obj {command[0]}: {what!r} not in {line!r}")
    r = pool.run("/bin/cat", expect=boot_code)
    fatal = [line for line in pool.log().decode(errors="replace").splitlines()
             if "twz: fatal:" in line]
    same(len(fatal), 1, f"fatal lines in the log {pool.log()!r}")
    wanted(what in fatal[0], f"kernel: {what!r} not in {fatal[0]!r}")
    holds(r.stderr.decode(errors="replace"), fatal[0].strip())
    same(digest(pool.path), before, "the pool's bytes")


def test_random_bytes():
    with booting.Pool(BUILD, size=None) as pool:
        with open(pool.path, "wb") as f:
            f.write(random.Random(1).randbytes(SIZE))
        refused(pool, "not a pool", 4, 4)


def test_zeros():
    with booting.Pool(BUILD, size=None) as pool:
        with open(pool.path, "wb") as f:
            f.truncate(SIZE)
        refused(pool, "not a pool", 4, 4)


def test_cut_short():
    with booting.Pool(BUILD, size=str(SIZE)) as pool:
        os.truncate(pool.path, SIZE // 2)
        refused(pool, "short", 4, 4)


def test_other_version():
    with booting.Pool(BUILD, size=str(SIZE)) as pool:
        patch_supers(pool.path, VERSION_AT, struct.pack("<I", 77))
        refused(pool, "version", 4, 4)


def test_bad_checksum():
    with booting.Pool(BUILD, size=str(SIZE)) as pool:
        for start in 0, 4096:
            patch(pool.path, start + 500, b"\x5a\xa5")
        refused(pool, "checksum", 4, 4)


def test_missing_member():
    with booting.Pool(BUILD, size=str(SIZE)) as pool:
        patch_supers(pool.path, MEMBER_COUNT_AT, struct.pack("<I", 2))
        refused(pool, "member", 4, 4)


def test_one_bad_superblock_is_survived():
    """The other copy serves, and it is said."""
    with booting.Pool(BUILD) as pool:
        patch(pool.path, 500, b"\x5a\xa5")
        pool.tool("df")
        pool.run("/bin/cat", expect=0)


def test_no_pool():
    with booting.Pool(BUILD, size=None) as pool:
        line = one_line(pool.tool("df", expect=3, text=False).stderr, "twz-obj")
        holds(line, pool.path)
        r = pool.run("/bin/cat", expect=3)
        holds(one_line(r.stderr, "twz-run"), pool.path)
        wanted(not os.path.exists(pool.path), "a pool was made unasked")


def test_machine_without_nvdimm():
    """The kernel's own word when there is no persistent memory at all."""
    with booting.Pool(BUILD, size=None) as pool:
        r = subprocess.run([pool.bin("twz-run"), "--log", pool.log_path, "--", "/bin/cat"],
                           capture_output=True, stdin=subprocess.DEVNULL,
                           timeout=booting.BOOT_LIMIT, check=False)
        wanted(r.returncode not in (0, 128 + 9), f"status {r.returncode}")
        holds(pool.log(), b"twz: fatal:", b"pool")


def test_in_use():
    with booting.Pool(BUILD) as pool:
        process = pool.start("/bin/cat", stdin=subprocess.PIPE)
        try:
            process.stdin.write(b"x")
            process.stdin.flush()
            same(process.stdout.read(1), b"x")
            for r in pool.tool("df", expect=5, text=False), pool.run("/bin/cat", expect=5):
                holds(one_line(r.stderr, "the second").encode(), pool.path.encode(), b"in use",
                      str(process.pid).encode())
            process.stdin.close()
            same(process.wait(booting.BOOT_LIMIT), 0)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()
        pool.check()


def test_no_room():
    """A file too large for the pool: an error for the tool and for the program, and all is sound."""
    with booting.Pool(BUILD, size="32M") as pool:
        pool.put(f"{BUILD}/tests/guest/pattern", "/host/pattern")
        big = os.path.join(pool.dir, "big")
        with open(big, "wb") as f:
            f.write(b"x" * (40 << 20))
        free = pool.tool("df").stdout
        line = one_line(pool.tool("put", big, "/host/big", expect=6, text=False).stderr, "twz-obj")
        holds(line.encode(), b"room")
        same(pool.tool("df").stdout, free, "the pool's space after a put that failed")
        r = pool.run("/host/pattern", str(40 << 20), "/host/big2", expect=1)
        holds(r.stderr, b"No space left")
        wanted(not booting.PANIC.search(pool.log()), f"the kernel's log: {pool.log()!r}")
        pool.check()
        pool.run("/bin/cat", expect=0)


counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
