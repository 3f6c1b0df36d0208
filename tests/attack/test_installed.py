# SPDX-License-Identifier: MIT
"""Calls of a program on the objects that the system needs to boot: each is refused, and the next
boot works. The owner of the pool changes them, and a program what is its own.

Usage: test_installed.py BUILD [PART-OF-A-NAME]
"""

import os
import sys

import booting
import counting
from booting import holds, same, wanted

BUILD = os.path.abspath(sys.argv[1])
POOL = booting.Pool(BUILD)
POOL.put(f"{BUILD}/tests/attack/installed", "/host/installed")
SEGV = 128 + 11
NEED_WRITE = ["discard", "copy"]
NEED_DEL = ["delete", "delete-now", "perms", "volatile", "hole", "protect"]


def attack(path, *ops):
    r = POOL.run("/host/installed", path, *ops)
    return r.returncode, r.stdout.decode()


def denied(ops):
    return "".join(f"{op} -3\n" for op in ops)


def test_system_is_not_changed():
    for path in "/bin/init", "/sys/twix", "/bin/prompt", "/bin", "/sys":
        ops = NEED_WRITE + NEED_DEL
        same(attack(path, "touch", *ops, "patch"), (SEGV, "touch 0\n" + denied(ops)), path)
    POOL.check()


def test_shared_directories_are_not_destroyed():
    for path in "/", "/tmp", "/data", "/host":
        same(attack(path, *NEED_DEL), (0, denied(NEED_DEL)), path)
    POOL.run("mkdir", "/tmp/mine", expect=0)
    POOL.run("rmdir", "/tmp/mine", expect=0)
    POOL.check()


def test_names_of_the_system_stay():
    for command in (("rm", "/bin/cat"), ("mv", "/bin/cat", "/tmp/cat"), ("mkdir", "/bin/new"),
                    ("cp", "/bin/cat", "/bin/dog"), ("ln", "/bin/cat", "/sys/cat")):
        same(POOL.run(*command).returncode, 1, " ".join(command))
    POOL.run("echo", expect=0)
    POOL.check()


def test_root_directory_is_repaired_at_the_next_boot():
    """A program may write "/". The names of the system come back, with an unusable directory too."""
    POOL.run("mv", "/bin", "/moved")
    names = POOL.run("ls", "/", expect=0)
    for name in b"bin", b"sys", b"host", b"data", b"tmp":
        wanted(name in names.stdout.split(), f"{name!r} in {names.stdout!r}")
    wanted(b"moved" not in names.stdout, f"a second name: {names.stdout!r}")
    POOL.run("mkdir", "/kept", expect=0)
    holds(POOL.run("ls", "/", expect=0).stdout, b"kept")
    for attack_on_root in ["discard"], ["patch"]:
        POOL.run("/host/installed", "/", *attack_on_root)
        r = POOL.run("ls", "/", expect=0)
        holds(r.stderr, b"the root directory was damaged")
        same(r.stdout.split(), [b"bin", b"data", b"host", b"sys", b"tmp"], attack_on_root[0])
        same(POOL.run("ls", "/", expect=0).stderr, b"", "the second boot")
        POOL.put(f"{BUILD}/tests/attack/installed", "/host/installed")
    POOL.check()


def names_of_root(pool):
    return {line.split()[-1].rstrip("/") for line in pool.tool("ls", "/").stdout.splitlines()}


def test_root_directory_is_kept_where_a_name_cannot_be_restored():
    """A full pool is no damage: all other names stay."""
    with booting.Pool(BUILD, size="96M") as pool:
        pool.tool("mkdir", "/kept")
        pool.tool("rm", "-r", "/tmp")
        fill(pool)
        before = names_of_root(pool)
        pool.run("echo")
        same(names_of_root(pool) - {"tmp"}, before, "a full pool")
        wanted({"kept", "sys", "bin"} <= before, before)
        pool.check()


def fill(pool):
    """Files until nothing fits, the last ones of a page. Each size comes twice."""
    for bits in range(26, 11, -1):
        for twin in "a", "b":
            pool.tool("put", "-", f"/data/{bits}{twin}", input=b"x" * 2**bits, text=False,
                      expect=None)


def test_impostor_of_a_system_directory_is_moved_aside():
    """Another directory has its name, and is not empty."""
    POOL.run("prompt", input=b"mv /sys /hidden\nmkdir /sys\nmkdir /sys/x\nmkdir /sys.1\n")
    names = POOL.run("ls", "/", expect=0).stdout.split()
    for name, there in ((b"sys", True), (b"hidden", False), (b"sys.1", True), (b"sys.2", True)):
        same((name, name in names), (name, there))
    same(POOL.run("ls", "/sys", expect=0).stdout.split(), [b"twix"])
    same(POOL.run("ls", "/sys.2", expect=0).stdout.split(), [b"x"])
    POOL.check()


def test_first_program_keeps_its_own_pointers():
    """twz-obj boot adds entries for /bin and /sys, and finds its own again."""
    POOL.tool("put", "--perms", "rwxud", f"{BUILD}/utils/init/init", "/tmp/first")
    POOL.run("/host/installed", "/tmp/first", "point", expect=0)
    own = POOL.tool("fot", "/tmp/first").stdout
    same(len(own.splitlines()), 2, own)
    for _ in range(2):
        POOL.tool("boot", "/tmp/first")
        table = POOL.tool("fot", "/tmp/first").stdout
        same((len(table.splitlines()), table.startswith(own)), (4, True), table)
    POOL.run("mv", "/bin", "/moved", expect=0)
    wanted(b"bin" in POOL.run("ls", "/", expect=0).stdout.split(), "/bin is back")
    POOL.tool("boot", "/bin/init")
    POOL.check()


def test_owner_of_the_pool_and_of_an_object_may():
    POOL.tool("put", "--update", "--perms", "rx", f"{BUILD}/tests/attack/installed", "/bin/cat")
    POOL.put_system()
    POOL.run("cp", "/bin/cat", "/tmp/own", expect=0)
    ops = "protect", "hole", "discard", "delete"
    same(attack("/tmp/own", *ops), (0, "".join(f"{op} 0\n" for op in ops)))


with POOL:
    counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
