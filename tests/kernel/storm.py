# SPDX-License-Identifier: MIT
"""A storm (test_storm.c): storm.py POOL-MAKER KERNEL TEST CORES

The ordinary run takes one seed, TWZ_TEST_LONG=1 many: about 10 minutes of an idle machine.
"""

import os
import sys

import boot

LONG = os.environ.get("TWZ_TEST_LONG") == "1"
SEED = int(os.environ.get("TWZ_STORM_SEED", "1"))
# Each shootdown of a core that the host does not run waits for the host, so that cores in threads of
# their own do less in the same time.
OPERATIONS = {"1": "2000", "2s": "2000", "2": "300", "4": "200"}
SEEDS = 60 if LONG else 1


def main(maker, kernel, test, cores):
    passed = 0
    for seed in range(SEED, SEED + SEEDS):
        if boot.main(maker, kernel, test, cores, str(seed), OPERATIONS[cores]):
            print(f"again: TWZ_STORM_SEED={seed}\n{passed} passed, 1 failed")
            return 1
        passed += 1
    print(f"{passed} passed, 0 failed")
    return 0


sys.exit(main(*sys.argv[1:]))
