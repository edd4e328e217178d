"""Makes a capture of the events that Falco printed, field by field, for comparison with its alerts.

Falco's own rendering stands in for a recorder: what the engine then answers must be what Falco
answered. Fields that Falco did not print (argv word by word, deep ancestors, container images) are
missing, so rules about them are left out of comparisons.
"""

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from falcotrace.capture.footer import Footer, Host
from falcotrace.capture.reader import Capture, open_capture
from falcotrace.capture.writer import CaptureWriter
from falcotrace.events.columns import COLUMNS, Scope
from falcotrace.events.event_types import Param, current_events
from falcotrace.events.fields import FIELDS, Storage
from small_captures import array_of

ROWS_PER_GROUP = 20_000
_NO_PARENTHESIS = frozenset({"CHARBUF", "BYTEBUF", "SOCKTUPLE"})
_MISSING = frozenset({"<NA>", "NULL"})

Event = Mapping[str, Any]


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a compressed file of JSON lines."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def capture_of_events(events: Sequence[Event], out: Path) -> Capture:
    """Write Falco's events as a capture and open it."""
    states: dict[str, int] = {}
    rows_of_states: list[dict[str, Any]] = []
    keys = []
    columns: dict[str, list[Any]] = {}
    for number, event in enumerate(events):
        row = {**_stored_fields(event), **_arguments(event)}
        process = _process_row(event)
        state = repr(process)
        if state not in states:
            states[state] = len(states)
            rows_of_states.append(process)
        keys.append(states[state])
        for path, value in row.items():
            if path not in columns:
                columns[path] = [None] * len(events)
            columns[path][number] = value
    arrays = {path: array_of(path, values) for path, values in columns.items()}
    arrays["proc.key"] = pa.array(keys, pa.int64())
    processes = {"proc.key": pa.array(range(len(states)), pa.int64())}
    for path in rows_of_states[0]:
        processes[path] = array_of(path, [row[path] for row in rows_of_states])
    with CaptureWriter(out) as writer:
        for start in range(0, len(events), ROWS_PER_GROUP):
            part = {path: array.slice(start, ROWS_PER_GROUP) for path, array in arrays.items()}
            writer.write_row_group(part, pa.table(processes))
        writer.close(Footer(host=Host(hostname="vm")))
    return open_capture(out)


def _stored_fields(event: Event) -> dict[str, Any]:
    """Columns of the event and its descriptor that Falco printed."""
    row = {
        path: event[name]
        for name, path in _columns(frozenset(event), of_process=False)
        if event[name] is not None
    }
    row["evt.time"] = event["evt.rawtime"]
    if event["fd.dev"] is not None:
        row["fd.dev"] = int(event["fd.dev"], 16)
    for side, end in (("left", "c"), ("right", "s")):
        row[f"fd.ip_{side}"], row[f"fd.port_{side}"] = event[f"fd.{end}ip"], event[f"fd.{end}port"]
    return row


@cache
def _columns(names: frozenset[str], *, of_process: bool) -> tuple[tuple[str, str], ...]:
    """Printed fields that are columns as they are, with their paths."""
    stored = [
        FIELDS[name]
        for name in sorted(names & FIELDS.keys())
        if FIELDS[name].storage is Storage.COLUMN
    ]
    return tuple(
        (field.name, field.path)
        for field in stored
        if (COLUMNS[field.path].scope is Scope.PROCESS) == of_process
    )


def _process_row(event: Event) -> dict[str, Any]:
    """Columns of the process state."""
    columns = _columns(frozenset(event), of_process=True)
    row: dict[str, Any] = {path: event[name] for name, path in columns}
    row["proc.aname"] = _until_missing([event["proc.pname"], *_ancestors(event)])
    row["proc.acmdline"] = _until_missing([event["proc.acmdline[1]"]])
    row["proc.aexepath"] = _until_missing([event["proc.pexepath"]])
    row["proc.apid"] = _until_missing([event["proc.ppid"]])
    row["proc.argv"] = [event["proc.args"]] if event["proc.args"] else []
    row["proc.env"] = [event["proc.env"]] if event["proc.env"] else []
    return {
        **row,
        "container.id": "host",
        "container.name": "host",
        "container.image.repository": "",
        "container.image.tag": "",
    }


def _ancestors(event: Event) -> list[str | None]:
    return [event[f"proc.aname[{index}]"] for index in (2, 3, 4, 5)]


def _until_missing(values: list[Any]) -> list[Any]:
    while values and values[-1] is None:
        values.pop()
    return values


def _arguments(event: Event) -> dict[str, Any]:
    """`evt.args` taken apart into columns."""
    described = current_events().get(event["evt.type"])
    if described is None or not described.params:
        return {}
    match = _pattern(described.params).fullmatch(event["evt.args"])
    row: dict[str, Any] = {}
    for param, text in zip(described.params, match.groups() if match else (), strict=False):
        if text not in _MISSING:
            row |= _argument(param, text)
    return row


@cache
def _pattern(params: tuple[Param, ...]) -> re.Pattern[str]:
    return re.compile(" ".join(f"{re.escape(param.name)}=(.*?)" for param in params), re.DOTALL)


def _argument(param: Param, text: str) -> dict[str, Any]:
    raw, shown = text, text
    if text.endswith(")") and "(" in text[1:] and param.type not in _NO_PARENTHESIS:
        raw, _, shown = text[:-1].partition("(")
    if param.name == "data":
        return {"evt.buffer": raw.encode()}
    row: dict[str, Any] = {}
    plain, behind = COLUMNS.get(f"evt.arg.{param.name}"), COLUMNS.get(f"evt.rawarg.{param.name}")
    if plain is not None:
        row[plain.path] = _value(plain.type, raw, shown, param)
    if behind is not None and behind.type == "string":
        row[behind.path] = raw if raw != shown else None
    elif behind is not None:
        row[behind.path] = _number(raw, param)
    return row


def _value(kind: str, raw: str, shown: str, param: Param) -> object:
    if kind in {"int64", "uint64"}:
        number = _number(raw, param)
        return None if number is None else number % (1 << 64) if kind == "uint64" else number
    return shown.encode() if kind == "binary" else shown


def _number(raw: str, param: Param) -> int | None:
    base = 16 if param.format == "HEX" and "FLAGS" not in param.type else 10
    if param.type == "MODE" or param.format == "OCT":
        base = 8
    try:
        return int(raw, base)
    except ValueError:
        return None
