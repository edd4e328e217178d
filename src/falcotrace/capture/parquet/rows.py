"""Column chunks of columns that have a value of their own in each row.

In: an Arrow array. Out: its chunk. Texts keep the dictionary that they come with; numbers get one
    if values come again and again.
"""

from operator import attrgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from falcotrace.capture.distinct import TABLE_LIMIT, distinct
from falcotrace.capture.parquet.chunk import (
    COMPRESSION_LEVEL,
    ENCODINGS,
    MEDIUM_COUNT,
    UNCOMPRESSED,
    ZSTD,
    Chunk,
    Page,
    dictionary_chunk,
    differences_chunk,
    plain_chunk,
)
from falcotrace.capture.parquet.differences import differences
from falcotrace.capture.parquet.levels import byte_width, one_run, places, run_begins
from falcotrace.capture.parquet.schema import Leaf
from falcotrace.capture.parquet.values import (
    Presence,
    Present,
    Sparse,
    bits_of,
    levels,
    numbers,
    plain,
    text_bytes,
)

TEXT_LIMIT_BYTES = 64 << 20
"""Texts of a column that are longer together are left to Arrow, which makes more and smaller pages
of them."""

_SAMPLE = 1024
_LONG_RUNS = 8  # rows; distinct values are looked for among runs that are as long on average
_MOST_DISTINCT = 4  # at most one in so many values is distinct where there is a dictionary


def null_chunk(leaf: Leaf, count: int) -> Chunk:
    """A column without any value."""
    empty = levels(one_run(0, count))
    return plain_chunk(leaf, [Page(count, empty * 2 if leaf.is_list else empty)])


def rows_chunk(leaf: Leaf, column: pa.Array | Sparse, presence: Presence) -> Chunk:
    """A column of an Arrow type that fits the leaf, or of dictionaries of that.

    Raises:
        ValueError: the column is too short or too long, or misses a value that is required.
    """
    values = _sound(column.values if isinstance(column, Sparse) else column)
    column = Sparse(column.places, values) if isinstance(column, Sparse) else values
    if values.null_count == len(values) and not leaf.is_required:
        return null_chunk(leaf, presence.count)
    if leaf.is_list or has_long_texts(values):
        return arrow_chunk(leaf, presence.dense(column))
    present = presence.of(column, is_required=leaf.is_required)
    if pa.types.is_dictionary(values.type):
        return _coded(leaf, values.dictionary, present.of(numbers(values.indices)), present)
    if pa.types.is_boolean(values.type):
        truths = bits_of(values.buffers()[1], values.offset, len(values))
        chosen = present.of(np.unpackbits(truths, count=len(values), bitorder="little"))
        body = present.levels + np.packbits(chosen, bitorder="little").tobytes()
        return plain_chunk(leaf, [Page(present.count, body)])
    if pa.types.is_integer(values.type):
        return _numbers(leaf, present.of(numbers(values)), present)
    return _texts(leaf, present.of_arrow(values), present)


def rising_chunk(leaf: Leaf, numbers_of_rows: pa.Array, presence: Presence) -> Chunk:
    """A required column of numbers that mostly rise from row to row."""
    values = presence.of(numbers_of_rows, is_required=True).of(numbers(numbers_of_rows))
    return differences_chunk(leaf, Page(len(values), differences(values)))


