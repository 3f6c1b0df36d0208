# SPDX-License-Identifier: MIT
"""A pool file in a directory of its own, and twz-obj on it."""

import hashlib
import json
import os
import shutil
import struct
import subprocess
import tempfile

import backstop

LIMIT = backstop.seconds(120)
# Of the media (kernel/store/format.h): a frame, an entry of the object table, its nonce; the frames
# of the counters in the superblock, the writer generation in them.
FRAME, ENTRY, ENTRY_NONCE = 4096, 512, 40
MONO_AT, WRITER_AT = 328, 4 * 64


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


def content(path):
    """The digest of a pool without its writer generation, which each writer raises."""
    with open(path, "rb") as f:
        pool = bytearray(f.read())
    for frame in struct.unpack_from("<QQ", pool, MONO_AT):
        struct.pack_into("<Q", pool, frame * FRAME + WRITER_AT, 0)
    return hashlib.sha256(pool).hexdigest()


def id_bytes(text):
    return struct.pack("<QQ", int(text[16:], 16), int(text[:16], 16))


def one_line(text, *parts):
    """The text is exactly one line of an error, and holds the parts."""
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
        shown = (f"{' '.join(map(str, words))[:200]}: status {r.returncode}: {r.stdout[-300:]!r} "
                 f"{r.stderr[-300:]!r}")
        wanted(0 <= r.returncode < 128, shown)
        wanted(code is None or r.returncode == code, f"wanted {code}: {shown}")
        return r

    def out(self, *words, **more):
        return self(*words, **more).stdout

    def line(self, *words, **more):
        return self.out(*words, **more).strip()

    def json(self, *words, code=0, **more):
        """The objects of --json; checks the form of the document."""
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

    def overwrite(self, page, at, data, nth=0, of=1):
        """Change bytes of the nth of the `of` frames of the pool file that begin with `page`."""
        with open(self.path, "r+b") as f:
            pool = f.read()
            frames = [o for o in range(0, len(pool), FRAME) if pool.startswith(page, o)]
            wanted(len(frames) == of, f"the page is found {len(frames)} times")
            f.seek(frames[nth] + at)
            f.write(data)

    def page(self, obj, at=FRAME):
        """The page of an object at an offset; its data begin at FRAME."""
        return bytes.fromhex(self.json("dump", f"{obj}:{at}+{FRAME}")[0]["hex"])

    def meta(self, obj):
        """Its metadata page."""
        return bytes.fromhex(self.json("dump", "--meta", obj)[0]["hex"])

    def spoil_id(self, obj):
        """Damage an object's entry in the object table: its ID no longer follows from it."""
        word = id_bytes(self.line("id", obj))
        with open(self.path, "r+b") as f:
            pool = f.read()
            entries = [o for o in range(0, len(pool), ENTRY) if pool.startswith(word, o)]
            wanted(len(entries) == 1, f"the entry is found {len(entries)} times")
            f.seek(entries[0] + ENTRY_NONCE)
            f.write(bytes([pool[entries[0] + ENTRY_NONCE] ^ 1]))

    def check(self):
        self("check")

    def lost(self):
        return self.out("lost").split("\n")[:-1]
