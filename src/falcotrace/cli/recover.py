"""`falcotrace recover`: make a capture of an interrupted recording."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from falcotrace.cli.sign import SignOption, signer_of


def recover(
    folder: Annotated[Path, typer.Argument(help="The recording's folder, OUTPUT.recording.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The capture to write. Default: FOLDER's, beside it."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the capture if it exists.")
    ] = False,
    sign: SignOption = None,
) -> None:
    """Make a capture of a recording that was killed, ran out of disk or lost its power.

    Everything that had reached the disk is in it, which is all but the last second.

    Exit codes: 0 done, 2 error, 3 done, but what had been recorded was changed since.
    """
    from falcotrace.cli.exit_codes import ExitCode
    from falcotrace.cli.live_line import LiveLine
    from falcotrace.cli.recording_lines import captured
    from falcotrace.outputs.escape import for_terminal
    from falcotrace.record.recover import recover_recording

    signer = signer_of(sign, output, overwrite=force) if sign else None
    with LiveLine() as line:
        found = recover_recording(
            folder,
            output=output,
            overwrite=force,
            on_progress=lambda count: line.show(f"recovering  {count:,} events"),
        )
    for change in found.changed:
        print(f"warning: changed since it was recorded: {for_terminal(change)}", file=sys.stderr)
    print(for_terminal(captured(found)), file=sys.stderr)
    if signer is not None:
        signer.sign(found.path, overwrite=force)
    sys.exit(ExitCode.LOST_EVENTS if found.changed else ExitCode.CLEAN)
