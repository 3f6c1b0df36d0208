# SPDX-License-Identifier: MIT
"""Data that outlives the machine: over orderly ends, and over a machine killed at once.

A killed machine loses no store, because its memory is a file of the host: this shows that what is on
the media is whole at each instant, and says nothing about flushes. tests/crash does.

Usage: test_power.py BUILD [PART-OF-A-NAME]
"""

import os
import signal
import sys

import booting
import counting
from booting import same, wanted

BUILD = os.path.abspath(sys.argv[1])
TRIES = 20


def pool_with(name):
    pool = booting.Pool(BUILD)
    pool.put(f"{BUILD}/examples/{name}", f"/host/{name}")
    return pool


def kill_after_output(pool, *program):
    """Runs the program, kills the machine when its first line is out. The line; None: too late."""
    process = pool.start(*program)
    try:
        machine = None
        while machine is None:
            machine = running_machine(process)
        line = process.stdout.readline()
        try:
            os.kill(machine, signal.SIGKILL)
        except ProcessLookupError:
            return line, False
        process.stdout.read()
        return line, process.wait(booting.BOOT_LIMIT) != 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def running_machine(process):
    try:
        return booting.machine_of(process)
    except (IndexError, FileNotFoundError):
        wanted(process.poll() is None, "the machine did not start")
        return None


def test_counter_over_boots():
    with pool_with("counter") as pool:
        for n in 1, 2, 3:
            same(pool.run("/host/counter", expect=0).stdout, b"%d\n" % n)
        pool.check()


def test_counter_over_a_kill():
    with pool_with("counter") as pool:
        killed = n = 0
        while not killed and n < TRIES:
            n += 1
            line, killed = kill_after_output(pool, "/host/counter")
            same(line, b"%d\n" % n)
        wanted(killed, f"in {TRIES} runs the machine was never killed in time")
        pool.check()
        same(pool.run("/host/counter", expect=0).stdout, b"%d\n" % (n + 1))


def test_list_over_boots():
    with pool_with("list") as pool:
        first = pool.run("/host/list", expect=0)
        second = pool.run("/host/list", expect=0)
        wanted(first.stdout and second.stdout, "list said nothing")
        wanted(first.stdout != second.stdout, f"the second boot said the same: {second.stdout!r}")
        pool.check()


def test_list_over_a_kill():
    with pool_with("list") as pool:
        kill_after_output(pool, "/host/list")
        pool.check()
        pool.run("/host/list", expect=0)
        pool.check()


counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
