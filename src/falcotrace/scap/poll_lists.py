"""Lists of descriptors in imported events: the values of `fds`, taken apart.

In: the values of `fds`, and the state. Out: columns, which `capture/descriptor_lists.py` makes. All
entries of all lists stand in one array.
"""

import numpy as np

from falcotrace.capture.columns import Columns
from falcotrace.capture.descriptor_lists import (
    DescriptorLists,
    put_list_argument,
    put_list_columns,
)
from falcotrace.scap.argument_values import (
    Values,
    delivered_values,
    joined_values,
    read_numbers,
)
from falcotrace.scap.batch import Bytes, EventBatch, Integers
from falcotrace.scap.parameter_places import places_of
from falcotrace.scap.resolver import Resolver

_COUNT_BYTES = 2
_ENTRY_BYTES = 10  # a descriptor of 64 bits and flags of 16


def put_poll_argument(
    name: str, values: Values, data: Bytes, resolver: Resolver, columns: Columns
) -> None:
    """Fill the argument that is a list."""
    lists, _owners = _lists(values, data, resolver)
    put_list_argument(name, lists, resolver.pool, columns)


def put_fd_lists(batch: EventBatch, resolver: Resolver, columns: Columns) -> None:
    """Fill the columns `fdlist.*`."""
    found = [place for place in places_of("fds") if place.code in batch.params]
    if not found:
        return
    parts = [delivered_values(batch, place.code, place.index) for place in found]
    lists, owners = _lists(joined_values(parts), batch.data, resolver)
    names = resolver.descriptor_names(owners, lists.fds)
    put_list_columns(lists, names, resolver.pool, columns)


def _lists(values: Values, data: Bytes, resolver: Resolver) -> tuple[DescriptorLists, Integers]:
    """The entries of all lists, and the event of each entry."""
    values = values.where(values.lengths >= _COUNT_BYTES)
    room = (values.lengths.astype(np.int64) - _COUNT_BYTES) // _ENTRY_BYTES
    # The count is the file's word; what there is room for is the truth.
    counts = np.minimum(read_numbers(data, values.offsets, 2, is_signed=False), room)
    owners = np.repeat(np.arange(len(values)), counts)
    firsts = np.cumsum(counts) - counts
    within = np.arange(len(owners)) - firsts[owners]
    places = values.offsets[owners] + _COUNT_BYTES + _ENTRY_BYTES * within
    fds = read_numbers(data, places, 8, is_signed=True)
    flags = read_numbers(data, places + 8, 2, is_signed=True)
    texts = resolver.descriptor_texts(values.rows[owners], fds)
    return DescriptorLists(values.rows, counts, fds, flags, texts), values.rows[owners]
