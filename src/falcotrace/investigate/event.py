"""One event with everything that its row says.

In: an open capture, an `evt.num`. Out: values by column, those that it has.
"""

from collections.abc import Iterator, Mapping

from falcotrace.capture.reader import Capture
from falcotrace.engines.capture_database import DatabaseOptions, connect_captures
from falcotrace.errors import CaptureError


def event_fields(capture: Capture, num: int) -> dict[str, object]:
    """An event, by the paths of its columns; columns without a value are left out.

    Raises:
        CaptureError: there is no such event.
    """
    connection = connect_captures([capture], DatabaseOptions(is_confined=False))
    query = f"SELECT * FROM events WHERE evt.num = {int(num)}"  # noqa: S608 - a whole number
    rows = connection.sql(query).to_arrow_table().to_pylist()
    if not rows:
        raise CaptureError(capture.path, f"has no event {num}")
    return dict(_flat(rows[0], ""))


def _flat(values: Mapping[str, object], before: str) -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif value is not None:
            yield f"{before}{name}", value
