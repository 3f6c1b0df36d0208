# SPDX-License-Identifier: MIT
"""Boots a kernel test and shows its log: boot.py POOL-MAKER KERNEL TEST CORES [NUMBER...] [WORDS...]

The test is the first program of a new pool, which is checked afterwards. Its last line must be
"N passed, N failed". CORES "count": one core, with a clock that counts instructions; "2s": two cores
that the emulator runs in one thread. NUMBERs are for the test (pool.c), WORDS are the kernel's command
line. A boot that takes longer than LIMIT seconds fails.
"""

import os
import re
import subprocess
import sys
import tempfile

import backstop

LIMIT = backstop.seconds(100)
POOL_MIB = "64"
MARK = re.compile(r"^\[thread \d+\] ")
SUMMARY = re.compile(r"^(?:\[thread \d+\] )?(\d+ passed, \d+ failed)$", re.MULTILINE)


def command(kernel, pool, cores, words):
    size = os.path.getsize(pool)
    accel, cpu = "tcg", "max"
    if cores == "count":
        accel, cpu, cores = "tcg,thread=single", "max,-erms,-fsrm", "1"
    elif cores.endswith("s"):
        accel, cores = "tcg,thread=single", cores[:-1]
    counting = ["-icount", "shift=0,sleep=off", "-seed", "1", "-rtc",
                "base=2026-01-01T00:00:00,clock=vm"] if accel != "tcg" and cpu != "max" else []
    return [
        os.environ.get("TWZ_QEMU", "qemu-system-x86_64"), "-machine", "q35,nvdimm=on", "-bios",
        "qboot.rom", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-accel",
        accel, "-cpu", cpu, *counting, "-smp", cores, "-m", "256M,slots=2,maxmem=8G", "-object",
        f"memory-backend-file,id=nv0,share=on,mem-path={pool},size={size}", "-device",
        "nvdimm,id=nvd0,memdev=nv0", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-serial",
        "stdio", "-kernel", kernel, "-append", " ".join(words)]


def print_result(log, check):
    """Prints the last lines of a test. Its exit status; `check` is the check of the pool."""
    print(check.stdout, end="")
    sums = SUMMARY.findall(log)
    if not sums:
        print("the test did not end")
        return 1
    if check.returncode != 0:
        print("the pool is damaged")
        return 1
    print(sums[-1])
    return 0 if sums[-1].endswith(" 0 failed") else 1


def main(maker, kernel, test, cores, *words):
    with tempfile.TemporaryDirectory(prefix="twz-kernel.") as where:
        pool = os.path.join(where, "pool")
        numbers = [word for word in words if word.isdigit()]
        words = [word for word in words if not word.isdigit()]
        subprocess.run([maker, pool, POOL_MIB, test, *numbers], check=True, timeout=LIMIT)
        try:
            run = subprocess.run(command(kernel, pool, cores, words), stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True, errors="replace", timeout=LIMIT)
        except subprocess.TimeoutExpired as e:
            print((e.stdout or b"").decode(errors="replace"))
            print(f"no end within {LIMIT:.0f} s")
            return 1
        check = subprocess.run([maker, pool], capture_output=True, text=True, timeout=LIMIT)
    print(run.stdout, end="")
    print(run.stderr, end="")
    return print_result(run.stdout, check)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
