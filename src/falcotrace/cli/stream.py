"""`falcotrace stream`: follow one socket."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def stream(
    captures: Annotated[
        list[Path], typer.Argument(metavar="CAPTURE", help="Capture files, folders or globs.")
    ],
    *,
    event: Annotated[
        int | None, typer.Option("--event", help="evt.num of an event that is about the socket.")
    ] = None,
    ends: Annotated[
        str,
        typer.Option("--tuple", help="Or its two ends, as fd.name has them: the client's first."),
    ] = "",
    is_hex: Annotated[
        bool, typer.Option("--hex", help="Contents as hexadecimal numbers beside their text.")
    ] = False,
    is_json: Annotated[
        bool, typer.Option("--json", help="An object a line, one for each call.")
    ] = False,
) -> None:
    """Show what one socket sent and received, in order.

    Contents are there where they were recorded: `falcotrace record --snaplen`.

    Exit codes: 0 shown, 2 error, 3 shown, but events were lost.
    """
    from falcotrace.api import open_captures
    from falcotrace.cli.exit_codes import ExitCode
    from falcotrace.cli.row_output import write_rows
    from falcotrace.network.printing import stream_lines
    from falcotrace.outputs.escape import for_terminal

    if (event is None) == (not ends):
        raise typer.BadParameter("name the socket: --event NUMBER, or --tuple ENDS")
    with open_captures(captures) as opened:
        followed = opened.network.stream(event, tuple_text=ends)
        if is_json:
            table = followed.arrow()
            write_rows(table.schema, table.to_batches(), "json", None, force=False)
        else:
            for line in stream_lines(followed, is_hex=is_hex):
                print(line)
        for note in (*opened.loss_notes, *opened.network.notes):
            print(f"note: {for_terminal(note)}", file=sys.stderr)
        lost = opened.has_losses
    sys.exit(ExitCode.LOST_EVENTS if lost else ExitCode.CLEAN)
