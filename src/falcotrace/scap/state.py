"""The state engine: threads, descriptors, users and containers, as of each event.

In: batches of events in order. Out: for each batch what its columns need: views of threads, a
history of descriptors, counters. Only events that change something are looked at one by one; all
others ask the history.

The rules see the state after an event. What an event takes away (a closed descriptor, a thread that
ended) is still there for the event itself.

Source: libs 48dfd53c, userspace/libsinsp/sinsp.cpp, parsers.cpp.
"""

import contextlib
import gc
import heapq
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from falcotrace.capture.address_names import NO_NAMES, AddressNames, NamesInBlock
from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.scap.accounts import Accounts
from falcotrace.scap.answers import note_answers
from falcotrace.scap.batch import NO_ROW, EventBatch
from falcotrace.scap.container_table import ContainerTable
from falcotrace.scap.descriptor_events import DescriptorEvents
from falcotrace.scap.descriptor_set import DescriptorSet
from falcotrace.scap.descriptor_table import CLOSED, DescriptorHistory
from falcotrace.scap.interfaces import Interfaces
from falcotrace.scap.metadata import Metadata
from falcotrace.scap.moves import find_moves
from falcotrace.scap.opens import Opens, find_opens
from falcotrace.scap.parameters import Parameters
from falcotrace.scap.process_events import ProcessEvents
from falcotrace.scap.small_events import SmallEvents
from falcotrace.scap.spans import Spans
from falcotrace.scap.start import start_state
from falcotrace.scap.switches import Runs, Switches
from falcotrace.scap.thread_log import ThreadLog, ThreadNames
from falcotrace.scap.threads import ThreadTable
from falcotrace.scap.usage import usage_at_end
from falcotrace.scap.views import View, Views

Integers = npt.NDArray[np.int64]

_CLONES = frozenset({"clone", "fork", "vfork", "clone3"})

NO_THREAD = _CLONES | {"switch", "procexit", "procinfo", "container", "asyncevent", "notification"}
NO_THREAD |= {"useradded", "userdeleted", "groupadded", "groupdeleted", "infra", "pluginevent"}
NO_THREAD |= {"drop", "cpu_hotplug", "scapevent"}
"""Events that do not make an entry for an unknown thread."""

WITHOUT_THREAD = frozenset({"useradded", "userdeleted", "groupadded", "groupdeleted", "container"})
WITHOUT_THREAD |= {"asyncevent", "pluginevent", "notification", "infra"}
"""Events that belong to no thread at all."""


