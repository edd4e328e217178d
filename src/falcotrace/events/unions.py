"""Unions: arguments whose form the call's command decides, and what they hold for which command.

A value of a union is bytes, a text or a number, by a selector. Imported captures have the selector
in front of the value; of the kernel's own arguments the functions here find it.

Source: libs 48dfd53c, driver/dynamic_params_table.c, driver/ppm_events_public.h, and the programs
of the calls in driver/modern_bpf/programs/tail_called/events/syscall_dispatched_events.
"""

import socket
from collections.abc import Mapping
from types import MappingProxyType

_SETTING = ("BYTEBUF", "ERRNO", "UINT32", "UINT64", "RELTIME")
_TRACED = ("UINT64", "SIGTYPE")
_KEY = ("INT64", "CHARBUF")
UNIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "val": _SETTING,
        **dict.fromkeys(("addr", "data"), _TRACED),
        **dict.fromkeys(("arg2", "arg3", "arg4", "arg5"), _KEY),
    }
)
"""Types that a union may have, by its first byte."""

_UNPRINTABLE = bytes(byte if 0x20 <= byte < 0x7F else ord(".") for byte in range(256))


def dotted(raw: bytes) -> str:
    """Bytes with a dot for each that is not printable ASCII."""
    return raw.translate(_UNPRINTABLE).decode("ascii")


# Linux include/uapi/asm-generic/socket.h; options that Python's module does not name.
_SO_ERROR, _SO_COOKIE = socket.SO_ERROR, 57
_TIMEOUTS = frozenset({20, 21, 66, 67})
_NUMBERS = frozenset(
    {*range(1, 4), *range(5, 13), *range(14, 17), 18, 19, *range(22, 26), 27, *range(29, 50)}
)
"""Options of SOL_SOCKET whose value Falco takes for a number of 32 bits."""


def socket_option(level: int, option: int, raw: bytes) -> tuple[str, int | bytes]:
    r"""The type of a socket option's value, and the value: a number, or its bytes.

    Example:
        >>> socket_option(1, 2, bytes([1, 0, 0, 0])), socket_option(6, 1, bytes([1]))
        (('UINT32', 1), ('BYTEBUF', b'\x01'))
    """
    if level != socket.SOL_SOCKET:
        return "BYTEBUF", raw
    if option == _SO_ERROR:
        return "ERRNO", -int.from_bytes(raw[:4], "little", signed=True)
    if option in _TIMEOUTS:
        width = len(raw) // 2  # 32-bit programs pass two numbers of 32 bits
        seconds, rest = (int.from_bytes(raw[at : at + width], "little") for at in (0, width))
        return "RELTIME", (seconds * 1_000_000_000 + rest * 1000) % (1 << 64)
    if option == _SO_COOKIE:
        return "UINT64", int.from_bytes(raw[:8], "little")
    if option in _NUMBERS:
        return "UINT32", int.from_bytes(raw[:4], "little")
    return "BYTEBUF", raw


_RESTARTS = frozenset({7, 9, 17, 24})
"""PTRACE_CONT, SINGLESTEP, DETACH, SYSCALL: their data is a signal."""

_PEEKS = frozenset({1, 2, 3})
"""PTRACE_PEEKTEXT, PEEKDATA, PEEKUSR: their data is the address that takes what was read."""


def traced_data(request: int, register: int, read: int, result: int) -> tuple[str, int]:
    """The type and the number of ptrace's data argument.

    Args:
        request: the kernel's number.
        register: the argument.
        read: what stands at the address that the argument is.
        result: of the call; 0 stands for the data of one that failed.
    """
    if result < 0:
        return "UINT64", 0
    if request in _RESTARTS:
        return "SIGTYPE", register & 0xFF
    return "UINT64", read if request in _PEEKS else register


_KEY_NUMBERS: Mapping[int, int] = MappingProxyType(
    {
        **dict.fromkeys((3, 7, 14, 16, 21), 1),
        **dict.fromkeys((0, 5, 8, 9, 15, 22, 31), 2),
        **dict.fromkeys((2, 4, 6, 11, 13, 17, 24, 29, 32), 3),
        **dict.fromkeys((10, 12, 19, 20, 23, 25, 26, 27, 28, 30), 4),
        1: 1,
    }
)
"""How many arguments each operation of keyctl has."""

KEY_TEXTS: Mapping[int, tuple[int, ...]] = MappingProxyType(
    {
        1: (1,),
        10: (2, 3),
        24: (3,),
        **dict.fromkeys((25, 26, 27, 28), (2,)),
        29: (2, 3),
    }
)
"""Which arguments of an operation are texts; the first behind the operation is 1."""


def key_number(operation: int, place: int, register: int) -> int:
    """What Falco shows of a keyctl argument that is a number: 0 of one that is not used."""
    return register if place <= _KEY_NUMBERS.get(operation, 0) else 0
