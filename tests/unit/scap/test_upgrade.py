"""Upgrading events of older layouts: against a naive upgrade, and across windows."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falcotrace.events.event_types import EVENT_TYPES
from falcotrace.events.tables import read_table
from falcotrace.scap import blocks, upgrade_carry
from falcotrace.scap.batch import EventBatch
from falcotrace.scap.reader import open_scap
from falcotrace.scap.upgrade_pairs import stable_order
from falcotrace.scap.upgrade_recipes import passed_enter_codes, recipe_for
from unit.scap.naive_upgrade import CODES, ROWS, SIZE_OF, Event, upgrade
from unit.scap.scap_bytes import event, i64, section, u32

MANAGED = [kind.code for kind in EVENT_TYPES if "CONVERTER_MANAGED" in kind.flags]
OPEN_ENTER, OPEN_EXIT = CODES["SYSCALL_OPEN_E"], CODES["SYSCALL_OPEN_X"]
CLOSE_ENTER, CLOSE_EXIT = CODES["SYSCALL_CLOSE_E"], CODES["SYSCALL_CLOSE_X"]
READ_ENTER, READ_EXIT = CODES["SYSCALL_READ_E"], CODES["SYSCALL_READ_X"]


def value_of(kind: str, seed: int) -> bytes:
    """A value of a parameter's type, unlike those of other seeds."""
    size = 9 if kind == "DYN" else SIZE_OF.get(kind, 4)
    return (seed.to_bytes(2, "little") * size)[:size]


def made_event(tid: int, code: int, count: int, seed: int) -> Event:
    """An event with so many parameters."""
    params = EVENT_TYPES[code].params[:count]
    return Event(tid, code, [value_of(param.type, seed) for param in params])


def stored_events() -> st.SearchStrategy[Event]:
    """Events as captures of all ages hold them: mostly layouts that have a conversion."""
    layouts = st.sampled_from(sorted(ROWS)) | st.sampled_from(MANAGED).map(
        lambda code: (code, len(EVENT_TYPES[code].params))
    )
    # Few calls and few threads, so that exit events often find an enter event.
    few = st.sampled_from([key for key in sorted(ROWS) if key[0] in range(2, 10)])
    return st.builds(
        lambda tid, layout, seed: made_event(tid, layout[0], layout[1], seed),
        st.sampled_from((1, 2, -1, 1 << 40)),
        layouts | few,
        st.integers(0, 60_000),
    )


def read(path: Path, events: list[Event]) -> list[EventBatch]:
    """What the reader makes of some events."""
    data = b"".join(
        event(e.code, e.params, tid=e.tid, time=number) for number, e in enumerate(events)
    )
    path.write_bytes(section() + data)
    with open_scap(path) as file:
        return [batch for part in file for batch in part]


def events_of(batch: EventBatch) -> list[Event]:
    """Events of a batch with their parameters, without those that were carried."""
    found: dict[int, Event] = {}
    for code, params in batch.params.items():
        for row, offsets, lengths in zip(
            params.rows.tolist(), params.offsets.tolist(), params.lengths.tolist(), strict=True
        ):
            pairs = zip(offsets, lengths, strict=True)
            values = [batch.data[at : at + size].tobytes() for at, size in pairs]
            found[row] = Event(int(batch.tids[row]), code, values)
    assert sorted(found) == list(range(len(batch)))
    assert all(
        params.rows.tolist() == sorted(params.rows.tolist()) for params in batch.params.values()
    )
    return [found[row] for row in range(len(batch)) if not batch.is_carried[row]]


@settings(max_examples=300, deadline=None)
@given(events=st.lists(stored_events(), max_size=40), window=st.sampled_from((64, 300, 1 << 20)))
def test_upgrade_is_what_the_naive_one_makes(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event], window: int
) -> None:
    """Recipes, pairs and carried events together do what rounds over single events do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "WINDOW_BYTES", window)
        batches = read(tmp_path_factory.mktemp("scap", numbered=True) / "a.scap", events)
    assert [e for batch in batches for e in events_of(batch)] == list(upgrade(events))
    nums = [num for batch in batches for num in batch.nums.tolist() if num]
    assert nums == list(range(1, len(nums) + 1))


def link_nums(batches: list[EventBatch]) -> dict[int, tuple[int, int]]:
    """For each exit event with an enter event: its number, and the enter event's code and time."""
    found = {}
    for batch in batches:
        for row in np.flatnonzero(batch.enters >= 0).tolist():
            enter = int(batch.enters[row])
            found[int(batch.nums[row])] = (int(batch.codes[enter]), int(batch.times_ns[enter]))
    return found


