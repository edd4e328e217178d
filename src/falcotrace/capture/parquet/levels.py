"""Parquet's hybrid of runs and packed bits: for levels, and for places in a dictionary.

In: numpy arrays of small numbers, as runs or one for each row. Out: bytes. Packed places in a
    dictionary take whole bytes: zstd finds repetitions in bytes, and not in numbers of 15 bits that
    begin in the middle of one (measured: half the size), and nothing has to be shifted.

The format is described in Apache Parquet, Encodings.md, "Run Length Encoding / Bit-Packing Hybrid".
"""

from typing import Final

import numpy as np

from falcotrace.capture.parquet.thrift import varint

_GROUP: Final = 8  # packed numbers come in groups of eight


def byte_width(count: int) -> int:
    """Bytes that hold the numbers below `count`."""
    return max(1, ((count - 1).bit_length() + 7) // 8)


def one_run(value: int, count: int) -> bytes:
    """The same number, `count` times, in one byte."""
    return varint(count << 1) + bytes([value])


def run_begins(values: np.ndarray) -> np.ndarray:
    """Where runs of equal values begin."""
    return np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))


def run_lengths(values: np.ndarray, counts: np.ndarray, width: int) -> bytes:
    """Numbers of `width` bytes, each so many times; neighbours that are equal become one run."""
    if not len(values):
        return b""
    begins = run_begins(values)
    lengths = np.add.reduceat(counts.astype(np.int64), begins)
    return interleave(
        lengths << 1, np.full(len(begins), width), np.frombuffer(cut(values[begins], width), "u1")
    )


def packed_bytes(raw: bytes, width: int) -> bytes:
    """Numbers of `width` bytes that lie one after the other."""
    count = len(raw) // width
    if not count:
        return b""
    return b"".join((packed_head(count), raw, bytes(-count % _GROUP * width)))


def packed_head(count: int) -> bytes:
    """What stands before `count` packed numbers, which are filled up to a multiple of eight."""
    return varint((count + _GROUP - 1) // _GROUP << 1 | 1)


def places(values: np.ndarray, width: int) -> bytes:
    """Numbers of `width` bytes, as runs where there are few of those and packed otherwise."""
    if not len(values):
        return b""
    begins = run_begins(values)
    # A run takes its number and one to four bytes for its length.
    if len(begins) * (width + 2) < len(values) * width // 2:
        return run_lengths(values[begins], np.diff(begins, append=len(values)), width)
    return packed_bytes(cut(values, width), width)


def truths_as_runs(values: np.ndarray, begins: np.ndarray) -> bytes:
    """Truths, as lengths of the runs that begin there."""
    return run_lengths(values[begins], np.diff(begins, append=len(values)), 1)


def truths_as_bits(values: np.ndarray) -> bytes:
    """Truths, a bit for each."""
    return packed_head(len(values)) + np.packbits(values, bitorder="little").tobytes()


def cut(values: np.ndarray, width: int) -> bytes:
    """Numbers of `width` bytes, lowest byte first."""
    if width == 1:
        return values.astype("u1").tobytes()
    if width == 2:
        return values.astype("<u2").tobytes()
    whole = values.astype("<u4")
    return whole.view("u1").reshape(-1, 4)[:, :width].tobytes()


def interleave(heads: np.ndarray, sizes: np.ndarray, body: np.ndarray) -> bytes:
    """Put each head, as a number of variable length, before its part of `body`."""
    heads = heads.astype(np.uint64)
    greatest = int(heads.max())
    lengths = np.ones(len(heads), np.int64)
    for shift in range(7, max(8, greatest.bit_length()), 7):
        lengths += heads >= np.uint64(1 << shift)
    ends = np.cumsum(lengths + sizes)
    begins = ends - lengths - sizes
    out = np.empty(int(ends[-1]), np.uint8)
    is_body = np.ones(len(out), np.bool_)
    for step in range(int(lengths.max())):
        has = np.flatnonzero(lengths > step)
        goes_on = (lengths[has] > step + 1).astype(np.uint8)
        at = begins[has] + step
        low = (heads[has] >> np.uint64(7 * step)).astype(np.uint8)
        out[at] = low & 0x7F | goes_on << 7
        is_body[at] = False
    out[is_body] = body
    return out.tobytes()