READ = _CLONES | {"execve", "execveat", "procexit"} | SmallEvents.NAMES | DescriptorEvents.NAMES
"""Events that are read one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class BatchState:
    """The state during one batch.

    Attributes:
        views: states of threads; the first stands for no thread.
        view_places: for each event its place among `views`.
        tables: for each event the number of its process's table of descriptors, -1 without.
        history: what stood behind each number of a table.
        descriptors: distinct descriptors.
        descriptor_places: for each reference of the history its place among `descriptors`.
        renamed_rows: events that changed the name of their descriptor.
        counts: table, row and number of open descriptors, for each change.
        log: what was told about threads.
        runs: how long threads ran.
        thread_names: names of threads by number.
        accounts: users and groups.
        containers: what is known of containers.
        names: what addresses are called.
    """

    views: list[View | None]
    view_places: Integers
    tables: Integers
    history: DescriptorHistory
    descriptors: DescriptorSet
    descriptor_places: Integers
    renamed_rows: Integers
    counts: tuple[Integers, Integers, Integers]
    log: ThreadLog
    runs: Runs
    thread_names: ThreadNames
    accounts: Accounts
    containers: ContainerTable
    names: NamesInBlock = NO_NAMES

    def places_behind(self, rows: Integers, fds: Integers) -> Integers:
        """Places among `descriptors` of what stood behind numbers at events; -1 if unknown."""
        references = self.history.references(self.tables[rows], fds, rows)
        places = np.full(len(rows), -1, np.int64)
        is_known = references != CLOSED
        places[is_known] = self.descriptor_places[references[is_known]]
        return places


class StateEngine:
    """Follows the state through a section of a capture.

    Args:
        metadata: what the section says about the machine before its first event.
        first_key: the smallest `proc.key` to give.
    """

    def __init__(self, metadata: Metadata, first_key: int = 1) -> None:
        self.threads = ThreadTable()
        self.accounts = Accounts()
        self.containers = ContainerTable()
        self._views = Views(self.threads, self.accounts, self.containers, first_key)
        self._known: dict[int, View] = {}
        self._descriptors = DescriptorEvents(self.threads, Interfaces.of(metadata.interfaces))
        self._processes = ProcessEvents(
            self.threads,
            metadata.machine.boot_time_ns,
            self._descriptors.new_table,
            self._descriptors.path_of,
        )
        self._small = SmallEvents(self.threads, self.accounts, self.containers, self._descriptors)
        self._switches = Switches()
        self._names = AddressNames()
        start_state(metadata, self.threads, self.accounts, self._descriptors)

    @property
    def next_key(self) -> int:
        """The smallest `proc.key` that has not been given."""
        return self._views.next_key

    def run(self, batch: EventBatch) -> BatchState:
        """Go through a batch."""
        has_thread = np.array([event.name not in WITHOUT_THREAD for event in EVENT_TYPES])
        tids = np.where(has_thread[batch.codes], batch.tids, -1)
        self._views.begin_batch()
        spans = Spans(tids, self.threads, self._views, self._known)
        self._processes.spans = self._small.spans = spans
        self.accounts.begin_batch()
        opens = find_opens(batch)
        self._descriptors.begin_batch(batch, opens, self.threads)
        with _without_collection():
            self._go_through(batch, opens, spans)
        views, places, tables = spans.finish()
        self._keep_usage(batch, spans.log)
        descriptors, descriptor_places = self._descriptors.descriptors()
        state = BatchState(
            views=views,
            view_places=places,
            tables=tables,
            history=self._descriptors.log().frozen(len(batch)),
            descriptors=descriptors,
            descriptor_places=descriptor_places,
            renamed_rows=self._descriptors.renamed_rows(),
            counts=self._descriptors.log().open_counts(),
            log=spans.log,
            runs=self._switches.run(batch, places > 0, spans.log.gone()),
            thread_names=ThreadNames(spans.log, len(batch)),
            # Columns are made while the engine goes on.
            accounts=self.accounts.copy(),
            containers=self.containers.copy(),
        )
        self._names.begin_block()
        note_answers(batch, state, self._names)
        return replace(state, names=self._names.frozen_block())

    def _keep_usage(self, batch: EventBatch, log: ThreadLog) -> None:
        """What events have told of threads counts in the next batch too."""
        for tid, usage in usage_at_end(batch, log.usage).items():
            thread = self.threads.get(tid)
            if thread is not None:
                thread.usage = usage

    def _go_through(self, batch: EventBatch, opens: Opens, spans: Spans) -> None:
        self._later: list[tuple[int, int, int]] = []
        makes_entry = np.array([event.name not in NO_THREAD for event in EVENT_TYPES])
        self._attaches = makes_entry[batch.codes] & ~batch.is_carried
        for tid in spans.tids():
            if tid >= 0 and self.threads.get(tid) is None:
                self._expect(tid, 0, spans)
        data = memoryview(batch.data.data)
        descriptors = self._descriptors
        moves = find_moves(batch, opens, READ, descriptors.unconnected())
        place = 0
        for read in moves.reads:
            # Between two events that are read one by one there may be threads to make or remove.
            while place < read:
                stop = read
                if self._later:
                    stop = bisect_left(moves.rows, self._later[0][0], place, read)
                descriptors.move(moves, place, stop)
                place = stop
                if place < read:
                    self._catch_up_to(moves.rows[place], spans)
            if read == len(moves):
                break
            self._catch_up_to(moves.rows[read], spans)
            _, tid, _, code, index, _ = moves.items[read]
            self._read(Parameters(batch, data, code, index), tid, batch, data)
            self._expect_again(spans)
            place = read + 1
        while self._later:
            self._catch_up(spans)

    def _catch_up_to(self, row: int, spans: Spans) -> None:
        """Make and remove threads up to the event of this row."""
        while self._later and self._later[0][0] <= row:
            self._catch_up(spans)

    def _expect(self, tid: int, row: int, spans: Spans) -> None:
        """An unknown thread gets an entry at its first event that makes one."""
        found = spans.next_row(tid, row, self._attaches)
        if found is not None:
            heapq.heappush(self._later, (found, 1, tid))

    def _catch_up(self, spans: Spans) -> None:
        row, is_expected, tid = heapq.heappop(self._later)
        self._descriptors.forget_threads()
        if is_expected:
            self._processes.find_or_make(tid, row)
            return
        self._processes.remove(tid, row)
        self._expect_again(spans)

    def _expect_again(self, spans: Spans) -> None:
        """Numbers of threads that have gone may come up again."""
        for tid, row in self._processes.gone:
            self._expect(tid, row, spans)
        self._processes.gone.clear()

    def _read(self, event: Parameters, tid: int, batch: EventBatch, data: memoryview) -> None:
        """An event that is read by itself."""
        name = EVENT_TYPES[event.code].name
        time_ns = int(batch.times_ns[event.row])
        self._descriptors.forget_threads()
        if name in _CLONES:
            self._processes.clone(event, tid, time_ns)
        elif name in {"execve", "execveat"}:
            if event.number(0, -1) >= 0:
                entered = _entered(batch, data, event.row)
                self._processes.execute(event, tid, entered)
                self._descriptors.close_at_exec(event.row, tid)
        elif name == "procexit":
            if self._processes.exit(event, tid, time_ns):
                heapq.heappush(self._later, (event.row + 1, 0, tid))
        elif not self._small.handle(name, event, tid):
            self._descriptors.handle(name, event, tid, _entered(batch, data, event.row))


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Hundreds of thousands of objects are made that stay, none of them in a cycle.

    Looking through them again and again took a quarter of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _entered(batch: EventBatch, data: memoryview, row: int) -> Parameters | None:
    """The enter event of an exit event, where it is known."""
    enter_row = int(batch.enters[row])
    if enter_row == NO_ROW:
        return None
    code = int(batch.codes[enter_row])
    index = int(np.searchsorted(batch.params[code].rows, enter_row))
    return Parameters(batch, data, code, index)
