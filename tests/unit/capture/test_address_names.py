"""What addresses were called at each place of a stream."""

import socket

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falcotrace.capture import address_names
from falcotrace.capture.address_names import (
    ADDRESSES_MAX,
    NAMES_MAX,
    NO_NAMES,
    AddressNames,
    NamesInBlock,
)
from falcotrace.capture.columns import Columns
from falcotrace.capture.text_pool import TextPool

ONE, TWO, THREE = (socket.inet_aton(f"192.0.2.{number}") for number in (1, 2, 3))


def names_at(block: NamesInBlock, *events: tuple[bytes | None, int]) -> list[tuple[str, ...]]:
    """The names of the addresses of events at their places; none: empty."""
    addresses = list(dict.fromkeys(address for address, _ in events))
    which = np.array([addresses.index(address) for address, _ in events], np.int64)
    lists, found = block.at(addresses, which, np.array([place for _, place in events], np.int64))
    return [lists[number] if number >= 0 else () for number in found.tolist()]


def test_an_answer_counts_behind_its_place() -> None:
    """Not for events before it, nor for the one that received it."""
    names = AddressNames()
    names.learn(10, {ONE: ("a.example",)})
    events = [(ONE, 5), (ONE, 10), (ONE, 11), (TWO, 11), (None, 11)]
    assert names_at(names.block, *events) == [(), (), ("a.example",), (), ()]


def test_the_latest_comes_first() -> None:
    """An address keeps the names that it had, and a name that comes again moves to the front."""
    names = AddressNames()
    names.learn(10, {ONE: ("a.example",)})
    names.learn(20, {ONE: ("b.example", "cdn.example")})
    names.learn(30, {ONE: ("a.example",)})
    assert names_at(names.block, (ONE, 15), (ONE, 25), (ONE, 35)) == [
        ("a.example",),
        ("b.example", "cdn.example", "a.example"),
        ("a.example", "b.example", "cdn.example"),
    ]


def test_later_blocks_know_it() -> None:
    """From their first event on."""
    names = AddressNames()
    names.learn(10, {ONE: ("a.example",)})
    names.begin_block()
    names.learn(50, {ONE: ("b.example",)})
    assert names_at(names.block, (ONE, 40), (ONE, 60)) == [
        ("a.example",),
        ("b.example", "a.example"),
    ]


def test_a_frozen_block_stays() -> None:
    """Columns are made while later answers are learnt."""
    names = AddressNames()
    names.learn(1, {ONE: ("a.example",)})
    block = names.frozen_block()
    names.begin_block()
    names.learn(2, {ONE: ("b.example",), TWO: ("b.example",)})
    assert names_at(block, (ONE, 5), (TWO, 5)) == [("a.example",), ()]


def test_a_mapped_address_is_the_plain_one() -> None:
    """An IPv6 socket may talk IPv4."""
    names = AddressNames()
    names.learn(1, {ONE: ("a.example",)})
    assert names_at(names.block, (bytes(10) + b"\xff\xff" + ONE, 2)) == [("a.example",)]


def test_names_of_an_address_are_bounded() -> None:
    """The oldest go, and are counted."""
    names = AddressNames()
    for number in range(NAMES_MAX + 3):
        names.learn(number, {ONE: (f"{number}.example",)})
    ((address, kept),) = names
    assert address == ONE
    assert kept == tuple(f"{number}.example" for number in range(NAMES_MAX + 2, 2, -1))
    assert names.dropped_count == 3


def test_addresses_are_bounded() -> None:
    """The one whose answer is oldest goes; events before that still have its names."""
    names = AddressNames()
    names.learn(0, {ONE: ("old.example",), TWO: ("a.example",)})
    names.learn(1, {ONE: ("old.example",)})
    many = {
        number.to_bytes(4, "big"): (f"{number}.example",) for number in range(ADDRESSES_MAX - 1)
    }
    names.learn(5, many)
    assert names.dropped_count == 1
    assert names_at(names.block, (TWO, 4), (TWO, 6), (ONE, 6)) == [
        ("a.example",),
        (),
        ("old.example",),
    ]


def test_characters_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers chooses how long names are."""
    monkeypatch.setattr(address_names, "CHARACTERS_MAX", 25)
    names = AddressNames()
    names.learn(1, {ONE: ("x" * 20,)})
    names.learn(2, {TWO: ("y" * 20,)})
    assert [address for address, _ in names] == [TWO]
    assert names.dropped_count == 1


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from([ONE, TWO, THREE]),
            st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True).map(tuple),
        ),
        st.sampled_from([ONE, TWO, THREE]),
        st.just(None),
    ),
    max_size=40,
)


def _learn_naively(
    known: list[tuple[bytes, tuple[str, ...]]], address: bytes, names: tuple[str, ...]
) -> None:
    before = next((old for one, old in known if one == address), ())
    known[:] = [(one, old) for one, old in known if one != address]
    known.append((address, tuple(dict.fromkeys(names + before))[:3]))
    del known[:-2]


@given(STEPS)
@settings(max_examples=200)
def test_agrees_with_a_walk_through_the_events(
    steps: list[tuple[bytes, tuple[str, ...]] | bytes | None],
) -> None:
    """Answers, events and ends of blocks, in any order; room for two addresses of three names.

    What is kept of each block gives the same names to another one.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(address_names, "NAMES_MAX", 3)
        patch.setattr(address_names, "ADDRESSES_MAX", 2)
        names, copied = AddressNames(), AddressNames()
        naive: list[tuple[bytes, tuple[str, ...]]] = []
        events: list[tuple[bytes, int]] = []
        wanted: list[tuple[str, ...]] = []
        for place, step in enumerate([*steps, None]):
            if step is None:
                assert names_at(names.block, *events) == wanted
                copied.restore(names.changes())
                assert list(copied) == list(names) == naive
                names.begin_block()
                events, wanted = [], []
            elif isinstance(step, bytes):
                events.append((step, place))
                wanted.append(dict(naive).get(step, ()))
            else:
                names.learn(place, dict([step]))
                _learn_naively(naive, *step)


def test_columns() -> None:
    """Lists of names where there are any, null elsewhere, in the order of the file."""
    names = AddressNames()
    names.learn(3, {ONE: ("a.example", "b.example")})
    columns = Columns(4, TextPool(), np.array([3, 2, 1, 0]))
    rows, places = np.arange(4), np.arange(2, 6)
    which = np.array([0, 0, 1, 0])
    names.block.put(columns, "fd.sip_name", rows, ([ONE, TWO], which), places)
    NO_NAMES.put(columns, "fd.cip_name", rows, ([ONE, TWO], which), places)
    assert columns.paths() == ["fd.sip_name"]
    assert columns.array("fd.sip_name").to_pylist() == [
        ["a.example", "b.example"],
        None,
        None,
        None,
    ]
    (compact,) = columns.compact().values()
    assert compact.array(4).to_pylist() == columns.array("fd.sip_name").to_pylist()
