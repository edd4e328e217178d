"""What processes did, summed up: who did what to which object, when first and last, how often.

In: open captures. Out: one activity for each process, action and object. DuckDB does the counting,
one capture after the other: 20 M events take some seconds, and a graph asks nothing else.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from falcotrace.capture.reader import Capture
from falcotrace.engines.capture_database import DatabaseOptions, connect_captures
from falcotrace.investigate.actions import (
    ACCEPTED,
    ACTIONS,
    CONNECTED,
    EVENTS,
    OPENED,
    OPENED_TO_WRITE,
    REDIRECTED,
    SOCKETS,
    Action,
)
from falcotrace.investigate.process import Process
from falcotrace.investigate.processes import Processes

if TYPE_CHECKING:
    import duckdb

SOCKET_KINDS = ("ipv4", "ipv6", "unix")
"""`fd.type` of sockets."""


_PROCESSES_MAX = 500
_QUESTIONS_MAX = 8
"""More processes, or more questions about some of them, are answered by reading everything once."""

IP_KINDS = ("ipv4", "ipv6")
"""`fd.type` of connections that have addresses."""


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """What a process acts on: a file, a connection, a pipe, another process.

    Attributes:
        kind: `fd.type` as Falco has it; `file` for paths, `process` for processes.
        name: path, tuple, or what else tells it apart.
    """

    kind: str
    name: str

    @property
    def is_socket(self) -> bool:
        """Whether it is a connection, or an end of one."""
        return self.kind in SOCKET_KINDS


@dataclass(frozen=True, slots=True)
class Activity:
    """What one process did to one thing in one capture, all times together.

    Attributes:
        process: number of the process.
        action: what it did.
        thing: to what.
        capture: number of the capture.
        first_num: `evt.num` of the first time.
        last_num: of the last time.
        first_ns: when, ns since the epoch.
        last_ns: when the last time.
        count: how often.
        moved_bytes: how much was read, written, sent or received.
        remote: the other end of a connection, `address:port`; empty otherwise.
        is_server: whether the process is the server of a connection.
    """

    process: int
    action: Action
    thing: Thing
    capture: int
    first_num: int
    last_num: int
    first_ns: int
    last_ns: int
    count: int
    moved_bytes: int
    remote: str
    is_server: bool


class Activities:
    """The activities of some captures.

    Args:
        captures: in order of time.
        processes: of the same captures.

    Raises:
        CaptureError: a capture is damaged.
    """

    def __init__(self, captures: Sequence[Capture], processes: Processes) -> None:
        self._captures = captures
        self._processes = processes
        self._some: dict[int, list[Activity]] = {}
        self._question_count = 0

    @cached_property
    def all(self) -> tuple[Activity, ...]:
        """Every activity, in order of time."""
        return tuple(self._in_order(None))

    def _in_order(self, chosen: frozenset[int] | None) -> list[Activity]:
        found = [one for number in range(len(self._captures)) for one in self._read(number, chosen)]
        found.sort(key=lambda one: (one.first_ns, one.capture, one.first_num))
        return found

    @cached_property
    def by_process(self) -> dict[int, list[Activity]]:
        """Activities by the number of the process, in order of time."""
        found: dict[int, list[Activity]] = {}
        for one in self.all:
            found.setdefault(one.process, []).append(one)
        return found

    @cached_property
    def by_thing(self) -> dict[Thing, list[Activity]]:
        """Activities by what they are about, in order of time."""
        found: dict[Thing, list[Activity]] = {}
        for one in self.all:
            found.setdefault(one.thing, []).append(one)
        return found

    def of(self, process: Process) -> tuple[Activity, ...]:
        """What a process did."""
        if process.number not in self._some and self._question_count < _QUESTIONS_MAX:
            self.read([process])
        found = self._some if process.number in self._some else self.by_process
        return tuple(found.get(process.number, ()))

    def read(self, processes: Iterable[Process]) -> None:
        """Read what some processes did, all at once, unless everything was read already.

        A few processes take a tenth of the time and of the memory that all of them do.
        """
        if "by_process" in self.__dict__:
            return
        chosen = frozenset(one.number for one in processes if one.is_recorded) - self._some.keys()
        if len(chosen) > _PROCESSES_MAX:
            return
        self._question_count += 1
        self._some.update({number: [] for number in chosen})
        for one in self._in_order(chosen):
            self._some[one.process].append(one)

    def about(self, thing: Thing, process: Process) -> list[Activity]:
        """What anybody did to a thing that a process knows by that name, in order of time.

        Addresses mean the same everywhere; a path or a pipe is another one on another host and in
        another container.
        """
        found = self.by_thing.get(thing, [])
        if thing.kind in IP_KINDS:
            return found
        place = _place_of(process)
        return [one for one in found if _place_of(self._processes[one.process]) == place]

    def first_event(self, process: Process) -> tuple[int, int]:
        """The capture and the `evt.num` of the first event of a process; zeros where it has none.

        Of one that was started while it was recorded that is its side of the call that started it.
        """
        return self._first_events.get(process.number, (0, 0))

    @cached_property
    def _first_events(self) -> dict[int, tuple[int, int]]:
        found: dict[int, tuple[int, int]] = {}
        for capture in range(len(self._captures)):
            numbers = self._processes.numbers_of(capture)
            for key, num in self._connect(capture).sql(_FIRST_EVENTS).fetchall():
                place = (capture, num)
                found[numbers[key]] = min(found.get(numbers[key], place), place)
        return found

    def _connect(self, capture: int) -> "duckdb.DuckDBPyConnection":
        options = DatabaseOptions(is_confined=False)
        return connect_captures([self._captures[capture]], options)

    def _read(self, capture: int, chosen: frozenset[int] | None) -> Iterator[Activity]:
        numbers = self._processes.numbers_of(capture)
        if chosen is not None:
            numbers = {key: number for key, number in numbers.items() if number in chosen}
        connection = self._connect(capture)
        connection.register("deeds", _deeds())
        connection.register("owners", _owners(numbers))
        things: dict[tuple[str, str], Thing] = {}
        for batch in connection.sql(_QUERY).to_arrow_reader(100_000):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                process, name, kind, thing, *rest, moved_bytes, remote, is_server = row
                first_num, last_num, first_ns, last_ns, count = rest
                yield Activity(
                    process=process,
                    action=ACTIONS[name],
                    # One object for all who touch it: captures have millions of activities.
                    thing=things.setdefault((kind, thing), Thing(kind, thing)),
                    capture=capture,
                    first_num=first_num,
                    last_num=last_num,
                    first_ns=first_ns,
                    last_ns=last_ns,
                    count=count,
                    moved_bytes=moved_bytes if name in _MOVING else 0,
                    remote=remote or "",
                    is_server=bool(is_server),
                )


def _place_of(process: Process) -> tuple[str, str]:
    return process.key.hostname, process.container_id


_MOVING = frozenset(("read", "wrote", *SOCKETS.values()))


def _deeds() -> pa.Table:
    events, actions, targets = zip(*EVENTS, strict=True)
    return pa.table({"event": events, "action": actions, "target": [str(t) for t in targets]})


def _owners(numbers: Mapping[int, int]) -> pa.Table:
    """Which process a state is one of: a process has many."""
    keys, processes = pa.array(numbers.keys(), pa.int64()), pa.array(numbers.values(), pa.int64())
    return pa.table({"key": keys, "process": processes})


_SOCKET_LIST = ", ".join(f"'{kind}'" for kind in SOCKET_KINDS)

_ACTION = f"""
    CASE
        WHEN deeds.action = '{OPENED.name}' AND regexp_matches(evt.arg.flags, 'O_WRONLY|O_RDWR')
            THEN '{OPENED_TO_WRITE.name}'
        {
    "".join(
        f"WHEN deeds.action = '{plain}' AND fd.type IN ({_SOCKET_LIST}) THEN '{special}' "
        for plain, special in SOCKETS.items()
    )
}
        ELSE deeds.action
    END
