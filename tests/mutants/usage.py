# SPDX-License-Identifier: MIT
"""Measures of a test that do not depend on what else the machine does.

    end, text = wait(process, Usage(work, idle))

`process` leads a session. `work` is the processor time of the session and of what it started. `idle` is
the time in which none of them wants a processor: they wait for a timer or for each other. A program
that hangs does one or the other; one that only stands in line for a processor does neither.
"""

import contextlib
import os
import select
import signal
import subprocess
import time
from typing import NamedTuple

EVERY = 0.2 # seconds between two looks
TICK = os.sysconf("SC_CLK_TCK")
WAITS = "SI" # states of a thread that wants no processor: it sleeps, or the kernel's own thread idles


class Usage(NamedTuple):
    work: float
    idle: float

    def times(self, factor, spare):
        return Usage(self.work * factor + spare, self.idle * factor + spare)

    def exceeds(self, limits):
        return self.work > limits.work or self.idle > limits.idle


def fields(path):
    """The fields of a stat file behind the name, or none if the process has ended."""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read().rpartition(")")[2].split()
    except OSError:
        return []


def members(leader):
    """{pid: fields} of a session and all that its processes started."""
    every = {int(name): fields(f"/proc/{name}/stat") for name in os.listdir("/proc") if name.isdigit()}
    every = {pid: found for pid, found in every.items() if found}
    inside = {pid for pid, found in every.items() if leader in (pid, int(found[3]))}
    grown = True
    while grown:
        more = {pid for pid, found in every.items() if int(found[1]) in inside} - inside
        inside |= more
        grown = bool(more)
    return {pid: every[pid] for pid in inside}


def wants_processor(pid):
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return False
    states = [fields(f"/proc/{pid}/task/{thread}/stat")[:1] for thread in threads]
    return any(state and state[0] not in WAITS + "Z" for state in states)


def look(pid):
    """(processor time so far, whether something wants a processor)."""
    ticks, wanted = 0, False
    for member, found in members(pid).items():
        ticks += sum(int(n) for n in found[11:15]) # utime, stime, cutime, cstime
        wanted = wanted or wants_processor(member)
    return ticks / TICK, wanted


def wait(process, limits=None):
    """(exit status, None if `limits` were exceeded; the Usage)."""
    work, idle, last = 0.0, 0.0, time.monotonic()
    while True:
        try:
            return process.wait(EVERY), Usage(work, idle)
        except subprocess.TimeoutExpired:
            pass
        work, wanted = look(process.pid)
        now = time.monotonic()
        if not wanted:
            idle += min(now - last, 2 * EVERY)
        last = now
        if limits and Usage(work, idle).exceeds(limits):
            return None, Usage(work, idle)


def end(process):
    """Ends the session and what it started."""
    ending = []
    for pid in members(process.pid):
        with contextlib.suppress(ProcessLookupError):
            ending.append(os.pidfd_open(pid))
            os.kill(pid, signal.SIGKILL)
    for pidfd in ending: # readable once the process has ended
        select.select([pidfd], [], [])
        os.close(pidfd)
    process.wait()
