"""The loss account of the footer."""

import dataclasses

import pytest

from falcotrace.capture.address_names import NOT_NAMED
from falcotrace.capture.footer import Losses as FooterLosses
from falcotrace.capture.footer import LossInterval
from falcotrace.record import losses as losses_module
from falcotrace.record.call_classes import class_of
from falcotrace.record.layout import CallClass, SampleType
from falcotrace.record.losses import LossHistory, loss_account
from falcotrace.record.session import Losses


def test_account_in_words() -> None:
    """Events that were lost are counted by CPU and cause; lost descriptions are named."""
    made = dict.fromkeys(SampleType, 10)
    lost = dict.fromkeys(SampleType, 0) | {
        SampleType.EVENT: 3,
        SampleType.EXIT: 1,
        SampleType.FILE: 2,
    }
    kernel = Losses(
        made=made,
        lost=lost,
        lost_by_cpu=(1, 3),
        lost_by_class=dict.fromkeys(CallClass, 0) | {CallClass.TRANSFER: 3, CallClass.PROCESS: 1},
        faults=5,
        cut_paths=0,
        cut_parts=1,
        map_full=9,
        no_state=0,
        shed_events=3,
        shed_parts=7,
    )
    account = loss_account(kernel)
    assert account.is_known
    assert (account.made_count, account.lost_count) == (30, 4)
    assert account.by_cpu == [1, 3]
    assert sum(account.by_cause.values()) == 4
    assert account.by_cause["left out, ring buffer nearly full"] == 3
    assert account.by_class == {"processes, credentials, signals": 1, "reads and writes": 3}
    assert account.incomplete["contents left out, ring buffer filling"] == 7
    assert account.incomplete["open files not described"] == 2
    assert account.incomplete["texts cut at a limit"] == 1
    assert not any("kernel paths" in text for text in account.incomplete)


def counters(**lost: int) -> Losses:
    """Counters with so many lost of each class."""
    by_class = {kind: lost.get(kind.name, 0) for kind in CallClass}
    nothing = dict.fromkeys(SampleType, 0)
    zeros = {field.name: 0 for field in dataclasses.fields(Losses)}
    given = {"made": nothing, "lost": nothing, "lost_by_cpu": (), "lost_by_class": by_class}
    return Losses(**{**zeros, **given})  # type: ignore[arg-type]


def test_when_events_were_lost() -> None:
    """An interval between two readings says what was lost in it, and only where something was."""
    history = LossHistory(100)
    assert history.note(counters(), 200) == ()
    assert len(history.note(counters(FILE=2), 300)) == 1
    assert len(history.note(counters(FILE=2), 400)) == 1
    assert history.note(counters(FILE=5, WAIT=1), 500) == (
        LossInterval(from_ns=200, to_ns=300, by_class={"files": 2}),
        LossInterval(from_ns=400, to_ns=500, by_class={"files": 3, "waits and clocks": 1}),
    )


def test_losses_all_the_time_take_little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neighbours are put together; what was lost stays the same."""
    monkeypatch.setattr(losses_module, "MOST_INTERVALS", 10)
    history = LossHistory(0)
    for second in range(1, 1000):
        intervals = history.note(counters(FILE=second), second)
    assert len(intervals) <= 10
    assert sum(interval.by_class["files"] for interval in intervals) == 999
    assert (intervals[0].from_ns, intervals[-1].to_ns) == (0, 999)


def test_containers_and_addresses_of_which_something_is_not_known() -> None:
    """They are counted among what is incomplete; events are none the fewer for it."""
    account = losses_module.with_unknown(FooterLosses(is_known=True, incomplete={"x": 1}), 3, 2)
    assert account.incomplete == {"x": 1, losses_module.NOT_DESCRIBED: 3, NOT_NAMED: 2}
    assert (account.is_known, account.lost_count) == (True, 0)
    assert losses_module.with_unknown(account, 0, 0) == account


def test_classes_of_calls() -> None:
    """What rules ask for most is told apart from what comes most often."""
    expected = {
        CallClass.PROCESS: ("execve", "clone3", "setuid", "capset", "kill", "ptrace", "setns"),
        CallClass.FILE: ("openat", "unlinkat", "renameat2", "close", "mount"),
        CallClass.NETWORK: ("connect", "bind", "sendto", "recvmsg", "accept4", "socket"),
        CallClass.TRANSFER: ("read", "pwritev", "sendfile"),
        CallClass.WAIT: ("futex", "epoll_wait", "poll", "nanosleep", "clock_gettime"),
        CallClass.MEMORY: ("mmap", "brk"),
        CallClass.OTHER: ("bpf", "getrandom", "no_such_call"),
    }
    for kind, names in expected.items():
        assert {name: class_of(name) for name in names} == dict.fromkeys(names, kind)
