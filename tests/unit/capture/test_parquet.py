"""Column chunks that are encoded here are what Arrow, DuckDB and polars read from any file."""

import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falcotrace.capture.encoding import event_chunk
from falcotrace.capture.parquet import rows, runs
from falcotrace.capture.parquet import values as parquet_values
from falcotrace.capture.parquet.chunk import Chunk
from falcotrace.capture.parquet.differences import bit_widths
from falcotrace.capture.parquet.file import ParquetFile
from falcotrace.capture.parquet.rows import null_chunk, rising_chunk, rows_chunk
from falcotrace.capture.parquet.runs import lists_chunk, runs_chunk
from falcotrace.capture.parquet.schema import Leaf, leaves
from falcotrace.capture.parquet.stored import StoredColumn, stored_column
from falcotrace.capture.parquet.values import Presence, Sparse, Stepwise
from falcotrace.capture.schema import capture_schema

TEXTS = pa.list_(pa.field("element", pa.string()))
NUMBERS = pa.list_(pa.field("element", pa.int64()))

VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): st.text(max_size=9),
    pa.binary(): st.binary(max_size=9),
    pa.int64(): st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
    pa.uint64(): st.integers(0, 2**64 - 1) | st.integers(0, 3),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.bool_(): st.booleans(),
}
LISTS: dict[pa.DataType, st.SearchStrategy[Any]] = {
    TEXTS: st.lists(st.text(max_size=5), max_size=4),
    NUMBERS: st.lists(st.integers(-3, 2**40), max_size=4),
}


def file_of(
    kind: pa.DataType, count: int, make: Callable[[Leaf], Chunk], *, nullable: bool = True
) -> bytes:
    """A file with one column, which stands in a struct as in captures."""
    inner = pa.field("leaf", kind, nullable=nullable)
    schema = pa.schema([pa.field("fields", pa.struct([inner]), nullable=False)])
    [leaf] = leaves(schema)
    sink = io.BytesIO()
    file = ParquetFile(sink, schema, "test version 1")
    file.write_row_group([make(leaf)], count, {})
    file.close({})
    return sink.getvalue()


def rows_file(kind: pa.DataType, column: pa.Array | Sparse, presence: Presence) -> bytes:
    """A file with a column that has a value of its own in each row."""
    return file_of(kind, presence.count, lambda leaf: rows_chunk(leaf, column, presence))


def by_arrow(raw: bytes) -> list[Any]:
    """The column, as Arrow reads it."""
    column = pq.ParquetFile(io.BytesIO(raw)).read()["fields"]
    assert isinstance(column, pa.ChunkedArray)
    return [row["leaf"] for row in column.to_pylist()]


def by_polars(raw: bytes) -> list[Any]:
    """The column, as polars reads it."""
    return pl.read_parquet(io.BytesIO(raw))["fields"].struct.field("leaf").to_list()


def by_duckdb(raw: bytes, path: Path) -> list[Any]:
    """The column, as DuckDB reads it."""
    path.write_bytes(raw)
    return [
        row[0] for row in duckdb.connect().execute(f"SELECT fields.leaf FROM '{path}'").fetchall()
    ]


def by_stored(raw: bytes) -> list[Any] | None:
    """The column, as rules read it row by row; None where that is left to Arrow."""
    file = pq.ParquetFile(io.BytesIO(raw))
    about = file.metadata.row_group(0).column(0)
    leaf = file.schema_arrow.field("fields").type.field(0)
    begin = about.data_page_offset
    if about.has_dictionary_page:
        begin = about.dictionary_page_offset
    column = stored_column(
        raw[begin : begin + about.total_compressed_size],
        leaf.type,
        file.metadata.num_rows,
        is_required=not leaf.nullable,
        is_compressed=about.compression == "ZSTD",
    )
    return None if column is None else spread(column)


