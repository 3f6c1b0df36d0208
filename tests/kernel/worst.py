# SPDX-License-Identifier: MIT
"""The worst arguments of every call: worst.py POOL-MAKER KERNEL TEST PLUGIN

The program (worst.h) runs on one core with a clock that counts instructions, under a plugin that
measures each entry of the kernel. This prints a line for each of the program's, with the longest stay
in the kernel since the line before, and how late a thread of the highest priority woke. A stay must
not exceed STAY; the program checks the lateness. TWZ_TEST_LONG=1 takes the large sizes.

A link to the host gives the console's words a use. When the program reports that it is ready, this
sends it input, or raises a machine check at the page that the program has filled.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading

import backstop
import boot
import locks
import media

STAY = 50_000
LONG = os.environ.get("TWZ_TEST_LONG") == "1"
POOL_MIB, MEMORY = ("512", "1G") if LONG else ("128", "256M")
LIMIT = backstop.seconds(600 if LONG else 120)
INPUT = 1 << 20
PORTS = {"twz.ctl": 1, "twz.in": 2, "twz.out": 3, "twz.err": 4}
LINE = re.compile(r"(?:(\w+), )?(.*): (\d+)$")


class Link:
    """The host's ends of the console's ports, which read all that comes, and of the monitor."""

    def __init__(self):
        self.options, self.fds, self.ends = ["-device", "virtio-serial-pci,id=link"], [], {}
        for name, number in PORTS.items():
            self.add(name)
            self.options += ["-device",
                             f"virtserialport,bus=link.0,nr={number},chardev={name},name={name}"]
        self.add("mon")
        self.options += ["-mon", "chardev=mon,mode=readline"]

    def add(self, name):
        self.ends[name], machine_end = socket.socketpair()
        self.options += ["-chardev", f"socket,id={name},fd={machine_end.fileno()}"]
        self.fds.append(machine_end)

    def start(self):
        for end in self.fds:
            end.close()
        threading.Thread(target=self.read_output, daemon=True).start()
        media.run_command(self.ends["mon"], "")  # the monitor's greeting

    def read_output(self):
        while self.ends["twz.out"].recv(1 << 16):
            pass

    def send_input(self):
        self.ends["twz.in"].sendall(bytes(INPUT))


def run(kernel, pool, options, link):
    """The lines of the program's log. `options` are the plugin's."""
    command = boot.command(kernel, pool, "count", []) + link.options + ["-plugin", options]
    command[command.index("-m") + 1] = f"{MEMORY},slots=2,maxmem=8G"
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          errors="replace", pass_fds=[end.fileno() for end in link.fds]) as qemu:
        limit = threading.Timer(LIMIT, qemu.kill)
        limit.start()
        link.start()
        log = []
        for line in qemu.stdout:
            log.append(boot.MARK.sub("", line.rstrip()))
            if log[-1] in media.PATTERNS:
                media.raise_machine_check(link.ends["mon"], pool, media.PATTERNS[log[-1]])
            if log[-1] == "ready for input":
                threading.Thread(target=link.send_input, daemon=True).start()
        limit.cancel()
    return log


def print_table(log, stays, symbols):
    """Prints each line of the log, and the longest stay with those that have one. How many stays are
    too long, or 1 if the two do not belong together."""
    found = over = 0
    for line in log:
        m = LINE.match(line)
        if not m:
            print(line)
            continue
        found += 1
        if found > len(stays):
            break
        length, at = stays[found - 1]
        print(f"  {m[1] or '':16} {m[2]:45} stay {length:6}  late {m[3]:>6}")
        if length > STAY:
            over += 1
            print(f"FAILED: more than {STAY} instructions, in {symbols.at(at)}")
    if found != len(stays):
        print(f"{len(stays)} intervals for {found} lines")
        return 1
    return over


class Symbols:
    def __init__(self, kernel):
        self.addresses = {name: int(at, 16) for name, at in locks.symbols(kernel).items()}

    def at(self, address):
        return max((at, name) for name, at in self.addresses.items() if at <= address)[1]


def main(maker, kernel, test, plugin):
    symbols = Symbols(kernel)
    with tempfile.TemporaryDirectory(prefix="twz-worst.") as where:
        pool, out = os.path.join(where, "pool"), os.path.join(where, "out")
        subprocess.run([maker, pool, POOL_MIB, test, str(int(LONG))], check=True, timeout=LIMIT)
        mark = symbols.addresses["call_null"]
        log = run(kernel, pool, f"{plugin},out={out},limit={STAY},mark={mark:#x}", Link())
        check = subprocess.run([maker, pool], capture_output=True, text=True, timeout=LIMIT)
        with open(out, encoding="ascii") as f:
            lines = [line.split() for line in f]
    intervals = [(int(line[1]), int(line[3], 16)) for line in lines if line[0] == "interval"]
    over = print_table(log, intervals[1:], symbols)
    return boot.print_result("\n".join(log), check) or (1 if over else 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
