# SPDX-License-Identifier: MIT
"""libtwix seen from a program: version of the entry table, unknown calls, raw SYSCALL instructions,
traces, large streams, killed processes, full pools.

Usage: test_runtime.py BUILD [PART-OF-A-NAME]
"""

import fcntl
import hashlib
import os
import pty
import random
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios

import backstop
import booting
import counting
from booting import holds, same, wanted

BUILD = os.path.abspath(sys.argv[1])
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
POOL = booting.Pool(BUILD, size="512M")
DIR = tempfile.mkdtemp(prefix="twz-runtime.")
NOTE = b"\4\0\0\0\4\0\0\0\1\0\0\0twz\0"


def program(name, text, *libraries):
    source = f"{DIR}/{name}.c"
    with open(source, "w", encoding="utf-8") as f:
        f.write(text)
    subprocess.run([f"{BUILD}/bin/twz-cc", "-O2", "-D_GNU_SOURCE", "-o", f"{DIR}/{name}", source,
                    *libraries], check=True, timeout=backstop.seconds(60))
    return f"{DIR}/{name}"


def patched(path, old, new):
    with open(path, "rb") as f:
        data = f.read()
    same(data.count(old), 1, "matches to patch")
    with open(path, "wb") as f:
        f.write(data.replace(old, new))
    return path


def run(path, *words, **more):
    POOL.put(path, "/host/" + os.path.basename(path))
    return POOL.run("/host/" + os.path.basename(path), *words, **more)


HELLO = "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n"


def test_a_newer_program_is_refused():
    path = patched(program("newer", HELLO), NOTE + b"\2\0\0\0", NOTE + b"\x63\0\0\0")
    r = run(path, expect=127)
    holds(r.stderr, b"older than this program needs", b"99")
    same(r.stdout, b"")


def test_a_program_of_version_1_is_refused():
    path = patched(program("older", HELLO), NOTE + b"\2\0\0\0", NOTE + b"\1\0\0\0")
    r = run(path, expect=127)
    holds(r.stderr, b"build the program again", b"version is 1")
    same(r.stdout, b"")


def test_a_program_without_the_note_is_refused():
    path = patched(program("foreign", HELLO), NOTE, b"\4\0\0\0\4\0\0\0\1\0\0\0xyz\0")
    holds(run(path, expect=127).stderr, b"twz-cc")


def test_unknown_call():
    path = program("unknown", """
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/syscall.h>
int main(void)
{
    long r = syscall(333, 1, 2);
    printf("%ld %d\\n", r, errno == ENOSYS);
    return 0;
}
""")
    same(run(path, expect=0).stdout, b"-1 1\n")
    holds(POOL.log(), b"call 333(")


def test_raw_system_call():
    path = program("raw", """
static long call(long n, long a, long b, long c)
{
    long r;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return r;
}
int main(void)
{
    static const char text[] = "raw\\n";
    long r = call(1, 1, (long)text, sizeof(text) - 1);
    return r == 4 && call(333, 0, 0, 0) == -38 ? 5 : 1;
}
""")
    same(run(path, expect=5).stdout, b"raw\n")


def test_trace():
    r = POOL.run("cat", "/none", options=["--env", "TWZ_TRACE=call,linux"], expect=1)
    holds(r.stderr, b"No such file")
    holds(POOL.log(), b"linux: ", b'open("/none", ', b") = -2", b"exit_group(1)")
    for options in [], ["--env", "TWZ_TRACE=call"], ["--env", "TWZ_TRACE=linuxes,lin"]:
        POOL.run("cat", "/none", options=options, expect=1)
        wanted(b"linux: " not in POOL.log(), f"traced without a request: {options}")


def test_program_text_is_not_writable_and_data_not_executable():
    path = program("wx", """
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    static unsigned char code[] = { 0xc3 };
    if (!strcmp(argv[1], "write"))
        *(volatile char *)(void *)main = 1;
    else
        ((void (*)(void))(void *)code)();
    puts("went on");
    return argc - 2;
}
""")
    for what in "write", "execute":
        r = run(path, what, expect=128 + 11)
        same(r.stdout, b"", what)
        holds(r.stderr, b"permission")


