#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles every header by itself. Prints the compiler's words for each that fails; ends with 1.

Usage: check_headers.py TREE BUILD COMPILER...
"""

import concurrent.futures
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tree

# The compile flags of a C file, module by module; the first match counts.
KERNEL = ["kernel", "kernel/include", "kernel/abi", "security"]
GUEST = ["libtwz/include", "libtwz", "libtwix/include", "libtwix", "libtwix/src", "kernel/abi",
         "objects", "security"]
HOST = ["utils/lib", "kernel/store/host", "kernel", "kernel/abi", "security", "libtwz/include"]
TWZ_OBJ = ["utils/twz-obj/cli", "utils/twz-obj/host", "utils/twz-obj/model", "objects"]
MODULES = [
    ("kernel/store/host", ["kernel/store/host"] + KERNEL, []),
    ("kernel", ["kernel/store/x86"] + KERNEL, ["-ffreestanding"]),
    ("security", KERNEL, ["-ffreestanding"]),
    ("libtwz", GUEST, []),
    ("libtwix", GUEST, []),
    ("objects", GUEST, []),
    ("utils/twz-obj", TWZ_OBJ + HOST, []),
    ("", HOST, []),
]
WARNINGS = ["-std=gnu11", "-Wall", "-Wextra", "-Wconversion", "-Wstrict-prototypes", "-Werror",
            "-Wno-unused-function", "-fsyntax-only", "-x", "c"]


def command(compiler, top, build, path):
    for module, roots, flags in MODULES:
        if path.startswith(module):
            break
    include = [f"-I{os.path.join(top, r)}" for r in [os.path.dirname(path)] + roots]
    include.append(f"-I{os.path.join(build, 'kernel')}")
    return [compiler, *WARNINGS, *flags, *include, "-include", os.path.join(top, path), os.devnull]


def compile_one(job):
    result = subprocess.run(job, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return result.stderr if result.returncode else ""


def check(top, build, compilers):
    """(number of compilations, [what the compiler printed, …])."""
    headers = [p for p in tree.files(top) if p.endswith(".h")]
    jobs = [command(c, top, build, h) for c in compilers for h in headers]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        outputs = list(pool.map(compile_one, jobs))
    return len(jobs), [text for text in outputs if text]


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    count, problems = check(sys.argv[1], sys.argv[2], sys.argv[3:])
    print("\n".join(problems) if problems else f"{count} times a header compiled alone")
    sys.exit(1 if problems else 0)
