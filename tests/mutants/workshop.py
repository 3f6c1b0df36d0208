# SPDX-License-Identifier: MIT
"""A copy of the tree in which mutants are built and tested.

    shop = Workshop(top, folder)
    shop.build_tests(names)        # on the whole tree
    times.measure(shop, name)      # what the test uses there; it must pass
    with shop.broken(site):
        shop.judge(site, names, times) # {"outcome": …, "by": test, "how": …, "ran": […], "seconds": …}

Outcomes: "caught" (a test failed), "survived", "same code" (the compiler sees no difference),
"invalid" (it does not compile). A test of a mutant may use LIMIT times the processor time that it uses
on the whole tree, and be idle LIMIT times as long (usage.py); what other programs do changes neither.
"""

import contextlib
import filecmp
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import plan
import run
import usage

LIMIT = 4
SPARE = 8 # seconds
LEFT_OUT = {".git", "mutants", "__pycache__"}


class Broken(Exception):
    pass


def is_left_out(top, name):
    path = os.path.join(top, name)
    return name in LEFT_OUT or name.startswith("twz.pool") or \
        os.path.isdir(os.path.join(path, "meson-private"))


def copy_tree(top, target):
    """Makes target the same as top, touching only what differs."""
    for folder, folders, names in os.walk(top):
        folders[:] = [f for f in folders if not is_left_out(folder, f) or
                      (f == "mutants" and folder.endswith("tests"))]
        to = os.path.join(target, os.path.relpath(folder, top))
        os.makedirs(to, exist_ok=True)
        kept = set(folders) | set(names)
        for name in os.listdir(to):
            path = os.path.join(to, name)
            if name not in kept and not is_left_out(to, name):
                shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) \
                    else os.unlink(path)
        for name in names + [f for f in folders if os.path.islink(os.path.join(folder, f))]:
            source, copy = os.path.join(folder, name), os.path.join(to, name)
            if is_left_out(folder, name) or not os.path.exists(source):
                continue
            if os.path.islink(source):
                if not os.path.lexists(copy):
                    os.symlink(os.readlink(source), copy)
            elif not os.path.exists(copy) or not filecmp.cmp(source, copy, shallow=False):
                shutil.copy2(source, copy)
                os.utime(copy)


