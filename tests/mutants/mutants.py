# SPDX-License-Identifier: MIT
"""Breaks the sources, one place at a time, and sees whether the tests notice: how dense the net is.

Usage: ./twz test --mutants [N | MODULE]... [--seed S] [--jobs J] [--tests NAME]... [--again]
                            [--survivors] [--fast] [--list] [--table]

A MODULE is a group (store, kernel, hier, libtwz, libtwix, twz-obj, security) or a folder, kernel/obj; none: all.
N mutants (default 12) are drawn: groups in turn, then an operator of sites.py, then one of its sites.
Each is built in a copy of the tree below BUILD/mutants, where only what changed is compiled. If the
compiler makes the same code of it, it is no mutant and another one is drawn; also if it does not
compile. Then the tests of its group run until one fails, within LIMIT times of what they use on the
whole tree. Outcomes lie in BUILD/mutants/results.jsonl, and a mutant of unchanged code that has one
is not tried again, so an interrupted run goes on where it was. --again tries all of the draw again,
--survivors those of earlier runs that survived. --fast leaves the slow tests out: run --survivors after
it. --list names the draw, --table prints all outcomes.

survivors.txt has the mutants that do no harm, with the reason. An entry without a site is an error, and
so is one whose mutant is caught. Exit status 1: a mutant survived that has no entry, or such an error.
"""

import argparse
import concurrent.futures
import contextlib
import hashlib
import json
import os
import random
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import plan
import sites
import workshop
from excuses import read_excuses, stale_excuses

DRAWN = 12
GROUP_SHARE = {"kernel": 3, "store": 2, "hier": 2, "libtwz": 2, "libtwix": 2, "twz-obj": 1}


def parse_arguments(words):
    parser = argparse.ArgumentParser(prog="./twz test --mutants", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("top", help=argparse.SUPPRESS)
    parser.add_argument("build", help=argparse.SUPPRESS)
    parser.add_argument("what", nargs="*", metavar="N | MODULE", help="how many, and of what")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="copies of the tree that work at a time")
    parser.add_argument("--tests", action="append", help="only these tests")
    parser.add_argument("--folder", help="where the copies and the outcomes are")
    for name in ("--again", "--survivors", "--fast", "--list", "--table"):
        parser.add_argument(name, action="store_true")
    args = parser.parse_intermixed_args(words)
    numbers = [w for w in args.what if w.isdigit()]
    args.count = int(numbers[-1]) if numbers else DRAWN
    args.modules = [w.rstrip("/") for w in args.what if not w.isdigit()]
    return args


def all_sites(top, modules, groups=None):
    """{group: [site, …]} of the chosen modules."""
    found = {}
    for group in groups or plan.GROUPS:
        for path in plan.files(top, group):
            if modules and group not in modules and \
                    not any(path == m or path.startswith(m + "/") for m in modules):
                continue
            with open(os.path.join(top, path), encoding="utf-8") as f:
                found.setdefault(group, []).extend(sites.of_file(path, f.read()))
    return found


def draw(found, seed):
    """All sites as (group, site) in a random order in which each first part is a fair sample: of the
    groups by their share, of the operators evenly."""
    dice = random.Random(seed)
    heaps = {}
    for group, list_of in found.items():
        by_operator = {}
        for site in dice.sample(list_of, len(list_of)):
            by_operator.setdefault(site.operator, []).append(site)
        heaps[group] = by_operator
    groups = [g for g in found for _ in range(GROUP_SHARE.get(g, 1))]
    while heaps:
        for group in dice.sample(groups, len(groups)):
            if group not in heaps:
                continue
            operator = dice.choice(sorted(heaps[group]))
            yield group, heaps[group][operator].pop()
            if not heaps[group][operator]:
                del heaps[group][operator]
            if not heaps[group]:
                del heaps[group]


