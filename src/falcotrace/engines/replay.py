"""The columnar rule engine: runs a plan over captures, a row group at a time.

In: open captures and a plan. Out: alerts, those of one capture in order of `evt.num`. Row groups
are independent of each other, so several are worked on at once and memory is bounded by theirs;
what is known about one is forgotten with it. No event is looked at by itself.

    rows of the rule's event types -> process parts -> cheap parts -> texts -> matches -> alerts
"""

import dataclasses
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from falcotrace.capture.data import CaptureData, StreamedCapture
from falcotrace.capture.reader import open_capture
from falcotrace.engines.base import (
    AlertBatch,
    MatchBatch,
    ScanOptions,
    order_matches,
    runs_on_captures,
)
from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.correlations import (
    NOTHING,
    Correlated,
    correlate,
    nothing_but,
    step_plan,
)
from falcotrace.engines.field_columns import is_process_operand
from falcotrace.engines.formula import FormulaCompiler, Node
from falcotrace.engines.group_matches import ALERTS_PER_BATCH, GroupMatches, alert_batches
from falcotrace.engines.literals import Literals
from falcotrace.engines.row_set import RowSet
from falcotrace.engines.vectors import Bools, Rows, TextVector
from falcotrace.forked import forked_map
from falcotrace.rules.plan import Plan

if TYPE_CHECKING:
    from pathlib import Path

    from falcotrace.alerts import Alert

LEAST_EVENTS = 20_000
"""Events of a part of a streamed capture that are worth a process of its own."""

