"""The nearest misses of a rule: events that fail the fewest of its checks, equal ones together.

In: a capture and a rule. Out: how many events match, how many are how far away, and the nearest
ones grouped by the checks that fail, the process, and the values behind those checks. A row group
at a time, so memory is bounded by theirs and by the number of groups that is kept.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from falcotrace.capture.data import CaptureData, StreamedCapture
from falcotrace.engines.base import SYSCALL_SOURCE
from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.vectors import Integers
from falcotrace.explain.distance import Truths, cheapest_flips, costs
from falcotrace.explain.groups import Group, group_rows
from falcotrace.explain.row_patterns import Checks, RowPatterns, find_patterns
from falcotrace.rules.field_reference import find_field
from falcotrace.rules.outline import Outline, outline_rule
from falcotrace.rules.plan import Operand, RulePlan, TransformOperand, iter_fields

_PATTERNS_AT_ONCE = 16_384
"""Costs are computed of so many combinations at a time, to bound the memory."""

_MOST_FLIP_SETS = 256
"""Of a row group so many sets of failing checks are looked at, those of most events."""

_MOST_OF_SET, _LEAST_OF_SET = 1000, 20
"""Of each of these so many groups are looked at, fewer where there are many sets."""

_MOST_MISSES = 20_000
"""So many groups are kept; beyond that the rarest are only counted."""

_MOST_DEAR_ROWS = 1 << 16
"""Values that are texts made of several columns are looked at of so many events at a time."""

_FIRST_MATCHES = 5
_FIRST_OF_SET = 3
"""So many groups of each set of failing checks are shown before more of any: a set of one event
says more than the hundredth value of a set of thousands."""


@dataclasses.dataclass(frozen=True, slots=True)
class MissKey:
    """What the events of a group have in common.

    Attributes:
        leaves: places in the outline of the checks that would have to be otherwise, the fewest.
        process: `proc.name`, None without.
        values: those of `operands_of(outline, leaves)`, None without.
    """

    leaves: tuple[int, ...]
    process: str | None
    values: tuple[str | None, ...]

    @property
    def distance(self) -> int:
        """How many checks that is."""
        return len(self.leaves)


@dataclasses.dataclass(frozen=True, slots=True)
class Miss:
    """Events that miss the rule alike.

    Attributes:
        key: what they have in common.
        count: how many there are.
        first_num: the smallest `evt.num` among them.
    """

    key: MissKey
    count: int
    first_num: int


@dataclasses.dataclass(frozen=True, slots=True)
class MissSet:
    """Events of which the same checks would have to be otherwise.

    Attributes:
        leaves: places of the checks in the outline.
        count: how many events.
        nearest: the largest groups among them.
    """

    leaves: tuple[int, ...]
    count: int
    nearest: tuple[Miss, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Misses:
    """What a capture has for a rule.

    Attributes:
        rule: the rule.
        capture: the capture's file name.
        outline: the condition.
        event_count: events of the types that the rule looks at.
        match_count: events that match.
        first_matches: the smallest numbers of events among them.
        by_distance: number of events by distance, ascending, matches left out.
        nearest: sets of failing checks in order of distance, then of size.
        is_complete: whether all groups at these distances were kept; if not, counts of groups that
            occur in several row groups may be too small.
    """

    rule: RulePlan
    capture: str
    outline: Outline
    event_count: int
    match_count: int
    first_matches: tuple[int, ...]
    by_distance: tuple[tuple[int, int], ...]
    nearest: tuple[MissSet, ...]
    is_complete: bool


def find_misses(
    capture: CaptureData | StreamedCapture, rule: RulePlan, *, limit: int = 20
) -> Misses:
    """Count matches and find the nearest misses.

    Args:
        capture: an open capture.
        rule: the rule, enabled or not.
        limit: the most groups to return.

    Raises:
        CaptureError: the file is damaged.
    """
    counter = _Counter(rule, limit)
    if rule.source == SYSCALL_SOURCE and rule.event_names != frozenset():
        for source in _sources(capture, rule):
            counter.take(source)
    return counter.result(capture.path.name)


def _sources(capture: CaptureData | StreamedCapture, rule: RulePlan) -> Iterator[RowGroupSource]:
    if isinstance(capture, StreamedCapture):
        for part in capture.stream(rule.event_names):
            yield from (RowGroupSource(part, group.index) for group in part.row_groups)
    else:
        yield from (RowGroupSource(capture, group.index) for group in capture.row_groups)


class _Counter:
    """What is known after some row groups."""

    def __init__(self, rule: RulePlan, limit: int) -> None:
        self._rule = rule
        self._limit = limit
        self._outline = outline_rule(rule)
        self._checks = Checks(self._outline)
        self._by_distance = Counter[int]()
        self._matches: list[int] = []
        self._misses: dict[MissKey, tuple[int, int]] = {}
        self._sets = Counter[tuple[int, ...]]()
        self._is_complete = True

    def take(self, source: RowGroupSource) -> None:
        """Count the events of a row group."""
        found = find_patterns(source, self._rule.event_names, self._checks)
        if not len(found.row_set):
            return
        truths = self._checks.leaf_truths(found.patterns.table)
        distances = _distances(self._outline, truths)
        sizes = np.bincount(distances, weights=found.patterns.counts())
        self._by_distance.update({at: int(size) for at, size in enumerate(sizes) if size})
        matching = found.nums[distances.take(found.patterns.of_rows) == 0]
        self._matches = sorted([*self._matches, *_smallest(matching)])[:_FIRST_MATCHES]
        for distance in np.unique(distances[distances > 0]).tolist():
            if distance > self._farthest():
                break
            self._take_distance(found, truths, distances, distance)
        self._forget()

    def result(self, capture: str) -> Misses:
        """What was found, the nearest first."""
        counts = sorted(self._by_distance.items())
        return Misses(
            rule=self._rule,
            capture=capture,
            outline=self._outline,
            event_count=sum(self._by_distance.values()),
            match_count=self._by_distance[0],
            first_matches=tuple(self._matches),
            by_distance=tuple((at, count) for at, count in counts if at),
            nearest=self._nearest(),
            is_complete=self._is_complete,
        )

    def _nearest(self) -> tuple[MissSet, ...]:
        """The nearest groups; of each set of checks the largest few come before the rest."""
        by_set: dict[tuple[int, ...], list[Miss]] = {}
        for key, found in self._misses.items():
            by_set.setdefault(key.leaves, []).append(Miss(key, *found))
        ranked: list[tuple[int, int, int, int, Miss]] = []
        for leaves, misses in by_set.items():
            misses.sort(key=lambda miss: (-miss.count, miss.first_num))
            ranked += [
                (len(leaves), rank // _FIRST_OF_SET, -miss.count, miss.first_num, miss)
                for rank, miss in enumerate(misses)
            ]
        ranked.sort(key=lambda one: one[:4])
        shown: dict[tuple[int, ...], list[Miss]] = {}
        for *_, miss in ranked[: self._limit]:
            shown.setdefault(miss.key.leaves, []).append(miss)
        sets = (MissSet(leaves, self._sets[leaves], tuple(of)) for leaves, of in shown.items())
        return tuple(sorted(sets, key=lambda one: (len(one.leaves), -one.count, one.leaves)))

    def _farthest(self) -> int:
        """The distance up to which there are enough groups."""
        sizes = Counter(key.distance for key in self._misses)
        count = 0
        for distance, size in sorted(sizes.items()):
            count += size
            if count >= self._limit:
                return distance
        return len(self._outline.parts)

    def _take_distance(
        self, found: RowPatterns, truths: Truths, distances: Integers, distance: int
    ) -> None:
        columns = np.flatnonzero(distances == distance)
        sets = flip_sets(self._outline, truths, columns)
        counts = found.patterns.counts()
        largest = sorted(sets, key=lambda leaves: -int(counts[sets[leaves]].sum()))
        self._is_complete &= len(largest) <= _MOST_FLIP_SETS
        most = min(_MOST_OF_SET, max(_LEAST_OF_SET, _MOST_MISSES // len(largest)))
        for leaves in largest[:_MOST_FLIP_SETS]:
            in_set = np.zeros(truths.shape[1], np.bool_)
            in_set[sets[leaves]] = True
            positions = np.flatnonzero(in_set.take(found.patterns.of_rows))
            self._sets[leaves] += len(positions)
            operands = [_PROCESS_NAME, *operands_of(self._outline, leaves)]
            if len(positions) > _MOST_DEAR_ROWS and any(map(_is_dear, operands)):
                positions = positions[:_MOST_DEAR_ROWS]
                self._is_complete = False
            groups, is_complete = group_rows(found.row_set, positions, operands, found.nums, most)
            self._is_complete &= is_complete
            for group in groups:
                self._add(leaves, group)

    def _add(self, leaves: tuple[int, ...], group: Group) -> None:
        process, *values = group.texts
        key = MissKey(leaves, process, tuple(values))
        count, first = self._misses.get(key, (0, group.first_num))
        self._misses[key] = (count + group.count, min(first, group.first_num))

    def _forget(self) -> None:
        """Keep what may still be among the nearest, and of that no more than memory allows."""
        farthest = self._farthest()
        kept = {key: found for key, found in self._misses.items() if key.distance <= farthest}
        most = max(_MOST_MISSES, 2 * self._limit)
        if len(kept) > most:
            order = sorted(kept, key=lambda key: (key.distance, -kept[key][0]))
            kept = {key: kept[key] for key in order[: most // 2]}
            self._is_complete = False
        self._misses = kept
        self._sets = Counter({s: n for s, n in self._sets.items() if len(s) <= farthest})


_PROCESS_NAME = find_field("proc.name", None)


def operands_of(outline: Outline, leaves: Sequence[int]) -> list[Operand]:
    """What some leaves ask about, each once; the values of a miss are theirs."""
    atoms = [atom for place in leaves if (atom := outline.parts[place].atom) is not None]
    sides = [side for atom in atoms for side in (atom.left, atom.right) if side is not None]
    return list(dict.fromkeys(sides))


def _is_dear(operand: Operand) -> bool:
    is_function = isinstance(operand, TransformOperand)
    return is_function or any(one.field.source == "args" for one in iter_fields(operand))


def _distances(outline: Outline, truths: Truths) -> Integers:
    parts = [
        costs(outline, truths[:, start : start + _PATTERNS_AT_ONCE]).to_true[0]
        for start in range(0, truths.shape[1], _PATTERNS_AT_ONCE)
    ]
    return np.concatenate(parts).astype(np.int64)


def flip_sets(
    outline: Outline, truths: Truths, columns: Integers
) -> dict[tuple[int, ...], Integers]:
    """The distinct sets of failing leaves among some combinations, and the combinations of each."""
    sets: dict[tuple[int, ...], list[Integers]] = {}
    leaves = np.array(outline.leaves)
    for start in range(0, len(columns), _PATTERNS_AT_ONCE):
        some = columns[start : start + _PATTERNS_AT_ONCE]
        table = truths[:, some]
        flips = cheapest_flips(outline, costs(outline, table))
        found, which = np.unique(flips, axis=1, return_inverse=True)
        for at in range(found.shape[1]):
            places = tuple(leaves[found[:, at]].tolist())
            sets.setdefault(places, []).append(some[which.ravel() == at])
    return {places: np.concatenate(parts) for places, parts in sets.items()}


def _smallest(nums: Integers) -> list[int]:
    if len(nums) > _FIRST_MATCHES:
        nums = np.partition(nums, _FIRST_MATCHES)[:_FIRST_MATCHES]
    found: list[int] = nums.tolist()
    return found
