# SPDX-License-Identifier: MIT
"""store-crash finds bugs: each of these is put into a copy of one file of the store.

Usage: test_seeded.py STORE-CRASH SOURCE-DIR COMPILER LIBRARY LIBRARY [PART-OF-A-NAME]

The objects of STORE-CRASH lie beside it, in a folder with its name and .p; the file with the bug is
compiled again and takes the place of its object. Each text to replace must be there exactly once.
"""

import os
import subprocess
import sys
import tempfile

import backstop
import counting

PROGRAM, SOURCE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
COMPILER, LIBRARIES = sys.argv[3], [os.path.abspath(path) for path in sys.argv[4:6]]
FLAGS = ["-std=gnu11", "-O2", "-w", "-DREF_MAX=5u",
         *(f"-I{SOURCE}/{path}" for path in ("kernel", "kernel/abi", "kernel/store/host", "security"))]


def find(name, *changes):
    """Build store-crash with changes of kernel/store/NAME; it must find the bug."""
    with open(f"{SOURCE}/kernel/store/{name}", encoding="ascii") as f:
        text = f.read()
    for old, new in changes:
        assert text.count(old) == 1, f"{name}: {text.count(old)} times: {old}"
        text = text.replace(old, new)
    objects = [f"{PROGRAM}.p/{entry}" for entry in os.listdir(f"{PROGRAM}.p") if entry.endswith(".o")]
    others = [path for path in objects if not path.endswith(f"kernel_store_{name}.o")]
    assert len(others) == len(objects) - 1, f"{len(objects)} objects, {len(others)} without {name}"
    with tempfile.TemporaryDirectory(prefix="twz-seeded.") as scratch:
        source, program = f"{scratch}/{name}", f"{scratch}/store-crash"
        with open(source, "w", encoding="ascii") as f:
            f.write(text)
        subprocess.run([COMPILER, *FLAGS, source, *others, "-Wl,--start-group", *LIBRARIES, "-Wl,--end-group",
                        "-o", program], check=True)
        run = subprocess.run([program, "--find"], capture_output=True, text=True,
                             timeout=backstop.seconds(600))
    print(f"{name}: {run.stdout.strip()}")
    assert run.returncode == 1 and run.stdout.startswith("found: "), f"{name}: not found"


def test_page_map():
    """Shared pages: the destination's words are stored before the source's."""
    source, dest = "    change_apply(&source, src_first, count);\n", "    change_apply(&dest, dst_first, count);\n"
    find("page.c", (source + dest, dest + source))


def test_recovery():
    """The object that others depend on is freed before them."""
    find("reclaim.c", ("    reverse_queue(reclaim);\n", "    if (!reclaim)\n        reverse_queue(reclaim);\n"))


def test_table():
    """A new chunk has no second directory word."""
    find("table.c", ("    persist_publish64(table_dir_word(store, 1, chunk), word); /* COMMIT: the mirror */\n", ""))


def test_provisional():
    """Any value of the witness word commits a provisional object."""
    find("reclaim.c", ("    return value == version->witness_value ||", "    return value ||"))


def test_writer_generation():
    """Recovery stores before it raises the generation."""
    find("recover.c", ("    if (!store->env.scratch)\n"
                       "        err = super_raise_writer(store);\n"
                       "    return err < 0 ? err : recover_pool(store, result);\n",
                       "    err = recover_pool(store, result);\n"
                       "    if (err == 0 && !store->env.scratch)\n"
                       "        err = super_raise_writer(store);\n"
                       "    return err;\n"))


counting.run(globals(), *sys.argv[6:7])