_EventSet = frozenset[str] | None


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A plan compiled for replay.

    Attributes:
        rules: for each set of event types, the places in the plan and the nodes of its rules.
        event_names: all types of events that some rule looks at; None for every type.
    """

    rules: dict[_EventSet, list[tuple[int, Node]]]
    event_names: _EventSet


def compile_plan(plan: Plan) -> Program:
    """Compile the enabled rules of a plan; those about other event sources are left out."""
    literals = Literals(plan.atoms)
    compiler = FormulaCompiler(literals, is_process_operand)
    rules: dict[_EventSet, list[tuple[int, Node]]] = {}
    for place, rule in enumerate(plan.rules):
        if rule.correlation is not None:
            continue
        if runs_on_captures(rule) and rule.event_names != frozenset():
            entry = (place, compiler.compile(rule.condition))
            rules.setdefault(rule.event_names, []).append(entry)
    names: set[str] = set().union(*(events or () for events in rules))
    return Program(rules, None if None in rules else frozenset(names))


class ReplayEngine:
    """Runs plans over the columns of captures with numpy and Arrow."""

    def scan(
        self,
        captures: Sequence[CaptureData | StreamedCapture],
        plan: Plan,
        options: ScanOptions | None = None,
    ) -> Iterator[AlertBatch]:
        """Yield the alerts of the enabled rules.

        Args:
            captures: open captures; their row groups are taken in order of time.
            plan: the rules.
            options: how to scan.

        Raises:
            CaptureError: a capture is damaged.
        """
        options = options or ScanOptions()
        worker = _Worker(plan, options)
        stored, streamed = _by_kind(captures)
        try:
            for found in _match_stored(stored, worker, options):
                yield from worker.alerts(found)
        finally:
            worker.close()
        for capture in streamed:
            worker.correlate([capture])
            undetermined = worker.correlated(capture).undetermined
            if undetermined:
                yield AlertBatch(capture, (), undetermined)
            yield from _scan_stream(capture, worker, options)

    def match(
        self,
        captures: Sequence[CaptureData | StreamedCapture],
        plan: Plan,
        options: ScanOptions | None = None,
    ) -> Iterator[GroupMatches]:
        """Yield the matches of each row group, without rendering anything.

        What rules about several events leave undetermined comes first, of stored captures.
        """
        options = options or ScanOptions()
        worker = _Worker(plan, options)
        stored, streamed = _by_kind(captures)
        try:
            yield from _match_stored(stored, worker, options)
        finally:
            worker.close()
        for capture in streamed:
            worker.correlate([capture])
            yield from map(worker.run, _stream(capture, worker, options))


def matches_of_rules(
    engine: ReplayEngine,
    capture: CaptureData,
    plan: Plan,
    names: frozenset[str],
    options: ScanOptions,
) -> Iterator[GroupMatches]:
    """All matches of some rules of a plan, for engines that cannot express them.

    Yields:
        Row groups with matches; rules by their place in the whole plan.
    """
    if not names:
        return
    rules = tuple(
        dataclasses.replace(rule, enabled=rule.enabled and rule.name in names)
        for rule in plan.rules
    )
    every = dataclasses.replace(options, first_match=False)
    for found in engine.match([capture], dataclasses.replace(plan, rules=rules), every):
        if found:
            yield found


def _by_kind(
    captures: Sequence[CaptureData | StreamedCapture],
) -> tuple[list[CaptureData], list[StreamedCapture]]:
    streamed = [capture for capture in captures if isinstance(capture, StreamedCapture)]
    return [capture for capture in captures if not isinstance(capture, StreamedCapture)], streamed


def _match_stored(
    captures: Sequence[CaptureData], worker: "_Worker", options: ScanOptions
) -> Iterator[GroupMatches]:
    worker.correlate(captures)
    for capture in captures:
        undetermined = worker.correlated(capture).undetermined
        if undetermined:
            yield nothing_but(capture, undetermined)
    if worker.asks_something:
        yield from _run(worker.run_apart, _tasks(captures, options), options.threads)


def _stream(capture: StreamedCapture, worker: "_Worker", options: ScanOptions) -> Iterator["_Task"]:
    if worker.asks_something:
        for group in capture.stream(worker.streamed_names):
            yield from _tasks([group], options)


def _scan_stream(
    capture: StreamedCapture, worker: "_Worker", options: ScanOptions
) -> Iterator[AlertBatch]:
    """Scan a capture from front to back; what is found in one part while the next is read."""
    tasks = _stream(capture, worker, options)
    for task, found in forked_map(
        worker.find, tasks, is_worthwhile=_is_large, limit=options.threads
    ):
        if isinstance(found, tuple):
            yield AlertBatch(task.capture, found)
        else:
            source = RowGroupSource(task.capture, task.group)
            yield from worker.alerts(worker.beside(task, source, found))


def _is_large(task: "_Task") -> bool:
    return task.capture.row_groups[task.group].row_count >= LEAST_EVENTS


def _tasks(captures: Sequence[CaptureData], options: ScanOptions) -> "list[_Task]":
    """Row groups to work on, in order of time."""
    groups = sorted(
        ((capture, group) for capture in captures for group in capture.row_groups),
        key=lambda pair: pair[1].first_time_ns,
    )
    return [
        _Task(capture, group.index)
        for capture, group in groups
        if options.overlaps(group.first_time_ns, group.last_time_ns)
    ]


def _run(
    work: "Callable[[_Task], GroupMatches]", tasks: "Sequence[_Task]", threads: int
) -> Iterator[GroupMatches]:
    """Work on row groups, several at once; results come in the order of the tasks."""
    if threads <= 1 or len(tasks) <= 1:
        yield from map(work, tasks)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="replay") as pool:
        pending: deque[Future[GroupMatches]] = deque()
        for task in tasks:
            if len(pending) > threads:
                yield pending.popleft().result()
            pending.append(pool.submit(work, task))
        while pending:
            yield pending.popleft().result()


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    capture: CaptureData
    group: int


class _Worker:
    """Matches row groups, in the caller's thread or in one of several."""

    def __init__(self, plan: Plan, options: ScanOptions) -> None:
        self._plan = plan
        self.program = compile_plan(plan)
        self._options = options
        self._local = threading.local()
        self._opened: list[CaptureData] = []
        self._correlated: dict[Path, Correlated] = {}

    @property
    def asks_something(self) -> bool:
        """Whether row groups have to be looked at."""
        found = any(len(one.nums) for one in self._correlated.values())
        return bool(self.program.rules) or found

    @property
    def streamed_names(self) -> _EventSet:
        """Types of events that a capture has to be read for from front to back."""
        rules = step_plan(self._plan).rules.values()
        named = [self.program.event_names, *(rule.event_names for rule in rules)]
        return None if None in named else frozenset[str]().union(*(one or () for one in named))

    def correlate(self, captures: Sequence[CaptureData | StreamedCapture]) -> None:
        """Ask the rules about several events, before everything else."""
        self._correlated = correlate(captures, self._plan, self._options, _match_alone)

    def correlated(self, capture: CaptureData | StreamedCapture) -> Correlated:
        """What they found in a capture."""
        return self._correlated.get(capture.path, NOTHING)

    def beside(self, task: _Task, source: RowGroupSource, matches: MatchBatch) -> GroupMatches:
        """The matches of a row group with the events that led to them."""
        return GroupMatches(task.capture, source, matches, self.correlated(task.capture).steps)

    def run(self, task: _Task, capture: CaptureData | None = None) -> GroupMatches:
        """Match one row group."""
        source = RowGroupSource(capture or task.capture, task.group)
        matches = match_row_group(self.program, source, self._options)
        matches = self.correlated(task.capture).add_to(matches, source, self._options)
        if not len(matches):
            # Nothing will be rendered from the columns that were decoded: let go of them.
            source = RowGroupSource(capture or task.capture, task.group)
        return self.beside(task, source, matches)

    def run_apart(self, task: _Task) -> GroupMatches:
        """Match one row group in a thread of several, each with files of its own."""
        files: dict[CaptureData, CaptureData] = self._local.__dict__.setdefault("files", {})
        capture = files.get(task.capture)
        if capture is None:
            capture = files[task.capture] = open_capture(task.capture.path)
            self._opened.append(capture)
        return self.run(task, capture)

    def find(self, task: _Task) -> "tuple[Alert, ...] | MatchBatch":
        """The alerts of a row group; only the matches where those are many."""
        found = self.run(task)
        if len(found.matches) > ALERTS_PER_BATCH:
            return found.matches
        return tuple(alert for batch in self.alerts(found) for alert in batch.alerts)

    def alerts(self, found: GroupMatches) -> Iterator[AlertBatch]:
        """Render matches, in portions."""
        return alert_batches(found, self._plan)

    def close(self) -> None:
        """Close the threads' own files."""
        for capture in self._opened:
            capture.close()


