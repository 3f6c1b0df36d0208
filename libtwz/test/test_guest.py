# SPDX-License-Identifier: MIT
"""libtwz inside the system: two boots of guest.c on one pool.

Usage: test_guest.py BUILD GUEST
"""

import re
import subprocess
import sys

import booting


def boot(pool):
    r = subprocess.run([pool.bin("twz-run"), "--pool", pool.path, "--log", pool.log_path, "--bare"],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=booting.BOOT_LIMIT)
    log = pool.log().decode(errors="replace")
    result = re.search(r"checks (\d+) good, (\d+) bad", log)
    booting.wanted(result, f"status {r.returncode}, no result in the log:\n{log[-3000:]}")
    booting.wanted(result[2] == "0", log)
    return int(result[1]), log


def main():
    build, guest = sys.argv[1:]
    with booting.Pool(build, system=False) as pool:
        pool.tool("batch", "-", input=f"mkdir -p /bin\nput {guest} /bin/init\nboot /bin/init\n")
        first, _ = boot(pool)
        second, log = boot(pool)
        booting.holds(log, "second boot")
        booting.wanted(second > 100, log)
        pool.check()
    print(f"{first + second} checks inside")
    print("2 passed, 0 failed")


main()
