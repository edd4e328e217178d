"""What a recording covers: which events it has, and which columns it fills.

In: the recorder's own tables. Out: what the footer says, so that a rule that asks for something
    else is named and not silently quiet.
"""

import difflib
from collections.abc import Iterable
from functools import cache

from falcotrace.capture.address_names import NAME_COLUMNS
from falcotrace.errors import RecordError
from falcotrace.events.columns import COLUMNS, PROCESS_COLUMNS, Scope
from falcotrace.events.event_types import current_events
from falcotrace.events.operators import Multiplicity
from falcotrace.record.answers import RECEIVING_CALLS
from falcotrace.record.argument_sources import sources
from falcotrace.record.compat_calls import compat_syscalls
from falcotrace.record.events import STREAMS, calls
from falcotrace.record.runtimes.containers import RUNTIME_COLUMNS
from falcotrace.record.syscalls import load_syscalls, syscalls_by_number
from falcotrace.rules.plan import FieldOperand

_COMMON = (
    *("evt.num", "evt.time", "evt.type", "evt.cpu", "evt.compat", "evt.io_uring", "evt.cut"),
    *("evt.truncated", "evt.buffer"),
    *("evt.res", "evt.rawres", "evt.arg.nativeID", "proc.key", "thread.tid", "thread.vtid"),
    *(f"proc.{name}.{part}" for name in STREAMS for part in ("name", "type")),
    *(f"fdlist.{name}" for name in ("nums", "names", "cips", "sips", "cports", "sports")),
    *(f"fs.path.{name}{form}" for name in ("name", "source", "target") for form in ("", "raw")),
)
_EXECUTE = frozenset({"execve", "execveat"})
_EXIT = ("status", "ret", "sig", "core", "reaper_tid")
_UNRECORDED_FD = frozenset({"fd.types"})


@cache
def recorded_events() -> frozenset[str]:
    """Names of the events that a recording can have, as `evt.type` shows them."""
    names = {call.name for arch in ("x86_64", "aarch64") for call in calls(arch).values()}
    return frozenset(names | {syscall.name for syscall in load_syscalls()} | {"procexit"})


def check_event_names(names: Iterable[str]) -> None:
    """Check that a recording can have these events.

    Raises:
        RecordError: it cannot; says which are alike.
    """
    known = recorded_events()
    for name in names:
        if name not in known:
            alike = difflib.get_close_matches(name, known, 3)
            hint = f"Did you mean {' or '.join(alike)}?" if alike else ""
            raise RecordError(f"no event is called {name!r}", hint)


def numbers_of(names: frozenset[str], arch: str) -> frozenset[int]:
    """The system calls whose events have these names, by number, 32-bit ones too.

    Where a program was executed the kernel no longer knows by which of the two calls.
    """
    if names & _EXECUTE:
        names |= _EXECUTE
    found = calls(arch).items()
    own = {number: call.name for number, call in syscalls_by_number(arch).items()}
    own |= {number: call.name for number, call in compat_syscalls(arch).items()}
    return frozenset(
        {number for number, call in found if call.name in names}
        | {number for number, name in own.items() if name in names}
    )


def events_behind(fields: Iterable[FieldOperand]) -> frozenset[str]:
    """Events that tell what fields of other events say: names of addresses come in answers."""
    asks = any(field.multiplicity is Multiplicity.ANY_NAME for field in fields)
    return frozenset(RECEIVING_CALLS) if asks else frozenset()


@cache
def recorded_columns(
    *,
    with_containers: bool,
    with_contents: bool = False,
    with_answers: bool = False,
    told: frozenset[str] = frozenset(RUNTIME_COLUMNS),
) -> frozenset[str]:
    """Columns that a recording fills where there is something to say.

    Args:
        with_containers: whether a process in a container was seen. Outside containers what runtimes
            tell is known (`host`, empty, or never there).
        with_contents: whether contents of buffers were asked for.
        with_answers: whether answers of name servers are among them.
        told: columns that a runtime told of at least one container.
    """
    found = set(_COMMON)
    for name, places in sources().items():
        if name in current_events():
            found.update(f"{kind}.{param}" for param in places for kind in _KINDS)
    found.update(f"{kind}.{param}" for param in _EXIT for kind in _KINDS)
    found.update(
        path
        for path, column in COLUMNS.items()
        if column.scope is Scope.FD and path not in _UNRECORDED_FD
    )
    found.update(column.path for column in PROCESS_COLUMNS)
    missing = frozenset(RUNTIME_COLUMNS) - told if with_containers else frozenset()
    if not with_contents:
        missing |= {"evt.buffer", "evt.arg.img"}
    if not with_answers:
        missing |= NAME_COLUMNS.keys()
    return frozenset(found & COLUMNS.keys()) - missing


_KINDS = ("evt.arg", "evt.rawarg")
