"""`falcotrace diff`: what is new in captures against captures of quieter times."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.options import JsonOption, LimitOption

if TYPE_CHECKING:
    from falcotrace.investigate.diff import Difference


def diff(
    captures: Annotated[
        list[Path],
        typer.Argument(
            metavar="BASELINE... CAPTURE",
            help="Captures of quieter times: files, folders, globs; then the one to look at.",
        ),
    ],
    *,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """Show what is new against a baseline: programs, files, peers, ports, users, containers.

    --limit is for each kind; JSON has everything. Exit codes: 0 answered, 2 error, 3 answered, but
    events were lost.
    """
    from falcotrace.api import open_captures
    from falcotrace.cli.investigations import investigate, print_json
    from falcotrace.cli.live_line import Waiting

    *baseline, last = captures
    if not baseline:
        raise typer.BadParameter("expected a baseline and a capture to compare with it")
    with investigate([last]) as asked, open_captures(baseline) as known:
        with Waiting("comparing"):
            found = asked.captures.diff(known)
        asked.notes += found.notes
        if as_json:
            print_json(found.to_dict())
        else:
            _draw(found, limit)
        asked.end()


def _draw(found: "Difference", limit: int) -> None:
    from falcotrace.cli.branches import shown
    from falcotrace.cli.render import table

    rows = [
        (
            kind,
            shown(str(row["program"])),
            shown(str(row["what"])),
            f"{row['count']:,}",
            str(row["first_event"]),
            str(row["first"]),
        )
        for kind, some in found.by_kind.items()
        for row in some[:limit]
    ]
    header = ("new", "program", "what", "events", "first event", "first")
    table(header, rows, right=("events", "first event"))
    if len(rows) < len(found):
        more = len(found) - len(rows)
        print(f"{more:,} more are not shown: --limit shows more of each kind", file=sys.stderr)
