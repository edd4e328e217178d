"""Writers of rows: what each puts on a stream."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from falcotrace.errors import FalcoTraceError
from falcotrace.outputs.html import rows_html
from falcotrace.outputs.rows import (
    CsvWriter,
    JsonWriter,
    ParquetWriter,
    TableWriter,
    TextWriter,
    distinct_names,
)

BATCHES = [
    pa.record_batch({"n": [1, None], "proc.name": ["a,\"b'", None]}),
    pa.record_batch({"n": [300], "proc.name": ["x" * 60 + "\x1b[2J"]}),
]
SCHEMA = BATCHES[0].schema


def written(kind: type[JsonWriter | CsvWriter | TextWriter | TableWriter], rows: int = 2) -> str:
    """What a writer of text writes for the batches."""
    stream = io.StringIO()
    writer = kind(stream, SCHEMA)
    for batch in BATCHES[:rows]:
        writer.write(batch)
    writer.finish()
    return stream.getvalue()


def test_json_is_an_object_a_line() -> None:
    """Every line is JSON with every column, missing ones as null."""
    objects = [json.loads(line) for line in written(JsonWriter).splitlines()]
    assert objects[:2] == [{"n": 1, "proc.name": "a,\"b'"}, {"n": None, "proc.name": None}]
    assert objects[2]["n"] == 300
    assert written(JsonWriter, rows=0) == ""


def test_csv_reads_back() -> None:
    """Quotes and commas are the reader's business; missing values are empty cells."""
    rows = list(csv.reader(io.StringIO(written(CsvWriter))))
    assert rows[:3] == [["n", "proc.name"], ["1", "a,\"b'"], ["", ""]]
    assert list(csv.reader(io.StringIO(written(CsvWriter, rows=0)))) == [["n", "proc.name"]]


def test_text_has_tabs_and_a_header() -> None:
    """In a pipe: a header, a line for each row, missing values marked."""
    lines = written(TextWriter).splitlines()
    assert lines[:3] == ["n\tproc.name", "1\ta,\"b'", "<NA>\t<NA>"]
    assert lines[3].endswith("\\x1b[2J")


def test_tables_cut_nothing() -> None:
    """Later and longer values are whole; numbers stand at the right; no rows leave a header."""
    lines = written(TableWriter).splitlines()
    assert lines[0].split() == ["n", "proc.name"]
    assert set(lines[1]) <= {"-", " "}
    assert lines[2].startswith("   1  a,")
    assert lines[4] == " 300  " + "x" * 60 + "\\x1b[2J"
    assert written(TableWriter, rows=0).splitlines()[0].split() == ["n", "proc.name"]


def test_parquet_keeps_types() -> None:
    """The table is the same when it is read again; repeated names are told apart."""
    stream = io.BytesIO()
    schema = pa.schema([("type", pa.string()), ("type", pa.list_(pa.int64()))])
    batch = pa.RecordBatch.from_arrays([pa.array(["a"]), pa.array([[1]])], schema=schema)
    writer = ParquetWriter(stream, schema)
    writer.write(batch)
    writer.finish()
    read = pq.read_table(io.BytesIO(stream.getvalue()))
    assert read.to_pylist() == [{"type": "a", "type_1": [1]}]


def test_types_that_parquet_lacks_are_told() -> None:
    """An interval is no Parquet type: one line that says what to do."""
    schema = pa.schema([("i", pa.month_day_nano_interval())])
    with pytest.raises(FalcoTraceError, match="cast it to text"):
        ParquetWriter(io.BytesIO(), schema)


def test_names_repeat_only_in_sql() -> None:
    """Names that are taken are passed over."""
    assert distinct_names(["a", "a", "a_1", "a_1", "b"]) == ["a", "a_2", "a_1", "a_1_1", "b"]


def test_html_has_no_markup_of_others() -> None:
    """Names and values of a notebook's table are text."""
    table = pa.table({"<b>": ["<script>alert(1)</script>\x1b", None]})
    page = rows_html(table, ["<i>"], caption="<u>")
    assert "<script" not in page
    assert "\x1b" not in page
    assert all(tag not in page for tag in ("<b>", "<i>", "<u>"))
    assert page.count("<tr>") == 3
