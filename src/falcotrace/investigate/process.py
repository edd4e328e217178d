"""A process: its identity, what it executed, and what can be asked of it.

In: what states say of it. Out: one object, equal to every other about the same process.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from falcotrace.outputs.listing import Listing

if TYPE_CHECKING:
    from falcotrace.investigate.activities import Activity
    from falcotrace.investigate.processes import Processes
    from falcotrace.investigate.timeline import Timeline
    from falcotrace.investigate.tree import ProcessTree


_LABEL_PROGRAMS_MAX = 4


@dataclass(frozen=True, slots=True, order=True)
class ProcessKey:
    """What tells a process from every other.

    Attributes:
        hostname: the host that was recorded.
        boot_id: the boot of it.
        pid: process id.
        start_ns: when it began, ns since the epoch; 0 where nobody knows.
    """

    hostname: str
    boot_id: str
    pid: int
    start_ns: int


@dataclass(frozen=True, slots=True)
class Program:
    """What a process executed, or began as.

    Attributes:
        name: `proc.name`.
        exepath: `proc.exepath`.
        cmdline: `proc.cmdline`.
        cwd: the directory in which it began.
        user: `user.name` when it began.
    """

    name: str
    exepath: str
    cmdline: str
    cwd: str = ""
    user: str = ""


@dataclass(frozen=True, eq=False)
class Process:
    """One process. Two objects are equal where their keys are.

    Attributes:
        key: its identity.
        number: its place among the processes of the captures; -1 for one that has no events and is
            known from its descendants alone.
        programs: what it executed, in order; the first is what it was when it was first seen.
        loginname: `user.loginname`.
        container_id: `container.id`; `host` outside containers.
        container_name: `container.name`.
        image: `container.image.repository`.
        home: the processes among which it is.
    """

    key: ProcessKey
    number: int
    programs: tuple[Program, ...]
    home: "Processes" = field(repr=False)
    loginname: str = ""
    container_id: str = ""
    container_name: str = ""
    image: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Process) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def pid(self) -> int:
        """The process id."""
        return self.key.pid

    @property
    def start_ns(self) -> int:
        """When it began, ns since the epoch; 0 where nobody knows."""
        return self.key.start_ns

    @property
    def is_recorded(self) -> bool:
        """Whether any event of it is in the captures."""
        return self.number >= 0

    @property
    def program(self) -> Program:
        """What it executed last."""
        return self.programs[-1]

    @property
    def name(self) -> str:
        """`proc.name` of what it executed last."""
        return self.program.name

    @property
    def exepath(self) -> str:
        """`proc.exepath` of what it executed last."""
        return self.program.exepath

    @property
    def cmdline(self) -> str:
        """`proc.cmdline` of what it executed last; its name where there is none."""
        return self.program.cmdline or self.program.name

    @property
    def label(self) -> str:
        """What it executed, one after the other; not what it inherited from its parent."""
        parent = self.parent
        inherited = parent.programs if parent else ()
        own = [one for one in self.programs if one not in inherited] or [self.program]
        return " \u2192 ".join(one.cmdline or one.name for one in own[-_LABEL_PROGRAMS_MAX:])

    @property
    def user(self) -> str:
        """`user.name` when it executed its last program."""
        return self.program.user

    @property
    def parent(self) -> "Process | None":
        """Who started it; None where nobody knows."""
        return self.home.parent(self)

    @property
    def ancestors(self) -> "tuple[Process, ...]":
        """Its parent, the parent of that, and so on."""
        return self.home.ancestors(self)

    @property
    def children(self) -> "tuple[Process, ...]":
        """What it started, in order."""
        return self.home.children(self)

    @property
    def activities(self) -> "Listing[Activity]":
        """What it did to files, sockets and processes, in order of the first time."""
        return _listed(self.home.activities.of(self))

    @property
    def files(self) -> "Listing[Activity]":
        """What it did to files."""
        return _listed(one for one in self.activities if one.thing.kind == "file")

    @property
    def connections(self) -> "Listing[Activity]":
        """What it did over the network and over local sockets."""
        return _listed(one for one in self.activities if one.thing.is_socket)

    def tree(self) -> "ProcessTree":
        """Its ancestors, and what it started."""
        from falcotrace.investigate.tree import tree_of  # noqa: PLC0415 - it needs this module

        return tree_of(self)

    def timeline(self) -> "Timeline":
        """What it and what it started did, in order of time."""
        from falcotrace.investigate.timeline import timeline_of  # noqa: PLC0415 - likewise

        return timeline_of(self)

    def _repr_html_(self) -> str:
        from falcotrace.outputs.html import rows_html  # noqa: PLC0415 - only Jupyter needs it

        return rows_html(process_table([self]))


def _listed(activities: "Iterable[Activity]") -> "Listing[Activity]":
    return Listing(activities, _ACTIVITIES, _activity_row)


def _activity_row(one: "Activity") -> dict[str, object]:
    return {
        "time": one.first_ns,
        "event": one.first_num,
        "action": one.action.name,
        "kind": one.thing.kind,
        "object": one.thing.name,
        "count": one.count,
        "bytes": one.moved_bytes,
        "last_event": one.last_num,
    }


def process_table(processes: Iterable[Process]) -> pa.Table:
    """One row for each process."""
    rows = [
        {
            "pid": one.pid,
            "start": one.start_ns or None,
            "name": one.name,
            "cmdline": one.cmdline,
            "exepath": one.exepath,
            "programs": [program.cmdline or program.name for program in one.programs],
            "user": one.user,
            "container": one.container_name or one.container_id,
            "ppid": one.parent.pid if one.parent else None,
            "host": one.key.hostname,
        }
        for one in processes
    ]
    return pa.Table.from_pylist(rows, _TABLE)


_TABLE = pa.schema(
    [
        ("pid", pa.int64()),
        ("start", pa.timestamp("ns", "UTC")),
        *((name, pa.string()) for name in ("name", "cmdline", "exepath")),
        ("programs", pa.list_(pa.string())),
        ("user", pa.string()),
        ("container", pa.string()),
        ("ppid", pa.int64()),
        ("host", pa.string()),
    ]
)

_ACTIVITIES = pa.schema(
    [
        ("time", pa.timestamp("ns", "UTC")),
        ("event", pa.int64()),
        *((name, pa.string()) for name in ("action", "kind", "object")),
        *((name, pa.int64()) for name in ("count", "bytes", "last_event")),
    ]
)
