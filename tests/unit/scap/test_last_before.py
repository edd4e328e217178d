"""Looking up what was last said before an event: both ways, against a search by hand."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from falcotrace.scap.as_of import AsOf
from falcotrace.scap.descriptor_table import CLOSED, DescriptorLog, DescriptorTable
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


@settings(max_examples=300)
@given(
    entries=ENTRIES,
    subjects=st.dictionaries(st.integers(0, ROWS - 1), KEYS, max_size=ROWS),
)
def test_as_of(entries: list[tuple[int, int]], subjects: dict[int, int]) -> None:
    """For all events at once, each with one subject; not every event need be asked about."""
    entries.sort(key=lambda entry: entry[1])
    asked = sorted(subjects.items())
    rows, keys = columns(asked)
    found = AsOf(rows, keys).last(*columns(entries))
    assert found.tolist() == [by_hand(entries, key, row) for row, key in asked]


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
    assert AsOf(some, some).last(nothing, nothing).tolist() == [-1, -1]
    assert AsOf(nothing, nothing).last(some, some).tolist() == []
