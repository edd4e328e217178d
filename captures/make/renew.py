# ruff: noqa: INP001 - a script beside others
"""Writes a capture anew, event for event, with all columns of today and the present encoding.

What it did not record before it still does not: its footer says so of every column that is new.

    renew.py CAPTURE OUTPUT
"""

import argparse
from pathlib import Path

import msgspec

from falcotrace.capture.reader import open_capture
from falcotrace.capture.writer import CaptureWriter
from falcotrace.events.columns import COLUMNS, Scope

EVENT_COLUMNS = tuple(path for path, column in COLUMNS.items() if column.scope is not Scope.PROCESS)


def renew(source: Path, output: Path) -> None:
    """Write the capture.

    Raises:
        CaptureError: it cannot be read, or the other one cannot be written.
    """
    with open_capture(source) as capture, CaptureWriter(output) as writer:
        for group in capture.row_groups:
            columns = capture.read(group.index, EVENT_COLUMNS)
            events = {
                path: array for path, array in columns.items() if array.null_count < len(array)
            }
            writer.write_row_group(events, capture.process_table(group.index))
        writer.close(msgspec.structs.replace(capture.footer, unrecorded=sorted(capture.unrecorded)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", type=Path)
    parser.add_argument("output", type=Path)
    chosen = parser.parse_args()
    renew(chosen.capture, chosen.output)
