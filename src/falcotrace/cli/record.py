"""`falcotrace record`: record what this host does."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from falcotrace.record.recorder import Outcome, Progress


def record(
    command: Annotated[
        list[str] | None,
        typer.Argument(
            help="After --: follow this command and its descendants, and end with it.",
            metavar="[-- COMMAND ...]",
        ),
    ] = None,
    *,
    duration: Annotated[
        str, typer.Option("--duration", help="How long, such as 60s or 10m. Default: until Ctrl-C.")
    ] = "",
    output: Annotated[Path, typer.Option("-o", "--output", help="The capture to write.")] = Path(
        "capture.parquet"
    ),
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the file if it exists.")
    ] = False,
    buffer: Annotated[
        str, typer.Option("--buffer", help="Size of the ring buffer, a power of two.")
    ] = "256M",
) -> None:
    """Record this host's system calls into one capture. Needs root."""
    from falcotrace.cli.live_line import LiveLine
    from falcotrace.cli.quantities import parse_duration, parse_size
    from falcotrace.errors import RecordError
    from falcotrace.record.recorder import RecordOptions, record_host

    try:
        options = RecordOptions(
            output=output,
            overwrite=force,
            duration_s=parse_duration(duration) if duration else None,
            ring_bytes=parse_size(buffer),
            command=tuple(command or ()),
        )
    except ValueError as error:
        raise RecordError(str(error)) from None
    with LiveLine() as line:
        outcome = record_host(options, lambda progress: line.show(_progress_text(progress)))
    print(_outcome_text(outcome), file=sys.stderr)
    sys.exit(outcome.exit_code)


def _progress_text(progress: "Progress") -> str:
    from falcotrace.cli.quantities import show_bytes, show_duration

    return (
        f"recording {show_duration(progress.elapsed_s)}  {progress.event_count:,} events  "
        f"{progress.events_per_s:,.0f}/s  lost {progress.lost_count:,}  "
        f"{show_bytes(progress.file_bytes)}  (Ctrl-C ends)"
    )


def _outcome_text(outcome: "Outcome") -> str:
    from falcotrace.capture.summary import describe_losses
    from falcotrace.cli.quantities import show_bytes, show_duration

    return (
        f"{outcome.path}: {outcome.event_count:,} events in {show_duration(outcome.elapsed_s)}, "
        f"{show_bytes(outcome.size_bytes)}; lost: {describe_losses(outcome.losses)}"
    )
