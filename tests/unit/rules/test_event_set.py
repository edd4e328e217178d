"""Which events a condition is tried on."""

import pytest

from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.rules.event_set import EventSet, find_events
from falcotrace.rules.load import parse_formula


def events(text: str) -> EventSet:
    """The event set of a condition."""
    return find_events(parse_formula(text))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("evt.type=open", {"open"}),
        ("evt.type in (open, creat) and evt.type!=creat", {"open"}),
        ("evt.type=open and (proc.name=a or evt.type=close)", {"open"}),
        ("not (evt.type!=open)", {"open"}),
        ("evt.type=swapon", {"swapon"}),
        ("evt.type in (swapon, open)", {"swapon", "open"}),
        ("evt.type=container", {"container"}),
        ("evt.type=container_removed", {"container_removed"}),
        ("evt.type=syscall", set()),
        ("evt.type in ()", set()),
        ("evt.num=0", set()),
        ("not evt.num>0 and proc.name=a", set()),
        ("evt.num<1 or evt.type=open", {"open"}),
        ("proc.name=a", None),
        ("evt.type=open or proc.name=a", None),
        ("evt.num=5", None),
        ("evt.num in (0)", None),
        ("evt.type startswith open", None),
        ("evt.type = anyof (open)", None),
        ("not (evt.type=open and proc.name=a)", None),
    ],
)
def test_names(text: str, names: set[str] | None) -> None:
    """Names are those that the condition can be true for; None is every event."""
    assert events(text).names == names


def test_complement_is_by_code() -> None:
    """`not evt.type=swapon` leaves out all generic events, as Falco's index does."""
    found = events("not evt.type=swapon")
    assert found.names is not None
    assert not {"swapon", "swapoff"} & found.names
    assert {"open", "container"} <= found.names
    assert found.code_count == len(EVENT_TYPES) - 2


def test_complement_of_an_event() -> None:
    """`evt.type!=open` keeps every other name, generic and asynchronous ones included."""
    found = events("evt.type!=open").names
    assert found is not None
    assert "open" not in found
    assert {"openat", "swapoff", "container_removed"} <= found
