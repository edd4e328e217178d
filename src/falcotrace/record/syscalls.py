"""What travels with each system call: from a table to the bytes that the kernel side is set with.

In comes `syscalls.tsv`, out goes an array of the kernel's `struct ft_syscall`, and for readers the
parts that each call's events carry. To cover another system call, write a row there. This module
neither loads anything nor knows what an argument means to a rule.

Source: `bpf/maps.bpf.h`, struct ft_syscall and struct ft_part_rule, checked by a test.
"""

import dataclasses
import functools
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

import numpy as np

from falcotrace.record.call_classes import class_of
from falcotrace.record.layout import PARTS, PartKind

ROWS: Final = 512
"""Numbers of system calls are below this on all architectures."""

PART_RULE: Final = np.dtype(
    [
        ("kind", "u1"),
        ("arg", "u1"),
        ("size_from", "u1"),
        ("flags", "u1"),
        ("limit", "<u4"),
        ("when_mask", "<u8"),
        ("when_arg", "u1"),
        ("when_shift", "u1"),
        ("reserved", "<u2"),
        ("reserved2", "<u4"),
    ]
)
SYSCALL: Final = np.dtype(
    [
        ("flags", "<u4"),
        ("fd_arg", "i1"),
        ("dir_arg", "i1", (2,)),
        ("other_arg", "i1"),
        ("pair_arg", "i1"),
        ("part_count", "u1"),
        ("when_arg", "i1"),
        ("data_when", "u1"),
        ("when_value", "<u4"),
        ("when_below_64", "<u8"),
        ("part", PART_RULE, (PARTS,)),
    ]
)

_FLAGS: Final = {
    "closes": 4,
    "replaces": 8,
    "sends": 16,
    "receives": 32,
    "connects": 64,
    "binds": 128,
    "listens": 256,
    "sheds": 512,
}
_CLASS_SHIFT: Final = 12
_OFF: Final = 1024
_RESULTS: Final = {"": 0, "same": 1, "new": 1 | 2}
_KINDS: Final = {
    "text": PartKind.STRING,
    "bytes": PartKind.BYTES,
    "data": PartKind.BYTES,
    "sockaddr": PartKind.SOCKADDR,
    "mname": PartKind.MSG_NAME,
    "mcontrol": PartKind.MSG_CONTROL,
    "mdata": PartKind.MSG_DATA,
    "msize": PartKind.MSG_SIZE,
    "vdata": PartKind.VECTOR_DATA,
    "vsize": PartKind.VECTOR_SIZE,
    "poll": PartKind.POLL,
    "argv": PartKind.ARGV,
    "env": PartKind.ARGV,
    "usage": PartKind.USAGE,
    "backlog": PartKind.BACKLOG,
}
_BUFFERS: Final = {"data", "mdata", "vdata"}
_LIMITS: Final = {"text": 4095, "sockaddr": 128, "mname": 128, "mcontrol": 256}
UNLIMITED: Final = {"usage", "backlog", "poll", "msize", "vsize"}
_SIZE_RESULT, _SIZE_ARG, _SIZE_POINTED, _SIZE_MESSAGE = 1, 8, 16, 24
_WHEN_SUCCESS, _WHEN_ROOM = 1, 2
_DATA_NEVER, _DATA_ALWAYS, _DATA_ARG = 0, 1, 8
_NO_VALUE: Final = 0xFFFFFFFF
_WHEN_VALUES: Final = 64
_PART: Final = re.compile(
    r"(?P<name>[a-z]+)(?P<arg>\d?)(?::(?P<size>\*?[a-z0-9]+))?(?::(?P<limit>\d+))?(?P<marks>[!?~]*)"
    r"(?:@(?P<when_arg>\d)(?:>>(?P<shift>\d+))?=(?P<values>\d+(?:[,-]\d+)*))?"
)


