"""From registers to Falco's numbers."""

import os
import socket

import numpy as np
import pytest

from falcotrace.events.event_types import Param
from falcotrace.record.argument_numbers import (
    creates_file,
    descriptor_flags,
    open_flags,
    sized,
)


@pytest.mark.parametrize(
    ("kind", "register", "number"),
    [
        ("FD", 0xFFFFFF9C, -100),
        ("FD", 2**64 - 100, -100),
        ("PID", 2**32 - 1, -1),
        ("INT64", 2**64 - 5, 2**64 - 5),
        ("ERRNO", 2**64 - 2, -2),
        ("UINT32", 2**40 + 7, 7),
        ("UID", 2**64 - 1, 2**32 - 1),
        ("UINT64", 2**64 - 1, 2**64 - 1),
        ("INT16", 0xFFFF, -1),
        ("UINT8", 0x1FF, 0xFF),
    ],
)
def test_width_and_sign(kind: str, register: int, number: int) -> None:
    """The upper half of a register is rubbish for an int; a UINT64 keeps all of it."""
    values = np.array([register], np.uint64)
    assert sized(Param("x", kind, "DEC", ""), values).tolist() == [number]


@pytest.mark.parametrize(
    ("native", "falco"),
    [
        (os.O_RDONLY, 1),
        (os.O_WRONLY, 2),
        (os.O_RDWR, 3),
        (3, 3),
        (os.O_CREAT | os.O_EXCL | os.O_TRUNC | os.O_WRONLY, 4 | 32 | 256 | 2),
        (os.O_APPEND | os.O_RDWR, 8 | 3),
        (0x80000, 4096 | 1),
        (0x10000, 1024 | 1),
        (0x410000 | 2, 8192 | 1024 | 3),
        (0x1000, 16 | 1),
        (0x101000, 128 | 16 | 1),
    ],
)
def test_open_flags(native: int, falco: int) -> None:
    """Each flag; O_DIRECTORY alone is not O_TMPFILE, and O_SYNC is not O_DSYNC alone."""
    assert open_flags(native) == falco


@pytest.mark.parametrize(
    ("native", "x86"),
    [(0o40000, 0x10000), (0o200000, 0x4000), (0o400000, 0x8000), (0o100000, 0), (0o100, 0o100)],
)
def test_open_flags_of_arm(native: int, x86: int) -> None:
    """Four flags have other bits there: O_DIRECTORY would be read as O_DIRECT."""
    assert open_flags(native, "aarch64") == open_flags(x86)


def test_flags_of_new_sockets() -> None:
    """The type's upper bits; the type itself is none of them."""
    kinds = np.array([socket.SOCK_STREAM, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC], np.uint64)
    assert descriptor_flags(kinds).tolist() == [0, os.O_CLOEXEC]


def test_which_opens_look_at_the_mode() -> None:
    """O_CREAT and O_TMPFILE do, O_DIRECTORY does not."""
    flags = np.array([0, os.O_CREAT, os.O_TMPFILE, os.O_DIRECTORY], np.uint64)
    assert creates_file(flags).tolist() == [False, True, True, False]
