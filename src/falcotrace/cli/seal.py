"""`falcotrace seal`: make a capture of what a recording has kept, while it goes on."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from falcotrace.cli.sign import SignOption, signer_of


def seal(
    recording: Annotated[
        Path, typer.Argument(help="What is being recorded: the recorder's --output, or its folder.")
    ] = Path("capture.parquet"),
    *,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The capture to write. Default: a name with the time."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the capture if it exists.")
    ] = False,
    sign: SignOption = None,
) -> None:
    """Make a capture of what a recording has kept, while it goes on.

    With `record --ring` these are the last minutes, otherwise everything so far.
    """
    from falcotrace.cli.live_line import LiveLine
    from falcotrace.cli.quantities import show_duration
    from falcotrace.cli.recording_lines import captured
    from falcotrace.outputs.escape import for_terminal
    from falcotrace.record.sealing import seal_recording

    signer = signer_of(sign, output, overwrite=force) if sign else None
    with LiveLine() as line:
        found = seal_recording(
            recording,
            sealed=output,
            overwrite=force,
            on_wait=lambda seconds: line.show(f"sealing {show_duration(seconds)}"),
        )
    print(for_terminal(captured(found)), file=sys.stderr)
    if signer is not None:
        signer.sign(found.path, overwrite=force)
