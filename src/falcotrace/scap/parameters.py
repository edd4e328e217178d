"""Reads parameters of single events, for those few that change state.

In: an `EventBatch`, a code and which event of that code. Out: numbers, texts and bytes. Columns of
all events are made elsewhere, without a loop (`arguments`).
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.events.text import to_text
from falcotrace.scap.argument_values import read_numbers
from falcotrace.scap.batch import EventBatch

Integers = npt.NDArray[np.int64]

_SIGNED = frozenset({"INT8", "INT16", "INT32", "INT64", "ERRNO", "FD", "PID", "FD32", "PID32"})

_WIDTHS = {
    **dict.fromkeys(("INT8", "UINT8", "FLAGS8", "ENUMFLAGS8", "SIGTYPE"), 1),
    **dict.fromkeys(("INT16", "UINT16", "FLAGS16", "ENUMFLAGS16", "SYSCALLID", "PORT"), 2),
    **dict.fromkeys(("INT32", "UINT32", "FLAGS32", "ENUMFLAGS32", "UID", "GID", "MODE"), 4),
    **dict.fromkeys(("INT64", "UINT64", "ERRNO", "FD", "PID", "RELTIME", "ABSTIME"), 8),
}

MOST_TEXTS = 2048
"""Texts of a list; recorders store at most 4 KiB of arguments, environment or control groups."""


@cache
def parameter_index(code: int, name: str) -> int:
    """The place of a parameter among those of an event; raises KeyError."""
    for index, param in enumerate(EVENT_TYPES[code].params):
        if param.name == name:
            return index
    raise KeyError(f"{EVENT_TYPES[code].constant} has no parameter {name!r}")


@cache
def _signed(code: int) -> tuple[bool, ...]:
    return tuple(param.type in _SIGNED for param in EVENT_TYPES[code].params)


class Parameters:
    """The parameters of one event; places are those of the event table."""

    __slots__ = ("_data", "_lengths", "_offsets", "_signed", "code", "row")

    def __init__(self, batch: EventBatch, data: memoryview, code: int, index: int) -> None:
        params = batch.params[code]
        self.code = code
        self.row = int(params.rows[index])
        self._data = data
        self._offsets: list[int] = params.offsets[index].tolist()
        self._lengths: list[int] = params.lengths[index].tolist()
        self._signed = _signed(code)

    def has(self, place: int) -> bool:
        """Whether a parameter has a value."""
        return place < len(self._lengths) and self._lengths[place] > 0

    def raw(self, place: int) -> bytes:
        """The bytes of a parameter."""
        if place >= len(self._lengths):
            return b""
        start = self._offsets[place]
        return bytes(self._data[start : start + self._lengths[place]])

    def number(self, place: int, missing: int = 0) -> int:
        """A number; `missing` without a value."""
        raw = self.raw(place)
        return int.from_bytes(raw, "little", signed=self._signed[place]) if raw else missing

    def text(self, place: int) -> str:
        """A text, up to its first NUL."""
        return to_text(self.raw(place).split(b"\0", 1)[0])

    def texts(self, place: int) -> tuple[str, ...]:
        """A list of texts, each ended by a NUL."""
        return texts_of(self.raw(place))


def texts_of(raw: bytes) -> tuple[str, ...]:
    """Texts that each end with a NUL; the last one may lack it. Those beyond a limit are left out.

    A single empty text counts as none. Source: libs 48dfd53c, userspace/libsinsp/utils.cpp,
    `sinsp_split`.
    """
    items = raw.removesuffix(b"\0")
    return tuple(map(to_text, items.split(b"\0", MOST_TEXTS)[:MOST_TEXTS])) if items else ()


def numbers(batch: EventBatch, code: int, name: str, missing: int = 0) -> Integers:
    """A number parameter of all events of a code; `missing` where there is no value."""
    params = batch.params[code]
    place = parameter_index(code, name)
    kind = EVENT_TYPES[code].params[place].type
    width = _WIDTHS[kind]
    is_there = params.lengths[:, place] == width
    if not is_there.any():
        return np.full(len(params.rows), missing, np.int64)
    starts = np.where(is_there, params.offsets[:, place], 0)
    values = read_numbers(batch.data, starts, width, is_signed=kind in _SIGNED)
    return np.where(is_there, values, missing)
