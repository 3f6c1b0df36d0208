# SPDX-License-Identifier: MIT
"""The prompt with its lines from a pipe: what the programs read, what it refuses, its status.

Usage: test_prompt.py BUILD [PART-OF-A-NAME]
"""

import os
import subprocess
import sys
import tempfile

import booting
import counting
from booting import holds, same

BUILD = os.path.abspath(sys.argv[1])
POOL = booting.Pool(BUILD, size="64M")


def test_what_follows_is_the_input_of_programs():
    r = POOL.run(input=b"tee /data/t\nhello\necho end\n", expect=0)
    same((r.stdout, r.stderr), (b"hello\necho end\n", b""))
    same(POOL.tool("cat", "/data/t").stdout, "hello\necho end\n")


def test_a_program_that_reads_nothing_takes_nothing():
    r = POOL.run(input=b"echo one; true\necho two\necho no newline", expect=0)
    same((r.stdout, r.stderr), (b"one\ntwo\nno newline\n", b""))


with POOL:
    counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
