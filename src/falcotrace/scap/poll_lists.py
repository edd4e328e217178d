"""Lists of descriptors, which poll and ppoll take: their argument, and the columns `fdlist.*`.

In: the values of `fds`, and the state. Out: columns. All entries of all lists stand in one array;
lists that show the same are joined once.

Source: libs 48dfd53c, userspace/libsinsp/sinsp_filtercheck_fdlist.cpp (FIELDS 4.12).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from falcotrace.capture.columns import Columns
from falcotrace.capture.distinct import distinct
from falcotrace.capture.text_pool import MISSING, TextPool, distinct_bytes
from falcotrace.scap.argument_texts import codes_of
from falcotrace.scap.argument_values import (
    Values,
    delivered_values,
    joined_values,
    read_numbers,
)
from falcotrace.scap.batch import Bytes, EventBatch, Integers
from falcotrace.scap.parameter_places import places_of
from falcotrace.scap.resolver import Codes, Resolver

_COUNT_BYTES = 2
_ENTRY_BYTES = 10  # a descriptor of 64 bits and flags of 16
_MOST_CHARACTERS = 1 << 27
"""Of all lists of a batch; ten bytes of a hostile list can stand for a name of a thousand."""

_UNKNOWN_TYPE = "?"
_NO_NAME = "<NA>"
_ANY_ADDRESS = {"4": "0.0.0.0", "6": "::"}  # noqa: S104 - a text, nothing is bound


@dataclass(frozen=True, slots=True, eq=False)
class _Entries:
    """The entries of all lists: event, descriptor, flags; and how many each list has."""

    rows: Integers
    fds: Integers
    flags: Integers
    counts: Integers


def put_poll_argument(
    name: str, values: Values, data: Bytes, resolver: Resolver, columns: Columns
) -> None:
    """Fill the argument that is a list: `3:f1 4:p0`, the type's character and the flags."""
    values, entries = _entries(values, data)
    pool = resolver.pool
    texts = resolver.descriptor_texts(entries.rows, entries.fds)
    kinds = _of_texts(pool, texts, lambda text: text[1:2] if text else _UNKNOWN_TYPE)
    triples = np.stack([entries.fds, entries.flags, kinds.astype(np.int64)], axis=1)
    found, indices = _distinct_rows(triples)
    shown = [
        f"{fd % (1 << 64)}:{pool[kind]}{flags % (1 << 32):x}" for fd, flags, kind in found.tolist()
    ]
    codes = _joined(pool.codes(shown)[indices], entries.counts, pool, " ")
    columns.put_codes(f"evt.arg.{name}", values.rows, codes)


def put_fd_lists(batch: EventBatch, resolver: Resolver, columns: Columns) -> None:
    """Fill the columns `fdlist.*`."""
    found = [place for place in places_of("fds") if place.code in batch.params]
    if not found:
        return
    parts = [delivered_values(batch, place.code, place.index) for place in found]
    values, entries = _entries(joined_values(parts), batch.data)
    pool = resolver.pool
    names = resolver.descriptor_names(entries.rows, entries.fds)
    nameless = (names == MISSING) | (names == pool.code(""))
    shown = {
        "nums": codes_of(pool, entries.fds, str),
        "names": np.where(nameless, np.int32(pool.code(_NO_NAME)), names),
    }
    texts = resolver.descriptor_texts(entries.rows, entries.fds)
    for field, part in _END_PARTS.items():
        shown[field] = _of_texts(pool, texts, part)
    for field, codes in shown.items():
        joined = _joined(codes, entries.counts, pool, ",")
        joined[joined == pool.code("")] = MISSING
        columns.put_codes(f"fdlist.{field}", values.rows, joined)


def _entries(values: Values, data: Bytes) -> tuple[Values, _Entries]:
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
    return values, _Entries(values.rows[owners], fds, flags, counts)


def _of_texts(pool: TextPool, codes: Codes, part: Callable[[str | None], str | None]) -> Codes:
    found, indices = distinct(codes)
    return pool.codes([part(text) for text in pool.texts(found)])[indices]


def _distinct_rows(numbers: Integers) -> tuple[Integers, Integers]:
    if not len(numbers):
        return numbers, np.empty(0, np.int64)
    found, indices = np.unique(numbers, axis=0, return_inverse=True)
    return found, indices.reshape(-1)


def _joined(codes: Codes, counts: Integers, pool: TextPool, separator: str) -> Codes:
    """Codes of the joined texts of each list; entries without a text are left out.

    Lists beyond a limit have none.
    """
    data = np.ascontiguousarray(codes, np.int32).view(np.uint8)
    starts = (np.cumsum(counts) - counts) * 4
    found, indices = distinct_bytes(data, starts, counts * 4)
    texts: list[str | None] = []
    room = _MOST_CHARACTERS
    for raw in found:
        text = separator.join(filter(None, pool.texts(np.frombuffer(raw, np.int32))))
        room -= len(text)
        texts.append(text if room >= 0 else None)
    return pool.codes(texts)[indices] if len(counts) else np.empty(0, np.int32)


def _end(text: str | None, *, is_client: bool, is_port: bool) -> str | None:
    """One part of one end of an IP socket, of which `text` is `<4t>` and its ends."""
    if text is None or text[1:2] not in _ANY_ADDRESS:
        return None
    name = text.partition(">")[2]
    left, arrow, right = name.partition("->")
    is_listening = bool(left) and not arrow
    if is_listening and is_client and not is_port:
        return None
    # Falco's list of client ports shows the port of a listening socket as well.
    end = left if is_listening or is_client else right
    address, _, port = end.rpartition(":")
    return (port or "0") if is_port else (address or _ANY_ADDRESS[text[1]])


_END_PARTS: dict[str, Callable[[str | None], str | None]] = {
    "cips": lambda text: _end(text, is_client=True, is_port=False),
    "sips": lambda text: _end(text, is_client=False, is_port=False),
    "cports": lambda text: _end(text, is_client=True, is_port=True),
    "sports": lambda text: _end(text, is_client=False, is_port=True),
}
