#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Circles of files and calls to a folder above. Prints each as FILE:LINE; ends with 1 if any.

Usage: check_calls.py [--edges] [TREE]

The nodes are the C files of a module. A header counts with the C file of its name beside it. A
header of kernel/include counts with the C file of its name, if the kernel has exactly one outside
lib and store, whose headers lie beside their C files. UPCALLS counts with none: it is the one door
to the modules above.

File A depends on file B if the code of A names a function of B that is not static, or if A includes
a header of B. Files that depend on each other are a circle. The folders of kernel/ and of
libtwix/src must call only those before them in ORDERS, and must not form a circle either. The files
of a module in LAYERS must call only those of the layers before theirs.

--edges prints the names that make each circle. CIRCLES and UPWARD list the exceptions; an entry
that the tree does not need any more is a problem too, so both tables shrink.
"""

import collections
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import csource
import tree

# module: number of files in each circle, the largest first. "kernel/" and "libtwix/src/" stand for
# the circles of their folders. The aim is an empty table.
CIRCLES = {
}

# "part: low -> high": the functions and headers of `high` that `low` may use. These edges do not
# count for the circles of folders.
UPWARD = {
    # kernel_*: the entry points that arch.h declares. The others are not resolved yet.
    "kernel: arch -> core": ["kernel_cpu_main", "kernel_exception", "kernel_media_error",
                             "kernel_page_fault", "kernel_reschedule", "kernel_timer"],
    "kernel: arch -> init": ["kernel_main"],
    # Frames of the page tables and of the boot stacks.
    "kernel: arch -> mm": ["kmem_alloc", "phys_alloc", "phys_alloc_zeroed",
                           "phys_alloc_zeroed_for", "phys_free",
                           "<kernel/kmem.h>", "<kernel/phys.h>"],
    # The log writes through arch, and arch reports through the log.
    "kernel: arch -> log": ["fatal", "log_panicking", "log_printf", "<kernel/log.h>",
                            "<kernel/panic.h>"],
}

# A folder may use the folders of lower numbers. Equal numbers may use each other one way only.
ORDERS = {
    "kernel": {"lib": 0, "store": 1, "arch": 2, "log": 3, "mm": 4, "core": 5, "page": 6, "obj": 7,
               "kso": 8, "sec": 9, "dev": 10, "sys": 10, "init": 11},
    "libtwix/src": {"base": 0, "file": 1, "mem": 2, "life": 3},
}

UPCALLS = "kernel/include/kernel/upcall.h"

# module: its C files, the lowest layer first. A file may use the files of lower layers only.
LAYERS = {
    # The list of kernel/store/inside.h.
    "kernel/store": ["bits word host/persist_plain x86/persist_x86", "env", "frames super", "badframes", "table",
                     "index walk", "change object", "create page release", "reclaim", "recover",
                     "mkpool open", "check"],
}

TABLE = "utils/dev/check_calls.py"


class Program:
    """The C files of the product, the functions they define, and the edges between them."""

    def __init__(self, top):
        known = [p for p in tree.files(top) if p.endswith((".c", ".h")) and is_product(p)]
        self.sources = {p: csource.Source(tree.read(top, p)) for p in known}
        self.nodes = {p: node_of(p, self.sources) for p in known}
        self.owners = collections.defaultdict(set) # function: the files that define it
        for path, source in self.sources.items():
            for function in source.functions:
                if not function.static and path.endswith(".c"):
                    self.owners[function.name].add(path)
        self.edges = collections.defaultdict(dict) # file: {file: {name: "FILE:LINE"}}
        for path in known:
            if self.nodes[path]:
                self._add_calls(path)
                self._add_includes(path)

    def _add(self, path, target, line, name):
        node = self.nodes[path]
        if target and target != node and same_program(node, target):
            self.edges[node].setdefault(target, {}).setdefault(name, f"{path}:{line}")

    def _add_calls(self, path):
        source = self.sources[path]
        own = {f.name for f in source.functions}
        for line, name in source.names():
            if name not in own and (path.endswith(".c") or in_body(source, line)):
                for target in self.owners.get(name, ()):
                    self._add(path, target, line, name)

    def _add_includes(self, path):
        for line, _, name in self.sources[path].includes():
            for header in headers_of(path, name, self.sources):
                self._add(path, self.nodes[header], line, f"<{name}>")

    def modules(self):
        found = collections.defaultdict(list)
        for path in sorted(self.sources):
            if path.endswith(".c"):
                found[tree.module(path)].append(path)
        return found


def is_product(path):
    return path.startswith(tuple(p + "/" for p in tree.PRODUCT)) and not tree.is_test(path)


def same_program(path, target):
    """A call between two parts of the tree has no meaning here: each part has names of its own."""
    return path.split("/")[0] == target.split("/")[0]


def in_body(source, line):
    """A header's prototypes are not calls; its inline functions and macros are."""
    return (any(f.body <= line <= f.last for f in source.functions)
            or source.lines[line - 1].lstrip().startswith("#"))


def node_of(path, known):
    """The C file that a file counts with, or None."""
    stem = os.path.splitext(path)[0]
    if stem + ".c" in known:
        return stem + ".c"
    if path == UPCALLS:
        return None
    if path.startswith("kernel/include/kernel/"):
        name = os.path.basename(stem) + ".c"
        found = [p for p in known if os.path.basename(p) == name and p.startswith("kernel/")
                 and not p.startswith(("kernel/lib/", "kernel/store/"))]
        return found[0] if len(found) == 1 else None
    return None


