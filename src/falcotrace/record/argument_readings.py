"""Where numbers of arguments are read: one function for each verb of `arguments.tsv`.

In: a source, and the events of one call. Out: a number for each event, as the kernel has it, and
which of them there are. What they mean is told elsewhere (`argument_numbers.py`).
"""

import socket
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from falcotrace.record.argument_numbers import creates_file, descriptor_flags
from falcotrace.record.argument_sources import Source
from falcotrace.record.call import CallEvents
from falcotrace.record.layout import PartKind
from falcotrace.record.quotas import quota_numbers

Reading = tuple[np.ndarray, np.ndarray]
"""Numbers, and which of them are there."""

_PR_SET_NAME, _PR_GET_NAME, _PR_GET_CHILD_SUBREAPER = 15, 16, 37
_SETVAL = 16
_NO_OPTION = 0xFFFFFFFF
_LOW_32 = 0xFFFFFFFF


def read_numbers(source: Source, call: CallEvents) -> Reading:
    """The numbers of a parameter.

    Raises:
        ValueError: nothing is read that way; the table is wrong.
    """
    if source.verb not in _READINGS:
        raise ValueError(f"arguments.tsv has no source called {source.verb!r}")
    return _READINGS[source.verb](source, call)


def _all(values: np.ndarray) -> Reading:
    return values, np.ones(len(values), np.bool_)


def _constant(source: Source, call: CallEvents) -> Reading:
    return _all(np.full(call.count, int(source.operands[0]), np.int64))


def _open_mode(source: Source, call: CallEvents) -> Reading:
    mode, flags = (call.arguments(int(place)) for place in source.operands)
    return _all(np.where(creates_file(flags), mode & 0o7777, 0))


def _prctl(source: Source, call: CallEvents) -> Reading:
    option = call.arguments(0)
    read, _ = call.struct_numbers(source.place, 0, 4)
    is_text = np.isin(option, (_PR_SET_NAME, _PR_GET_NAME))
    numbers = np.where(option == _PR_GET_CHILD_SUBREAPER, read, call.arguments(source.place))
    return _all(np.where(is_text, 0, numbers))


def _time(source: Source, call: CallEvents) -> Reading:
    seconds, _ = call.struct_numbers(source.place, 0, 8)
    rest, is_whole = call.struct_numbers(source.place, 8, 8)
    return seconds * np.uint64(1_000_000_000) + rest, is_whole


def _struct(source: Source, call: CallEvents) -> Reading:
    # DIFFERS: for the offsets of copy_file_range Falco shows the addresses at which they stand.
    place, offset, length = (int(operand) for operand in source.operands)
    return call.struct_numbers(place, offset, length)


def _semaphore_operation(source: Source, call: CallEvents) -> Reading:
    number, offset = (int(operand) for operand in source.operands)
    is_told = (call.results == 0) & (call.arguments(2) & _LOW_32 > number)
    values, _ = call.struct_numbers(1, offset, 2)
    return _all(np.where(is_told, values, 0))


def _semaphore_value(source: Source, call: CallEvents) -> Reading:
    is_set = call.arguments(2) & 0xFFFF == _SETVAL
    return _all(np.where(is_set, call.arguments(source.place), 0))


def _socket_option(source: Source, call: CallEvents) -> Reading:
    is_known = call.arguments(1) & _LOW_32 == socket.SOL_SOCKET
    return _all(np.where(is_known, call.arguments(source.place), _NO_OPTION))


def _position(source: Source, call: CallEvents) -> Reading:
    low = call.arguments(source.place)
    if not call.is_compat:
        return _all(low)
    # Two registers; on ARM a pair of them begins with an even one.
    first = source.place if call.arch == "x86_64" else source.place + source.place % 2
    return _all(call.arguments(first) | call.arguments(first + 1) << np.uint64(32))


def _signed_offset(source: Source, call: CallEvents) -> Reading:
    offset = call.arguments(source.place)
    return _all(
        offset.astype(np.uint32).view(np.int32).astype(np.int64) if call.is_compat else offset
    )


def _long_seek(_source: Source, call: CallEvents) -> Reading:
    return _all(call.arguments(1) << np.uint64(32) | call.arguments(2))


def _vectors(kind: PartKind) -> Callable[[Source, CallEvents], Reading]:
    return lambda source, call: call.vector_bytes(kind, source.place)


def _member(source: Source, call: CallEvents) -> Reading:
    return call.part_numbers(source.verb, source.operands[0])


def _backlog_percent(_source: Source, call: CallEvents) -> Reading:
    waiting, valid = call.part_numbers("backlog", "len")
    most, _ = call.part_numbers("backlog", "max")
    return waiting * np.uint64(100) // np.maximum(most, np.uint64(1)), valid


_READINGS: Mapping[str, Callable[[Source, CallEvents], Reading]] = MappingProxyType(
    {
        "ret": lambda _, call: (call.results, call.has_result),
        "moved": lambda _, call: _all(np.maximum(call.results, 0)),
        "a": lambda source, call: _all(call.arguments(source.place)),
        "const": _constant,
        "openmode": _open_mode,
        "sockflags": lambda source, call: _all(descriptor_flags(call.arguments(source.place))),
        "sockname": _socket_option,
        "prctl": _prctl,
        "pos": _position,
        "off": _signed_offset,
        "llseek": _long_seek,
        "timespec": _time,
        "struct": _struct,
        "sem": _semaphore_operation,
        "semval": _semaphore_value,
        "quota": lambda source, call: _all(quota_numbers(source.operands[0], call)),
        "vsize": _vectors(PartKind.VECTOR_SIZE),
        "msize": _vectors(PartKind.MSG_SIZE),
        "usage": _member,
        "backlog": _member,
        "backlogpct": _backlog_percent,
    }
)
