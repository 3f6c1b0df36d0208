# SPDX-License-Identifier: MIT
"""Media errors while a program runs: media.py POOL-MAKER KERNEL TEST

When the test reports that it is ready, this raises a machine check by QEMU's monitor, with the
address of the page that the test has filled with its pattern: one pattern for each report.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading

import boot

PATTERNS = {"ready for a media error": 0x6c6f73742d70616f,
            "ready for an error in a kernel read": 0x6c6f73742d726561}
MCE = "mce 0 9 0xbd80000000000090 0 {address:#x} 0\n"


def run_command(monitor, line, end=b"(qemu) "):
    """The monitor's answer to one command."""
    monitor.sendall(line.encode())
    answer = b""
    while not answer.endswith(end) or answer.count(end) < 1:
        part = monitor.recv(4096)
        if not part:
            break
        answer += part
    return answer.decode(errors="replace")


def raise_machine_check(monitor, pool, pattern):
    base = int(re.search(r"addr: (0x[0-9a-f]+)", run_command(monitor, "info memory-devices\n"))[1], 16)
    with open(pool, "rb") as f:
        at = f.read().find(pattern.to_bytes(8, "little") * 512)
    if at < 0:
        raise AssertionError("the test's page is not in the pool")
    run_command(monitor, MCE.format(address=base + at + 64))


def main(maker, kernel, test):
    with tempfile.TemporaryDirectory(prefix="twz-media.") as where:
        pool = os.path.join(where, "pool")
        subprocess.run([maker, pool, boot.POOL_MIB, test], check=True, timeout=boot.LIMIT)
        test_end, machine_end = socket.socketpair()
        command = boot.command(kernel, pool, "1", []) + [
            "-chardev", f"socket,id=mon,fd={machine_end.fileno()}", "-mon", "chardev=mon,mode=readline"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                              errors="replace", pass_fds=[machine_end.fileno()]) as qemu:
            limit = threading.Timer(boot.LIMIT, qemu.kill)
            limit.start()
            run_command(test_end, "")  # the monitor's greeting
            log = ""
            for line in qemu.stdout:
                log += line
                text = boot.MARK.sub("", line.rstrip())
                if text in PATTERNS:
                    raise_machine_check(test_end, pool, PATTERNS[text])
            limit.cancel()
        check = subprocess.run([maker, pool], capture_output=True, text=True, timeout=boot.LIMIT)
    print(log, end="")
    return boot.print_result(log, check)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
