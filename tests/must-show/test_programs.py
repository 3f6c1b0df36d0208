# SPDX-License-Identifier: MIT
"""C programs in the system: streams, arguments, files. (The suite guest tests how they end.)

Usage: test_programs.py BUILD [PART-OF-A-NAME]
"""

import hashlib
import os
import subprocess
import sys

import backstop
import booting
import counting
from booting import holds, same, wanted

BUILD = sys.argv[1]
BIG = 200_000_000

pool = booting.Pool(BUILD, size="1G")
big_path = os.path.join(pool.dir, "big")


def make_big_file():
    """A file of 200 MB of pseudo-random bytes, in which every error shows."""
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


def test_hello_prints_and_ends():
    pool.put(os.path.join(BUILD, "examples/hello"), "/host/hello")
    r = pool.run("/host/hello", expect=0)
    holds(r.stdout.lower(), b"hello")
    same(r.stderr, b"")


def test_missing_program_is_named():
    r = pool.run("no-such-program")
    same(r.returncode, 127)
    holds(r.stderr, b"no-such-program")


def test_streams_are_separate():
    r = pool.run("cat", "-", "/no/such/file", input=b"to output\n", expect=1)
    same(r.stdout, b"to output\n")
    holds(r.stderr, b"/no/such/file")
    wanted(b"to output" not in r.stderr, "output on standard error")


def test_arguments_arrive_unchanged():
    r = pool.run("echo", "a b", "", "ü", expect=0)
    same(r.stdout.decode(), "a b  ü\n")


def test_closed_input_is_an_empty_one():
    r = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *pool.command("cat")],
                       capture_output=True, timeout=booting.BOOT_LIMIT)
    same((r.returncode, r.stdout, r.stderr), (0, b"", b""))


def test_200_mb_pass_through_cat():
    copy = os.path.join(pool.dir, "copy")
    with open(make_big_file(), "rb") as source, open(copy, "wb") as sink:
        r = subprocess.run(pool.command("cat"), stdin=source, stdout=sink, stderr=subprocess.PIPE,
                           timeout=backstop.seconds(600))
    same((r.returncode, r.stderr), (0, b""))
    same(digest(copy), digest(make_big_file()))


def test_200_mb_put_have_the_same_sum_inside():
    pool.put(make_big_file(), "/big")
    r = pool.run("sha256sum", "/big", expect=0)
    same(r.stdout.split()[0].decode(), digest(make_big_file()))


def test_file_written_inside_is_the_same_outside():
    pool.put(make_big_file(), "/big")
    pool.run("cp", "/big", "/copy", expect=0)
    out = os.path.join(pool.dir, "out")
    pool.tool("get", "/copy", out)
    same(digest(out), digest(make_big_file()))
    pool.check()


try:
    counting.run(globals(), *sys.argv[2:3])
finally:
    pool.__exit__()
