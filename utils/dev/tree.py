# SPDX-License-Identifier: MIT
"""The files of the project, without what is built or fetched."""

import os

SKIPPED = {".git", "subprojects", "__pycache__"}

PRODUCT = ("kernel", "libtwz", "libtwix", "objects", "security", "utils")
# Folders whose subfolders are one module: kernel/arch/x86_64 with boot, cpu, mmu, platform.
WHOLE = ("kernel/arch/x86_64", "kernel/store", "libtwix/src", "libtwz/src", "libtwz/include")


def is_build_dir(path):
    return os.path.isdir(os.path.join(path, "meson-private"))


def files(top):
    """Paths of all files relative to `top`, sorted."""
    found = []
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(f for f in folders
                            if f not in SKIPPED and not is_build_dir(os.path.join(folder, f)))
        found += [os.path.relpath(os.path.join(folder, n), top) for n in names]
    return sorted(found)


def read(top, path):
    with open(os.path.join(top, path), encoding="utf-8", errors="surrogateescape") as f:
        return f.read()


def is_test(path):
    return any(part.startswith("test") for part in path.split("/"))


def module(path):
    """The module of a file, which is a folder: "kernel/obj", "libtwix/src", "tests"."""
    if is_test(path):
        return "tests"
    for folder in WHOLE:
        if path.startswith(folder + "/"):
            return folder
    return os.path.dirname(path) or "."
