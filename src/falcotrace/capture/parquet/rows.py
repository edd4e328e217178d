"""Column chunks of columns that have a value of their own in each row.

In: an Arrow array. Out: its chunk. Texts keep the dictionary that they come with; numbers get one
    if values come again and again.
"""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from falcotrace.capture.distinct import TABLE_LIMIT, distinct
from falcotrace.capture.parquet.chunk import (
    COMPRESSION_LEVEL,
    ENCODINGS,
    UNCOMPRESSED,
    ZSTD,
    Chunk,
    Page,
    dictionary_chunk,
    plain_chunk,
)
from falcotrace.capture.parquet.levels import byte_width, one_run, places
from falcotrace.capture.parquet.schema import Leaf
from falcotrace.capture.parquet.values import (
    Presence,
    Present,
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
_MOST_DISTINCT = 4  # one in so many values of the sample may be a new one


def null_chunk(leaf: Leaf, count: int) -> Chunk:
    """A column without any value."""
    empty = levels(one_run(0, count))
    return plain_chunk(leaf, [Page(count, empty * 2 if leaf.is_list else empty)])


def rows_chunk(leaf: Leaf, array: pa.Array, presence: Presence) -> Chunk:
    """A column of an Arrow type that fits the leaf, or of dictionaries of that.

    Raises:
        ValueError: a required column misses a value.
    """
    array = _sound(array)
    if array.null_count == len(array) and not leaf.is_required:
        return null_chunk(leaf, len(array))
    if leaf.is_list:
        return arrow_chunk(leaf, array)
    present = presence.of(array, is_required=leaf.is_required)
    if pa.types.is_dictionary(array.type):
        return _texts(leaf, array, present)
    if pa.types.is_boolean(array.type):
        truths = bits_of(array.buffers()[1], array.offset, len(array))
        chosen = present.of(np.unpackbits(truths, count=len(array), bitorder="little"))
        return _plain(leaf, present, np.packbits(chosen, bitorder="little").tobytes())
    if pa.types.is_integer(array.type):
        return _numbers(leaf, present.of(numbers(array)), present)
    return _texts(leaf, array, present)


def _sound(array: pa.Array) -> pa.Array:
    """The same array; dictionaries hold neither nulls nor numbers."""
    if not pa.types.is_dictionary(array.type):
        return array.dictionary_encode() if pa.types.is_string(array.type) else array
    kind = array.type.value_type
    if array.dictionary.null_count or not (pa.types.is_string(kind) or pa.types.is_binary(kind)):
        array = array.cast(kind)
        return array.dictionary_encode() if pa.types.is_string(kind) else array
    return array


def _texts(leaf: Leaf, array: pa.Array, present: Present) -> Chunk:
    if not pa.types.is_dictionary(array.type):
        if text_bytes(array) > TEXT_LIMIT_BYTES:
            return arrow_chunk(leaf, array)
        texts = array.drop_null()
        if not _comes_again(texts):
            return _plain(leaf, present, plain(texts))
        coded = texts.dictionary_encode()
        return _coded(leaf, coded.dictionary, numbers(coded.indices), present)
    if text_bytes(array.dictionary) > TEXT_LIMIT_BYTES:
        return arrow_chunk(leaf, array)
    return _coded(leaf, array.dictionary, present.of(numbers(array.indices)), present)


def _numbers(leaf: Leaf, values: np.ndarray, present: Present) -> Chunk:
    array = pa.array(values)
    if not _comes_again(array):
        return _plain(leaf, present, values.tobytes())
    if int(values.max()) - int(values.min()) < TABLE_LIMIT:
        found, codes = distinct(values)
        return _coded(leaf, pa.array(found), codes, present)
    coded = array.dictionary_encode()
    return _coded(leaf, coded.dictionary, numbers(coded.indices), present)


def _comes_again(values: pa.Array) -> bool:
    """Whether values come again so often that places in a dictionary are shorter."""
    sample = values.take(pa.array(np.arange(0, len(values), max(1, len(values) // _SAMPLE))))
    return len(sample.unique()) * _MOST_DISTINCT <= len(sample)


def _plain(leaf: Leaf, present: Present, values: bytes) -> Chunk:
    return plain_chunk(leaf, [Page(present.count, present.levels + values)])


def _coded(leaf: Leaf, dictionary: pa.Array, codes: np.ndarray, present: Present) -> Chunk:
    width = byte_width(len(dictionary))
    codes = codes.astype(np.min_scalar_type(256**width - 1))
    body = b"".join((present.levels, bytes([8 * width]), places(codes, width)))
    pages = [Page(present.count, body)]
    return dictionary_chunk(leaf, Page(len(dictionary), plain(dictionary)), pages)


def arrow_chunk(leaf: Leaf, array: pa.Array, *, as_differences: bool = False) -> Chunk:
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
        use_dictionary=not as_differences,
        column_encoding={"column": "DELTA_BINARY_PACKED"} if as_differences else None,
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
