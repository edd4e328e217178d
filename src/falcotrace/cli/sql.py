"""`falcotrace sql`: ask SQL of captures."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.exit_codes import ExitCode
from falcotrace.cli.live_line import Waiting
from falcotrace.cli.row_output import (
    ForceOption,
    FormatOption,
    OutputOption,
    chosen_format,
    refuse_captures,
    write_rows,
)

if TYPE_CHECKING:
    from falcotrace.engines.capture_database import DatabaseOptions

_QUERY_LIMIT_BYTES = 16 * 1024 * 1024
"""A longer query is a mistake: a file that is none."""


def sql(
    captures: Annotated[
        list[Path] | None,
        typer.Argument(metavar="CAPTURES", help="Capture files, folders or globs."),
    ] = None,
    query: Annotated[
        str,
        typer.Argument(
            metavar="QUERY", help="In DuckDB's SQL, the last argument; - reads it from stdin."
        ),
    ] = "",
    *,
    file: Annotated[
        Path | None, typer.Option("--file", help="Read the query from a file instead.")
    ] = None,
    output_format: FormatOption = "",
    output: OutputOption = None,
    force: ForceOption = False,
    memory_limit: Annotated[
        str, typer.Option("--memory-limit", help="Memory of DuckDB, such as 1G; beyond it spills.")
    ] = "",
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Threads of DuckDB. Default: all cores.")
    ] = None,
    unrestricted: Annotated[
        bool,
        typer.Option(
            "--unrestricted",
            help="Let the query read and write other files and reach the network.",
        ),
    ] = False,
) -> None:
    """Ask SQL of captures: the view `events` has their events, `captures` tells of the files.

    Exit codes: 0 answered, 2 error, 3 answered, but events were lost.
    """
    from falcotrace.api import open_captures
    from falcotrace.outputs.escape import for_terminal

    chosen = chosen_format(output_format, output)
    paths, text = _split(captures or [], query, file)
    options = _options(memory_limit, threads, unrestricted=unrestricted)
    with open_captures(paths) as opened:
        refuse_captures(output, opened.paths)
        with opened.database(options) as database, Waiting("asking DuckDB") as waiting:
            answer = database.ask(text)
            if answer is not None:
                batches = waiting.before_each(answer.batches)
                write_rows(answer.schema, batches, chosen, output, force=force)
        for note in opened.loss_notes:
            print(f"note: {for_terminal(note)}", file=sys.stderr)
        lost = opened.has_losses
    sys.exit(ExitCode.LOST_EVENTS if lost else ExitCode.CLEAN)


def _split(captures: list[Path], query: str, file: Path | None) -> tuple[list[Path], str]:
    """Captures and the text of the query; with `--file` every argument is a capture."""
    paths = captures
    if file is not None:
        paths, text = [*captures, *([Path(query)] if query else [])], _read(file)
    elif query == "-":
        text = sys.stdin.read(_QUERY_LIMIT_BYTES)
    else:
        text = query
    if not paths and (text and file is None):
        raise typer.BadParameter(f"the last argument is the query: name captures before {text!r}")
    if not paths:
        raise typer.BadParameter(
            "expected captures and a query: falcotrace sql capture.parquet 'SELECT ...'"
        )
    if not text.strip():
        raise typer.BadParameter("the query is empty")
    return paths, text


def _read(file: Path) -> str:
    from falcotrace.errors import FalcoTraceError, escape_controls

    try:
        with file.open("rb") as opened:
            raw = opened.read(_QUERY_LIMIT_BYTES + 1)
        if len(raw) > _QUERY_LIMIT_BYTES:
            raise FalcoTraceError(f"{escape_controls(str(file))}: is too long for a query")
        return raw.decode("utf-8-sig")
    except OSError as error:
        shown = escape_controls(str(file))
        raise FalcoTraceError(f"{shown}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise FalcoTraceError(f"{escape_controls(str(file))}: is not UTF-8 text") from None


def _options(memory_limit: str, threads: int | None, *, unrestricted: bool) -> "DatabaseOptions":
    from falcotrace.cli.quantities import parse_size
    from falcotrace.engines.capture_database import DatabaseOptions

    try:
        limit = parse_size(memory_limit) if memory_limit else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return DatabaseOptions(limit, threads, is_confined=not unrestricted)
