"""Asks rules while recording goes on: the same engine as a scan, on what has come since.

In: the journal of a recording, as it grows. Out: alerts, about a second behind the events. A
converter of its own follows the journal and makes columns of the events that rules look at, so that
neither the capture nor its row groups depend on whether anybody watches.
"""

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from falcotrace.alerts import Alert
from falcotrace.capture.encoding import KEY, select_processes
from falcotrace.capture.parquet.values import Sparse, Stepwise
from falcotrace.capture.reader import RowGroup
from falcotrace.capture.schema import flat_type
from falcotrace.engines.base import ScanOptions, describe_gap, find_gaps
from falcotrace.engines.replay import ReplayEngine
from falcotrace.events.columns import COLUMNS
from falcotrace.record.conversion import converter_of
from falcotrace.record.converter import Converted
from falcotrace.record.coverage import numbers_of, recorded_columns
from falcotrace.record.events import PROCEXIT_NUMBER
from falcotrace.record.folder import RecordingFolder, Start
from falcotrace.record.journal import JournalReader
from falcotrace.record.rights import Capability, keep_only
from falcotrace.record.ring import Batch
from falcotrace.record.runtimes.containers import Containers
from falcotrace.rules.plan import Plan

_PART_EVENTS = 200_000
"""Events that are looked at together at most: alerts come sooner, and memory is less."""

_PAUSE_SECONDS = 0.25


class LiveCapture:
    """A recording that is under way, as a capture that is read from front to back.

    Args:
        folder: the recording's folder.
        start: what is recorded.
        wait: waits for containers that are being looked up.
    """

    def __init__(
        self, folder: RecordingFolder, start: Start, wait: Callable[[], object] = lambda: None
    ) -> None:
        self.path = folder.output
        self.footer = start.footer
        self._containers = Containers(folder.path, wait)
        self._start = start
        columns = recorded_columns(
            with_containers=False,
            with_contents=start.data_bytes > 0,
            with_answers=start.has_answers,
        )
        self.unrecorded = frozenset(COLUMNS.keys() - columns)
        self.reader = JournalReader(folder.path, start.magic)
        self._is_over = threading.Event()
        self._is_cancelled = False
        self._rest: Sequence[Batch] = ()

    def close(self) -> None:
        """Let go of the journal."""
        self.reader.close()

    def end(self, rest: Sequence[Batch]) -> None:
        """Recording has ended: go on to the journal's end, and to what is not in it."""
        self._rest = rest
        self._is_over.set()

    def cancel(self) -> None:
        """Stop at once."""
        self._is_cancelled = True
        self._is_over.set()

    def stream(self, event_names: frozenset[str] | None) -> Iterator["LiveRowGroup"]:
        """Go through the recording until it has ended; see `StreamedCapture`."""
        converter = converter_of(self._start, self._containers, self._numbers(event_names))
        for batches in self._batches():
            for converted in converter.convert(batches):
                if converted.columns is not None:
                    yield LiveRowGroup(self, converted.columns, converted)

    def _batches(self) -> Iterator[Sequence[Batch]]:
        while not self._is_cancelled:
            # Asked before reading: what comes in between is not passed over.
            is_over = self._is_over.is_set()
            batches = list(self.reader.batches(_PART_EVENTS))
            if batches:
                yield batches
            elif is_over:
                yield self._rest
                return
            else:
                self._is_over.wait(_PAUSE_SECONDS)

    def _numbers(self, event_names: frozenset[str] | None) -> frozenset[int] | None:
        if event_names is None:
            return None
        exits = {PROCEXIT_NUMBER} if "procexit" in event_names else set()
        return numbers_of(event_names, self._start.arch) | exits


class LiveRowGroup:
    """Some events of a recording as a capture of one row group."""

    def __init__(
        self,
        capture: LiveCapture,
        columns: Mapping[str, pa.Array | Sparse | Stepwise],
        converted: Converted,
    ) -> None:
        self.path = capture.path
        self.footer = capture.footer
        self.unrecorded = capture.unrecorded
        self._columns = columns
        keys = np.asarray(columns[KEY])
        self._count = len(keys)
        self._processes = select_processes(converted.processes, keys)
        nums, times_ns = (np.asarray(columns[path]) for path in ("evt.num", "evt.time"))
        self.row_groups = (
            RowGroup(
                index=0,
                row_count=self._count,
                first_num=int(nums.min()),
                last_num=int(nums.max()),
                first_time_ns=int(times_ns.min()),
                last_time_ns=int(times_ns.max()),
            ),
        )

    def read(self, row_group: int, paths: Sequence[str]) -> dict[str, pa.Array]:
        """Columns by path."""
        del row_group
        return {path: self._array(path) for path in paths}

    def stored(self, row_group: int, path: str) -> None:
        """Nothing is stored: columns are in memory."""
        del row_group, path

    def processes(self, row_group: int) -> pa.Table:
        """States of processes."""
        del row_group
        return self._processes

    def close(self) -> None:
        """Nothing stays open."""

    def _array(self, path: str) -> pa.Array:
        column = self._columns.get(path)
        if column is None:
            return pa.nulls(self._count, flat_type(path))
        return column if isinstance(column, pa.Array) else column.array(self._count)


class Watch:
    """A thread that asks rules of a recording.

    Args:
        capture: the recording.
        plan: the rules.
        on_alert: told each alert, in the thread of the watch.
        rights: what it takes to read the folder.
    """

    def __init__(
        self,
        capture: LiveCapture,
        plan: Plan,
        on_alert: Callable[[Alert], None],
        rights: frozenset[Capability] = frozenset(),
    ) -> None:
        self._rights = rights
        self._capture = capture
        # What comes first and what comes later is known when the recording is over.
        self._later = tuple(rule for rule in plan.enabled if rule.correlation is not None)
        alone = tuple(rule for rule in plan.rules if rule.correlation is None)
        self._plan = dataclasses.replace(plan, rules=alone)
        self._on_alert = on_alert
        self._thread = threading.Thread(target=self._run, name="falcotrace-rules", daemon=True)
        self.failure: Exception | None = None

    @property
    def reader(self) -> JournalReader:
        """How it follows the journal, which has to be kept for it."""
        return self._capture.reader

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each rule that cannot fully run, or not while recording goes on."""
        later = (
            f"rule `{rule.name}` is about several events: `scan` asks it of the capture"
            for rule in self._later
        )
        return (*map(describe_gap, find_gaps(self._plan, self._capture)), *later)

    @property
    def is_alive(self) -> bool:
        """Whether it still works."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self, rest: Sequence[Batch]) -> None:
        """Recording has ended, with samples that are in no journal; see `is_alive`."""
        self._capture.end(rest)

    def cancel(self) -> None:
        """Stop at once, and wait for it."""
        self._capture.cancel()
        self._thread.join()
        self._capture.close()

    def _run(self) -> None:
        try:
            keep_only(self._rights)
            options = ScanOptions(threads=1)
            for batch in ReplayEngine().scan([self._capture], self._plan, options):
                for alert in batch.alerts:
                    self._on_alert(alert)
        except Exception as error:  # noqa: BLE001 - told by whoever records, which goes on
            self.failure = error
