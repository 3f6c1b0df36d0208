#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the tracer: the payload's trace, and the crash images that it allows."""
import itertools
import os
import shutil
import struct
import subprocess
import sys
import tempfile

import backstop
import counting
import tracing

SIZE = 16 << 20
B = bytes.fromhex('8877665544332211')
STORE, STREAM, FLUSH, FENCE, MARK, LOST = range(1, 7)

# The accesses of payload.S, as (kind, address, bytes stored).
KNOWN = [
    (STORE, 0, B), (FLUSH, 0, b''), (FENCE, 0, b''),
    (STORE, 64, b'\xa1'), (STORE, 66, b'\xa2' * 2), (STORE, 68, b'\xa3' * 4), (FLUSH, 64, b''),
    (STORE, 128, B), (FLUSH, 128, b''), (FENCE, 0, b''),
    (STREAM, 192, B), (STREAM, 200, B),
    *((STREAM, at, bytes(8)) for at in range(224, 256, 8)), (FENCE, 0, b''),
    (STORE, 4092, B[:4]), (STORE, 4096, B[4:]),
    (STORE, 256, B), (STORE, 264, B),
    (STORE, 320, b'\1' + bytes(7)), (STORE, 384, B),
    (FLUSH, 0, b''), (LOST, 0, b''), (FENCE, 0, b''),
    (STORE, 512, b'\7' + bytes(7)), (FLUSH, 512, b''),
]
STATS = dict(stores=12, streams=6, flushes=5, needless=1, lost=1, fences=4, idle=1, marks=0,
             unflushed=6, unfenced=1)


class Traced:
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
            timeout=backstop.seconds(60), check=False)
        assert machine.returncode == 0x10 * 2 + 1, f'the machine ended with {machine.returncode}'

    def run(self, *args):
        return subprocess.run([self.replay, *map(str, args)], text=True, stdout=subprocess.PIPE,
                              check=False, timeout=backstop.seconds(60))

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
        """{point: set of its images}, as the list command names them."""
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


def test_trace_has_the_payloads_records(traced):
    assert list(traced.records()) == KNOWN


def test_replay_gives_the_final_file(traced):
    assert traced.run('check', traced.initial, traced.trace, traced.final).returncode == 0


def test_check_finds_a_foreign_store(traced):
    other = os.path.join(traced.folder, 'other')
    data = bytearray(open(traced.final, 'rb').read())
    data[1234567] ^= 1
    open(other, 'wb').write(data)
    result = traced.run('check', traced.initial, traced.trace, other)
    assert result.returncode == 1 and hex(1234567) in result.stdout


def test_check_finds_a_missing_store(traced):
    short = os.path.join(traced.folder, 'short')
    data = open(traced.trace, 'rb').read()
    open(short, 'wb').write(data[:32] + data[64:])
    assert traced.run('check', traced.initial, short, traced.final).returncode == 1


def test_replay_rejects_other_files(traced):
    assert traced.run('stats', traced.initial, traced.final).returncode == 2
    assert traced.run('stats', traced.initial, '/nonexistent').returncode == 2
    assert traced.run('stats', traced.trace, traced.trace).returncode == 2


def test_stats_count_the_payloads_records(traced):
    lines = traced.run('stats', traced.initial, traced.trace).stdout.splitlines()
    reported = dict(line.split() for line in lines[:len(STATS)])
    assert reported == {key: str(value) for key, value in STATS.items()}, reported


def test_images_have_prefixes_of_each_line(traced):
    """Point 2: any prefix of line 1's three stores, with or without line 2; line 0 is durable."""
    line1 = [(64, b'\xa1'), (66, b'\xa2' * 2), (68, b'\xa3' * 4)]
    legal = {image_of((0, B), *line1[:n], *two)
             for n, two in itertools.product(range(4), ([], [(128, B)]))}
    new = traced.images()[2]
    assert new | {image_of((0, B))} == legal, len(new)


def test_images_have_any_streamed_words(traced):
    """Point 3: any subset of the streamed words."""
    base = [(0, B), (64, b'\xa1'), (66, b'\xa2' * 2), (68, b'\xa3' * 4), (128, B)]
    legal = {image_of(*base, *some) for n in range(3)
             for some in itertools.combinations([(192, B), (200, B)], n)}
    assert traced.images()[3] | {image_of(*base)} == legal


def test_images_tear_a_store_at_the_page_only(traced):
    """Point 4: a store over the end of a page may be torn there, and nowhere else."""
    ends = {image[4092:4100] for image in traced.images()[4]}
    assert ends == {bytes(8), B, B[:4] + bytes(4), bytes(4) + B[4:]}, ends


def test_images_have_all_fenced_stores(traced):
    for point, images in traced.images().items():
        for image in images:
            assert point < 2 or image[:8] == B
            assert point < 4 or image[192:208] == B + B
            assert point < 5 or len(images) > 1


def test_sample_is_repeatable(traced):
    def sample(seed):
        return traced.run('list', traced.initial, traced.trace, 20, seed).stdout
    whole = traced.run('list', traced.initial, traced.trace, 0, 1).stdout.splitlines()
    hashes = {line.split()[3] for line in whole}
    assert sample(7) == sample(7)
    assert sample(7) != sample(8)
    assert {line.split()[3] for line in sample(7).splitlines()} <= hashes


def test_sample_reaches_its_count(traced):
    def lines(count, seed):
        return traced.run('list', traced.initial, traced.trace, count, seed).stdout.splitlines()
    every = lines(0, 1)
    assert traced.run('count', traced.initial, traced.trace, 10**6).stdout == f'{len(every)}\n'
    assert traced.run('count', traced.initial, traced.trace, 3).stdout.startswith('at most ')
    for count in (1, 5, len(every) - 1, len(every), 2 * len(every)):
        drawn = lines(count, count)
        assert len(set(drawn)) == len(drawn) == min(count, len(every)), (count, len(drawn))
        assert {line.split()[3] for line in drawn} <= {line.split()[3] for line in every}
    assert len({line.split()[0] for line in lines(10, 3)}) > 1 # of several points


def symbol(path, name):
    for line in subprocess.run(['nm', path], text=True, stdout=subprocess.PIPE,
                               check=True).stdout.splitlines():
        if line.split()[2] == name:
            return int(line.split()[0], 16)
    raise AssertionError(f'{path} has no {name}')


def test_instructions_are_counted(traced):
    """From long mode on: five instructions and the call before the first one of bare_main."""
    out = os.path.join(traced.folder, 'insns')
    start, main_at = (symbol(traced.payload, name) for name in ('long_mode', 'bare_main'))
    spare = os.path.join(traced.folder, 'spare')
    shutil.copyfile(traced.initial, spare)
    traced.boot(f'{traced.insns},from={start:#x},at={main_at:#x},out={out}', spare)
    assert open(out, encoding='ascii').read() == '6\n', open(out, encoding='ascii').read()


def main():
    try:
        tracing.require_plugins()
    except counting.Skipped as reason:
        print(reason)
        return 77
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        traced = Traced(folder, *sys.argv[1:5])
        for name, test in sorted(globals().items()):
            if not name.startswith('test_'):
                continue
            try:
                test(traced)
                passed += 1
            except AssertionError as error:
                failed += 1
                print(f'FAILED {name}: {error}')
    print(f'{passed} passed, {failed} failed')
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
