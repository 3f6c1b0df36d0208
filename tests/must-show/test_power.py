# SPDX-License-Identifier: MIT
"""Programs that keep their data: over orderly ends, and over the machine being killed right after
they said that they had stored something.

Killing the machine shows that the data are consistent at that instant. It says nothing about
flushes, because every store is in the host's page cache at once; the suites crash and tracer do.

Usage: test_power.py BUILD [PART-OF-A-NAME]
"""

import os
import signal
import sys

import booting
import counting
from booting import same, wanted

BUILD = sys.argv[1]


def put_example(pool, name):
    pool.put(os.path.join(BUILD, "examples", name), f"/host/{name}")
    return f"/host/{name}"


def killed_after_first_line(pool, *program):
    """Boot, read one line of the program, kill the machine. (line, whether it was still running)"""
    p = pool.start(*program)
    machine = booting.machine_of(p)
    line = p.stdout.readline()
    try:
        os.kill(machine, signal.SIGKILL)
    except ProcessLookupError:
        pass
    p.stdout.read()
    p.stderr.read()
    status = p.wait(booting.BOOT_LIMIT)
    p.stdout.close()
    p.stderr.close()
    return line, status != 0


def test_counter_over_three_boots():
    with booting.Pool(BUILD) as pool:
        counter = put_example(pool, "counter")
        same(pool.run(counter, expect=0).stdout, b"1\n")
        line, _ = killed_after_first_line(pool, counter)
        same(line, b"2\n")
        pool.check()
        same(pool.run(counter, expect=0).stdout, b"3\n")
        pool.check()


def test_counter_is_never_lost():
    """Kill after each print, until enough kills came before the machine's own end."""
    with booting.Pool(BUILD) as pool:
        counter = put_example(pool, "counter")
        kills = 0
        for n in range(1, 30):
            line, was_running = killed_after_first_line(pool, counter)
            same(line, f"{n}\n".encode(), f"boot {n}")
            kills += was_running
            if kills == 5:
                break
        wanted(kills > 0, "the machine always ended before it could be killed")
        pool.check()


def test_list_over_boots():
    with booting.Pool(BUILD) as pool:
        list_ = put_example(pool, "list")
        pool.run(list_, "build", expect=0)
        first = pool.run(list_, "walk", expect=0).stdout
        wanted(first.strip(), "the list is empty")
        same(pool.run(list_, "walk", expect=0).stdout, first)
        pool.check()


counting.run(globals(), *sys.argv[2:3])
