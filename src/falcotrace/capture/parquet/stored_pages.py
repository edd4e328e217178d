"""The pages of a column chunk of which captures are made, and what is in their bodies.

In: bytes that may be anything. Out: pages, levels and places, or an error for whatever this package
    does not write. The counterpart of `chunk.py` and `levels.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from falcotrace.capture.parquet.chunk import DATA_PAGE, DICTIONARY_PAGE, RLE
from falcotrace.capture.parquet.ranks import BitRanks, Ranks, RunRanks
from falcotrace.capture.parquet.thrift_reader import Numbers, ThriftReader

_MOST_BYTES: Final = 1 << 28
"""Of a page; more is left to who reads it in portions."""

_MOST_PAGES: Final = 2
"""A dictionary and all values; this package makes more only of long texts and of lists."""

_MOST_RUN_BYTES: Final = 1 << 16
"""More runs are taken in less time by who does not do it in Python."""

_GOES_ON: Final = 0x80
_MOST_HEAD_BYTES: Final = 5
_ODD_WIDTH: Final = 3  # bytes, which numpy has no numbers of
_PLACES: Final = {1: "<u1", 2: "<u2", _ODD_WIDTH: "<u4", 4: "<u4"}

_HEADS: Final = {DATA_PAGE: 5, DICTIONARY_PAGE: 7}
"""Which field of a page's head says more about it."""


Rows: TypeAlias = npt.NDArray[np.int64]


class UnknownLayoutError(Exception):
    """A chunk is not laid out as this package does it, or is damaged."""


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page as it was before compression.

    Attributes:
        kind: of what it is a page.
        count: its values, nulls among them.
        encoding: of the values.
        body: levels and values.
    """

    kind: int
    count: int
    encoding: int
    body: memoryview


def read_pages(raw: bytes, *, is_compressed: bool) -> list[StoredPage]:
    """The pages of a chunk.

    Raises:
        UnknownLayoutError: there are pages of other kinds, or the bytes are none.
    """
    try:
        return list(_pages(ThriftReader(raw), is_compressed))
    except (IndexError, KeyError, OSError, RecursionError, ValueError) as error:
        raise UnknownLayoutError from error


def _pages(reader: ThriftReader, is_compressed: bool) -> Iterator[StoredPage]:  # noqa: FBT001
    raw = memoryview(reader.raw)
    for _ in range(_MOST_PAGES):
        if reader.place == len(raw):
            return
        head = reader.numbers()
        kind, size, stored_bytes = (_number(head, field) for field in (1, 2, 3))
        body = raw[reader.place : reader.place + stored_bytes]
        reader.place += stored_bytes
        if len(body) != stored_bytes or not 0 <= size <= _MOST_BYTES:
            raise IndexError
        if is_compressed:
            body = memoryview(pa.Codec("zstd").decompress(body, size))
        about = head[_HEADS[kind]]
        if isinstance(about, int) or (kind == DATA_PAGE and about.get(3) != RLE):
            raise ValueError
        yield StoredPage(kind, _number(about, 1), _number(about, 2), body.cast("B"))
    if reader.place != len(raw):
        raise ValueError


def _number(numbers: Numbers, field: int) -> int:
    found = numbers[field]
    if not isinstance(found, int) or found < 0:
        raise ValueError
    return found


def read_levels(page: StoredPage) -> tuple[Ranks | None, memoryview]:
    """Which rows have a value (None: all), and the bytes of the values.

    Raises:
        UnknownLayoutError: the levels are not as they are written here.
    """
    size = int.from_bytes(page.body[:4], "little")
    raw, values = page.body[4 : 4 + size], page.body[4 + size :]
    if len(raw) != size:
        raise UnknownLayoutError
    packed = _packed(raw, (page.count + 7) // 8)
    if packed is not None:
        return BitRanks(packed, page.count), values
    truths, counts = _runs(raw, 1, page.count)
    if int(truths.max(initial=0)) > 1:
        raise UnknownLayoutError
    return None if truths.all() else RunRanks(truths != 0, counts), values


def read_places(raw: memoryview, count: int) -> npt.NDArray[np.unsignedinteger]:
    """Places in a dictionary, one for each value.

    Raises:
        UnknownLayoutError: they do not take whole bytes, or are not as many.
    """
    width = raw[0] // 8 if raw else 0
    kind = _PLACES.get(width)
    if kind is None or raw[0] % 8:
        raise UnknownLayoutError
    packed = _packed(raw[1:], count * width)
    if packed is not None:
        return _widened(packed) if width == _ODD_WIDTH else packed.view(kind)
    places, counts = _runs(raw[1:], width, count)
    return np.repeat(places.astype(kind), counts)


def _widened(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.unsignedinteger]:
    """Numbers of three bytes, in four."""
    wide = np.zeros((len(packed) // _ODD_WIDTH, 4), np.uint8)
    wide[:, :_ODD_WIDTH] = packed.reshape(-1, _ODD_WIDTH)
    found: npt.NDArray[np.unsignedinteger] = wide.view("<u4").reshape(-1)
    return found


def _packed(raw: memoryview, size: int) -> npt.NDArray[np.uint8] | None:
    """The bytes of numbers that are packed, if all of them are."""
    reader = ThriftReader(raw)
    try:
        head = reader.varint()
    except IndexError:
        raise UnknownLayoutError from None
    if not head & 1:
        return None
    found = np.frombuffer(raw[reader.place : reader.place + size], np.uint8)
    if len(found) < size:
        raise UnknownLayoutError
    return found


def _runs(
    raw: memoryview, width: int, count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The numbers of runs, and how often each comes."""
    if not 0 < len(raw) <= _MOST_RUN_BYTES:
        raise UnknownLayoutError
    data = np.frombuffer(raw, np.uint8)
    lasts = _lasts_of_heads(data, width)
    begins = np.concatenate(([0], lasts[:-1] + 1 + width))
    heads = _varints(data, begins, lasts)
    counts = heads >> 1
    if (heads & 1).any() or not counts.all() or int(counts.sum()) != count:
        raise UnknownLayoutError
    numbers = np.zeros(len(lasts), np.int64)
    for step in range(width):
        numbers |= data.take(lasts + 1 + step).astype(np.int64) << 8 * step
    return numbers, counts