class Workshop:
    def __init__(self, top, folder):
        self.top, self.tree = top, os.path.join(folder, "tree")
        self.build = os.path.join(self.tree, "build")
        self.logs = os.path.join(folder, "logs")
        self.busy = False
        os.makedirs(self.logs, exist_ok=True)
        copy_tree(top, self.tree)
        if not os.path.exists(os.path.join(self.build, "build.ninja")):
            self.command(["meson", "setup", "--wipe" if os.path.isdir(self.build) else "--buildtype=debugoptimized",
                          "-Dwerror=false", "-Dlto=false", self.build, self.tree])
        else:
            self.command(["ninja", "-C", self.build, "build.ninja"]) # its own description may be old
        self.tests = {t.name: t for t in run.load_tests(self.build)}
        self.known = set(self.tests)
        self.known_targets = run.load_targets(self.build)
        self.targets = {}
        self.whole = {} # machine code by object file, for each source file

    def command(self, words):
        """Its output; Broken if it fails."""
        r = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False,
                           stderr=subprocess.STDOUT, text=True, errors="replace")
        if r.returncode:
            raise Broken("\n".join(r.stdout.splitlines()[-30:]))
        return r.stdout

    def ninja(self, name):
        """Builds what a test needs."""
        if name not in self.targets:
            files = run.files_of([self.tests[name]], self.build, self.known_targets)
            tools = [f"bin/{tool}" for tool in ("twz-obj", "twz-run")
                     if os.path.exists(os.path.join(self.tree, "utils", tool))]
            self.targets[name] = [] if plan.needs_system(name) else files + tools
        self.command(["ninja", "-C", self.build, *self.targets[name]])

    def build_tests(self, names):
        missing = [name for name in sorted(names) if name not in self.known]
        if missing:
            raise Broken(f"no such test: {missing}")
        if any(map(plan.needs_system, names)):
            self.command(["ninja", "-C", self.build])
        for name in sorted(names):
            self.ninja(name)

    def run_test(self, name, limits):
        """("passed", or what happened; the text; the Usage)."""
        test = self.tests[name]
        env = {**os.environ, **test.env, **plan.ENVIRONMENT}
        with open(os.path.join(self.logs, name.replace("/", ".") + ".log"), "w+b") as log:
            process = subprocess.Popen(
                test.command + plan.WORDS.get(name, []), cwd=test.cwd, env=env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True)
            status, used = usage.wait(process, limits)
            usage.end(process)
            log.seek(0)
            text = log.read().decode(errors="replace")
        passed, failed, _, remark = run.count(text, status)
        if failed:
            return remark or f"{failed} of {passed + failed} failed", text, used
        return "passed", text, used

    @contextlib.contextmanager
    def broken(self, site):
        path = os.path.join(self.tree, site.file)
        with open(path, encoding="utf-8") as f:
            whole = f.read()
        if site.file not in self.whole: # before the first mutant of this file, so of the whole tree
            self.whole[site.file] = self.code_of(site.file)
        try:
            with open(path, "w", encoding="utf-8") as f:
                f.write(site.apply(whole))
            yield
        finally:
            with open(path, "w", encoding="utf-8") as f:
                f.write(whole)

    def code_of(self, file):
        """{object file: machine code} of what is built from a source file."""
        folder, name = os.path.split(file)
        own = re.compile(rf"(?:^|[/_]){re.escape(os.path.basename(folder))}[/_](?:[^/]*[/_])?"
                         rf"(?:[^/]*\.p/)?(?:[^/]*_)?{re.escape(name)}\.o$")
        code = {}
        for path in glob.glob(os.path.join(self.build, "**", "*" + name + ".o"), recursive=True):
            if not own.search(os.path.relpath(path, self.build)):
                continue
            bare = path + ".bare"
            self.command(["objcopy", "--strip-debug", path, bare])
            with open(bare, "rb") as f:
                code[path] = f.read()
            os.unlink(bare)
        return code

    def is_same_code(self, file):
        now = self.code_of(file)
        return bool(self.whole[file]) and all(now.get(path) == code
                                              for path, code in self.whole[file].items())

    def judge(self, site, names, times):
        """The outcome on the tree as it is, which is broken at the site."""
        began = time.monotonic()
        ran = []

        def entry(outcome, by="", how=""):
            return {"outcome": outcome, "by": by, "how": how, "ran": ran,
                    "seconds": round(time.monotonic() - began, 1)}

        for name in names:
            try:
                self.ninja(name)
            except Broken as problem:
                return entry("invalid", how=str(problem).splitlines()[-1][:100])
            if not ran and self.is_same_code(site.file):
                return entry("same code")
            ran.append(name)
            result, _, _ = self.run_test(name, times.of[name].times(LIMIT, SPARE))
            if result != "passed":
                return entry("caught", name, result)
        return entry("survived")


class Times:
    """The Usage of each test on the whole tree, kept in a file."""

    def __init__(self, path):
        self.path, self.of = path, {}
        self.lock = threading.Lock()
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                self.of = {name: usage.Usage(*pair) for name, pair in json.load(f).items()}

    @property
    def seconds(self):
        return {name: used.work + used.idle for name, used in self.of.items()}

    def measure(self, shop, name):
        longest = shop.tests[name].seconds
        result, text, used = shop.run_test(name, usage.Usage(longest, longest) if longest > 0 else None)
        if result != "passed":
            raise Broken(f"{name} fails on the whole tree: {result}\n{text[-3000:]}")
        with self.lock:
            self.of[name] = used
            with open(self.path, "w", encoding="utf-8") as f:
                json.dump(self.of, f)