@dataclasses.dataclass(frozen=True, slots=True)
class When:
    """What a call must ask for: the lowest byte of an argument, shifted, is one of some values."""

    arg: int
    shift: int
    values: tuple[int, ...]

    @property
    def mask(self) -> int:
        """The values as bits."""
        return sum(1 << value for value in self.values)


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One variable part of a call's events.

    Args:
        name: word of the table: `text`, `bytes`, `data` ...
        arg: the argument that points to it.
        size: what says how long it is; empty for kinds that know.
        limit: longest, in bytes.
        on_success: it travels only if the call succeeded.
        decides: without this argument no part travels at all.
        is_portable: 32-bit programs pass the same struct; texts, addresses and vectors always are.
        when: it travels only of calls that ask for these things; None: of all.
    """

    name: str
    arg: int
    size: str
    limit: int
    on_success: bool
    decides: bool
    is_portable: bool = True
    when: When | None = None

    @property
    def kind(self) -> PartKind:
        """How samples mark it."""
        return _KINDS[self.name]

    @property
    def is_buffer(self) -> bool:
        """Whether it is contents, which travel only if they are asked for."""
        return self.name in _BUFFERS


@dataclasses.dataclass(frozen=True, slots=True)
class Syscall:
    """A row of the table: one system call."""

    name: str
    numbers: Mapping[str, int]
    result: str
    fd: int
    dirs: tuple[int, ...]
    second: int
    pair: int
    effects: tuple[str, ...]
    when_arg: int
    when_values: tuple[int, ...]
    parts: tuple[Part, ...]

    def parts_sent(self, data_bytes: int) -> tuple[Part, ...]:
        """The parts that its events carry, in their order.

        Args:
            data_bytes: how much of a buffer travels; 0: buffers are no parts.
        """
        return tuple(part for part in self.parts if data_bytes or not part.is_buffer)


def parse_part(text: str) -> Part:
    """Read one word of the column `parts`.

    Example:
        >>> parse_part("bytes3:*a4:32!")
        Part(name='bytes', arg=3, size='*a4', limit=32, on_success=True, decides=False,
            is_portable=False, when=None)
        >>> parse_part("text3@0>>8=2").when
        When(arg=0, shift=8, values=(2,))
    """
    match = _PART.fullmatch(text)
    if match is None or match["name"] not in _KINDS:
        raise ValueError(f"not a part: {text}")
    size = match["size"] or ""
    limit = int(match["limit"] or (size if size.isdigit() else _LIMITS.get(match["name"], 0)))
    return Part(
        name=match["name"],
        arg=int(match["arg"] or 0),
        size="" if size.isdigit() else size,
        limit=limit,
        on_success="!" in match["marks"],
        decides="?" in match["marks"],
        is_portable="~" in match["marks"] or match["name"] != "bytes",
        when=_parse_when(match),
    )


def _parse_when(match: re.Match[str]) -> When | None:
    if match["when_arg"] is None:
        return None
    values: list[int] = []
    for piece in match["values"].split(","):
        first, _, last = piece.partition("-")
        values += range(int(first), int(last or first) + 1)
    if max(values) >= _WHEN_VALUES:
        raise ValueError(f"not a part: {match[0]} (values are below {_WHEN_VALUES})")
    return When(int(match["when_arg"]), int(match["shift"] or 0), tuple(values))


def _parse_row(row: Mapping[str, str]) -> Syscall:
    when_arg, _, values = row["when"].partition("=")
    second = row["second"]
    return Syscall(
        name=row["name"],
        numbers={arch: int(row[arch]) for arch in ("x86_64", "aarch64") if row[arch]},
        result=row["result"],
        fd=int(row["fd"] or -1),
        dirs=tuple(int(arg) for arg in row["dirs"].split(",") if arg),
        second=int(second[1:]) if second.startswith("a") else -1,
        pair=int(second[4:]) if second.startswith("pair") else -1,
        effects=tuple(row["effects"].split()),
        when_arg=int(when_arg or -1),
        when_values=tuple(int(value) for value in values.split(",") if value),
        parts=tuple(parse_part(word) for word in row["parts"].split()),
    )


@functools.cache
def load_syscalls() -> tuple[Syscall, ...]:
    """Read the table."""
    text = (files("falcotrace.record") / "syscalls.tsv").read_text(encoding="utf-8")
    lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return tuple(_parse_row(dict(zip(lines[0], line, strict=True))) for line in lines[1:])


def syscalls_by_number(arch: str) -> dict[int, Syscall]:
    """Return the system calls of an architecture (`x86_64`, `aarch64`) by number."""
    return {call.numbers[arch]: call for call in load_syscalls() if arch in call.numbers}


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """How much of what has no natural limit travels, in bytes; 0 none.

    Args:
        data: of each buffer that is read or written.
        argv: of the arguments of a program that could not be executed.
        env: of its environment.
    """

    data: int = 0
    argv: int = 4096
    env: int = 4096


def build_table(
    arch: str, limits: Limits | None = None, numbers: frozenset[int] | None = None
) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Make the kernel's array of `struct ft_syscall`.

    Args:
        arch: `x86_64` or `aarch64`.
        limits: what travels of buffers, arguments and environments.
        numbers: record only these; None: all.
    """
    if numbers is not None:
        numbers = frozenset(number for number in numbers if number < ROWS)
    return fill_table(syscalls_by_number(arch), limits or Limits(), numbers)


