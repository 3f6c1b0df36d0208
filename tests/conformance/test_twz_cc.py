# SPDX-License-Identifier: MIT
"""twz-cc as a user calls it: its programs, its location, the options it refuses.

Usage: test_twz_cc.py BUILD [PART-OF-A-NAME]
"""

import os
import shutil
import struct
import subprocess
import sys
import tempfile

import backstop
import booting
import counting
from booting import holds, same, wanted

BUILD = os.path.abspath(sys.argv[1])
TWZ_CC = f"{BUILD}/bin/twz-cc"
DIR = tempfile.mkdtemp(prefix="twz-cc.")
LIMIT = backstop.seconds(120)
DATA = 1 << 30
PT_LOAD, PT_DYNAMIC, PT_NOTE = 1, 2, 4
R_RELATIVE = 8

HELLO = "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n"
LARGE = """
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
static _Thread_local int own = 3;
static const char *const names[] = { "a", "b" };
int *pointer = &(int){ 5 };
static void *run(void *arg) { own++; return arg; }
int main(int argc, char **argv)
{
    pthread_t t;
    pthread_create(&t, 0, run, (void *)names[argc & 1]);
    pthread_join(t, 0);
    return own + *pointer + (int)sqrt(atof(argv[0])) + errno;
}
"""


def put(name, text):
    path = os.path.join(DIR, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def call(*words, cc=TWZ_CC, expect=0, **more):
    r = subprocess.run([cc, *words], capture_output=True, text=True, timeout=LIMIT, cwd=DIR,
                       stdin=subprocess.DEVNULL, **more)
    if expect is not None:
        wanted(r.returncode == expect, f"{cc} {' '.join(words)}: {r.returncode}: {r.stderr}")
    return r


class Elf:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.bytes = f.read()
        self.type, = struct.unpack_from("<H", self.bytes, 16)
        off, = struct.unpack_from("<Q", self.bytes, 32)
        size, count = struct.unpack_from("<HH", self.bytes, 54)
        self.headers = [struct.unpack_from("<IIQQQQQQ", self.bytes, off + i * size)
                        for i in range(count)]

    def of_type(self, wanted_type):
        """(flags, file offset, address, file size, memory size) of each."""
        return [(h[1], h[2], h[3], h[5], h[6]) for h in self.headers if h[0] == wanted_type]

    def relocations(self):
        _, off, _, size, _ = self.of_type(PT_DYNAMIC)[0]
        tags = dict(struct.iter_unpack("<QQ", self.bytes[off:off + size]))
        start, length = tags.get(7, 0), tags.get(8, 0)
        return list(struct.iter_unpack("<QQq", self.bytes[start:start + length]))


def check_program(path):
    """The program must have the segments that libtwz/program.ld defines."""
    elf = Elf(path)
    loads = elf.of_type(PT_LOAD)
    same(elf.type, 3, "position-independent")
    same(len(loads), 2, "segments")
    text, data = loads
    same((text[0], text[1], text[2]), (5, 0, 0), "text is r-x and lies at its file offset")
    same((data[0], data[2]), (6, DATA), "data are rw- and lie one GiB above")
    for at, info, _ in elf.relocations():
        same(info & 0xffffffff, R_RELATIVE, "kind of relocation")
        wanted(DATA <= at < DATA + data[4], f"relocation at {at:#x} is outside the data")
    _, off, _, size, _ = elf.of_type(PT_NOTE)[0]
    same(elf.bytes[off + 12:off + 16], b"twz\0", "note")
    return elf


def test_hello():
    call("-o", "hello", put("hello.c", HELLO))
    check_program(f"{DIR}/hello")


def test_large_program():
    call("-O2", "-g", "-pthread", "-o", "large", put("large.c", LARGE), "-lm", "-lpthread")
    wanted(len(check_program(f"{DIR}/large").relocations()) > 3, "no relocations to look at")


def test_clang():
    if not shutil.which("clang"):
        raise counting.Skipped("no clang here")
    call("-O2", "-o", "large-clang", put("large.c", LARGE), env={**os.environ, "TWZ_CC": "clang"})
    check_program(f"{DIR}/large-clang")


def test_compile_then_link():
    put("one.c", "int two(void);\nint main(void) { return two(); }\n")
    put("two.c", "int two(void) { return 2; }\n")
    call("-c", "one.c", "two.c")
    call("-o", "both", "one.o", "two.o")
    check_program(f"{DIR}/both")


def test_options_that_contradict_are_left_out():
    call("-static", "-no-pie", "-fno-pie", "-pie", "-o", "odd", put("hello.c", HELLO))
    check_program(f"{DIR}/odd")


def test_shared_is_refused():
    r = call("-shared", "-o", "lib.so", put("hello.c", HELLO), expect=1)
    holds(r.stderr, "-shared")


def test_preprocess_assemble_depend():
    put("hello.c", HELLO)
    holds(call("-E", "hello.c").stdout, "puts")
    call("-S", "hello.c")
    holds(open(f"{DIR}/hello.s", encoding="utf-8").read(), "main")
    deps = call("-M", "hello.c").stdout
    holds(deps, "hello.c", "musl-port/include/stdio.h")
    wanted("/usr/include/stdio.h" not in deps, f"the host's headers are used: {deps}")


def test_questions_to_the_compiler():
    wanted(call("--version").stdout, "no version")
    wanted(call("-print-prog-name=ld").stdout, "no answer")
    wanted(call("-dumpmachine").stdout.startswith("x86_64"), "no machine")
    holds(call("--help").stdout, "twz-cc")


def test_a_missing_compiler_is_reported_once():
    for words in (["-c", put("hello.c", HELLO)], ["--version"]):
        for missing in ("nocc", f"{DIR}/nocc", "gcc -O2"):
            r = call(*words, expect=1, env={**os.environ, "TWZ_CC": missing})
            wanted(len(r.stderr.splitlines()) == 1, r.stderr)
            holds(r.stderr, f"twz-cc: TWZ_CC={missing}: ")
    call("--help", env={**os.environ, "TWZ_CC": "nocc"})


def test_as_a_configure_script_asks():
    put("conftest.c", "int main(void) { return 0; }\n")
    call("conftest.c")
    check_program(f"{DIR}/a.out")
    put("conftest.c", "char no_such_function();\nint main(void) { return no_such_function(); }\n")
    r = call("-o", "conftest", "conftest.c", expect=None)
    wanted(r.returncode != 0, "a missing function went through")
    put("conftest.c", "#include <no/such/header.h>\n")
    wanted(call("-c", "conftest.c", expect=None).returncode != 0, "a missing header went through")
    put("conftest.c", "#ifndef __twz__\n#error no\n#endif\n#ifndef __x86_64__\n#error no\n#endif\n")
    call("-c", "conftest.c")


def test_from_a_link_and_from_the_path():
    put("hello.c", HELLO)
    os.makedirs(f"{DIR}/links", exist_ok=True)
    os.symlink(TWZ_CC, f"{DIR}/links/twz-cc")
    call("-o", "linked", "hello.c", cc=f"{DIR}/links/twz-cc")
    call("-o", "found", "hello.c", cc="twz-cc",
         env={**os.environ, "PATH": f"{DIR}/links:{os.environ['PATH']}"})
    check_program(f"{DIR}/found")


def test_file_names_with_blanks():
    os.makedirs(f"{DIR}/with blank", exist_ok=True)
    shutil.copy(put("hello.c", HELLO), f"{DIR}/with blank/my program.c")
    call("-o", "with blank/out file", "with blank/my program.c")
    check_program(f"{DIR}/with blank/out file")


def test_native_library():
    put("native.c", "#include <stdio.h>\n#include <twz/obj.h>\n"
        "int main(void) { puts(twz_error_text(-TWZ_ENOSPC)); return 0; }\n")
    call("-o", "native", "native.c", "-ltwz")
    check_program(f"{DIR}/native")
    with booting.Pool(BUILD) as pool:
        pool.put(f"{DIR}/native", "/host/native")
        same(pool.run("native", expect=0).stdout, b"no space left in the pool\n")


def test_installed_and_moved():
    """The installed tools must work after a move."""
    first, second = f"{DIR}/installed", f"{DIR}/moved"
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", first],
                   check=True, capture_output=True, timeout=LIMIT)
    os.rename(first, second)
    found = [os.path.join(d, "twz-cc") for d, _, names in os.walk(second) if "twz-cc" in names]
    same(len(found), 1, "installed twz-cc")
    put("hello.c", HELLO)
    call("-o", "from-installed", "hello.c", cc=found[0])
    check_program(f"{DIR}/from-installed")
    put("native.c", "#include <twz/typed.h>\nint main(void) { return twz_error_text(1) == 0; }\n")
    call("-o", "native-installed", "native.c", "-ltwz", cc=found[0])
    deps = call("-M", "native.c", cc=found[0]).stdout
    wanted(BUILD not in deps, f"the build tree is still used: {deps}")


