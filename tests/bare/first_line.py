#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The first line of the kernel's log names the machine, and the kernel by a hash that is compared
with its file. Without a pool the kernel then ends with a message.

Usage: first_line.py KERNEL
"""
import hashlib
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import backstop
import counting

KERNEL = sys.argv[1]
DAMAGED = 4 * 2 + 1
PANIC = 125 * 2 + 1
LINE = re.compile(r'twz \S+: (\d+) cores, (\d+) MiB memory, (\d+) MiB NVDIMM, kernel ([0-9a-f]{64})')


def boot(*machine):
    return subprocess.run(
        ['qemu-system-x86_64', '-cpu', 'max', '-bios', 'qboot.rom', '-nodefaults',
         '-no-user-config', '-display', 'none', '-no-reboot', '-serial', 'stdio',
         '-device', 'isa-debug-exit,iobase=0xf4,iosize=4', '-kernel', KERNEL, *machine],
        capture_output=True, text=True, timeout=backstop.seconds(60), stdin=subprocess.DEVNULL, check=False)


def first_line(*machine):
    done = boot(*machine)
    lines = done.stdout.splitlines()
    assert done.returncode == DAMAGED, f'status {done.returncode}\n{done.stdout}'
    assert 'twz: fatal: ' in lines[-1] and 'no pool' in lines[-1], done.stdout
    found = LINE.fullmatch(lines[0])
    assert found, lines[0]
    return (*map(int, found.groups()[:3]), found[4])


def test_hash_is_that_of_the_text():
    with tempfile.NamedTemporaryFile() as text:
        subprocess.run(['objcopy', '-O', 'binary', '-j', '.text', KERNEL, text.name], check=True)
        line = first_line('-machine', 'q35', '-m', '128M')[3]
        assert line == hashlib.blake2b(text.read(), digest_size=32).hexdigest(), line


def test_line_has_cores_and_memory():
    for cores, megabytes in (1, 128), (3, 300), (2, 3072):
        line = first_line('-machine', 'q35', '-smp', str(cores), '-m', f'{megabytes}M')
        assert line[0] == cores, line
        assert megabytes - 8 <= line[1] <= megabytes, line
        assert line[2] == 0, line


def test_kernel_boots_on_other_machines():
    for machine in ['microvm,acpi=on'], ['pc'], ['q35', '-bios', 'bios-256k.bin']:
        assert first_line('-m', '128M', '-machine', *machine)[1] >= 120, machine


def test_kernel_rejects_a_processor_without_xsave():
    done = boot('-machine', 'q35', '-cpu', 'qemu64')
    assert done.returncode == PANIC, f'status {done.returncode}\n{done.stdout}'
    assert done.stdout == 'twz: fatal: the processor lacks XSAVE\n', done.stdout


def test_line_has_the_nvdimm():
    with tempfile.NamedTemporaryFile() as nvm:
        nvm.truncate(32 << 20)
        line = first_line(
            '-machine', 'q35,nvdimm=on', '-m', '128M,slots=2,maxmem=1G', '-object',
            f'memory-backend-file,id=n,share=on,mem-path={nvm.name},size=32M',
            '-device', 'nvdimm,memdev=n')
        assert line[2] == 32, line


counting.run(globals())
