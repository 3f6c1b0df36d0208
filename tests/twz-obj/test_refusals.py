# SPDX-License-Identifier: MIT
"""What twz-obj refuses it says in the words of the command: what is wrong, and what there is to do.

Usage: test_refusals.py TWZ-OBJ [PART-OF-A-NAME]
"""

import os
import sys

import counting
from objtool import Pool, one_line, wanted

TOOL = os.path.abspath(sys.argv[1])


def lacks(text, *parts):
    for part in parts:
        wanted(part not in text, f"{part!r} in {text!r}")


# --- host files --------------------------------------------------------------------------------

def test_a_host_file_in_the_way():
    """Only what has --force advises it."""
    with Pool(TOOL) as pool:
        taken = pool.file("taken")
        for words in (["snapshot", taken], ["check", "--repair", "--backup", taken]):
            said = pool(*words, code=1).stderr
            one_line(said, taken, "exists already", "another name")
            lacks(said, "--force")
        one_line(pool("mkpool", code=1).stderr, "exists already", "another name", "--force")


def test_a_host_directory_that_is_missing():
    with Pool(TOOL) as pool:
        pool("new", "/data/x")
        none = os.path.join(pool.dir, "none")
        for words in (["snapshot", f"{none}/x"], ["check", "--repair", "--backup", f"{none}/x"],
                      ["get", "/data/x", f"{none}/x"], ["mkpool", f"{none}/x"]):
            said = pool(*words, code=3).stderr
            one_line(said, f"{none}: no such directory")
        one_line(pool("snapshot", f"{pool.file('f')}/x", code=1).stderr, "/f: ", "ot a directory")
        for words in (["snapshot", ""], ["get", "/data/x", ""], ["mkpool", ""]):
            one_line(pool(*words, code=2).stderr, "empty")


counting.run(globals(), *sys.argv[2:3])
