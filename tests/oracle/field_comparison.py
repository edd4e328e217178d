"""Each field of each event, compared with what Falco printed.

In: a capture and Falco's events. Out: for each field how many events are the same, and the pairs of
values that differ. Values are compared by distinct pairs, so a capture takes seconds.
"""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from falcotrace.capture.reader import Capture
from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.printing import json_values
from falcotrace.engines.vectors import NumberVector, TextVector, Vector
from falcotrace.rules.field_reference import find_field
from falcotrace.rules.plan import FieldOperand
from oracle.falco_printing import printed
from oracle.oracle_files import (
    EVENTS,
    Codes,
    Integers,
    JsonValue,
    PrintedEvents,
    ValueColumn,
)
from oracle.outcomes import Difference, Kind, Outcome

_REFERENCE = re.compile(r"(?P<name>[^\[]+)(?:\[(?P<argument>.*)\])?")


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The rows of a capture that stand for events which Falco printed too, in the same order."""

    ours: Integers
    theirs: Integers


def compare_events(
    name: str,
    capture: Capture,
    expected: PrintedEvents,
    fields: Collection[str] = (),
    examples: int = 3,
) -> Outcome:
    """Compare fields of all events.

    Args:
        name: what the capture is called.
        capture: an open capture.
        expected: what Falco printed.
        fields: which fields; all that Falco printed if empty.
        examples: how many events to name for each pair of values.
    """
    sources = [RowGroupSource(capture, group.index) for group in capture.row_groups]
    nums = _concatenated([source.integers("evt.num") for source in sources])
    common, ours, theirs = np.intersect1d(nums, expected.nums, return_indices=True)
    same = 0
    found = _delivered(nums, expected)
    for field in fields or expected.fields:
        values = _our_column(sources, operand_of(field))
        pairs = _compare_field(field, values, expected, _Rows(ours, theirs), examples)
        same += len(common) - sum(pair.count for pair in pairs)
        found += pairs
    return Outcome(name, EVENTS, same, tuple(found))


def operand_of(text: str) -> FieldOperand:
    """The field that a text such as `proc.aname[2]` means."""
    match = _REFERENCE.fullmatch(text)
    assert match is not None, text
    return find_field(match["name"], match["argument"])


def _concatenated(parts: list[Integers]) -> Integers:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _delivered(nums: Integers, expected: PrintedEvents) -> list[Difference]:
    """Events that one side has and the other has not, by type where Falco has it."""
    missing = np.flatnonzero(~np.isin(expected.nums, nums))
    found = [
        Difference(Kind.MISSING, "evt.num", event, "delivered", "", count, events)
        for event, count, events in _counted(expected, missing)
    ]
    extra = np.setdiff1d(nums, expected.nums)
    if len(extra):
        events = tuple(f"evt.num {num}" for num in extra[:3])
        found.append(Difference(Kind.EXTRA, "evt.num", "", "", "delivered", len(extra), events))
    if len(np.unique(nums)) != len(nums):
        twice = len(nums) - len(np.unique(nums))
        found.append(Difference(Kind.EXTRA, "evt.num", "", "", "delivered twice", twice, ()))
    return found


def _counted(expected: PrintedEvents, places: Integers) -> list[tuple[str, int, tuple[str, ...]]]:
    types = expected.column("evt.type")
    of_places = types.codes[places]
    return [
        (
            str(types.values[code]),
            int((of_places == code).sum()),
            tuple(f"evt.num {num}" for num in expected.nums[places[of_places == code][:3]]),
        )
        for code in np.unique(of_places).tolist()
    ]


def _our_column(sources: list[RowGroupSource], operand: FieldOperand) -> ValueColumn:
    """The values of a field for all rows, in the order of the file."""
    values: list[JsonValue] = []
    codes: list[Codes] = []
    for source in sources:
        count = len(source.integers("evt.num"))
        part = distinct_values(operand, source.field(operand, np.arange(count)))
        codes.append(part.codes + np.int32(len(values)))
        values += part.values
    return ValueColumn(np.concatenate(codes) if codes else np.zeros(0, np.int32), values)


def distinct_values(operand: FieldOperand, vector: Vector) -> ValueColumn:
    """A vector as codes and what an alert's JSON has for each of them."""
    if isinstance(vector, TextVector):
        small = vector.compact()
        texts = TextVector(small.domain, np.arange(len(small.domain), dtype=np.int32))
        return _with_missing(small.codes, json_values(operand, texts))
    if isinstance(vector, NumberVector):
        distinct, places = np.unique(vector.values, return_inverse=True)
        codes = np.where(vector.present(), places, -1).astype(np.int32)
        return _with_missing(codes, json_values(operand, NumberVector(distinct)))
    numbers: dict[JsonValue, int] = {}
    numbered = [numbers.setdefault(value, len(numbers)) for value in json_values(operand, vector)]
    return ValueColumn(np.array(numbered, np.int32), [*map(printed, numbers)])


