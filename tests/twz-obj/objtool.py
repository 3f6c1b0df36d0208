# SPDX-License-Identifier: MIT
"""A pool file in a directory of its own, and twz-obj on it."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile

LIMIT = 120


class Failure(AssertionError):
    pass


def wanted(condition, what):
    if not condition:
        raise Failure(what)


def same(got, expected, what=""):
    if got != expected:
        raise Failure(f"{what}{': ' if what else ''}got {got!r}, wanted {expected!r}"[:800])


def holds(text, *parts):
    for part in parts:
        if part not in text:
            raise Failure(f"{part!r} not in {text!r}"[:800])


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def one_line(text, *parts):
    """Exactly one line of an error, and it holds the parts."""
    lines = text.splitlines()
    wanted(len(lines) == 1 and lines[0].startswith("twz-obj: "), f"not one error line: {text!r}")
    holds(lines[0], *parts)


class Pool:
    def __init__(self, program, size="4M"):
        self.program = os.path.abspath(program)
        self.dir = tempfile.mkdtemp(prefix="twz-obj-test.")
        self.path = os.path.join(self.dir, "pool")
        if size:
            self("mkpool", "--size", size)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)

    def __call__(self, *words, code=0, text=True, program=None, env=None, **more):
        """Run a command; the result has stdout, stderr, returncode. code None: any below 128."""
        if "input" not in more:
            more.setdefault("stdin", subprocess.DEVNULL)
        r = subprocess.run([program or self.program, "--pool", self.path, *map(str, words)],
                           capture_output=True, timeout=LIMIT, text=text,
                           env={**os.environ, **(env or {})}, **more)
        said = (f"{' '.join(map(str, words))[:200]}: status {r.returncode}: {r.stdout[-300:]!r} "
                f"{r.stderr[-300:]!r}")
        wanted(0 <= r.returncode < 128, said)
        wanted(code is None or r.returncode == code, f"wanted {code}: {said}")
        return r

    def out(self, *words, **more):
        return self(*words, **more).stdout

    def line(self, *words, **more):
        return self.out(*words, **more).strip()

    def json(self, *words, code=0, **more):
        """The objects of --json, and the document's form is right."""
        document = json.loads(self.out(*words, "--json", code=code, **more))
        same(sorted(document), ["format", "objects"])
        same(document["format"], 1)
        return document["objects"]

    def file(self, name, data=b"", mode=0o644):
        """A host file beside the pool."""
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, mode)
        return path

    def check(self):
        self("check")

    def lost(self):
        return self.out("lost").split("\n")[:-1]
