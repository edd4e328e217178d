"""Where parameters stand in the events of a capture, by name.

In: the event table. Out: places, for events that rules can see and parameters that are columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from falcotrace.events.columns import params_by_name
from falcotrace.events.event_types import EVENT_TYPES, Param

_SUPERSEDED = frozenset({"OLD_VERSION", "UNUSED"})


@dataclass(frozen=True, slots=True)
class Place:
    """A parameter of one kind of event."""

    code: int
    index: int
    param: Param


@cache
def _places() -> Mapping[str, tuple[Place, ...]]:
    found: dict[str, list[Place]] = {}
    for event in EVENT_TYPES:
        if event.flags & _SUPERSEDED:
            continue
        for index, param in enumerate(event.params):
            # A state event's parameter may share a column's name and be of another kind.
            if param in params_by_name().get(param.name, ()):
                found.setdefault(param.name, []).append(Place(event.code, index, param))
    return MappingProxyType({name: tuple(places) for name, places in found.items()})


def places_of(name: str) -> tuple[Place, ...]:
    """The places of a parameter; none for names that are no column."""
    return _places().get(name, ())


@cache
def names_of(code: int) -> tuple[str, ...]:
    """The parameters of one kind of event that are columns."""
    params = EVENT_TYPES[code].params
    return tuple(
        param.name
        for param in params
        if any(place.code == code and place.param == param for place in places_of(param.name))
    )