def test_large_streams_are_exact():
    data = random.Random(3).randbytes(5_000_003)
    same(POOL.run("cat", input=data, expect=0).stdout == data, True, "through cat")
    digest = hashlib.sha256(data).hexdigest().encode()
    same(POOL.run("sha256sum", input=data, expect=0).stdout.split()[0], digest)


def test_files_in_and_out():
    data = random.Random(4).randbytes(3_000_001)
    with open(f"{DIR}/in", "wb") as f:
        f.write(data)
    POOL.put(f"{DIR}/in", "/data/in")
    POOL.run("cp", "/data/in", "/data/out", expect=0)
    POOL.tool("get", "/data/out", f"{DIR}/out")
    with open(f"{DIR}/out", "rb") as f:
        same(f.read() == data, True, "what came out")


def test_tools_spare_their_target():
    """cp, mv and cat report a file that is source and target and leave it alone. rm removes neither
    the root nor the current directory."""
    with booting.Pool(BUILD, size="64M") as pool:
        r = pool.run(input=b"""cd /tmp; mkdir tools; cd tools; echo precious > f; ln f hard; ln -s f soft
cp f f
cp f .
cp f hard
cp soft f
cp f ./f other
mv f f
mv f hard
cat f >> f
cat < soft >> hard
rm -r .
rm -r ../tools/..
rm -r //
mkdir dir; cp f dir; cp f copy; mv copy dir; mv soft moved
cat f hard moved dir/f dir/copy
rm -r dir; cd /; rm -r tmp/tools
""", expect=0)
    same(r.stdout, 5 * b"precious\n")
    same(r.stderr.count(b"same file"), 8, r.stderr)
    same(r.stderr.count(b"status 1\n"), 11, r.stderr)
    same(r.stderr.count(b"status 2\n"), 1, r.stderr)


def test_a_file_is_an_object():
    """Pointers read what POSIX calls write, and the other way round; rights are the object's."""
    path = program("both", """
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <twz/name.h>
#include <unistd.h>
int main(void)
{
    char text[20] = { 0 };
    twzobj obj;
    int fd = open("/data/both", O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (write(fd, "by write", 8) != 8 ||
        twz_object_init_name(&obj, "/data/both", TWZ_READ | TWZ_WRITE) < 0)
        return 1;
    printf("%.8s %d\\n", (char *)twz_object_base(&obj), (int)twz_object_size(&obj));
    memcpy(twz_object_base(&obj), "by store, longer", 16);
    if (twz_object_set_size(&obj, 16) < 0)
        return 2;
    printf("%d %s\\n", (int)pread(fd, text, sizeof(text), 0), text);
    if (twz_object_ctl(obj.id, TWZ_CTL_PERMS, TWZ_READ | TWZ_DEL) < 0)
        return 3;
    printf("%d ", open("/data/both", O_RDONLY) >= 0);
    printf("%d ", open("/data/both", O_RDWR));
    printf("%d\\n", errno == EACCES);
    return 0;
}
""", "-ltwz")
    same(run(path, expect=0).stdout, b"by write 8\n16 by store, longer\n1 -1 1\n")
    same(POOL.tool("cat", "/data/both").stdout, "by store, longer")


