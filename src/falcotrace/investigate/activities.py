"""What processes did, summed up: who did what to which object, when first and last, how often.

In: open captures. Out: one activity for each process, action and object. DuckDB does the counting,
one capture after the other: 20 M events take some seconds, and a graph asks nothing else.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from falcotrace.capture.reader import Capture
from falcotrace.engines.capture_database import DatabaseOptions, connect_captures
from falcotrace.investigate.actions import (
    ACCEPTED,
    ACTIONS,
    CONNECTED,
    EVENTS,
    MAKING,
    OPENED,
    OPENED_TO_WRITE,
    READ,
    REDIRECTED,
    SOCKETS,
    WROTE,
    Action,
)
from falcotrace.investigate.process import Process
from falcotrace.investigate.process_states import Numbers
from falcotrace.investigate.processes import Processes

Truths = NDArray[np.bool_]

SOCKET_KINDS = ("ipv4", "ipv6", "unix")
"""`fd.type` of sockets."""


IP_KINDS = ("ipv4", "ipv6")
"""`fd.type` of connections that have addresses, which mean the same everywhere."""


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

    They are kept as columns; objects are made of those that are asked for.

    Args:
        captures: in order of time.
        processes: of the same captures.
    """

    def __init__(self, captures: Sequence[Capture], processes: Processes) -> None:
        self._captures = captures
        self._processes = processes

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[Activity]:
        for start in range(0, len(self), _CHUNK):
            yield from self._made(np.arange(start, min(start + _CHUNK, len(self))))

    @cached_property
    def table(self) -> pa.Table:
        """Every activity, in order of time: the attributes of `Activity` as columns.

        Raises:
            CaptureError: a capture is damaged.
        """
        tables = [self._read(number) for number in range(len(self._captures))]
        table = pa.concat_tables(tables) if tables else pa.table({})
        order = [(name, "ascending") for name in ("first_ns", "capture", "first_num")]
        return table.sort_by(order).combine_chunks()

    def of(
        self,
        process: Process,
        actions: Iterable[Action] | None = None,
        *,
        made_only: bool = False,
        limit: int | None = None,
    ) -> tuple[Activity, ...]:
        """What a process did, in order of the first time.

        Args:
            process: the process.
            actions: only these.
            made_only: only things of that name which any process made while it was recorded.
            limit: at most so many.
        """
        rows = self._by_process.rows(process.number)
        if actions is not None:
            rows = rows[self._are(actions)[rows]]
        if made_only:
            rows = rows[self._is_made[rows]]
        return tuple(self._made(rows[:limit]))

    def of_kinds(self, *kinds: str) -> Iterator[Activity]:
        """What was done to things of some kinds, in order of the first time."""
        chosen = np.asarray(pc.is_in(self.table["kind"], pa.array(kinds)))
        yield from self._made(np.flatnonzero(chosen))

    def about(self, thing: Thing, process: Process | None = None) -> tuple[Activity, ...]:
        """What was done to a thing, in order of the first time.

        Args:
            thing: the thing.
            process: only what is the same thing as this process knows by that name: a path or a
                pipe is another one on another host and in another container.
        """
        code = self._codes_of_names.get(thing.name, -1)
        found = self._made(self._by_name.rows(code))
        same = tuple(one for one in found if one.thing.kind == thing.kind)
        if process is None or thing.kind in IP_KINDS:
            return same
        place = _place_of(process)
        return tuple(one for one in same if _place_of(self._processes[one.process]) == place)

    @cached_property
    def _by_process(self) -> "_Sorted":
        return _Sorted(np.asarray(self.table["process"]), len(self._processes))

    def _are(self, actions: Iterable[Action]) -> Truths:
        """By row, whether it is one of these actions."""
        names = pa.array([action.name for action in actions])
        return np.asarray(pc.is_in(self.table["action"], names))

    @cached_property
    def _is_made(self) -> Truths:
        """By row, whether any process made a thing of that name."""
        codes = self._names.indices.to_numpy()
        made = np.zeros(len(self._names.dictionary), bool)
        made[codes[self._are(MAKING)]] = True
        return made[codes]

    @cached_property
    def _names(self) -> pa.DictionaryArray:
        return self.table["thing"].combine_chunks().dictionary_encode()

    @cached_property
    def _codes_of_names(self) -> dict[str, int]:
        names = self._names.dictionary.to_pylist()
        return {name: code for code, name in enumerate(names)}

    @cached_property
    def _by_name(self) -> "_Sorted":
        codes = self._names.indices.to_numpy().astype(np.int64)
        return _Sorted(codes, len(self._names.dictionary))

    def _made(self, rows: Numbers) -> Iterator[Activity]:
        chosen = self.table.take(pa.array(rows))
        for row in zip(*(column.to_pylist() for column in chosen.columns), strict=True):
            process, capture, name, kind, thing, *rest = row
            yield Activity(process, ACTIONS[name], Thing(kind, thing), capture, *rest)

    def _read(self, capture: int) -> pa.Table:
        options = DatabaseOptions(is_confined=False)
        connection = connect_captures([self._captures[capture]], options)
        connection.register("deeds", _deeds())
        numbers = self._processes.numbers_of(capture)
        owners = {
            "key": pa.array(numbers.keys(), pa.int64()),
            "process": pa.array(numbers.values()),
        }
        connection.register("owners", pa.table(owners))
        return connection.sql(_QUERY.format(capture=capture)).to_arrow_table()


