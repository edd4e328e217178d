"""Arguments of events: from registers, texts and descriptions to the columns `evt.arg.*`.

In: the events of one system call, and the table `arguments.tsv`, which says where each parameter of
    an
event is found. Out: columns. Every step works on all events of the call at once and on distinct
values; nothing loops over events.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as resource_files
from types import MappingProxyType

import numpy as np

from falcotrace.events.columns import COLUMNS, PATHS, is_number_column
from falcotrace.events.derived import OPEN_EVENTS
from falcotrace.events.event_types import EventType, Param
from falcotrace.events.flags import FLAG_TABLES
from falcotrace.events.numbers import condition_text
from falcotrace.events.text import to_text
from falcotrace.record.call import CallEvents
from falcotrace.record.columns import Columns
from falcotrace.record.distinct import distinct
from falcotrace.record.layout import PartKind

_SIGNED_BITS = {"INT8": 8, "INT16": 16, "INT32": 32, "FD": 32, "PID": 32, "ERRNO": 64}
_UNSIGNED_BITS = {
    "UINT8": 8,
    "UINT16": 16,
    "UINT32": 32,
    "UID": 32,
    "GID": 32,
    "MODE": 32,
    "SIGTYPE": 8,
    "FLAGS8": 32,
    "FLAGS16": 32,
    "FLAGS32": 32,
    "ENUMFLAGS8": 32,
    "ENUMFLAGS16": 32,
    "ENUMFLAGS32": 32,
}
_OPEN_FLAGS = FLAG_TABLES["file_flags"]
_ACCESS_MODES = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_RDWR")
_O_CREAT, _O_TMPFILE = 0o100, 0o20200000
_NO_ID = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Source:
    """Where a parameter is found: the verb of `arguments.tsv` and what stands behind it."""

    verb: str
    operands: tuple[str, ...]


@cache
def sources() -> Mapping[str, Mapping[str, Source]]:
    """The sources of each event's parameters, by event and parameter name."""
    text = (resource_files("falcotrace.record") / "arguments.tsv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found: dict[str, dict[str, Source]] = {}
    for line in lines[1:]:
        events, param, source = line.split("\t")
        for event in events.split(","):
            found.setdefault(event, {})[param] = _parse_source(source)
    return MappingProxyType(found)


def _parse_source(text: str) -> Source:
    kind, dot, member = text.partition(".")
    if dot:
        return Source(kind, (member,))
    verb, *operands = text.split(":")
    head = verb.rstrip("0123456789@d")
    if not verb[len(head) :]:
        return Source(head, tuple(operands))
    place, _, slot = verb[len(head) :].partition("@d")
    return Source(head, (place, *([slot] if slot else []), *operands))


def put_arguments(event: EventType, call: CallEvents, columns: Columns) -> None:
    """Fill the argument columns of all events of one call."""
    places = sources().get(event.name, {})
    for param in event.params:
        source = places.get(param.name)
        if source is not None:
            _put(event, param, source, call, columns)


def _put(
    event: EventType, param: Param, source: Source, call: CallEvents, columns: Columns
) -> None:
    match source.verb:
        case "path":
            _put_path(param, source, call, columns)
        case "text":
            codes = call.part_codes(PartKind.STRING, int(source.operands[0]))
            columns.put_codes(f"evt.arg.{param.name}", call.rows, codes)
        case "execname":
            _put_exec_name(param, call, columns)
        case "buf":
            _put_buffer(param, source, call, columns)
        case "addr":
            _put_address(param, source, call, columns)
        case "tuple":
            codes = np.where(call.file_ids > 0, call.file_names, -1)
            columns.put_codes(f"evt.arg.{param.name}", call.rows, codes)
        case "proc":
            _put_process(event, param, source.operands[0], call, columns)
        case "file":
            _put_file(param, source.operands[0], call, columns)
        case _:
            values, valid = _numbers(param, source, call)
            put_numbers(event, param, values, valid, call, columns)


def _numbers(param: Param, source: Source, call: CallEvents) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of a parameter, and which of them there are."""
    everywhere = np.ones(call.count, np.bool_)
    match source.verb:
        case "ret":
            return call.results, everywhere
        case "a":
            return call.arguments(int(source.operands[0])), everywhere
        case "openmode":
            mode, flags = (call.arguments(int(place)) for place in source.operands)
            creates = (flags & _O_CREAT != 0) | (flags & _O_TMPFILE == _O_TMPFILE)
            return np.where(creates, mode & 0o7777, 0), everywhere
        case "struct":
            place, offset, length = (int(operand) for operand in source.operands)
            return call.struct_numbers(place, offset, length)
        case "usage" | "backlog":
            return call.part_numbers(source.verb, source.operands[0])
    raise ValueError(f"arguments.tsv has no source called {source.verb!r} ({param.name})")


def put_numbers(
    event: EventType,
    param: Param,
    values: np.ndarray,
    valid: np.ndarray,
    call: CallEvents,
    columns: Columns,
) -> None:
    """Store numbers as the column wants them: as numbers, or as text with the number beside it."""
    values = _sized(param, values)
    values = _falco_numbers(event, param, values, call)
    plain, raw = f"evt.arg.{param.name}", f"evt.rawarg.{param.name}"
    if is_number_column(param.name):
        columns.put_numbers(plain, call.rows, values, valid)
        return
    if raw in COLUMNS and COLUMNS[raw].type != "string":
        columns.put_numbers(raw, call.rows, values, valid)
    if param.type == "FD":
        _put_descriptors(event, param, values, valid, call, columns)
        return
    found, indices = distinct(values)
    texts = [_text(param, number, call) for number in found.tolist()]
    columns.put_texts(plain, call.rows[valid], texts, indices[valid])


def _text(param: Param, number: int, call: CallEvents) -> str:
    """What conditions see of a number."""
    if param.type == "PID":
        return call.thread_name(number) or str(number)
    if param.type in {"UID", "GID"}:
        return call.account_name(param.type, number)
    return condition_text(param, number)


def _put_descriptors(
    event: EventType,
    param: Param,
    numbers: np.ndarray,
    valid: np.ndarray,
    call: CallEvents,
    columns: Columns,
) -> None:
    """Descriptors show the file behind them where the sample tells it, else their number."""
    files = call.file_texts(np.where(numbers >= 0, _files_of(event, param, call), 0))
    found, indices = distinct(numbers)
    texts = call.codes([condition_text(param, number) for number in found.tolist()])[indices]
    codes = np.where(files >= 0, files, texts)
    columns.put_codes(f"evt.arg.{param.name}", call.rows[valid], codes[valid])


def _files_of(event: EventType, param: Param, call: CallEvents) -> np.ndarray:
    """The open file behind a descriptor argument; 0 where the sample does not tell it."""
    slot = directory_slot(event, param)
    if slot is not None:
        return call.directory_ids(slot)
    if param.name == "fd2":
        return call.other_file_ids
    if param.name in _OWN_DESCRIPTORS or param is own_descriptor(event):
        return call.file_ids
    return np.zeros(call.count, np.int64)


_OWN_DESCRIPTORS = frozenset({"fd1", "res", "oldfd", "newfd"})


@cache
def directory_slot(event: EventType, param: Param) -> int | None:
    """Which directory of a sample a descriptor argument is; None for other descriptors."""
    index = event.params.index(param)
    for path in event.params:
        source = sources().get(event.name, {}).get(path.name)
        if path.directory_index == index and source and len(source.operands) > 1:
            return int(source.operands[1])
    return None


@cache
def own_descriptor(event: EventType) -> Param | None:
    """The argument that is the event's own descriptor (`fd.num`)."""
    places = sources().get(event.name, {})
    for param in event.params:
        if param.type == "FD" and param.name in places and param.name != "res":
            return param
    return None


def _put_process(
    event: EventType, param: Param, what: str, call: CallEvents, columns: Columns
) -> None:
    """An argument that repeats what is known of the process."""
    values, indices = call.process_values(what)
    example = next((value for value in values if value is not None), None)
    if isinstance(example, str):
        columns.put_texts(f"evt.arg.{param.name}", call.rows, values, indices)  # type: ignore[arg-type]
    elif isinstance(example, bytes):
        columns.put_bytes(f"evt.arg.{param.name}", call.rows, values, indices)  # type: ignore[arg-type]
    elif example is not None:
        numbers = np.array([value or 0 for value in values], np.uint64)
        known = np.array([value is not None for value in values], np.bool_)
        put_numbers(event, param, numbers[indices], known[indices], call, columns)


def _sized(param: Param, values: np.ndarray) -> np.ndarray:
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


def _falco_numbers(
    event: EventType, param: Param, values: np.ndarray, call: CallEvents
) -> np.ndarray:
    """Falco's numbers for the kernel's flags and commands."""
    table = FLAG_TABLES.get(param.extra)
    if table is None or param.type == "MODE":
        return values
    found, indices = distinct(values)
    if table is _OPEN_FLAGS:
        falco = np.array([open_flags(int(v)) for v in found.tolist()], np.int64)[indices]
        return falco | _open_result_bits(call) if event.name in OPEN_EVENTS else falco
    if event.name in {"execve", "execveat"}:
        return values
    translate = table.enum_from_linux if param.type.startswith("ENUM") else table.flags_from_linux
    return np.array([translate(int(v)) for v in found.tolist()], np.int64)[indices]


def open_flags(native: int) -> int:
    """Falco's open flags for the kernel's (libs 48dfd53c, driver/ppm_flag_helpers.h).

    Example:
        >>> open_flags(0o100 | 0o2)  # O_CREAT | O_RDWR
        7
    """
    access = _OPEN_FLAGS.value_of(_ACCESS_MODES[native & 3])
    flags = _OPEN_FLAGS.flags_from_linux(native) | access
    if native & _O_TMPFILE == _O_TMPFILE:
        flags &= ~_OPEN_FLAGS.value_of("O_DIRECTORY")
    return flags


def _open_result_bits(call: CallEvents) -> np.ndarray:
    """What the kernel adds to an open's flags: created, and the overlay layer of the file."""
    created, upper, lower = call.file_flags("was_created", "is_upper_layer", "is_lower_layer")
    bit = _OPEN_FLAGS.value_of
    bits = created * bit("O_F_CREATED") | upper * bit("FD_UPPER_LAYER")
    return np.where(call.results >= 0, bits | lower * bit("FD_LOWER_LAYER"), 0)


def _put_path(param: Param, source: Source, call: CallEvents, columns: Columns) -> None:
    """A path: absolute under evt.arg, as given under evt.rawarg where that differs."""
    place = int(source.operands[0])
    slot = int(source.operands[1]) if len(source.operands) > 1 else None
    given = call.part_codes(PartKind.STRING, place)
    absolute = call.absolute_paths(given, slot)
    columns.put_codes(f"evt.arg.{param.name}", call.rows, absolute)
    if param.type in PATHS:
        columns.put_codes(
            f"evt.rawarg.{param.name}", call.rows, np.where(given != absolute, given, -1)
        )


def _put_exec_name(param: Param, call: CallEvents, columns: Columns) -> None:
    given = call.exec_filenames()
    columns.put_codes(f"evt.arg.{param.name}", call.rows, call.absolute_paths(given, None))


def _put_buffer(param: Param, source: Source, call: CallEvents, columns: Columns) -> None:
    rows, distinct, indices = call.part_bytes(PartKind.BYTES, int(source.operands[0]))
    if len(rows):
        path = "evt.buffer" if param.name == "data" else f"evt.arg.{param.name}"
        columns.put_bytes(path, rows, distinct, indices)


def _put_address(param: Param, source: Source, call: CallEvents, columns: Columns) -> None:
    rows, distinct, indices = call.part_bytes(PartKind.SOCKADDR, int(source.operands[0]))
    texts = [address_text(raw) for raw in distinct]
    columns.put_texts(f"evt.arg.{param.name}", rows, texts, indices)


def address_text(raw: bytes) -> str:
    """A socket address as Falco prints it: `ip:port`, a path, or `family N`."""
    if len(raw) < 2:
        return "NULL"
    family = int.from_bytes(raw[:2], "little")
    if family == socket.AF_INET and len(raw) >= 8:
        return f"{socket.inet_ntop(family, raw[4:8])}:{int.from_bytes(raw[2:4], 'big')}"
    if family == socket.AF_INET6 and len(raw) >= 24:
        return f"{socket.inet_ntop(family, raw[8:24])}:{int.from_bytes(raw[2:4], 'big')}"
    if family == socket.AF_UNIX:
        path = raw[2:]
        if path.startswith(b"\0"):
            return to_text(b"@" + path[1:].split(b"\0", 1)[0])
        return to_text(path.split(b"\0", 1)[0])
    return f"family {family}"


def _put_file(param: Param, what: str, call: CallEvents, columns: Columns) -> None:
    if what == "path":
        columns.put_codes(f"evt.arg.{param.name}", call.rows, call.file_names)
        return
    values, valid = call.file_numbers(what)
    if is_number_column(param.name):
        columns.put_numbers(f"evt.arg.{param.name}", call.rows, values, valid)
        return
    raw = f"evt.rawarg.{param.name}"
    if raw in COLUMNS:
        columns.put_numbers(raw, call.rows, values, valid)
    found, indices = distinct(values)
    texts = [condition_text(param, int(number)) for number in found.tolist()]
    columns.put_texts(f"evt.arg.{param.name}", call.rows[valid], texts, indices[valid])
