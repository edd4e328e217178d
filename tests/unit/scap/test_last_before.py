"""Looking up what was last said before an event: both ways, against a search by hand."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from falcotrace.scap.descriptor_table import CLOSED, DescriptorLog, DescriptorTable
from falcotrace.scap.file_order import Changes, FileOrder
from falcotrace.scap.last_before import LastBefore

ROWS = 6

KEYS = st.sampled_from((-5, 0, 1, 2, 1 << 40))
ENTRIES = st.lists(st.tuples(KEYS, st.integers(-1, ROWS + 2)), max_size=12)
ASKED = st.lists(st.tuples(KEYS, st.integers(0, ROWS - 1)), max_size=12)


def by_hand(entries: list[tuple[int, int]], key: int, row: int) -> int:
    """The place of the last entry with a key at or before a row; -1 without."""
    found = [place for place, (one, at) in enumerate(entries) if one == key and at <= row]
    return found[-1] if found else -1


def columns(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs as two arrays."""
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    return first, second


@settings(max_examples=300)
@given(entries=ENTRIES, asked=ASKED)
def test_last_before(entries: list[tuple[int, int]], asked: list[tuple[int, int]]) -> None:
    """Any keys and rows, entries behind the last event and before the first one included."""
    entries.sort(key=lambda entry: entry[1])
    found = LastBefore(*columns(entries), ROWS).find(*columns(asked))
    assert found.tolist() == [by_hand(entries, key, row) for key, row in asked]


@settings(max_examples=500)
@given(
    entries=st.lists(st.tuples(KEYS, st.integers(-1, ROWS + 2), st.integers(0, 2)), max_size=12),
    states=st.lists(st.tuples(st.integers(0, 2), st.sampled_from((-1, 1))), max_size=ROWS),
    shown=st.dictionaries(st.tuples(st.integers(0, 2), st.sampled_from((-1, 1))), KEYS),
    gap=st.integers(1, 2),
)
def test_steps_of_the_file(
    entries: list[tuple[int, int, int]],
    states: list[tuple[int, int]],
    shown: dict[tuple[int, int], int],
    gap: int,
) -> None:
    """For each row of the file what a search by hand finds, in as few steps as there are changes.

    A row's subject goes with its state and table, as a thread does; rows may have gaps between
    them, and what is said again changes nothing.
    """
    entries.sort(key=lambda entry: entry[1])
    rows = np.arange(len(states)) * gap
    keys, tables = columns(states)
    order = FileOrder(rows, keys, tables)
    by_row = dict(zip(rows.tolist(), states, strict=True))
    subjects = [shown.get(by_row[row], 0) for row in order.first_rows.tolist()]
    said, since, values = np.array(entries, np.int64).reshape(-1, 3).T
    steps = order.last(np.array(subjects, np.int64), Changes(said, since, values), -7)
    expected = []
    for row in order.rows.tolist():
        found = by_hand([entry[:2] for entry in entries], shown.get(by_row[row], 0), row)
        expected.append(-7 if found < 0 else entries[found][2])
    assert order.rows.tolist() == sorted(rows.tolist(), key=lambda row: (by_row[row][0], row))
    counts = np.diff(steps.begins, append=len(rows))
    assert (counts > 0).all()
    assert np.repeat(steps.values, counts).tolist() == expected
    of_runs = [by_row[row] for row in order.first_rows[np.repeat(steps.runs, counts)].tolist()]
    assert of_runs == [by_row[row] for row in order.rows.tolist()]


def test_many_threads_that_share_what_changes_all_the_time() -> None:
    """Takes a step for each row then, and not one for each change and thread."""
    count = 300
    rows = np.arange(count)
    order = FileOrder(rows, rows % 3, np.zeros(count, np.int64))
    changes = Changes(np.zeros(count, np.int64), rows, rows)
    steps = order.last(np.zeros(3, np.int64), changes, 0)
    assert len(steps.begins) == count
    assert steps.values.tolist() == order.rows.tolist()


def test_history_of_descriptors() -> None:
    """A number of one table is not that of another, and numbers below 0 stand for nothing."""
    log = DescriptorLog()
    one, two = DescriptorTable(1, {3: 7 << 1}), DescriptorTable(2)
    log.add_table(one, -1)
    log.add(two, 3, 1, 8)
    log.add(one, 3, 2, CLOSED)
    history = log.frozen(3)
    asked = np.array(
        [(1, 3, 0), (2, 3, 0), (2, 3, 1), (1, 3, 1), (1, 3, 2), (1, -1, 2), (-1, 3, 0)]
    )
    tables, fds, rows = asked.T
    assert history.references(tables, fds, rows).tolist() == [
        *(7, CLOSED, 8, 7, CLOSED, CLOSED, CLOSED),
    ]


def test_nothing_was_said() -> None:
    """And nothing is asked."""
    nothing = np.zeros(0, np.int64)
    some = np.zeros(2, np.int64)
    assert LastBefore(nothing, nothing, 5).find(some, some).tolist() == [-1, -1]
    assert LastBefore(some, some, 5).find(nothing, nothing).tolist() == []
    said = Changes(nothing, nothing, nothing)
    order = FileOrder(np.arange(2), some, some)
    assert order.last(np.zeros(1, np.int64), said, 5).values.tolist() == [5]
    assert FileOrder(nothing, nothing, nothing).last(nothing, said, 5).values.tolist() == []
