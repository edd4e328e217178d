"""The columnar rule engine: runs a plan over captures, a row group at a time.

In: open captures and a plan. Out: alerts, those of one capture in order of `evt.num`. Row groups
are independent of each other, so several are worked on at once and memory is bounded by theirs;
what is known about one is forgotten with it.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from falcotrace.capture.data import CaptureData, StreamedCapture
from falcotrace.engines.base import AlertBatch, ScanOptions
from falcotrace.engines.correlations import nothing_but
from falcotrace.engines.group_matches import GroupMatches
from falcotrace.engines.group_worker import Task, Worker
from falcotrace.forked import forked_map
from falcotrace.rules.plan import Plan

LEAST_EVENTS = 20_000
"""Events of a part of a streamed capture that are worth a process of its own."""

MANY_EVENTS = 5_000_000
"""Captures with as many events are scanned in processes, not threads (measured: a third less
time)."""

MOST_EVENTS = 10_000_000
"""Events that one process scans before it tells what it has found."""


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
        worker = Worker(plan, options)
        stored, streamed = _by_kind(captures)
        try:
            yield from _scan_stored(stored, worker, options)
        finally:
            worker.close()
        for capture in streamed:
            worker.correlate([capture], _match_alone)
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
        worker = Worker(plan, options)
        stored, streamed = _by_kind(captures)
        try:
            yield from _match_stored(stored, worker, options)
        finally:
            worker.close()
        for capture in streamed:
            worker.correlate([capture], _match_alone)
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
    captures: Sequence[CaptureData], worker: Worker, options: ScanOptions
) -> Iterator[GroupMatches]:
    worker.correlate(captures, _match_alone)
    for capture in captures:
        undetermined = worker.correlated(capture).undetermined
        if undetermined:
            yield nothing_but(capture, undetermined)
    if worker.asks_something:
        yield from _run(worker.run_apart, _tasks(captures, options), options.threads)


def _scan_stored(
    captures: Sequence[CaptureData], worker: Worker, options: ScanOptions
) -> Iterator[AlertBatch]:
    event_count = sum(group.row_count for capture in captures for group in capture.row_groups)
    if options.threads <= 1 or event_count < MANY_EVENTS:
        for found in _match_stored(captures, worker, options):
            yield from worker.alerts(found)
        return
    worker.correlate(captures, _match_alone)
    for capture in captures:
        undetermined = worker.correlated(capture).undetermined
        if undetermined:
            yield AlertBatch(capture, (), undetermined)
    if not worker.asks_something:
        return
    # Matching is many short steps of Python, for which threads wait for each other.
    portions = _portions(_tasks(captures, options), options.threads)
    for portion, answers in forked_map(
        worker.find_all, portions, is_worthwhile=bool, limit=options.threads
    ):
        for task, answer in zip(portion, answers, strict=True):
            yield from worker.rendered(task, answer)


def _portions(tasks: list[Task], processes: int) -> list[list[Task]]:
    """As many portions as processes, or a multiple of that, of much the same number of events."""
    total = sum(task.row_count for task in tasks)
    count = -(-total // (MOST_EVENTS * processes)) * processes
    portions: list[list[Task]] = [[] for _ in range(count)]
    before = 0
    for task in tasks:
        portions[(before + task.row_count // 2) * count // total].append(task)
        before += task.row_count
    return portions


def _stream(capture: StreamedCapture, worker: Worker, options: ScanOptions) -> Iterator[Task]:
    if worker.asks_something:
        for group in capture.stream(worker.streamed_names):
            yield from _tasks([group], options)


def _scan_stream(
    capture: StreamedCapture, worker: Worker, options: ScanOptions
) -> Iterator[AlertBatch]:
    """Scan a capture from front to back; what is found in one part while the next is read."""
    tasks = _stream(capture, worker, options)
    for task, found in forked_map(
        worker.find, tasks, is_worthwhile=_is_large, limit=options.threads
    ):
        yield from worker.rendered(task, found)


def _is_large(task: Task) -> bool:
    return task.row_count >= LEAST_EVENTS


def _tasks(captures: Sequence[CaptureData], options: ScanOptions) -> list[Task]:
    """Row groups to work on, in order of time."""
    groups = sorted(
        ((capture, group) for capture in captures for group in capture.row_groups),
        key=lambda pair: pair[1].first_time_ns,
    )
    return [
        Task(capture, group.index)
        for capture, group in groups
        if options.overlaps(group.first_time_ns, group.last_time_ns)
    ]


def _run(
    work: Callable[[Task], GroupMatches], tasks: Sequence[Task], threads: int
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


def _match_alone(
    capture: CaptureData | StreamedCapture, plan: Plan, options: ScanOptions
) -> Iterator[GroupMatches]:
    return ReplayEngine().match([capture], plan, options)
