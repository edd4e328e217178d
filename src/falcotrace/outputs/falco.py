"""Alerts as Falco writes them: one line of text, or one JSON object a line.

Source: RULES_LANGUAGE 7.5 and 7.6 (falco 13074749, userspace/falco/outputs.cpp,
userspace/engine/formats.cpp), with `time_format_iso_8601` and the suggested output fields.
"""

import json
from collections.abc import Mapping

from falcotrace.alerts import Alert
from falcotrace.outputs.cells import printable_json
from falcotrace.outputs.escape import for_terminal, readable
from falcotrace.outputs.times import iso_time


def text_line(alert: Alert) -> str:
    """One alert in Falco's line format: `time: Priority message`."""
    message = for_terminal(alert.output)
    return f"{iso_time(alert.time_ns, '+0000')}: {alert.priority.title} {message}"


def json_line(alert: Alert, more: Mapping[str, object] | None = None) -> str:
    """One alert as a JSON object with Falco's keys, and more of them, safe on a terminal."""
    fields = {**json_fields(alert), **(more or {})}
    return printable_json(json.dumps(fields, ensure_ascii=False, default=_plain, sort_keys=True))


def json_fields(alert: Alert) -> dict[str, object]:
    """What Falco's JSON says of an alert, by key."""
    prefix = f"{iso_time(alert.time_ns, '+0000')}: {alert.priority.title} "
    fields = {
        name: readable(value) if isinstance(value, str) else value
        for name, value in alert.output_fields.items()
    }
    # Of a rule about several events; Falco has neither.
    steps = {"steps": list(alert.steps)} if alert.steps else {}
    return {
        **steps,
        "hostname": readable(alert.hostname),
        "output": prefix + readable(alert.output),
        "output_fields": {"evt.time.iso8601": alert.time_ns, **fields},
        "priority": alert.priority.title,
        "rule": alert.rule.name,
        "source": alert.source,
        "tags": sorted(alert.tags),
        "time": iso_time(alert.time_ns),
    }


def _plain(value: object) -> object:
    """What JSON has no form for: sets and tuples as arrays, bytes as readable text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    return str(value)