def test_installed_machine():
    """The installed tools on their own: the pool, the machine, the runtime, the man pages."""
    top = f"{DIR}/whole"
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", top],
                   check=True, capture_output=True, timeout=LIMIT)
    found = {os.path.relpath(os.path.join(d, name), top): os.path.join(d, name)
             for d, _, names in os.walk(top) for name in names}
    prefix = next(p for p in found if p.endswith("bin/twz-run"))[:-len("bin/twz-run")]
    for path in ("bin/twz-obj", "share/twz/twz.elf", "lib/twz/libc.a", "lib/twz/libtwz.a", "lib/twz/twix",
                 *(f"share/man/man1/{name}.1" for name in ("twz", "twz-cc", "twz-obj", "twz-run"))):
        wanted(prefix + path in found, f"{path} is not installed")
    same([p for p in found if p.endswith("/twix")], [f"{prefix}lib/twz/twix"])
    with booting.Pool(BUILD, size="3M") as pool: # the smallest that takes the system
        r = subprocess.run([found[f"{prefix}bin/twz-run"], "--pool", pool.path, "--", "echo", "hello"],
                           capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
        same((r.returncode, r.stdout, r.stderr), (0, "hello\n", ""))


def test_removed_runtime_is_reported_with_a_remedy():
    with booting.Pool(BUILD) as pool:
        pool.tool("rm", "/sys/twix")
        r = pool.run("echo", expect=126)
        holds(r.stderr.decode(), "twz: /sys/twix: no such name: ", "remove the file POOL.system",
              "./twz run puts it again")


try:
    counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
finally:
    shutil.rmtree(DIR, ignore_errors=True)
