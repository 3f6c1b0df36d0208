# SPDX-License-Identifier: MIT
"""A storm (test_storm.c): storm.py POOL-MAKER KERNEL TEST CORES

The ordinary run does a number of rounds with one seed: about ten seconds of an idle machine. With
TWZ_TEST_LONG=1 rounds go on for LONG seconds. TWZ_STORM_SEED is the seed of the first round.
"""

import os
import sys

import backstop
import boot

LONG = 600 if os.environ.get("TWZ_TEST_LONG") == "1" else 0
SEED = os.environ.get("TWZ_STORM_SEED", "1")
ROUNDS = 4
# Operations of a worker in a round. Each shootdown of a core that the host does not run waits for the
# host, so that cores in threads of their own do less in the same time.
OPERATIONS = {"1": 600, "2s": 600, "4s": 300, "2": 150, "4": 50}


def main(maker, kernel, test, cores):
    numbers = [SEED, str(OPERATIONS[cores]), str(ROUNDS), str(LONG)]
    boot.LIMIT = backstop.seconds(40) + 2 * LONG
    failed = boot.main(maker, kernel, test, cores, *numbers)
    if failed:
        print(f"again: TWZ_STORM_SEED={SEED} TWZ_TEST_LONG={1 if LONG else 0}")
    return failed


sys.exit(main(*sys.argv[1:]))
