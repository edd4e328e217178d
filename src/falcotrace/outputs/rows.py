"""Writes rows as they come: JSON lines, CSV, tab-separated text, Parquet, or a readable table.

In: Arrow batches of one schema. Out: bytes or text on a stream. Nothing is kept of a batch that has
been written. How values are spelled and made safe is `outputs.cells`' business.
"""

import csv
from collections.abc import Sequence
from typing import BinaryIO, Protocol, TextIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from falcotrace.engines.vectors import arrow_text
from falcotrace.errors import FalcoTraceError
from falcotrace.outputs.cells import csv_text, csv_texts, json_text, json_texts, shown_texts
from falcotrace.outputs.escape import for_terminal, readable

MISSING = "<NA>"
"""What texts show for a missing value, as Falco does; CSV has an empty cell."""

_WIDEST = 40
"""Wider columns of a table are not padded: values are never cut, they move what is behind them."""


class RowWriter(Protocol):
    """Writes rows on a stream."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write some rows."""
        ...

    def finish(self) -> None:
        """Write what belongs behind the last row."""
        ...


def distinct_names(names: Sequence[str]) -> list[str]:
    """The names of columns, each once: SQL gives `evt.type` and `fd.type` the same.

    Example:
        >>> distinct_names(["type", "type", "type_1", "type"])
        ['type', 'type_2', 'type_1', 'type_3']
    """
    found: dict[str, None] = {}
    for name in names:
        unique, number = name, 0
        while unique in found or (number and unique in names):
            number += 1
            unique = f"{name}_{number}"
        found[unique] = None
    return list(found)


class JsonWriter:
    """One JSON object a line."""

    def __init__(self, stream: TextIO, schema: pa.Schema) -> None:
        self._stream = stream
        names = [json_text(readable(name)) for name in distinct_names(schema.names)]
        self._before = [
            arrow_text(f"{',' if place else '{'}{name}:") for place, name in enumerate(names)
        ]

    def write(self, batch: pa.RecordBatch) -> None:
        """Write some rows."""
        pieces: list[pa.Array | pa.Scalar] = []
        for before, column in zip(self._before, batch.columns, strict=True):
            pieces += [before, json_texts(column)]
        lines = pc.binary_join_element_wise(*pieces, arrow_text("}\n"), arrow_text(""))
        self._stream.write("".join(lines.to_pylist()))
        self._stream.flush()

    def finish(self) -> None:
        """Nothing is left to write."""


class CsvWriter:
    """Comma-separated values with a header; cells that spreadsheets would compute are defused."""

    def __init__(self, stream: TextIO, schema: pa.Schema) -> None:
        self._stream = stream
        self._csv = csv.writer(stream, lineterminator="\n")
        self._header = [csv_text(name) for name in distinct_names(schema.names)]

    def write(self, batch: pa.RecordBatch) -> None:
        """Write some rows, before the first of them the header."""
        self._begin()
        self._csv.writerows(_rows([csv_texts(column) for column in batch.columns], ""))
        self._stream.flush()

    def finish(self) -> None:
        """Write the header where there was no row."""
        self._begin()
        self._stream.flush()

    def _begin(self) -> None:
        if self._header:
            self._csv.writerow(self._header)
            self._header = []


class TextWriter:
    """Tab-separated texts with a header, for other tools to read."""

    def __init__(self, stream: TextIO, schema: pa.Schema) -> None:
        self._stream = stream
        self._header = "\t".join(map(for_terminal, schema.names)) + "\n"

    def write(self, batch: pa.RecordBatch) -> None:
        """Write some rows, before the first of them the header."""
        self._begin()
        rows = _rows([shown_texts(column) for column in batch.columns], MISSING)
        self._stream.write("".join("\t".join(row) + "\n" for row in rows))
        self._stream.flush()

    def finish(self) -> None:
        """Write the header where there was no row."""
        self._begin()
        self._stream.flush()

    def _begin(self) -> None:
        self._stream.write(self._header)
        self._header = ""


class TableWriter:
    """A table for people, drawn as rows come.

    The first batch decides how wide columns are; a longer value moves what follows it, and nothing
    is cut.
    """

    def __init__(self, stream: TextIO, schema: pa.Schema) -> None:
        self._stream = stream
        self._header = [for_terminal(name) for name in schema.names]
        self._is_number = [_is_number(field.type) for field in schema]
        self._widths: list[int] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Draw some rows."""
        columns = [shown_texts(column) for column in batch.columns]
        if not self._widths:
            self._begin(columns)
        lines = map(self._line, _rows(columns, MISSING))
        self._stream.write("".join(lines))
        self._stream.flush()

    def finish(self) -> None:
        """Draw the header where there was no row."""
        if not self._widths:
            self._begin([])
        self._stream.flush()

    def _begin(self, columns: Sequence[pa.Array]) -> None:
        self._widths = [len(name) for name in self._header]
        for place, column in enumerate(columns):
            longest = pc.max(pc.utf8_length(column)).as_py() or 0
            shortest = len(MISSING) if column.null_count else 0
            width = max(self._widths[place], longest, shortest)
            self._widths[place] = min(width, max(_WIDEST, len(self._header[place])))
        self._stream.write(self._line(self._header))
        self._stream.write(self._line(["-" * width for width in self._widths]))

    def _line(self, cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, self._widths, self._is_number, strict=True)
        ]
        return "  ".join(padded).rstrip() + "\n"


class ParquetWriter:
    """A Parquet file; texts as captures hold them, types as they are."""

    def __init__(self, stream: BinaryIO, schema: pa.Schema) -> None:
        names = distinct_names(schema.names)
        self._schema = pa.schema(
            field.with_name(name) for field, name in zip(schema, names, strict=True)
        )
        try:
            self._file = pq.ParquetWriter(stream, self._schema, compression="zstd")
        except pa.ArrowException as error:
            message = f"Parquet has no form for a column: {for_terminal(str(error))}"
            raise FalcoTraceError(f"{message}; cast it to text, or choose another format") from None

    def write(self, batch: pa.RecordBatch) -> None:
        """Write some rows."""
        self._file.write_batch(batch.rename_columns(self._schema.names))

    def finish(self) -> None:
        """Write the footer."""
        self._file.close()


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _rows(columns: Sequence[pa.Array], missing: str) -> "zip[tuple[str, ...]]":
    filled = (pc.fill_null(column, arrow_text(missing)).to_pylist() for column in columns)
    return zip(*filled, strict=True)
