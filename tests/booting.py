# SPDX-License-Identifier: MIT
"""Boots the system for tests: a throw-away pool with the system's programs, programs that run in
it, and twz-obj on its objects in between.

    with booting.Pool(build) as pool:
        r = pool.run("cat", input=b"x")      # r.returncode, r.stdout, r.stderr
        pool.put("/host/file", "/data/file") # twz-obj put
        pool.tool("ls", "/data").stdout

A boot that takes longer than BOOT_LIMIT seconds fails its test.
"""

import os
import re
import shutil
import subprocess
import tempfile

import backstop

BOOT_LIMIT = backstop.seconds(120)
TOOL_LIMIT = backstop.seconds(120)
PANIC = re.compile(rb"panic|assert", re.IGNORECASE)


class Failure(AssertionError):
    pass


def wanted(condition, what):
    if not condition:
        raise Failure(what)


def same(got, expected, what=""):
    if got != expected:
        raise Failure(f"{what}{': ' if what else ''}got {got!r}, wanted {expected!r}")


def holds(text, *parts):
    for part in parts:
        if part not in text:
            raise Failure(f"{part!r} not in {text!r}")


class Pool:
    def __init__(self, build, size="256M", system=True):
        self.build = os.path.abspath(build)
        self.dir = tempfile.mkdtemp(prefix="twz-pool.")
        self.path = os.path.join(self.dir, "pool")
        self.log_path = os.path.join(self.dir, "log")
        if size:
            self.tool("mkpool", "--size", size)
        if size and system:
            self.put_system()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)

    def bin(self, name):
        return os.path.join(self.build, "bin", name)

    def system(self):
        """[(host path, path in the pool), …] of the system's programs."""
        with open(os.path.join(self.build, "system.list"), encoding="utf-8") as f:
            pairs = [line.split() for line in f if line.strip()]
        return [(os.path.join(self.build, host), path) for host, path in pairs]

    def put_system(self):
        lines = ["mkdir -p /host"]
        for host, path in self.system():
            lines += [f"mkdir -p {os.path.dirname(path)}", f"put --perms rx {host} {path}"]
            lines += [f"boot {path}"] if path == "/bin/init" else []
        self.tool("batch", "-", input="\n".join(lines) + "\n")

    def tool(self, *words, expect=0, text=True, **more):
        """Runs twz-obj on this pool. Its exit status must be `expect` (None: any)."""
        if "input" not in more:
            more.setdefault("stdin", subprocess.DEVNULL)
        r = subprocess.run([self.bin("twz-obj"), "--pool", self.path, *words], text=text,
                           capture_output=True, timeout=TOOL_LIMIT, **more)
        if expect is not None and r.returncode != expect:
            raise Failure(f"twz-obj {' '.join(words)}: status {r.returncode}: {r.stdout}{r.stderr}")
        return r

    def put(self, host, path):
        self.tool("put", "--update", host, path)

    def command(self, *program, options=()):
        return [self.bin("twz-run"), "--pool", self.path, "--log", self.log_path, *options, "--",
                *program]

    def run(self, *program, options=(), expect=None, **more):
        """Boots, runs the program, shuts down. The status must be `expect` (None: any)."""
        if "input" not in more:
            more.setdefault("stdin", subprocess.DEVNULL)
        r = subprocess.run(self.command(*program, options=options), capture_output=True,
                           timeout=BOOT_LIMIT, **more)
        if expect is not None and r.returncode != expect:
            raise Failure(f"{' '.join(program)}: status {r.returncode}, wanted {expect}\n"
                          f"{r.stdout[-2000:]!r}\n{r.stderr.decode(errors='replace')}")
        return r

    def start(self, *program, options=(), **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(self.command(*program, options=options), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **more)

    def log(self):
        with open(self.log_path, "rb") as f:
            return f.read()

    def kernel_log(self):
        """The lines of the log that no program wrote."""
        return b"".join(line for line in self.log().splitlines(keepends=True)
                        if not line.startswith(b"[thread "))

    def check(self):
        """Checks the pool's invariants."""
        self.tool("check")


def machine_of(process):
    """Waits for the machine of a started twz-run. Its process ID."""
    while True:
        wanted(process.poll() is None, "twz-run ended before it started a machine")
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as f:
            children = f.read().split()
        if children:
            return int(children[0])
