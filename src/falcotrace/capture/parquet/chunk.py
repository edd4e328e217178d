"""A column chunk: the pages of one column in one row group, compressed, with what is said of them.

In: the bodies of pages. Out: bytes for the file, and the chunk's metadata once its place is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import pyarrow as pa

from falcotrace.capture.parquet.schema import Leaf
from falcotrace.capture.parquet.thrift import Value, binary, i32, i64, sequence, structure

PLAIN: Final = 0
RLE: Final = 3
DELTA_BINARY_PACKED: Final = 5
RLE_DICTIONARY: Final = 8

ENCODINGS: Final = {
    "PLAIN": PLAIN,
    "RLE": RLE,
    "RLE_DICTIONARY": RLE_DICTIONARY,
}
"""Encodings that Arrow may choose, by its names."""

UNCOMPRESSED: Final = 0
ZSTD: Final = 6

COMPRESSION_LEVEL: Final = 6
"""zstd; level 3 takes a quarter less time for all of writing, and a tenth more room (measured)."""

MEDIUM_COUNT: Final = 1 << 17
"""Column chunks with at most so many values are encoded in each way that there is: beside what a
row group costs anyway the time does not matter, and the room does."""

SMALL_COUNT: Final = 1 << 15
"""The same, compressed as well as can be had for a few tenths of a second."""

DATA_PAGE: Final = 0
DICTIONARY_PAGE: Final = 2

_TINY_BYTES = 64  # what a frame of zstd costs is more than it saves

_MEDIUM_LEVEL, _SMALL_LEVEL = 10, 15


@dataclass(frozen=True, slots=True)
class Page:
    """A page before compression; `count` is that of its values, nulls among them."""

    count: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Statistics:
    """The least and the greatest value of a column without nulls, as Parquet's plain encoding."""

    least: bytes
    greatest: bytes

    def value(self) -> Value:
        """The struct of the chunk's metadata."""
        return structure({3: i64(0), 5: binary(self.greatest), 6: binary(self.least)})


@dataclass(frozen=True, slots=True)
class Chunk:
    """An encoded column chunk.

    Attributes:
        leaf: its column.
        parts: its bytes: page headers and bodies.
        count: values in all of its data pages, nulls among them.
        dictionary_bytes: how many of the bytes are the dictionary page, which comes first.
        plain_bytes: how many it would be without compression.
        encodings: what pages and levels are encoded with.
        codec: what pages are compressed with.
    """

    leaf: Leaf
    parts: Sequence[bytes]
    count: int
    dictionary_bytes: int
    plain_bytes: int
    encodings: Sequence[int]
    codec: int

    @property
    def bytes(self) -> int:
        """Its length in the file."""
        return sum(map(len, self.parts))

    def metadata(self, offset: int, statistics: Statistics | None) -> Value:
        """What the row group says about the chunk, given where it begins in the file."""
        has_dictionary = {11: i64(offset)} if self.dictionary_bytes else {}
        has_statistics = {12: statistics.value()} if statistics else {}
        about = {
            1: i32(self.leaf.physical),
            2: sequence([i32(number) for number in self.encodings]),
            3: _path(self.leaf.parts),
            4: i32(self.codec),
            5: i64(self.count),
            6: i64(self.plain_bytes),
            7: i64(self.bytes),
            9: i64(offset + self.dictionary_bytes),
            **has_dictionary,
            **has_statistics,
        }
        return structure({2: i64(0), 3: structure(about)})


@cache
def _path(parts: tuple[str, ...]) -> Value:
    return sequence([binary(part.encode()) for part in parts])


def plain_chunk(leaf: Leaf, pages: Sequence[Page]) -> Chunk:
    """A chunk whose values are written as they are."""
    return _chunk(leaf, None, pages, PLAIN)


def bare_chunk(leaf: Leaf, page: Page) -> Chunk:
    """A chunk whose values are written as they are, and not compressed."""
    parts = [_data_head(page, len(page.body), PLAIN), page.body]
    return Chunk(
        leaf=leaf,
        parts=parts,
        count=page.count,
        dictionary_bytes=0,
        plain_bytes=sum(map(len, parts)),
        encodings=[PLAIN, RLE],
        codec=UNCOMPRESSED,
    )


def differences_chunk(leaf: Leaf, page: Page) -> Chunk:
    """A chunk of a required column whose values are differences."""
    return _chunk(leaf, None, [page], DELTA_BINARY_PACKED)


def dictionary_chunk(leaf: Leaf, dictionary: Page, pages: Sequence[Page]) -> Chunk:
    """A chunk whose values are places in a dictionary."""
    return _chunk(leaf, dictionary, pages, RLE_DICTIONARY)


def _chunk(leaf: Leaf, dictionary: Page | None, pages: Sequence[Page], encoding: int) -> Chunk:
    all_pages = [dictionary, *pages] if dictionary else pages
    count = sum(page.count for page in pages)
    stored, codec = _compress([page.body for page in all_pages], count)
    heads = [
        _dictionary_head(page, len(body))
        if page is dictionary
        else _data_head(page, len(body), encoding)
        for page, body in zip(all_pages, stored, strict=True)
    ]
    return Chunk(
        leaf=leaf,
        parts=[part for both in zip(heads, stored, strict=True) for part in both],
        count=count,
        dictionary_bytes=len(heads[0]) + len(stored[0]) if dictionary else 0,
        plain_bytes=sum(map(len, heads)) + sum(len(page.body) for page in all_pages),
        encodings=sorted({RLE, encoding} | ({PLAIN} if dictionary else set())),
        codec=codec,
    )


def _compress(bodies: list[bytes], count: int) -> tuple[list[bytes], int]:
    plain_bytes = sum(map(len, bodies))
    if plain_bytes > _TINY_BYTES:
        codec = pa.Codec("zstd", compression_level=_level_for(count))
        smaller = [codec.compress(body, asbytes=True) for body in bodies]
        if sum(map(len, smaller)) < plain_bytes:
            return smaller, ZSTD
    return bodies, UNCOMPRESSED


def _level_for(count: int) -> int:
    if count > MEDIUM_COUNT:
        return COMPRESSION_LEVEL
    return _MEDIUM_LEVEL if count > SMALL_COUNT else _SMALL_LEVEL


def compressed_bytes(raw: bytes) -> int:
    """How long bytes are when they are compressed, more or less."""
    return len(pa.Codec("zstd", compression_level=COMPRESSION_LEVEL).compress(raw))


def _dictionary_head(page: Page, stored_bytes: int) -> bytes:
    about = structure({1: i32(page.count), 2: i32(PLAIN)})
    sizes = {2: i32(len(page.body)), 3: i32(stored_bytes)}
    return structure({1: i32(DICTIONARY_PAGE), **sizes, 7: about}).raw


def _data_head(page: Page, stored_bytes: int, encoding: int) -> bytes:
    about = structure({1: i32(page.count), 2: i32(encoding), 3: i32(RLE), 4: i32(RLE)})
    sizes = {2: i32(len(page.body)), 3: i32(stored_bytes)}
    return structure({1: i32(DATA_PAGE), **sizes, 5: about}).raw
