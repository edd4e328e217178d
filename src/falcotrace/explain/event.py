"""One event explained: the condition with the value behind each check, and what is certain of it.

In: a capture, a rule and the number of an event. Out: for each part of the condition whether it
holds for the engine (two truths, as replay has it) and whether that is certain (three truths). An
unknown check makes a group unknown only where it decides it (Kleene's logic), so whenever the
verdict is true or false, it is also the engine's.
"""

import dataclasses
import enum
from collections.abc import Sequence

import numpy as np

from falcotrace.capture.data import CaptureData, StreamedCapture
from falcotrace.capture.reader import RowGroup
from falcotrace.engines.base import SYSCALL_SOURCE
from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.field_columns import is_process_operand
from falcotrace.engines.formula import FormulaCompiler
from falcotrace.engines.literals import Literals
from falcotrace.engines.row_set import RowSet
from falcotrace.errors import CaptureError
from falcotrace.events.operators import Multiplicity
from falcotrace.explain.decide import decide
from falcotrace.explain.distance import cheapest_flips, costs
from falcotrace.explain.doubts import Doubt, Event, known_value
from falcotrace.explain.groups import value_texts
from falcotrace.rules.outline import Outline, Part, PartKind, outline_rule
from falcotrace.rules.plan import Atom, Operand, RulePlan


