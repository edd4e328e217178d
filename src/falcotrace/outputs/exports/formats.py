"""The formats that alerts can be exported in: one table.

In: alerts with their events, and a stream. Out: a document of the format on it. Lines are written
as alerts come, so memory does not grow with their number; SARIF and STIX are single documents, and
written as they come too.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TextIO

from falcotrace.alerts import Evidence
from falcotrace.errors import FalcoTraceError
from falcotrace.outputs.exports.context import ExportContext
from falcotrace.outputs.exports.ecs import ecs_line
from falcotrace.outputs.exports.finding import Finding
from falcotrace.outputs.exports.navigator import write_fired
from falcotrace.outputs.exports.ocsf import ocsf_line
from falcotrace.outputs.exports.sarif import write_sarif
from falcotrace.outputs.exports.spreadsheet import write_csv
from falcotrace.outputs.exports.stix import write_stix
from falcotrace.outputs.exports.timesketch import timesketch_line
from falcotrace.outputs.falco import json_line

_Write = Callable[[Iterable[Finding], ExportContext, TextIO], int]
_Line = Callable[[Finding, ExportContext], str]


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """One format.

    Attributes:
        about: what it is, in a few words.
        write: writes findings on a stream, returns how many alerts there were.
        needs_events: whether it tells more of an event than the rule's output does.
    """

    about: str
    write: _Write
    needs_events: bool = True


def _lines(line: _Line) -> _Write:
    """A format of one line for each alert."""

    def write(findings: Iterable[Finding], context: ExportContext, stream: TextIO) -> int:
        count = 0
        for finding in findings:
            stream.write(f"{line(finding, context)}\n")
            count += 1
        return count

    return write


def _falco_line(finding: Finding, context: ExportContext) -> str:
    del context
    return json_line(finding.alert, {"capture": finding.capture})


EXPORT_FORMATS: Final[Mapping[str, ExportFormat]] = {
    "falco": ExportFormat("Falco's JSON lines", _lines(_falco_line), needs_events=False),
    "ecs": ExportFormat("Elastic Common Schema, JSON lines", _lines(ecs_line)),
    "ocsf": ExportFormat("OCSF Detection Findings, JSON lines", _lines(ocsf_line)),
    "sarif": ExportFormat("SARIF 2.1.0", write_sarif),
    "csv": ExportFormat("CSV", write_csv),
    "timesketch": ExportFormat("timeline for Timesketch, JSON lines", _lines(timesketch_line)),
    "navigator": ExportFormat("layer for the ATT&CK Navigator", write_fired, needs_events=False),
    "stix": ExportFormat("bundle of STIX 2.1", write_stix),
}
"""All formats, by the name that users give."""


def export_format(name: str) -> ExportFormat:
    """A format by its name.

    Raises:
        FalcoTraceError: there is none; says which there are.
    """
    if name not in EXPORT_FORMATS:
        raise FalcoTraceError(f"expected one of {', '.join(EXPORT_FORMATS)}, found {name!r}")
    return EXPORT_FORMATS[name]


def write_export(
    name: str, alerts: Iterable[Evidence], context: ExportContext, stream: TextIO
) -> int:
    """Write alerts in a format.

    Args:
        name: one of `EXPORT_FORMATS`.
        alerts: with their events, where the format needs them.
        context: what is told beside them.
        stream: where to.

    Returns:
        How many alerts there were.

    Raises:
        FalcoTraceError: there is no such format.
        CaptureError: a capture is damaged.
    """
    return export_format(name).write(map(Finding, alerts), context, stream)
