# SPDX-License-Identifier: MIT
"""Sealed objects: their IDs against another implementation of the hash tree, what keeps them as they
are, and what check finds when a pool was changed.

Usage: test_sealed.py TWZ-OBJ [PART-OF-A-NAME]
"""

import hashlib
import os
import random
import struct
import sys

import counting
from objtool import Pool, holds, same, wanted

TOOL = os.path.abspath(sys.argv[1])
PAGE, META_PAGE = 4096, 262142
PERMS = dict(r=1, w=2, x=4, u=8, d=16)


def new_pool(size="8M"):
    return Pool(TOOL, size)


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def digest_of(data, person, size=32):
    return hashlib.blake2b(data, digest_size=size, person=person.ljust(16, b"\0")).digest()


def root_of(pages):
    """The root of the hash tree of these pages, by number."""
    level = {n: digest_of(data, b"twz sealed page") for n, data in pages.items() if any(data)}
    for person in (b"twz seal node 1", b"twz seal node 2"):
        nodes = {}
        for n, digest in level.items():
            nodes.setdefault(n >> 7, bytearray(PAGE))[n % 128 * 32:n % 128 * 32 + 32] = digest
        level = {n: digest_of(bytes(node), person) for n, node in nodes.items()}
    top = bytearray(512)
    for n, digest in level.items():
        top[n * 32:n * 32 + 32] = digest
    return digest_of(bytes(top), b"twz sealed root")


def sealed_id(data, meta, perms):
    pages = {1 + at // PAGE: data[at:at + PAGE].ljust(PAGE, b"\0") for at in range(0, len(data), PAGE)}
    pages[META_PAGE] = meta
    mask = sum(PERMS[letter] for letter in perms)
    digest = digest_of(struct.pack("<QQI16x", 0, 0, mask) + root_of(pages), b"twz sealed id", 16)
    low, high = struct.unpack("<QQ", digest)
    return f"{high:016x}{low:016x}"


def stored(pool, data, path="/data/f", perms="rwxud"):
    pool("put", "--perms", perms, pool.file("f", data), path)
    return path


def test_ids():
    for size in 0, 1, PAGE, 3 * PAGE + 5, 130 * PAGE:
        with new_pool() as pool:
            data = noise(size)
            path = stored(pool, data)
            same(pool.line("seal", path), sealed_id(data, pool.meta(path), "rxud"), f"{size} bytes")
            pool.check()


def test_same_content_is_found():
    with new_pool() as pool:
        data = noise(100_000)
        first = pool.json("seal", stored(pool, data))[0]
        free = pool.json("df")[0]["free"]
        again = pool.json("seal", stored(pool, data, "/data/g"))[0]
        same((first["made"], again["made"], again["id"]), (True, False, first["id"]))
        same(pool.line("seal", first["id"]), first["id"])
        wanted(free - pool.json("df")[0]["free"] < 150_000, "no second sealed object")
        other = pool.line("seal", "--perms", "r", "/data/g")
        wanted(other != first["id"], "the permissions are part of the ID")
        pool("seal", "--perms", "rw", "/data/g", code=2)
        pool.check()


def test_life():
    with new_pool() as pool:
        data = noise(50_000)
        sealed = pool.line("seal", stored(pool, data))
        before = pool.json("info", sealed)[0]
        same((before["sealed"], before["perms"]), (True, "r-xud"))
        wanted(before["tree"] is not None, "the tree is shown")
        pool("ln", sealed, "/data/sealed")
        pool("put", pool.file("f", b"other"), "/data/f")
        same(pool("cat", "/data/sealed", text=False).stdout == data, True)
        pool("cp", "/data/sealed", "/data/copy")
        same(pool("cat", "/data/copy", text=False).stdout == data, True)
        same(pool.lost(), [])
        pool("del", before["tree"], code=7)
        pool("del", "--force", sealed)
        pool("stat", before["tree"], code=3)
        pool("put", pool.file("f", data), "/data/f")
        same(pool.line("seal", "/data/f"), sealed)
        pool.check()


def changed_in_pool(pool, old, new):
    """Changes bytes of the pool file that are there once."""
    with open(pool.path, "r+b") as f:
        data = f.read()
        same(data.count(old), 1, "bytes to be changed")
        f.seek(data.index(old))
        f.write(new)


def test_check_finds_changed_pages():
    for page in 0, 1, 200:
        with new_pool() as pool:
            data = noise(201 * PAGE, page)
            path = stored(pool, data)
            sealed = pool.line("seal", path)
            pool("del", "--force", path)
            at = page * PAGE + 100
            changed_in_pool(pool, data[at:at + 16], b"\0" * 16)
            problem = pool.json("check", code=4)[0]
            same((problem["id"], problem["page"]), (sealed, page + 1))
            holds(problem["problem"], "does not match its ID")
            pool("seal", stored(pool, data), code=4)


def test_check_finds_a_changed_tree():
    with new_pool() as pool:
        data = noise(3 * PAGE)
        sealed = pool.line("seal", stored(pool, data))
        digest = digest_of(data[PAGE:2 * PAGE], b"twz sealed page")
        changed_in_pool(pool, digest, bytes(32))
        same(pool.json("check", code=4)[0]["id"], sealed)


def test_check_finds_a_missing_tree():
    with new_pool() as pool:
        sealed = pool.line("seal", stored(pool, noise(PAGE)))
        pool("del", "--force", pool.json("info", sealed)[0]["tree"])
        holds(pool.json("check", code=4)[0]["problem"], "missing")


counting.run(globals(), *sys.argv[2:3])
