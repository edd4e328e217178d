"""Memory, page faults and time on a CPU of threads, as events tell them."""

import pytest

from unit.scap.scenarios import (
    BEGIN_NS,
    CLONE_THREAD,
    INIT,
    SECOND_NS,
    Happening,
    Process,
    clones,
    enters,
    executes,
    exits,
    leaves,
    looks,
    replay,
)

SHELL = Process(tid=10, memory=(30, 20, 10, 1, 2))
PROCESSES = (INIT, SHELL)
FIELDS = ("thread.pfmajor", "thread.pfminor", "proc.vmsize", "proc.vmrss", "proc.vmswap")
ANY_BATCHES = pytest.mark.parametrize("batch_events", [1, 2, 3, 100])
ALL = {"pgft_maj": 5, "pgft_min": 6, "vm_size": 70, "vm_rss": 60, "vm_swap": 50}


def switch(tid: int, seconds: float = 0, cpu: int = 0, **told: object) -> Happening:
    """A thread leaves a CPU."""
    event = enters("switch", tid, next=1, **told)
    return Happening(event.code, tid, event.given, BEGIN_NS + int(seconds * SECOND_NS), cpu)


def maps(tid: int, call: str = "mmap", **told: object) -> Happening:
    """A thread changes its memory."""
    return leaves(call, tid, res=0, **told)


@ANY_BATCHES
def test_usage_before_the_first_event(batch_events: int) -> None:
    """As the process list has it, until something else is told."""
    seen = replay(looks(10), looks(10), processes=PROCESSES, batch_events=batch_events)
    assert seen.rows(*FIELDS) == [(1, 2, 30, 20, 10)] * 2


@ANY_BATCHES
@pytest.mark.parametrize("call", ["brk", "mmap", "mmap2", "munmap"])
def test_memory_told_by_calls(call: str, batch_events: int) -> None:
    """It counts from their event on, also in later batches; faults stay."""
    told = maps(10, call, vm_size=70, vm_rss=60, vm_swap=50)
    events = (looks(10), told, looks(10), looks(1), looks(10))
    seen = replay(*events, processes=PROCESSES, batch_events=batch_events)
    assert seen.rows(*FIELDS) == [
        (1, 2, 30, 20, 10),
        *[(1, 2, 70, 60, 50)] * 2,
        (0, 0, 0, 0, 0),
        (1, 2, 70, 60, 50),
    ]


@ANY_BATCHES
def test_usage_told_by_a_switch(batch_events: int) -> None:
    """All of it, of the thread that is switched out."""
    seen = replay(
        *(switch(10, **ALL), looks(10), looks(1)), processes=PROCESSES, batch_events=batch_events
    )
    assert seen.rows(*FIELDS) == [(5, 6, 70, 60, 50), (5, 6, 70, 60, 50), (0, 0, 0, 0, 0)]


@ANY_BATCHES
def test_what_an_event_does_not_tell_stays(batch_events: int) -> None:
    """Old captures lack parameters; the last that was told counts for each by itself."""
    seen = replay(
        *(switch(10, **ALL), maps(10, vm_size=71, vm_rss=None, vm_swap=None)),
        *(switch(10, pgft_maj=8), maps(10, "brk"), looks(10)),
        processes=PROCESSES,
        batch_events=batch_events,
    )
    assert seen.last(*FIELDS) == (8, 6, 71, 60, 50)


@ANY_BATCHES
def test_usage_of_a_new_program(batch_events: int) -> None:
    """An exec tells all of it anew."""
    seen = replay(
        *(switch(10, **ALL), executes(10, pgft_maj=1, vm_size=9), looks(10)),
        *(maps(10, vm_size=10, vm_rss=2, vm_swap=3), looks(10)),
        processes=PROCESSES,
        batch_events=batch_events,
    )
    assert seen.rows(*FIELDS)[1:] == [(1, 0, 9, 0, 0)] * 2 + [(1, 0, 10, 2, 3)] * 2


