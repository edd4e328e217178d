"""The state engine as a whole: against a naive one, and in batches of any size."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falcotrace.events.columns import COLUMNS
from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.scap import spans
from unit.scap.naive_state import FIELDS, NAMES, NaiveState
from unit.scap.scenarios import (
    CLONE_THREAD,
    O_CLOEXEC,
    OF_PROCESSES,
    Happening,
    Replay,
    clones,
    closes,
    executes,
    exits,
    leaves,
    looks,
    opens,
    reads,
    replay,
)

FDS = st.integers(0, 3)
OLD_TIDS = (1, 10, 77, 78)
FIRST_NEW_TID = 100

Step = tuple[str, int, int, int, int]


def steps() -> st.SearchStrategy[list[Step]]:
    """What happens, of which thread, and three small numbers."""
    kinds = st.sampled_from(
        (
            *("open", "open", "open at", "open closing", "close", "close", "use", "use", "look"),
            *("dup", "dup2", "dup3", "fcntl", "mark", "fork", "thread", "exec", "exit", "chdir"),
        )
    )
    return st.lists(st.tuples(kinds, st.integers(0, 30), FDS, FDS, FDS), max_size=40)


class Story:
    """Makes events of steps, so that threads that clones make come up later."""

    def __init__(self) -> None:
        self._tids = list(OLD_TIDS)
        self._mains = set(OLD_TIDS)

    def happening(self, step: Step) -> Happening:
        """The event of a step."""
        kind, who, one, two, three = step
        tid = self._tids[who % len(self._tids)]
        match kind:
            case "open" | "open closing":
                flags = O_CLOEXEC if "closing" in kind else 1
                return opens(tid, one, f"{'/' * (two % 2)}f{three}", flags=flags)
            case "open at":
                return opens(tid, one, f"{'/' * (three % 2)}g{three}", dirfd=two)
            case "close":
                return closes(tid, one)
            case "use":
                return reads(tid, one)
            case "dup":
                return leaves("dup", tid, res=two, oldfd=one)
            case "dup2":
                return leaves("dup2", tid, res=two, oldfd=one, newfd=two)
            case "dup3":
                flags = O_CLOEXEC if three % 2 else 0
                return leaves("dup3", tid, res=two, oldfd=one, newfd=two, flags=flags)
            case "fcntl":
                command = 26 if three % 2 else 1
                return leaves("fcntl", tid, res=two, fd=one, cmd=command, arg=0)
            case "mark":
                return leaves("fcntl", tid, res=0, fd=one, cmd=3, arg=three % 2)
            case "chdir":
                return leaves("chdir", tid, res=0, path=f"{'/' * (one % 2)}d{two}")
            case "exit":
                return exits(tid)
            case _:
                return self._of_processes(kind, tid)

    def _of_processes(self, kind: str, tid: int) -> Happening:
        if kind == "exec" and tid in self._mains:
            return executes(tid)
        if kind not in {"fork", "thread"}:
            return looks(tid)
        child = FIRST_NEW_TID + len(self._tids)
        self._tids.append(child)
        if kind == "fork":
            self._mains.add(child)
            return clones(tid, child, comm="child", exe="child")
        if tid not in self._mains:  # the event must name the process
            return clones(tid, child, comm="child", flags=CLONE_THREAD, pid=tid)
        return clones(tid, child, comm="child", flags=CLONE_THREAD)


@settings(max_examples=400, deadline=None)
@given(steps=steps(), batch_events=st.sampled_from((1, 2, 7, 1000)))
def test_history_is_what_a_walk_through_the_events_sees(
    steps: list[Step], batch_events: int
) -> None:
    """Look-ups in whole columns answer as if each event had been taken in by itself."""
    story, naive = Story(), NaiveState()
    events = [story.happening(step) for step in steps]
    names = [EVENT_TYPES[event.code].name for event in events]
    expected = [
        naive.see(event, NAMES.get(name, name)) for event, name in zip(events, names, strict=True)
    ]
    seen = replay(*events, batch_events=batch_events)
    assert list(zip(events, seen.rows(*FIELDS), strict=True)) == list(
        zip(events, expected, strict=True)
    )


EVENT_COLUMNS = tuple(path for path in COLUMNS if path not in {*OF_PROCESSES, "proc.key"})


def plain(array: pa.Array) -> pa.Array:
    """The values, however they are coded."""
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    return array.cast(pa.string()) if array.type == pa.string_view() else array


def assert_same(one: Replay, other: Replay) -> None:
    """All columns are the same; states of processes may have other numbers."""
    assert one["evt.num"] == other["evt.num"]
    for path in EVENT_COLUMNS:
        assert one[path] == other[path], path
    pairs = set(zip(one["proc.key"], other["proc.key"], strict=True))
    states, others = one.process_states(), other.process_states()
    assert [states[key] for key, _ in pairs] == [others[key] for _, key in pairs]


@settings(max_examples=60, deadline=None)
@given(steps=steps(), batch_events=st.integers(1, 20))
def test_batches_may_end_anywhere(steps: list[Step], batch_events: int) -> None:
    """Whatever is carried from one batch to the next, nothing shows where it began."""
    story = Story()
    events = [story.happening(step) for step in (*steps, ("look", 0, 0, 0, 0))]
    assert_same(replay(*events), replay(*events, batch_events=batch_events))


@settings(max_examples=100, deadline=None)
@given(steps=steps(), batch_events=st.sampled_from((2, 1000)))
def test_not_looking_for_who_is_concerned_changes_nothing(
    steps: list[Step], batch_events: int
) -> None:
    """Where a change concerns very many threads, all of them are looked at anew."""
    story = Story()
    events = [story.happening(step) for step in (*steps, ("look", 0, 0, 0, 0))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spans, "_MOST_AFFECTED", 0)
        all_anew = replay(*events, batch_events=batch_events)
    assert_same(replay(*events), all_anew)


@pytest.mark.parametrize(
    ("capture", "batch_events"),
    [("sd_io", 41), ("t_tcp4", 13), ("sample", 5), ("container", 1009), ("attack", 4999)],
)
def test_recorded_captures_in_batches(shared: Path, capture: str, batch_events: int) -> None:
    """Also enter events, sockets, containers, threads and what else happens on a machine."""
    (path,) = (shared / "oracle" / "captures").glob(f"{capture}.scap*")
    assert_same(Replay(path), Replay(path, batch_events))
