"""Small captures written with the real writer, from plain Python values."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from falcotrace.capture.footer import Footer, Host
from falcotrace.capture.reader import Capture, open_capture
from falcotrace.capture.schema import flat_type
from falcotrace.capture.writer import CaptureWriter
from falcotrace.events.columns import COLUMNS, Scope

Row = Mapping[str, object]


def write_capture(
    path: Path, groups: Sequence[Sequence[Row]], footer: Footer | None = None
) -> Capture:
    """Write events, a list for each row group, and open the capture.

    Args:
        path: the file to write.
        groups: events as column values by path, process columns among them; `evt.num` and
            `evt.time` count on by themselves where they are left out.
        footer: what the capture says about itself.
    """
    number = 0
    with CaptureWriter(path) as writer:
        for rows in groups:
            numbered = []
            for row in rows:
                number += 1
                numbered.append({"evt.num": number, "evt.time": number * 1000, **row})
            writer.write_row_group(*_tables(numbered))
        writer.close(footer or Footer(host=Host(hostname="web-1")))
    return open_capture(path)


def _tables(rows: Sequence[Row]) -> tuple[dict[str, pa.Array], pa.Table]:
    paths = list(dict.fromkeys(path for row in rows for path in row))
    of_process = [path for path in paths if COLUMNS[path].scope is Scope.PROCESS]
    states: dict[str, int] = {}
    first: list[Row] = []
    keys = []
    for row in rows:
        state = repr([row.get(path) for path in of_process])
        if state not in states:
            states[state] = len(states)
            first.append(row)
        keys.append(states[state])
    events = {
        path: array_of(path, [row.get(path) for row in rows])
        for path in paths
        if path not in of_process
    }
    events["proc.key"] = pa.array(keys, pa.int64())
    processes = {"proc.key": pa.array(range(len(first)), pa.int64())}
    for path in of_process:
        processes[path] = array_of(path, [row.get(path) for row in first])
    return events, pa.table(processes)


def array_of(path: str, values: Sequence[object]) -> pa.Array:
    """Values as the column's Arrow type; text as a dictionary, as recorders hand it over."""
    kind = flat_type(path)
    if pa.types.is_dictionary(kind):
        return pa.array(values, pa.string()).dictionary_encode()
    if pa.types.is_list(kind):
        element = pa.string() if pa.types.is_dictionary(kind.value_type) else kind.value_type
        return pa.array(values, pa.list_(element))
    return pa.array(values, kind)
