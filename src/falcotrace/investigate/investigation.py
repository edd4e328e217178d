"""One question after the other about the same captures: what is read once serves all of them.

In: open captures. Out: processes, graphs, trees, timelines of events and alerts.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from falcotrace.alerts import Alert
from falcotrace.capture.reader import Capture, RowGroup
from falcotrace.capture.summary import describe_losses, has_losses
from falcotrace.engines.capture_database import DatabaseOptions, connect_captures
from falcotrace.errors import CaptureError
from falcotrace.investigate.activities import Activities
from falcotrace.investigate.graph import Graph
from falcotrace.investigate.process import Process
from falcotrace.investigate.processes import Processes
from falcotrace.investigate.provenance import NODES_MAX, AlertPlace, build_graph
from falcotrace.investigate.timeline import Timeline, make_timeline
from falcotrace.investigate.tree import (
    BRANCHES_MAX,
    ProcessTree,
    tree_of,
    tree_of_alerts,
    tree_of_several,
)
from falcotrace.rules.plan import Priority

_CHUNK = 10_000
"""Event numbers in one query."""


class Investigation:
    """Asks captures about processes and what they did.

    Args:
        captures: in order of time; those of one host and boot share processes.
    """

    def __init__(self, captures: Sequence[Capture]) -> None:
        self._captures = captures
        self._found: dict[tuple[int, int], tuple[int, int]] = {}

    @cached_property
    def processes(self) -> Processes:
        """The processes, in the order in which they were first seen.

        Raises:
            CaptureError: a capture is damaged.
        """
        return Processes(self._captures)

    @property
    def activities(self) -> Activities:
        """What they did."""
        return self.processes.activities

    def capture_of(self, alert: Alert) -> int:
        """The number of an alert's capture.

        Raises:
            CaptureError: it is none of these.
        """
        named = [
            number
            for number, capture in enumerate(self._captures)
            if alert.capture in ("", capture.path.name, str(capture.path))
        ]
        # Folders may have captures of the same name.
        for number in named:
            if any(_has(group, alert) for group in self._captures[number].row_groups):
                return number
        if named:
            return named[0]
        folder = self._captures[0].path.parent
        raise CaptureError(folder / alert.capture, "is not among the open captures")

    def process_of(self, num: int, capture: int = 0) -> Process:
        """The process of an event.

        Raises:
            CaptureError: there is no such event.
        """
        key, _ = self._look([(capture, num)])[(capture, num)]
        return self.processes.of_key(capture, key)

    def processes_of(self, alerts: Iterable[Alert]) -> list[Process]:
        """The processes of alerts; one query for each capture."""
        return self.processes_at([(self.capture_of(alert), alert.num) for alert in alerts])

    def processes_at(self, events: Sequence[tuple[int, int]]) -> list[Process]:
        """The processes of events, each a number of a capture and an `evt.num`.

        Raises:
            CaptureError: there is no such event.
        """
        found = self._look(events)
        return [self.processes.of_key(event[0], found[event][0]) for event in events]

    def graph(
        self,
        num: int,
        capture: int = 0,
        *,
        rule: str = "",
        alerts: Sequence[Alert] = (),
        node_limit: int = NODES_MAX,
    ) -> Graph:
        """What led to an event, and what came of it.

        Args:
            num: its `evt.num`.
            capture: the number of its capture.
            rule: the rule that alerted on it, if any.
            alerts: other alerts, which are marked and preferred.
            node_limit: at most so many nodes.

        Raises:
            CaptureError: there is no such event, or a capture is damaged.
        """
        key, time_ns = self._look([(capture, num)])[(capture, num)]
        process = self.processes.of_key(capture, key)
        start = AlertPlace(process.number, num, time_ns, rule)
        places = [
            AlertPlace(owner.number, alert.num, alert.time_ns, alert.rule.name)
            for alert, owner in zip(alerts, self.processes_of(alerts), strict=True)
        ]
        graph = build_graph(
            self.processes,
            self.activities,
            start,
            places,
            node_limit=node_limit,
            notes=self.loss_notes,
        )
        return dataclasses.replace(graph, priorities=_priorities(alerts))

    def tree(
        self, process: Process, alerts: Sequence[Alert] = (), *, limit: int = BRANCHES_MAX
    ) -> ProcessTree:
        """The tree of a process, with the alerts of each."""
        tree = tree_of(process, self.rules_by_process(alerts), limit=limit)
        return dataclasses.replace(tree, priorities=_priorities(alerts))

    def tree_of_alerts(self, alerts: Sequence[Alert], *, limit: int = BRANCHES_MAX) -> ProcessTree:
        """The processes of alerts, below what they came from."""
        tree = tree_of_alerts(self.rules_by_process(alerts), limit=limit)
        return dataclasses.replace(tree, priorities=_priorities(alerts))

    def tree_of_several(
        self, asked: Sequence[Process], alerts: Sequence[Alert] = (), *, limit: int | None = None
    ) -> ProcessTree:
        """One tree of several processes, with the alerts of each."""
        most = BRANCHES_MAX if limit is None else limit
        tree = tree_of_several(asked, self.rules_by_process(alerts), limit=most)
        return dataclasses.replace(tree, priorities=_priorities(alerts))

    def rules_by_process(self, alerts: Sequence[Alert]) -> Mapping[Process, Mapping[str, int]]:
        """Rules that alerted, and how often, by process."""
        found: dict[Process, Counter[str]] = {}
        for alert, process in zip(alerts, self.processes_of(alerts), strict=True):
            found.setdefault(process, Counter())[alert.rule.name] += 1
        return found

    def timeline(
        self,
        processes: Iterable[Process] | None = None,
        alerts: Sequence[Alert] = (),
        *,
        since_ns: int | None = None,
        until_ns: int | None = None,
    ) -> Timeline:
        """What processes did, and alerts, in order of time.

        Args:
            processes: whose activities and alerts are listed; all of them by default.
            alerts: of these captures.
            since_ns: leave out what was over before this time, ns since the epoch.
            until_ns: leave out what began at this time and later.
        """
        owners = self.processes_of(alerts)
        numbers = [self.capture_of(alert) for alert in alerts]
        told = list(zip(alerts, numbers, owners, strict=True))
        members: Iterable[Process] = self.processes
        if processes is not None:
            members = list(processes)
            chosen = frozenset(members)
            told = [one for one in told if one[2] in chosen]
        return make_timeline(
            members,
            told,
            since_ns=since_ns,
            until_ns=until_ns,
        )

    @property
    def loss_notes(self) -> tuple[str, ...]:
        """One sentence for each capture that is not complete."""
        return tuple(
            f"{capture.path.name}: events were lost: {describe_losses(capture.footer.losses)}"
            for capture in self._captures
            if has_losses(capture.footer.losses)
        )

    def _look(self, events: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[int, int]]:
        """`proc.key` and time of events, each a number of a capture and an `evt.num`.

        Raises:
            CaptureError: there is no such event.
        """
        wanted: dict[int, set[int]] = {}
        for capture, num in events:
            if (capture, num) not in self._found:
                wanted.setdefault(capture, set()).add(num)
        for capture, nums in wanted.items():
            self._look_up(capture, sorted(nums))
        missing = next((event for event in events if event not in self._found), None)
        if missing is not None:
            raise CaptureError(self._captures[missing[0]].path, f"has no event {missing[1]}")
        return {event: self._found[event] for event in events}

    def _look_up(self, capture: int, nums: Sequence[int]) -> None:
        options = DatabaseOptions(is_confined=False)
        connection = connect_captures([self._captures[capture]], options)
        for start in range(0, len(nums), _CHUNK):
            chunk = ", ".join(str(int(num)) for num in nums[start : start + _CHUNK])
            query = f"SELECT evt.num, proc.key, evt.time FROM events WHERE evt.num IN ({chunk})"  # noqa: S608 - whole numbers
            for num, key, time_ns in connection.sql(query).fetchall():
                self._found[(capture, num)] = (key, time_ns)


def _has(group: RowGroup, alert: Alert) -> bool:
    is_in_time = group.first_time_ns <= alert.time_ns <= group.last_time_ns
    return is_in_time and group.first_num <= alert.num <= group.last_num


def _priorities(alerts: Iterable[Alert]) -> Mapping[str, Priority]:
    return {alert.rule.name: alert.priority for alert in alerts}
