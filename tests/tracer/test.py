#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the tracer: the payload's trace, and the crash images that follow from it."""
import itertools
import os
import shutil
import struct
import subprocess
import sys
import tempfile

import counting
import tracing

SIZE = 16 << 20
B = bytes.fromhex('8877665544332211')
STORE, STREAM, FLUSH, FENCE, MARK, LOST = range(1, 7)

# What payload.S does, as (kind, address, bytes stored).
KNOWN = [
    (STORE, 0, B), (FLUSH, 0, b''), (FENCE, 0, b''),
    (STORE, 64, b'\xa1'), (STORE, 66, b'\xa2' * 2), (STORE, 68, b'\xa3' * 4), (FLUSH, 64, b''),
    (STORE, 128, B), (FLUSH, 128, b''), (FENCE, 0, b''),
    (STREAM, 192, B), (STREAM, 200, B), (FENCE, 0, b''),
    (STORE, 4092, B[:4]), (STORE, 4096, B[4:]),
    (STORE, 256, B), (STORE, 264, B),
    (STORE, 320, b'\1' + bytes(7)), (STORE, 384, B),
    (FLUSH, 0, b''), (LOST, 0, b''), (FENCE, 0, b''),
    (STORE, 512, b'\7' + bytes(7)), (FLUSH, 512, b''),
]
STATS = dict(stores=12, streams=2, flushes=5, needless=1, lost=1, fences=4, idle=1, marks=0,
             unflushed=6, unfenced=1)


class Bench:
    """One run of the payload under the plugin, in a folder of its own."""

    def __init__(self, folder, plugin, replay, payload, insns):
        self.folder, self.replay = folder, replay
        self.payload, self.insns = payload, insns
        self.initial, self.final, self.trace = (
            os.path.join(folder, name) for name in ('initial', 'final', 'trace'))
        for path in self.initial, self.final:
            with open(path, 'wb') as f:
                f.truncate(SIZE)
        self.boot(f'{plugin},nvdimm={self.final},out={self.trace}', self.final)

    def boot(self, plugin, nvdimm):
        machine = subprocess.run(
            ['qemu-system-x86_64', '-machine', 'q35,nvdimm=on', '-bios', 'qboot.rom', '-cpu', 'max',
             '-accel', 'tcg,thread=single', '-m', '128M,slots=2,maxmem=8G',
             '-object', f'memory-backend-file,id=nv0,share=on,mem-path={nvdimm},size={SIZE}',
             '-device', 'nvdimm,id=nvd0,memdev=nv0', '-nodefaults', '-no-user-config',
             '-display', 'none', '-no-reboot', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4',
             '-kernel', self.payload, '-plugin', plugin],
            timeout=60, check=False)
        assert machine.returncode == 0x10 * 2 + 1, f'the machine ended with {machine.returncode}'

    def run(self, *args):
        return subprocess.run([self.replay, *map(str, args)], text=True, stdout=subprocess.PIPE,
                              check=False, timeout=60)

    def records(self):
        data = open(self.trace, 'rb').read()[32:]
        for at in range(0, len(data), 32):
            kind, _, size, _, _, addr, value, _ = struct.unpack_from('<BBBBIQQQ', data, at)
            yield kind, addr, struct.pack('<Q', value)[:size]

    def image(self, point, number):
        path = os.path.join(self.folder, 'image')
        with open(path, 'wb') as f:
            f.truncate(SIZE)
        assert self.run('image', self.initial, self.trace, point, number, path).returncode == 0
        return open(path, 'rb').read(8192)

    def images(self):
        """Distinct images of each point, as the list command names them."""
        found = {}
        for line in self.run('list', self.initial, self.trace, 0, 1).stdout.splitlines():
            point, number, _, _ = line.split()
            found.setdefault(int(point), set()).add(self.image(point, number))
        return found


def image_of(*stores):
    data = bytearray(8192)
    for addr, value in stores:
        data[addr:addr + len(value)] = value
    return bytes(data)


def test_trace(bench):
    assert list(bench.records()) == KNOWN


def test_replay_gives_the_file(bench):
    assert bench.run('check', bench.initial, bench.trace, bench.final).returncode == 0