def _place_of(process: Process) -> tuple[str, str]:
    return process.key.hostname, process.container_id


class _Sorted:
    """Rows by a number that they have."""

    def __init__(self, numbers: Numbers, count: int) -> None:
        self._order = np.argsort(numbers, kind="stable")
        self._begins = np.searchsorted(numbers[self._order], np.arange(count + 1))

    def rows(self, number: int) -> Numbers:
        """The rows that have it, in their order."""
        if number < 0:
            return self._order[:0]
        return self._order[self._begins[number] : self._begins[number + 1]]


_CHUNK = 100_000


def _deeds() -> pa.Table:
    events, actions, targets = zip(*EVENTS, strict=True)
    return pa.table({"event": events, "action": actions, "target": [str(t) for t in targets]})


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

_MOVING = ", ".join(f"'{name}'" for name in (READ.name, WROTE.name, *SOCKETS.values()))

_QUERY = f"""
    SELECT
        owners.process AS process, CAST({{capture}} AS INTEGER) AS capture,
        {_ACTION} AS action, {_KIND} AS kind, {_THING} AS thing,
        min(evt.num) AS first_num, max(evt.num) AS last_num,
        min(evt.time) AS first_ns, max(evt.time) AS last_ns, count(*) AS count,
        CAST(coalesce(sum(evt.rawres) FILTER (action IN ({_MOVING})), 0) AS BIGINT) AS moved_bytes,
        max(CASE WHEN deeds.target = 'fd' AND fd.type IN ('ipv4', 'ipv6') AND fd.rip IS NOT NULL
            THEN fd.rip || ':' || fd.rport ELSE '' END) AS remote,
        coalesce(bool_or(deeds.target = 'fd' AND fd.is_server), false) AS is_server
    FROM events JOIN deeds ON evt.type = deeds.event JOIN owners ON proc.key = owners.key
    WHERE (evt.rawres >= 0 OR (deeds.action = '{CONNECTED.name}' AND evt.res = 'EINPROGRESS'))
        AND thing IS NOT NULL AND kind IS NOT NULL
        AND (deeds.action != '{REDIRECTED.name}'
            OR (evt.rawres <= 2 AND fd.type IN ({_SOCKET_LIST}, 'pipe')))
        AND NOT (deeds.action = '{ACCEPTED.name}' AND fd.type = 'unix' AND fd.name = '')
    GROUP BY 1, 2, 3, 4, 5
"""  # noqa: S608 - constants of the table of actions
