"""`falcotrace export --pcap`: rebuild conversations as packets that Wireshark opens."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from falcotrace.api import Captures
    from falcotrace.network.pcap import PcapReport

PcapOption = Annotated[
    Path | None,
    typer.Option("--pcap", help="The pcapng file to write: conversations, rebuilt as packets."),
]
WhereOption = Annotated[
    str,
    typer.Option(
        "--where",
        help="With --pcap: only conversations with an event for which this condition holds.",
    ),
]


def export_pcap(opened: "Captures", pcap: Path, where: str, *, force: bool) -> None:
    """Write conversations of open captures as packets, and say on standard error what they hold.

    Args:
        opened: open captures.
        pcap: the file to write.
        where: only conversations with an event for which this condition holds; all if "".
        force: whether a file of that name may be replaced.

    Raises:
        FalcoTraceError: the file exists, or cannot be written.
        RulesError: the condition cannot be used.
    """
    from falcotrace.cli.row_output import refuse_captures
    from falcotrace.outputs.escape import for_terminal

    refuse_captures(pcap, opened.paths)
    report = opened.network.write_pcap(pcap, where, force=force)
    print(for_terminal(f"{pcap}: {_outcome(report)}"), file=sys.stderr)
    for note in (*opened.loss_notes, *opened.network.notes):
        print(f"note: {for_terminal(note)}", file=sys.stderr)


def _outcome(report: "PcapReport") -> str:
    text = f"{report.conversation_count:,} conversations as {report.packet_count:,} packets"
    if report.missing_bytes:
        total = report.contents_bytes + report.missing_bytes
        text += f", {report.contents_bytes:,} of {total:,} bytes were recorded"
    if report.left_out_count:
        text += f"; {report.left_out_count:,} that are neither TCP nor UDP are left out"
    return text
