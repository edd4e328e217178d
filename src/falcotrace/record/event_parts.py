"""The variable parts of one system call's events: texts, structs, buffers, lists.

In: the merged events of a block, and the table that says which parts a call has. Out: their values
as arrays. Nothing is known here of processes or files.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from falcotrace.capture.text_pool import MISSING, distinct_bytes
from falcotrace.record.known import Known, MergedEvents
from falcotrace.record.layout import BACKLOG, POLLED, USAGE, PartFlag, PartKind
from falcotrace.record.samples import gather
from falcotrace.record.syscalls import Syscall


class EventParts:
    """The events of one system call, and what travels with each.

    Args:
        number: of the call.
        rows: places of its events in the row group, ascending.
        events: all events of the row group.
        known: what is known beside them.
    """

    def __init__(self, number: int, rows: np.ndarray, events: MergedEvents, known: Known) -> None:
        self.number = number
        self.rows = rows
        self.count = len(rows)
        self._events = events
        self._known = known
        self._fixed = events.fixed[rows]

    @cached_property
    def _with_data(self) -> tuple[np.ndarray, np.ndarray]:
        """Which events carry parts (a mask), and their index among those."""
        index = self._events.data_index[self.rows]
        return index >= 0, index[index >= 0]

    @cached_property
    def cut_parts(self) -> np.ndarray:
        """Parts that are longer than their limit or could not be read, each a bit, by number."""
        cut = np.zeros(self.count, np.int64)
        mask, index = self._with_data
        flags = self._events.with_data["part"]["flags"][index]
        is_cut = flags & (PartFlag.CUT | PartFlag.FAULT) != 0
        cut[mask] = is_cut @ (1 << np.arange(is_cut.shape[1]))
        return cut

    @cached_property
    def _syscall(self) -> Syscall | None:
        return self._known.syscalls.get(self.number)

    @cached_property
    def part_places(self) -> Sequence[tuple[PartKind, int]]:
        """The variable parts of the events, in their order: kind and argument."""
        if self._syscall is None:
            return ()
        parts = self._syscall.parts_sent(self._known.data_bytes)
        return [(part.kind, part.arg) for part in parts]

    def _part(self, kind: PartKind, place: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Where a part lies: which events have it (indices), start, length; None if none can."""
        numbers = [at for at, part in enumerate(self.part_places) if part == (kind, place)]
        if not numbers:
            return None
        found = [self._numbered_part(number, kind) for number in numbers]
        if len(found) == 1:
            return found[0]
        # Which one an event has depends on what it asked for; none has two.
        where, starts, lengths = (np.concatenate(pieces) for pieces in zip(*found, strict=True))
        order = np.argsort(where)
        return where[order], starts[order], lengths[order]

    def _numbered_part(
        self, number: int, kind: PartKind
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        mask, index = self._with_data
        parts = self._events.with_data["part"][index]
        starts = self._events.parts_start[index] + parts["len"][:, :number].sum(
            axis=1, dtype=np.int64
        )
        is_null = parts["flags"][:, number] & PartFlag.NULL != 0
        present = (parts["kind"][:, number] == kind) & ~is_null
        where = np.flatnonzero(mask)[present]
        return where, starts[present], parts["len"][present, number].astype(np.int64)

    def part_codes(self, kind: PartKind, place: int) -> np.ndarray:
        """Codes of a text part; MISSING where there is none."""
        codes = np.full(self.count, MISSING, np.int32)
        part = self._part(kind, place)
        if part is not None and len(part[0]):
            where, starts, lengths = part
            codes[where] = self._known.pool.codes_in(self._events.data, starts, lengths)
        return codes

    def part_bytes(self, kind: PartKind, place: int) -> tuple[np.ndarray, list[bytes], np.ndarray]:
        """A part's bytes: rows that have it, the distinct values, and which one each row has."""
        part = self._part(kind, place)
        if part is None:
            return np.empty(0, np.int64), [], np.empty(0, np.int64)
        where, starts, lengths = part
        distinct, indices = distinct_bytes(self._events.data, starts, lengths)
        return self.rows[where], distinct, indices

    def part_values(self, kind: PartKind, place: int) -> tuple[list[bytes], np.ndarray]:
        """A part's distinct values, and which one each event has; -1 for none."""
        which = np.full(self.count, -1, np.int64)
        part = self._part(kind, place)
        if part is None:
            return [], which
        where, starts, lengths = part
        found, which[where] = distinct_bytes(self._events.data, starts, lengths)
        return found, which

    def polled(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """The entries of lists of descriptors (`POLLED`), and how many each event has."""
        counts = np.zeros(self.count, np.int64)
        part = self._part(PartKind.POLL, place)
        if part is None:
            return np.empty(0, POLLED), counts
        where, starts, lengths = part
        counts[where] = lengths // POLLED.itemsize
        owners = np.repeat(np.arange(len(where)), counts[where])
        within = np.arange(len(owners)) - (np.cumsum(counts[where]) - counts[where])[owners]
        return gather(self._events.data, starts[owners] + within * POLLED.itemsize, POLLED), counts

    def vector_bytes(self, kind: PartKind, place: int) -> tuple[np.ndarray, np.ndarray]:
        """How many bytes the vectors at an argument have room for."""
        values = np.zeros(self.count, np.uint64)
        valid = np.zeros(self.count, np.bool_)
        part = self._part(kind, place)
        if part is not None:
            where, starts, _ = part
            values[where] = gather(self._events.data, starts, np.dtype([("size", "<u8")]))["size"]
            valid[where] = True
        return values, valid

    def struct_numbers(self, place: int, offset: int, length: int) -> tuple[np.ndarray, np.ndarray]:
        """A number inside the struct at an argument."""
        values = np.zeros(self.count, np.uint64)
        valid = np.zeros(self.count, np.bool_)
        part = self._part(PartKind.BYTES, place)
        if part is not None:
            where, starts, lengths = part
            whole = lengths >= offset + length
            dtype = np.dtype([("number", f"<u{length}")])
            values[where[whole]] = gather(self._events.data, starts[whole] + offset, dtype)[
                "number"
            ]
            valid[where[whole]] = True
        return values, valid

    def part_numbers(self, name: str, member: str) -> tuple[np.ndarray, np.ndarray]:
        """A member of a usage or backlog part."""
        kind = PartKind.USAGE if name == "usage" else PartKind.BACKLOG
        dtype = USAGE if name == "usage" else BACKLOG
        values = np.zeros(self.count, np.uint64)
        valid = np.zeros(self.count, np.bool_)
        for candidate, place in self.part_places:
            if candidate is kind and (part := self._part(kind, place)):
                where, starts, lengths = part
                whole = lengths >= dtype.itemsize
                values[where[whole]] = gather(self._events.data, starts[whole], dtype)[member]
                valid[where[whole]] = True
        return values, valid
