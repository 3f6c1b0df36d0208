# SPDX-License-Identifier: MIT
"""twz-run against a stand-in for QEMU: input, output, exit status and messages.

Usage: test_twz_run.py TWZ-RUN FAKE-MACHINE [PART-OF-A-NAME]
"""

import errno
import fcntl
import hashlib
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile

import backstop
import counting

TWZ_RUN, FAKE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
DIR = tempfile.TemporaryDirectory(prefix="twz-run-test.")
POOL = os.path.join(DIR.name, "pool")
KERNEL = os.path.join(DIR.name, "kernel")
LIMIT = backstop.seconds(60)

with open(POOL, "wb") as f:
    f.truncate(2 << 20)
open(KERNEL, "w").close()


def command(*words, options=()):
    return [TWZ_RUN, "--qemu", FAKE, "--kernel", KERNEL, "--pool", POOL, *options, "--", *words]


def run(*words, options=(), **more):
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(command(*words, options=options), capture_output=True, timeout=LIMIT,
                          **more)


def start(*words, **more):
    return subprocess.Popen(command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def same(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")


def holds(text, part):
    if part not in text:
        raise AssertionError(f"{part!r} not in {text!r}")


def test_status_and_streams():
    for status in (0, 1, 3, 255):
        r = run("exit", str(status))
        same((r.returncode, r.stdout, r.stderr), (status, b"", b"to error\n"))


def test_run_carries_arguments_and_environment():
    r = run("show", "", "two words", "ü", options=["--env", "A=1", "--env", "B=x y"])
    same(r.returncode, 0)
    same(r.stdout.decode(), "argc 4 envc 2 tty 0\n[show]\n[]\n[two words]\n[ü]\n[A=1]\n[B=x y]\n")


def test_output_after_exit_is_delivered():
    r = run("late")
    same(len(r.stdout.partition(b"[late]\n")[2]), 150000)


def test_input_is_carried_byte_for_byte():
    data = b"".join(hashlib.sha512(i.to_bytes(4, "little")).digest() for i in range(100_000))
    r = run("cat", input=data, stdin=None)
    same((r.returncode, hashlib.sha256(r.stdout).digest()), (0, hashlib.sha256(data).digest()))


def test_no_more_input_is_taken_than_asked_for():
    read_end, write_end = os.pipe()
    os.write(write_end, b"abcdef")
    os.close(write_end)
    r = run("head", "4", stdin=read_end)
    same((r.stdout, os.read(read_end, 10)), (b"abcd", b"ef"))
    os.close(read_end)


def test_closed_input_is_an_empty_one():
    r = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *command("cat")], capture_output=True,
                       timeout=LIMIT)
    same((r.returncode, r.stdout, r.stderr), (0, b"", b""))


def test_lost_output_is_a_signal():
    p = start("spam", stdin=subprocess.DEVNULL)
    p.stdout.close()
    same(p.wait(LIMIT), 128 + signal.SIGPIPE)
    p.stderr.close()


def test_output_that_cannot_be_written():
    for word, status in (("show", 1), ("spam", errno.ENOSPC)):
        with open("/dev/full", "wb") as full:
            r = subprocess.run(command(word), stdin=subprocess.DEVNULL, stdout=full,
                               stderr=subprocess.PIPE, timeout=LIMIT)
        holds(r.stderr, b"output was lost: No space left")
        same((word, r.returncode), (word, status))


def end_with(signals, *words):
    p = start(*words, stdin=subprocess.DEVNULL)
    same(p.stdout.readline(), b"waiting\n")
    for signo in signals:
        p.send_signal(signo)
        line = p.stdout.readline()
    p.stdout.close()
    p.stderr.close()
    return p.wait(LIMIT), line


def test_interrupt_goes_to_the_program():
    same(end_with([signal.SIGINT], "signal"), (130, b"signal 2\n"))


def test_terminate_goes_to_the_program():
    same(end_with([signal.SIGTERM], "signal"), (143, b"signal 15\n"))


def test_second_interrupt_ends_the_machine():
    same(end_with([signal.SIGINT, signal.SIGINT], "signal", "ignore"), (130, b""))


def end_deaf(word, signals):
    p = start("deaf", word, stdin=subprocess.DEVNULL)
    same(p.stdout.readline(), b"waiting\n")
    for signo in signals:
        p.send_signal(signo)
        p.stdout.readline()
    p.stdout.read()
    p.stdout.close()
    p.stderr.close()
    return p.wait(LIMIT)


def test_second_signal_ends_a_deaf_guest():
    for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        same((signo, end_deaf("", [signo, signo])), (signo, 128 + signo))
        same((signo, end_deaf("exited", [signo, signo])), (signo, 0))


