# SPDX-License-Identifier: MIT
"""How programs end: by a status, by a signal, by each kind of fault; the system runs on.

Usage: test_endings.py BUILD [PART-OF-A-NAME]
"""

import os
import re
import sys

import booting
import counting
from booting import holds, same, wanted

BUILD = os.path.abspath(sys.argv[1])
POOL = booting.Pool(BUILD)
for NAME in "status", "fault":
    POOL.put(f"{BUILD}/tests/guest/{NAME}", f"/host/{NAME}")
POOL.put(f"{BUILD}/examples/hello", "/host/hello")



def fault(kind):
    r = POOL.run("/host/fault", kind)
    wanted(b"went on" not in r.stdout, f"{kind}: the program went on")
    wanted(not booting.PANIC.search(POOL.log()), f"{kind}: the kernel's log: {POOL.log()!r}")
    return r.returncode, r.stdout.decode().strip(), r.stderr.decode()


def test_exit_status():
    for status in 0, 1, 7, 127, 255:
        POOL.run("/host/status", "exit", str(status), expect=status)
    POOL.run("/host/status", "return", "3", expect=3)


def test_status_of_signals():
    POOL.run("/host/status", "abort", expect=128 + 6)
    for number in 9, 11, 15:
        POOL.run("/host/status", "raise", str(number), expect=128 + number)


def test_output_without_newline_is_delivered():
    r = POOL.run("/host/status", "say", "no newline", "5", expect=5)
    same(r.stdout, b"no newline")


def test_null_store():
    status, where, told = fault("null")
    same((status, where), (128 + 11, "0"))
    holds(told.lower(), "null", "0x0", "write")


def test_store_near_null():
    status, where, told = fault("near-null")
    same((status, where), (128 + 11, "18"))
    holds(told.lower(), "null", "0x18", "write")


def test_write_to_a_readonly_object():
    status, where, told = fault("text")
    same(status, 128 + 11)
    holds(told.lower(), where, "write", "read")
    wanted(object_in(told), f"no object named in {told!r}")


def test_jump_to_data():
    status, where, told = fault("data")
    same(status, 128 + 11)
    holds(told.lower(), where, "exec")
    wanted(object_in(told), f"no object named in {told!r}")


def test_store_where_nothing_is():
    status, where, told = fault("nowhere")
    same(status, 128 + 11)
    holds(told.lower(), where, "no object")


def test_store_into_the_kernel():
    status, where, told = fault("kernel")
    same(status, 128 + 11)
    holds(told.lower(), where)


def test_exceptions():
    same(fault("divide")[0], 128 + 8)
    same(fault("illegal")[0], 128 + 4)


def test_stack_overflow():
    """Also with frames larger than a page, which step over the stack's first one."""
    status, _, told = fault("stack")
    same(status, 128 + 11)
    holds(told, "stack overflow")


def object_in(text):
    """An object ID as IDFMT prints it, whole or shortened."""
    return re.search(r"\b[0-9a-f]{4,16}:?[0-9a-f]{4,16}\b", text)


def test_the_system_runs_on():
    """The pool is sound after all this, and the next program runs."""
    POOL.check()
    POOL.run("/host/hello", expect=0)


with POOL:
    counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
