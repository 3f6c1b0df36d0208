#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The include rules. Prints each forbidden edge as FILE:LINE and ends with 1 if there is one.

Usage: check_includes.py [TREE]

A file belongs to the module with the longest path that it starts with. A file whose name or folder
begins with "test" belongs to tests. An include is looked up beside the file (quotes) and then in
ROOTS. An include that is not found there is a header of the compiler, of the system or of a
library, and the module's word in RULES decides.
"""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tree

ROOTS = ["kernel", "kernel/include", "kernel/abi", "kernel/store/x86", "kernel/store/host",
         "security", "libtwz/include", "libtwz", "libtwix/include", "objects", "utils/lib", "utils"]
# Roots of one module alone. tests has doubles of kernel headers.
OWN_ROOTS = {"tests": ["tests"], "libtwix": ["libtwix/src"]}

# Headers that a compiler brings along without a C library.
FREESTANDING = {"stdint.h", "stddef.h", "stdbool.h", "stdarg.h", "stdatomic.h", "stdalign.h",
                "stdnoreturn.h", "limits.h", "float.h", "cpuid.h", "immintrin.h", "x86intrin.h"}
# Headers that the build makes.
GENERATED = {"offsets.h"}
# Names of Linux itself live in libtwix (and in the host tools, which run on it).
LINUX = re.compile(r"^(linux/|asm/|sys/syscall\.h$)")

ABI = ["kernel/abi"]
SECURITY = ["security", "security/verify"]
KERNEL_BELOW = ["kernel/include", "kernel/lib", "kernel/store"] + SECURITY + ABI
# Both have the same header names; the build picks one of them.
BACKENDS = ["kernel/store/x86", "kernel/store/host"]
PUBLIC = ABI + ["libtwz/include", "objects"]

# module: (modules it may include besides itself, its word for headers from outside the tree)
RULES = {
    "kernel/abi": ([], "abi"),
    "kernel/lib": (ABI, "freestanding"),
    "security/verify": (ABI + ["kernel/lib", "security"], "crypto"),
    "security/sign": (PUBLIC + SECURITY, "hosted"),
    "security": (ABI, "freestanding"),
    "kernel/store": (ABI + ["kernel/lib", "security/verify"] + BACKENDS, "freestanding"),
    "kernel/store/host": (ABI + ["kernel/lib", "kernel/store"], "hosted"),
    "kernel/store/x86": (ABI + ["kernel/lib", "kernel/store"], "freestanding"),
    "kernel/include": (ABI + ["kernel/lib", "kernel/store"] + SECURITY, "freestanding"),
    "kernel/log": (KERNEL_BELOW, "freestanding"),
    "kernel/core": (KERNEL_BELOW, "freestanding"),
    "kernel/mm": (KERNEL_BELOW, "freestanding"),
    "kernel/page": (KERNEL_BELOW, "freestanding"),
    "kernel/obj": (KERNEL_BELOW, "freestanding"),
    "kernel/kso": (KERNEL_BELOW, "freestanding"),
    "kernel/sec": (KERNEL_BELOW, "freestanding"),
    "kernel/dev": (KERNEL_BELOW, "freestanding"),
    "kernel/sys": (KERNEL_BELOW, "freestanding"),
    "kernel/init": (KERNEL_BELOW, "freestanding"),
    "kernel/arch/x86_64": (ABI + ["kernel/include", "kernel/lib", "kernel/store/x86"],
                           "freestanding"),
    "libtwz/include": (ABI, "hosted"),
    "libtwz": (ABI + ["libtwz/include"], "hosted"),
    "objects": (ABI + ["libtwz/include", "security"], "hosted"),
    "libtwix": (PUBLIC, "linux"),
    "musl-port": (ABI, "linux"),
    "utils/lib": (ABI, "linux"),
    "utils": (PUBLIC + SECURITY + ["utils/lib", "security/sign", "kernel/store",
                                   "kernel/store/host", "kernel/lib"], "linux"),
    "examples": (PUBLIC, "hosted"),
    "tests": (None, "linux"),
}

# Inside the kernel each module may use the public headers of those before it. A header of
# kernel/include belongs to the module that has a C file of its name, or that OWNERS says. Every
# module may use the other headers (doc/decisions/006-memory-below-threads.md).
LAYERS = ["log", "mm", "core", "page", "obj", "kso", "sec", "dev", "sys"]
OWNERS = {"page": "page"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"]+)[>"]', re.MULTILINE)
SOURCE = (".c", ".h", ".S", ".def")


def module_of(path):
    if any(part.startswith("test") for part in path.split("/")):
        return "tests"
    best = None
    for module in RULES:
        if path.startswith(module + "/") and (best is None or len(module) > len(best)):
            best = module
    return best


def resolve(known, path, quote, name):
    """The files of the tree that this include may mean; more than one if roots share a name."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
    if quote == '"' and beside in known:
        return [beside]
    roots = ROOTS + OWN_ROOTS.get(module_of(path), [])
    return [p for p in (os.path.normpath(os.path.join(r, name)) for r in roots) if p in known]


def system_allowed(word, name):
    if name in GENERATED:
        return True
    if word == "abi":
        return name in ("stdint.h", "stddef.h", "stdbool.h")
    if word == "crypto":
        return name in FREESTANDING or name.startswith(("blake2", "crypto_", "sodium", "ed25519_",
                                                        "fe_51/"))
    if word == "freestanding":
        return name in FREESTANDING
    if word == "hosted":
        return not LINUX.match(name)
    return True


def owner(known, header):
    """The kernel layer that implements a header of kernel/include, or None."""
    stem = os.path.splitext(os.path.basename(header))[0]
    if stem in OWNERS:
        return OWNERS[stem]
    for layer in LAYERS:
        if f"kernel/{layer}/{stem}.c" in known:
            return layer
    return None


def layer_problem(known, path, target):
    parts = path.split("/")
    if len(parts) < 3 or parts[1] not in LAYERS or not target.startswith("kernel/include/"):
        return None
    above = owner(known, target)
    if above and LAYERS.index(above) > LAYERS.index(parts[1]):
        return f"kernel/{parts[1]} uses {target} of kernel/{above}, which stands above it"
    return None


def edge_problem(known, path, target):
    module, other = module_of(path), module_of(target)
    allowed = RULES[module][0]
    if allowed is not None and other != module and other not in allowed:
        return f"{module} may not include {target} of {other or 'no module'}"
    if module == "utils" and other == "utils" and path.split("/")[1] != target.split("/")[1]:
        return f"one tool may not include {target} of another"
    return layer_problem(known, path, target)


def file_problems(top, known, path):
    module = module_of(path)
    if module is None:
        return [(1, "lies in no module of the table")]
    problems = []
    text = tree.read(top, path)
    for match in INCLUDE.finditer(text):
        quote, name = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        targets = resolve(known, path, quote, name)
        found = [edge_problem(known, path, t) for t in targets]
        if not targets and not system_allowed(RULES[module][1], name):
            found = [f"{module} may not include <{name}> from outside the tree"]
        problems += [(line, p) for p in found if p]
    return problems


def check(top):
    """(number of files looked at, ["FILE:LINE: problem", …])."""
    known = set(tree.files(top))
    sources = sorted(p for p in known if p.endswith(SOURCE))
    problems = []
    for path in sources:
        problems += [f"{path}:{line}: {text}" for line, text in file_problems(top, known, path)]
    return len(sources), problems


if __name__ == "__main__":
    count, problems = check(sys.argv[1] if len(sys.argv) > 1 else ".")
    print("\n".join(problems) if problems else f"{count} files include only what they may")
    sys.exit(1 if problems else 0)