def test_replay_finds_a_foreign_store(bench):
    other = os.path.join(bench.folder, 'other')
    data = bytearray(open(bench.final, 'rb').read())
    data[1234567] ^= 1
    open(other, 'wb').write(data)
    result = bench.run('check', bench.initial, bench.trace, other)
    assert result.returncode == 1 and hex(1234567) in result.stdout


def test_replay_finds_a_missing_store(bench):
    short = os.path.join(bench.folder, 'short')
    data = open(bench.trace, 'rb').read()
    open(short, 'wb').write(data[:32] + data[64:])
    assert bench.run('check', bench.initial, short, bench.final).returncode == 1


def test_refuses_other_files(bench):
    assert bench.run('stats', bench.initial, bench.final).returncode == 2
    assert bench.run('stats', bench.initial, '/nonexistent').returncode == 2
    assert bench.run('stats', bench.trace, bench.trace).returncode == 2


def test_stats(bench):
    lines = bench.run('stats', bench.initial, bench.trace).stdout.splitlines()
    told = dict(line.split() for line in lines[:len(STATS)])
    assert told == {key: str(value) for key, value in STATS.items()}, told


def test_images_of_two_lines(bench):
    """Point 2: any prefix of line 1's three stores, with or without line 2; line 0 is durable."""
    line1 = [(64, b'\xa1'), (66, b'\xa2' * 2), (68, b'\xa3' * 4)]
    legal = {image_of((0, B), *line1[:n], *two)
             for n, two in itertools.product(range(4), ([], [(128, B)]))}
    new = bench.images()[2]
    assert new | {image_of((0, B))} == legal, len(new)


def test_images_of_streams(bench):
    """Point 3: streamed words come in any subset."""
    base = [(0, B), (64, b'\xa1'), (66, b'\xa2' * 2), (68, b'\xa3' * 4), (128, B)]
    legal = {image_of(*base, *some) for n in range(3)
             for some in itertools.combinations([(192, B), (200, B)], n)}
    assert bench.images()[3] | {image_of(*base)} == legal


def test_images_of_a_torn_store(bench):
    """Point 4: a store over a page's end may be torn in two, and in no other place."""
    ends = {image[4092:4100] for image in bench.images()[4]}
    assert ends == {bytes(8), B, B[:4] + bytes(4), bytes(4) + B[4:]}, ends


def test_what_was_fenced_is_there(bench):
    for point, images in bench.images().items():
        for image in images:
            assert point < 2 or image[:8] == B
            assert point < 4 or image[192:208] == B + B
            assert point < 5 or len(images) > 1


def test_sample_is_repeatable(bench):
    def sample(seed):
        return bench.run('list', bench.initial, bench.trace, 20, seed).stdout
    whole = bench.run('list', bench.initial, bench.trace, 0, 1).stdout.splitlines()
    hashes = {line.split()[3] for line in whole}
    assert sample(7) == sample(7)
    assert sample(7) != sample(8)
    assert {line.split()[3] for line in sample(7).splitlines()} <= hashes


def symbol(path, name):
    for line in subprocess.run(['nm', path], text=True, stdout=subprocess.PIPE,
                               check=True).stdout.splitlines():
        if line.split()[2] == name:
            return int(line.split()[0], 16)
    raise AssertionError(f'{path} has no {name}')


def test_instructions_are_counted(bench):
    """From long mode on: five to the call, which is the sixth, then bare_main's first."""
    out = os.path.join(bench.folder, 'insns')
    start, main_at = (symbol(bench.payload, name) for name in ('long_mode', 'bare_main'))
    spare = os.path.join(bench.folder, 'spare')
    shutil.copyfile(bench.initial, spare)
    bench.boot(f'{bench.insns},from={start:#x},at={main_at:#x},out={out}', spare)
    assert open(out, encoding='ascii').read() == '6\n', open(out, encoding='ascii').read()


def main():
    try:
        tracing.needed()
    except counting.Skipped as reason:
        print(reason)
        return 77
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder, *sys.argv[1:5])
        for name, test in sorted(globals().items()):
            if not name.startswith('test_'):
                continue
            try:
                test(bench)
                passed += 1
            except AssertionError as error:
                failed += 1
                print(f'FAILED {name}: {error}')
    print(f'{passed} passed, {failed} failed')
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
