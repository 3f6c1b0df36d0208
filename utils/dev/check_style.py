#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""House rules of single lines, and the dialect of C. Prints FILE:LINE: problem; ends with 1 if any.

Usage: check_style.py [TREE]

dialect.py holds the rules of the dialect.
"""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import dialect
import tree

MAX_LINES = 800
MAX_COLUMNS = 100
SOURCE = (".c", ".h", ".S", ".def", ".py", ".sh", "meson.build")
C_SOURCE = (".c", ".h")
# Put together here so that this file passes its own check.
LEFTOVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b|^\s*#\s*if\s+0\b")
SPDX = "SPDX-License-Identifier:"


def is_source(path):
    name = os.path.basename(path)
    return name.endswith(SOURCE) or ("." not in name and name not in ("LICENSE",))


def only_directives(text):
    """Nothing is declared, so that including it twice does no harm."""
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return all(line.startswith("#") for line in code.splitlines() if line.strip())


def line_problems(path, line):
    if LEFTOVER.search(line):
        yield "a leftover (finish it, or write down in doc/ what is missing)"
    if line != line.rstrip():
        yield "white space at the end of the line"
    if path.endswith(C_SOURCE) and "\t" in line:
        yield "a tab (indent by 4 spaces)"
    if path.endswith(C_SOURCE) and len(line) > MAX_COLUMNS:
        yield f"{len(line)} columns, {MAX_COLUMNS} at most"


def file_problems(path, text):
    lines = text.splitlines()
    problems = []
    if len(lines) > MAX_LINES:
        problems.append((len(lines), f"{len(lines)} lines, {MAX_LINES} at most"))
    if lines and not any(SPDX in line for line in lines[:3]):
        problems.append((1, "no SPDX line at the top"))
    if path.endswith(".h") and "#ifndef" not in text and not only_directives(text):
        problems.append((1, "no include guard"))
    if text and not text.endswith("\n"):
        problems.append((len(lines), "no end of line at the end"))
    for number, line in enumerate(lines, 1):
        problems += [(number, p) for p in line_problems(path, line)]
    return problems


def check(top):
    """(number of files looked at, ["FILE:LINE: problem", …])."""
    count, problems = 0, []
    for path in tree.files(top):
        text = tree.read(top, path) if is_source(path) else "\0"
        if "\0" in text:  # a compiled program
            continue
        count += 1
        problems += [f"{path}:{n}: {t}" for n, t in file_problems(path, text)]
    return count, problems


def check_dialect(top):
    """The same for the dialect of C."""
    count, problems = 0, []
    for path in tree.files(top):
        if path.endswith(C_SOURCE):
            count += 1
            problems += [f"{path}:{n}: {t}" for n, t in dialect.problems(tree.read(top, path))]
    return count, problems


if __name__ == "__main__":
    top = sys.argv[1] if len(sys.argv) > 1 else "."
    count, problems = check(top)
    problems += check_dialect(top)[1]
    print("\n".join(problems) if problems else f"{count} files keep the house rules")
    sys.exit(1 if problems else 0)