def _match_alone(
    capture: CaptureData | StreamedCapture, plan: Plan, options: ScanOptions
) -> Iterator[GroupMatches]:
    return ReplayEngine().match([capture], plan, options)


def match_row_group(program: Program, source: RowGroupSource, options: ScanOptions) -> MatchBatch:
    """Run all rules over one row group."""
    rows_of = _rows_by_type(program, source, options)
    processes = source.process_set()
    places: list[int] = []
    found: list[Rows] = []
    for events, rules in program.rules.items():
        rows = _rows_of_events(rows_of, events)
        if not len(rows):
            continue
        row_set = RowSet(source, rows, processes, source.places.take)
        for place, node in rules:
            selected = row_set.select(node)
            if len(selected):
                places.append(place)
                found.append(rows[selected])
    return _batch(source, places, found, options)


def _batch(
    source: RowGroupSource, places: list[int], found: list[Rows], options: ScanOptions
) -> MatchBatch:
    if not found:
        empty = np.zeros(0, np.int64)
        return MatchBatch(np.zeros(0, np.int32), empty, empty, empty)
    rows = np.concatenate(found)
    rules = np.repeat(np.array(places, np.int32), [len(part) for part in found])
    nums, times = source.integers("evt.num").take(rows), source.integers("evt.time").take(rows)
    return order_matches(MatchBatch(rules, rows, nums, times), first_match=options.first_match)


def _rows_by_type(
    program: Program, source: RowGroupSource, options: ScanOptions
) -> dict[str, Rows]:
    """The rows of each type of event that some rule looks at."""
    events = source.column("evt.type")
    assert isinstance(events, TextVector)
    names = events.domain.values.to_pylist()
    wanted = [program.event_names is None or name in program.event_names for name in names]
    # Codes fit into 16 bits (there are some hundred types), which sorts by radix.
    is_small = len(names) < 1 << 15
    codes = events.codes.astype(np.int16) if is_small else events.codes
    meant = np.append(np.array(wanted, np.bool_), np.False_).take(codes)
    meant &= _in_time(source, options)
    rows = np.flatnonzero(meant)
    of_rows = codes.take(rows)
    order = np.argsort(of_rows, kind="stable")
    ends = np.cumsum(np.bincount(of_rows, minlength=len(names)))
    sorted_rows = rows.take(order)
    return {
        name: sorted_rows[start:end]
        for name, start, end in zip(names, (0, *ends[:-1]), ends, strict=True)
        if end > start
    }


def _rows_of_events(rows_of: dict[str, Rows], events: _EventSet) -> Rows:
    names = rows_of if events is None else events & rows_of.keys()
    parts = [rows_of[name] for name in sorted(names)]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _in_time(source: RowGroupSource, options: ScanOptions) -> Bools | np.bool_:
    """Which rows lie between the limits; times are read only where a limit cuts."""
    truth: Bools | np.bool_ = np.True_
    first, last = source.time_span
    if options.since_ns is not None and first < options.since_ns:
        truth = truth & (source.integers("evt.time") >= options.since_ns)
    if options.until_ns is not None and last >= options.until_ns:
        truth = truth & (source.integers("evt.time") < options.until_ns)
    return truth
