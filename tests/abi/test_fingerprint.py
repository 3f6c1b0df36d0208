# SPDX-License-Identifier: MIT
"""The fingerprint of the media layout covers every struct, field and number of the format.

Usage: test_fingerprint.py MEDIA-DUMP ABI-DUMP LAYOUT.DEF

The dumps list what the headers define; layout.def is what store_layout() computes over. A name in
layout.def that no header defines does not compile, so only missing names are looked for.
"""

import re
import subprocess
import sys

# Structs of an object's own pages: part of the media as well.
OBJECT_STRUCTS = {"twz_meta", "twz_fot_entry", "twz_ext"}
# Checked one by one at open, by name: not part of the fingerprint.
NOT_COVERED = {
    "STORE_VERSION", "STORE_INCOMPATIBLE", "STORE_READONLY_COMPATIBLE", "STORE_COMPATIBLE",
    "STORE_CLASSES", "STORE_OBJ_KNOWN",
}

STRUCT = re.compile(r"struct (\w+) \d+ align")
FIELD = re.compile(r"  (\w+) \d+\+\d+$")
NUMBER = re.compile(r"(STORE_\w+) 0x")


def defined(dump, structs=None):
    """The entries that layout.def must have for a dump: for all of it, or for some of its structs."""
    struct = None
    for line in subprocess.run([dump], check=True, capture_output=True, text=True).stdout.splitlines():
        if m := STRUCT.match(line):
            struct = m[1] if structs is None or m[1] in structs else None
            if struct:
                yield f"LAYOUT_STRUCT({struct})"
        elif (m := FIELD.match(line)) and struct:
            yield f"LAYOUT_FIELD({struct}, {m[1]})"
        elif (m := NUMBER.match(line)) and m[1] not in NOT_COVERED:
            yield f"LAYOUT_NUMBER({m[1]})"


def main(media, abi, layout):
    wanted = [*defined(media), *defined(abi, OBJECT_STRUCTS)]
    with open(layout, encoding="ascii") as f:
        listed = set(f.read().splitlines())
    missing = [entry for entry in wanted if entry not in listed]
    for entry in missing:
        print(f"not in layout.def: {entry}")
    print(f"{len(wanted) - len(missing)} passed, {len(missing)} failed")
    return 1 if missing or len(wanted) < 100 else 0


sys.exit(main(*sys.argv[1:]))
