"""`falcotrace query`: ask a condition of captures."""

import re
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
    print_summary,
    refuse_captures,
    write_rows,
)
from falcotrace.cli.time_limits import SinceOption, UntilOption, time_limit

if TYPE_CHECKING:
    from falcotrace.api import Captures
    from falcotrace.query import Query

_FILE_SUFFIXES = (".parquet", ".scap", ".gz", ".yaml", ".yml")
_NAME = re.compile(r"[^\s=<>!()]+")
"""A condition with neither blank nor operator is a macro, or the name of a file."""


def query(
    captures: Annotated[
        list[Path] | None,
        typer.Argument(metavar="CAPTURES", help="Capture files, folders or globs; .scap too."),
    ] = None,
    condition: Annotated[
        str,
        typer.Argument(metavar="CONDITION", help="A condition as in rules: the last argument."),
    ] = "",
    *,
    rules: Annotated[
        list[Path] | None,
        typer.Option(
            "-r",
            "--rules",
            help="Rules file or folder whose macros and lists CONDITION may name; repeat it in "
            "order. Default: those that ship.",
        ),
    ] = None,
    columns: Annotated[
        str,
        typer.Option(
            "--columns",
            help="Fields to show, separated by commas, also `evt.arg.flags`, `proc.aname[2]` or "
            "`toupper(proc.name)`. Default: what fits the condition.",
        ),
    ] = "",
    count_by: Annotated[
        str,
        typer.Option("--count-by", help="Count the events by the values of these fields instead."),
    ] = "",
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=0, help="End after so many rows, without reading further."),
    ] = None,
    since: SinceOption = "",
    until: UntilOption = "",
    output_format: FormatOption = "",
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Show the events of captures that a condition holds for, or count them.

    Exit codes: 0 answered, 2 error, 3 answered, but events were lost.
    """
    from falcotrace.api import open_captures

    chosen = chosen_format(output_format, output)
    if columns and count_by:
        raise typer.BadParameter("--columns is for events, --count-by for counts: give one")
    if not captures:
        raise typer.BadParameter(_without_captures(condition))
    with open_captures(captures) as opened:
        refuse_captures(output, opened.paths)
        asked = _ask(opened, condition, rules, columns, limit, since, until)
        if count_by:
            _show_counts(asked, count_by, chosen, output, force=force)
        else:
            with Waiting("looking for events") as waiting:
                batches = waiting.before_each(asked.batches())
                rows = write_rows(asked.schema, batches, chosen, output, force=force)
            _print_row_count(rows, limit, chosen, output)
        _print_notes(asked, opened)
        lost = opened.has_losses
    sys.exit(ExitCode.LOST_EVENTS if lost else ExitCode.CLEAN)


def _ask(
    opened: "Captures",
    condition: str,
    rules: list[Path] | None,
    columns: str,
    limit: int | None,
    since: str,
    until: str,
) -> "Query":
    from falcotrace.errors import FalcoTraceError, RulesError, escape_controls

    try:
        return opened.query(
            condition,
            columns=columns or None,
            rules=rules,
            limit=limit,
            since_ns=time_limit(since),
            until_ns=time_limit(until),
        )
    except RulesError:
        if not _looks_like_file(condition):
            raise
        name = escape_controls(condition)
        raise FalcoTraceError(
            f"the last argument is the condition, and `{name}` looks like a file: write the "
            "condition behind it"
        ) from None


def _without_captures(condition: str) -> str:
    if not condition:
        return "expected captures and a condition: falcotrace query capture.parquet proc.name=bash"
    if _looks_like_file(condition):
        return (
            f"the last argument is the condition, and {condition!r} looks like a file: write the "
            "condition behind it"
        )
    return f"the last argument is the condition: name captures before {condition!r}"


def _looks_like_file(condition: str) -> bool:
    if not _NAME.fullmatch(condition):
        return False
    try:
        return condition.endswith(_FILE_SUFFIXES) or Path(condition).exists()
    except (OSError, ValueError):
        return False


def _show_counts(
    asked: "Query", count_by: str, chosen: str, output: Path | None, *, force: bool
) -> None:
    with Waiting("counting"):
        counts = asked.count_by(count_by)
        table = counts.arrow()
    write_rows(table.schema, table.to_batches(), chosen, output, force=force)
    print_summary(counts.summary, is_table=chosen == "table" and output is None)


def _print_row_count(count: int, limit: int | None, chosen: str, output: Path | None) -> None:
    """Say how many rows there were where nobody counts them: below a table, beside a file."""
    if output is None and not (chosen == "table" and sys.stdout.isatty()):
        return
    events = "1 event" if count == 1 else f"{count:,} events"
    ended = " (the limit)" if limit is not None and count == limit else ""
    print_summary(f"{events}{ended}", is_table=output is None)


def _print_notes(asked: "Query", opened: "Captures") -> None:
    """Say what could not be answered, and what was lost."""
    from falcotrace.outputs.escape import for_terminal

    for note in (*opened.loss_notes, *asked.coverage_notes):
        print(f"note: {for_terminal(note)}", file=sys.stderr)
