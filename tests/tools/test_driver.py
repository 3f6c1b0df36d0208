# SPDX-License-Identifier: MIT
"""The driver script alone: a copy of it in a tree whose tools are stand-ins that record how they
were called. The tests check what the driver passes on, repeats and refuses.

Usage: test_driver.py TREE [PART-OF-A-NAME]
"""

import os
import shutil
import struct
import subprocess
import sys
import tempfile

import backstop
import counting

TOP = os.path.abspath(sys.argv[1])
LIMIT = backstop.seconds(60)

# PT_LOAD, PT_INTERP; readable with or without the right to write
LOAD, INTERP, TEXT, DATA = 1, 3, 5, 6
GIB = 1 << 30


def elf(*segments, kind=3, machine=62):
    """A file with the header of an ELF program, and (type, flags, address) of each segment."""
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0, 64, 0, 0,
                                                           64, 56, len(segments), 0, 0, 0)
    return head + b"".join(struct.pack("<IIQQQQQQ", which, flags, 0, at, at, 0, 0, 4096)
                           for which, flags, at in segments)


PROGRAM = elf((LOAD, TEXT, 0), (LOAD, DATA, GIB), (4, 4, 0))

# Records its arguments; mkpool makes a file of the given size; batch records its input.
TOOL = """#!/bin/sh
{ printf '%s' "$(basename "$0")"; printf ' [%s]' "$@"; echo; } >>"$NOTES"
case " $* " in
*" mkpool "*) while [ $# -gt 1 ]; do [ "$1" = --pool ] && f=$2; [ "$1" = --size ] && s=$2; shift; done
    truncate -s "$s" "$f"; echo made ;;
*" batch "*) cat >>"$NOTES"; exit "${BATCH_STATUS:-${TOOL_STATUS:-0}}" ;;
*" put "*) echo 0123456789abcdef ;;
esac
exit "${TOOL_STATUS:-0}"
"""
RUNNER = """#!/bin/sh
{ printf 'twz-run'; printf ' [%s]' "$@"; echo; } >>"$NOTES"
[ "$1" != --pool ] || { echo "pool has $(stat -L -c %s "$2") bytes" >>"$NOTES"; }
exit "${RUN_STATUS:-0}"
"""


