"""What imported events are called, and how they ended."""

import pytest

from falcotrace.scap.results import put_event_types, put_results
from unit.scap.made_batches import MadeState, columns_for, made_batch, shown


def _row(constant: str, **given: object) -> dict[str, object]:
    batch = made_batch((constant, given))
    columns = columns_for(batch, MadeState())
    put_event_types(batch, columns)
    put_results(batch, columns)
    return {path: values[0] for path, values in shown(columns).items()}


@pytest.mark.parametrize(
    ("constant", "result", "text"),
    [
        ("SYSCALL_READ_X", 5, "SUCCESS"),
        ("SYSCALL_READ_X", -2, "ENOENT"),
        ("SYSCALL_READ_X", -4000, "-4000"),
        ("SYSCALL_BRK_4_X", 0x7FFF_FFFF_0000, "SUCCESS"),
        ("SYSCALL_CLONE_20_X", -11, "EAGAIN"),
    ],
)
def test_results(constant: str, result: int, text: str) -> None:
    """The first parameter of a call is its result, with the name of the error."""
    row = _row(constant, res=result)
    assert (row["evt.rawres"], row["evt.res"]) == (result, text)


def test_narrow_results() -> None:
    """A result of four bytes is one, and signed like all."""
    assert _row("SYSCALL_GETUID_X", uid=1000)["evt.rawres"] == 1000
    assert _row("SYSCALL_GETUID_X", uid=-1)["evt.res"] == "EPERM"


@pytest.mark.parametrize(
    ("constant", "given"),
    [
        ("GENERIC_X", {"ID": 3}),
        ("PROCEXIT_1_E", {"status": 5}),
        ("SYSCALL_READ_X", {}),
        ("SOCKET_GETSOCKNAME_X", {}),
        ("SCHEDSWITCH_6_E", {"next": 7}),
    ],
)
def test_events_without_a_result(constant: str, given: dict[str, object]) -> None:
    """Generic events and those that are no calls have no result, nor has an empty parameter."""
    row = _row(constant, **given)
    assert "evt.res" not in row or row["evt.res"] is None
    assert "evt.rawres" not in row or row["evt.rawres"] is None


@pytest.mark.parametrize(
    ("constant", "given", "name"),
    [
        ("SYSCALL_OPENAT_2_X", {}, "openat"),
        ("PAGE_FAULT_E", {}, "page_fault"),
        ("GENERIC_X", {"ID": 1, "nativeID": 219}, "restart_syscall"),
        ("GENERIC_X", {"ID": 0, "nativeID": 39}, "getpid"),
        ("GENERIC_X", {"ID": 0, "nativeID": 60_000}, "unknown"),
        ("GENERIC_X", {"ID": 60_000}, "unknown"),
        ("GENERIC_X", {}, "unknown"),
        ("ASYNCEVENT_E", {"name": "container", "data": b"{}"}, "container"),
        ("ASYNCEVENT_E", {}, "asyncevent"),
    ],
)
def test_names(constant: str, given: dict[str, object], name: str) -> None:
    """Generic events have the name of their call, asynchronous ones that which they carry."""
    assert _row(constant, **given)["evt.type"] == name


def test_hidden_events_are_left_out() -> None:
    """Events that are not delivered have neither name nor result."""
    events = [("SYSCALL_READ_X", {"res": number}) for number in (1, 2, 3)]
    batch = made_batch(*events, hidden=(1,))
    columns = columns_for(batch, MadeState())
    put_event_types(batch, columns)
    put_results(batch, columns)
    found = shown(columns)
    assert (found["evt.rawres"], found["evt.type"]) == ([1, 3], ["read", "read"])
