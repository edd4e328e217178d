"""What can be asked of open captures about processes, and what they did."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

from falcotrace.alerts import Alert
from falcotrace.engines.base import ScanOptions, default_threads
from falcotrace.errors import CaptureError
from falcotrace.rules.condition import load_condition
from falcotrace.rules.shipped import shipped_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from falcotrace.capture.reader import Capture
    from falcotrace.investigate.diff import Difference
    from falcotrace.investigate.graph import Graph
    from falcotrace.investigate.investigation import Investigation
    from falcotrace.investigate.process import Process
    from falcotrace.investigate.processes import Processes
    from falcotrace.investigate.timeline import Timeline
    from falcotrace.investigate.top import Top
    from falcotrace.investigate.tree import ProcessTree
    from falcotrace.query import Row


class InvestigatedCaptures(ABC):
    """The part of `Captures` that follows processes."""

    @property
    @abstractmethod
    def _stored(self) -> "list[Capture]":
        """The captures; raises a `CaptureError` where one is a `.scap` file."""

    @cached_property
    def investigation(self) -> "Investigation":
        """Asks about processes, and what they did; what was read once is kept.

        Raises:
            CaptureError: a capture is a `.scap` file, which has to be imported first.
        """
        from falcotrace.investigate.investigation import Investigation  # noqa: PLC0415 - DuckDB's

        return Investigation(self._stored)

    def event(self, event: "int | Alert") -> "Row":
        """An event, by field; fields without a value are left out.

        Args:
            event: its `evt.num`, or an alert.

        Raises:
            CaptureError: there is no such event.
        """
        from falcotrace.investigate.event import event_fields  # noqa: PLC0415 - as above

        capture, num = self._place_of(event)
        return event_fields(self._stored[capture], num)

    @property
    def processes(self) -> "Processes":
        """The processes, in the order in which they were first seen."""
        return self.investigation.processes

    def process_of(self, event: "int | Alert") -> "Process":
        """The process of an event, or of an alert.

        Raises:
            CaptureError: there is no such event.
        """
        capture, num = self._place_of(event)
        return self.investigation.process_of(num, capture)

    def tree(self, event: "int | Alert", alerts: "Iterable[Alert]" = ()) -> "ProcessTree":
        """The process of an event between its ancestors and what it started.

        Args:
            event: its `evt.num`, or an alert.
            alerts: alerts to mark.
        """
        return self.investigation.tree(self.process_of(event), list(alerts))

    def tree_of(
        self,
        events: "Iterable[int | Alert]",
        alerts: "Iterable[Alert]" = (),
        *,
        limit: int | None = None,
    ) -> "ProcessTree":
        """One tree of the processes of several events: ancestors that they share are in it once.

        Args:
            events: numbers, or alerts.
            alerts: alerts to mark.
            limit: at most so many descendants; those with alerts come first.

        Raises:
            CaptureError: there is no such event.
        """
        return self.investigation.tree_of_several(
            self._processes_of(list(events)), list(alerts), limit=limit
        )

    def _processes_of(self, events: "Sequence[int | Alert]") -> "list[Process]":
        places = [self._place_of(event) for event in events]
        return list(dict.fromkeys(self.investigation.processes_at(places)))

    def _place_of(self, event: "int | Alert") -> tuple[int, int]:
        """The number of a capture, and an `evt.num` in it.

        Raises:
            CaptureError: several captures can have an event of that number.
        """
        if isinstance(event, Alert):
            return self.investigation.capture_of(event), event.num
        able = [
            number
            for number, capture in enumerate(self._stored)
            if any(group.first_num <= event <= group.last_num for group in capture.row_groups)
        ]
        if len(able) > 1:
            names = " and ".join(self._stored[number].path.name for number in able[:2])
            message = f"{names} both have an event {event}: open one of them, or name an alert"
            raise CaptureError(self._stored[able[0]].path.parent, message)
        return (able[0] if able else 0), event

    def graph(
        self, event: "int | Alert", alerts: "Iterable[Alert]" = (), *, node_limit: int = 50
    ) -> "Graph":
        """What led to an event, and what came of it; every edge cites events.

        Args:
            event: its `evt.num`, or an alert.
            alerts: other alerts: they are marked, and preferred where there is little room.
            node_limit: at most so many nodes.
        """
        asked = self.investigation
        capture, num = self._place_of(event)
        rule = event.rule.name if isinstance(event, Alert) else ""
        # The alert itself is one of those that are marked, so that it brings its priority.
        marked = [event, *alerts] if isinstance(event, Alert) else [*alerts]
        return asked.graph(num, capture, rule=rule, alerts=marked, node_limit=node_limit)

    def timeline(
        self,
        alerts: "Iterable[Alert]" = (),
        *,
        process: "Process | None" = None,
        processes: "Iterable[Process] | None" = None,
        since_ns: int | None = None,
        until_ns: int | None = None,
    ) -> "Timeline":
        """What happened, in order of time.

        Args:
            alerts: alerts that belong to it.
            process: only what it and what it started did.
            processes: only what these and those that they started did.
            since_ns: leave out what was over before this time, ns since the epoch.
            until_ns: leave out what began at this time and later.
        """
        members = None
        begins = [process] if process is not None else processes
        if begins is not None:
            members = self.processes.with_descendants(begins)
        return self.investigation.timeline(
            members, list(alerts), since_ns=since_ns, until_ns=until_ns
        )

    def top(
        self,
        by: str,
        where: str = "",
        *,
        since_ns: int | None = None,
        until_ns: int | None = None,
        limit: int | None = 20,
    ) -> "Top":
        """Count events, bytes and errors, the most frequent first.

        Args:
            by: `process`, `file`, `peer` or `error`.
            where: only events that this condition holds for.
            since_ns: leave out events before this time, ns since the epoch.
            until_ns: leave out events at this time and later, ns since the epoch.
            limit: at most so many rows; all of them for None.

        Raises:
            RulesError: the condition cannot be used.
            FalcoTraceError: nothing can be counted by that.
        """
        from falcotrace.investigate.top import find_top  # noqa: PLC0415 - DuckDB's

        rule = load_condition(where, [shipped_rules()]) if where else None
        options = ScanOptions(since_ns=since_ns, until_ns=until_ns, threads=default_threads())
        return find_top(self._stored, by, rule, options, limit=limit)

    def diff(self, baseline: "InvestigatedCaptures") -> "Difference":
        """What is new against captures of quieter times.

        Args:
            baseline: open captures of what is known.

        Raises:
            CaptureError: a capture is damaged, or a `.scap` file.
        """
        from falcotrace.investigate.diff import find_difference  # noqa: PLC0415 - DuckDB's

        notes = [f"of the baseline: {note}" for note in baseline.investigation.loss_notes]
        known = baseline._stored  # noqa: SLF001 - of the same class
        return find_difference(known, self._stored, notes)