@pytest.mark.parametrize("batch_events", [1, 2, 100])
def test_enter_events_that_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_events: int
) -> None:
    """They are numbered, not delivered, and found by their exit event also in a later window."""
    monkeypatch.setattr(blocks, "MAX_BATCH_EVENTS", batch_events)
    enter, leave = made_event(1, OPEN_ENTER, 3, 5), made_event(1, OPEN_EXIT, 6, 6)
    other = made_event(2, OPEN_EXIT, 6, 6)
    batches = read(tmp_path / "a.scap", [enter, other, leave, leave])
    assert [n for b in batches for n in b.nums[~b.is_carried].tolist()] == [1, 2, 3, 4]
    delivered = [shown for b in batches for shown in b.is_delivered[~b.is_carried].tolist()]
    assert delivered == [False, True, True, True]
    assert link_nums(batches) == {3: (OPEN_ENTER, 0)}
    assert not any((b.is_delivered & b.is_carried).any() for b in batches)


@pytest.mark.parametrize(
    "between",
    [
        made_event(1, READ_EXIT, 4, 1),
        made_event(1, CODES["SOCKET_CONNECT_E"], 2, 1),
        made_event(1, CODES["SIGNALDELIVER_E"], 3, 1),
    ],
)
def test_another_event_of_the_thread_ends_the_call(tmp_path: Path, between: Event) -> None:
    """The enter event is forgotten, as in libsinsp, at any exit event, enter event or signal."""
    enter, leave = made_event(1, OPEN_ENTER, 3, 5), made_event(1, OPEN_EXIT, 6, 6)
    assert link_nums(read(tmp_path / "a.scap", [enter, between, leave])) == {}


def test_a_switch_does_not_end_the_call(tmp_path: Path) -> None:
    """A thread that waits in a call is switched away from."""
    enter, leave = made_event(1, OPEN_ENTER, 3, 5), made_event(1, OPEN_EXIT, 6, 6)
    switch = made_event(1, CODES["SCHEDSWITCH_6_E"], 6, 1)
    assert link_nums(read(tmp_path / "a.scap", [enter, switch, leave])) == {3: (OPEN_ENTER, 0)}


def test_execveat_returns_as_execve(tmp_path: Path) -> None:
    """The enter event belongs to the exit event of the other call."""
    enter = made_event(1, CODES["SYSCALL_EXECVEAT_E"], 3, 5)
    leave = made_event(1, CODES["SYSCALL_EXECVE_19_X"], 31, 6)
    assert link_nums(read(tmp_path / "a.scap", [enter, leave])) == {2: (enter.code, 0)}


def test_users_and_groups_are_not_delivered(tmp_path: Path) -> None:
    """They are numbered: the first event that rules see is then not the first."""
    codes = [CODES[f"{what}_{how}_E"] for what in ("USER", "GROUP") for how in ("ADDED", "DELETED")]
    events = [made_event(-1, code, len(EVENT_TYPES[code].params), 1) for code in codes]
    (batch,) = read(tmp_path / "a.scap", [*events, made_event(1, CLOSE_EXIT, 2, 1)])
    assert batch.nums.tolist() == [1, 2, 3, 4, 5]
    assert batch.is_delivered.tolist() == [False, False, False, False, True]


def test_missing_enter_event_leaves_zero(tmp_path: Path) -> None:
    """Lost enter events: a descriptor is 0 then, as in libs; a user is none."""
    close = Event(1, CLOSE_EXIT, [i64(0)])
    accept = made_event(1, CODES["SOCKET_ACCEPT4_X"], 3, 1)
    (batch,) = read(tmp_path / "a.scap", [close, accept])
    assert events_of(batch)[0].params == [i64(0), i64(0)]


def test_enter_event_of_another_call_is_missing(tmp_path: Path) -> None:
    """One lost event does not cost the capture; the next call finds its own enter event."""
    events = [
        Event(1, READ_ENTER, [i64(5), u32(10)]),
        Event(1, CLOSE_EXIT, [i64(0)]),
        Event(1, CLOSE_ENTER, [i64(6)]),
        Event(1, CLOSE_EXIT, [i64(0)]),
    ]
    (batch,) = read(tmp_path / "a.scap", events)
    assert [e.params[1] for e in events_of(batch)] == [i64(0), i64(6)]