def spread(column: StoredColumn) -> list[Any]:
    """What every row of a stored column has."""
    rows = np.arange(column.row_count)
    places, has_value = column.ranks.find(rows) if column.ranks else (rows, rows >= 0)
    values = column.values.tolist()
    if column.dictionary is not None:
        dictionary = column.dictionary.tolist()
        values = [dictionary[place] for place in values]
    pairs = zip(places.tolist(), has_value.tolist(), strict=True)
    return [values[place] if there else None for place, there in pairs]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for DuckDB."""
    return tmp_path_factory.mktemp("parquet") / "file.parquet"


def all_read(raw: bytes, values: Sequence[Any], scratch: Path) -> None:
    """Every reader finds the values."""
    assert by_arrow(raw) == values
    assert by_polars(raw) == values
    assert by_duckdb(raw, scratch) == values
    stored = by_stored(raw)
    assert stored is None or stored == values


def columns(values: dict[pa.DataType, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """A type and values of it, with the missing ones and repetitions of real columns."""
    return st.sampled_from(list(values)).flatmap(
        lambda kind: st.tuples(
            st.just(kind),
            st.lists(
                st.tuples(st.none() | values[kind], st.sampled_from([1, 1, 2, 9, 40])),
                min_size=1,
                max_size=30,
            ),
        )
    )


@settings(deadline=None)
@given(column=columns(VALUES), shuffle=st.randoms(use_true_random=False))
def test_a_column_of_rows(column: Any, shuffle: Any, scratch: Path) -> None:
    """Whatever is in a column, in whatever order and form it comes, is what is read."""
    kind, counted = column
    values = [value for value, count in counted for _ in range(count)]
    order = list(range(len(values)))
    shuffle.shuffle(order)
    given_array = pa.array(values, kind)
    placed = np.flatnonzero(given_array.is_valid())
    sparse = Sparse(placed, given_array.drop_null())
    # A slice that begins inside a byte of the bitmap.
    sliced = pa.concat_arrays([pa.nulls(3, kind), given_array]).slice(3)
    forms = [given_array, sparse, sliced]
    if kind in {pa.string(), pa.binary()}:
        forms.append(given_array.dictionary_encode())
        forms.append(given_array.dictionary_encode(null_encoding="encode"))
    for large in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            if large:
                patch.setattr(rows, "MEDIUM_COUNT", 0)
                patch.setattr(parquet_values, "MEDIUM_COUNT", 0)
            rows_are_read(kind, forms, values, order, scratch)


def rows_are_read(
    kind: pa.DataType,
    forms: Sequence[pa.Array | Sparse],
    values: Sequence[Any],
    order: Sequence[int],
    scratch: Path,
) -> None:
    """Every form of a column is read back, in its own order and in another one."""
    in_order, arranged = Presence(len(values)), Presence(len(values), np.array(order))
    raw = [rows_file(kind, form, in_order) for form in forms]
    all_read(raw[0], values, scratch)
    assert all(by_arrow(other) == values for other in raw[1:])
    for form in forms:
        assert by_arrow(rows_file(kind, form, arranged)) == [values[place] for place in order]


@settings(deadline=None)
@given(column=columns({**VALUES, **LISTS}))
def test_a_column_of_runs(column: Any, scratch: Path) -> None:
    """A value for each state of a process is what stands in each of its rows."""
    kind, counted = column
    counts = np.array([count for _, count in counted])
    states = pa.array([value for value, _ in counted], kind)
    encode = lists_chunk if kind in LISTS else runs_chunk
    raw = file_of(kind, int(counts.sum()), lambda leaf: encode(leaf, states, counts))
    all_read(raw, [value for value, count in counted for _ in range(count)], scratch)


@settings(deadline=None)
@given(column=columns({**VALUES, **LISTS}))
def test_a_column_of_steps(column: Any) -> None:
    """Told step by step, a column is the same, few steps or many."""
    kind, counted = column
    counts = np.array([count for _, count in counted])
    begins = np.cumsum(counts) - counts
    values = pa.array([value for value, _ in counted], kind)
    total = int(counts.sum())
    expected = [value for value, count in counted for _ in range(count)]
    forms = [values]
    if kind in {pa.string(), pa.binary()}:
        forms.append(values.dictionary_encode())
    for form in forms:
        steps = Stepwise(begins, form)
        assert steps.array(total).to_pylist() == expected
        make = partial(event_chunk, column=steps, presence=Presence(total))
        assert by_arrow(file_of(kind, total, make)) == expected


def test_steps_are_refused_in_another_order() -> None:
    """Whoever does not sort rows cannot say how long a value stays."""
    steps = Stepwise(np.zeros(1, np.int64), pa.array([1]))
    with pytest.raises(ValueError, match="in the order of the file"):
        file_of(pa.int64(), 2, lambda leaf: event_chunk(leaf, steps, Presence(2, np.array([1, 0]))))


@pytest.mark.parametrize("limit", [1, 7, 64])
@settings(deadline=None)
@given(column=columns(LISTS))
def test_lists_in_many_pages(limit: int, column: Any, scratch: Path) -> None:
    """Rows are whole in a page, wherever the limit falls."""
    kind, counted = column
    counts = np.array([count for _, count in counted])
    lists = pa.array([value for value, _ in counted], kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "PAGE_ENTRIES", limit)
        raw = file_of(kind, int(counts.sum()), lambda leaf: lists_chunk(leaf, lists, counts))
    all_read(raw, [value for value, count in counted for _ in range(count)], scratch)


def test_lists_with_missing_elements(scratch: Path) -> None:
    """An element that is missing is rare, but not lost."""
    lists = pa.array([["a", None], None, []], TEXTS)
    raw = file_of(TEXTS, 6, lambda leaf: lists_chunk(leaf, lists, np.array([1, 2, 3])))
    all_read(raw, [["a", None], None, None, [], [], []], scratch)


def test_lists_of_a_slice(scratch: Path) -> None:
    """The lists of a part of a table are those of that part."""
    lists = pa.array([["x"], ["a", "b"], None, ["c"]], TEXTS).slice(1)
    raw = file_of(TEXTS, 4, lambda leaf: lists_chunk(leaf, lists, np.array([2, 1, 1])))
    all_read(raw, [["a", "b"], ["a", "b"], None, ["c"]], scratch)


@pytest.mark.parametrize("kind", [*VALUES, *LISTS], ids=str)
def test_a_column_without_values(kind: pa.DataType, scratch: Path) -> None:
    """Columns that are never filled are null for everybody."""
    raw = file_of(kind, 1000, lambda leaf: null_chunk(leaf, 1000))
    all_read(raw, [None] * 1000, scratch)


@pytest.mark.parametrize("distinct", [1, 2, 255, 256, 257, 65_536, 65_537])
def test_dictionaries_of_all_sizes(distinct: int, scratch: Path) -> None:
    """Places in a dictionary take one, two or three bytes."""
    values = [f"/tmp/{number * 7919 % distinct}" for number in range(2 * distinct + 5)]
    array = pa.array(values).dictionary_encode()
    raw = rows_file(pa.string(), array, Presence(len(values)))
    all_read(raw, values, scratch)


def test_a_dictionary_is_no_larger_than_what_occurs() -> None:
    """A part of a long column does not carry the texts of the whole."""
    array = pa.array([str(number) for number in range(10_000)]).dictionary_encode().slice(5, 3)
    raw = rows_file(pa.string(), array, Presence(3))
    assert by_arrow(raw) == ["5", "6", "7"]
    assert len(raw) < 1000


@pytest.mark.parametrize("medium", [0, 1 << 17])
def test_a_long_text_in_every_row_stays_in_its_dictionary(
    medium: int, monkeypatch: pytest.MonkeyPatch, scratch: Path
) -> None:
    """A hostile text takes room once, however many events show it."""
    monkeypatch.setattr(rows, "MEDIUM_COUNT", medium)
    monkeypatch.setattr(rows, "TEXT_LIMIT_BYTES", 1 << 20)
    values = ["x" * 100_000, *map(str, range(10))] * 20
    array = pa.array(values).dictionary_encode()
    raw = rows_file(pa.string(), array, Presence(len(values)))
    assert "RLE_DICTIONARY" in pq.read_metadata(io.BytesIO(raw)).row_group(0).column(0).encodings
    all_read(raw, values, scratch)


def test_long_texts_are_left_to_arrow(scratch: Path) -> None:
    """A column of long buffers becomes many pages, so that no reader needs all of it at once."""
    values = [b"x" * 50_000 + bytes([number]) for number in range(200)]
    array = pa.array(values, pa.binary())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "TEXT_LIMIT_BYTES", 1 << 20)
        raw = rows_file(pa.binary(), array, Presence(200))
    all_read(raw, values, scratch)


WIDE = st.integers(-(2**63), 2**63 - 1)
RISING = st.tuples(WIDE, st.lists(st.integers(-3, 40) | st.integers(-(2**40), 2**40), max_size=300))


def rising_file(values: Sequence[int], order: np.ndarray | None = None) -> bytes:
    """A file with a required column of numbers that are written as differences."""
    presence = Presence(len(values), order)
    array = pa.array(values, pa.int64())
    return file_of(
        pa.int64(),
        len(values),
        lambda leaf: rising_chunk(leaf, array, presence),
        nullable=False,
    )


@settings(deadline=None)
@given(
    values=st.lists(WIDE, min_size=1, max_size=300)
    | RISING.map(lambda start: wrapped(np.cumsum([start[0], *start[1]], dtype=object).tolist()))
)
def test_numbers_that_rise(values: list[int], scratch: Path) -> None:
    """Differences of any width, and of both signs, lead back to the numbers."""
    all_read(rising_file(values), values, scratch)


def wrapped(numbers: Sequence[int]) -> list[int]:
    """Numbers of 64 bits."""
    return [(number + 2**63) % 2**64 - 2**63 for number in numbers]


@pytest.mark.parametrize("count", [1, 2, 32, 33, 34, 128, 129, 130, 257])
def test_blocks_of_differences_that_are_not_full(count: int, scratch: Path) -> None:
    """What is missing in the last block is not written, and not needed."""
    values = [number * number for number in range(count)]
    all_read(rising_file(values), values, scratch)


def test_differences_in_another_order() -> None:
    """Times of events are written in the order of the file."""
    assert by_arrow(rising_file([30, 10, 20], np.array([1, 2, 0]))) == [10, 20, 30]


@pytest.mark.parametrize("number", [0, 1, 2, 3, 2**32 - 1, 2**32, 2**53 + 1, 2**63, 2**64 - 1])
def test_bit_widths(number: int) -> None:
    """No width is taken from a number that was rounded."""
    assert bit_widths(np.array([number], np.uint64)).tolist() == [number.bit_length()]


@pytest.mark.parametrize(
    ("array", "required", "message"),
    [
        (pa.array([1, None]), True, "misses a value"),
        (pa.array([1]), False, "1 rows in a row group of 2"),
        (Sparse(np.array([0]), pa.array([1])), True, "misses a value"),
        (Sparse(np.array([0, 1]), pa.array([1, None])), False, "holds a null"),
    ],
)
def test_columns_that_do_not_fit(
    array: pa.Array | Sparse,
    required: bool,  # noqa: FBT001
    message: str,
) -> None:
    """A source's mistake is an error at once, and no file that cannot be read."""
    with pytest.raises(ValueError, match=message):
        Presence(2).of(array, is_required=required)


def test_the_schema_is_the_one_that_arrow_writes() -> None:
    """Readers see the schema of format version 1, whoever wrote it."""
    sink = io.BytesIO()
    ParquetFile(sink, capture_schema(), "test version 1").close({b"key": b"value"})
    ours = pq.ParquetFile(io.BytesIO(sink.getvalue()))
    theirs = io.BytesIO()
    pq.write_table(capture_schema().empty_table(), theirs, store_schema=False)
    assert ours.schema.equals(pq.ParquetFile(theirs).schema)
    assert ours.schema_arrow.equals(capture_schema())
    assert ours.metadata.metadata == {b"key": b"value"}
