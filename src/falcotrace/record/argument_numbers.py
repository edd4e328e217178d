"""Numbers of arguments: from registers to Falco's numbers.

In: registers, and the parameters that they are. Out: numbers of the parameter's width, with Falco's
bits for the kernel's flags, and their texts where no state is needed for them.
"""

import socket
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from falcotrace.capture.distinct import distinct
from falcotrace.events.derived import OPEN_EVENTS
from falcotrace.events.event_types import EventType, Param
from falcotrace.events.flags import FLAG_TABLES, FlagTable
from falcotrace.record.call import CallEvents

_SIGNED_BITS = {"INT8": 8, "INT16": 16, "INT32": 32, "FD": 32, "PID": 32, "ERRNO": 64}
_UNSIGNED_BITS = {
    "UINT8": 8,
    "UINT16": 16,
    "UINT32": 32,
    "UID": 32,
    "GID": 32,
    "MODE": 32,
    "SIGTYPE": 8,
    "SIGSET": 32,
    "FLAGS8": 32,
    "FLAGS16": 32,
    "FLAGS32": 32,
    "ENUMFLAGS8": 32,
    "ENUMFLAGS16": 32,
    "ENUMFLAGS32": 32,
}
_OPEN_FLAGS = FLAG_TABLES["file_flags"]
_CREAT_FLAGS = FLAG_TABLES["creat_flags"]
_ACCESS_MODES = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_RDWR")
# Linux arch/arm64/include/uapi/asm/fcntl.h: four flags have other bits; the tables have x86's.
_ARM_TO_X86 = (
    (0o40000, 0o200000),  # O_DIRECTORY
    (0o100000, 0o400000),  # O_NOFOLLOW
    (0o200000, 0o40000),  # O_DIRECT
    (0o400000, 0o100000),  # O_LARGEFILE
)
_MOVED_BITS = sum(arm for arm, _ in _ARM_TO_X86)
_O_CREAT, _O_TMPFILE_BIT = 0o100, 0o20000000
_TABLES_OF_NUMBERS = {("accept4", "flags"): _OPEN_FLAGS}
"""Parameters that are printed as plain numbers and are flags all the same."""

_ONE_OF: Mapping[str, int] = MappingProxyType(
    {"semctl_commands": 0, "quotactl_cmds": 0, "quotactl_types": 0, "quotactl_quota_fmts": 1}
)
"""Tables of bits of which the kernel's number is one and no sum of bits; what others become."""

_KEPT_AS_THEY_ARE = frozenset({"execve", "execveat"})
"""Events whose flags are Falco's own from the start."""


def sized(param: Param, values: np.ndarray) -> np.ndarray:
    """Cut registers to the parameter's width, with its sign."""
    bits = _SIGNED_BITS.get(param.type)
    if bits:
        shift = np.int64(64 - bits)
        return np.asarray(values).astype(np.uint64).view(np.int64) << shift >> shift
    bits = _UNSIGNED_BITS.get(param.type)
    if bits:
        mask = np.uint64((1 << bits) - 1)
        return (np.asarray(values).astype(np.uint64) & mask).astype(np.int64)
    return np.asarray(values)


def falco_numbers(
    event: EventType, param: Param, values: np.ndarray, call: CallEvents
) -> np.ndarray:
    """Falco's numbers for the kernel's flags and commands."""
    table = FLAG_TABLES.get(param.extra) or _TABLES_OF_NUMBERS.get((event.name, param.name))
    if table is None or param.type == "MODE" or event.name in _KEPT_AS_THEY_ARE:
        return values
    found, indices = distinct(values)
    if table is _OPEN_FLAGS and event.name in OPEN_EVENTS:
        falco = np.array([open_flags(int(v), call.arch) for v in found.tolist()])[indices]
        return falco | _open_result_bits(call)
    if table is _CREAT_FLAGS:
        return _layer_bits(call, _CREAT_FLAGS, "_CREAT")
    if table.name in _ONE_OF:
        numbers, unknown = dict(table.linux), _ONE_OF[table.name]
        return np.array([numbers.get(int(v), unknown) for v in found.tolist()], np.int64)[indices]
    translate = table.enum_from_linux if param.type.startswith("ENUM") else table.flags_from_linux
    return np.array([translate(int(v)) for v in found.tolist()], np.int64)[indices]


def open_flags(native: int, arch: str = "x86_64") -> int:
    """Falco's open flags for the kernel's (libs 48dfd53c, driver/ppm_flag_helpers.h).

    DIFFERS: Falco adds O_TMPFILE to whatever has O_DIRECTORY, for the kernel's O_TMPFILE holds that
    bit too and it tests for any.

    Example:
        >>> open_flags(0o100 | 0o2)  # O_CREAT | O_RDWR
        7
    """
    if arch == "aarch64":
        native = native & ~_MOVED_BITS | sum(x86 for arm, x86 in _ARM_TO_X86 if native & arm)
    access = _OPEN_FLAGS.value_of(_ACCESS_MODES[native & 3])
    return _OPEN_FLAGS.flags_from_linux(native) | access


def descriptor_flags(socket_type: np.ndarray) -> np.ndarray:
    """Flags of a new descriptor in a socket's type: SOCK_CLOEXEC, SOCK_NONBLOCK are O_*'s."""
    return socket_type & (socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)


def creates_file(flags: np.ndarray) -> np.ndarray:
    """Whether the kernel's open flags make open look at the mode."""
    return flags & (_O_CREAT | _O_TMPFILE_BIT) != 0


def _open_result_bits(call: CallEvents) -> np.ndarray:
    """What the kernel adds to an open's flags: created, and the overlay layer of the file."""
    created = call.file_flags("was_created")[0]
    bits = created * _OPEN_FLAGS.value_of("O_F_CREATED")
    layers = _layer_bits(call, _OPEN_FLAGS, "")
    return np.where(call.results >= 0, bits | layers, 0)


def _layer_bits(call: CallEvents, table: FlagTable, suffix: str) -> np.ndarray:
    upper, lower = call.file_flags("is_upper_layer", "is_lower_layer")
    return upper * table.value_of(f"FD_UPPER_LAYER{suffix}") | lower * table.value_of(
        f"FD_LOWER_LAYER{suffix}"
    )