def test_a_file_of_more_than_one_object_is_not_cut():
    """It cannot be opened, so no program changes it; it has names and a length as any file has."""
    size = (1 << 30) + (4 << 20)
    with open(f"{DIR}/huge", "wb") as f:
        f.seek(size - 3)
        f.write(b"end")
    path = program("beyond", """
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
static void refused(int r) { printf("%d ", r < 0 && errno == EFBIG); }
int main(int argc, char **argv)
{
    struct stat st = { 0 };
    refused(open("/data/huge", O_RDONLY));
    refused(open("/data/huge", O_RDWR));
    refused(open("/data/huge", O_WRONLY | O_CREAT | O_TRUNC, 0644));
    refused(truncate("/data/huge", 5));
    printf("%d ", rename("/data/huge", "/data/moved"));
    printf("%d ", link("/data/moved", "/data/huge"));
    printf("%d ", stat("/data/huge", &st));
    printf("%lld ", (long long)st.st_size);
    if (argc > 1)
        printf("%d %d", unlink("/data/moved"), unlink("/data/huge"));
    return 0;
}
""")
    POOL.put(f"{DIR}/huge", "/data/huge")
    same(run(path, expect=0).stdout, b"1 1 1 1 0 0 0 %d " % size)
    POOL.tool("get", "/data/huge", f"{DIR}/back")
    subprocess.run(["cmp", f"{DIR}/huge", f"{DIR}/back"], check=True, timeout=backstop.seconds(60))
    os.unlink(f"{DIR}/back")
    POOL.run("rm", "/data/moved", expect=0)
    same(run(path, "remove", expect=0).stdout, b"1 1 1 1 0 0 0 %d 0 0" % size)
    POOL.check()


def test_writer_stops_without_a_reader():
    path = program("yes", """
#include <unistd.h>
int main(void)
{
    static char text[65536] = { 'y' };
    for (;;)
        if (write(1, text, sizeof(text)) < 0)
            return 9;
}
""")
    POOL.put(path, "/host/yes")
    p = POOL.start("/host/yes")
    p.stdout.read(100000)
    p.stdout.close()
    same(p.wait(timeout=backstop.seconds(60)), 128 + 13, "status")
    p.stderr.close()


def test_a_full_disk_behind_the_output_is_an_error():
    """The program gets ENOSPC and no signal, early or late; a run that lost output has status 1."""
    path = program("spill", """
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    static char text[65536] = { 'y' };
    int fd = argc > 2 ? 2 : 1;
    if (argc == 1)
        return puts("once") < 0;
    while (write(fd, text, sizeof(text)) > 0)
        ;
    perror("spill");
    return errno == ENOSPC ? atoi(argv[1]) : 99;
}
""")
    POOL.put(path, "/host/spill")
    for words, status in ([], 1), ([], 1), ([], 1), (["0"], 1), (["7"], 7):
        with open("/dev/full", "wb") as full:
            r = subprocess.run(POOL.command("spill", *words), stdin=subprocess.DEVNULL, stdout=full,
                               stderr=subprocess.PIPE, timeout=booting.BOOT_LIMIT)
        holds(r.stderr, b"output was lost: No space left")
        same((words, r.returncode), (words, status))
    holds(r.stderr, b"spill: No space left on device\n")
    with open("/dev/full", "wb") as full:
        r = subprocess.run(POOL.command("spill", "8", "error"), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=full, timeout=booting.BOOT_LIMIT)
    same(r.returncode, 8)


def test_killed_child_leaves_no_lock():
    """A child is killed while it writes; its parent can still write."""
    path = program("killed", """
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
int main(int argc, char **argv)
{
    static char noise[1 << 20];
    int status;
    pid_t pid;
    if (argc > 1) {
        memset(noise, 'x', sizeof(noise));
        for (;;)
            (void)!write(2, noise, sizeof(noise));
    }
    for (int i = 0; i < 5; i++) {
        if (posix_spawn(&pid, argv[0], 0, 0, (char *[]){ argv[0], "child", 0 }, environ))
            return 2;
        usleep(30000 + 7000 * i);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        fprintf(stderr, "still here\\n");
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
            return 3;
    }
    puts("done");
    return 0;
}
""")
    r = run(path, expect=0)
    same(r.stdout, b"done\n")
    same(r.stderr.count(b"still here"), 5)


