"""The states of processes as a relation that SQL can ask.

In: an open capture. Out: an Arrow table with columns nested as in a capture.
"""

from collections.abc import Iterable, Mapping

import pyarrow as pa

from falcotrace.capture.data import CaptureData
from falcotrace.capture.reader import RowGroup
from falcotrace.engines.capture_source import PROCESS_KEY, first_time_ns


def states_of(
    place: int, capture: CaptureData, group: RowGroup, columns: Iterable[str]
) -> pa.Table:
    """The relation `states` (`engines.sql.batch`) for one row group.

    Args:
        place: the number of the capture's file in the query.
        capture: the capture.
        group: the row group.
        columns: paths of the columns of the process that the query asks for.

    Raises:
        CaptureError: the file is damaged.
    """
    processes = capture.processes(group.index)
    count = len(processes)
    first_row = sum(other.row_count for other in capture.row_groups[: group.index])
    numbers = {
        "file": place,
        "first_row": first_row,
        "last_row": first_row + group.row_count - 1,
        "first_event_ns": first_time_ns(capture.footer),
    }
    return pa.table(
        {
            **{
                name: pa.repeat(pa.scalar(value, pa.int64()), count)
                for name, value in numbers.items()
            },
            "host_name": pa.repeat(pa.scalar(capture.footer.host.hostname, pa.string()), count),
            "key": processes[PROCESS_KEY].combine_chunks(),
            **_nested({path: _plain(processes[path]) for path in columns}),
        }
    )


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """The column without dictionaries: those of row groups differ, and tables are put together."""
    array = column.combine_chunks()
    kind = array.type
    if pa.types.is_dictionary(kind):
        return array.dictionary_decode()
    if pa.types.is_list(kind) and pa.types.is_dictionary(kind.value_type):
        return array.cast(pa.list_(kind.value_type.value_type))
    return array


def _nested(columns: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """Columns as structs: `proc.name` is the member `name` of `proc`."""
    members: dict[str, dict[str, pa.Array]] = {}
    nested: dict[str, pa.Array] = {}
    for path, array in columns.items():
        head, _, rest = path.partition(".")
        if rest:
            members.setdefault(head, {})[rest] = array
        else:
            nested[head] = array
    for head, inside in members.items():
        arrays = _nested(inside)
        nested[head] = pa.StructArray.from_arrays(list(arrays.values()), list(arrays))
    return nested
