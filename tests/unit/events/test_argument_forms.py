"""Which arguments events have: look-ups of the event table."""

from falcotrace.events.argument_forms import (
    ASYNC_EVENT,
    ASYNC_MARK,
    CALL_NAMES,
    GENERIC_MARK,
    number_forms,
    owners,
    params_at,
    stand_in,
)
from falcotrace.events.columns import COLUMNS, is_number_column, params_by_name
from falcotrace.events.event_types import Param


def test_marks_are_columns_of_nothing_else() -> None:
    """No other event has the arguments that tell generic and asynchronous events."""
    assert GENERIC_MARK in COLUMNS
    assert owners("nativeID") == {}
    assert ASYNC_MARK in COLUMNS
    assert owners("plugin_id") == {"<NA>": frozenset({ASYNC_EVENT.name})}
    assert "mprotect" in CALL_NAMES
    assert not CALL_NAMES & {"container", "switch", "procexit", "asyncevent"}


def test_what_stands_in_for_a_missing_argument() -> None:
    """Structured types are `NULL`, all others `<NA>`; one name may have both."""
    assert stand_in(Param("x", "SOCKTUPLE", "NA", "")) == "NULL"
    assert stand_in(Param("x", "SOCKADDR", "NA", "")) == "<NA>"
    assert owners("addr")["NULL"] == {"ptrace"}
    assert "bind" in owners("addr")["<NA>"]


def test_places_and_forms() -> None:
    """Arguments by place; numbers that print alike are one form."""
    assert params_at(1)["openat"] == "dirfd"
    assert "close" not in params_at(2)
    names = [name for name in params_by_name() if name != "ID" and is_number_column(name)]
    several = {name for name in names if len(number_forms(name)) > 1}
    assert several == {"size", "timeout"}