def _lasts_of_heads(data: npt.NDArray[np.uint8], width: int) -> Rows:
    """Where the heads of runs end, which are numbers of variable length; `width` bytes follow."""
    is_last = data < _GOES_ON
    low = np.flatnonzero(is_last)
    if width == 1 and len(low) % 2 == 0:
        # Small numbers look like the end of a head themselves: every other one is.
        lasts, numbers = low[::2], low[1::2]
        if len(low) and low[-1] == len(data) - 1 and (numbers == lasts + 1).all():
            return lasts
    # Where a run begins depends on the one before it. So it is found out for every byte where the
    # head that began there would end, and only this is followed step by step.
    end = np.append(low, len(data)).take(np.cumsum(is_last) - is_last).tolist()
    lasts_of_runs = []
    place = 0
    while place < len(data):
        lasts_of_runs.append(end[place])
        place = end[place] + 1 + width
    if place != len(data):
        raise UnknownLayoutError
    return np.array(lasts_of_runs, np.int64)


def _varints(data: npt.NDArray[np.uint8], begins: Rows, lasts: Rows) -> npt.NDArray[np.int64]:
    """Numbers of variable length, given where their first and last bytes are."""
    longest = int((lasts - begins).max())
    if longest >= _MOST_HEAD_BYTES:
        raise UnknownLayoutError
    found = np.zeros(len(begins), np.int64)
    for step in range(longest + 1):
        at = np.minimum(begins + step, lasts)
        part = (data.take(at) & (_GOES_ON - 1)).astype(np.int64) << 7 * step
        found += np.where(begins + step <= lasts, part, 0)
    return found
