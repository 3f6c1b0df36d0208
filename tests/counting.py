# SPDX-License-Identifier: MIT
"""Runs the tests of a Python program: the functions named test_… of one module.

A test passes when it returns, is skipped when it raises Skipped, and fails when it raises anything
else. The last line printed is "N passed, N failed[, N skipped]"; the exit status is 1 when one failed.
"""

import sys
import traceback


class Skipped(Exception):
    pass


def run(module_globals, only=None):
    """Runs the module's test_… functions in the order of their definition, and exits."""
    passed = failed = skipped = 0
    for name, test in list(module_globals.items()):
        if not name.startswith("test_") or not callable(test) or (only and only not in name):
            continue
        try:
            test()
            passed += 1
            print(f"ok    {name}", flush=True)
        except Skipped as reason:
            skipped += 1
            print(f"skip  {name}: {reason}", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL  {name}\n{traceback.format_exc()}", flush=True)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(1 if failed else 0)