class Tree:
    """A tree with the driver, a finished build of stand-ins, and `notes` of how they were called."""

    def __init__(self, built=True):
        self.dir = tempfile.mkdtemp(prefix="twz driver.")
        self.notes_path = os.path.join(self.dir, "notes")
        self.pool = os.path.join(self.dir, "twz.pool")
        shutil.copy(os.path.join(TOP, "twz"), self.dir)
        os.makedirs(os.path.join(self.dir, "utils/dev"))
        if built:
            self.script("build/bin/twz-obj", TOOL)
            self.script("build/bin/twz-run", RUNNER)
            self.script("tools/ninja", "#!/bin/sh\necho ninja: no work to do.\n")
            self.write("build/build.ninja", "")
            self.write("build/init", "init 1")
            self.write("build/system.list", "init /bin/init\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)

    def write(self, path, text):
        full = os.path.join(self.dir, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return full

    def script(self, path, text):
        os.chmod(self.write(path, text), 0o755)

    def twz(self, *words, path=None, script=None, **env):
        """Run the driver without terminal and with standard input closed; notes begin empty."""
        if os.path.exists(self.notes_path):
            os.unlink(self.notes_path)
        default = os.path.join(self.dir, "tools") + ":" + os.environ["PATH"]
        return subprocess.run(
            ["sh", "-c", 'exec "$@" <&-', "sh", script or os.path.join(self.dir, "twz"), *words],
            capture_output=True, text=True, timeout=LIMIT, cwd=self.dir, start_new_session=True,
            env={"PATH": path or default, "NOTES": self.notes_path, "TMPDIR": self.tmp(), **env})

    def tmp(self):
        path = os.path.join(self.dir, "tmp")
        os.makedirs(path, exist_ok=True)
        return path

    def notes(self):
        if not os.path.exists(self.notes_path):
            return ""
        with open(self.notes_path, encoding="utf-8") as f:
            return f.read()


def same(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")


def holds(text, *parts):
    for part in parts:
        if part not in text:
            raise AssertionError(f"{part!r} not in {text!r}")


def lacks(text, part):
    if part in text:
        raise AssertionError(f"{part!r} in {text!r}")


def test_first_run_makes_the_pool_and_reports_it():
    with Tree() as t:
        r = t.twz("run", "--", "cat")
        same((r.returncode, r.stdout), (0, ""))
        holds(r.stderr, f"made the pool {t.pool} (1G")
        same(os.stat(t.pool).st_size, 1 << 30)
        holds(t.notes(), "[mkpool] [--size] [1G]", "put --update --perms rx init /bin/init\n",
              "/bin/init\nboot /bin/init\n",
              f"twz-run [--pool] [{t.pool}] [--] [cat]\n")


def test_second_run_repeats_nothing():
    with Tree() as t:
        t.twz("run", "--", "cat")
        r = t.twz("run", "--", "cat")
        same((r.stdout, r.stderr), ("", ""))
        same(t.notes(), f"twz-run [--pool] [{t.pool}] [--] [cat]\npool has {1 << 30} bytes\n")


def test_changed_system_is_put_again():
    with Tree() as t:
        t.twz("run")
        t.write("build/init", "init 2, longer")
        t.twz("run")
        holds(t.notes(), "/bin/init\n")
        t.twz("run")
        lacks(t.notes(), "batch")


def test_new_pool_gets_the_system_again():
    with Tree() as t:
        t.twz("run")
        os.unlink(t.pool)
        t.twz("run")
        holds(t.notes(), "mkpool", "boot /bin/init")


def test_failed_put_is_tried_again():
    with Tree() as t:
        with open(t.pool, "wb") as f:
            f.truncate(1 << 30)
        same(t.twz("run", TOOL_STATUS="6").returncode, 6)
        lacks(t.notes(), "twz-run")
        same(t.twz("run").returncode, 0)
        holds(t.notes(), "batch", "twz-run")


def test_host_program_is_put_first():
    with Tree() as t:
        t.write("my program", PROGRAM)
        r = t.twz("run", "--", "./my program", "a b", "", "it's", "--cpus")
        same((r.returncode, r.stdout), (0, ""))
        holds(t.notes(), "[put] [--update] [--perms] [rxd] [./my program] [/host/my program]",
              f"twz-run [--pool] [{t.pool}] [--] [/host/my program] [a b] [] [it's] [--cpus]\n")


def test_a_file_that_is_no_program_is_not_put():
    """Refused before anything is done: text, and programs of the host."""
    text, data = (LOAD, TEXT, 0), (LOAD, DATA, GIB)
    with Tree() as t:
        for content in (b"words", b"", b"\x7fELF", elf(), elf(text, data, (INTERP, 4, 0)),
                        elf(text, (LOAD, DATA, GIB - 4096)), elf(text, data, kind=2),
                        elf(text, data, machine=183), PROGRAM[:64]):
            t.write("file", content)
            r = t.twz("run", "--", "./file")
            same((content, r.returncode, r.stderr),
                 (content, 126, "twz: ./file: a file of this machine, not a program for twz: compile "
                  "it with build/bin/twz-cc\n"))
            same((t.notes(), os.path.exists(t.pool)), ("", False))
        same(t.twz("run", "--", "/bin/ls").returncode, 126)


def test_options_are_passed_on():
    with Tree() as t:
        t.twz("run", "--cpus", "4", "--memory=1G", "--deterministic", "--trace=call,fault",
              "--log", "-", "--env", "A=it's", "--gdb", "--", "x")
        holds(t.notes(), f"twz-run [--pool] [{t.pool}] [--cpus] [4] [--memory] [1G] "
              "[--deterministic] [--trace] [call,fault] [--log] [-] [--env] [A=it's] [--gdb] [--] [x]\n")


def test_pool_from_option_and_environment():
    with Tree() as t:
        other, third = os.path.join(t.dir, "other"), os.path.join(t.dir, "third")
        t.twz("run", TWZ_POOL=other)
        holds(t.notes(), f"twz-run [--pool] [{other}]")
        t.twz("run", "--pool", third, "--size", "64M", TWZ_POOL=other)
        holds(t.notes(), f"twz-run [--pool] [{third}]", f"pool has {64 << 20} bytes")
        same(os.path.exists(t.pool), False)


def test_a_pool_in_which_the_system_does_not_fit_goes_again():
    with Tree() as t:
        for words in (["--size", "1M"], ["--size", "1M", "--fresh"]):
            r = t.twz("run", *words, BATCH_STATUS="6")
            same(r.returncode, 6)
            holds(r.stderr, "--size 1M: the system's programs do not fit: give at least 3M")
            same((os.path.exists(t.pool), os.listdir(t.tmp())), (False, []))
            lacks(t.notes(), "twz-run")
        same(t.twz("run", "--size", "64M", "--", "x").returncode, 0)
        # Not one that was there before.
        t.write("build/init", "init 2, longer")
        same((t.twz("run", BATCH_STATUS="6").returncode, os.path.exists(t.pool)), (6, True))


def test_a_pool_is_checked_before_the_system_is_put():
    with Tree() as t:
        t.write("twz.pool", "int main(void)")
        r = t.twz("run", TOOL_STATUS="4")
        same((r.returncode, r.stderr), (4, ""))
        lacks(t.notes(), "batch")


def test_a_fresh_pool_has_no_name():
    with Tree() as t:
        r = t.twz("run", "--pool", "other", "--fresh", "--", "x")
        same((r.returncode, len(r.stderr.splitlines()), t.notes()), (2, 1, ""))
        holds(r.stderr, "--pool other --fresh: ", "leave one of the two out")
        same(t.twz("run", "--fresh", TWZ_POOL="other").returncode, 0)


def test_the_driver_may_be_a_link():
    with Tree() as t:
        os.makedirs(os.path.join(t.dir, "links"))
        first, second = os.path.join(t.dir, "links/a"), os.path.join(t.dir, "links/b")
        os.symlink("../twz", first)
        os.symlink("a", second)
        for link in (first, second):
            r = t.twz("run", "--", "x", script=link)
            same(r.returncode, 0)
            holds(t.notes(), f"twz-run [--pool] [{t.pool}]")


def test_a_tree_that_cannot_be_written():
    """The superuser may write everything, so a directory is where the log should be."""
    with Tree() as t:
        os.makedirs(os.path.join(t.dir, "build/build.log"))
        r = t.twz("run", "--", "x")
        same((r.returncode, t.notes()), (7, ""))
        same(r.stderr, f"twz: {t.dir}/build/build.log: cannot be written, so nothing can be built "
             "here: clone the tree into a directory of yours\n")
        if os.getuid() != 0:
            os.chmod(os.path.join(t.dir, "build"), 0o555)
            holds(t.twz("run").stderr, f"twz: {t.dir}/build: cannot be written")
            os.chmod(os.path.join(t.dir, "build"), 0o755)


def test_options_of_test_stand_anywhere():
    with Tree() as t:
        t.script("tools/python3", '#!/bin/sh\nprintf " [%s]" "$@" >>"$NOTES"\n')
        runner, mutants = (os.path.join(t.dir, "tests", p) for p in ("run.py", "mutants/mutants.py"))
        for words in (["--no-install", "a", "--jobs", "1"], ["a", "--no-install", "--jobs", "1"],
                      ["a", "--jobs", "1", "--no-install"]):
            same(t.twz("test", *words).returncode, 0)
            same(t.notes(), f" [{runner}] [{t.dir}/build] [a] [--jobs] [1]")
        for words in (["--mutants", "3", "--no-install"], ["--no-install", "3", "--mutants"]):
            t.twz("test", *words)
            same(t.notes(), f" [{mutants}] [{t.dir}] [{t.dir}/build] [3]")
        t.twz("test", "--mutants", "-h", "--no-install")
        same(t.notes(), f" [{mutants}] [{t.dir}] [{t.dir}/build] [--help]")
        for words in (["-h"], ["--help"], ["a", "--no-install", "-h"]):
            r = t.twz("test", *words)
            holds(r.stdout, "usage: ./twz test [--no-install]", "--mutants", "--seed N")
            same(t.notes(), "")


def test_wrong_use_of_test_names_its_help():
    r = subprocess.run([sys.executable, os.path.join(TOP, "tests/run.py"), "build", "--nonsense"],
                       capture_output=True, text=True, timeout=LIMIT)
    same((r.returncode, r.stdout), (2, ""))
    same(r.stderr, "twz: test: unrecognized arguments: --nonsense: see ./twz test --help\n")


def test_man_page_has_the_options():
    with open(os.path.join(TOP, "doc/man/twz.1"), encoding="utf-8") as f:
        man = f.read().replace("\\-", "-")
    with Tree() as t:
        for command in ("run", "test", "build"):
            text = t.twz(command, "--help").stdout
            for option in {word for word in text.translate(str.maketrans("[]()", "    ")).split()
                           if word.startswith("--") and len(word) > 2}:
                holds(man, option)


def test_another_size_is_refused():
    with Tree() as t:
        t.twz("run")
        r = t.twz("run", "--size", "2G")
        same(r.returncode, 2)
        holds(r.stderr, "--size 2G: the pool", str(1 << 30))
        lacks(t.notes(), "twz-run")
        same(t.twz("run", "--size", "1024M").returncode, 0)


def test_fresh_pool_leaves_nothing():
    with Tree() as t:
        r = t.twz("run", "--fresh", "--size", "32M", "--", "x", RUN_STATUS="7")
        same((r.returncode, r.stdout, r.stderr), (7, "", ""))
        holds(t.notes(), "boot /bin/init", "twz-run [--pool] [/dev/fd/9] [--log] [/dev/fd/8] [--] [x]",
              f"pool has {32 << 20} bytes")
        same((os.listdir(t.tmp()), os.path.exists(t.pool)), ([], False))
        t.twz("run", "--fresh", "--log", "-")
        lacks(t.notes(), "/dev/fd/8")


def test_status_is_that_of_the_program():
    with Tree() as t:
        for status in ("1", "77", "139", "255"):
            same(t.twz("run", "--", "x", RUN_STATUS=status).returncode, int(status))


def test_wrong_use():
    with Tree() as t:
        for words in (["run", "x"], ["run", "--size", "3x"], ["run", "--size"], ["run", "--nonsense"],
                      ["nonsense"], ["run", "--size", ""], ["run", "--size=M"]):
            same((words, t.twz(*words).returncode), (words, 2))
            lacks(t.notes(), "twz-run")


def test_help():
    with Tree() as t:
        same(t.twz().returncode, 0)
        for command in ("run", "test", "build", "debug", "fmt"):
            r = t.twz(command, "--help")
            same((command, r.returncode, r.stdout.startswith(f"usage: ./twz {command}")),
                 (command, 0, True))
            for words in ([command, "-h"], ["help", command]):
                same(t.twz(*words).stdout, r.stdout)
        same(t.twz("help", "nonsense").returncode, 2)
        holds(t.twz("help").stdout, "usage: ./twz COMMAND")


def test_failed_build_is_shown():
    with Tree() as t:
        t.script("tools/ninja", "#!/bin/sh\necho file.c:1: error; exit 1\n")
        r = t.twz("run")
        same(r.returncode, 1)
        holds(r.stderr, "    | file.c:1: error", "twz: building failed")


def test_missing_packages_are_listed_only():
    with Tree(built=False) as t:
        for tool in ("sh", "dirname", "cat", "tr", "cut", "mktemp", "id", "grep", "sed"):
            os.makedirs(os.path.join(t.dir, "few"), exist_ok=True)
            os.symlink(shutil.which(tool), os.path.join(t.dir, "few", tool))
        r = t.twz("run", "--no-install", path=os.path.join(t.dir, "few"))
        same((r.returncode, r.stdout), (3, ""))
        holds(r.stderr, "    gcc ", "    meson ", "    qemu-system-x86 ", "without --no-install")
        # Without apt-get in the path: another distribution.
        r = t.twz("run", path=os.path.join(t.dir, "few"))
        same(r.returncode, 3)
        holds(r.stderr, "    gcc ", "the names are Debian's")


def test_packages_are_installed():
    with Tree(built=False) as t:
        for tool in ("sh", "dirname", "cat", "tr", "cut", "mktemp", "grep", "tail", "sed", "rm",
                     "sleep", "env"):
            os.makedirs(os.path.join(t.dir, "few"), exist_ok=True)
            os.symlink(shutil.which(tool), os.path.join(t.dir, "few", tool))
        t.script("few/id", "#!/bin/sh\necho 1000\n")
        t.script("few/sudo", '#!/bin/sh\necho sudo >>"$NOTES"; exec "$@"\n')
        t.script("few/apt-get", '#!/bin/sh\necho "apt-get $* $DEBIAN_FRONTEND" >>"$NOTES"\n')
        r = t.twz("run", path=os.path.join(t.dir, "few"))
        same(r.returncode, 3)
        holds(t.notes(), "sudo\napt-get -q -y", "install --no-install-recommends gcc ",
              "noninteractive")
        holds(r.stderr, "installing them: apt-get install gcc", "still missing after the installation")


counting.run(globals(), *sys.argv[2:3])
