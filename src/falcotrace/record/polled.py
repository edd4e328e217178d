"""What poll and ppoll wait for: their argument, and the columns `fdlist.*`.

In: the events of one call, whose samples name the file behind each descriptor. Out: columns.
"""

import numpy as np

from falcotrace.capture.columns import Columns
from falcotrace.capture.descriptor_lists import (
    DescriptorLists,
    put_list_argument,
    put_list_columns,
)
from falcotrace.capture.distinct import distinct
from falcotrace.events.event_types import Param
from falcotrace.events.flags import FLAG_TABLES
from falcotrace.record.call import CallEvents

_POLL_FLAGS = FLAG_TABLES["poll_flags"]


def put_polled(param: Param, place: int, call: CallEvents, columns: Columns) -> None:
    """Fill the list of what was waited for, with what happened there."""
    entries, counts = call.polled(place)
    ids = entries["file_id"].astype(np.int64)
    native, indices = distinct(entries["revents"].astype(np.int64) & 0xFFFF)
    flags = np.array([_POLL_FLAGS.flags_from_linux(bits) for bits in native.tolist()], np.int64)
    lists = DescriptorLists(
        rows=call.rows,
        counts=counts,
        fds=entries["fd"].astype(np.int64),
        flags=flags[indices],
        texts=call.file_texts(ids),
    )
    put_list_argument(param.name, lists, call.pool, columns)
    put_list_columns(lists, call.file_name_codes(ids), call.pool, columns)
