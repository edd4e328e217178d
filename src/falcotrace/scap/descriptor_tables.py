"""Tables of descriptors: what stands behind each number of a process, and how numbers move.

In: opens, closes and duplicates, in order. Out: tables as of now, the history of the batch, and the
descriptors themselves. A descriptor is immutable and shared by all numbers and tables that it was
copied to; what changes it for one number makes another one.

Source: libs 48dfd53c, userspace/libsinsp/parsers.cpp.
"""

import numpy as np
import numpy.typing as npt

from falcotrace.scap import sockets
from falcotrace.scap.batch import EventBatch
from falcotrace.scap.descriptor import CONNECTIONS, Descriptor
from falcotrace.scap.descriptor_set import DescriptorSet, OpenedFiles
from falcotrace.scap.descriptor_table import (
    CLOSED,
    MOST_ENTRIES,
    DescriptorLog,
    DescriptorTable,
)
from falcotrace.scap.interfaces import Interfaces
from falcotrace.scap.moves import MoveKind, Moves
from falcotrace.scap.opens import AT_FDCWD, Opens
from falcotrace.scap.threads import Thread, ThreadTable

Integers = npt.NDArray[np.int64]

UNKNOWN_DIRECTORY = "<UNKNOWN>"


_MOST_PASSED_ON = 4_000_000
"""Entries of all tables up to which a child gets those of its parent; a hostile capture may make a
hundred thousand children of a process with thousands."""

_NO_TABLE = DescriptorTable(-1)
"""Stands for the table of a thread that has none."""

# Members of an enumeration take longer to find than the rest of a step of the inner loop.
_OPEN, _CLOSE = int(MoveKind.OPEN), int(MoveKind.CLOSE)
_DUPLICATE, _SET_CLOSING = int(MoveKind.DUPLICATE), int(MoveKind.SET_CLOSING)


