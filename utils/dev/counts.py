#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Figures of the language and the shape of a tree.

Usage: counts.py [--names] [--json] [TREE]

Each row is a module (a folder); "product" is the sum of all modules of kernel, libtwz, libtwix,
objects, security and utils; "tests" is each file with a part of its path that begins with "test".
Counted are .c, .h, .S and .def files.

  words     words of comments, without SPDX lines
  who       "who" and its two relatives (WHO) in 1,000 of these words
  must      must in 1,000 of these words
  functions definitions in .c and .h files
  <=40      per cent of them that have 40 lines at most, header and closing brace included
  same      names other than main that several files define, one of them at least as static; in the
            product row across the product
  seam      names that several files define and none as static: implementations of one interface,
            of which a program links one
  longest   lines of the longest file
  circles   files in each circle (check_calls.py)
  COMMIT    COMMIT: tags in comments

--names prints these names of the product, and the files.
"""

import collections
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_calls
import csource
import tree

SOURCE = (".c", ".h", ".S", ".def")
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_'’-]*")
WHO = re.compile(r"\b(?:who|whoever|nobody)\b", re.IGNORECASE)
MUST = re.compile(r"\bmust\b", re.IGNORECASE)
SHORT = 40
COLUMNS = ["files", "lines", "words", "who", "must", "functions", "<=40", "same", "seam",
           "longest", "circles", "COMMIT"]


class Sum:
    """The figures of one module, or of several."""

    def __init__(self):
        self.files = self.lines = self.words = self.who = self.must = self.commits = 0
        self.functions = self.short = self.longest = 0
        self.owners = collections.defaultdict(set) # function: files that define it
        self.static = set() # functions that a file defines as static
        self.circles = []

    def add_file(self, path, source):
        lines = source.text.count("\n")
        self.files += 1
        self.lines += lines
        self.longest = max(self.longest, lines)
        for comment in source.comments:
            text = csource.words_of(comment.text)
            if "SPDX-License-Identifier" not in text:
                self.words += len(WORD.findall(text))
                self.who += len(WHO.findall(text))
                self.must += len(MUST.findall(text))
                self.commits += text.count("COMMIT:")
        for function in source.functions:
            self.functions += 1
            self.short += function.lines <= SHORT
            self.owners[function.name].add(path)
            if function.static:
                self.static.add(function.name)

    def several(self):
        return {name: sorted(paths) for name, paths in sorted(self.owners.items())
                if len(paths) > 1 and name != "main"}

    def same(self):
        return {name: paths for name, paths in self.several().items() if name in self.static}

    def seam(self):
        return {name: paths for name, paths in self.several().items() if name not in self.static}

    def row(self):
        def per(count, whole, unit):
            return round(unit * count / whole, 1) if whole else 0.0
        return {"files": self.files, "lines": self.lines, "words": self.words,
                "who": per(self.who, self.words, 1000), "must": per(self.must, self.words, 1000),
                "functions": self.functions, "<=40": per(self.short, self.functions, 100),
                "same": len(self.same()), "seam": len(self.seam()), "longest": self.longest,
                "circles": "+".join(str(n) for n in self.circles) or "-", "COMMIT": self.commits}


def count(top):
    """{module: Sum}, with "product" and "tests"."""
    sums = collections.defaultdict(Sum)
    for path in tree.files(top):
        module = tree.module(path)
        if path.endswith(SOURCE) and (module == "tests" or path.split("/")[0] in tree.PRODUCT):
            source = csource.Source(tree.read(top, path))
            sums[module].add_file(path, source)
            if module != "tests":
                sums["product"].add_file(path, source)
    for module, circles in check_calls.all_circles(check_calls.Program(top)).items():
        for circle in circles:
            sums["product"].circles.append(len(circle))
            if not module.endswith("/"):
                sums[module].circles.append(len(circle))
    sums["product"].circles.sort(reverse=True)
    return sums


def in_order(sums):
    modules = sorted(m for m in sums if m not in ("product", "tests"))
    return modules + [m for m in ("product", "tests") if m in sums]


def print_table(sums):
    rows = [["module", *COLUMNS]]
    for module in in_order(sums):
        row = sums[module].row()
        rows.append([module, *(str(row[c]) for c in COLUMNS)])
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    for row in rows:
        print(row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:])))


def print_names(product):
    for kind, names in [("same", product.same()), ("seam", product.seam())]:
        for name, paths in names.items():
            print(f"{kind} {name}: {' '.join(paths)}")


def main(arguments):
    places = [a for a in arguments if not a.startswith("--")]
    sums = count(places[0] if places else ".")
    if "--json" in arguments:
        result = {module: sums[module].row() for module in in_order(sums)}
        if "--names" in arguments:
            result["names"] = {"same": sums["product"].same(), "seam": sums["product"].seam()}
        print(json.dumps(result, indent=2))
    elif "--names" in arguments:
        print_names(sums["product"])
    else:
        print_table(sums)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
