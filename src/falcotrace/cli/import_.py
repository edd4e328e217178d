"""`falcotrace import`: make captures of `.scap` files."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from falcotrace.scap.importer import ImportReport, Progress

_SUFFIXES = (".gz", ".scap")


def import_(
    file: Annotated[Path, typer.Argument(help="A .scap file, compressed or not.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The capture to write. Default: FILE's name, here."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the capture if it exists.")
    ] = False,
) -> None:
    """Make a capture of what Falco, sysdig or Stratoshark recorded.

    Exit codes: 0 done, 2 error, 3 done, but the file was cut or damaged.
    """
    from falcotrace.cli.exit_codes import ExitCode
    from falcotrace.cli.live_line import LiveLine
    from falcotrace.outputs.escape import for_terminal
    from falcotrace.scap.importer import import_scap

    target = output or Path(_stem(file.name) + ".parquet")
    with LiveLine() as line:
        report = import_scap(
            file, target, overwrite=force, progress=lambda now: line.show(_progress_text(now))
        )
    for warning in report.warnings:
        print(f"warning: {for_terminal(str(warning))}", file=sys.stderr)
    print(for_terminal(_outcome_text(target, report)), file=sys.stderr)
    sys.exit(ExitCode.LOST_EVENTS if report.warnings else ExitCode.CLEAN)


def _stem(name: str) -> str:
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def _progress_text(progress: "Progress") -> str:
    from falcotrace.cli.quantities import show_bytes

    return f"importing  {progress.event_count:,} events  {show_bytes(progress.read_bytes)} read"


def _outcome_text(target: Path, report: "ImportReport") -> str:
    from falcotrace.cli.quantities import show_bytes

    return f"{target}: {report.event_count:,} events, {show_bytes(target.stat().st_size)}"
