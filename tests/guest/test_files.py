# SPDX-License-Identifier: MIT
"""Bytes through the system, all of them: standard streams, and files put in and got out.

Usage: test_files.py BUILD [PART-OF-A-NAME]
"""

import hashlib
import os
import struct
import subprocess
import sys

import booting
import counting
from booting import same, wanted

BUILD = os.path.abspath(sys.argv[1])
SIZE = 200_000_000
POOL = booting.Pool(BUILD, size="1G")
for NAME in "pattern", "sha256":
    POOL.put(f"{BUILD}/tests/guest/{NAME}", f"/host/{NAME}")


def pattern(size):
    """What the guest's `pattern SIZE` writes."""
    mask = (1 << 64) - 1
    out = bytearray()
    pack = struct.Struct("<Q").pack
    for i in range(-(-size // 8)):
        x = (i + 1) * 0x9e3779b97f4a7c15 & mask
        out += pack(x ^ x >> 29)
    return bytes(out[:size])


def host_file():
    """200 MB of bytes that do not repeat, made once."""
    path = os.path.join(POOL.dir, "host-file")
    if not os.path.exists(path):
        with open(path, "wb") as f:
            block = hashlib.sha256(b"twz").digest()
            for at in range(0, SIZE, 1 << 20):
                block = hashlib.sha256(block).digest()
                piece = hashlib.shake_128(block).digest(1 << 20)
                f.write(piece[:min(1 << 20, SIZE - at)])
    return path


def sha256_of(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest() if hasattr(hashlib, "file_digest") \
            else hashlib.sha256(f.read()).hexdigest()


def test_small_streams():
    for data in b"", b"x", b"a\nb", bytes(range(256)) * 3:
        r = POOL.run("/bin/cat", input=data, expect=0)
        same((r.stdout, r.stderr), (data, b""))


def test_cat_of_200_mb():
    path = host_file()
    with open(path, "rb") as f:
        cat = subprocess.Popen(POOL.command("/bin/cat"), stdin=f, stdout=subprocess.PIPE)
        compare = subprocess.run(["cmp", "-", path], stdin=cat.stdout, timeout=600, check=False)
        cat.stdout.close()
        same((compare.returncode, cat.wait(60)), (0, 0))


def test_put_on_the_host_is_the_same_inside():
    path = host_file()
    POOL.put(path, "/host/large")
    r = POOL.run("/host/sha256", "/host/large", expect=0)
    same(r.stdout.decode().strip(), sha256_of(path))


def test_written_inside_is_the_same_on_the_host():
    size = 20_000_003
    POOL.run("/host/pattern", str(size), "/host/written", expect=0)
    out = os.path.join(POOL.dir, "got")
    POOL.tool("get", "/host/written", out)
    with open(out, "rb") as f:
        wanted(f.read() == pattern(size), "the file got out is not what was written")


def test_written_to_output():
    size = 3_000_001
    r = POOL.run("/host/pattern", str(size), expect=0)
    wanted(r.stdout == pattern(size), "standard output is not what was written")


def test_the_pool_is_sound():
    POOL.check()


with POOL:
    counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
