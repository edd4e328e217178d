"""The columns `fs.path.*`: which paths a successful call acted on.

In: the events of one call, whose arguments hold the paths. Out: columns: name for calls with one
path, source and target for calls with two; absolute, and as given.

Source: libs 48dfd53c, userspace/libsinsp/sinsp_filtercheck_fspath.cpp (FIELDS 5).
"""

import numpy as np

from falcotrace.capture.columns import Columns
from falcotrace.capture.text_pool import MISSING
from falcotrace.events.derived import OPEN_MODE_EVENTS
from falcotrace.events.event_types import EventType
from falcotrace.events.path_fields import DESCRIPTOR_EVENTS, PATH_ARGUMENTS
from falcotrace.record.argument_sources import sources
from falcotrace.record.call import CallEvents
from falcotrace.record.layout import PartKind


def put_fs_paths(event: EventType, call: CallEvents, columns: Columns) -> None:
    """Fill `fs.path.*` of all events of one call that succeeded."""
    # Of opens Falco compares the result with -1 and not with 0: failed ones count.
    counts = call.results != -1 if event.name in OPEN_MODE_EVENTS else call.results >= 0
    if event.name in DESCRIPTOR_EVENTS:
        _put("name", np.where(counts, call.file_names, MISSING), None, call, columns)
    given: dict[str, np.ndarray] = {}
    absolute: dict[str, np.ndarray] = {}
    for field, argument in PATH_ARGUMENTS.get(event.name, {}).items():
        source = sources()[event.name][argument]
        slot = int(source.operands[1]) if len(source.operands) > 1 else None
        given[field] = np.where(counts, call.part_codes(PartKind.STRING, source.place), MISSING)
        # DIFFERS: Falco finds no directory for AT_FDCWD in most calls and puts <UNKNOWN> before the
        # path; of renameat and linkat it ignores directories.
        absolute[field] = call.absolute_paths(given[field], slot)
        if argument == "target":
            # DIFFERS: a link's target is relative to the link; Falco takes the working directory,
            # or puts <UNKNOWN> before it.
            bases = call.parents(absolute["source"])
            absolute[field] = call.joined_paths(bases, given[field])
    for field, codes in absolute.items():
        _put(field, codes, given[field], call, columns)


def _put(
    field: str,
    absolute: np.ndarray,
    given: np.ndarray | None,
    call: CallEvents,
    columns: Columns,
) -> None:
    columns.put_codes(f"fs.path.{field}", call.rows, absolute)
    columns.put_codes(f"fs.path.{field}raw", call.rows, absolute if given is None else given)