def headers_of(path, name, known):
    """The files of the tree that an include may mean."""
    part = path.split("/")[0]
    roots = [os.path.dirname(path), "kernel", "kernel/include", "kernel/store/x86",
             "kernel/store/host", "security", "libtwz/include", "libtwz", "libtwix/include",
             "libtwix/src", "objects", "utils/lib", "utils"]
    for root in roots:
        target = os.path.normpath(os.path.join(root, name))
        if target in known and target.split("/")[0] == part:
            yield target


def circles(nodes, edges):
    """The strongly connected components of more than one node, the largest first (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in edges.get(node, ()):
            if target in nodes and target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            part = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(part) > 1:
                found.append(sorted(part))

    for node in sorted(nodes):
        if node not in index:
            visit(node)
    return sorted(found, key=lambda part: (-len(part), part))


def folder_of(part, path):
    """The folder below `part` that a file lies in, or None."""
    rest = path[len(part) + 1:].split("/")
    return rest[0] if path.startswith(part + "/") and len(rest) > 1 else None


def folder_edges(part, program):
    """{folder: {folder: [(file, names), ...]}} of the folders below `part`."""
    found = collections.defaultdict(dict)
    for path, targets in program.edges.items():
        for target, mentions in targets.items():
            one, other = folder_of(part, path), folder_of(part, target)
            allowed = UPWARD.get(f"{part}: {one} -> {other}", ())
            names = " ".join(name for name in mentions if name not in allowed)
            if one and other and one != other and names:
                found[one].setdefault(other, []).append((path, names))
    return found


def all_circles(program):
    """{module: [circle, …]}, with "kernel/" and "libtwix/src/" for the folders."""
    found = {m: circles(set(paths), program.edges) for m, paths in program.modules().items()}
    for part in ORDERS:
        edges = folder_edges(part, program)
        found[part + "/"] = circles(set(edges), edges)
    return {module: parts for module, parts in found.items() if parts}


def edge_lines(module, part, program):
    """One line for each edge inside a circle."""
    if module.endswith("/"):
        for one, targets in sorted(folder_edges(module[:-1], program).items()):
            for other, files in sorted(targets.items()):
                if one in part and other in part:
                    shown = "; ".join(f"{os.path.basename(p)}: {names}" for p, names in files)
                    yield f"    {one} -> {other}: {shown}"
        return
    for path in part:
        for target, mentions in sorted(program.edges[path].items()):
            if target in part:
                where = next(iter(mentions.values()))
                yield f"    {where} -> {os.path.basename(target)}: {' '.join(mentions)}"


def circle_problems(found):
    for module in sorted(set(found) | set(CIRCLES)):
        parts = found.get(module, [])
        sizes, allowed = [len(part) for part in parts], CIRCLES.get(module, [])
        if sizes != allowed:
            shown = "; ".join(" ".join(os.path.basename(p) for p in part) for part in parts)
            where = parts[0][0] if parts and not module.endswith("/") else TABLE
            yield f"{where}:1: circles in {module}: {sizes}, CIRCLES says {allowed}: {shown}"


def upward_calls(program):
    """{"part: low -> high": {name: "FILE:LINE"}} of the calls that break the order."""
    found = collections.defaultdict(dict)
    for part, order in ORDERS.items():
        for path, targets in sorted(program.edges.items()):
            for target, mentions in sorted(targets.items()):
                low, high = folder_of(part, path), folder_of(part, target)
                if low in order and high in order and order[low] < order[high]:
                    for name, where in mentions.items():
                        found[f"{part}: {low} -> {high}"].setdefault(name, where)
    return found


def upward_problems(found):
    for edge in sorted(set(found) | set(UPWARD)):
        names, allowed = found.get(edge, {}), UPWARD.get(edge, [])
        for name in sorted(set(names) - set(allowed)):
            yield f"{names[name]}: {edge}: {name} of a folder above"
        for name in sorted(set(allowed) - set(names)):
            yield f"{TABLE}:1: UPWARD has {edge}: {name}, which is gone"


def layer_problems(program):
    for module, layers in LAYERS.items():
        level = {f"{module}/{name}.c": number for number, layer in enumerate(layers)
                 for name in layer.split()}
        files = set(program.modules().get(module, []))
        for path in sorted(files - set(level)):
            yield f"{path}:1: in no layer of LAYERS"
        for path in sorted(set(level) - files):
            yield f"{TABLE}:1: LAYERS has {path}, which is gone"
        for path in sorted(files & set(level)):
            for target, mentions in sorted(program.edges[path].items()):
                if target in level and level[target] >= level[path]:
                    where = next(iter(mentions.values()))
                    yield (f"{where}: {' '.join(mentions)} of {os.path.basename(target)}, "
                           f"which is not in a layer below")


def check(top):
    """(number of C files looked at, ["FILE:LINE: problem", ...])."""
    program = Program(top)
    problems = list(circle_problems(all_circles(program)))
    problems += upward_problems(upward_calls(program))
    problems += layer_problems(program)
    return sum(len(paths) for paths in program.modules().values()), problems


def print_edges(top):
    program = Program(top)
    for module, parts in all_circles(program).items():
        for part in parts:
            print(f"{module}: {len(part)}: {' '.join(os.path.basename(p) for p in part)}")
            print("\n".join(edge_lines(module, part, program)))


def main(arguments):
    places = [a for a in arguments if not a.startswith("--")]
    top = places[0] if places else "."
    if "--edges" in arguments:
        print_edges(top)
        return 0
    count, problems = check(top)
    print("\n".join(problems) if problems else f"{count} files call only what they may")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
