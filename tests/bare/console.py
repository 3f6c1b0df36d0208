#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The console driver on a bare machine, tested from the host's end of its four ports."""
import hashlib
import os
import random
import select
import socket
import subprocess
import sys
import time

import backstop

PORTS = [('twz.ctl', 1), ('twz.in', 2), ('twz.out', 3), ('twz.err', 4)]
END_GOOD = 0x10 * 2 + 1
LIMIT = backstop.seconds(60)


class Machine:
    def __init__(self, payload, *more):
        self.port = {}
        machine_ends = []
        args = ['qemu-system-x86_64', '-machine', 'q35', '-bios', 'qboot.rom', '-cpu', 'max',
                '-accel', 'tcg', '-m', '128M', '-nodefaults', '-no-user-config', '-display', 'none',
                '-no-reboot', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4', '-kernel', payload,
                '-device', 'virtio-serial-pci,id=link', *more]
        for name, number in PORTS:
            test_end, other = socket.socketpair()
            self.port[name] = test_end
            machine_ends.append(other)
            args += ['-chardev', f'socket,id={name},fd={other.fileno()}',
                     '-device', f'virtserialport,bus=link.0,nr={number},chardev={name},name={name}']
        self.qemu = subprocess.Popen(args, pass_fds=[s.fileno() for s in machine_ends])
        for other in machine_ends:
            other.close()
        self.deadline = time.monotonic() + LIMIT

    def send(self, text):
        self.port['twz.ctl'].sendall(text)

    def receive(self, name, count):
        data = b''
        while len(data) < count:
            left = self.deadline - time.monotonic()
            assert left > 0 and select.select([self.port[name]], [], [], left)[0], \
                f'{name}: only {len(data)} of {count} bytes in time'
            got = self.port[name].recv(count - len(data))
            assert got, f'{name}: closed after {len(data)} of {count} bytes'
            data += got
        return data

    def expect_done(self):
        assert self.receive('twz.ctl', 1) == b'.'

    def echo(self, data, sent=0, how='e'):
        """Sends data from `sent` on to IN while it reads OUT. The bytes that came back."""
        if not sent:
            self.send(b'%s%d\n' % (how.encode(), len(data)))
        back, received = [], 0
        port_in, port_out = self.port['twz.in'], self.port['twz.out']
        port_in.setblocking(False)
        while received < len(data):
            writers = [port_in] if sent < len(data) else []
            readable, writable, _ = select.select([port_out], writers, [],
                                                  max(0, self.deadline - time.monotonic()))
            assert readable or writable, f'{sent} bytes sent, {received} came back, then nothing'
            if writable:
                sent += port_in.send(data[sent:sent + 65536])
            if readable:
                back.append(port_out.recv(65536))
                received += len(back[-1])
        self.expect_done()
        return b''.join(back)

    def fill(self, data, how='e'):
        """Requests an echo, and sends until the machine accepts no more. The number of bytes."""
        self.send(b'%s%d\n' % (how.encode(), len(data)))
        port_in = self.port['twz.in']
        port_in.setblocking(False)
        sent = 0
        while sent < len(data) and select.select([], [port_in], [], 1)[1]:
            sent += port_in.send(data[sent:sent + 65536])
        return sent

    def end(self):
        self.send(b'q')
        assert self.receive('twz.out', 1) == b'!'
        status = self.qemu.wait(LIMIT)
        assert status == END_GOOD, f'the machine ended with {status}'

    def stop(self):
        self.qemu.kill()
        self.qemu.wait()
        for port in self.port.values():
            port.close()


def same(a, b):
    return hashlib.sha256(a).digest() == hashlib.sha256(b).digest()


def test_small_inputs_come_back(machine):
    for data in b'x', b'hello', bytes(range(256)):
        assert machine.echo(data) == data
    machine.end()


def test_ports_have_names_and_are_open(machine):
    machine.echo(b'x')
    machine.send(b'r')
    machine.expect_done()
    expected = b''.join(name.encode() + b'+' for name, _ in PORTS)
    assert machine.receive('twz.err', len(expected)) == expected
    machine.end()


def test_16_mib_come_back(machine):
    data = random.Random(1).randbytes(16 << 20)
    start = time.monotonic()
    back = machine.echo(data)
    assert same(back, data)
    print(f'16 MiB echoed in {time.monotonic() - start:.2f} s')
    machine.end()


def test_output_waits_for_a_slow_host(machine):
    """The device stops the sender when the host does not read. No byte is lost."""
    data = random.Random(2).randbytes(3 << 20)
    sent = machine.fill(data)
    assert 0 < sent < len(data), 'nothing stopped the sender'
    assert same(machine.echo(data, sent), data)
    machine.end()


def test_impossible_counters_have_no_effect(machine):
    """They send no byte and change no memory. Echoes after them are correct."""
    data = random.Random(3).randbytes(300000)
    for _ in range(3):
        assert machine.echo(data) == data
        machine.send(b'a')
        machine.expect_done()
    assert not select.select([machine.port['twz.out'], machine.port['twz.err']], [], [], 0)[0]
    machine.end()


def test_impossible_counters_during_an_echo_have_no_effect(machine):
    data = random.Random(4).randbytes(2 << 20)
    assert same(machine.echo(data, how='h'), data)
    sent = machine.fill(data, how='h')
    assert same(machine.echo(data, sent), data)
    machine.end()


def main():
    payload = sys.argv[1]
    passed = failed = 0
    for name, test in sorted(globals().items()):
        if not name.startswith('test_'):
            continue
        for more in [], ['-global', 'virtio-serial-pci.ioeventfd=off']:
            machine = Machine(payload, *more)
            try:
                test(machine)
                passed += 1
            except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
                failed += 1
                print(f'FAILED {name} {more}: {error}')
            finally:
                machine.stop()
    print(f'{passed} passed, {failed} failed')
    return failed != 0


if __name__ == '__main__':
    os.environ.setdefault('LC_ALL', 'C')
    sys.exit(main())
