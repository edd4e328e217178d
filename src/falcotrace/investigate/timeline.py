"""What happened, in order of time: processes that began, what they did, alerts.

In: processes, alerts. Out: entries that each cite an event.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from falcotrace.alerts import Alert
from falcotrace.investigate.actions import RAN
from falcotrace.investigate.activities import Activity
from falcotrace.investigate.noise import is_noise
from falcotrace.investigate.process import Process

_COLUMNS = pa.schema(
    [
        ("time", pa.timestamp("ns", "UTC")),
        ("event", pa.int64()),
        ("pid", pa.int64()),
        ("process", pa.string()),
        ("what", pa.string()),
        ("object", pa.string()),
        ("count", pa.int64()),
        ("last", pa.timestamp("ns", "UTC")),
        ("rule", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One thing that happened.

    Attributes:
        time_ns: when, ns since the epoch; the first time of what happened several times.
        last_ns: the last time.
        num: `evt.num` of the first event that shows it.
        capture: number of the capture.
        process: who did it; None where nobody knows.
        what: what was done: an action, or `alert`.
        thing: to what, or the output of an alert.
        count: how often.
        rule: the rule of an alert; empty otherwise.
    """

    time_ns: int
    last_ns: int
    num: int
    capture: int
    process: Process | None
    what: str
    thing: str
    count: int = 1
    rule: str = ""


@dataclass(frozen=True)
class Timeline:
    """What happened, in order of time.

    Attributes:
        entries: in order of time.
    """

    entries: tuple[TimelineEntry, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[TimelineEntry]:
        return iter(self.entries)

    def first(self, count: int | None) -> "Timeline":
        """The first entries; all of them for None."""
        return self if count is None else Timeline(self.entries[:count])

    def arrow(self) -> pa.Table:
        """One row for each entry."""
        rows = [
            {
                "time": one.time_ns,
                "event": one.num,
                "pid": one.process.pid if one.process else None,
                "process": one.process.cmdline if one.process else None,
                "what": one.what,
                "object": one.thing,
                "count": one.count,
                "last": one.last_ns,
                "rule": one.rule or None,
            }
            for one in self.entries
        ]
        return pa.Table.from_pylist(rows, _COLUMNS)

    def _repr_html_(self) -> str:
        from falcotrace.outputs.html import ROWS_MAX, rows_html  # noqa: PLC0415 - Jupyter's

        more = len(self.entries) - ROWS_MAX
        notes = [f"{more:,} more entries are not shown here"] if more > 0 else []
        return rows_html(self.first(ROWS_MAX).arrow(), notes)


def timeline_of(process: Process) -> Timeline:
    """What a process and what it started did; what every program touches is left out."""
    members = [process, *(child for _, child in process.home.descendants(process))]
    return make_timeline(members)


def make_timeline(
    processes: Iterable[Process],
    alerts: Sequence[tuple[Alert, int, Process | None]] = (),
    *,
    since_ns: int | None = None,
    until_ns: int | None = None,
) -> Timeline:
    """Put what processes did and alerts in order of time.

    Args:
        processes: whose activities are listed.
        alerts: each with the number of its capture, and its process.
        since_ns: leave out what was over before this time, ns since the epoch.
        until_ns: leave out what began at this time and later.
    """
    done = (_entries_of(process) for process in processes)
    told = sorted((_alert_entry(*one) for one in alerts), key=_by_time)
    entries = heapq.merge(
        sorted((e for one in done for e in one), key=_by_time), told, key=_by_time
    )
    return Timeline(
        tuple(
            one
            for one in entries
            if (since_ns is None or one.last_ns >= since_ns)
            and (until_ns is None or one.time_ns < until_ns)
        )
    )


def _by_time(entry: TimelineEntry) -> tuple[int, int, int]:
    return (entry.time_ns, entry.capture, entry.num)


def _entries_of(process: Process) -> Iterator[TimelineEntry]:
    for one in process.activities:
        is_written = one.action.is_change
        is_quiet = is_noise(one.thing.kind, one.thing.name, is_written=is_written)
        if one.action == RAN or not is_quiet:
            yield _activity_entry(process, one)


def _activity_entry(process: Process, one: Activity) -> TimelineEntry:
    return TimelineEntry(
        one.first_ns,
        one.last_ns,
        one.first_num,
        one.capture,
        process,
        one.action.name,
        one.thing.name,
        one.count,
    )


def _alert_entry(alert: Alert, capture: int, process: Process | None) -> TimelineEntry:
    return TimelineEntry(
        alert.time_ns,
        alert.time_ns,
        alert.num,
        capture,
        process,
        "alert",
        alert.output,
        rule=alert.rule.name,
    )
