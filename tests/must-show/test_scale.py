# SPDX-License-Identifier: MIT
"""Required figures: a million objects in 8 GiB, a small kernel. Each test prints its figure.

Usage: test_scale.py BUILD [PART-OF-A-NAME]
"""

import os
import re
import subprocess
import sys
import time

import booting
import counting
from booting import wanted

BUILD = sys.argv[1]
MILLION = 1_000_000
TEXT_MOST = 250 << 10


def test_a_million_empty_objects():
    with booting.Pool(BUILD, size="8G", system=False) as pool:
        start = time.monotonic()
        pool.tool("new", "--count", str(MILLION))
        pool.check()
        used = os.stat(pool.path).st_blocks * 512
        print(f"      {MILLION} objects in 8 GiB, {used / MILLION:.0f} bytes of media each, "
              f"{time.monotonic() - start:.0f} s")


def test_kernel_text_is_small():
    kernel = os.path.join(BUILD, "kernel/twz.elf")
    text = subprocess.run(["size", "-A", kernel], check=True, capture_output=True, text=True).stdout
    sizes = {m[1]: int(m[2]) for m in re.finditer(r"^(\.\S+)\s+(\d+)", text, re.MULTILINE)}
    code = sum(n for section, n in sizes.items() if section.startswith(".text"))
    print(f"      {code} bytes of text")
    wanted(0 < code < TEXT_MOST, f"{code} bytes of text, {TEXT_MOST} at most")


def test_seconds_to_output_are_printed():
    with booting.Pool(BUILD) as pool:
        pool.put(os.path.join(BUILD, "examples/hello"), "/host/hello")
        pool.run("/host/hello", expect=0)
        seconds = []
        for _ in range(5):
            start = time.monotonic()
            p = pool.start("/host/hello")
            p.stdout.readline()
            seconds.append(time.monotonic() - start)
            p.communicate(timeout=booting.BOOT_LIMIT)
        print("      seconds from command to output: " + " ".join(f"{s:.2f}" for s in seconds))


counting.run(globals(), *sys.argv[2:3])