class Results:
    """The outcomes so far, one JSON object a line. Those of changed code do not count."""

    def __init__(self, path, top):
        self.path, self.top = path, top
        self.lock = threading.Lock()
        self.all = []
        self.sums = {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                self.all = [json.loads(line) for line in f]

    def sum_of(self, file):
        if file not in self.sums:
            with open(os.path.join(self.top, file), "rb") as f:
                self.sums[file] = hashlib.sha256(f.read()).hexdigest()[:16]
        return self.sums[file]

    def add(self, site, **more):
        entry = {"key": list(site.key), "line": site.line, "sum": self.sum_of(site.file), **more}
        with self.lock:
            self.all.append(entry)
            with open(self.path, "a", encoding="utf-8") as f:
                f.write(json.dumps(entry) + "\n")
        return entry

    def of(self, site):
        """The last outcome on the site."""
        return next((e for e in reversed(self.all) if tuple(e["key"]) == site.key and
                     e["sum"] == self.sum_of(site.file)), None)

    def history(self, folder):
        """{test: (tried, caught)} of the mutants of a folder."""
        found = {}
        for entry in self.all:
            if os.path.dirname(entry["key"][0]) != folder:
                continue
            for name in entry.get("ran", []):
                tried, caught = found.get(name, (0, 0))
                found[name] = (tried + 1, caught + (name == entry.get("by")))
        return found


def show(entry):
    file, function, operator, words, _ = entry["key"]
    by = f"{entry.get('by', '')} {entry.get('how', '')}".strip()
    print(f"{entry['outcome']:9} {file}:{entry['line']}: {function}: {operator}"
          f"{': ' + by if by else ''} ({entry.get('seconds', 0):.0f} s)", flush=True)
    if entry["outcome"] == "survived":
        print(f"          | {words}", flush=True)


def open_shops(args, folder, groups, times):
    """The copies of the tree, built. Tests of which it is not known what they use are run there."""
    shops = [workshop.Workshop(args.top, os.path.join(folder, f"shop-{n}"))
             for n in range(max(1, args.jobs))]
    names = {name for group in groups
             for name in args.tests or plan.tests_of(group, args.fast)}
    left = sorted(names - set(times.of))

    def one_shop(shop):
        shop.build_tests(names)
        while left:
            with contextlib.suppress(IndexError): # the other shops take from it as well
                times.measure(shop, left.pop())

    in_all(shops, one_shop)
    return shops


def in_all(shops, work):
    """work(shop) of each shop, at a time."""
    with concurrent.futures.ThreadPoolExecutor(len(shops)) as pool:
        for future in [pool.submit(work, shop) for shop in shops]:
            future.result()


def try_site(shop, group, site, args, results, times):
    """Builds and tests one mutant. The entry of its outcome."""
    names = plan.order_tests(args.tests or plan.tests_of(group, args.fast),
                             times.seconds, results.history(os.path.dirname(site.file)))
    with shop.broken(site):
        entry = shop.judge(site, names, times)
    return results.add(site, group=group, **entry)


def run_draw(order, args, results, shops, times):
    """Tries sites until `count` are mutants with a outcome. Their entries."""
    entries, lock = [], threading.Lock()
    left = iter(order)

    def one_shop(shop):
        while True:
            with lock:
                if len(entries) + sum(s.busy for s in shops) >= args.count:
                    return
                group, site = next(left, (None, None))
                shop.busy = site is not None
            if not site:
                return
            known = None if args.again else results.of(site)
            entry = known or try_site(shop, group, site, args, results, times)
            with lock:
                shop.busy = False
                if entry["outcome"] in ("caught", "survived"):
                    entries.append(entry)
            if not known:
                show(entry)

    in_all(shops, one_shop)
    return entries


def print_table(entries, found, excused):
    """Sums for each group; the number of unexplained survivors."""
    rows = {}
    for entry in entries:
        row = rows.setdefault(entry["group"], {"caught": 0, "explained": 0, "survived": 0})
        outcome = entry["outcome"]
        row["explained" if outcome == "survived" and tuple(entry["key"]) in excused else outcome] += 1
    print(f"\n{'group':10} {'existing':>9} {'tried':>6} {'caught':>7} {'explained':>10} {'survived':>9}")
    total = [0] * 5
    for group in found:
        row = rows.get(group, {"caught": 0, "explained": 0, "survived": 0})
        line = [len(found[group]), sum(row.values()), *row.values()]
        total = [a + b for a, b in zip(total, line)]
        print("{:10} {:9} {:6} {:7} {:10} {:9}".format(group, *line))
    print("{:10} {:9} {:6} {:7} {:10} {:9}".format("all", *total))
    return total


def check_excuses(top, entries):
    """Problems of survivors.txt: entries without a site, or with a mutant that was caught."""
    excuses = read_excuses(os.path.join(HERE, "survivors.txt"))
    problems = stale_excuses(excuses, [s for list_of in all_sites(top, []).values() for s in list_of])
    caught = {tuple(e["key"]) for e in entries if e["outcome"] == "caught"}
    problems += [f"survivors.txt: caught: {' | '.join(map(str, key))}" for key in excuses if key in caught]
    return excuses, problems


def selected(args, found, results):
    """The sites to try, as (group, site), in order; sets args.count where it is given by them."""
    if not args.survivors:
        return draw(found, args.seed)
    order = [(group, site) for group, list_of in found.items() for site in list_of
             if (results.of(site) or {}).get("outcome") == "survived"]
    args.again, args.count = True, len(order)
    return order


def latest(results, found):
    return [e for e in (results.of(s) for list_of in found.values() for s in list_of)
            if e and e["outcome"] in ("caught", "survived")]


def main(words):
    args = parse_arguments(words)
    folder = args.folder or os.path.join(args.build, "mutants")
    os.makedirs(folder, exist_ok=True)
    results = Results(os.path.join(folder, "results.jsonl"), args.top)
    found = all_sites(args.top, args.modules)
    if not found:
        print("twz: test: no such module: " + " ".join(args.modules), file=sys.stderr)
        return 3
    order = selected(args, found, results)
    if args.list:
        for _, (group, site) in zip(range(args.count), order):
            print(f"{group:8} {site}: {site.words}")
        return 0
    if args.table:
        entries = latest(results, found)
        for entry in entries:
            show(entry)
    else:
        times = workshop.Times(os.path.join(folder, "times.json"))
        entries = run_draw(order, args, results, open_shops(args, folder, found, times), times)
    excused, problems = check_excuses(args.top, entries)
    total = print_table(entries, found, excused)
    print("\n".join(problems), end="\n" if problems else "")
    share = 100 * (total[2] + total[3]) / total[1] if total[1] else 100
    print(f"{total[1]} of {total[0]} mutants tried, {total[2]} caught, {total[3]} explained, "
          f"{total[4]} survived: {share:.1f} %")
    return 1 if total[4] or problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
