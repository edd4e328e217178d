"""`falcotrace import`: make captures of `.scap` files, and join packets to processes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.sign import SignOption, signer_of

if TYPE_CHECKING:
    from falcotrace.network.packet_join import JoinReport
    from falcotrace.scap.importer import ImportReport, Progress

_SUFFIXES = (".gz", ".scap")


def import_(
    file: Annotated[
        Path | None, typer.Argument(help="A .scap file, compressed or not.", show_default=False)
    ] = None,
    *,
    pcap: Annotated[
        Path | None,
        typer.Option(
            "--pcap", help="Instead: packets captured beside a recording, pcap or pcapng."
        ),
    ] = None,
    capture: Annotated[
        list[Path] | None,
        typer.Option("--capture", help="With --pcap: the recording; repeat it for several."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="The capture, or table of packets, to write. Default: FILE's name, here.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the file of -o if it exists.")
    ] = False,
    sign: SignOption = None,
) -> None:
    """Make a capture of what Falco, sysdig or Stratoshark recorded.

    With --pcap and --capture: make a table of packets with the processes behind them.

    Exit codes: 0 done, 2 error, 3 done, but the file was cut or damaged.
    """
    if pcap is not None:
        if sign is not None:
            raise typer.BadParameter("--sign is for captures, not for tables of packets")
        _join_packets(file, pcap, capture, output, force=force)
    elif file is None:
        raise typer.BadParameter("expected a .scap file, or --pcap FILE --capture CAPTURE")
    elif capture:
        raise typer.BadParameter("--capture goes with --pcap")
    else:
        _import_scap(file, output, sign, force=force)


def _import_scap(file: Path, output: Path | None, sign: Path | None, *, force: bool) -> None:
    from falcotrace.cli.exit_codes import ExitCode
    from falcotrace.cli.live_line import LiveLine
    from falcotrace.outputs.escape import for_terminal
    from falcotrace.scap.importer import import_scap

    target = output or Path(_stem(file.name) + ".parquet")
    signer = signer_of(sign, target, overwrite=force) if sign else None
    with LiveLine() as line:
        report = import_scap(
            file, target, overwrite=force, progress=lambda now: line.show(_progress_text(now))
        )
    for warning in report.warnings:
        print(f"warning: {for_terminal(str(warning))}", file=sys.stderr)
    print(for_terminal(_outcome_text(target, report)), file=sys.stderr)
    if signer is not None:
        signer.sign(target, overwrite=force)
    sys.exit(ExitCode.LOST_EVENTS if report.warnings else ExitCode.CLEAN)


def _join_packets(
    file: Path | None,
    pcap: Path,
    captures: list[Path] | None,
    output: Path | None,
    *,
    force: bool,
) -> None:
    from falcotrace.api import open_captures
    from falcotrace.cli.exit_codes import ExitCode
    from falcotrace.cli.row_output import refuse_captures
    from falcotrace.outputs.escape import for_terminal

    if file is not None or not captures:
        raise typer.BadParameter("write: falcotrace import --pcap FILE --capture CAPTURE -o OUTPUT")
    target = output or Path(f"{pcap.stem}.packets.parquet")
    with open_captures(captures) as opened:
        refuse_captures(target, (*opened.paths, pcap))
        report = opened.network.join_pcap(pcap, target, force=force)
        notes = opened.loss_notes
    print(for_terminal(f"{target}: {_join_text(report)}"), file=sys.stderr)
    for reason, count in report.not_joined.items():
        print(f"note: {count:,} packets have no process: {reason}", file=sys.stderr)
    for note in notes:
        print(f"note: {for_terminal(note)}", file=sys.stderr)
    if report.is_cut:
        print("warning: the packet file is damaged, or ends within a packet", file=sys.stderr)
    sys.exit(ExitCode.LOST_EVENTS if report.is_cut else ExitCode.CLEAN)


def _join_text(report: "JoinReport") -> str:
    return (
        f"{report.joined_count:,} of {report.packet_count:,} packets have a process, "
        f"in {report.conversation_count:,} conversations"
    )


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
