# SPDX-License-Identifier: MIT
"""Unusable pools: twz-obj and a boot each print one clear line, their exit status is not 0, and the
file is unchanged.

Usage: test_pools.py BUILD [PART-OF-A-NAME]
"""

import hashlib
import os
import random
import struct
import sys

import booting
import counting
from booting import holds, same, wanted

BUILD = sys.argv[1]
SIZE = 16 << 20

# Of struct store_super (kernel/store/format.h).
FRAME = 4096
COPIES = (0, FRAME)
VERSION_AT, FRAMES_AT, COUNT_AT, MEMBERS_AT, COMMIT_AT = 8, 56, 68, 72, 1016
MEMBER_BYTES = 32


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def change(path, at, data, seal=True):
    """Overwrites bytes at `at` in both superblock copies; `seal` corrects their checksums."""
    with open(path, "r+b") as f:
        for copy in COPIES:
            f.seek(copy)
            block = bytearray(f.read(COMMIT_AT + 8))
            block[at:at + len(data)] = data
            if seal:
                crc = crc32c(block[:COMMIT_AT])
                block[COMMIT_AT:] = struct.pack("<II", crc, crc ^ 0xffffffff)
            f.seek(copy)
            f.write(block)


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def expect_one_line(text, *parts):
    """The text must be one line that has the parts."""
    lines = text.strip().splitlines()
    wanted(len(lines) == 1, f"not one line: {text!r}")
    holds(lines[0].lower(), *parts)


def expect_rejected(pool, *parts, code=4):
    """twz-obj and a boot must reject the pool with `parts` in a line, and not change the file."""
    before = digest(pool.path)
    r = pool.tool("df", expect=None)
    same(r.returncode, code, "twz-obj")
    expect_one_line(r.stderr, *parts)
    r = pool.run("true")
    same(r.returncode, code, "boot")
    found = [line for line in r.stderr.decode(errors="replace").lower().splitlines()
            if all(p in line for p in parts)]
    wanted(found, f"no line with {parts} in {r.stderr.decode(errors='replace')}")
    same(digest(pool.path), before, "the file")


def new_pool(size=SIZE):
    return booting.Pool(BUILD, size=str(size), system=False)


def test_checksum_function_is_crc32c():
    same(crc32c(b"123456789"), 0xe3069283)


def test_resealed_pool_is_accepted():
    with new_pool() as pool:
        change(pool.path, VERSION_AT, b"")
        pool.tool("df")


def test_missing_pool_is_named():
    with booting.Pool(BUILD, size=None) as pool:
        for r in (pool.tool("df", expect=None, text=False), pool.run("true")):
            same(r.returncode, 3)
            expect_one_line(r.stderr.decode(), os.path.basename(pool.path), "no such file")
        same(os.path.exists(pool.path), False)


def test_empty_file_is_rejected():
    with booting.Pool(BUILD, size=None) as pool:
        open(pool.path, "wb").close()
        for r in (pool.tool("df", expect=None, text=False), pool.run("true")):
            same(r.returncode, 4)
            expect_one_line(r.stderr.decode(), os.path.basename(pool.path))
        same(os.stat(pool.path).st_size, 0)


def test_truncated_pool_is_rejected():
    with new_pool() as pool:
        os.truncate(pool.path, SIZE // 2)
        expect_rejected(pool, str(SIZE // 2))


def test_random_bytes_are_rejected():
    with booting.Pool(BUILD, size=None) as pool:
        with open(pool.path, "wb") as f:
            f.write(random.Random(1).randbytes(SIZE))
        expect_rejected(pool, "pool")


def test_zeros_are_rejected():
    with booting.Pool(BUILD, size=None) as pool:
        with open(pool.path, "wb") as f:
            f.truncate(SIZE)
        expect_rejected(pool, "pool")


def test_other_version_is_rejected():
    with new_pool() as pool:
        change(pool.path, VERSION_AT, struct.pack("<I", 99))
        expect_rejected(pool, "version", "99")


def test_bad_checksum_is_rejected():
    with new_pool() as pool:
        change(pool.path, MEMBERS_AT + 5, b"\x55", seal=False)
        expect_rejected(pool, "checksum")


def test_one_good_superblock_copy_is_enough():
    with new_pool() as pool:
        with open(pool.path, "r+b") as f:
            f.seek(MEMBERS_AT + 5)
            f.write(b"\x55")
        pool.tool("df")


def test_missing_member_is_named():
    with new_pool() as pool:
        change(pool.path, COUNT_AT, struct.pack("<I", 2))
        change(pool.path, MEMBERS_AT + MEMBER_BYTES,
               bytes(range(1, 17)) + struct.pack("<IIQ", 1, 0, SIZE // FRAME))
        expect_rejected(pool, "member")


def test_full_pool_is_an_error():
    with booting.Pool(BUILD, size="32M") as pool:
        big = os.path.join(pool.dir, "big")
        with open(big, "wb") as f:
            f.write(random.Random(2).randbytes(40 << 20))
        r = pool.tool("put", big, "/big", expect=None)
        same(r.returncode, 6)
        expect_one_line(r.stderr, "full")
        pool.check()
        with open(big, "rb") as f:
            r = pool.run("tee", "/big", stdin=f)
        wanted(r.returncode != 0, "writing into a full pool succeeded")
        holds(r.stderr.decode().lower(), "no space")
        pool.check()
        pool.run("true", expect=0)


def test_pool_in_use_names_its_user():
    with booting.Pool(BUILD, size="64M") as pool:
        machine = pool.start("cat", stdin=-1)
        machine.stdin.write(b"x\n")
        machine.stdin.flush()
        same(machine.stdout.readline(), b"x\n")
        for r in (pool.tool("new", "/a", expect=None, text=False), pool.run("true")):
            same(r.returncode, 5)
            expect_one_line(r.stderr.decode(), "in use", str(machine.pid), "twz-run")
        machine.stdin.close()
        same(machine.wait(booting.BOOT_LIMIT), 0)
        machine.stdout.close()
        machine.stderr.close()
        pool.run("true", expect=0)


counting.run(globals(), *sys.argv[2:3])
