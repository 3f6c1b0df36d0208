# SPDX-License-Identifier: MIT
"""The mutation runner: its operators, its draw, its outcomes on a small tree, and a sample of this one.

Usage: test_mutants.py TREE BUILD [PART-OF-A-NAME]
"""

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile

TOP, BUILD = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
sys.path[:0] = [os.path.join(TOP, "tests/mutants"), os.path.join(TOP, "tests")]

import counting
import excuses
import mutants
import plan
import sites
import usage

TEXT = """/* if (this is a comment) flush(); */
static int first(struct thing *t, unsigned n)
{
    const char *s = "a == b";

    if (!t || n > 9)
        return -TWZ_EINVAL;
    t->count = n + 1;
    persist_flush(t, sizeof(*t));
    log("n == %u", n);
    return sec_check(t, TWZ_WRITE | TWZ_DEL) && s;
}
"""
# Operator: the lines that its mutants change, as they are afterwards.
BROKEN = {
    "negate": ["if (!(!t || n > 9))"],
    "drop-error": ["if (0 && (!t || n > 9))"],
    "boundary": ["if (!t || n >= 9)"],
    "logic": ["if (!t && n > 9)", "return sec_check(t, TWZ_WRITE | TWZ_DEL) || s;"],
    "arith": ["t->count = n - 1;"],
    "drop-store": [";"],
    "drop-call": [";"],
    "constant": ["if (!t || n > 10)", "t->count = n + 2;"],
    "rights": ["return sec_check(t, TWZ_READ | TWZ_DEL) && s;",
               "return sec_check(t, TWZ_WRITE | 0u) && s;"],
}

PROJECT = """project('small', 'c')
test('numbers', executable('numbers', 'code/numbers.c', 'test.c'), suite: 'code')
"""
OPTIONS = "option('lto', type: 'boolean', value: true)\n"
NUMBERS = """int limit(int n);
int unused(int n);
int limit(int n)
{
    if (n > 9)
        return 9;
    return n;
}

int unused(int n)
{
    return n == 3;
}
"""
TEST = """#include <stdio.h>
int limit(int n);
int main(void)
{
    int good = limit(20) == 9 && limit(3) == 3;

    printf("%d passed, %d failed\\n", good, !good);
    return !good;
}
"""


def wanted(condition, what):
    if not condition:
        raise AssertionError(what)


def same(got, expected):
    wanted(got == expected, f"got {got!r}, wanted {expected!r}")


def test_operators():
    found = {}
    for site in sites.of_file("a.c", TEXT):
        changed = [new for old, new in zip(TEXT.split("\n"), site.apply(TEXT).split("\n"))
                   if old != new]
        same(len(changed), 1)
        same(site.apply(TEXT).count("\n"), TEXT.count("\n"))
        found.setdefault(site.operator, []).append(changed[0].strip())
    same(found, BROKEN)


def test_keys_do_not_depend_on_other_lines():
    before = sites.of_file("a.c", TEXT)
    after = sites.of_file("a.c", "int other;\n\n" + TEXT)
    same([s.key for s in before], [s.key for s in after])
    same(len({s.key for s in before}), len(before))
    wanted(all(b.line + 2 == a.line for b, a in zip(before, after)), "lines")


def test_every_key_of_the_tree_is_unique():
    found = [s.key for list_of in mutants.all_sites(TOP, []).values() for s in list_of]
    same(len(set(found)), len(found))
    wanted(len(found) > 10000, f"only {len(found)} sites")


def test_draw_is_seeded_and_takes_every_operator():
    found = mutants.all_sites(TOP, ["hier"])

    def first(seed, count):
        return [site.key for _, (_, site) in zip(range(count), mutants.draw(found, seed))]

    same(first(1, 20), first(1, 20))
    wanted(first(1, 20) != first(2, 20), "two seeds, one draw")
    wanted(len({key[2] for key in first(1, 200)}) >= 10, "operators are missing in the draw")
    same(len(set(first(1, 10**6))), len(found["hier"]))


