"""Where a command's rows go and how they are written: the options, the file, the right writer."""

import contextlib
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, TextIO

import typer

if TYPE_CHECKING:
    import pyarrow as pa

    from falcotrace.outputs.rows import RowWriter

FORMATS = ("table", "json", "csv", "parquet")
_BY_SUFFIX = {".json": "json", ".jsonl": "json", ".ndjson": "json", ".csv": "csv"}

FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        help="table, json (an object a line), csv or parquet. Default: by -o's name, or table.",
    ),
]
OutputOption = Annotated[
    Path | None, typer.Option("-o", "--output", help="The file to write instead of the screen.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite the file of -o.")]


def chosen_format(name: str, output: Path | None) -> str:
    """The format to write.

    Raises:
        typer.BadParameter: there is none of that name, or it is not for a terminal.
    """
    chosen = name or _format_of(output)
    if chosen not in FORMATS:
        raise typer.BadParameter(f"expected one of {', '.join(FORMATS)}, found {chosen!r}")
    if chosen == "parquet" and output is None and sys.stdout.isatty():
        raise typer.BadParameter("parquet is not for a terminal: -o FILE writes it to a file")
    return chosen


def _format_of(output: Path | None) -> str:
    if output is None:
        return "table"
    suffix = output.suffix.lower()
    return _BY_SUFFIX.get(suffix, "parquet" if suffix == ".parquet" else "table")


@contextlib.contextmanager
def row_sink(
    schema: "pa.Schema", chosen: str, output: Path | None, *, force: bool
) -> "Iterator[RowWriter]":
    """A writer of rows, on standard output or into a file that appears when it is complete.

    Args:
        schema: of the rows.
        chosen: the format.
        output: the file; None is standard output.
        force: whether a file of that name may be replaced.

    Raises:
        FalcoTraceError: the file exists, is no regular file, or cannot be written.
    """
    if output is None:
        writer = _writer(chosen, schema, sys.stdout.buffer, sys.stdout)
        yield writer
        writer.finish()
        return
    from falcotrace.outputs.whole_file import whole_file

    with whole_file(output, force=force) as new, new.open("wb") as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = _writer(chosen, schema, file, text)
        yield writer
        writer.finish()
        # The file is closed by whoever opened it.
        text.detach()


def _writer(chosen: str, schema: "pa.Schema", raw: BinaryIO, text: TextIO) -> "RowWriter":
    """The writer of a format, on one of two views of the same stream."""
    from falcotrace.outputs import rows

    match chosen:
        case "json":
            return rows.JsonWriter(text, schema)
        case "csv":
            return rows.CsvWriter(text, schema)
        case "parquet":
            return rows.ParquetWriter(raw, schema)
        case _:
            return (rows.TableWriter if text.isatty() else rows.TextWriter)(text, schema)


def refuse_captures(output: Path | None, captures: Iterable[Path]) -> None:
    """Refuse to write an answer over a capture that it comes from.

    Raises:
        typer.BadParameter: the output is one of the captures.
    """
    if output is not None and output.exists() and any(map(output.samefile, captures)):
        raise typer.BadParameter(f"-o {str(output)!r} is one of the captures: name another file")


def write_rows(
    schema: "pa.Schema",
    batches: "Iterable[pa.RecordBatch]",
    chosen: str,
    output: Path | None,
    *,
    force: bool,
) -> int:
    """Write rows as they come; return how many there were."""
    count = 0
    with row_sink(schema, chosen, output, force=force) as writer:
        for batch in batches:
            writer.write(batch)
            count += batch.num_rows
    return count


def print_summary(text: str, *, is_table: bool) -> None:
    """Say what the rows amount to: below a table on a terminal, elsewhere on standard error."""
    print(text, file=sys.stdout if is_table and sys.stdout.isatty() else sys.stderr)


@contextlib.contextmanager
def text_sink(output: Path | None, *, force: bool) -> Iterator[TextIO]:
    """Standard output, or a file that appears when it is complete."""
    from falcotrace.outputs.whole_file import whole_file

    if output is None:
        yield sys.stdout
        return
    with (
        whole_file(output, force=force) as new,
        new.open("w", encoding="utf-8", newline="") as stream,
    ):
        yield stream