def test_deaf_guest_does_not_move_the_deadline():
    """The guest answers each signal with READY or EXIT; the one signal's deadline stays."""
    for word, signo, status in (("", signal.SIGTERM, 143), ("", signal.SIGINT, 130),
                                ("exited", signal.SIGQUIT, 0), ("exits", signal.SIGHUP, 0)):
        same((word, end_deaf(word, [signo])), (word, status))


def test_signal_ends_a_run_whose_output_is_not_read():
    p = start("late-deaf", stdin=subprocess.DEVNULL)
    same(p.stdout.readline()[:5], b"argc ")
    same(p.stdout.readline(), b"[late-deaf]\n")
    same(p.stdout.read(4), b"late")  # the guest sends it after EXIT
    p.send_signal(signal.SIGTERM)
    p.send_signal(signal.SIGTERM)
    same(p.wait(LIMIT), 0)
    p.stdout.close()
    p.stderr.close()


def log_of(lines, size):
    path = os.path.join(DIR.name, "log")
    run("log", str(lines), options=["--log", path, "--log-size", size])
    with open(path, "rb") as f:
        return f.read()


def test_log_is_bounded_and_says_so():
    whole = b"".join(b"line %d of the log\n" % i for i in range(20000))
    same(log_of(20000, "1M"), whole)
    log = log_of(20000, "64K")
    same(len(log) <= 64 << 10 and len(log) >= 32 << 10, True)
    first, _, rest = log.partition(b"\n")
    same(whole.endswith(rest), True)
    holds(first, b"older log were dropped here")
    same(int(first.split()[2]), len(whole) - len(rest))


def test_guest_that_does_not_come_up():
    r = run("hang-at-boot", options=["--boot-seconds", "1"])
    same(r.returncode, 125)
    holds(r.stderr, b"did not come up within 1 s")


def test_machine_that_is_killed():
    r = run("die")
    same(r.returncode, 125)
    holds(r.stderr, b"the machine stopped before the program ended")


def test_guest_that_powers_off_without_status():
    same(run("power-off").returncode, 125)


def test_guest_that_stops_with_a_code_and_a_reason():
    for code in (4, 6, 125):
        r = run("stop", str(code))
        same(r.returncode, code)
        holds(r.stderr, b"    | pool: superblock: bad checksum")


def test_guest_that_sends_a_bad_frame():
    r = run("garbage")
    same(r.returncode, 125)
    holds(r.stderr, b"another protocol")


def test_guest_that_does_not_power_off():
    r = run("stay")
    same(r.returncode, 0)
    holds(r.stderr, b"did not power off")


def test_power_off_is_seen_while_the_output_is_not_read():
    """The other run's deadline, of the same length, begins later: it passes after this one's."""
    p = start("late", stdin=subprocess.DEVNULL)
    same(p.stdout.readline()[:5], b"argc ")
    with tempfile.NamedTemporaryFile() as other:
        other.truncate(2 << 20)
        holds(run("stay", options=["--pool", other.name]).stderr, b"did not power off")
    output, errors = p.stdout.read(), p.stderr.read()
    same((p.wait(LIMIT), len(output.partition(b"[late]\n")[2]), errors), (0, 150000, b""))
    p.stdout.close()
    p.stderr.close()


def test_machine_that_leaves_a_process_behind():
    path = os.path.join(DIR.name, "orphan.log")
    r = run("orphan", options=["--log", path])
    same((r.returncode, r.stdout), (0, b"argc 1 envc 0 tty 0\n[orphan]\n"))
    with open(path, "rb") as f:
        same(f.read(), b"the last line of the log\n")
    with open(POOL) as f:
        fcntl.flock(f, fcntl.LOCK_EX)  # that process has ended, too: it no longer has the pool


def test_pool_in_use_names_its_holder():
    with open(KERNEL) as older, open(FAKE) as newer:
        fcntl.flock(older, fcntl.LOCK_EX)
        p = start("signal", stdin=subprocess.DEVNULL)
        p.stdout.readline()
        fcntl.flock(newer, fcntl.LOCK_EX)
        r = run("exit", "0")
    same(r.returncode, 5)
    holds(r.stderr.decode(), f"in use by process {p.pid} (")
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=LIMIT)
    same(run("exit", "0").returncode, 0)


def test_lock_of_another_program():
    with open(POOL) as f:
        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        same(run("exit", "0").returncode, 5)
    same(run("exit", "0").returncode, 0)


