# SPDX-License-Identifier: MIT
"""POSIX files under power failure. A program runs random operations and acknowledges each by a byte
on standard output. After a power failure the tree must be as after all acknowledged operations, or
one more. Only a write in progress may be there in part.

Usage: test_files.py BUILD [PART-OF-A-NAME]
"""

import os
import random
import sys

import booting
import counting
import powerfail
from booting import Failure, same, wanted

BUILD = os.path.abspath(sys.argv[1])
LONG = os.environ.get("TWZ_TEST_LONG") == "1"
SEQUENCES = 20 if LONG else 2
OPERATIONS = 24
IMAGES = powerfail.images(200 if LONG else 60)


class Tree:
    """The model of the operations of files.c."""

    def __init__(self, other=None):
        self.dirs = set(other.dirs) if other else {""}
        self.files = dict(other.files) if other else {}

    def __eq__(self, other):
        return (self.dirs, self.files) == (other.dirs, other.files)

    def do(self, op):
        kind, name, *rest = op.split(":")
        if kind == "mkdir":
            self.dirs.add(name)
        elif kind == "rmdir":
            self.dirs.remove(name)
        elif kind == "create":
            self.files[name] = b""
        elif kind == "unlink":
            del self.files[name]
        elif kind == "rename":
            self.files[rest[0]] = self.files.pop(name)
        elif kind == "truncate":
            self.files[name] = self.files[name].ljust(int(rest[0]), b"\0")[:int(rest[0])]
        elif kind in ("write", "map"):
            offset, length, seed = map(int, rest[:3])
            new = bytes((seed + 7 * i) & 255 for i in range(offset, offset + length))
            old = self.files[name].ljust(offset, b"\0")
            self.files[name] = old[:offset] + new + old[offset + length:]


def parse(text):
    tree = Tree()
    for line in text.splitlines():
        kind, name, *rest = line.split(" ")
        if kind == "D":
            tree.dirs.add(name)
        else:
            tree.files[name] = bytes.fromhex(rest[0])
    return tree


def is_partly(tree, before, after, op):
    """The tree differs from `before` only in the file that `op` writes. Each byte of the file is
    old, new, or missing at the end."""
    kind, name, *_ = op.split(":")
    if kind not in ("write", "map", "truncate") or name not in tree.files:
        return False
    got, old, new = (t.files[name] for t in (tree, before, after))
    trial = Tree(before)
    trial.files[name] = got
    limits = sorted((len(old), len(new)))
    return tree == trial and limits[0] <= len(got) <= limits[1] and all(
        byte in (old[i:i + 1] or b"\0") + (new[i:i + 1] or b"\0") +
        (b"\0" if i >= len(old) else b"")
        for i, byte in enumerate(got))


def random_operations(dice, count):
    """Operations of which each is possible after the ones before it."""
    tree, ops = Tree(), []
    while len(ops) < count:
        op = random_operation(dice, tree)
        if op:
            tree.do(op)
            ops.append(op)
    return ops


def random_operation(dice, tree):
    files = sorted(tree.files)
    place = dice.choice(sorted(tree.dirs))
    fresh = (place + "/" if place else "") + dice.choice("abcdef")
    kind = dice.choice(["mkdir", "rmdir", "create", "create", "unlink", "rename", "rename",
                        "truncate", "write", "write", "write", "map", "map"])
    taken = fresh in tree.files or fresh in tree.dirs
    if kind == "mkdir" and not taken and fresh.count("/") < 2:
        return f"mkdir:{fresh}"
    if kind == "rmdir" and place and not any(n.startswith(place + "/")
                                             for n in tree.dirs | set(files)):
        return f"rmdir:{place}"
    if kind == "create" and not taken:
        return f"create:{fresh}"
    if not files:
        return None
    name = dice.choice(files)
    if kind == "unlink":
        return f"unlink:{name}"
    if kind == "rename" and fresh != name and fresh not in tree.dirs:
        return f"rename:{name}:{fresh}"
    if kind == "truncate":
        return f"truncate:{name}:{dice.choice([0, 1, 4096, 5000, 9000])}"
    if kind == "write":
        length = dice.choice([1, 8, 100, 4096, 6000])
        return f"write:{name}:{dice.choice([0, 3, 64, 4090, 5000])}:{length}:{dice.randrange(256)}"
    if kind == "map" and tree.files[name]:
        offset = dice.randrange(len(tree.files[name]))
        length = dice.randrange(len(tree.files[name]) - offset) + 1
        return f"map:{name}:{offset}:{length}:{dice.randrange(256)}:{dice.choice('mfds')}"
    return None


