"""Names of addresses as of each place in a stream of events, from answers of name servers.

In: answers, in the order in which they were seen. Out: for events, the names that their addresses
had been given before. An answer counts for every event behind it, whoever asked: a name server's
answers are alike for all processes, and an address in another network namespace is still an
address. Names stay until others push them out; what is dropped is counted. Nothing is known of DNS
here.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from falcotrace.capture.columns import Columns
from falcotrace.capture.distinct import distinct

Integers = npt.NDArray[np.int64]
Names = tuple[str, ...]

NAMES_MAX: Final = 16
"""Names of an address; the oldest go first. Of a content network hundreds share one."""

ADDRESSES_MAX: Final = 1 << 16
"""Addresses that have names; the one whose last answer is oldest goes first."""

CHARACTERS_MAX: Final = 32 << 20
"""Of all names together: whoever answers chooses how long they are."""

NAME_COLUMNS: Final[Mapping[str, str]] = {
    f"fd.{end}ip_name": f"fd.{end}ip_bytes" for end in ("c", "s", "l", "r")
}
"""Columns of names, and those of the addresses that have them."""

NAME_SERVER_PORT: Final = 53
"""Of both UDP and TCP."""

V4_MAPPED: Final = bytes(10) + b"\xff\xff"
"""Begins an IPv4 address that a program gave as an IPv6 one."""

NOT_NAMED: Final = "names of addresses that found no room"
"""In the account of losses."""


@dataclass(frozen=True, slots=True, eq=False)
class NamesInBlock:
    """What addresses were called at each place of one block of events.

    Attributes:
        now: names of addresses behind the block.
        changes: of those whose names have changed in it, from which place on they had which.
    """

    now: Mapping[bytes, Names]
    changes: Mapping[bytes, Sequence[tuple[int, Names]]]

    @property
    def is_empty(self) -> bool:
        """Whether no address has a name, nor had one anywhere in the block."""
        return not self.now and not self.changes

    def at(
        self, addresses: Sequence[bytes | None], which: Integers, places: Integers
    ) -> tuple[list[Names], Integers]:
        """The names of some events' addresses at their places in the stream.

        Args:
            addresses: the distinct ones, 4 or 16 bytes.
            which: for each event which of them is its own.
            places: where each event stands; an answer counts behind its own place.

        Returns:
            Distinct lists of names, and for each event which of them it has; -1 for none.
        """
        result = np.full(len(which), -1, np.int64)
        found = [self._versions(address) for address in addresses]
        named = [index for index, versions in enumerate(found) if versions]
        numbers = np.full(len(addresses), -1, np.int64)
        numbers[named] = np.arange(len(named))
        rows = np.flatnonzero(numbers[which] >= 0) if named else np.empty(0, np.int64)
        if not len(rows):
            return [], result
        # A version and an event meet in one number: which address, and where in the stream.
        first, last = int(places[rows].min()), int(places[rows].max())
        span = last - first + 3
        codes: dict[Names, int] = {(): 0}
        begins, lists = [], []
        for number, index in enumerate(named):
            for place, names in found[index]:
                begins.append(number * span + min(max(place - first + 1, 0), span - 1))
                lists.append(codes.setdefault(names, len(codes)))
        wanted = numbers[which[rows]] * span + (places[rows] - first + 1)
        versions_of_rows = np.searchsorted(np.array(begins, np.int64), wanted) - 1
        used, places_of_rows = distinct(np.array(lists, np.int64)[versions_of_rows])
        result[rows] = places_of_rows - (used[0] == 0)
        every = list(codes)
        return [every[code] for code in used.tolist() if code], result

    def _versions(self, address: bytes | None) -> Sequence[tuple[int, Names]]:
        """From where on an address had which names; empty for one that never had any."""
        if address is None:
            return ()
        address = address.removeprefix(V4_MAPPED)
        changed = self.changes.get(address)
        if changed is not None:
            return changed
        names = self.now.get(address)
        return () if names is None else ((_BEFORE_ALL, names),)

    def put(
        self,
        columns: Columns,
        path: str,
        rows: Integers,
        addresses: tuple[Sequence[bytes | None], Integers],
        places: Integers,
    ) -> None:
        """Fill one of `NAME_COLUMNS`.

        Args:
            columns: where to put them.
            path: the column of names.
            rows: the events.
            addresses: the distinct ones, and for each event which is its own.
            places: where each event stands.
        """
        lists, which = self.at(*addresses, places)
        has_names = which >= 0
        if has_names.any():
            columns.put_lists(path, rows[has_names], lists, which[has_names])


NO_NAMES: Final = NamesInBlock({}, {})
"""Nothing was learnt."""


class AddressNames:
    """What addresses are called, answer by answer.

    Attributes:
        dropped_count: names that are no longer known because there was no room.
    """

    def __init__(self) -> None:
        self._names: OrderedDict[bytes, Names] = OrderedDict()
        self._size = 0
        self._changes: dict[bytes, list[tuple[int, Names]]] = {}
        self._touched: dict[bytes, None] = {}
        self.dropped_count = 0

    def __iter__(self) -> Iterator[tuple[bytes, Names]]:
        """Addresses and their names now, those without an answer for longest first."""
        return iter(self._names.items())

    @property
    def block(self) -> NamesInBlock:
        """What has been called what since `begin_block`, as long as nothing else is learnt."""
        return NamesInBlock(self._names, self._changes)

    def frozen_block(self) -> NamesInBlock:
        """The same, whatever is learnt later."""
        return NamesInBlock(dict(self._names), self._changes)

    def begin_block(self) -> None:
        """Go on to later events: those that came so far will not be asked about again."""
        self._changes, self._touched = {}, {}

    def learn(self, place: int, found: Mapping[bytes, Names]) -> None:
        """Take in an answer.

        Args:
            place: where in the stream it stands; not before that of the last one.
            found: names by address, the most telling first.
        """
        for address, names in found.items():
            before = self._names.get(address, ())
            after = before
            if before[: len(names)] != names:
                joined = dict.fromkeys((*names, *before))
                after = tuple(joined)[:NAMES_MAX]
                self.dropped_count += len(joined) - len(after)
            self._set(place, address, before, after)
        while len(self._names) > ADDRESSES_MAX or self._size > CHARACTERS_MAX:
            address, before = next(iter(self._names.items()))
            self.dropped_count += len(before)
            self._set(place, address, before, ())

    def _set(self, place: int, address: bytes, before: Names, after: Names) -> None:
        self._keep(address, after)
        self._touched.pop(address, None)
        self._touched[address] = None
        if after != before:
            self._changes.setdefault(address, [(_BEFORE_ALL, before)]).append((place, after))

    def _keep(self, address: bytes, names: Names) -> None:
        """Give an address names, as the youngest; none: forget it."""
        self._size -= sum(map(len, self._names.pop(address, ())))
        if names:
            self._size += sum(map(len, names))
            self._names[address] = names

    def changes(self) -> list[tuple[bytes, Names]]:
        """Addresses that answers were about since `begin_block`, with their names now."""
        return [(address, self._names.get(address, ())) for address in self._touched]

    def restore(self, changes: Sequence[tuple[bytes, Names]]) -> None:
        """Take in what `changes` gave, or all that was known, as of before all events."""
        for address, names in changes:
            self._keep(address, names)


_BEFORE_ALL: Final = -1
"""The place of what was known before the first event."""
