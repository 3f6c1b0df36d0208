# SPDX-License-Identifier: MIT
"""The ABI and the media layout are what the golden file says.

Usage: test_abi.py DUMP GOLDEN    (GOLDEN is rewritten where TWZ_GOLDEN=write)

A change of the ABI is a change of the golden file, seen in the same commit.
"""

import difflib
import os
import subprocess
import sys


def main(dump, golden):
    now = subprocess.run([dump], check=True, capture_output=True, text=True).stdout
    if os.environ.get("TWZ_GOLDEN") == "write":
        with open(golden, "w", encoding="ascii") as f:
            f.write(now)
    with open(golden, encoding="ascii") as f:
        wanted = f.read()
    lines = len(wanted.splitlines())
    for line in difflib.unified_diff(wanted.splitlines(), now.splitlines(), "golden", "now", "", "",
                                     1, ""):
        print(line)
    if now != wanted:
        print("if this is meant: run TWZ_GOLDEN=write ./twz test abi, and state the reason in the commit")
        print("0 passed, 1 failed")
        return 1
    print(f"{lines} passed, 0 failed")
    return 0


sys.exit(main(*sys.argv[1:]))