class DescriptorTables:
    """Tables of descriptors and what changes them.

    Args:
        threads: the table of threads.
        interfaces: the machine's addresses.
    """

    def __init__(self, threads: ThreadTable, interfaces: Interfaces) -> None:
        self._threads = threads
        self._interfaces = interfaces
        self._made: list[Descriptor | int] = []
        self._tables = 0
        self._entry_count = 0
        self._log = DescriptorLog()
        self._renamed: list[int] = []
        self._batch: EventBatch
        self._data = memoryview(b"")
        self._opens: Opens
        self._bases: list[str | None] = []
        self._unconnected: set[int] = set()
        self._names: dict[int, str] = {}
        self._tables_by_tid: dict[int, DescriptorTable] = {}
        self._directories_by_tid: dict[int, str] = {}

    # Tables

    def new_table(self, entries: dict[int, int], row: int) -> DescriptorTable:
        """A table with the entries of another one."""
        self._tables += 1
        if self._entry_count + len(entries) > _MOST_PASSED_ON:
            entries = {}
        self._entry_count += len(entries)
        table = DescriptorTable(self._tables, entries)
        self._log.add_table(table, row)
        return table

    def empty_table(self) -> DescriptorTable:
        """A table before the first batch."""
        self._tables += 1
        return DescriptorTable(self._tables)

    def put_imported(self, tid: int, fd: int, descriptor: Descriptor, *, is_closing: bool) -> None:
        """A descriptor that was open before the first batch."""
        table = self.table_of(tid)
        if table is not None and fd >= 0 and len(table.entries) < MOST_ENTRIES:
            self._made.append(descriptor)
            table.entries[fd] = (len(self._made) - 1) << 1 | is_closing

    def table_of(self, tid: int) -> DescriptorTable | None:
        """The table that a thread uses."""
        thread = self._threads.get(tid)
        return None if thread is None else self._threads.descriptors_of(thread)

    def descriptor(self, tid: int, fd: int) -> Descriptor | None:
        """What stands behind a number now."""
        table = self.table_of(tid)
        entry = None if table is None else table.entries.get(fd)
        return None if entry is None else self._descriptor(entry >> 1)

    def path_of(self, thread: Thread, fd: int) -> str | None:
        """The name of what stands behind a number now."""
        found = self.descriptor(thread.tid, fd)
        return None if found is None else found.name

    def _descriptor(self, reference: int) -> Descriptor:
        made = self._made[reference]
        if isinstance(made, Descriptor):
            return made
        found = self._opens.descriptor(self._data, made, self._bases[made])
        self._made[reference] = found
        return found

    def put(self, table: DescriptorTable, fd: int, row: int, entry: int) -> None:
        """From the event of this row on, a number stands for an entry; a full table stays."""
        if len(table.entries) >= MOST_ENTRIES and fd not in table.entries:
            return
        table.entries[fd] = entry
        self._log.add(table, fd, row, entry >> 1)

    def put_new(
        self, tid: int, fd: int, row: int, descriptor: Descriptor, *, is_closing: bool = False
    ) -> None:
        """A number stands for a new descriptor."""
        table = self.table_of(tid)
        if table is None or fd < 0:
            return
        self._made.append(descriptor)
        self.put(table, fd, row, (len(self._made) - 1) << 1 | is_closing)
        if descriptor.name:
            self._renamed.append(row)

    def change(self, tid: int, fd: int, row: int, changed: Descriptor) -> None:
        """What stands behind a number has changed; whether an exec closes it has not."""
        table = self.table_of(tid)
        entry = None if table is None else table.entries.get(fd)
        if table is None or entry is None:
            return
        before = self._descriptor(entry >> 1)
        if changed is before or changed == before:
            return
        self._made.append(changed)
        self.put(table, fd, row, (len(self._made) - 1) << 1 | (entry & 1))
        if changed.name != before.name:
            self._renamed.append(row)

    # Events that only move numbers

    def forget_threads(self) -> None:
        """Threads may have other tables or directories than before."""
        self._tables_by_tid.clear()
        self._directories_by_tid.clear()

    def move(self, moves: Moves, start: int, stop: int) -> None:
        """Go through some events that only move numbers, between two that change threads.

        This is the inner loop of an import, so what it needs stands in local names.
        """
        tables, made, log = self._tables_by_tid, self._made, self._log.numbers.extend
        for row, tid, kind, fd, second, third in moves.items[start:stop]:
            table = tables.get(tid)
            if table is None:
                table = tables[tid] = self.table_of(tid) or _NO_TABLE
            entries = table.entries
            if kind == _CLOSE:
                # The event itself still sees what it closes.
                if entries.pop(fd, None) is not None:
                    log((table.number, fd, row + 1, CLOSED, len(entries)))
                continue
            if kind == _OPEN:
                if table is not _NO_TABLE:
                    if second >> 1 >= AT_FDCWD:
                        self._bases[third] = self._base(tid, entries.get(second >> 1), second >> 1)
                    entries[fd] = len(made) << 1 | (second & 1)
                    if len(entries) > MOST_ENTRIES:
                        del entries[fd]
                        continue
                    log((table.number, fd, row, len(made), len(entries)))
                    made.append(third)
                continue
            entry = entries.get(fd)
            if entry is None:
                continue
            if kind == _DUPLICATE:
                entries[second] = (entry & ~1) | third
                if len(entries) > MOST_ENTRIES:
                    del entries[second]
                    continue
                log((table.number, second, row, entry >> 1, len(entries)))
            elif kind == _SET_CLOSING:
                entries[fd] = (entry & ~1) | second
            elif isinstance(before := made[entry >> 1], Descriptor):
                # What this batch opened is a file, and no number of it is needed here.
                self._transfer(row, tid, fd, before)

    def _base(self, tid: int, entry: int | None, dirfd: int) -> str:
        """What a relative name is relative to, given the entry of its directory."""
        if dirfd == AT_FDCWD:
            known = self._directories_by_tid.get(tid)
            if known is None:
                known = self._directories_by_tid[tid] = self.working_directory(tid)
            return known
        return UNKNOWN_DIRECTORY if entry is None else self._name(entry >> 1)

    def _name(self, reference: int) -> str:
        """The name of what a reference stands for; a directory's is asked for many times."""
        made = self._made[reference]
        if isinstance(made, Descriptor):
            return made.name
        known = self._names.get(made)
        if known is None:
            known = self._names[made] = self._opens.name(self._data, made, self._bases[made])
        return known

    def working_directory(self, tid: int) -> str:
        """The working directory of a thread's process."""
        thread = self._threads.get(tid)
        main = None if thread is None else self._threads.main_thread(thread)
        return "" if main is None else main.cwd

    def _transfer(self, row: int, tid: int, fd: int, before: Descriptor) -> None:
        """A successful read or write of what may be a socket."""
        if before.type in CONNECTIONS:
            self.change(tid, fd, row, sockets.transferred(before))

    def unconnected(self) -> frozenset[int]:
        """Numbers that stand for an IP socket without a connection, when a batch begins."""
        return frozenset(self._unconnected)

    def close_at_exec(self, row: int, tid: int) -> None:
        """An exec closes what is marked so."""
        table = self.table_of(tid)
        if table is None:
            return
        for fd in [fd for fd, entry in table.entries.items() if entry & 1]:
            del table.entries[fd]
            self._log.add(table, fd, row, CLOSED)

    # Batches

    def begin_batch(self, batch: EventBatch, opens: Opens, threads: ThreadTable) -> None:
        """Start a batch: what was open before it begins at its first row."""
        self._log = DescriptorLog()
        self._renamed = []
        self._keep_what_is_open(threads)
        self._batch, self._opens = batch, opens
        self._data = memoryview(batch.data.data)
        self._bases = [None] * len(opens.rows)
        self._names.clear()

    def _keep_what_is_open(self, threads: ThreadTable) -> None:
        tables = {id(thread.descriptors): thread.descriptors for thread in threads}
        self._unconnected = set()
        self._entry_count = sum(len(table.entries) for table in tables.values())
        kept: list[Descriptor | int] = []
        places: dict[int, int] = {}
        for table in tables.values():
            for fd, entry in table.entries.items():
                reference = entry >> 1
                made = self._descriptor(reference)
                if made.type in CONNECTIONS and not made.is_connected:
                    self._unconnected.add(fd)
                if reference not in places:
                    places[reference] = len(kept)
                    kept.append(made)
                table.entries[fd] = places[reference] << 1 | (entry & 1)
            self._log.add_table(table, -1)
        self._made = kept

    def descriptors(self) -> tuple[DescriptorSet, Integers]:
        """The descriptors of the batch, and for each reference its place among them."""
        files = OpenedFiles(self._opens, self._batch.data, self._bases)
        others = [made for made in self._made if isinstance(made, Descriptor)]
        places: list[int] = []
        next_place = len(files)
        for made in self._made:
            if isinstance(made, Descriptor):
                places.append(next_place)
                next_place += 1
            else:
                places.append(made)
        return DescriptorSet(files, others), np.array(places, np.int64)

    def log(self) -> DescriptorLog:
        """Every change of the batch."""
        return self._log

    def renamed_rows(self) -> Integers:
        """Events that gave their descriptor another name; every open does."""
        return np.concatenate([np.array(self._renamed, np.int64), self._opens.rows])
