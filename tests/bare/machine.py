#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The machine's room on a machine of its own: machine.py KERNEL [ubsan]."""
import contextlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

KERNEL = sys.argv[1]
UBSAN = 'ubsan' in sys.argv[2:]
LIMIT = 60
PANIC = 125 * 2 + 1
DAMAGED = 4 * 2 + 1
COUNTED = ['-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off', '-seed', '1',
           '-rtc', 'base=2026-01-01T00:00:00,clock=vm']

passed = failed = 0


@contextlib.contextmanager
def machine(words, args=()):
    """The command that starts the kernel with those words."""
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
    """(status, log) of one run."""
    with machine(words, args) as command:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT,
                              stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout + done.stderr


def case(name, good, log=''):
    global passed, failed
    if good:
        passed += 1
        print(f'ok    {name}', flush=True)
    else:
        failed += 1
        print(f'FAIL  {name}\n{log}', flush=True)


def pieces(name, words, args=()):
    """A run whose own sum counts."""
    global passed, failed
    status, log = boot(words, args)
    total = re.search(r'^(\d+) passed, (\d+) failed$', log, re.M)
    case(name, status == 0 and total is not None, log)
    if total:
        passed += int(total[1])
        failed += int(total[2])
        if int(total[2]):
            print(log, flush=True)
    return log


def death(name, words, status, *lines):
    got, log = boot(words)
    case(name, got == status and all(re.search(line, log) for line in lines), log)


def media_error():
    """A machine check, raised through the emulator's monitor, while user code runs."""
    ours, theirs = socket.socketpair()
    more = ['-chardev', f'socket,id=hmp,fd={theirs.fileno()}', '-mon', 'chardev=hmp']
    with machine('media', more) as command, ours, theirs:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                              pass_fds=[theirs.fileno()]) as qemu:
            stop = threading.Timer(LIMIT, qemu.kill)
            stop.start()
            log = ''
            for line in qemu.stdout:
                log += line
                if 'ready for a machine check' in line:
                    ours.sendall(b'mce 0 9 0xbd80000000000090 0 0x12345000 0\n')
            stop.cancel()
        case('machine check', qemu.returncode == 0 and re.search('^ok .*machine check', log, re.M),
             log)


def main():
    pieces('one core', f'epoch={int(time.time())}')
    pieces('four cores', 'cores=4', ['-smp', '4', '-accel', 'tcg,thread=multi'])
    pieces('four cores by turns', 'cores=4', ['-smp', '4', '-accel', 'tcg,thread=single'])
    pieces('a processor with less', '', ['-cpu', 'max,-pdpe1gb,-clwb,-clflushopt,-erms'])
    pieces('much memory', '', ['-m', '6G,slots=2,maxmem=16G'])
    if not UBSAN:
        first = pieces('counted instructions', 'count', COUNTED)
        case('counted again, the same', first == boot('count', COUNTED)[1], first)
    pieces('every core in order, counted', 'cores=2', ['-smp', '2', *COUNTED])
    media_error()
    death('stack overflow', 'die.stack', PANIC, 'panic: double fault', r'  from 0xffffffff8')
    death('null store', 'die.null', PANIC, r'panic: exception in the kernel: vector 14 .*cr2 0x0 ',
          r'  rsp [0-9a-f]{16}', r'  from 0xffffffff8')
    death('assertion', 'die.assert', PANIC, r'panic: .*machine\.c:\d+: assertion failed: sink == 1')
    death('exit code', 'die.stop', DAMAGED)
    if UBSAN:
        death('undefined', 'die.undefined', PANIC, r'panic: .*machine\.c:\d+: undefined: addition')
    print(f'{passed} passed, {failed} failed')
    sys.exit(1 if failed else 0)


main()
