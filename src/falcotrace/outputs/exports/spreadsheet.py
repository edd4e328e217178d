"""Alerts as CSV: a row each, in which no cell is a formula to a spreadsheet."""

import csv
from collections.abc import Iterable
from typing import TextIO

from falcotrace.outputs.cells import csv_text
from falcotrace.outputs.exports.context import ExportContext
from falcotrace.outputs.exports.finding import Finding
from falcotrace.outputs.exports.flat import COLUMNS, Cell, flat_row


def write_csv(findings: Iterable[Finding], context: ExportContext, stream: TextIO) -> int:
    """Write a header, and a row for each alert.

    Returns:
        How many alerts there were.
    """
    del context
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for finding in findings:
        writer.writerow(map(_cell, flat_row(finding).values()))
        count += 1
    return count


def _cell(value: Cell) -> str:
    match value:
        case None:
            return ""
        case int():
            return str(value)
        case list():
            return csv_text(" ".join(value))
        case str():
            return csv_text(value)
