# SPDX-License-Identifier: MIT
"""Which sources are broken, and which tests may notice.

A group is a set of files and the tests that cover it. The tests of a mutant run one after the other,
those first that are expected to catch the most for their time (order_tests), until one fails.
"""

import os
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
sys.path.insert(0, os.path.join(TOP, "utils/dev"))
import tree

KERNEL_TESTS = [
    "kernel/object-1", "kernel/fault-1", "kernel/thread-1", "kernel/sync-1", "kernel/memory-1",
    "kernel/media", "kernel/rights-1", "kernel/contract-1", "kernel/sync-count", "kernel/shoot-2",
    "kernel/storm-1", "kernel/storm-2s", "kernel/upcall-1", "kernel/upcall-2", "kernel/space-1",
    "kernel/fault-2", "kernel/thread-2", "kernel/thread-4", "kernel/sync-4", "kernel/object-2",
    "kernel/move-2", "kernel/race-2", "kernel/wait-1", "kernel/wait-2", "kernel/kernel_memory-1",
    "kernel/boots", "kernel/threadsave", "kernel/worst", "kernel/figures-count",
    "kernel/fuzz-1", "bare/first-line", "bare/machine", "bare/console", "guest/endings", "guest/console",
    "attack/log", "attack/parent", "attack/installed", "libtwz/guest", "unit/heap", "unit/list",
    "unit/threadsave",
]
STORE_TESTS = ["unit/store", "unit/store-share", "unit/store-copy", "unit/store-damage",
               "unit/store-version", "unit/store-scale", "crash/store-cores", "crash/store-crash",
               "twz-obj/commands", "twz-obj/pools", "twz-obj/refusals"]
HIER_TESTS = ["libtwz/attr", "libtwz/hier", "libtwz/hier-hostile", "libtwz/hier-crash", "libtwz/guest",
              "twz-obj/names", "twz-obj/pools", "posix/posix"]
POWER_TESTS = ["crash/durable-powerfail", "crash/kernel-powerfail"]
POSIX_TESTS = ["libtwix/libtwix", "guest/endings", "guest/hostile", "posix/posix", "posix/runtime", "posix/prompt",
               "must-show/programs", "crash/posix-powerfail"]

# name: (folders, folders that are left out, tests)
GROUPS = {
    "store": (["kernel/store"], ["kernel/store/host"],
              STORE_TESTS + ["kernel/object-1", "kernel/media", "kernel/memory-1"] + POWER_TESTS),
    "kernel": (["kernel"], ["kernel/store", "kernel/log/ubsan.c"], KERNEL_TESTS + POWER_TESTS),
    "hier": (["objects"], [], HIER_TESTS),
    "libtwz": (["libtwz/src"], [], ["libtwz/typed", "libtwz/elf", "libtwz/hier", "libtwz/guest",
                                    "libtwz/hier-crash", "twz-obj/names", "guest/endings",
                                    "attack/rings", "guest/hostile", "posix/posix", "posix/runtime",
                                    "crash/powerfail"]),
    "libtwix": (["libtwix/src"], [], POSIX_TESTS),
    "twz-obj": (["utils/twz-obj"], [], ["twz-obj/commands", "twz-obj/names", "twz-obj/pools",
                                        "twz-obj/refusals", "twz-obj/words", "twz-obj/security",
                                        "twz-obj/stop"]),
    "security": (["security"], [], ["unit/signature", "unit/capability", "unit/context",
                                    "unit/keyfile", "unit/ku", "unit/tree",
                                    "twz-obj/security"]),
}
# Words behind a test's command: only a part of it, since the rest breaks the sources itself.
WORDS = {"crash/kernel-powerfail": ["test_churn"], "crash/durable-powerfail": ["test_steps"],
         "crash/posix-powerfail": ["test_files"],
         "crash/powerfail": ["later_run"], "crash/store-crash": ["--no-mutants", "--random", "0"]}
# Smaller samples, for which a mutant is enough of a fault.
ENVIRONMENT = {"TWZ_CRASH_IMAGES": "40"}
# --fast leaves these out: in all groups, and in some.
SLOW_TESTS = ("crash/", "guest/hostile", "must-show/", "attack/", "posix/runtime", "posix/prompt", "twz-obj/stop",
              "twz-obj/pools", "libtwz/hier-crash", "libtwz/hier-hostile", "unit/store-scale",
              "unit/store-damage", "kernel/storm", "kernel/threadsave", "kernel/boots")
SLOW_IN = {"kernel": ("guest/", "libtwz/", "bare/"), "store": ("twz-obj/",), "hier": ("posix/",),
           "libtwz": ("posix/",)}
SYSTEM_TESTS = ("guest/", "attack/", "posix/", "must-show/", "crash/", "libtwz/guest")
HOST_TESTS = ("crash/store-cores", "crash/store-crash")


def files(top, group):
    """The C files of a group."""
    inside, outside, _ = GROUPS[group]

    def below(path, folders):
        return any(path == f or path.startswith(f + "/") for f in folders)

    return [path for path in tree.files(top)
            if path.endswith(".c") and below(path, inside) and not below(path, outside)
            and not tree.is_test(path)]


def tests_of(group, fast=False):
    """The names of the group's tests."""
    slow = SLOW_TESTS + SLOW_IN.get(group, ()) if fast else ()
    return [name for name in GROUPS[group][2] if not name.startswith(slow)]


def needs_system(name):
    return name.startswith(SYSTEM_TESTS) and name not in HOST_TESTS


def order_tests(names, seconds, history):
    """Those first that catch the most for their time. `history` maps a name to (tried, caught)."""
    def value(name):
        tried, caught = history.get(name, (0, 0))
        return (caught + 1) / (tried + 2) / max(seconds.get(name, 1.0), 0.2)

    return sorted(names, key=lambda name: -value(name))
