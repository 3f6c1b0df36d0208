# SPDX-License-Identifier: MIT
"""The ends of programs: by a status, by a signal, by each kind of fault. The system goes on.

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


def run_fault(kind):
    r = POOL.run("/host/fault", kind)
    wanted(b"continued" not in r.stdout, f"{kind}: the program continued")
    wanted(not booting.PANIC.search(POOL.kernel_log()), f"{kind}: the kernel's log: {POOL.log()!r}")
    return r.returncode, r.stdout.decode().strip(), r.stderr.decode()


def test_exit_status_is_the_commands():
    for status in 0, 1, 7, 127, 255:
        POOL.run("/host/status", "exit", str(status), expect=status)
    POOL.run("/host/status", "return", "3", expect=3)


def test_signal_gives_128_plus_its_number():
    POOL.run("/host/status", "abort", expect=128 + 6)
    for number in 9, 11, 15:
        POOL.run("/host/status", "raise", str(number), expect=128 + number)


def test_output_without_newline_arrives():
    r = POOL.run("/host/status", "say", "no newline", "5", expect=5)
    same(r.stdout, b"no newline")


def test_null_store_is_described():
    status, where, message = run_fault("null")
    same((status, where), (128 + 11, "0"))
    holds(message.lower(), "null", "0x0", "write")


def test_fault_of_any_thread_names_the_program():
    """The first thread's fault is printed by the parent, init or a program, any other one by the process."""
    first, other = run_fault("null"), run_fault("thread")
    same(other[:2], (128 + 11, "0"))
    same(without_instruction(other[2]), without_instruction(first[2]))
    holds(other[2], "twz: /host/fault: null pointer fault, at address 0x0, ")
    r = POOL.run(input=b"/host/fault thread\n", expect=128 + 11)
    wanted(r.stderr.startswith(b"/host/fault: null pointer fault, at address 0x0, "), r.stderr)


def without_instruction(message):
    return re.sub("instruction at 0x[0-9a-f]+", "", message)


def test_store_near_null_is_described():
    status, where, message = run_fault("near-null")
    same((status, where), (128 + 11, "18"))
    holds(message.lower(), "null", "0x18", "write")


def test_write_to_a_readonly_object_is_described():
    status, where, message = run_fault("text")
    same(status, 128 + 11)
    holds(message.lower(), where, "write", "read")
    wanted(find_object_id(message), f"no object named in {message!r}")


def test_jump_to_data_is_described():
    status, where, message = run_fault("data")
    same(status, 128 + 11)
    holds(message.lower(), where, "exec")
    wanted(find_object_id(message), f"no object named in {message!r}")


def test_store_in_an_empty_slot_is_described():
    status, where, message = run_fault("nowhere")
    same(status, 128 + 11)
    holds(message.lower(), where, "no object")


def test_store_into_the_kernel_is_described():
    status, where, message = run_fault("kernel")
    same(status, 128 + 11)
    holds(message.lower(), where)


def test_exceptions_end_by_their_signals():
    same(run_fault("divide")[0], 128 + 8)
    same(run_fault("illegal")[0], 128 + 4)


def test_stack_overflow_is_named():
    """The frames are larger than a page, so they step over the page below the stack."""
    status, _, message = run_fault("stack")
    same(status, 128 + 11)
    holds(message, "stack overflow")


def find_object_id(text):
    """Finds an object ID as IDFMT prints it, complete or shortened."""
    return re.search(r"\b[0-9a-f]{4,16}:?[0-9a-f]{4,16}\b", text)


def test_next_program_runs():
    """After all faults the pool is undamaged, and the next program runs."""
    POOL.check()
    POOL.run("/host/hello", expect=0)


with POOL:
    counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
