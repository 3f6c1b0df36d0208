# SPDX-License-Identifier: MIT
"""The password vault of examples/: a service whose data its caller cannot map, over several boots.

Usage: test_vault.py BUILD [PART-OF-A-NAME]
"""

import os
import sys

import booting
import counting
from booting import holds, same

BUILD = sys.argv[1]


def pool_with_vault(pool):
    pool.put(os.path.join(BUILD, "examples/vault"), "/host/vault")
    return pool


def vault(pool, *words, expect=0):
    return pool.run("/host/vault", *words, expect=expect)


def test_secrets_stay_over_boots():
    with booting.Pool(BUILD) as pool:
        pool_with_vault(pool)
        same(vault(pool, "count").stdout, b"0\n")
        vault(pool, "put", "mail", "hunter2")
        same(vault(pool, "get", "mail").stdout, b"hunter2\n")
        vault(pool, "put", "mail", "correct horse")
        vault(pool, "put", "bank", "0000")
        same(vault(pool, "get", "mail").stdout, b"correct horse\n")
        same(vault(pool, "count").stdout, b"2\n")
        vault(pool, "remove", "mail")
        holds(vault(pool, "get", "mail", expect=1).stderr.decode(), "mail", "no such name")
        same(vault(pool, "count").stdout, b"1\n")
        same(vault(pool, "get", "bank").stdout, b"0000\n")
        pool.check()


def test_no_secret_without_the_keeper():
    with booting.Pool(BUILD) as pool:
        pool_with_vault(pool)
        vault(pool, "put", "mail", "hunter2")
        refused = vault(pool, "peek", expect=1)
        same(refused.stdout, b"")
        holds(refused.stderr.decode(), "denied")
        same(vault(pool, "get", "mail").stdout, b"hunter2\n")


def test_bad_use():
    with booting.Pool(BUILD) as pool:
        pool_with_vault(pool)
        vault(pool, expect=2)
        holds(vault(pool, "get", "", expect=1).stderr.decode(), "invalid argument")
        long = "n" * 40
        vault(pool, "put", long, "s" * 200)
        same(vault(pool, "get", long).stdout, b"s" * 95 + b"\n")


counting.run(globals(), *sys.argv[2:3])
