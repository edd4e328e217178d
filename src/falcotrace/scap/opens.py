"""All opens of a batch at once: their names, flags and inodes.

In: an `EventBatch`. Out: arrays in the order of the events, and the descriptors that successful
opens make. The name and flags of the enter event win where there is one: the text of an argument
may have been changed while the call ran.

Source: libs 48dfd53c, userspace/libsinsp/parsers.cpp, `parse_open_openat_creat_exit`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.events.text import to_text
from falcotrace.scap.argument_texts import absolute_path
from falcotrace.scap.batch import NO_ROW, Bytes, EventBatch
from falcotrace.scap.descriptor import Descriptor, opened
from falcotrace.scap.parameters import numbers, parameter_index

Integers = npt.NDArray[np.int64]

AT_FDCWD = -100

O_CLOEXEC = 1 << 12
_EXIT_ONLY_FLAGS = ~np.int64((1 << 14) - 1)
"""Bits of the flags that only the kernel knows when the call returns."""

_UNREAD = np.frombuffer(b"<NA>\0", np.uint8)
"""Stands for a name that lay in memory that was not there when the call began."""

_PATH_PARAMETERS = {"open_by_handle_at": "path"}
_CODES = tuple(
    event.code
    for event in EVENT_TYPES
    if event.name in {"open", "openat", "openat2", "creat", "open_by_handle_at"}
    and event.is_exit
    and not event.flags & {"OLD_VERSION", "UNUSED"}
)


@dataclass(frozen=True, slots=True, eq=False)
class Opens:
    """Successful opens, ascending by row.

    Attributes:
        rows: the events.
        fds: the new descriptors.
        starts, lengths: the name as given, in the batch's bytes.
        dirfds: what a relative name is relative to; `AT_FDCWD` for the working directory.
        flags: Falco's open flags.
        devices, inos: of the opened file.
        is_relative: whether the name does not begin with a slash.
    """

    rows: Integers
    fds: Integers
    starts: Integers
    lengths: Integers
    dirfds: Integers
    flags: Integers
    devices: Integers
    inos: Integers
    is_relative: npt.NDArray[np.bool_]

    def raw_name(self, data: memoryview, index: int) -> str:
        """The name of one open as given."""
        start, length = int(self.starts[index]), int(self.lengths[index])
        return to_text(bytes(data[start : start + length]).split(b"\0", 1)[0])

    def name(self, data: memoryview, index: int, base: str | None) -> str:
        """The name of one open, given what it is relative to."""
        return absolute_path(base or "", self.raw_name(data, index))

    def descriptor(self, data: memoryview, index: int, base: str | None) -> Descriptor:
        """What one open makes, given what its relative name is relative to."""
        raw = self.raw_name(data, index)
        return opened(
            absolute_path(base or "", raw),
            raw,
            int(self.flags[index]),
            int(self.devices[index]),
            int(self.inos[index]),
        )


def find_opens(batch: EventBatch) -> Opens:
    """The successful opens of a batch."""
    parts = [_opens_of(batch, code) for code in _CODES if code in batch.params]
    if not parts:
        parts = [np.zeros((8, 0), np.int64)]
    whole = np.concatenate(parts, axis=1)
    whole = whole[:, np.argsort(whole[0], kind="stable")]
    rows, fds, starts, lengths, dirfds, flags, devices, inos = whole
    first = batch.data[np.minimum(starts, len(batch.data) - 1)] if len(rows) else starts
    is_relative = (first != ord("/")) | (lengths == 0)
    return Opens(rows, fds, starts, lengths, dirfds, flags, devices, inos, is_relative)


def _opens_of(batch: EventBatch, code: int) -> Integers:
    params = batch.params[code]
    event = EVENT_TYPES[code]
    count = len(params.rows)
    names = {param.name for param in event.params}
    place = parameter_index(code, _PATH_PARAMETERS.get(event.name, "name"))
    by_handle = event.name == "open_by_handle_at"
    fds = numbers(batch, code, "fd", -1)
    dirfds = numbers(batch, code, "dirfd", AT_FDCWD) if "dirfd" in names else np.full(count, -100)
    flags = numbers(batch, code, "flags") if "flags" in names else np.zeros(count, np.int64)
    starts, lengths = params.offsets[:, place], params.lengths[:, place].astype(np.int64)
    starts, lengths, dirfds, flags = _entered(batch, code, (starts, lengths, dirfds, flags))
    found = np.array(
        [
            params.rows,
            fds,
            starts,
            lengths,
            np.full(count, AT_FDCWD) if by_handle else dirfds,
            flags,
            numbers(batch, code, "dev"),
            numbers(batch, code, "ino"),
        ],
        np.int64,
    )
    return found[:, fds >= 0]


def _entered(
    batch: EventBatch, code: int, given: tuple[Integers, Integers, Integers, Integers]
) -> tuple[Integers, Integers, Integers, Integers]:
    """Take name, directory and flags of the enter events that are known."""
    enter_rows = batch.enters[batch.params[code].rows]
    entries = batch.params.get(code - 1)
    if entries is None or not (enter_rows != NO_ROW).any():
        return given
    starts, lengths, dirfds, flags = (array.copy() for array in given)
    which = np.searchsorted(entries.rows, enter_rows)
    which = np.minimum(which, len(entries.rows) - 1)
    place = parameter_index(code - 1, "name")
    names = {param.name for param in EVENT_TYPES[code - 1].params}
    known = (enter_rows != NO_ROW) & (entries.rows[which] == enter_rows)
    known &= entries.lengths[which, place] > 1
    known &= ~_is_unread(batch.data, entries.offsets[which, place], entries.lengths[which, place])
    taken = which[known]
    starts[known] = entries.offsets[taken, place]
    lengths[known] = entries.lengths[taken, place]
    if "dirfd" in names:
        dirfds[known] = numbers(batch, code - 1, "dirfd", AT_FDCWD)[taken]
    if "flags" in names:
        entered = numbers(batch, code - 1, "flags")[taken]
        flags[known] = entered | (flags[known] & _EXIT_ONLY_FLAGS)
    return starts, lengths, dirfds, flags


def _is_unread(
    data: Bytes, starts: Integers, lengths: npt.NDArray[np.signedinteger]
) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = lengths == len(_UNREAD)
    places = starts[found][:, None] + np.arange(len(_UNREAD))
    found[found] = (data[places] == _UNREAD).all(axis=1)
    return found
