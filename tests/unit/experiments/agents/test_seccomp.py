"""The filter of system calls by itself, on both processors."""

import errno
import os
import struct

import pytest

pytest.importorskip("psutil")

from pytest_llmpref.experiments.agents import bubblewrap
from pytest_llmpref.experiments.agents.bubblewrap import Limits, NoSandboxError
from pytest_llmpref.experiments.agents.confinement import filter_program


def asked_of(program, number, *arguments, architecture):
    """Run a filter, as the kernel would, and return the error that a call is answered with; 0 if it is allowed."""
    data = struct.pack("<iIQ6Q", number, architecture, 0, *(*arguments, *[0] * (6 - len(arguments))))
    instructions = list(struct.iter_unpack("<HBBI", program))
    place = held = 0
    while True:
        code, if_true, if_false, value = instructions[place]
        place += 1
        if code == 0x20:
            held = struct.unpack_from("<I", data, value)[0]
        elif code == 0x06:
            return value & 0xFFFF if value >> 16 == 5 else 0 if value == 0x7FFF0000 else None
        else:
            true = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[code]
            place += if_true if true else if_false


X86, ARM = (0xC000003E, "x86_64"), (0xC00000B7, "aarch64")


@pytest.mark.parametrize(
    ("processor", "calls"),
    [
        (
            X86,
            {"read": 0, "keyctl": 250, "memfd": 319, "clone": 56, "unshare": 272, "socket": 41, "mmap": 9}
            | {"socketpair": 53, "clone3": 435, "prlimit": 302, "affinity": 203, "attributes": 314, "syslog": 103},
        ),
        (
            ARM,
            {"read": 63, "keyctl": 219, "memfd": 279, "clone": 220, "unshare": 97, "socket": 198, "mmap": 222}
            | {"socketpair": 199, "clone3": 435, "prlimit": 261, "affinity": 122, "attributes": 274, "syslog": 116},
        ),
    ],
    ids=["x86-64", "ARM"],
)
def test_the_filter_on_each_processor(processor, calls):
    architecture, machine = processor
    program = filter_program(machine)

    def asked(name, *arguments):
        return asked_of(program, calls[name], *arguments, architecture=architecture)

    assert asked("read") == asked("mmap") == 0
    assert (asked("keyctl"), asked("memfd")) == (errno.EPERM, errno.ENOSYS)
    assert (asked("clone", 0x11), asked("clone", 0x3D0F00)) == (0, 0)
    assert {asked("clone", 1 << bit) for bit in (17, *range(25, 31))} == {errno.EPERM}
    assert {asked("unshare", 1 << bit) for bit in (7, 17, *range(25, 31))} == {errno.EPERM}
    assert asked("unshare", 0x200) == 0
    for call in ("socket", "socketpair"):
        assert {family for family in range(256) if asked(call, family) == 0} == {1, 2, 10, 16}
    for call in ("prlimit", "affinity", "attributes"):
        assert (asked(call, 0), asked(call, 2), asked(call, 1)) == (0, 0, errno.EPERM)
    assert (asked("clone3"), asked("syslog")) == (errno.ENOSYS, errno.EPERM)
    assert asked("socket", 1 << 32 | 40) == errno.EAFNOSUPPORT
    other = ARM[0] if processor is X86 else X86[0]
    assert asked_of(program, calls["read"], architecture=other) == errno.ENOSYS
    assert asked_of(program, 0x40000000 + calls["read"], architecture=architecture) == errno.ENOSYS


def test_on_another_processor_nothing_starts(monkeypatch):
    monkeypatch.setattr(os, "uname", lambda: type("Machine", (), {"machine": "riscv64"}))
    with pytest.raises(NoSandboxError, match=r"no filter of system calls for the processor 'riscv64'.*use Docker"):
        bubblewrap.arguments(Limits())
