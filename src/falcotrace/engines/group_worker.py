"""Matches row groups, here, in a thread of several, or in a process of its own.

In: row groups. Out: matches with what they are rendered from, or alerts where those have to get
    from one process to another.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from falcotrace.alerts import Alert, FieldValue
from falcotrace.capture.data import CaptureData, StreamedCapture
from falcotrace.capture.reader import open_capture
from falcotrace.engines.base import AlertBatch, MatchBatch, ScanOptions
from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.correlations import NOTHING, Correlated, MatchCapture, correlate, step_plan
from falcotrace.engines.group_matches import ALERTS_PER_BATCH, GroupMatches, alert_batches
from falcotrace.engines.group_program import EventSet, compile_plan, match_row_group
from falcotrace.rules.plan import Plan

if TYPE_CHECKING:
    from pathlib import Path

MOST_ALERTS: Final = 20_000
"""Alerts that one process tells of several row groups; beyond, it tells which events match."""


class ToldAlert(NamedTuple):
    """An alert as another process tells it: it has the rules itself, which are large."""

    rule: int
    num: int
    time_ns: int
    output: str
    output_fields: Mapping[str, FieldValue]
    hostname: str
    capture: str
    steps: tuple[int, ...]


Answer: TypeAlias = tuple[ToldAlert, ...] | MatchBatch
"""What a row group has, told to another process."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A row group to work on."""

    capture: CaptureData
    group: int

    @property
    def row_count(self) -> int:
        """Events of the row group."""
        return self.capture.row_groups[self.group].row_count


class Worker:
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
    def streamed_names(self) -> EventSet:
        """Types of events that a capture has to be read for from front to back."""
        rules = step_plan(self._plan).rules.values()
        named = [self.program.event_names, *(rule.event_names for rule in rules)]
        return None if None in named else frozenset[str]().union(*(one or () for one in named))

    def correlate(
        self, captures: Sequence[CaptureData | StreamedCapture], match: MatchCapture
    ) -> None:
        """Ask the rules about several events, before everything else."""
        self._correlated = correlate(captures, self._plan, self._options, match)

    def correlated(self, capture: CaptureData | StreamedCapture) -> Correlated:
        """What they found in a capture."""
        return self._correlated.get(capture.path, NOTHING)

    def beside(self, task: Task, source: RowGroupSource, matches: MatchBatch) -> GroupMatches:
        """The matches of a row group with the events that led to them."""
        return GroupMatches(task.capture, source, matches, self.correlated(task.capture).steps)

    def run(self, task: Task, capture: CaptureData | None = None) -> GroupMatches:
        """Match one row group."""
        source = RowGroupSource(capture or task.capture, task.group)
        matches = match_row_group(self.program, source, self._options)
        matches = self.correlated(task.capture).add_to(matches, source, self._options)
        if not len(matches):
            # Nothing will be rendered from the columns that were decoded: let go of them.
            source = RowGroupSource(capture or task.capture, task.group)
        return self.beside(task, source, matches)

    def run_apart(self, task: Task) -> GroupMatches:
        """Match one row group in a thread of several, each with files of its own."""
        files: dict[CaptureData, CaptureData] = self._local.__dict__.setdefault("files", {})
        capture = files.get(task.capture)
        if capture is None:
            capture = files[task.capture] = open_capture(task.capture.path)
            self._opened.append(capture)
        return self.run(task, capture)

    def find(self, task: Task, limit: int = ALERTS_PER_BATCH) -> Answer:
        """The alerts of a row group; only the matches where those are more than so many."""
        found = self.run(task)
        if len(found.matches) > limit:
            return found.matches
        places = {id(rule): place for place, rule in enumerate(self._plan.rules)}
        return tuple(
            ToldAlert(
                places[id(alert.rule)],
                alert.num,
                alert.time_ns,
                alert.output,
                alert.output_fields,
                alert.hostname,
                alert.capture,
                alert.steps,
            )
            for batch in self.alerts(found)
            for alert in batch.alerts
        )

    def find_all(self, tasks: Sequence[Task]) -> list[Answer]:
        """The same of several row groups; matches alone once there are very many alerts."""
        answers = []
        left = MOST_ALERTS
        for task in tasks:
            answer = self.find(task, min(left, ALERTS_PER_BATCH))
            answers.append(answer)
            left -= len(answer)
        return answers

    def rendered(self, task: Task, answer: Answer) -> Iterator[AlertBatch]:
        """What `find` has told as alerts."""
        if isinstance(answer, tuple):
            rules = self._plan.rules
            alerts = tuple(Alert(rules[told.rule], *told[1:]) for told in answer)
            yield AlertBatch(task.capture, alerts)
        else:
            source = RowGroupSource(task.capture, task.group)
            yield from self.alerts(self.beside(task, source, answer))

    def alerts(self, found: GroupMatches) -> Iterator[AlertBatch]:
        """Render matches, in portions."""
        return alert_batches(found, self._plan)

    def close(self) -> None:
        """Close the threads' own files."""
        for capture in self._opened:
            capture.close()
