# SPDX-License-Identifier: MIT
"""The password vault stays intact when its callers are killed inside it (vault_kill.c): at more than
1,000 distinct instructions, with TWZ_TEST_LONG=1 at each one.

Usage: test_vault_kill.py BUILD PROGRAM
"""

import os
import re
import subprocess
import sys

import booting
from booting import wanted

DISTINCT = 1000
BATCH = "mkdir -p /bin\nmkdir -p /data\nput {} /bin/init\nboot /bin/init\n"


def main():
    build, program = sys.argv[1:]
    long = os.environ.get("TWZ_TEST_LONG") == "1"
    with booting.Pool(build, system=False) as pool:
        pool.tool("batch", "-", input=BATCH.format(program) + ("mkdir /data/all\n" if long else ""))
        r = subprocess.run([pool.bin("twz-run"), "--pool", pool.path, "--log", pool.log_path,
                            "--bare", "--deterministic"], stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=booting.BOOT_LIMIT * (20 if long else 1))
        log = pool.log().decode(errors="replace")
        found = dict(re.findall(r"(kills|distinct|bad): (\d+)", log))
        wanted(len(found) == 3, f"status {r.returncode}, no result in the log:\n{log[-3000:]}")
        print(f"{found['kills']} kills, {found['distinct']} distinct instructions inside")
        wanted(found["bad"] == "0", log[-3000:])
        wanted(int(found["distinct"]) >= DISTINCT, log[-3000:])
        pool.check()
    print("1 passed, 0 failed")


main()