def is_legal(tree, states, ops, acknowledged):
    if tree == states[acknowledged]:
        return True
    if acknowledged == len(ops):
        return False
    before, after = states[acknowledged], states[acknowledged + 1]
    return tree == after or is_partly(tree, before, after, ops[acknowledged])


def describe(tree):
    return {"dirs": sorted(tree.dirs), "files": {n: len(d) for n, d in sorted(tree.files.items())}}


class Sequence:
    """A recorded run of operations, by default random ones, with the expected tree after each."""

    def __init__(self, seed, ops=None):
        self.ops = ops or random_operations(random.Random(seed), OPERATIONS)
        self.states = [Tree()]
        for op in self.ops:
            self.states.append(Tree(self.states[-1]))
            self.states[-1].do(op)
        with booting.Pool(BUILD, size="64M") as pool:
            pool.put(f"{BUILD}/tests/crash/qemu/files", "/host/files")
            pool.tool("mkdir", "/data/t")
            self.recording = powerfail.Recording(BUILD, pool, "/host/files", "do", *self.ops)
            result = self.recording.result
            same((result.returncode, result.stdout), (0, b"." * len(self.ops)),
                 f"{result.stderr!r}")
            same(self.recording.stats()["marks"], len(self.ops), "acknowledgements in the trace")
            same(describe(tree_in(pool)), describe(self.states[-1]), "the tree at the end")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.recording.__exit__()

    def oracle(self, image, crashed):
        crashed.check()
        tree = tree_in(crashed)
        if not is_legal(tree, self.states, self.ops, image.marks):
            raise Failure(f"{image.marks} acknowledged, next "
                          f"{(self.ops + ['nothing'])[image.marks]}: found {describe(tree)}, "
                          f"wanted {describe(self.states[image.marks])}")
        crashed.check()


def tree_in(pool):
    return parse(pool.run("/host/files", "dump", expect=0).stdout.decode())


def test_files():
    tried, problems = [], []
    for seed in range(powerfail.SEED * 1000, powerfail.SEED * 1000 + SEQUENCES):
        with Sequence(seed) as run:
            tried.append(run.recording.try_images(IMAGES, run.oracle))
        problems += [f"seed {seed}: {failure}" for failure in tried[-1].failures]
    print(f"      of {SEQUENCES} sequences of {OPERATIONS} operations booted: "
          f"{', '.join(map(str, tried))}")
    wanted(not problems, "\n".join(problems[:10]))


MAPPED = ["create:a", "write:a:0:9000:1", "map:a:100:8000:{}:{}", "create:b"]


def test_each_way_to_make_a_mapping_durable():
    """All images of the short run that lie around the way: none may lack an acknowledged store."""
    total = []
    for seed, how in enumerate("mfds"):
        ops = [op.format(40 + seed, how) for op in MAPPED]
        with Sequence(seed, ops) as run:
            total.append(run.recording.try_images(powerfail.images(30), run.oracle))
            wanted(not total[-1].failures, f"{how}: " + "\n".join(total[-1].failures[:5]))
    print(f"      {', '.join(map(str, total))}")


def test_stores_into_a_mapping_are_durable_after_the_end():
    """Nothing makes them durable but the orderly end of the machine."""
    with Sequence(0, [op.format(40, "n") for op in MAPPED[:3]]) as run, \
            run.recording.pool_of(run.recording.at_end()) as pool:
        same(describe(tree_in(pool)), describe(run.states[-1]), "the tree")
        wanted(tree_in(pool) == run.states[-1], "the contents differ")


def test_each_missing_flush_of_the_libraries_is_caught():
    """Without the flushes of one instruction of libtwz, some image must be wrong."""
    with Sequence(powerfail.SEED) as run:
        sites = run.recording.user_flushes()
        survivors = []
        for site in sites:
            with run.recording.without_flushes(site):
                if not run.recording.try_images(150, run.oracle, enough=1).failures:
                    survivors.append(f"{site:#x}")
    print(f"      {len(sites)} flush instructions, each removed")
    wanted(sites and not survivors, f"not caught: {survivors}")


counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