"""

_THING = """
    CASE deeds.target
        WHEN 'path' THEN fs.path.name
        WHEN 'source' THEN fs.path.source
        WHEN 'newpath' THEN evt.arg.newpath
        WHEN 'exe' THEN proc.exepath
        WHEN 'pid' THEN CAST(evt.rawarg.pid AS VARCHAR)
        ELSE coalesce(nullif(fd.name, ''), fd.type || ':[' || fd.ino || ']')
    END
"""
"""Pipes have no names; their inodes tell them apart."""

_KIND = """
    CASE WHEN deeds.target = 'pid' THEN 'process' WHEN deeds.target = 'fd' THEN fd.type
    ELSE 'file' END
"""

_FIRST_EVENTS = "SELECT proc.key, min(evt.num) FROM events GROUP BY ALL"

_QUERY = f"""
    SELECT
        owners.process AS process, {_ACTION} AS action, {_KIND} AS kind, {_THING} AS thing,
        min(evt.num), max(evt.num), min(evt.time), max(evt.time),
        count(*), CAST(sum(evt.rawres) AS BIGINT),
        max(CASE WHEN deeds.target = 'fd' AND fd.type IN ('ipv4', 'ipv6') AND fd.rip IS NOT NULL
            THEN fd.rip || ':' || fd.rport END) AS remote,
        bool_or(deeds.target = 'fd' AND fd.is_server) AS is_server
    FROM events JOIN deeds ON evt.type = deeds.event JOIN owners ON proc.key = owners.key
    WHERE (evt.rawres >= 0 OR (deeds.action = '{CONNECTED.name}' AND evt.res = 'EINPROGRESS'))
        AND thing IS NOT NULL AND kind IS NOT NULL
        AND (deeds.action != '{REDIRECTED.name}'
            OR (evt.rawres <= 2 AND fd.type IN ({_SOCKET_LIST}, 'pipe')))
        AND NOT (deeds.action = '{ACCEPTED.name}' AND fd.type = 'unix' AND fd.name = '')
    GROUP BY 1, 2, 3, 4
"""  # noqa: S608 - constants of the table of actions
