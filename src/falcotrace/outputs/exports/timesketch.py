"""Alerts as a timeline for Timesketch: one JSON object a line, flat, with its required columns.

Source: Timesketch, https://timesketch.org/guides/user/import-from-json-csv/ (google/timesketch,
timesketch/lib/utils.py, read_and_validate_jsonl): `message`, `datetime` in ISO 8601 and
`timestamp_desc` must be there; `timestamp` counts microseconds; `tag` is a list of labels.
"""

from falcotrace.outputs.cells import json_text
from falcotrace.outputs.exports.context import ExportContext
from falcotrace.outputs.exports.finding import Finding, present
from falcotrace.outputs.exports.flat import flat_row
from falcotrace.outputs.times import iso_time

_NS_PER_US = 1000
_DIGITS_OF_NS = 3


def timesketch_line(finding: Finding, context: ExportContext) -> str:
    """One alert as an event of a timeline."""
    del context
    time_ns = finding.alert.time_ns
    row = flat_row(finding)
    tags = row.pop("tags")
    del row["time"]
    return json_text(
        {
            "message": row.pop("description"),
            "datetime": f"{iso_time(time_ns, '')[:-_DIGITS_OF_NS]}+00:00",
            "timestamp": time_ns // _NS_PER_US,
            "timestamp_desc": "Rule matched",
            "data_type": "falcotrace:alert",
            "tag": tags,
            **present(**row),
        }
    )
