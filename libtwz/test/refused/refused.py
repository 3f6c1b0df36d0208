# SPDX-License-Identifier: MIT
"""Each case of refused.c: 0 compiles, the others do not, each for its own reason.

Usage: refused.py SOURCE INCLUDE... (with CC)
"""

import os
import re
import shutil
import subprocess
import sys

WHY = {
    1: r"invalid type argument|pointer|not a structure or union|has type 'union|no member named",
    2: r"incompatible|assigning to|read-only|const-qualified",
    3: r"read-only|const",
    4: r"read-only|const",
    5: r"another type",
    6: r"incompatible",
    7: r"one word",
    8: r"read-only|const",
}


def compile_case(cc, source, includes, case):
    return subprocess.run([cc, "-std=gnu11", "-Werror", "-fsyntax-only", f"-DCASE={case}",
                           *[f"-I{i}" for i in includes], source],
                          capture_output=True, text=True, timeout=60)


def main():
    source, *includes = sys.argv[1:]
    passed = failed = 0
    for cc in [c for c in ("gcc", "clang") if shutil.which(c)]:
        for case in range(0, 1 + max(WHY)):
            r = compile_case(cc, source, includes, case)
            if case == 0:
                good = r.returncode == 0
            else:
                good = r.returncode != 0 and re.search(WHY[case], r.stderr)
            passed += bool(good)
            failed += not good
            if not good:
                print(f"{os.path.basename(source)} with {cc}, case {case}: status "
                      f"{r.returncode}\n{r.stderr}")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
