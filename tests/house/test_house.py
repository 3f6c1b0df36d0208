# SPDX-License-Identifier: MIT
"""The house rules hold in this tree, and their checkers catch what breaks them.

Usage: test_house.py TREE BUILD [PART-OF-A-NAME]
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP, BUILD = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
sys.path[:0] = [os.path.join(TOP, "utils/dev"), os.path.join(TOP, "tests")]

import check_calls
import check_headers
import check_includes
import check_language
import check_style
import counting
import make_abi_doc
from examples import RIGHT_DIALECT, RIGHT_WORDS, WRONG_DIALECT, WRONG_WORDS
import run
import tree

FORMATTER = 14 # versions differ; this is Debian 12's
SPDX = "/* SPDX-License-Identifier: MIT */\n"

# An edge that the table forbids for each of its rows: file, include.
WRONG_EDGES = [
    ("kernel/abi/twz/a.h", "<stdio.h>"),
    ("kernel/abi/twz/a.h", "<kernel/public.h>"),
    ("kernel/lib/a.c", "<kernel/public.h>"),
    ("kernel/lib/a.c", "<string.h>"),
    ("kernel/store/a.c", "<kernel/public.h>"),
    ("kernel/store/a.c", "<stdlib.h>"),
    ("kernel/core/a.c", "<twz/obj.h>"),
    ("kernel/core/a.c", "<kernel/above.h>"),
    ("kernel/mm/a.c", "\"../core/private.h\""),
    ("kernel/obj/a.c", "\"../arch/x86_64/x86.h\""),
    ("kernel/sec/a.c", "\"../sys/private.h\""),
    ("kernel/init/a.c", "\"../arch/x86_64/x86.h\""),
    ("kernel/arch/x86_64/a.c", "\"../../core/private.h\""),
    ("kernel/dev/a.c", "<stdio.h>"),
    ("security/verify/a.c", "<kernel/public.h>"),
    ("security/verify/a.c", "<store/store.h>"),
    ("security/sign/a.c", "<kernel/public.h>"),
    ("libtwz/src/a.c", "<kernel/public.h>"),
    ("libtwz/src/a.c", "<store/store.h>"),
    ("libtwz/src/a.c", "<sys/syscall.h>"),
    ("libtwz/include/twz/a.h", "<hier/layout.h>"),
    ("objects/hier/a.c", "<kernel/public.h>"),
    ("objects/hier/a.c", "\"../../libtwz/src/private.h\""),
    ("objects/hier/a.c", "<linux/types.h>"),
    ("libtwix/src/a.c", "\"../../libtwz/src/private.h\""),
    ("libtwix/src/a.c", "<kernel/public.h>"),
    ("utils/one/a.c", "<kernel/public.h>"),
    ("utils/one/a.c", "\"../two/private.h\""),
    ("examples/a.c", "<kernel/public.h>"),
    ("somewhere/a.c", "<stdint.h>"),
]

RIGHT_EDGES = [
    ("kernel/abi/twz/a.h", "<stdint.h>"),
    ("kernel/lib/a.c", "<twz/types.h>"),
    ("kernel/store/a.c", "<lib/pure.h>"),
    ("kernel/core/a.c", "<kernel/public.h>"),
    ("kernel/sys/a.c", "<kernel/above.h>"),
    ("kernel/arch/x86_64/a.c", "\"x86.h\""),
    ("libtwz/src/a.c", "<twz/obj.h>"),
    ("objects/hier/a.c", "<twz/obj.h>"),
    ("libtwix/src/a.c", "<hier/layout.h>"),
    ("libtwix/src/a.c", "<linux/types.h>"),
    ("utils/one/a.c", "<store/store.h>"),
    ("tests/unit/a.c", "<store/store.h>"),
]

HEADERS = ["kernel/abi/twz/types.h", "kernel/include/kernel/public.h",
           "kernel/include/kernel/above.h", "kernel/core/private.h", "kernel/sys/private.h",
           "kernel/arch/x86_64/x86.h", "kernel/lib/pure.h", "kernel/store/store.h",
           "libtwz/include/twz/obj.h", "libtwz/src/private.h", "objects/hier/layout.h",
           "utils/two/private.h", "kernel/obj/above.c"]


def put(top, path, text):
    full = os.path.join(top, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as f:
        f.write(text)


def small_tree(path, text):
    """A tree with one file of each module and `path` in it; the caller removes it."""
    top = tempfile.mkdtemp(prefix="twz-house.")
    for header in HEADERS:
        put(top, header, SPDX)
    put(top, path, text)
    return top


def problems_of(check, path, text):
    top = small_tree(path, text)
    try:
        return [p for p in check(top)[1] if p.startswith(path + ":")]
    finally:
        shutil.rmtree(top)


def wanted(condition, what):
    if not condition:
        raise AssertionError(what)


def no_problems(problems):
    wanted(not problems, "\n" + "\n".join(problems))


def test_tree_includes_only_what_it_may():
    count, problems = check_includes.check(TOP)
    no_problems(problems)
    wanted(count > 20, f"only {count} files found")


def test_tree_keeps_the_style():
    count, problems = check_style.check(TOP)
    no_problems(problems)
    wanted(count > 20, f"only {count} files found")


def test_tree_keeps_the_dialect():
    count, problems = check_style.check_dialect(TOP)
    no_problems(problems)
    wanted(count > 20, f"only {count} files found")


def test_tree_keeps_the_language():
    count, problems = check_language.check(TOP)
    no_problems(problems)
    wanted(count > 20, f"only {count} files found")


def test_tree_calls_only_downward():
    count, problems = check_calls.check(TOP)
    no_problems(problems)
    wanted(count > 20, f"only {count} files found")


def test_abi_document_is_what_the_tables_say():
    no_problems(make_abi_doc.check(TOP))


def test_every_header_compiles_alone():
    compilers = [c for c in ("gcc", "clang") if shutil.which(c)]
    count, problems = check_headers.check(TOP, BUILD, compilers)
    no_problems(problems)
    wanted(count > 10, f"only {count} compilations")


def test_each_wrong_edge_is_caught():
    for path, include in WRONG_EDGES:
        found = problems_of(check_includes.check, path, f"{SPDX}#include {include}\n")
        wanted(len(found) == 1, f"{path} with {include}: {found}")


def test_right_edges_pass():
    for path, include in RIGHT_EDGES:
        found = problems_of(check_includes.check, path, f"{SPDX}#include {include}\n")
        wanted(not found, f"{path} with {include}: {found}")


def calls_problems(files, circles, upward, layers=None):
    """The problems that check_calls finds in a tree of these files with these tables."""
    top = tempfile.mkdtemp(prefix="twz-house.")
    tables = check_calls.CIRCLES, check_calls.UPWARD, check_calls.LAYERS
    check_calls.CIRCLES, check_calls.UPWARD, check_calls.LAYERS = circles, upward, layers or {}
    try:
        for path, text in files.items():
            put(top, path, SPDX + text)
        return check_calls.check(top)[1]
    finally:
        check_calls.CIRCLES, check_calls.UPWARD, check_calls.LAYERS = tables
        shutil.rmtree(top)


def test_calls_checker_catches():
    call = "void {}(void)\n{{\n    {}();\n}}\n"
    circle = {"libtwz/src/a.c": call.format("a", "b"), "libtwz/src/b.c": call.format("b", "a")}
    found = calls_problems(circle, {}, {})
    wanted(len(found) == 1 and "circles in libtwz/src: [2]" in found[0], f"circle: {found}")
    found = calls_problems(circle, {"libtwz/src": [2]}, {})
    wanted(not found, f"circle in the table: {found}")
    found = calls_problems(circle, {"libtwz/src": [3]}, {})
    wanted(len(found) == 1, f"circle smaller than in the table: {found}")

    up = {"kernel/mm/a.c": call.format("a", "b"), "kernel/core/b.c": call.format("b", "c")}
    found = calls_problems(up, {}, {})
    wanted(len(found) == 1 and found[0].startswith("kernel/mm/a.c:4: "), f"upward call: {found}")
    found = calls_problems(up, {}, {"kernel: mm -> core": ["b"]})
    wanted(not found, f"upward call in the table: {found}")
    found = calls_problems(up, {}, {"kernel: mm -> core": ["b", "gone"]})
    wanted(len(found) == 1 and "gone" in found[0], f"upward call only in the table: {found}")

    level = {"kernel/dev/a.c": call.format("a", "b"), "kernel/sys/b.c": call.format("b", "a")}
    found = calls_problems(level, {}, {})
    wanted(len(found) == 1 and "circles in kernel/: [2]" in found[0], f"folders: {found}")

    down = {"libtwz/src/a.c": call.format("a", "b"), "libtwz/src/b.c": call.format("b", "c")}
    for layers, problem in ((["b", "a"], None), (["a", "b"], "libtwz/src/a.c:4: b of b.c"),
                            (["a b"], "libtwz/src/a.c:4: b of b.c"),
                            (["b"], "libtwz/src/a.c:1: in no layer"),
                            (["b", "a", "c"], "libtwz/src/c.c, which is gone")):
        found = calls_problems(down, {}, {}, {"libtwz/src": layers})
        wanted(len(found) == (1 if problem else 0) and (problem or "") in "".join(found),
               f"layers {layers}: {found}")


def test_calls_checker_reads_headers():
    header = {"libtwz/src/a.h": "void a(void);\n", "libtwz/src/b.h": "void b(void);\n",
              "libtwz/src/a.c": '#include "b.h"\nvoid a(void)\n{\n}\n',
              "libtwz/src/b.c": '#include "a.h"\nvoid b(void)\n{\n}\n'}
    wanted(len(calls_problems(header, {}, {})) == 1, "a circle of includes, not caught")
    for text in ("/* b() */\n", 'static const char *x = "b";\n', "static int y = sizeof(z->b);\n",
                 "static void b(void)\n{\n}\nvoid a(void)\n{\n    b();\n}\n"):
        files = {"libtwz/src/a.c": text, "libtwz/src/b.c": "void b(void)\n{\n    a();\n}\n"}
        wanted(not calls_problems(files, {}, {}), f"no call, but taken for one: {text!r}")


def test_style_checker_catches():
    good = SPDX + "int a;\n"
    wanted(not problems_of(check_style.check, "libtwz/a.c", good), "a good file has problems")
    for bad in ("int a;\n", SPDX + "int a; \n", SPDX + "\tint a;\n", SPDX + "int a;",
                SPDX + "/* TO" "DO: more */\n", SPDX + "#if 0\n#endif\n",
                SPDX + "int " + 100 * "a" + ";\n", SPDX + 800 * "int a;\n"):
        wanted(problems_of(check_style.check, "libtwz/a.c", bad), f"not caught: {bad[:60]!r}")
    wanted(problems_of(check_style.check, "libtwz/a.h", good), "no include guard, not caught")
    wanted(not problems_of(check_style.check, "libtwz/a.h", SPDX + "#undef A\n"), "no guard needed")


def test_dialect_checker_catches():
    for good in RIGHT_DIALECT:
        found = problems_of(check_style.check_dialect, "libtwz/a.c", SPDX + good)
        wanted(not found, f"{good!r}: {found}")
    for bad in WRONG_DIALECT:
        found = problems_of(check_style.check_dialect, "libtwz/a.c", SPDX + bad)
        wanted(len(found) == 1, f"{bad!r}: {found}")


def test_language_checker_catches():
    for path, good in RIGHT_WORDS:
        found = problems_of(check_language.check, path, good)
        wanted(not found, f"{path} with {good!r}: {found}")
    for path, bad in WRONG_WORDS:
        found = problems_of(check_language.check, path, bad)
        wanted(len(found) == 1, f"{path} with {bad!r}: {found}")


def test_each_term_has_an_example():
    """Each row of the table is caught by one of the examples."""
    for pattern, *row in check_language.TERMS:
        term = check_language.Term(pattern, *row)
        hits = [text for path, text in WRONG_WORDS if term.holds_in(path)
                and (term.text and term.text.search(text)
                     or term.code and any(term.code.search(n) for n in re.findall(r"\w+", text)))]
        wanted(hits, f"no example for {pattern}")


def test_header_checker_catches():
    top = small_tree("kernel/lib/needs.h", SPDX + "uint32_t lib_needs(void);\n")
    try:
        count, problems = check_headers.check(top, BUILD, ["gcc"])
    finally:
        shutil.rmtree(top)
    wanted(count > 5 and len(problems) == 1 and "needs.h" in problems[0], str(problems))


def test_runner_counts():
    for text, status, result in [
            ("x\n3 passed, 0 failed\n", 0, (3, 0, 0)),
            ("3 passed, 2 failed, 1 skipped\n", 1, (3, 2, 1)),
            ("100%: Checks: 4, Failures: 0, Errors: 0\n", 0, (4, 0, 0)),
            ("50%: Checks: 4, Failures: 1, Errors: 1\na.c:1:F:…\n", 1, (2, 2, 0)),
            ("", 0, (0, 1, 0)),
            ("3 passed, 0 failed\nand more\n", 0, (0, 1, 0)),
            ("3 passed, 0 failed\n", 1, (3, 1, 0)),
            ("3 passed, 0 failed\n", -11, (3, 1, 0)),
            ("3 passed, 0 failed\n", None, (3, 1, 0)),
            ("no network\n", 77, (0, 0, 1))]:
        got = run.count(text, status)[:3]
        wanted(got == result, f"{text!r} with {status}: {got}, wanted {result}")


class FakeTest:
    def __init__(self, name, seconds=60, alone=False):
        self.name, self.suite, self.seconds, self.alone = name, name.split("/")[0], seconds, alone


def test_runner_draws_a_sample():
    tests = [FakeTest(f"kernel/t{n}") for n in range(9)]
    tests += [FakeTest("unit/a"), FakeTest("crash/long", 1800), FakeTest("bare/alone", 60, True)]
    drawn = [run.sample(tests, seed) for seed in range(20)]
    for names in ([t.name for t in d] for d in drawn):
        wanted(len(names) == len(set(names)) == 4 and names[-1] == "unit/a", f"drawn: {names}")
        wanted(not {"crash/long", "bare/alone"} & set(names), f"drawn: {names}")
    wanted(len({t.name for d in drawn for t in d}) == 10, "some tests are never drawn")
    wanted(run.sample(tests, 3) == drawn[3], "the same seed draws another sample")


def test_c_is_formatted():
    tool = shutil.which("clang-format")
    if not tool:
        raise counting.Skipped("clang-format is not installed")
    version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
    if f"version {FORMATTER}." not in version:
        raise counting.Skipped(f"clang-format is not version {FORMATTER}, which this tree follows")
    files = [path for path in tree.files(TOP) if path.endswith((".c", ".h"))]
    result = subprocess.run([tool, "--dry-run", "-Werror", *files], cwd=TOP, capture_output=True,
                            text=True)
    wrong = sorted({line.split(":")[0] for line in result.stderr.splitlines() if ": error: " in line})
    wanted(result.returncode == 0, f"run ./twz fmt: {' '.join(wrong)}")


def test_scripts_are_clean():
    if not shutil.which("shellcheck"):
        raise counting.Skipped("shellcheck is not installed")
    scripts = ["twz", ".ci/run", "utils/dev/fetch-sources",
               "tests/debootstrap/bare.sh"]
    result = subprocess.run(["shellcheck", *scripts], cwd=TOP, capture_output=True, text=True)
    wanted(result.returncode == 0, result.stdout)


counting.run(globals(), *sys.argv[3:4])
