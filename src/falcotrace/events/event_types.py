"""The event table: event codes, categories, flags, parameters, and the system calls behind.

Data in `tables/event_types.tsv` and `tables/syscalls.tsv`. Captures hold names, never codes: a
rule's event set counts codes because Falco does (`LOAD_NO_EVTTYPE`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from falcotrace.events.tables import read_table


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of an event: `extra` is a flag table, `dirfd=N`, `dyn` or empty."""

    name: str
    type: str
    format: str
    extra: str

    @property
    def directory_index(self) -> int | None:
        """Index of the parameter that holds the directory fd of a relative path."""
        return int(self.extra[6:]) if self.extra.startswith("dirfd=") else None


@dataclass(frozen=True, slots=True)
class EventType:
    """One event code of the driver's table."""

    code: int
    constant: str
    name: str
    direction: str
    category: str
    origin: str
    flags: frozenset[str]
    params: tuple[Param, ...]

    @property
    def is_exit(self) -> bool:
        """Whether the code is a system call's return (the only side that current captures hold)."""
        return self.direction == "exit"


@dataclass(frozen=True, slots=True)
class Syscall:
    """A system call by its portable id; `exit_event` GENERIC_X: only its number travels."""

    id: int
    name: str
    exit_event: str
    x86_64: int | None


def _params(text: str) -> tuple[Param, ...]:
    pieces = (piece.split(":") for piece in text.split(",") if piece)
    return tuple(Param(name, kind, form, ":".join(extra)) for name, kind, form, *extra in pieces)


EVENT_TYPES: tuple[EventType, ...] = tuple(
    EventType(
        code=int(row["code"]),
        constant=row["constant"],
        name=row["name"],
        direction=row["dir"],
        category=row["category"],
        origin=row["origin"],
        flags=frozenset(filter(None, row["flags"].split("|"))),
        params=_params(row["params"]),
    )
    for row in read_table("event_types")
)

SYSCALLS: tuple[Syscall, ...] = tuple(
    Syscall(
        id=int(row["ppm_sc"]),
        name=row["name"],
        exit_event=row["exit_event"],
        x86_64=int(row["x86_64_nr"]) if row["x86_64_nr"] else None,
    )
    for row in read_table("syscalls")
)

EVENT_NAMES: frozenset[str] = frozenset(
    {event.name for event in EVENT_TYPES} | {call.name for call in SYSCALLS}
) - {"syscall"}
"""Every literal valid for `evt.type`, but for names of asynchronous events that plugins declare."""


STATE_EVENTS = frozenset(
    {event.name for event in EVENT_TYPES if event.name.startswith("task")}
    | {"useradded", "userdeleted", "groupadded", "groupdeleted", "pluginevent"}
    | {"infra", "notification"}
)
"""Events about a reader's state (iterators, users), of other sources, or of one vendor's agent;
rules never see them, or never do in captures of Falco's drivers."""


@cache
def current_events() -> Mapping[str, EventType]:
    """The events that a rule can see, by name: exits and single-sided ones of the newest layout.

    `container` is the asynchronous event of the container plugin as well as an old event's name;
    the newest code that is not superseded wins.
    """
    current = {
        event.name: event
        for event in EVENT_TYPES
        if not event.flags & {"OLD_VERSION", "UNUSED"}
        and event.name not in STATE_EVENTS | {"NA", "syscall"}
        and (event.is_exit or event.origin != "syscall")
    }
    current["procexit"] = next(e for e in EVENT_TYPES if e.constant == "PROCEXIT_1_E")
    return MappingProxyType(current)


@cache
def syscall_names() -> Mapping[int, str]:
    """Names of system calls by their x86-64 number."""
    return MappingProxyType({c.x86_64: c.name for c in SYSCALLS if c.x86_64 is not None})
