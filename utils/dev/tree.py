# SPDX-License-Identifier: MIT
"""The files of the project, without what is built or fetched."""

import os

SKIPPED = {".git", "subprojects", "__pycache__"}


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
