"""Which state of a thread each event falls into.

In: the events of a batch, and word of every change before it is made. Out: for each event the view
of its thread. A view is made when a state ends, and only if an event fell into it.
"""

from collections.abc import Iterable
from itertools import islice

import numpy as np
import numpy.typing as npt

from falcotrace.scap.thread_log import ThreadLog
from falcotrace.scap.threads import Thread, ThreadTable
from falcotrace.scap.views import View, Views

Integers = npt.NDArray[np.int64]

_MOST_AFFECTED = 300
"""Where more threads are concerned, they are not looked for: a hostile capture may change the
ancestor of a hundred thousand at every event."""


class Spans:
    """The states of all threads during one batch.

    Args:
        tids: the thread of each event, -1 for events that belong to none.
        threads: the table of threads, as of the beginning.
        views: makes views.
        known: views of threads that have not changed since an earlier batch.
    """

    def __init__(
        self, tids: Integers, threads: ThreadTable, views: Views, known: dict[int, View]
    ) -> None:
        self._threads = threads
        self._views = views
        self._known = known
        self._count = len(tids)
        self._tids_by_row = tids
        self._all_ended = 0
        order = np.argsort(tids, kind="stable")
        self._tids, starts = np.unique(tids[order], return_index=True)
        parts = np.split(order, starts[1:]) if len(starts) else []
        self._rows = dict(zip(self._tids.tolist(), parts, strict=True))
        self._wanted_rows: dict[int, Integers] = {}
        self._since = {thread.tid: 0 for thread in threads}
        self.log = ThreadLog()
        for thread in threads:
            self.log.add(thread, -1)
        self._found: dict[int, list[tuple[int, View | None, int]]] = {}

    def tids(self) -> list[int]:
        """Threads that have events."""
        found: list[int] = self._tids.tolist()
        return found

    def next_row(self, tid: int, row: int, wanted: npt.NDArray[np.bool_]) -> int | None:
        """The first event of a thread at or behind a row that is wanted.

        Which events are wanted must not change during the batch.
        """
        rows = self._wanted_rows.get(tid)
        if rows is None:
            of_thread = self._rows.get(tid)
            if of_thread is None:
                return None
            rows = self._wanted_rows[tid] = of_thread[wanted[of_thread]]
        place = int(rows.searchsorted(row))
        return int(rows[place]) if place < len(rows) else None

    def before_change(self, thread: Thread, row: int) -> None:
        """What this thread shows is about to change, from the event of this row on."""
        self.before_changes((thread,), row)
        thread.face = None

    def before_changes(self, threads: Iterable[Thread], row: int) -> None:
        """The same for several threads, none of which changes what others show of it."""
        each = (one for thread in threads for one in self._threads.affected_by(thread))
        affected = list(islice(each, _MOST_AFFECTED + 1))
        if len(affected) > _MOST_AFFECTED:
            self.before_any_change(row)
            return
        for one in affected:
            self._end(one, row)
            self._known.pop(one.tid, None)

    def before_any_change(self, row: int) -> None:
        """Any thread may show something else from the event of this row on.

        Whoever had no event since the last time needs no view of what it was.
        """
        for tid in np.unique(self._tids_by_row[self._all_ended : row]).tolist():
            thread = self._threads.get(tid)
            if thread is not None:
                self._end(thread, row)
        self._all_ended = row
        self._known.clear()

    def begin(self, thread: Thread, row: int) -> None:
        """An entry was made."""
        self._since[thread.tid] = row
        self._known.pop(thread.tid, None)
        self.log.add(thread, row)

    def end(self, thread: Thread, row: int) -> None:
        """An entry is about to be removed: events from this row on have no thread."""
        self._end(thread, row)
        self._known.pop(thread.tid, None)
        self._found.setdefault(thread.tid, []).append((row, None, -1))
        self.log.remove(thread, row)
        self._since[thread.tid] = self._count

    def _end(self, thread: Thread, row: int) -> None:
        rows = self._rows.get(thread.tid)
        since = self._since.get(thread.tid)
        if rows is None or since is None:
            return
        place = int(rows.searchsorted(since))
        if place < len(rows) and rows[place] < row:
            view = self._known.get(thread.tid)
            if view is None:
                view = self._known[thread.tid] = self._views.look_at(thread)
            table = self._table_of(thread)
            self._found.setdefault(thread.tid, []).append((since, view, table))
        self._since[thread.tid] = row

    def _table_of(self, thread: Thread) -> int:
        table = self._threads.descriptors_of(thread)
        return -1 if table is None else table.number

    def finish(self) -> tuple[list[View | None], Integers, Integers]:
        """End all states; nothing more may change.

        Returns:
            Views, for each event its place among them, and for each event the number of its
            process's table of descriptors (-1 without).
        """
        for tid in self.tids():
            thread = self._threads.get(tid)
            if thread is not None:
                self._end(thread, self._count)
        views: list[View | None] = [None]
        places = np.zeros(self._count, np.int64)
        tables = np.full(self._count, -1, np.int64)
        for tid, found in self._found.items():
            rows = self._rows.get(tid)
            if rows is None:
                continue
            starts = np.array([since for since, _, _ in found], np.int64)
            numbers = np.zeros(len(found), np.int64)
            for index, (_, view, _) in enumerate(found):
                if view is not None:
                    numbers[index] = len(views)
                    views.append(view)
            of_spans = np.array([table for _, _, table in found], np.int64)
            which = np.asarray(np.searchsorted(starts, rows, side="right")) - 1
            is_inside = which >= 0
            inside = rows[is_inside]
            places[inside] = numbers[which[is_inside]]
            tables[inside] = of_spans[which[is_inside]]
        return views, places, tables