def test_machine_ends_with_its_supervisor():
    p = start("signal", "ignore", stdin=subprocess.DEVNULL)
    p.stdout.readline()
    p.send_signal(signal.SIGINT)
    same(p.stdout.readline(), b"signal 2\n")
    p.kill()
    # The machine still holds the lock: this waits until the machine has ended.
    p.communicate(timeout=LIMIT)
    subprocess.run(["flock", "--timeout", "20", POOL, "true"], check=True)


def test_trace_reaches_the_program():
    r = run("show", options=["--trace=call,linux"])
    holds = b"[TWZ_TRACE=call,linux]" in r.stdout
    same(holds, True)


def test_wrong_use():
    for options in (["--cpus", "0"], ["--cpus", "x"], ["--memory", "1K"], ["--memory", "G"],
                    ["--env", "NOTHING"], ["--log-size", "1K"], ["--log-size", "x"], ["--nonsense"], ["--bare"], ["--trace=call,nothing"],
                    ["--deterministic", "--cpus", "2"]):
        same((options, run("exit", "0", options=options).returncode), (options, 2))


def test_missing_and_damaged_files():
    same(run("x", options=["--pool", "/nonexistent"]).returncode, 3)
    same(run("x", options=["--kernel", "/nonexistent"]).returncode, 3)
    same(run("x", options=["--qemu", "/nonexistent"]).returncode, 3)
    same(run("x", options=["--pool", "/dev/null"]).returncode, 4)
    short = os.path.join(DIR.name, "short")
    with open(short, "wb") as f:
        f.write(b"x" * 100)
    r = run("x", options=["--pool", short])
    same(r.returncode, 4)
    holds(r.stderr, b"short: 100 bytes are not whole pages")


def test_a_pool_that_cannot_be_written():
    """With the code that twz-obj has for it. Not even the superuser may write this file."""
    path = "/sys/kernel/fscaps"
    if not os.path.exists(path):
        raise counting.Skipped(f"no {path} here")
    r = run("x", options=["--pool", path])
    same(r.returncode, 7)
    holds(r.stderr, b"the machine writes its pool: make the file writable")


def test_no_pool_is_wrong_use():
    r = subprocess.run([TWZ_RUN, "--qemu", FAKE, "--kernel", KERNEL, "--", "hello"],
                       capture_output=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    same(r.returncode, 2)
    holds(r.stderr, b"no pool: give --pool FILE")
    r = subprocess.run([TWZ_RUN, "--qemu", "/nonexistent", "--kernel", KERNEL, "--bare"],
                       capture_output=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    same(r.returncode, 3)
    holds(r.stderr, b"/nonexistent")


def test_kernel_of_the_same_tree():
    """In a built tree, and in an installed one; a link to the program does not mislead it."""
    for place in ("built/kernel/twz.elf", "installed/share/twz/twz.elf"):
        top = os.path.join(DIR.name, place.split("/")[0])
        kernel = os.path.join(DIR.name, place)
        os.makedirs(os.path.join(top, "bin"))
        copy, link = os.path.join(top, "bin/twz-run"), os.path.join(DIR.name, "link")
        shutil.copy(TWZ_RUN, copy)
        os.symlink(copy, link)
        for program in (copy, link):
            words = [program, "--qemu", FAKE, "--pool", POOL, "--show", "--", "x"]
            r = subprocess.run(words, capture_output=True, timeout=LIMIT)
            same(r.returncode, 3)
            holds(r.stderr, b"no kernel in ../kernel/twz.elf or ../share/twz/twz.elf")
            os.makedirs(os.path.dirname(kernel), exist_ok=True)
            open(kernel, "w").close()
            r = subprocess.run(words, capture_output=True, timeout=LIMIT)
            same(r.returncode, 0)
            holds(r.stdout, place.partition("/")[2].encode())
            os.unlink(kernel)
        os.unlink(link)


def at_prompt(keys):
    """Type at the prompt, on the session's own terminal. Returns the line that came, the status."""
    master, slave = pty.openpty()
    p = subprocess.Popen(["setsid", "-c", *command()], stdin=slave, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    hint = p.stderr.readline()
    os.write(master, b"line\n")
    line = p.stdout.readline()
    os.write(master, keys)
    status = p.wait(LIMIT)
    p.stdout.close()
    p.stderr.close()
    os.close(master)
    os.close(slave)
    holds(hint, b"Ctrl-A X")
    return line, status


def test_prompt_ends_at_end_of_file():
    same(at_prompt(b"\x04"), (b"line\n", 0))


def test_prompt_ends_at_ctrl_a_x():
    same(at_prompt(b"\x01x"), (b"line\n", 0))


counting.run(globals(), *sys.argv[3:4])