@ANY_BATCHES
def test_usage_of_a_child(batch_events: int) -> None:
    """It is told by the clone; that of the parent stays, and threads have their own."""
    seen = replay(
        *(clones(10, 20, **ALL), looks(20), looks(10)),
        *(clones(10, 21, flags=CLONE_THREAD, vm_size=7), looks(21), looks(20)),
        processes=PROCESSES,
        batch_events=batch_events,
    )
    assert seen.rows(*FIELDS)[1:3] == [(5, 6, 70, 60, 50), (1, 2, 30, 20, 10)]
    assert seen.rows(*FIELDS)[4:] == [(0, 0, 7, 0, 0), (5, 6, 70, 60, 50)]


@ANY_BATCHES
def test_a_number_that_means_another_thread_has_its_own_usage(batch_events: int) -> None:
    """Nothing of the one that has ended counts for it, nor what was told of nobody."""
    seen = replay(
        *(switch(10, **ALL), exits(10), looks(1), switch(10, **ALL), looks(10), looks(10)),
        processes=PROCESSES,
        batch_events=batch_events,
    )
    assert seen.rows(*FIELDS)[3:] == [(None,) * 5, *[(0, 0, 0, 0, 0)] * 2]


@ANY_BATCHES
def test_an_unknown_thread_keeps_its_usage_when_it_becomes_known(batch_events: int) -> None:
    """Its clone tells of its child only."""
    seen = replay(
        *(maps(77, vm_size=70, vm_rss=60, vm_swap=50), clones(77, 78, vm_size=1), looks(77)),
        batch_events=batch_events,
    )
    assert seen.rows(*FIELDS)[1:] == [(0, 0, 70, 60, 50)] * 2


@ANY_BATCHES
def test_counters_of_64_bits(batch_events: int) -> None:
    """Whatever a hostile capture says, it is stored and goes on."""
    most = (1 << 64) - 2
    seen = replay(
        *(switch(10, pgft_maj=most, pgft_min=1 << 63), looks(10), looks(10)),
        batch_events=batch_events,
    )
    assert {row[:2] for row in seen.rows(*FIELDS)} == {(-2, -(1 << 63))}


OF_TIME = ("thread.exectime", "thread.totexectime")
SECONDS = SECOND_NS


@ANY_BATCHES
def test_time_on_a_cpu(batch_events: int) -> None:
    """A thread ran since the switch before on the same CPU; other events have 0."""
    seen = replay(
        *(looks(10), switch(10, 1), switch(1, 3), switch(10, 4, cpu=1), switch(10, 8), looks(10)),
        *(switch(10, 9, cpu=1), switch(1, 9)),
        batch_events=batch_events,
    )
    seconds = [(slot // SECONDS, total // SECONDS) for slot, total in seen.rows(*OF_TIME)]
    assert seconds == [(0, 0), (0, 0), (2, 2), (0, 0), (5, 5), (0, 0), (5, 10), (1, 3)]


@ANY_BATCHES
def test_time_of_unknown_and_new_threads(batch_events: int) -> None:
    """The time of an unknown thread is told, but not added up; another thread begins anew."""
    seen = replay(
        *(switch(1, 1), switch(10, 3), exits(10), switch(10, 5), looks(10), switch(10, 9)),
        *(looks(77), switch(77, 10), switch(10, 12)),
        batch_events=batch_events,
    )
    seconds = [
        (slot // SECONDS, None if total is None else total // SECONDS)
        for slot, total in seen.rows(*OF_TIME)
    ]
    assert seconds == [
        *((0, 0), (2, 2), (0, 0), (2, None), (0, 0), (4, 4)),
        *((0, 0), (1, 1), (2, 6)),
    ]


@ANY_BATCHES
def test_a_clock_that_goes_back(batch_events: int) -> None:
    """It adds nothing."""
    seen = replay(switch(10, 5), switch(10, 3), switch(10, 4), batch_events=batch_events)
    assert seen.rows(*OF_TIME) == [(0, 0), (0, 0), (SECONDS, SECONDS)]