class SmallTree:
    """A project of one function with a test, and one without; the runner is set to it."""

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="twz-mutants.")
        self.dir = self.temporary.name
        self.groups, self.here = plan.GROUPS, mutants.HERE
        plan.GROUPS, mutants.HERE = {"code": (["code"], [], ["code/numbers"])}, self.dir
        for path, text in (("meson.build", PROJECT), ("meson_options.txt", OPTIONS),
                           ("code/numbers.c", NUMBERS), ("test.c", TEST), ("survivors.txt", "")):
            self.write(path, text)
        return self

    def __exit__(self, *_):
        plan.GROUPS, mutants.HERE = self.groups, self.here
        self.temporary.cleanup()

    def write(self, path, text):
        full = os.path.join(self.dir, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)

    def run(self, *words):
        """(exit status, output) of the runner."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = mutants.main([self.dir, os.path.join(self.dir, "out"), *words])
        return status, out.getvalue()


def test_outcomes():
    with SmallTree() as small:
        status, out = small.run("100")
        same(status, 1)
        for line in ("caught    code/numbers.c:5: limit: negate: code/numbers 1 of 1 failed",
                     "survived  code/numbers.c:12: unused: equal",
                     "same code code/numbers.c:5: limit: boundary"):
            wanted(line in out, f"{line!r} not in {out}")
        sums = re.search(r"(\d+) of 6 mutants tried, (\d+) caught, 0 explained, (\d+) survived", out)
        wanted(sums and int(sums[1]) == int(sums[2]) + int(sums[3]), out)
        status, again = small.run("100")
        wanted("limit: negate" not in again, f"tried again: {again}")
        wanted(again.endswith(out.splitlines()[-1] + "\n"), f"other sums: {again}")


def hang(*words):
    """(exit status, Usage) of a program that never ends, of 1 second each."""
    process = subprocess.Popen(words, start_new_session=True)
    found = usage.wait(process, usage.Usage(1, 1))
    inside = usage.members(process.pid)
    usage.end(process)
    gone = [pid for pid in inside if not os.path.exists(f"/proc/{pid}") or
            usage.fields(f"/proc/{pid}/stat")[:1] == ["Z"]]
    same(len(gone), len(inside))
    return *found, len(inside)


def test_a_hang_is_seen_whatever_it_does():
    status, used, _ = hang("sh", "-c", "while :; do :; done")
    wanted(status is None and used.work > 1 > used.idle, f"{status} {used}")
    status, used, count = hang("sh", "-c", "setsid -w sleep 1000")
    wanted(status is None and used.idle > 1 > used.work and count == 2, f"{status} {used} {count}")


def test_explained_survivor_and_stale_entries():
    with SmallTree() as small:
        equal = "code/numbers.c | {} | {} | {} | 0\n    it is like that\n"
        small.write("survivors.txt", equal.format("unused", "equal", "return n == 3;"))
        status, out = small.run("100")
        wanted("1 explained" in out and "survivors.txt: " not in out, out)
        small.write("survivors.txt", equal.format("limit", "negate", "if (n > 9)"))
        status, out = small.run("100")
        wanted(status == 1 and "survivors.txt: caught: code/numbers.c | limit | negate" in out, out)
        small.write("survivors.txt", equal.format("gone", "negate", "if (n > 9)"))
        status, out = small.run("100")
        wanted(status == 1 and "survivors.txt: no such site: code/numbers.c | gone" in out, out)


def test_a_test_that_fails_on_the_whole_tree_is_an_error():
    with SmallTree() as small:
        small.write("test.c", TEST.replace("limit(3) == 3", "limit(3) == 4"))
        try:
            small.run("1")
        except mutants.workshop.Broken as problem:
            wanted("fails on the whole tree" in str(problem), str(problem))
        else:
            raise AssertionError("no error")


def test_no_entry_of_the_survivors_is_stale():
    known = excuses.read_excuses(os.path.join(TOP, "tests/mutants/survivors.txt"))
    found = [s for list_of in mutants.all_sites(TOP, []).values() for s in list_of]
    same(excuses.stale_excuses(known, found), [])


def test_a_sample_of_this_tree():
    """Three mutants, drawn by the commit, on tests that need no machine. Some may survive these."""
    r = subprocess.run(["git", "-C", TOP, "rev-parse", "--short=7", "HEAD"], text=True,
                       capture_output=True, check=False)
    seed = str(int(r.stdout or "1", 16))
    r = subprocess.run([sys.executable, os.path.join(TOP, "tests/mutants/mutants.py"), TOP, BUILD, "3",
                        "hier", "--tests", "libtwz/hier", "--again", "--seed", seed, "--folder",
                        os.path.join(BUILD, "mutants-sample")], text=True, capture_output=True,
                       check=False)
    sums = re.search(r"^3 of (\d+) mutants tried, (\d+) caught", r.stdout, re.MULTILINE)
    wanted(sums and int(sums[1]) > 1000, r.stdout + r.stderr)
    print(f"      seed {seed}: {sums[0]}")


counting.run(globals(), *sys.argv[3:4])
