# SPDX-License-Identifier: MIT
"""Help, man page and completion agree with twz-obj's table of commands.

Usage: test_words.py TWZ-OBJ TREE
"""

import os
import re
import shutil
import subprocess
import sys

import counting
from objtool import Pool, holds, same, wanted

TOOL, TREE = os.path.abspath(sys.argv[1]), sys.argv[2]
MAN = os.path.join(TREE, "doc", "man", "twz-obj.1")
COMPLETION = os.path.join(TREE, "utils", "twz-obj", "completion.bash")


def tool(*words):
    return subprocess.run([TOOL, *words], capture_output=True, text=True, check=True).stdout


def split_name(line):
    """("key new", "FILE"): the one or two words of the name, and the operands, which begin with no
    small letter."""
    return re.match(r"([a-z]+(?: [a-z]+)?) ?(.*)", line).groups()


def commands():
    """{name: operands} of the table."""
    return dict(split_name(line) for line in tool("--words").splitlines())


def options(command):
    """{--option: argument} of its own."""
    pairs = (line.partition(" ") for line in tool(f"--words={command}").splitlines())
    everywhere = ("--pool", "--json", "--jsonl", "--help")
    return {name: argument for name, _, argument in pairs if name not in everywhere}


def man_sections():
    """{command: (operands, its text)} of the man page's entries '.SS name operands'."""
    with open(MAN, encoding="utf-8") as f:
        text = re.sub(r"\\f[RIB]|[\\\"]", "", f.read().replace("\\-", "-"))
    entries = re.split(r"^\.SS ", text, flags=re.MULTILINE)[1:]
    found = {}
    for entry in entries:
        head, _, body = entry.partition("\n")
        name, operands = split_name(head.strip('"'))
        found[name] = (operands, re.split(r"^\.SH ", body, flags=re.MULTILINE)[0])
    return found


def test_the_table_is_there():
    wanted(len(commands()) > 25, "hardly a command")
    same(options("ln"), {"--symbolic": "", "--force": ""})


def test_help_of_each_command():
    overview = tool("--help")
    for name, operands in commands().items():
        holds(overview, f"  {name} {operands}".rstrip())
        text = tool(*name.split(), "--help")
        holds(text, f"usage: twz-obj {name}", operands)
        for option, argument in options(name).items():
            holds(text, f"{option} {argument}".rstrip())
        same("[option...]" in text, bool(options(name)), f"{name}: options in the usage")


def test_help_of_a_noun():
    text = tool("key", "--help")
    for name in commands():
        same(f"twz-obj {name} " in text, name.startswith("key "), name)


def check_forms(command, text):
    """An option is introduced with its letter and its argument, as --help shows them."""
    for form in re.findall(r"^  (-.,)? +(--[a-z-]+)(?: ([A-Z]+))? ", tool(*command.split(), "--help").split("Options of all")[0],
                           flags=re.MULTILINE):
        letter, option, argument = form
        wanted_form = " ".join(filter(None, [letter, option, argument]))
        lines = re.sub(r" +", " ", text).replace(" ,", ",")
        wanted(re.search(rf"^\.\w+ {re.escape(wanted_form)}\b", lines, flags=re.MULTILINE),
               f"{command}: {wanted_form} is not in the man page")


def test_man_page_has_each_command_and_option():
    sections = man_sections()
    same(sorted(sections), sorted(commands()), "commands")
    for name, operands in commands().items():
        same(sections[name][0], operands, name)
        found = set(re.findall(r"--[a-z-]+", sections[name][1]))
        for option in options(name):
            wanted(option in found, f"{name} {option} is not in the man page")
        check_forms(name, sections[name][1])
        known = set().union(*(options(other) for other in commands())) | {"--pool", "--json", "--jsonl"}
        same(found - known, set(), f"options that do not exist, in {name}")


def test_man_page_is_well_formed():
    if not shutil.which("groff"):
        raise counting.Skipped("no groff")
    r = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", MAN], capture_output=True, text=True)
    same(r.stderr, "")


def complete(pool, *words):
    """The completions that bash offers for the last word."""
    script = f"""
        source {COMPLETION}
        PATH={os.path.dirname(TOOL)}:$PATH
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        COMPREPLY=()
        _twz_obj
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    env = {**os.environ, "TWZ_POOL": pool.path}
    r = subprocess.run(["bash", "-c", script, "bash", "twz-obj", *words], capture_output=True,
                       text=True, check=True, env=env)
    same(r.stderr, "")
    return r.stdout.split()


def test_completion():
    with Pool(TOOL) as pool:
        pool("new", "/data/alpha")
        pool("new", "/data/beta")
        same(complete(pool, "mk"), ["mkpool", "mkdir"])
        same(complete(pool, "ln", "--sym"), ["--symbolic"])
        same(complete(pool, "ls", "/da"), ["/data/"])
        same(complete(pool, "--pool", pool.path, "cat", "/data/"), ["/data/alpha", "/data/beta"])
        same(complete(pool, "cat", "/data/b"), ["/data/beta"])
        same(complete(pool, "--pool", pool.path + "."), [])
        same(complete(pool, "put", pool.path[:-1]), [pool.path])
        same(complete(pool, "put", pool.path, "/data/a"), ["/data/alpha"])
        same(complete(pool, "ke"), ["key"])
        same(complete(pool, "key", "e"), ["export"])
        same(complete(pool, "cap", "new", "--by-"), ["--by-epoch"])
        same(complete(pool, "cap", "new", "/data/a"), ["/data/alpha"])
        same(complete(pool, "cap", "new", "/data/alpha", pool.path[:-1]), [pool.path])
        same(complete(pool, "cap", "new", "--key", pool.path[:-1]), [pool.path])


counting.run(globals(), *sys.argv[3:4])
