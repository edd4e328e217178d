"""Which arguments an event has, and in which forms an argument occurs.

In: the event table. Out: look-ups by event, by argument, by place. Engines render arguments with
these; nothing is rendered here.

`evt.type` alone does not tell an event's arguments: the generic event carries the name of its
system call, which may have an event of its own in newer captures, and an asynchronous event carries
the name that a plugin gave it. Both are known by a column that no other event fills.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from falcotrace.events.columns import params_by_name
from falcotrace.events.event_types import SYSCALLS, EventType, Param, current_events

GENERIC_MARK = "evt.arg.nativeID"
"""Has a value for generic events, and for no others."""

ASYNC_MARK = "evt.arg.plugin_id"
"""Has a value for asynchronous events, and for no others; never beside one of CALL_NAMES."""

CALL_NAMES = frozenset(call.name for call in SYSCALLS) | frozenset(
    name for name, event in current_events().items() if event.is_exit
)
"""Names that only events of system calls have: no asynchronous event is taken for one."""

MARKS = frozenset({"evt.type", GENERIC_MARK, ASYNC_MARK})
"""Columns that say what an event is, whatever else is asked of it."""

ASYNC_EVENT = current_events()["asyncevent"]
"""The layout of asynchronous events, whatever their names."""

GENERIC_PARAMS = ("ID", "nativeID")
"""The arguments of the generic event, which Falco's `evt.args` leaves out."""

GROWN_EVENTS = frozenset({"procexit"})
"""Events whose drivers sent fewer arguments once: those missing at the end are not shown."""

_BARE_MISSING = "<NA>"
_STRUCTURED = frozenset({"BYTEBUF", "SOCKTUPLE", "FDLIST", "DYN"})

STAND_INS = frozenset({_BARE_MISSING, "NULL"})
"""Texts for arguments without a value."""


def stand_in(param: Param) -> str:
    """What is shown for an argument without a value (one of zero length)."""
    return "NULL" if param.type in _STRUCTURED else _BARE_MISSING


@cache
def params_at(index: int) -> Mapping[str, str]:
    """The name of the argument at an index, by event name."""
    return MappingProxyType(
        {
            event.name: event.params[index].name
            for event in current_events().values()
            if index < len(event.params)
        }
    )


@cache
def owners(name: str) -> Mapping[str, frozenset[str]]:
    """The events that have an argument, by the text that stands in for a missing one."""
    found: dict[str, set[str]] = {}
    for event, param in _with_param(name):
        found.setdefault(stand_in(param), set()).add(event.name)
    return MappingProxyType({text: frozenset(events) for text, events in found.items()})


@cache
def number_forms(name: str) -> Mapping[Param, frozenset[str]]:
    """The forms in which a column of numbers is rendered, and the events of each.

    Forms that render every number alike are one; a single form is that of all events.

    Example:
        >>> [form.type for form in number_forms("timeout")], len(number_forms("cap_effective"))
        (['INT64', 'RELTIME'], 1)
    """
    if name in GENERIC_PARAMS:
        return MappingProxyType({params_by_name()[name][0]: frozenset[str]()})
    forms: dict[tuple[str, str], Param] = {}
    events: dict[tuple[str, str], set[str]] = {}
    for event, param in _with_param(name):
        alike = _TYPES_ALIKE if param.format == "DEC" else {}
        key = (alike.get(param.type, param.type), param.format)
        forms.setdefault(key, param)
        events.setdefault(key, set()).add(event.name)
    return MappingProxyType({forms[key]: frozenset(names) for key, names in events.items()})


_TYPES_ALIKE = MappingProxyType(
    dict.fromkeys(("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT64", "PORT"), "INT64")
)
"""Decimal numbers of these types print alike; unsigned ones of 32 bits wrap at another place."""


def _with_param(name: str) -> list[tuple[EventType, Param]]:
    return [
        (event, param)
        for event in current_events().values()
        for param in event.params
        if param.name == name
    ]