class Truth(enum.StrEnum):
    """What is certain of a check or of a condition."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, holds: bool | None) -> "Truth":  # noqa: FBT001 - a truth, not a switch
        """The truth of a Python value; None is unknown."""
        return cls.UNKNOWN if holds is None else (cls.TRUE if holds else cls.FALSE)


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """The value of one side of a check.

    Attributes:
        field: the field or function, as the rule spells it.
        text: as outputs print it; None without a value. Of both ends the ends, of a list its items.
        doubt: why it may not be what the host had.
    """

    field: str
    text: str | None
    doubt: Doubt | None


@dataclasses.dataclass(frozen=True, slots=True)
class PartResult:
    """What one event says about a part of the condition.

    Attributes:
        holds: for the engine.
        truth: as far as it is certain.
        values: of the two sides of a leaf; empty for groups.
    """

    holds: bool
    truth: Truth
    values: tuple[Value, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class EventExplanation:
    """Why a rule fires on an event, or does not.

    Attributes:
        rule: the rule.
        capture: the capture's file name.
        num: `evt.num`.
        time_ns: `evt.time`, ns since the epoch.
        event_type: `evt.type`.
        process: `proc.name`, None without.
        is_tried: whether the rule looks at events of this type at all.
        outline: the condition.
        results: for each part of the outline.
        truth: whether the rule fires, as far as it is certain.
        matches: whether the rule fires for the engine.
        flips: places of the fewest leaves that would have to be otherwise for the condition to
            hold, even if every unknown one were as it needs; empty if it may hold.
        unknown: places of the unknown leaves that keep the verdict open.
        is_near_losses: whether events were lost within 5 s of the event.
        tells_cuts: whether the capture would say that a value was cut.
    """

    rule: RulePlan
    capture: str
    num: int
    time_ns: int
    event_type: str
    process: str | None
    is_tried: bool
    outline: Outline
    results: tuple[PartResult, ...]
    truth: Truth
    matches: bool
    flips: tuple[int, ...]
    unknown: tuple[int, ...]
    is_near_losses: bool
    tells_cuts: bool


def explain_event(
    capture: CaptureData | StreamedCapture, rule: RulePlan, num: int
) -> EventExplanation:
    """Explain what a rule says about an event.

    Args:
        capture: an open capture; one that is read from front to back is read up to the event.
        rule: the rule, enabled or not.
        num: the event's `evt.num`.

    Raises:
        CaptureError: there is no such event, or the file is damaged.
    """
    holder, group, row = _find(capture, num)
    source = RowGroupSource(holder, group)
    return _explain(Event(source, row, holder.footer, holder.unrecorded), holder, rule)


def _explain(event: Event, capture: CaptureData, rule: RulePlan) -> EventExplanation:
    outline = outline_rule(rule)
    results = _results(outline, event)
    is_tried = rule.source == SYSCALL_SOURCE and (
        rule.event_names is None or event.type in rule.event_names
    )
    root = results[0]
    process = event.known("proc.name")
    num, time_ns = event.known("evt.num"), event.known("evt.time")
    assert isinstance(num, int)
    assert isinstance(time_ns, int)
    return EventExplanation(
        rule=rule,
        capture=capture.path.name,
        num=num,
        time_ns=time_ns,
        event_type=event.type,
        process=process if isinstance(process, str) else None,
        is_tried=is_tried,
        outline=outline,
        results=results,
        truth=root.truth if is_tried else Truth.FALSE,
        matches=root.holds and is_tried,
        flips=_flips(outline, results),
        unknown=_open_leaves(outline, results),
        is_near_losses=event.is_near_losses,
        tells_cuts=event.tells_cuts,
    )


def _find(capture: CaptureData | StreamedCapture, num: int) -> tuple[CaptureData, int, int]:
    """Where an event is: the capture or the part of one, its row group there, the row in it."""
    nearest: list[int] = []
    parts = capture.stream(None) if isinstance(capture, StreamedCapture) else (capture,)
    for part in parts:
        for group in part.row_groups:
            row = _row_of(part, group, num, nearest)
            if row is not None:
                return part, group.index, row
    raise CaptureError(capture.path, _not_there(num, nearest))


def _row_of(capture: CaptureData, group: RowGroup, num: int, nearest: list[int]) -> int | None:
    """The row of an event; else notes the event before and after it in this row group."""
    if not group.row_count:
        return None
    if not group.first_num <= num <= group.last_num:
        nearest += [group.first_num, group.last_num]
        return None
    nums = RowGroupSource(capture, group.index).integers("evt.num")
    found = np.flatnonzero(nums == num)
    if len(found):
        return int(found[0])
    nearest += [int(nums[nums < num].max()), int(nums[nums > num].min())]
    return None


def _not_there(num: int, nearest: Sequence[int]) -> str:
    if not nearest:
        return f"has no event {num:,}: it has none at all"
    before = max((one for one in nearest if one < num), default=None)
    after = min((one for one in nearest if one > num), default=None)
    if before is None or after is None:
        return f"has no event {num:,}: its events are {min(nearest):,} to {max(nearest):,}"
    return f"has no event {num:,}: the nearest are {before:,} and {after:,}"


def _results(outline: Outline, event: Event) -> tuple[PartResult, ...]:
    atoms = outline.atoms
    compiler = FormulaCompiler(Literals(atoms), is_process_operand)
    rows = RowSet(event.source, event.rows)
    of_atoms = {
        atom: _leaf(atom, event, rows, holds=bool(rows.truth(compiler.compile(atom), None)[0]))
        for atom in atoms
    }
    results: list[PartResult | None] = [None] * len(outline.parts)
    for place in reversed(range(len(outline.parts))):
        part = outline.parts[place]
        if part.atom is not None:
            results[place] = of_atoms[part.atom]
        else:
            children = [result for child in part.children if (result := results[child])]
            results[place] = _group(part, children)
    return tuple(result for result in results if result is not None)


def _group(part: Part, children: Sequence[PartResult]) -> PartResult:
    if part.kind is PartKind.NOT:
        (child,) = children
        return PartResult(not child.holds, _NEGATIONS[child.truth])
    deciding = part.kind is PartKind.ANY
    is_decided = any(child.holds is deciding for child in children)
    truths = [child.truth for child in children]
    if Truth.of(deciding) in truths:
        truth = Truth.of(deciding)
    else:
        truth = Truth.UNKNOWN if Truth.UNKNOWN in truths else Truth.of(not deciding)
    return PartResult(deciding if is_decided else not deciding, truth)


_NEGATIONS = {
    Truth.TRUE: Truth.FALSE,
    Truth.FALSE: Truth.TRUE,
    Truth.UNKNOWN: Truth.UNKNOWN,
}


def _leaf(atom: Atom, event: Event, rows: RowSet, *, holds: bool) -> PartResult:
    sides = (atom.left,) if atom.right is None else (atom.left, atom.right)
    values = tuple(_value(side, event, rows) for side in sides)
    return PartResult(holds, Truth.of(_certain(atom, values, rows, holds=holds)), values)


def _value(operand: Operand, event: Event, rows: RowSet) -> Value:
    vector = rows.vector(operand)
    return Value(operand.text, value_texts(operand, vector)[0], event.doubt(operand, vector))


def _certain(atom: Atom, values: Sequence[Value], rows: RowSet, *, holds: bool) -> bool | None:
    """The truth of a check, None if a value is in doubt and decides it."""
    if all(value.doubt is None for value in values):
        return holds
    if atom.right is not None:
        # A side that certainly has no value decides; everything else depends on both.
        is_decided = any(value.doubt is None and value.text is None for value in values)
        return False if is_decided else None
    if atom.left.multiplicity is Multiplicity.ANY_ANCESTOR:
        return True if holds else None
    doubt = values[0].doubt
    if atom.left.multiplicity is not Multiplicity.SINGLE or doubt is None:
        return None
    return decide(atom, doubt.remnant, known_value(rows.vector(atom.left)))


def _flips(outline: Outline, results: Sequence[PartResult]) -> tuple[int, ...]:
    leaves = [results[place] for place in outline.leaves]
    truths = np.array([[leaf.holds] for leaf in leaves], np.bool_)
    certain = np.array([[leaf.truth is not Truth.UNKNOWN] for leaf in leaves], np.bool_)
    flips = cheapest_flips(outline, costs(outline, truths, certain))
    return tuple(place for place, flip in zip(outline.leaves, flips[:, 0], strict=True) if flip)


def _open_leaves(outline: Outline, results: Sequence[PartResult]) -> tuple[int, ...]:
    """Unknown leaves that only unknown groups stand above."""
    open_parts = {0} if results[0].truth is Truth.UNKNOWN else set()
    for place, part in enumerate(outline.parts):
        if place in open_parts:
            unknown = (c for c in part.children if results[c].truth is Truth.UNKNOWN)
            open_parts.update(unknown)
    return tuple(place for place in outline.leaves if place in open_parts)
