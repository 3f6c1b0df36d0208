#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The machine's module of the kernel, on machines without the rest of the kernel.

Usage: machine.py KERNEL [ubsan]
"""
import contextlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

import backstop

KERNEL = sys.argv[1]
UBSAN = 'ubsan' in sys.argv[2:]
LIMIT = backstop.seconds(60)
PANIC = 125 * 2 + 1
DAMAGED = 4 * 2 + 1
COUNTED = ['-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off', '-seed', '1',
           '-rtc', 'base=2026-01-01T00:00:00,clock=vm']

passed = failed = 0


@contextlib.contextmanager
def machine(words, args=()):
    """The command that starts the kernel with that command line."""
    with tempfile.NamedTemporaryFile() as nvm:
        nvm.truncate(64 << 20)
        yield ['qemu-system-x86_64', '-machine', 'q35,nvdimm=on', '-cpu', 'max',
               '-bios', 'qboot.rom', '-m', '256M,slots=2,maxmem=8G', '-nodefaults',
               '-no-user-config', '-display', 'none', '-no-reboot',
               '-serial', 'stdio', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4',
               '-object', f'memory-backend-file,id=nv0,share=on,mem-path={nvm.name},size=64M',
               '-device', 'nvdimm,id=nvd0,memdev=nv0', '-kernel', KERNEL,
               '-append', words, *args]


def boot(words, args=()):
    """(status, log) of one boot."""
    with machine(words, args) as command:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT,
                              stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout + done.stderr


def add_result(name, good, log=''):
    global passed, failed
    if good:
        passed += 1
        print(f'ok    {name}', flush=True)
    else:
        failed += 1
        print(f'FAIL  {name}\n{log}', flush=True)


def run_kernel_tests(name, words, args=()):
    """Boots, and adds the results that the kernel itself prints."""
    global passed, failed
    status, log = boot(words, args)
    total = re.search(r'^(\d+) passed, (\d+) failed$', log, re.M)
    add_result(name, status == 0 and total is not None, log)
    if total:
        passed += int(total[1])
        failed += int(total[2])
        if int(total[2]):
            print(log, flush=True)
    return log


def expect_end(name, words, status, *lines):
    got, log = boot(words)
    add_result(name, got == status and all(re.search(line, log) for line in lines), log)
    return log


def last_caller(log):
    """The end of the stack trace in a log."""
    return re.findall(r'^  from (0x[0-9a-f]{16})$', log, re.M)[-1:]


def raise_machine_check():
    """Raises a machine check through the emulator's monitor while user code runs."""
    test_end, machine_end = socket.socketpair()
    more = ['-chardev', f'socket,id=hmp,fd={machine_end.fileno()}', '-mon', 'chardev=hmp']
    with machine('media', more) as command, test_end, machine_end:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                              pass_fds=[machine_end.fileno()]) as qemu:
            stop = threading.Timer(LIMIT, qemu.kill)
            stop.start()
            log = ''
            for line in qemu.stdout:
                log += line
                if 'ready for a machine check' in line:
                    test_end.sendall(b'mce 0 9 0xbd80000000000090 0 0x12345000 0\n')
            stop.cancel()
        good = qemu.returncode == 0 and re.search('^ok .*machine check', log, re.M)
        add_result('machine check', good, log)


def main():
    run_kernel_tests('one core', f'epoch={int(time.time())}')
    run_kernel_tests('four cores', 'cores=4', ['-smp', '4', '-accel', 'tcg,thread=multi'])
    run_kernel_tests('four cores, one at a time', 'cores=4',
                     ['-smp', '4', '-accel', 'tcg,thread=single'])
    run_kernel_tests('a processor with fewer features', '',
                     ['-cpu', 'max,-pdpe1gb,-clwb,-clflushopt,-erms'])
    run_kernel_tests('much memory', '', ['-m', '6G,slots=2,maxmem=16G'])
    if not UBSAN:
        first = run_kernel_tests('counted instructions', 'count', COUNTED)
        add_result('the same count in a second boot', first == boot('count', COUNTED)[1], first)
    run_kernel_tests('two cores, counted', 'cores=2', ['-smp', '2', *COUNTED])
    raise_machine_check()
    expect_end('stack overflow', 'crash.stack', PANIC, 'panic: double fault', r'  from 0xffffffff8')
    trap = expect_end('null store', 'crash.null', PANIC,
                      r'panic: exception in the kernel: vector 14 .*cr2 0x0 ',
                      r'  rsp [0-9a-f]{16}', r'  from 0xffffffff8')
    call = expect_end('assertion', 'crash.assert', PANIC,
                      r'panic: .*machine\.c:\d+: assertion failed: sink == 1')
    add_result('each trace ends where the kernel starts',
               last_caller(trap) and last_caller(trap) == last_caller(call), trap + call)
    expect_end('exit code', 'crash.stop', DAMAGED)
    if UBSAN:
        expect_end('undefined', 'crash.undefined', PANIC,
                   r'panic: .*machine\.c:\d+: undefined: addition')
    print(f'{passed} passed, {failed} failed')
    sys.exit(1 if failed else 0)


main()