def fill_table(
    calls: Mapping[int, Syscall], limits: Limits, numbers: frozenset[int] | None
) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Make an array of `struct ft_syscall` of calls by number; `numbers`: record only these."""
    table = np.zeros(ROWS, SYSCALL)
    for name in ("fd_arg", "dir_arg", "other_arg", "pair_arg", "when_arg"):
        table[name] = -1
    for number, call in calls.items():
        _fill_row(table[number], call, call.parts_sent(limits.data), limits)
    if numbers is not None:
        is_off = np.ones(ROWS, np.bool_)
        is_off[sorted(numbers)] = False
        table["flags"][is_off] |= _OFF
    return table


def _fill_row(row: np.void, call: Syscall, parts: Sequence[Part], limits: Limits) -> None:
    row["flags"] = _RESULTS[call.result] | sum(_FLAGS[effect] for effect in call.effects)
    row["flags"] |= class_of(call.name) << _CLASS_SHIFT
    row["fd_arg"], row["other_arg"], row["pair_arg"] = call.fd, call.second, call.pair
    row["dir_arg"][: len(call.dirs)] = call.dirs
    row["part_count"] = len(parts)
    row["data_when"] = _data_when(call, parts)
    row["when_arg"], row["when_value"] = call.when_arg, _NO_VALUE
    for value in call.when_values:
        if value < 64:
            row["when_below_64"] |= np.uint64(1 << value)
        else:
            row["when_value"] = value
    for index, part in enumerate(parts):
        flags = _WHEN_SUCCESS if part.on_success else 0
        flags |= _WHEN_ROOM if part.is_buffer else 0
        limit = _limit_of(part, limits)
        when = part.when or When(0, 0, ())
        row["part"][index] = (
            *(part.kind, part.arg, _size_code(part.size), flags, limit),
            *(when.mask, when.arg, when.shift, 0, 0),
        )


def _limit_of(part: Part, limits: Limits) -> int:
    if part.is_buffer:
        return limits.data
    return {"argv": limits.argv, "env": limits.env}.get(part.name, part.limit)


def _data_when(call: Syscall, parts: Sequence[Part]) -> int:
    deciding = [part.arg for part in parts if part.decides]
    if not parts and not call.dirs and call.second < 0 and call.pair < 0:
        return _DATA_ALWAYS if "replaces" in call.effects else _DATA_NEVER
    if deciding and len(deciding) == len(parts):
        return _DATA_ARG + deciding[0]
    return _DATA_ALWAYS


def _size_code(size: str) -> int:
    """Return what `struct ft_part_rule` has as size_from."""
    if not size:
        return 0
    if size == "ret":
        return _SIZE_RESULT
    bases = {"*": _SIZE_POINTED, "m": _SIZE_MESSAGE}
    return bases.get(size[0], _SIZE_ARG) + int(size.lstrip("*ma"))
