# SPDX-License-Identifier: MIT
"""A thread on a persistent object, over two boots: threadsave.py POOL-MAKER KERNEL TEST CORES

Between the boots this reads the thread's record in the pool (abi/twz/thread.h).
"""

import os
import struct
import subprocess
import sys
import tempfile

import boot

MAGIC = (0x7661732D7A7774).to_bytes(8, "little")
WORD = (1 << 64) - 1
HEADER = 4096
CHECK_AT = 32
MASK_AT = 320  # signal_mask, nsignals, then the signals


def check_of(record):
    total = 0x9E3779B97F4A7C15
    for at in range(0, len(record), 8):
        word = 0 if at == CHECK_AT else int.from_bytes(record[at:at + 8], "little")
        total = ((((total << 29) | (total >> 35)) & WORD) ^ word) * 0xBF58476D1CE4E5B9 & WORD
    return total or 1


def problems_of(pool):
    with open(pool, "rb") as f:
        data = f.read()
    found = [at for at in range(0, len(data), 4096) if data[at:at + 8] == MAGIC]
    if len(found) != 1:
        return f"{len(found)} records, wanted 1"
    head = data[found[0]:found[0] + HEADER]
    version, header, size, epoch, check = struct.unpack_from("<IIQQQ", head, 8)
    if (version, header, epoch) != (2, HEADER, 1) or size % 64 != 0 or size <= HEADER:
        return f"version {version}, header {header}, epoch {epoch}, size {size}"
    rest = [at for at in range(0, len(data), 4096)
            if check_of(head + data[at:at + size - HEADER]) == check]
    if not rest:
        return "no page completes the record so that its check holds"
    if struct.unpack_from("<QQQQ", head, MASK_AT) != (1 << 19, 1, 20, 77):
        return "mask and queued signal are not in the record"
    return None


def main(maker, kernel, test, cores):
    with tempfile.TemporaryDirectory(prefix="twz-threadsave.") as where:
        pool = os.path.join(where, "pool")
        subprocess.run([maker, pool, boot.POOL_MIB, test], check=True, timeout=boot.LIMIT)
        for number in (1, 2):
            run = subprocess.run(boot.command(kernel, pool, cores, []), stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True, errors="replace",
                                 timeout=boot.LIMIT, check=False)
            print(run.stdout, end="")
            problem = problems_of(pool) if number == 1 else None
            check = subprocess.run([maker, pool], capture_output=True, text=True,
                                   timeout=boot.LIMIT, check=False)
            if problem or boot.print_result(run.stdout, check) != 0:
                print(f"boot {number}: {problem}" if problem else f"boot {number} failed")
                print("0 passed, 1 failed")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
