# SPDX-License-Identifier: MIT
"""Programs keep their data over an orderly end, and when the machine is killed just after they
reported a store.

A killed machine shows that the data are consistent at that instant. It shows nothing about flushes,
because every store is in the host's page cache at once; the suites crash and tracer show these.

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


def kill_after_first_line(pool, *program):
    """Boots, reads one line of the program, kills the machine. (line, whether it still ran)"""
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


def test_counter_continues_over_three_boots():
    with booting.Pool(BUILD) as pool:
        counter = put_example(pool, "counter")
        same(pool.run(counter, expect=0).stdout, b"1\n")
        line, _ = kill_after_first_line(pool, counter)
        same(line, b"2\n")
        pool.check()
        same(pool.run(counter, expect=0).stdout, b"3\n")
        pool.check()


def test_printed_count_survives_every_kill():
    """Kills after each print, until five kills came before the machine's own end."""
    with booting.Pool(BUILD) as pool:
        counter = put_example(pool, "counter")
        kills = 0
        for n in range(1, 30):
            line, was_running = kill_after_first_line(pool, counter)
            same(line, f"{n}\n".encode(), f"boot {n}")
            kills += was_running
            if kills == 5:
                break
        wanted(kills > 0, "the machine always ended before it could be killed")
        pool.check()


def test_list_is_the_same_after_a_boot():
    with booting.Pool(BUILD) as pool:
        list_ = put_example(pool, "list")
        pool.run(list_, "build", expect=0)
        first = pool.run(list_, "walk", expect=0).stdout
        wanted(first.strip(), "the list is empty")
        same(pool.run(list_, "walk", expect=0).stdout, first)
        pool.check()


counting.run(globals(), *sys.argv[2:3])
