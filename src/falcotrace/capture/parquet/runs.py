"""Column chunks of columns that stay the same for many rows: those of processes.

In: a value for each state of a process, and how many rows it stands for. Out: chunks. Nothing here
    takes a step for each row; of lists, each row's elements are written, as Parquet wants it.
"""

from collections.abc import Iterator
from operator import mul

import numpy as np
import pyarrow as pa

from falcotrace.capture.parquet.chunk import Chunk, Page, dictionary_chunk, plain_chunk
from falcotrace.capture.parquet.levels import (
    byte_width,
    cut,
    one_run,
    packed_bytes,
    packed_head,
    run_lengths,
)
from falcotrace.capture.parquet.rows import arrow_chunk, null_chunk
from falcotrace.capture.parquet.schema import Leaf
from falcotrace.capture.parquet.values import levels, numbers, plain

PAGE_ENTRIES = 1 << 21
"""Elements of lists in one page; environments alone have tens of them in each row."""

_NO_LIST, _EMPTY_LIST, _ELEMENT = 0, 1, 3


def runs_chunk(leaf: Leaf, values: pa.Array, counts: np.ndarray) -> Chunk:
    """A column with one value in a row.

    Args:
        leaf: the column.
        values: one for each run.
        counts: the rows of each run, none of them 0.
    """
    total = int(counts.sum())
    if values.null_count == len(values):
        return null_chunk(leaf, total)
    head = b""
    if values.null_count:
        has_value = values.is_valid().to_numpy(zero_copy_only=False)
        head = levels(run_lengths(has_value, counts, 1))
        values, counts = values.drop_null(), counts[has_value]
    elif not leaf.is_required:
        head = levels(one_run(1, total))
    if pa.types.is_boolean(values.type):
        truths = np.repeat(values.to_numpy(zero_copy_only=False), counts)
        body = head + np.packbits(truths, bitorder="little").tobytes()
        return plain_chunk(leaf, [Page(total, body)])
    coded = values.dictionary_encode()
    width = byte_width(len(coded.dictionary))
    body = b"".join((head, bytes([8 * width]), run_lengths(numbers(coded.indices), counts, width)))
    return dictionary_chunk(leaf, _dictionary(coded), [Page(total, body)])


def lists_chunk(leaf: Leaf, lists: pa.ListArray, counts: np.ndarray) -> Chunk:
    """A column with a list in a row.

    Args:
        leaf: the column.
        lists: one for each run.
        counts: the rows of each run, none of them 0.
    """
    if lists.null_count == len(lists):
        return null_chunk(leaf, int(counts.sum()))
    if lists.values.null_count:
        return arrow_chunk(leaf, lists.take(pa.array(np.repeat(np.arange(len(lists)), counts))))
    is_list = lists.is_valid().to_numpy(zero_copy_only=False)
    ends = lists.offsets.to_numpy()
    sizes = np.where(is_list, np.diff(ends), 0).astype(np.int64)
    kinds = np.where(is_list, np.where(sizes > 0, _ELEMENT, _EMPTY_LIST), _NO_LIST)
    coded = lists.values.dictionary_encode()
    # Without any element there is no dictionary either.
    width = byte_width(len(coded.dictionary)) if len(coded.dictionary) else 0
    raw = cut(numbers(coded.indices), width)
    elements = [
        raw[begin * width : (begin + size) * width]
        for begin, size in zip(ends[:-1].tolist(), sizes.tolist(), strict=True)
    ]
    pages = [
        _page(kinds[runs], sizes[runs], elements[runs], rows, width)
        for runs, rows in _split(np.maximum(sizes, 1), counts)
    ]
    if not width:
        return plain_chunk(leaf, pages)
    return dictionary_chunk(leaf, _dictionary(coded), pages)


def _dictionary(coded: pa.DictionaryArray) -> Page:
    return Page(len(coded.dictionary), plain(coded.dictionary))


def _split(entries: np.ndarray, counts: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Cut runs into pages: which runs are in each, and how many rows of each of those."""
    last_rows = np.cumsum(counts)
    first_rows = last_rows - counts
    last_entries = np.cumsum(entries * counts)
    cuts = np.arange(PAGE_ENTRIES, last_entries[-1], PAGE_ENTRIES)
    runs = np.searchsorted(last_entries, cuts, side="right")
    before = last_entries[runs] - entries[runs] * counts[runs]
    rows = first_rows[runs] + (cuts - before) // entries[runs]
    edges = np.unique(np.concatenate(([0], rows, last_rows[-1:])))
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        first = int(np.searchsorted(last_rows, begin, side="right"))
        last = int(np.searchsorted(first_rows, end, side="left"))
        chosen = slice(first, last)
        within = np.minimum(last_rows[chosen], end) - np.maximum(first_rows[chosen], begin)
        yield chosen, within


def _page(
    kinds: np.ndarray, sizes: np.ndarray, elements: list[bytes], counts: np.ndarray, width: int
) -> Page:
    entries = np.maximum(sizes, 1)
    total = int((entries * counts).sum())
    body = [
        levels(_begins_of_rows(entries, counts, total)),
        levels(run_lengths(kinds, entries * counts, 1)),
    ]
    if width:
        codes = b"".join(map(mul, elements, counts.tolist()))
        body += [bytes([8 * width]), packed_bytes(codes, width)]
    return Page(total, b"".join(body))


def _begins_of_rows(entries: np.ndarray, counts: np.ndarray, total: int) -> bytes:
    """Levels of repetition: 0 where a row begins, 1 elsewhere."""
    if int(entries.max()) == 1:
        return one_run(0, total)
    begins = np.cumsum(np.repeat(entries, counts))[:-1]
    repeats = np.ones(total, np.bool_)
    repeats[0] = False
    repeats[begins] = False
    return packed_head(total) + np.packbits(repeats, bitorder="little").tobytes()
