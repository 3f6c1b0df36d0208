# SPDX-License-Identifier: MIT
"""The prompt with its lines from a pipe: input of programs, refused lines, exit status.

Usage: test_prompt.py BUILD [PART-OF-A-NAME]
"""

import os
import subprocess
import sys
import tempfile

import backstop
import booting
import counting
from booting import holds, same

BUILD = os.path.abspath(sys.argv[1])
POOL = booting.Pool(BUILD, size="64M")
DIR = tempfile.mkdtemp(prefix="twz-prompt.")


def test_following_lines_are_the_input_of_programs():
    r = POOL.run(input=b"tee /data/t\nhello\necho end\n", expect=0)
    same((r.stdout, r.stderr), (b"hello\necho end\n", b""))
    same(POOL.tool("cat", "/data/t").stdout, "hello\necho end\n")


def test_a_program_that_reads_nothing_takes_nothing():
    r = POOL.run(input=b"echo one; true\necho two\necho no newline", expect=0)
    same((r.stdout, r.stderr), (b"one\ntwo\nno newline\n", b""))


def lines(text, status, *errors):
    """Run the lines: their status and each of `errors` must come out. Returns the output."""
    r = POOL.run(input=text, expect=status)
    for part in errors:
        holds(r.stderr, part)
    if not errors:
        same(r.stderr, b"")
    return r.stdout


def test_a_fault_names_the_program():
    path = os.path.join(DIR, "posix")
    with open(path + ".c", "w", encoding="utf-8") as f:
        f.write("int main(void) { *(volatile int *)0x1234 = 1; return 0; }\n")
    subprocess.run([f"{BUILD}/bin/twz-cc", "-o", path, path + ".c"], check=True, timeout=backstop.seconds(60))
    POOL.put(path, "/host/posix")
    lines(b"posix\n", 139, b"posix: null pointer fault, at address 0x1234", b"posix: status 139\n")
    lines(b"/host/posix\n", 139, b"/host/posix: null pointer fault")


def test_unreadable_lines_are_reported_and_have_a_status():
    lines(b"echo a >\n", 2, b"prompt: a file name is missing after >\n")
    lines(b"echo a >> ; echo b\n", 2, b"prompt: a file name is missing after >>\n")
    lines(b"cat < > /data/e\n", 2, b"prompt: a file name is missing after <\n")
    lines(b'"open\n', 2, b"prompt: a quote is not closed\n")
    lines(b"echo > 'open\n", 2, b"prompt: a quote is not closed\n")
    lines(b"echo" + 256 * b" a" + b"\n", 2, b"prompt: more than 256 words\n")
    same(lines(b"echo" + 255 * b" a" + b"; echo b\n", 0), b"a " * 254 + b"a\nb\n")
    same(lines(b'"open\necho fine\n', 0, b"a quote is not closed"), b"fine\n")


def test_redirections_without_a_command():
    lines(b"> /data/e\n", 0)
    same(POOL.tool("cat", "/data/e").stdout, "")
    lines(b"echo x > /data/e; >> /data/e\n", 0)
    same(POOL.tool("cat", "/data/e").stdout, "x\n")
    lines(b"< /data/e; true; > /data/e < /data/e\n", 0)
    same(POOL.tool("cat", "/data/e").stdout, "")
    lines(b"< /x\n", 1, b"prompt: /x: No such file or directory\n")
    lines(b"> /none/x\n", 1, b"prompt: /none/x: No such file or directory\n")


def test_missing_operands():
    for words in b"rm", b"rm -r", b"mkdir", b"mkdir -p", b"rmdir", b"cp", b"mv a", b"ln a":
        lines(words + b"\n", 2, b"Usage: " + words.split()[0] + b" ")
    lines(b"rm -f\n", 0)


with POOL:
    counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
