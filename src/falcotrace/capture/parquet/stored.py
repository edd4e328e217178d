"""A column chunk as it is stored: the values of the rows that have one, and which rows those are.

In: the bytes of a chunk. Out: a column of which single rows can be asked without spreading it over
    all rows. Rules ask most columns about one row in hundreds, and spreading takes several times as
    long as reading (measured: 2 to 6 ms of 780,000 rows, and 0.1 to 2 without it).

Only what this package writes of columns with one value in a row is read: one data page, places of
whole bytes. Whatever else a chunk holds is left to Arrow, which also says what is wrong with a
damaged one.
"""

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from falcotrace.capture.parquet.chunk import (
    DATA_PAGE,
    DICTIONARY_PAGE,
    PLAIN,
    RLE_DICTIONARY,
    Page,
    bare_chunk,
)
from falcotrace.capture.parquet.file import ParquetFile
from falcotrace.capture.parquet.ranks import Ranks
from falcotrace.capture.parquet.schema import leaves
from falcotrace.capture.parquet.stored_pages import (
    UnknownLayoutError,
    read_levels,
    read_pages,
    read_places,
)

_FEW_TEXTS: Final = 100

_TEXTS: Final = pa.schema([pa.field("texts", pa.string(), nullable=False)])
_NUMBERS: Final = {pa.int32(): "<i4", pa.int64(): "<i8", pa.uint64(): "<u8"}


@dataclass(frozen=True, slots=True, eq=False)
class StoredColumn:
    """A column of one row group.

    Attributes:
        row_count: the rows.
        ranks: which of them have a value; None: all.
        values: one for each row that has one: numbers or truths, or Arrow texts, or places in the
            dictionary.
        dictionary: what these are places in, if they are.
    """

    row_count: int
    ranks: Ranks | None
    values: np.ndarray | pa.StringArray
    dictionary: np.ndarray | pa.StringArray | None


def stored_column(
    raw: bytes, kind: pa.DataType, row_count: int, *, is_required: bool, is_compressed: bool
) -> StoredColumn | None:
    """Read a column chunk; None where Arrow has to.

    Args:
        raw: its bytes, from the first page on.
        kind: the type of its values.
        row_count: the rows that it should have.
        is_required: whether each row has a value, so that nothing says which do.
        is_compressed: whether pages are compressed with zstd.
    """
    if kind not in _NUMBERS and kind not in {pa.bool_(), pa.string()}:
        return None
    try:
        *before, data = read_pages(raw, is_compressed=is_compressed)
        if data.kind != DATA_PAGE or data.count != row_count:
            return None
        ranks, body = (None, data.body) if is_required else read_levels(data)
        count = ranks.value_count if ranks else row_count
        match before, data.encoding:
            case [], encoding if encoding == PLAIN:
                return StoredColumn(row_count, ranks, _plain(body, count, kind), None)
            case [dictionary], encoding if encoding == RLE_DICTIONARY:
                if dictionary.kind != DICTIONARY_PAGE:
                    return None
                distinct = _plain(dictionary.body, dictionary.count, kind)
                places = read_places(body, count)
                if count and int(places.max()) >= len(distinct):
                    return None
                return StoredColumn(row_count, ranks, places, distinct)
    except (UnknownLayoutError, OSError, ValueError, pa.ArrowException):
        pass
    return None


def _plain(body: memoryview, count: int, kind: pa.DataType) -> np.ndarray | pa.StringArray:
    """Values in their plain encoding."""
    if kind == pa.string():
        return _texts(body, count)
    if kind == pa.bool_():
        if len(body) * 8 < count:
            raise UnknownLayoutError
        bits = np.unpackbits(np.frombuffer(body, np.uint8), count=count, bitorder="little")
        return bits.view(np.bool_)
    return np.frombuffer(body, _NUMBERS[kind], count)


def _texts(body: memoryview, count: int) -> pa.StringArray:
    """Texts, each behind its length of four bytes."""
    found = _few_texts(body, count) if count <= _FEW_TEXTS else _many_texts(body, count)
    # What is no UTF-8 is a damaged file: texts of programs that are none are spelled in UTF-8.
    found.validate(full=True)
    return found


def _few_texts(body: memoryview, count: int) -> pa.StringArray:
    ends = [0]
    texts = []
    place = 0
    for _ in range(count):
        begin = place + 4
        place = begin + int.from_bytes(body[place:begin], "little")
        texts.append(body[begin:place])
        ends.append(ends[-1] + place - begin)
    if place > len(body):
        raise UnknownLayoutError
    offsets = pa.py_buffer(np.array(ends, np.int32))
    return pa.Array.from_buffers(pa.string(), count, [None, offsets, pa.py_buffer(b"".join(texts))])


def _many_texts(body: memoryview, count: int) -> pa.StringArray:
    """Arrow takes them apart, from a file with nothing else, which costs something to open."""
    (leaf,) = leaves(_TEXTS)
    sink = io.BytesIO()
    file = ParquetFile(sink, _TEXTS, "falcotrace")
    file.write_row_group([bare_chunk(leaf, Page(count, bytes(body)))], count, {})
    file.close({})
    table = pq.ParquetFile(pa.BufferReader(sink.getbuffer()), pre_buffer=False).read(
        use_threads=False
    )
    return table["texts"].combine_chunks()
