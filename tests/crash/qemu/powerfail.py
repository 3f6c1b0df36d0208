# SPDX-License-Identifier: MIT
"""Power failure of the shipped system. The tracer records a boot, the replay tool rebuilds the
images that the media may hold at each instant, and each image is booted.

    with powerfail.Recording(build, pool, "/host/counter") as recording:
        tried = recording.try_images(60, oracle)  # oracle(image, pool)

A recording is an error if its replay does not give the pool file byte for byte.
Environment: TWZ_CRASH_SEED selects another sample; TWZ_CRASH_IMAGES=N tries N images at most in each;
TWZ_CRASH_IMAGE=POINT:NUMBER tries one image.
"""

import concurrent.futures
import contextlib
import os
import shutil
import subprocess
import tempfile
from typing import NamedTuple

import backstop
import booting
import tracing
from booting import Failure, wanted

SEED = int(os.environ.get("TWZ_CRASH_SEED", "1"))
ONLY = os.environ.get("TWZ_CRASH_IMAGE")
WORKERS = 2
COUNT_LIMIT = 200_000 # images that are compared to find how many are distinct
booting.BOOT_LIMIT = backstop.seconds(30)
TRACE_HEADER = 32
TRACE_RECORD = 32
KIND_AT, FLAGS_AT, IP_AT = 0, 3, 24  # struct trace_record
KIND_FLUSH = 3
FLAG_USER = 1


def images(count):
    """The number of images to try where a test asks for `count`."""
    return min(count, int(os.environ.get("TWZ_CRASH_IMAGES", count)))


class Image(NamedTuple):
    point: int
    number: int
    marks: int  # number of outputs to the host before it
    hash: str

    def __str__(self):
        return f"{self.point}:{self.number}"


class Tried(NamedTuple):
    images: int
    existing: str # a number, or "at most" one
    failures: list

    def __str__(self):
        return f"{self.images} of {self.existing} images"

    def summary(self):
        """The failures, of equal ones the first."""
        first = {}
        for failure in self.failures:
            first.setdefault(failure.split(": ", 1)[1], failure)
        return "\n".join(list(first.values())[:20])


def copy_pool(source, target):
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", source, target], check=True)


class Recording:
    """One traced run of a program on a pool. Afterwards `pool` is as the run left it."""

    def __init__(self, build, pool, *program):
        self.build, self.program = os.path.abspath(build), program
        self.dir = tempfile.mkdtemp(prefix="twz-powerfail.")
        self.initial, self.trace, self.final = (
            os.path.join(self.dir, name) for name in ("initial", "trace", "final"))
        copy_pool(pool.path, self.initial)
        self.result = pool.run(*program, options=[
            "--append", "persist=traced",
            *tracing.options(self.build, "tracer", nvdimm=pool.path, out=self.trace)])
        copy_pool(pool.path, self.final)
        gate = self.replay("check", self.initial, self.trace, self.final)
        wanted(gate.returncode == 0, f"the trace does not give the pool: {gate.stdout}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)

    def replay(self, *words):
        return subprocess.run([os.path.join(self.build, "tests/tracer/trace-replay"), *words],
                              capture_output=True, text=True, timeout=backstop.seconds(600), check=False)

    def stats(self):
        r = self.replay("stats", self.initial, self.trace)
        wanted(r.returncode == 0, r.stderr)
        lines = [line.split() for line in r.stdout.splitlines()]
        return {words[0]: int(words[1]) for words in lines if len(words) == 2}

    def existing(self):
        """How many distinct images there are, for people: a number, or "at most" one."""
        r = self.replay("count", self.initial, self.trace, str(COUNT_LIMIT))
        wanted(r.returncode == 0, r.stderr)
        return r.stdout.strip()

    def sample(self, count, seed):
        """`count` distinct images, spread over the run; all of them if there are no more, or for 0."""
        r = self.replay("list", self.initial, self.trace, str(count), str(seed))
        wanted(r.returncode == 0, r.stderr)
        sampled = [Image(int(p), int(n), int(m), h)
                   for p, n, m, h in (line.split() for line in r.stdout.splitlines())]
        wanted(len(sampled) == count or not count or self.existing() == str(len(sampled)),
               f"{len(sampled)} images instead of {count}; there are {self.existing()}")
        return sampled

    def at_end(self):
        """The media after the machine is off, without the stores that are pending."""
        stats = self.stats()
        return Image(stats["fences"] + 1, 0, stats["marks"], "")

    def make(self, image, path):
        copy_pool(self.initial, path)
        r = self.replay("image", self.initial, self.trace, str(image.point), str(image.number),
                        path)
        if r.returncode != 0:
            raise Failure(f"image {image}: {r.stderr}")

    @contextlib.contextmanager
    def pool_of(self, image):
        """A pool made from an image."""
        with booting.Pool(self.build, size=None) as pool:
            self.make(image, pool.path)
            yield pool

    def try_images(self, count, oracle, enough=None):
        """Run oracle(image, pool) on `count` images, but stop after `enough` failures.
        The result is a Tried."""
        images = [Image(*map(int, ONLY.split(":")), 0, "")] if ONLY else self.sample(count, SEED)
        wanted(images, "no image to try")

        failures = []

        def attempt(image):
            if enough and len(failures) >= enough:
                return
            try:
                with self.pool_of(image) as pool:
                    oracle(image, pool)
            except (Failure, subprocess.TimeoutExpired) as error:
                failures.append(f"TWZ_CRASH_IMAGE={image}: {error}")

        with concurrent.futures.ThreadPoolExecutor(WORKERS) as workers:
            list(workers.map(attempt, images))
        return Tried(len(images), self.existing(), failures)

    def records(self):
        with open(self.trace, "rb") as f:
            header, records = f.read(TRACE_HEADER), f.read()
        return header, [records[at:at + TRACE_RECORD]
                        for at in range(0, len(records), TRACE_RECORD)]

    def user_flushes(self):
        """Addresses of the flush instructions of user code that were executed."""
        return sorted({address_of(r) for r in self.records()[1]
                       if r[KIND_AT] == KIND_FLUSH and r[FLAGS_AT] & FLAG_USER})

    @contextlib.contextmanager
    def without_flushes(self, site=None):
        """The trace without the flushes (of the instruction at `site`), as if the source lacked
        them."""
        kept = self.trace + ".kept"
        header, records = self.records()
        os.rename(self.trace, kept)
        try:
            with open(self.trace, "wb") as f:
                f.write(header)
                f.writelines(r for r in records if r[KIND_AT] != KIND_FLUSH or
                             site not in (None, address_of(r)))
            yield
        finally:
            os.rename(kept, self.trace)


def address_of(record):
    return int.from_bytes(record[IP_AT:], "little")
