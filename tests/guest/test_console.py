# SPDX-License-Identifier: MIT
"""The console under attack by the first program (tests/guest/raw/attack.c).

Usage: test_console.py BUILD [PART-OF-A-NAME]
"""

import os
import sys

import booting
import counting
from booting import same, wanted

BUILD = os.path.abspath(sys.argv[1])


def run_attack(options):
    with booting.Pool(BUILD, size="16M", system=False) as pool:
        pool.put(f"{BUILD}/tests/guest/raw/raw-attack", "/bin/init")
        pool.tool("boot", "/bin/init")
        r = pool.run("attack", options=options)
        wanted(not booting.PANIC.search(pool.kernel_log()), f"the kernel's log: {pool.log()!r}")
        same((r.returncode, r.stdout), (0, b"before\nafter\n"))


def test_attack_has_no_effect():
    run_attack([])


def test_attack_has_no_effect_when_the_device_answers_at_once():
    run_attack(["--deterministic"])


counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
