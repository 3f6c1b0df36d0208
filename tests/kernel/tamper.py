# SPDX-License-Identifier: MIT
"""Sealed objects in a pool that was changed: tamper.py POOL-MAKER KERNEL TEST TAMPER

The first boot of the test seals objects, TAMPER changes them in the pool file, and the second boot uses
them. Each access must give the bytes that were sealed, or fault; each copy must give them, or fail.
"""

import os
import re
import subprocess
import sys
import tempfile

import boot

SEAL, DAMAGED = 17, 4  # TWZ_REASON_*: of a page, of an object
PAGES = 1, 2, 5, 200, 20000
COPIES = 1, 5, 200
# For each change: the pages that fault with SEAL; None: the whole object is DAMAGED.
WANTED = [
    ("nothing", ()),
    ("a page", (1,)),
    ("a page of another node", (200,)),
    ("a page is gone", (1,)),
    ("a page more", (5,)),
    ("two pages change places", (1, 2)),
    ("a node of level 0", (1, 2, 5)),
    ("a node of level 1", (1, 2, 5, 200)),
    ("level 2", PAGES),
    ("WRITE in the record", None),
    ("the root in the record", None),
    ("the tree of another object", PAGES),
    ("no flag in the record", None),
    ("a page and its digest", (1, 2, 5)),
    ("a page and all digests, the root too", None),
    ("a tree that programs may write", PAGES),
    ("no tree", PAGES),
]
LINE = re.compile(r"(right|wrong|fault|copied|refused): (\d+)$", re.MULTILINE)


def booted(kernel, pool):
    run = subprocess.run(boot.command(kernel, pool, "1", []), stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, errors="replace", timeout=boot.LIMIT)
    print(run.stdout, end="")
    return run.stdout


def expected(object_number, pages):
    """The lines of one object in order: two rounds over the pages, page 5, three copies."""
    for page in [1, 2, 200, 20000] * 2 + [5]:
        if pages is None:
            yield "fault", object_number << 32 | page << 8 | DAMAGED
        elif page in pages:
            yield "fault", object_number << 32 | page << 8 | SEAL
        else:
            yield "right", object_number << 32 | page << 8
    for page in COPIES:
        refused = pages is None or page in pages
        yield "refused" if refused else "copied", object_number << 32 | page << 8 | (13 if refused else 0)


def main(maker, kernel, test, tamper):
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="twz-tamper.") as where:
        pool = os.path.join(where, "pool")
        subprocess.run([maker, pool, boot.POOL_MIB, test], check=True, timeout=boot.LIMIT)
        log = booted(kernel, pool)
        subprocess.run([tamper, pool], check=True, timeout=boot.LIMIT)
        second = booted(kernel, pool)
    found = iter(LINE.findall(boot.MARK.sub("", second)))
    for number, (what, pages) in enumerate(WANTED):
        for want in expected(number, pages):
            kind, value = next(found, ("none", "0"))
            passed += (kind, int(value)) == want
            if (kind, int(value)) != want:
                failed += 1
                print(f"{what}: {kind} {int(value):#x}, wanted {want[0]} {want[1]:#x}")
    for text in log, second:
        counts = boot.SUMMARY.findall(text)[-1].split()
        passed, failed = passed + int(counts[0]), failed + int(counts[2])
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
