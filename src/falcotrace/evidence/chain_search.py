"""Finds the hash chain in a file, also where what says its place was changed.

In: an open file. Out: the block's place and content. Its own marks are asked at both ends, so one
that was changed still leaves the other; what is found that way need not be whole.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from falcotrace.capture.chain import (
    BEGIN_BYTES,
    BEGIN_MARK,
    END_BYTES,
    END_MARK,
    Chain,
    block_bytes,
    decode_chain,
    link_count_of,
    size_of_block,
)
from falcotrace.capture.parquet.file import MAGIC

SEARCH_BYTES: Final = 256 << 20
"""How far from a file's end marks are looked for: footers of 6,000 row groups are shorter."""

_WINDOW_BYTES: Final = 4 << 20
_MOST_TRIES: Final = 64
_FOOTER_END_BYTES: Final = 4 + len(MAGIC)


@dataclass(frozen=True, slots=True)
class FoundChain:
    """A chain and where it stands.

    Attributes:
        begin: its first byte in the file.
        end: the first byte behind it.
        raw: its bytes.
        chain: what they say.
    """

    begin: int
    end: int
    raw: bytes
    chain: Chain


def expected_chain(file: int) -> FoundChain | None:
    """The chain right before the footer, where the file's end says that the footer begins.

    Raises:
        OSError: the file cannot be read.
    """
    size = os.fstat(file).st_size
    last = os.pread(file, _FOOTER_END_BYTES, max(0, size - _FOOTER_END_BYTES))
    if len(last) < _FOOTER_END_BYTES or not last.endswith(MAGIC):
        return None
    return _ending_at(file, size - _FOOTER_END_BYTES - int.from_bytes(last[:4], "little"))


def searched_chain(file: int) -> FoundChain | None:
    """The last chain that there is near the end of a file, one that is whole before others.

    Raises:
        OSError: the file cannot be read.
    """
    first = None
    for tries, found in enumerate(_candidates(file)):
        if found.chain.is_whole:
            return found
        first = first or found
        if tries >= _MOST_TRIES:
            break
    return first


def _candidates(file: int) -> Iterator[FoundChain]:
    for place in _places(file, END_MARK):
        if found := _ending_at(file, place + len(END_MARK)):
            yield found
    for place in _places(file, BEGIN_MARK):
        if found := _beginning_at(file, place):
            yield found


def _places(file: int, mark: bytes) -> Iterator[int]:
    """Where a mark stands, from the end of the file on."""
    size = os.fstat(file).st_size
    end, least = size, max(0, size - SEARCH_BYTES)
    tries = 0
    while end > least and tries < _MOST_TRIES:
        begin = max(least, end - _WINDOW_BYTES)
        window = os.pread(file, end - begin + len(mark) - 1, begin)
        place = window.rfind(mark)
        while place >= 0 and tries < _MOST_TRIES:
            tries += 1
            yield begin + place
            # It may overlap with what is read next, where it begins before this window.
            place = window.rfind(mark, 0, place + len(mark) - 1)
        end = begin


def _ending_at(file: int, end: int) -> FoundChain | None:
    if end < END_BYTES:
        return None
    size = size_of_block(os.pread(file, END_BYTES, end - END_BYTES))
    return _read(file, end - size, end) if size is not None else None


def _beginning_at(file: int, begin: int) -> FoundChain | None:
    count = link_count_of(os.pread(file, BEGIN_BYTES, begin))
    return _read(file, begin, begin + block_bytes(count)) if count is not None else None


def _read(file: int, begin: int, end: int) -> FoundChain | None:
    if begin < len(MAGIC) or end > os.fstat(file).st_size:
        return None
    raw = os.pread(file, end - begin, begin)
    if len(raw) != end - begin:
        return None
    return FoundChain(begin, end, raw, decode_chain(raw))