def _with_missing(codes: Codes, values: Sequence[JsonValue]) -> ValueColumn:
    """A column whose negative codes stand for no value, which becomes the last code."""
    of_values = np.where(codes < 0, np.int32(len(values)), codes)
    return ValueColumn(of_values, [*map(printed, values), None])


def _compare_field(
    field: str, ours: ValueColumn, expected: PrintedEvents, rows: _Rows, examples: int
) -> list[Difference]:
    """The pairs of values that differ, the most frequent first."""
    theirs = expected.column(field)
    # True is not 1 here, though it is for Python.
    known = {(type(value), value): code for code, value in enumerate(theirs.values)}
    wanted = np.array([known.get((type(x), x), -1) for x in ours.values], np.int32)
    our_codes, their_codes = ours.codes[rows.ours], theirs.codes[rows.theirs]
    places = np.flatnonzero(wanted[our_codes] != their_codes) if len(our_codes) else our_codes
    events = _event_kinds(field, expected)
    triples = np.stack(
        (our_codes[places], their_codes[places], events.codes[rows.theirs[places]]), axis=1
    )
    order = np.lexsort(triples.T[::-1])
    starts = np.flatnonzero((np.diff(triples[order], axis=0, prepend=-1) != 0).any(axis=1))
    counts = np.diff(starts, append=len(order))
    found = []
    for at in np.argsort(-counts, kind="stable").tolist():
        group = places[order[starts[at] : starts[at] + min(int(counts[at]), examples)]]
        our, their, kind = triples[order[starts[at]]].tolist()
        event = str(events.values[kind])
        values = _json(theirs.values[their]), _json(ours.values[our])
        nums = tuple(f"{num} {event}" for num in expected.nums[rows.theirs[group]])
        found.append(Difference(Kind.DIFFERENT, field, event, *values, int(counts[at]), nums))
    return found


AT_DESCRIPTOR = " at a descriptor"
"""Behind the type of an `openat` whose directory is a descriptor."""

_MOVED = re.compile(r"fd\.(?!num$|name_changed$).*|fs\.path\.name")
_OPENED_AT = re.compile(r"fd=\S.* dirfd=\d+\(<.*", re.DOTALL)


def _event_kinds(field: str, expected: PrintedEvents) -> ValueColumn:
    """The types of events; for some fields `AT_DESCRIPTOR` is added.

    Printing `evt.args` moves Falco's look at the descriptor of an `openat` to that of its
    directory, and what was printed behind it (fields of descriptors) is the directory's.
    """
    types = expected.column("evt.type")
    if not _MOVED.fullmatch(field):
        return types
    arguments = expected.column("evt.args")
    is_at = [_OPENED_AT.fullmatch(str(text)) is not None for text in arguments.values]
    is_open = [str(name).startswith("openat") for name in types.values]
    moved = np.array(is_at)[arguments.codes] & np.array(is_open)[types.codes]
    names = [f"{name}{AT_DESCRIPTOR}" for name in types.values]
    codes = np.where(moved, types.codes + np.int32(len(names)), types.codes)
    return ValueColumn(codes, [*types.values, *names])


def _json(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)
