"""What a scan could not ask and what was lost, told beside its answer."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from falcotrace.api import Captures, ScanReport


def print_scan_notes(report: "ScanReport", opened: "Captures") -> None:
    """Say what could not be asked, and what was lost; never silently quiet."""
    from falcotrace.alerts import describe_undetermined
    from falcotrace.outputs.escape import for_terminal

    notes = [*opened.loss_notes, *report.coverage_notes]
    if report.near_losses:
        near = f"{report.near_losses:,} alerts lie within 5 s of lost events"
        notes.append(f"{near}: what led to them, and others like them, may be missing")
    notes += map(describe_undetermined, report.undetermined)
    for note in notes:
        print(f"note: {for_terminal(note)}", file=sys.stderr)
