# SPDX-License-Identifier: MIT
"""C programs in the system: their streams, their arguments, their files. (How they end: suite guest.)

Usage: test_programs.py BUILD [PART-OF-A-NAME]
"""

import hashlib
import os
import subprocess
import sys

import booting
import counting
from booting import holds, same, wanted

BUILD = sys.argv[1]
BIG = 200_000_000

pool = booting.Pool(BUILD, size="1G")
big_path = os.path.join(pool.dir, "big")


def make_big():
    """A file of 200 MB that no compression or pattern would get right by luck."""
    if not os.path.exists(big_path):
        with open(big_path, "wb") as f:
            for i in range(BIG // 1_000_000):
                f.write(hashlib.shake_128(i.to_bytes(4, "little")).digest(1_000_000))
    return big_path


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


def test_hello():
    pool.put(os.path.join(BUILD, "examples/hello"), "/host/hello")
    r = pool.run("/host/hello", expect=0)
    holds(r.stdout.lower(), b"hello")
    same(r.stderr, b"")


def test_missing_program():
    r = pool.run("no-such-program")
    same(r.returncode, 127)
    holds(r.stderr, b"no-such-program")


def test_streams_are_apart():
    r = pool.run("cat", "-", "/no/such/file", input=b"to output\n", expect=1)
    same(r.stdout, b"to output\n")
    holds(r.stderr, b"/no/such/file")
    wanted(b"to output" not in r.stderr, "output on standard error")


def test_arguments():
    r = pool.run("echo", "a b", "", "ü", expect=0)
    same(r.stdout.decode(), "a b  ü\n")


def test_closed_input():
    r = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *pool.command("cat")],
                       capture_output=True, timeout=booting.BOOT_LIMIT)
    same((r.returncode, r.stdout, r.stderr), (0, b"", b""))


def test_cat_200_mb():
    copy = os.path.join(pool.dir, "copy")
    with open(make_big(), "rb") as source, open(copy, "wb") as sink:
        r = subprocess.run(pool.command("cat"), stdin=source, stdout=sink, stderr=subprocess.PIPE,
                           timeout=600)
    same((r.returncode, r.stderr), (0, b""))
    same(digest(copy), digest(make_big()))


def test_put_200_mb_has_the_same_sum_inside():
    pool.put(make_big(), "/big")
    r = pool.run("sha256sum", "/big", expect=0)
    same(r.stdout.split()[0].decode(), digest(make_big()))


def test_file_written_inside_comes_out():
    pool.put(make_big(), "/big")
    pool.run("cp", "/big", "/copy", expect=0)
    out = os.path.join(pool.dir, "out")
    pool.tool("get", "/copy", out)
    same(digest(out), digest(make_big()))
    pool.check()


try:
    counting.run(globals(), *sys.argv[2:3])
finally:
    pool.__exit__()
