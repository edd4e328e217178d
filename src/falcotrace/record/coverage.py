"""What a recording covers: which events it has, and which columns it fills.

In: the recorder's own tables. Out: what the footer says, so that a rule that asks for something
    else is named and not silently quiet.
"""

from functools import cache

from falcotrace.events.columns import COLUMNS, PROCESS_COLUMNS, Scope
from falcotrace.events.event_types import current_events
from falcotrace.record.argument_sources import sources
from falcotrace.record.events import STREAMS, calls
from falcotrace.record.process_table import RUNTIME_COLUMNS
from falcotrace.record.syscalls import load_syscalls

_COMMON = (
    *("evt.num", "evt.time", "evt.type", "evt.cpu", "evt.compat", "evt.truncated"),
    *("evt.res", "evt.rawres", "evt.arg.nativeID", "proc.key", "thread.tid", "thread.vtid"),
    *(f"proc.{name}.{part}" for name in STREAMS for part in ("name", "type")),
    *(f"fs.path.{name}{form}" for name in ("name", "source", "target") for form in ("", "raw")),
)
_EXIT = ("status", "ret", "sig", "core", "reaper_tid")
_UNRECORDED_FD = frozenset({"fd.types"})


@cache
def recorded_events() -> frozenset[str]:
    """Names of the events that a recording can have, as `evt.type` shows them."""
    names = {call.name for arch in ("x86_64", "aarch64") for call in calls(arch).values()}
    return frozenset(names | {syscall.name for syscall in load_syscalls()} | {"procexit"})


@cache
def recorded_columns(*, with_containers: bool) -> frozenset[str]:
    """Columns that a recording fills where there is something to say.

    Args:
        with_containers: whether a process in a container was seen. What a container's runtime would
            tell is missing then; outside containers it is known (`host`, empty, or never there).
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
    missing = frozenset(RUNTIME_COLUMNS) if with_containers else frozenset()
    return frozenset(found & COLUMNS.keys()) - missing


_KINDS = ("evt.arg", "evt.rawarg")