def _sound(array: pa.Array) -> pa.Array:
    """The same texts as a dictionary that holds no nulls; arrays of other types as they are."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        if _is_text(kind) and not array.dictionary.null_count:
            return array
        array = array.cast(kind)
    return array.dictionary_encode() if pa.types.is_string(kind) else array


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def has_long_texts(array: pa.Array) -> bool:
    """Whether the texts of an array are more than is put into one page."""
    texts = array.dictionary if pa.types.is_dictionary(array.type) else array
    return _is_text(texts.type) and text_bytes(texts) > TEXT_LIMIT_BYTES


def _texts(leaf: Leaf, texts: pa.Array, present: Present) -> Chunk:
    sample = texts.take(pa.array(np.arange(0, len(texts), max(1, len(texts) // _SAMPLE))))
    if len(sample.unique()) * _MOST_DISTINCT > len(sample) and present.count > MEDIUM_COUNT:
        return _plain(leaf, present, texts)
    coded = texts.dictionary_encode()
    return _coded(leaf, coded.dictionary, numbers(coded.indices), present)


def _numbers(leaf: Leaf, values: np.ndarray, present: Present) -> Chunk:
    begins = run_begins(values)
    if len(begins) * _LONG_RUNS > len(values):
        return _coded(leaf, *_distinct(values), present)
    dictionary, codes = _distinct(values[begins])
    counts = np.diff(begins, append=len(values))
    return _coded(leaf, dictionary, np.repeat(codes.astype(np.uint32), counts), present)


def _distinct(values: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    if int(values.max()) - int(values.min()) < TABLE_LIMIT:
        found, codes = distinct(values)
        return pa.array(found), codes
    coded = pa.array(values).dictionary_encode()
    return coded.dictionary, numbers(coded.indices)


def _coded(leaf: Leaf, dictionary: pa.Array, codes: np.ndarray, present: Present) -> Chunk:
    if len(dictionary) > len(codes):
        used, codes = distinct(codes)
        dictionary = dictionary.take(pa.array(used))
    # With many distinct values a dictionary and places in it are longer than the values.
    is_medium = present.count <= MEDIUM_COUNT
    is_various = len(dictionary) * _MOST_DISTINCT > len(codes)
    ways = []
    if (is_medium or is_various) and _plain_bytes(dictionary, codes) <= TEXT_LIMIT_BYTES:
        ways.append(_plain(leaf, present, dictionary.take(pa.array(codes))))
    if is_medium or not ways:
        ways.append(_with_dictionary(leaf, dictionary, codes, present))
    return min(ways, key=attrgetter("bytes"))


def _plain_bytes(dictionary: pa.Array, codes: np.ndarray) -> int:
    """What the values take without a dictionary: a long text may stand in every row."""
    if not _is_text(dictionary.type):
        return len(codes) * 8
    return int(pc.binary_length(dictionary).to_numpy()[codes].sum(dtype=np.int64))


def _with_dictionary(
    leaf: Leaf, dictionary: pa.Array, codes: np.ndarray, present: Present
) -> Chunk:
    width = byte_width(len(dictionary))
    codes = codes.astype(np.min_scalar_type(256**width - 1))
    body = b"".join((present.levels, bytes([8 * width]), places(codes, width)))
    pages = [Page(present.count, body)]
    return dictionary_chunk(leaf, Page(len(dictionary), plain(dictionary)), pages)


def _plain(leaf: Leaf, present: Present, values: pa.Array) -> Chunk:
    return plain_chunk(leaf, [Page(present.count, present.levels + plain(values))])


def arrow_chunk(leaf: Leaf, array: pa.Array) -> Chunk:
    """A column encoded by Arrow: its chunk of a file with this column alone, as it is.

    Structs that are never null leave no trace in the chunks of what is in them.
    """
    schema = pa.schema([pa.field("column", array.type, nullable=not leaf.is_required)])
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=COMPRESSION_LEVEL,
        store_schema=False,
        write_statistics=False,
        max_rows_per_page=max(1, len(array)),
    ) as writer:
        writer.write_table(pa.Table.from_arrays([array], schema=schema), row_group_size=len(array))
    file = sink.getvalue()
    about = pq.read_metadata(pa.BufferReader(file)).row_group(0).column(0)
    begin = about.data_page_offset
    if about.has_dictionary_page:
        begin = about.dictionary_page_offset
    return Chunk(
        leaf=leaf,
        parts=[file[begin : begin + about.total_compressed_size].to_pybytes()],
        count=about.num_values,
        dictionary_bytes=about.data_page_offset - begin,
        plain_bytes=about.total_uncompressed_size,
        encodings=sorted({ENCODINGS[name] for name in about.encodings}),
        codec=UNCOMPRESSED if about.compression == "UNCOMPRESSED" else ZSTD,
    )