def test_killed_children_leave_no_objects():
    """A file or a pipe that only a killed child had open is deleted; one that its parent has open
    still works."""
    path = program("orphans", """
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
static long free_kib(void)
{
    struct sysinfo s;
    sysinfo(&s);
    return (long)(s.freeram * s.mem_unit / 1024);
}
static void round_of(char *self, int kept)
{
    int fds[2], file = open("/data/orphans", O_RDWR | O_CREAT, 0644), status;
    pid_t pid;
    if (pipe(fds) || posix_spawn(&pid, self, 0, 0, (char *[]){ self, "child", 0 }, environ))
        _exit(2);
    close(file);
    close(fds[0]);
    close(fds[1]);
    kill(pid, SIGKILL);
    if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) || write(kept, "x", 1) != 1)
        _exit(3);
}
int main(int argc, char **argv)
{
    int kept = open("/data/kept", O_RDWR | O_CREAT, 0644);
    long before, lost;
    if (argc > 1)
        for (;;)
            pause();
    for (int i = 0; i < 20; i++)
        round_of(argv[0], kept);
    before = free_kib();
    for (int i = 0; i < 300; i++)
        round_of(argv[0], kept);
    lost = before - free_kib();
    if (lost > 3000) /* some of the last ones are still being taken down */
        printf("%ld KiB lost\\n", lost);
    printf("%d\\n", (int)lseek(kept, 0, SEEK_CUR));
    return 0;
}
""")
    same(run(path, expect=0).stdout, b"320\n")


def expect(terminal, what, got=b""):
    """Read from the terminal until `what` has appeared."""
    while what not in got:
        ready, _, _ = select.select([terminal], [], [], booting.BOOT_LIMIT)
        wanted(ready, f"{what!r} did not come, but {got!r}")
        got += os.read(terminal, 4096)
    return got


def leave_prompt(pid, terminal, status):
    os.write(terminal, b"exit %d\n" % status)
    try:
        while os.read(terminal, 4096):
            pass
    except OSError:
        pass
    same(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), status, "status")