def test_old_container_event_becomes_json(tmp_path: Path) -> None:
    """Four parameters become one text."""
    old = Event(0, CODES["CONTAINER_E"], [b"abc\0", u32(3), b"web\0", b"nginx:1\0"])
    (batch,) = read(tmp_path / "a.scap", [old, made_event(1, CLOSE_EXIT, 2, 1), old])
    expected = b'{"id":"abc","type":3,"name":"web","image":"nginx:1"}\0'
    found = events_of(batch)
    assert [e.params for e in found if e.code == CODES["CONTAINER_JSON_2_E"]] == [[expected]] * 2
    assert batch.is_delivered.tolist() == [False, True, False]


def test_layouts_without_a_conversion_are_left_out(tmp_path: Path) -> None:
    """Their number of parameters never existed."""
    path = tmp_path / "a.scap"
    path.write_bytes(section() + event(READ_EXIT, [i64(0)]) + event(CLOSE_EXIT, [i64(0), i64(1)]))
    with open_scap(path) as file:
        assert [batch.nums.tolist() for part in file for batch in part] == [[1]]
    assert [w.message for w in file.warnings] == [
        "events SYSCALL_READ_X with 1 parameters left out"
    ]


def test_carried_events_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture of enter events alone does not fill the memory; the last ones are kept."""
    monkeypatch.setattr(blocks, "MAX_BATCH_EVENTS", 10)
    monkeypatch.setattr(upgrade_carry, "MAX_CARRIED_EVENTS", 4)
    enters = [made_event(tid, OPEN_ENTER, 3, 1) for tid in range(30)]
    leaves = [made_event(tid, OPEN_EXIT, 6, 1) for tid in range(24, 30)]
    batches = read(tmp_path / "a.scap", [*enters, *leaves])
    assert [int(batch.is_carried.sum()) for batch in batches] == [0, 4, 4, 4]
    assert list(link_nums(batches)) == [33, 34, 35, 36]
    monkeypatch.setattr(upgrade_carry, "MAX_CARRIED_BYTES", 100)
    batches = read(tmp_path / "a.scap", enters)
    assert [int(batch.is_carried.sum()) for batch in batches] == [0, 1, 1]


def test_sections_do_not_share_enter_events(tmp_path: Path) -> None:
    """A new capture begins without memory."""
    path = tmp_path / "a.scap"
    enter, leave = made_event(1, OPEN_ENTER, 3, 5), made_event(1, OPEN_EXIT, 6, 6)
    parts = (event(e.code, e.params, tid=1) for e in (enter, leave))
    path.write_bytes(b"".join(section() + part for part in parts))
    with open_scap(path) as file:
        assert link_nums([batch for part in file for batch in part]) == {}


def test_every_layout_has_a_recipe() -> None:
    """Each ends as a current type with all of its parameters, as an enter event, or is refused."""
    for kind in EVENT_TYPES:
        for count in range(len(kind.params) + 1):
            recipe = recipe_for(kind.code, count)
            target = EVENT_TYPES[recipe.code]
            if recipe.is_passed:
                assert len(recipe.steps) == len(target.params)
                is_old = bool(target.flags & {"OLD_VERSION", "UNUSED"})
                assert not is_old or recipe.code in passed_enter_codes()
            else:
                assert recipe.is_kept or recipe.problem or target.flags & {"OLD_VERSION", "UNUSED"}


def test_conversions_are_the_reference(shared: Path) -> None:
    """The table is what the reference says, row by row."""
    lines = (shared / "spec" / "SCAP_CONVERSIONS.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith(("#", "from_code"))]
    ours = [tuple(row.values()) for row in read_table("scap_conversions")]
    empty = {"-": ""}
    assert ours == [
        (name, count, action, empty.get(to, to), empty.get(steps, steps))
        for _, name, count, action, to, _, steps in rows
    ]


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-3, 3)))
def test_stable_order_groups(values: list[int]) -> None:
    """Equal threads come together in file order, whatever their numbers."""
    array = np.array(values, np.int64)
    order = stable_order(array).tolist()
    assert sorted(order) == list(range(len(values)))
    places = {value: [i for i in order if values[i] == value] for value in values}
    assert all(found == sorted(found) for found in places.values())
    changes = sum(values[a] != values[b] for a, b in itertools.pairwise(order))
    assert changes == max(0, len(set(values)) - 1)
