# SPDX-License-Identifier: MIT
"""Repeatable figures in guest instructions, compared with doc/figures.md.

The document's table is the reference. A figure must not differ from it by more than TOLERANCE;
else the test fails and prints the correct line. A figure must not exceed its limit (column "at
most") in any case.

Usage: test_figures.py BUILD SOURCE [PART-OF-A-NAME]
"""

import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

import booting
import counting
import tracing
from booting import same, wanted

BUILD, SOURCE = (os.path.abspath(path) for path in sys.argv[1:3])
DOCUMENT = os.path.join(SOURCE, "doc/figures.md")
TOLERANCE = 0.10
BASE = 4096  # where the bytes of a program lie in its slot; the loader chooses the slot
IN_A_SLOT = 1 << 63 | (1 << 30) - 1  # the bits of a user address that do not name its slot
OBJECT_PAGES = ((1 << 30) - (2 << 20) - 4096) // 4096  # all data pages of one object


def read_documented(name):
    """(figure, limit) of a row `| name | figure | at most |` of the document."""
    with open(DOCUMENT, encoding="utf-8") as f:
        for line in f:
            cells = [cell.strip().replace(",", "") for cell in line.strip().strip("|").split("|")]
            if cells[0] == name:
                return int(cells[1]), int(cells[2])
    raise booting.Failure(f"{DOCUMENT} has no row {name!r}")


def check_figure(name, figure):
    print(f"      {name}: {figure}")
    reported, most = read_documented(name)
    wanted(figure <= most, f"{name}: {figure}, the limit is {most}")
    wanted(abs(figure - reported) <= TOLERANCE * reported,
           f"{name}: measured {figure}; {DOCUMENT} should say | {name} | {figure:,} | {most:,} |")


def elf_entry(path):
    with open(path, "rb") as f:
        return struct.unpack_from("<Q", f.read(32), 24)[0]


def physical_entry(kernel):
    """The address that the machine's loader jumps to, from the kernel's PVH note."""
    notes = subprocess.run(["readelf", "-n", kernel], capture_output=True, text=True, check=True)
    found = re.search(r"Xen.*?description data:((?: [0-9a-f]{2})+)", notes.stdout, re.DOTALL)
    wanted(found, f"no PVH note in {kernel}")
    return int.from_bytes(bytes.fromhex(found[1]), "little")


def instructions(pool, begin, end, *program):
    """The numbers of instructions from the first execution of `begin` to each one of `end`."""
    out = os.path.join(pool.dir, "insns")
    pool.run(*program, expect=0, options=tracing.options(
        BUILD, "insns", **{"from": hex(begin), "at": hex(end), "mask": hex(IN_A_SLOT), "out": out}))
    with open(out, encoding="ascii") as f:
        return [int(line) for line in f]


def test_boot_to_hello_keeps_its_figure():
    """Counts to the first instruction of hello. init may have the same entry address."""
    with booting.Pool(BUILD) as pool:
        hello = os.path.join(BUILD, "examples/hello")
        pool.put(hello, "/host/hello")
        kernel = physical_entry(os.path.join(BUILD, "kernel/twz.elf"))
        init = dict((path, host) for host, path in pool.system())["/bin/init"]
        hits = instructions(pool, kernel, BASE + elf_entry(hello), "/host/hello")
        wanted(hits, "hello's entry was never executed")
        same(len(hits), 2 if elf_entry(init) == elf_entry(hello) else 1, "entries")
        check_figure("boot to hello", hits[-1])


def test_two_boots_take_the_same():
    with booting.Pool(BUILD) as pool:
        hello = os.path.join(BUILD, "examples/hello")
        pool.put(hello, "/host/hello")
        kernel = physical_entry(os.path.join(BUILD, "kernel/twz.elf"))
        pool.run("/host/hello", expect=0)
        figures = [instructions(pool, kernel, BASE + elf_entry(hello), "/host/hello")[-1]
                   for _ in range(2)]
        low, high = sorted(figures)
        wanted(high - low <= low // 100, f"two boots differ: {figures}")


def data_file(pool, name, pages):
    """Puts a file of so many pages, none of them empty, into the pool. The object's ID."""
    path = os.path.join(pool.dir, name)
    page = b"\1" * 8 + bytes(4088)
    with open(path, "wb") as f:
        for at in range(0, pages, 256):
            f.write(page * min(256, pages - at))
    pool.put(path, f"/data/{name}")
    os.unlink(path)
    return pool.tool("id", f"/data/{name}").stdout.strip()


def test_mapping_cost_does_not_depend_on_size():
    """Maps objects of 4 KiB, of 1 MiB, and of the maximal size."""
    if shutil.disk_usage("/dev/shm").free > 3 << 30:
        tempfile.tempdir = "/dev/shm"
    with booting.Pool(BUILD, size="2G", system=False) as pool:
        tempfile.tempdir = None
        pool.put(f"{BUILD}/tests/guest/raw/raw-mapping", "/bin/init")
        pool.tool("boot", "/bin/init")
        ids = [data_file(pool, f"data{i}", pages)
               for i, pages in enumerate([1, 1, 256, OBJECT_PAGES, 1])]
        reported = pool.run("mapping", *ids, expect=0, options=["--deterministic"])
    small, middle, large, other = (tuple(map(int, line.split()))
                                   for line in reported.stdout.splitlines())
    print(f"      first touch and mapping of 4 KiB {small}, 1 MiB {middle}, 1 GiB {large}")
    same((large[1], middle[1], other[1]), (small[1],) * 3, "instructions to map")
    wanted(large[0] <= middle[0] * 1.02, f"first touch: 1 MiB {middle[0]}, 1 GiB {large[0]}")
    check_figure("map an object", small[1])


def test_machine_without_nvdimm_ends_with_a_message():
    """Without persistent memory the kernel reports that there is no pool."""
    with booting.Pool(BUILD, size=None) as pool:
        r = subprocess.run([pool.bin("twz-run"), "--log", pool.log_path, "--bare"],
                           capture_output=True, stdin=subprocess.DEVNULL,
                           timeout=booting.BOOT_LIMIT, check=False)
        wanted(r.returncode not in (0, 128 + 9), f"status {r.returncode}")
        booting.holds(pool.kernel_log(), b"twz: fatal:", b"pool")


counting.run(globals(), sys.argv[3] if len(sys.argv) > 3 else None)