def test_prompt_on_a_terminal():
    """Words, redirections, and Ctrl-C, which ends the program and not the prompt; output and errors
    appear in the order of their writes."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(POOL.bin("twz-run"), POOL.command()[:-1])
    expect(terminal, b"twz> ")
    os.write(terminal, b"echo 'one  word' two > /tmp/said; cat < /tmp/said\n")
    expect(terminal, b"\r\none  word two\r\ntwz> ")
    os.write(terminal, b"cat\n")
    os.write(terminal, b"typed\n")
    expect(terminal, b"typed\r\ntyped\r\n")
    os.write(terminal, b"\3")
    expect(terminal, b"status 130\r\ntwz> ")
    os.write(terminal, b"cd /tmp; pwd; no-such-program\n")
    expect(terminal, b"/tmp\r\nno-such-program: not found\r\ntwz> ")
    leave_prompt(pid, terminal, 5)


def test_prompt_stays_when_the_window_changes():
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(POOL.bin("twz-run"), POOL.command()[:-1])
    expect(terminal, b"twz> ")
    for rows in range(30, 40):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 100, 0, 0))
        os.write(terminal, b"echo it is $%d\n" % rows)
        expect(terminal, b"\r\nit is $%d\r\ntwz> " % rows)
    leave_prompt(pid, terminal, 6)


def test_window_size():
    """A program on a terminal gets its size, and each change of it."""
    path = program("window", """
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
static void changed(int signo) { (void)signo; }
int main(void)
{
    struct winsize w;
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, &old);
    sigaction(SIGWINCH, &(struct sigaction){ .sa_handler = changed }, NULL);
    for (int i = 0; i < 2; i++) {
        ioctl(1, TIOCGWINSZ, &w);
        printf("%d x %d\\n", w.ws_row, w.ws_col);
        fflush(stdout);
        if (i == 0)
            sigsuspend(&old);
    }
    return 0;
}
""")
    POOL.put(path, "/host/window")
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 97, 0, 0))
        os.execv(POOL.bin("twz-run"), POOL.command("/host/window"))
    expect(terminal, b"31 x 97\r\n")
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    expect(terminal, b"40 x 120\r\n")
    same(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, "status")


def test_full_pool():
    """A write without space is an error, and the file has all acknowledged bytes."""
    path = program("fill", """
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(void)
{
    static char piece[1 << 20];
    int fd = open("/data/filler", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    long done = 0;
    ssize_t n;
    memset(piece, 'f', sizeof(piece));
    while ((n = write(fd, piece, sizeof(piece))) > 0)
        done += n;
    printf("%s %d\\n", strerror(errno), done == lseek(fd, 0, SEEK_END) && done > 8 << 20);
    return 0;
}
""")
    with booting.Pool(BUILD, size="64M") as small:
        small.put(path, "/host/fill")
        same(small.run("fill", expect=0).stdout, b"No space left on device 1\n")
        small.check()
        small.run("rm", "/data/filler", expect=0)
        same(small.run("fill", expect=0).stdout, b"No space left on device 1\n", "once more")
        small.check()


def test_space_is_reusable():
    """In a full pool a new file or directory is an error, not a fault. The space of a deleted file
    is free at once; that of an open one, when it is closed."""
    path = program("space", """
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
static char piece[1 << 16];
static long mib(void)
{
    struct statvfs s;
    statvfs("/", &s);
    return (long)(s.f_bfree * s.f_frsize + (1 << 19)) >> 20;
}
static int filled(long most)
{
    int fd = open("/data/filler", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    while (most-- > 0 && write(fd, piece, sizeof(piece)) > 0)
        ;
    return fd;
}
int main(void)
{
    long before = mib();
    int fd, full;
    char name[32];
    close(filled(64));
    printf("%ld ", before - mib());
    unlink("/data/filler");
    printf("%ld ", before - mib());
    fd = filled(64);
    unlink("/data/filler");
    printf("%ld ", before - mib());
    close(fd);
    printf("%ld ", before - mib());
    close(filled(1 << 20));
    do
        sprintf(name, "/data/%d", fd++);
    while ((full = open(name, O_WRONLY | O_CREAT, 0644)) >= 0 && !close(full));
    printf("%s ", strerror(errno));
    do
        sprintf(name, "/data/%d", fd++);
    while (mkdir(name, 0755) == 0);
    printf("%s ", strerror(errno));
    unlink("/data/filler");
    printf("%d\\n", mkdir(name, 0755));
    return 0;
}
""")
    with booting.Pool(BUILD, size="32M") as small:
        small.put(path, "/host/space")
        same(small.run("space", expect=0).stdout,
             b"4 0 4 0 No space left on device No space left on device 0\n")
        small.check()


def test_too_much_memory():
    """A program that touches more memory than the machine has ends with a reason; no other ends."""
    path = program("eat", """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
    for (int i = 0; i < 100; i++) {
        char *p = malloc(64 << 20);
        if (!p)
            return puts("no more") < 0;
        memset(p, i, 64 << 20);
    }
    return 9;
}
""")
    r = run(path, expect=128 + 7)
    holds(r.stderr, b"quota of the account")
    POOL.run("/bin/echo", "fine", expect=0)


def test_every_call_is_documented():
    with open(f"{SOURCE}/libtwix/linux.def", encoding="utf-8") as f:
        calls = set(re.findall(r"^LINUX\(\w+, (\w+)", f.read(), re.M))
    with open(f"{SOURCE}/doc/porting.md", encoding="utf-8") as f:
        table = f.read().split("## The calls")[1]
    same(sorted(calls - set(table.split())), [], "not in doc/porting.md")
    listed = {w for row in re.findall(r"^\|[^|]*\|([^|]*)\|$", table, re.M)[2:]
              for w in row.split()}
    same(sorted(listed - calls), [], "in doc/porting.md only")


def test_pool_is_valid_afterwards():
    POOL.check()


with POOL:
    counting.run(globals(), sys.argv[2] if len(sys.argv) > 2 else None)
