# SPDX-License-Identifier: MIT
"""Runs the tests of a build directory and sums up their results.

Usage: run.py BUILD [--long | --sample] [--seed N] [--list] [--jobs N] [SUITE | SUITE/NAME | NAME]...

A test is a program whose last line of output is "N passed, N failed[, N skipped]" (a program on the
Check library may end with Check's own summary). A program that prints no such line, crashes or runs
out of time counts as one failed test; exit status 77 without such a line is one skipped test. The
last line printed here is the sum, "N passed, N failed". --long sets TWZ_TEST_LONG=1 for the tests.
--sample draws some of the short tests of each suite, by the seed: for a place where all of them have
run elsewhere. The whole ordinary run must stay within LIMIT_MINUTES on two cores: what is added there
takes a sample, and its full size belongs to --long.
"""

import argparse
import concurrent.futures
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

import backstop

SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")
CHECK_SUMMARY = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.MULTILINE)
EXIT_SKIPPED = 77
SHOWN_LINES = 60
HEARTBEAT_SECONDS = 30
LIMIT_MINUTES = 20
SAMPLE_SHARE = 4 # --sample draws one in four
SHORT = 300 # seconds: the longest time-out of a short test
SLOWEST = 8


class Test:
    def __init__(self, entry, build):
        self.suite = entry["suite"][0].split(":")[-1] if entry["suite"] else "other"
        self.name = f"{self.suite}/{entry['name'].split(':')[-1].strip()}"
        self.command = entry["cmd"]
        self.env = entry["env"]
        self.cwd = entry["workdir"] or build
        self.seconds = entry["timeout"]
        self.limit = backstop.seconds(self.seconds) if self.seconds > 0 else None
        self.alone = not entry["is_parallel"]
        self.depends = entry["depends"]
        self.started = None

    def chosen_by(self, words):
        own = (self.suite, self.name, self.name.split("/")[1])
        return not words or any(word in own for word in words)


class Result:
    def __init__(self, test, text, status, seconds):
        self.test, self.text, self.seconds = test, text, seconds
        self.passed, self.failed, self.skipped, self.remark = count(text, status)


def count(text, status):
    """(passed, failed, skipped, remark) of a test's output and exit status (None: out of time)."""
    lines = text.strip().splitlines()
    summary = SUMMARY.match(lines[-1].strip()) if lines else None
    check = CHECK_SUMMARY.findall(text)
    if summary:
        passed, failed, skipped = (int(n or 0) for n in summary.groups())
    elif check:
        total, failures, errors = (int(n) for n in check[-1])
        passed, failed, skipped = total - failures - errors, failures + errors, 0
    elif status == EXIT_SKIPPED:
        return 0, 0, 1, lines[-1] if lines else ""
    else:
        passed = failed = skipped = 0

    if status is None:
        return passed, failed + 1, skipped, "out of time"
    if status < 0:
        return passed, failed + 1, skipped, f"killed by {signal.Signals(-status).name}"
    if not summary and not check:
        return passed, 1, skipped, f"no summary line, exit status {status}"
    if status and not failed:
        return passed, 1, skipped, f"exit status {status} although nothing failed"
    return passed, failed, skipped, ""


