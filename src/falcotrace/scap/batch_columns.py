"""All columns of a batch: what a capture's row group is made of.

In: an `EventBatch` and its state. Out: Arrow arrays by column path, and the table of process
states. Events that rules do not see have no row.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from falcotrace.capture.columns import Columns
from falcotrace.capture.distinct import distinct
from falcotrace.capture.parquet.values import Sparse, Stepwise
from falcotrace.capture.reader import RowGroup
from falcotrace.capture.text_pool import MISSING, TextPool
from falcotrace.events.columns import BUFFER_PARAM, PROCESS_COLUMNS
from falcotrace.events.control_groups import HOST
from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.scap.argument_texts import absolute_path
from falcotrace.scap.arguments import argument_names, put_argument, put_arguments
from falcotrace.scap.batch import EventBatch
from falcotrace.scap.descriptor_table import CLOSED
from falcotrace.scap.event_descriptors import event_descriptors, originals
from falcotrace.scap.file_order import Changes, FileOrder
from falcotrace.scap.fs_paths import put_fs_paths
from falcotrace.scap.interfaces import Interfaces, LocalAddresses
from falcotrace.scap.lookups import Lookups
from falcotrace.scap.poll_lists import put_fd_lists
from falcotrace.scap.process_states import NO_PROCESS_KEY, ProcessStates
from falcotrace.scap.results import put_event_types, put_results
from falcotrace.scap.state import BatchState
from falcotrace.scap.usage import usage_changes

Integers = npt.NDArray[np.int64]

NO_TABLE = -1
"""In `BatchState.tables`: there is no table of descriptors."""

_USAGE_COLUMNS = {
    "pgft_maj": "thread.pfmajor",
    "pgft_min": "thread.pfminor",
    "vm_size": "proc.vmsize",
    "vm_rss": "proc.vmrss",
    "vm_swap": "proc.vmswap",
}

_NAMED_BY_ARGUMENT = {
    **dict.fromkeys(("open", "creat", "openat", "openat2"), "name"),
    **dict.fromkeys(("accept", "accept4", "connect"), "tuple"),
    "open_by_handle_at": "path",
}
"""Arguments that stand for `fd.name` where nothing is known of the descriptor."""


class BatchColumns:
    """Makes the columns of one batch, all of them or those that are asked for.

    Args:
        batch: the events.
        state: their state.
        interfaces: the machine's addresses.
        event_names: only events of these types have rows; None for all that rules see.
    """

    def __init__(
        self,
        batch: EventBatch,
        state: BatchState,
        interfaces: Interfaces,
        event_names: frozenset[str] | None = None,
    ) -> None:
        self._whole = batch
        self._batch = batch = _only(batch, event_names)
        self._state = state
        self._interfaces = interfaces
        self._rows = np.flatnonzero(batch.is_delivered)
        self._order = FileOrder(self._rows, self._keys(self._rows), state.tables[self._rows])
        places = np.full(len(batch), -1, np.int64)
        places[self._order.rows] = np.arange(len(self._rows))
        self._pool = TextPool()
        self._columns = Columns(len(self._rows), self._pool, places)
        self._filled: set[str] = set()

    def __len__(self) -> int:
        return len(self._rows)

    def row_group(self) -> RowGroup:
        """The place and the span of the rows."""
        nums, times = self._batch.nums[self._rows], self._batch.times_ns[self._rows]
        return RowGroup(
            index=0,
            row_count=len(self._rows),
            first_num=int(nums.min()),
            last_num=int(nums.max()),
            first_time_ns=int(times.min()),
            last_time_ns=int(times.max()),
        )

    def arrays(self) -> dict[str, pa.Array | Sparse | Stepwise]:
        """Every column of the events, in the order of the file."""
        put_arguments(self._batch, self._lookups, self._columns)
        self._filled.update(f"argument {name}" for name in argument_names(self._batch))
        for part in _PARTS:
            self._fill(part)
        return self._columns.compact()

    def array(self, path: str) -> pa.Array:
        """One column of the events."""
        head, _, name = path.rpartition(".")
        if head in {"evt.arg", "evt.rawarg"}:
            self._fill_argument(name)
        elif path == "evt.buffer":
            self._fill_argument(BUFFER_PARAM)
        else:
            self._fill(_part_of(path))
        return self._columns.array(path)

    def _fill_argument(self, name: str) -> None:
        if f"argument {name}" not in self._filled:
            self._filled.add(f"argument {name}")
            put_argument(name, self._batch, self._lookups, self._columns)

    def _fill(self, part: str) -> None:
        if part in self._filled:
            return
        self._filled.add(part)
        batch, columns = self._batch, self._columns
        match part:
            case "type":
                put_event_types(batch, columns)
            case "results":
                put_results(batch, columns)
            case "fs.path":
                put_fs_paths(batch, self._lookups, columns)
            case "fdlist":
                put_fd_lists(batch, self._lookups, columns)
            case "fd":
                self._put_descriptors()
            case "streams":
                self._put_standard_streams()
            case "counters":
                self._put_counters()
            case "runs":
                self._put_runs()
            case _:
                self._put_identity()

    @cached_property
    def _of_events(self) -> tuple[Integers, npt.NDArray[np.bool_], Integers]:
        """For each event: number of its descriptor, whether it is about any, and which it is."""
        batch = self._batch
        fds, is_about = event_descriptors(batch)
        lookups = Lookups(batch, self._state, self._pool, np.zeros(0, np.int64))
        dup_rows, old = originals(batch)
        is_unknown = lookups.descriptors(dup_rows, old) < 0
        fds[dup_rows[is_unknown]] = old[is_unknown]
        places = np.full(len(batch), -1, np.int64)
        about = np.flatnonzero(is_about)
        places[about] = lookups.descriptors(about, fds[about])
        return fds, is_about, places

    @cached_property
    def _has_thread(self) -> npt.NDArray[np.bool_]:
        """Whether the rows of each run have a thread."""
        return self._state.view_places[self._order.first_rows] > 0

    @cached_property
    def _tables(self) -> Integers:
        """The table of descriptors of each run; -1 without."""
        return self._state.tables[self._order.first_rows]

    @cached_property
    def _lookups(self) -> Lookups:
        return Lookups(self._batch, self._state, self._pool, self._of_events[2])

    def _put_identity(self) -> None:
        batch, rows, columns = self._batch, self._rows, self._columns
        columns.put_numbers("evt.num", rows, batch.nums[rows])
        columns.put_numbers("evt.time", rows, batch.times_ns[rows])
        columns.put_numbers("evt.cpu", rows, batch.cpus[rows])
        columns.put_numbers("proc.key", rows, self._keys(rows))
        columns.put_numbers("thread.tid", rows, batch.tids[rows])
        vtids = [
            None if view is None else view.columns["thread.vtid"] for view in self._state.views
        ]
        known = np.array([-1 if vtid is None else vtid for vtid in vtids], np.int64)
        order = self._order
        of_runs = known[self._state.view_places[order.first_rows]]
        columns.put_number_steps("thread.vtid", order.begins, of_runs, of_runs != -1)

    def _keys(self, rows: Integers) -> Integers:
        keys = [NO_PROCESS_KEY if view is None else view.key for view in self._state.views]
        return np.array(keys, np.int64)[self._state.view_places[rows]]

    def _put_counters(self) -> None:
        state = self._state
        tids = self._whole.tids[self._order.first_rows]
        for member, changes in usage_changes(self._whole, state.log.usage).items():
            self._put_last(_USAGE_COLUMNS[member], tids, changes)
        has_process = np.array([view is not None and view.has_process for view in state.views])
        is_process = has_process[state.view_places[self._order.first_rows]]
        tables = np.where(is_process, self._tables, NO_TABLE)
        self._put_last("proc.fdopencount", tables, Changes(*state.counts))
        sizes = np.array(state.log.sizes, np.int64).reshape(-1, 4)
        for place, path in ((2, "proc.nthreads"), (3, "proc.nchilds")):
            self._put_last(path, tables, Changes(sizes[:, 0], sizes[:, 1], sizes[:, place]))

    def _put_last(self, path: str, subjects: Integers, changes: Changes) -> None:
        """A number that was last said of each run's subject, 0 before; for rows with a thread."""
        steps = self._order.last(subjects, changes, 0)
        has_thread = self._has_thread[steps.runs]
        self._columns.put_number_steps(path, steps.begins, steps.values, has_thread)

    def _put_runs(self) -> None:
        rows, columns = self._rows, self._columns
        has_thread = self._state.view_places > 0
        known, runs = rows[has_thread[rows]], self._state.runs
        is_shown = self._batch.is_delivered[runs.rows]
        switches, slots = runs.rows[is_shown], runs.slots_ns[is_shown]
        columns.put_numbers("thread.exectime", known, 0)
        columns.put_numbers("thread.exectime", switches, slots)
        columns.put_numbers("thread.totexectime", known, 0)
        totals = runs.totals_ns[is_shown]
        columns.put_numbers("thread.totexectime", switches, totals, has_thread[switches])

    def _put_descriptors(self) -> None:
        fds, is_about, places = self._of_events
        columns = self._columns
        rows = self._rows[is_about[self._rows] & (self._state.view_places[self._rows] > 0)]
        columns.put_numbers("fd.num", rows, fds[rows])
        is_known = places[rows] >= 0
        self._put_names_without_descriptor(rows[~is_known])
        known = rows[is_known]
        for local, of_container in self._by_container(known):
            self._state.descriptors.put(
                columns,
                of_container,
                places[of_container],
                self._pool,
                local,
                self._state.names,
            )
        renamed = np.zeros(len(self._batch), np.bool_)
        renamed[self._state.renamed_rows] = True
        columns.put_numbers("fd.name_changed", known, renamed[known])

    def _by_container(self, rows: Integers) -> Iterator[tuple[LocalAddresses, Integers]]:
        """Rows of the host and of each container, with the addresses that are local there."""
        ids = [
            HOST if view is None else str(view.columns["container.id"])
            for view in self._state.views
        ]
        numbers = {container_id: number for number, container_id in enumerate(dict.fromkeys(ids))}
        of_views = np.array([numbers[container_id] for container_id in ids], np.int64)
        of_events = of_views[self._state.view_places[rows]]
        order = np.argsort(of_events, kind="stable")
        bounds = np.searchsorted(of_events[order], np.arange(len(numbers) + 1)).tolist()
        for container_id, (first, beyond) in zip(numbers, pairwise(bounds), strict=True):
            if first < beyond:
                containers = self._state.containers
                local = containers.local_addresses(container_id, self._interfaces)
                yield local, rows[order[first:beyond]]

    def _put_names_without_descriptor(self, rows: Integers) -> None:
        for argument in sorted(set(_NAMED_BY_ARGUMENT.values())):
            self._fill_argument(argument)
        columns = self._columns
        codes = self._batch.codes[rows]
        empty = self._pool.code("")
        columns.put_codes("fd.name", rows, empty)
        columns.put_codes("fd.nameraw", rows, empty)
        for code in np.unique(codes).tolist():
            event_name = EVENT_TYPES[code].name
            name = _NAMED_BY_ARGUMENT.get(event_name)
            is_at = event_name in {"openat", "openat2"}
            if name is None:
                continue
            of_code = rows[codes == code]
            places = columns.places_of(of_code)
            shown = columns.codes(f"evt.arg.{name}")[places]
            columns.put_codes("fd.name", of_code, self._normalised(shown) if is_at else shown)
            given = columns.codes(f"evt.rawarg.{name}")[places]
            columns.put_codes("fd.nameraw", of_code, np.where(given == MISSING, shown, given))

    def _normalised(self, codes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        pool = self._pool
        found, which = distinct(codes)
        texts = [None if text is None else absolute_path("", text) for text in pool.texts(found)]
        return pool.codes(texts)[which]

    def _put_standard_streams(self) -> None:
        descriptors = self._state.descriptors
        for fd, stream in enumerate(("stdin", "stdout", "stderr")):
            changes = Changes(*self._state.history.of_number(fd))
            steps = self._order.last(self._tables, changes, CLOSED)
            is_known = (steps.values != CLOSED) & (self._tables[steps.runs] != NO_TABLE)
            places = np.full(len(is_known), -1, np.int64)
            places[is_known] = self._state.descriptor_places[steps.values[is_known]]
            for name, codes in (
                ("name", descriptors.names(places, self._pool)),
                ("type", descriptors.types(places, self._pool)),
            ):
                self._columns.put_code_steps(f"proc.{stream}.{name}", steps.begins, codes)

    def processes(self) -> pa.Table:
        """The table of process states, one row for each key of the batch, ascending."""
        states = self.process_states()
        paths = ["proc.key", *(column.path for column in PROCESS_COLUMNS)]
        return pa.table({path: states[path] for path in paths})

    def process_states(self) -> ProcessStates:
        """The same, column by column."""
        used = np.unique(self._state.view_places[self._rows]).tolist()
        views = [view for place in used if (view := self._state.views[place]) is not None]
        return ProcessStates({view.key: view.columns for view in views})


_PARTS = (
    *("type", "results", "fs.path", "fdlist", "fd", "streams", "counters", "runs", "identity"),
)
"""Columns that are made together."""

_COUNTED = frozenset(
    {*_USAGE_COLUMNS.values(), "proc.fdopencount", "proc.nthreads", "proc.nchilds"}
)


def _part_of(path: str) -> str:
    """Which of `_PARTS` a column belongs to."""
    if path == "evt.type":
        return "type"
    if path in {"evt.res", "evt.rawres"}:
        return "results"
    if path in _COUNTED:
        return "counters"
    if path in {"thread.exectime", "thread.totexectime"}:
        return "runs"
    if path.startswith(("proc.stdin.", "proc.stdout.", "proc.stderr.")):
        return "streams"
    head = path.rpartition(".")[0]
    return head if head in _PARTS else "identity"


def _only(batch: EventBatch, event_names: frozenset[str] | None) -> EventBatch:
    """The batch with rows for events of some types alone."""
    wanted = batch.is_delivered & ~batch.is_carried
    params = batch.params
    if event_names is not None:
        names = [wanted_names_of(code) for code in range(len(EVENT_TYPES))]
        is_wanted = np.array([bool(event_names & one) if one else True for one in names])
        wanted = wanted & is_wanted[batch.codes]
        params = {code: found for code, found in params.items() if is_wanted[code]}
    return replace(batch, is_delivered=wanted, params=params)


def wanted_names_of(code: int) -> frozenset[str]:
    """The names that events of a code may have; empty for one that may have any."""
    event = EVENT_TYPES[code]
    if event.name in {"syscall", "asyncevent"}:
        return frozenset()
    return frozenset({event.name})