def run_one(test, log_dir, extra_env):
    test.started = time.monotonic()
    path = os.path.join(log_dir, test.name.replace("/", ".") + ".log")
    with open(path, "w+b") as log:
        process = subprocess.Popen(
            test.command, cwd=test.cwd, env={**os.environ, **test.env, **extra_env},
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(test.limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = None
        log.seek(0)
        text = log.read().decode(errors="replace")
    return Result(test, text, status, time.monotonic() - test.started)


def report(result):
    parts = [f"{result.passed} passed", f"{result.failed} failed" if result.failed else "",
             f"{result.skipped} skipped" if result.skipped else ""]
    head = f"{'FAIL' if result.failed else 'ok  '} {result.test.name}: "
    print(f"{head}{', '.join(filter(None, parts))} ({result.seconds:.1f} s){': ' + result.remark if result.remark else ''}")
    if result.failed:
        for text in result.text.strip().splitlines()[-SHOWN_LINES:]:
            print(f"    | {text}")
    elif result.skipped:
        for text in result.text.splitlines():
            if text.startswith("skip"):
                print(f"    | {text}")
    sys.stdout.flush()


def heartbeat(running, stop):
    while not stop.wait(HEARTBEAT_SECONDS):
        names = [f"{t.name} ({time.monotonic() - t.started:.0f} s)" for t in list(running)]
        if names:
            print("...  still running: " + ", ".join(names), flush=True)


def run_all(tests, jobs, log_dir, extra_env):
    """The results in the order of their ends. Tests that must run alone run after the others."""
    running = set()
    stop = threading.Event()
    beat = threading.Thread(target=heartbeat, args=(running, stop), daemon=True)
    beat.start()

    def one(test):
        running.add(test)
        try:
            return run_one(test, log_dir, extra_env)
        finally:
            running.discard(test)

    results = []
    together = [t for t in tests if not t.alone]
    alone = [t for t in tests if t.alone]
    for group, width in ((together, jobs), (alone, 1)):
        with concurrent.futures.ThreadPoolExecutor(width) as pool:
            futures = [pool.submit(one, t) for t in group]
            for future in concurrent.futures.as_completed(futures):
                results.append(future.result())
                report(results[-1])
    stop.set()
    return results


def introspect(build, what):
    meson = os.environ.get("MESON", "meson")
    text = subprocess.run([meson, "introspect", "--" + what, build], check=True,
                          stdout=subprocess.PIPE).stdout
    return json.loads(text)


def load_tests(build):
    return [Test(entry, build) for entry in introspect(build, "tests")]


def load_targets(build):
    return introspect(build, "targets")


def files_of(tests, build, targets=None):
    """The files, relative to the build directory, that the build description says they need."""
    wanted = {target for test in tests for target in test.depends}
    return sorted({os.path.relpath(name, os.path.abspath(build))
                   for target in targets or load_targets(build) if target["id"] in wanted
                   for name in target["filename"]})


def sample(tests, seed):
    """One in SAMPLE_SHARE of the short tests of each suite, at least one."""
    dice = random.Random(seed)
    suites = {}
    for test in tests:
        if 0 < test.seconds <= SHORT and not test.alone:
            suites.setdefault(test.suite, []).append(test)
    chosen = []
    for suite in sorted(suites):
        short = sorted(suites[suite], key=lambda test: test.name)
        chosen += dice.sample(short, -(-len(short) // SAMPLE_SHARE))
    return chosen


def print_times(results, seconds):
    slow = sorted(results, key=lambda r: -r.seconds)[:SLOWEST]
    print("slowest: " + ", ".join(f"{r.test.name} {r.seconds:.0f} s" for r in slow))
    print(f"all of it: {seconds:.0f} s")


def print_suites(results):
    suites = {}
    for r in results:
        sums = suites.setdefault(r.test.suite, [0, 0, 0, 0.0])
        for i, n in enumerate((r.passed, r.failed, r.skipped, r.seconds)):
            sums[i] += n
    print()
    for suite, (passed, failed, skipped, seconds) in suites.items():
        print(f"{suite:12} {passed:6} passed {failed:4} failed {skipped:4} skipped "
              f"{seconds:8.1f} s")


class Parser(argparse.ArgumentParser):
    """Reports wrong use as the driver does, which alone has the usage."""

    def error(self, message):
        self.exit(2, f"twz: test: {message}: see ./twz test --help\n")


def main():
    parser = Parser(prog="./twz test", add_help=False) # the driver prints the help
    parser.add_argument("build", help=argparse.SUPPRESS)
    parser.add_argument("--long", action="store_true", help="run the samples at their full size")
    parser.add_argument("--sample", action="store_true", help="some short tests of each suite")
    parser.add_argument("--seed", type=int, default=1, help="of --sample")
    parser.add_argument("--list", action="store_true", help="only name the tests")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="tests at a time")
    parser.add_argument("what", nargs="*", metavar="SUITE|SUITE/NAME",
                        help="suites or tests to run; none: all")
    args = parser.parse_intermixed_args()

    known = load_tests(args.build)
    unknown = [w for w in args.what if not any(t.chosen_by([w]) for t in known)]
    if unknown:
        print("twz: test: no such suite or test: " + " ".join(unknown) + ": see ./twz test --list",
              file=sys.stderr)
        return 3
    tests = [t for t in known if t.chosen_by(args.what)]
    if args.sample:
        tests = sample(tests, args.seed)
    if args.list:
        print("\n".join(t.name for t in tests))
        return 0
    log_dir = os.path.join(args.build, "test-logs")
    os.makedirs(log_dir, exist_ok=True)
    print(f"running {len(tests)} test programs, {args.jobs} at a time; logs in {log_dir}",
          flush=True)
    extra_env = {"TWZ_TEST_LONG": "1"} if args.long else {}
    began = time.monotonic()
    results = run_all(tests, max(1, args.jobs), log_dir, extra_env)
    print_suites(results)
    print_times(results, time.monotonic() - began)
    passed, failed, skipped = (sum(getattr(r, n) for r in results)
                               for n in ("passed", "failed", "skipped"))
    if skipped:
        print(f"{skipped} skipped, for the reasons above")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
