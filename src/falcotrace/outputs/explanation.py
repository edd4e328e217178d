"""Explanations as lines: what a terminal or a pipe shows of an event and of the nearest misses.

In: the answers of `falcotrace.explain`. Out: trees of lines and rows of texts, escaped. Colours are
the command line's business.
"""

import dataclasses
from collections.abc import Iterator, Sequence

from falcotrace.explain.event import EventExplanation, PartResult, Truth, Value
from falcotrace.explain.misses import Misses, MissSet, operands_of
from falcotrace.outputs.escape import for_terminal
from falcotrace.outputs.times import iso_time
from falcotrace.rules.outline import Part, PartKind

_MOST_CHILDREN = 8
"""Of a longer group only the checks that decide it are shown, and so many of them."""

_LONGEST_VALUE = 160
"""A longer value is shown by its beginning."""

_FEW_TYPES = 4

_JOINTS = {PartKind.ALL: "all of", PartKind.ANY: "any of"}


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A part of a condition as people read it.

    Attributes:
        truth: what is certain of it; None for a line that stands for several parts.
        text: the check or the group, under its name.
        value: what the event has.
        doubt: why that may not be what the host had.
        helps: whether it is as a match needs it.
        is_cause: whether the verdict hangs on it: it stands in the way, or keeps it open.
        is_exclusion: whether it is a negation.
        children: the parts of a group.
    """

    truth: Truth | None
    text: str
    value: str = ""
    doubt: str = ""
    helps: bool = True
    is_cause: bool = False
    is_exclusion: bool = False
    children: "tuple[Line, ...]" = ()
    has_cause: bool = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        below = any(child.has_cause for child in self.children)
        object.__setattr__(self, "has_cause", self.is_cause or below)


def condition_lines(explained: EventExplanation, *, shows_all: bool = False) -> Line:
    """Draw the condition with the values of an event.

    Args:
        explained: the event.
        shows_all: show also the checks of long groups that decide nothing.
    """
    outline, results = explained.outline, explained.results
    causes = frozenset((*explained.flips, *explained.unknown))
    lines: list[Line | None] = [None] * len(outline.parts)
    for place in reversed(range(len(outline.parts))):
        part, result = outline.parts[place], results[place]
        children = [line for child in part.children if (line := lines[child]) is not None]
        if part.kind is PartKind.LEAF:
            lines[place] = _leaf_line(part, result, is_cause=place in causes)
        elif part.kind is PartKind.NOT:
            lines[place] = _negated(part, result, children[0])
        else:
            kept = children if shows_all else _short(children)
            text = _named(part, _JOINTS[part.kind])
            helps = result.holds is not part.is_negated
            lines[place] = Line(result.truth, text, helps=helps, children=tuple(kept))
    root = lines[0]
    assert root is not None
    return root


def _leaf_line(part: Part, result: PartResult, *, is_cause: bool) -> Line:
    doubts = dict.fromkeys(value.doubt.text for value in result.values if value.doubt is not None)
    return Line(
        truth=result.truth,
        text=_named(part, for_terminal(part.text)),
        value=values_text(result.values),
        doubt="; ".join(map(for_terminal, doubts)),
        helps=result.holds is not part.is_negated,
        is_cause=is_cause,
    )


def _negated(part: Part, result: PartResult, child: Line) -> Line:
    """A negation and what it negates are one line, whose truth is that of both together."""
    text = _named(part, f"not {child.text}")
    return dataclasses.replace(child, truth=result.truth, text=text, is_exclusion=True)


def _named(part: Part, text: str) -> str:
    names = [f"{for_terminal(name.name)} ({name.kind})" for name in part.names]
    return ": ".join((*names, text))


def _short(children: Sequence[Line]) -> list[Line]:
    """Leave out of a long group what decides nothing."""
    if len(children) <= _MOST_CHILDREN:
        return list(children)
    important = [line for line in children if _is_important(line)]
    # What a rule asks for says more than what it excepts.
    plain = [line for line in children if not (line.is_exclusion or _is_important(line))]
    room = max(0, _MOST_CHILDREN - 1 - len(important))
    chosen = set(map(id, (*important, *plain[:room])))
    kept = [line for line in children if id(line) in chosen]
    rest = [line for line in children if id(line) not in chosen]
    if len(rest) < 2:
        return list(children)
    return [*kept, Line(None, f"{len(rest)} more, {_tally(rest)}")]


def _is_important(line: Line) -> bool:
    if line.is_cause or not line.helps or line.truth is Truth.UNKNOWN:
        return True
    return line.has_cause


def _tally(lines: Sequence[Line]) -> str:
    truths = [line.truth for line in lines]
    counts = [(truth.value, truths.count(truth)) for truth in Truth if truth in truths]
    if len(counts) == 1:
        return f"all {counts[0][0]}"
    return ", ".join(f"{count} {word}" for word, count in counts)


def values_text(values: Sequence[Value]) -> str:
    """The values of a check: one, or both sides under their names."""
    if len(values) == 1:
        return value_text(values[0].text)
    return ", ".join(f"{for_terminal(one.field)}: {value_text(one.text)}" for one in values)


def value_text(text: str | None) -> str:
    """One value, escaped and not too long."""
    if text is None:
        return "no value"
    if not text:
        return '""'
    if len(text) <= _LONGEST_VALUE:
        return for_terminal(text)
    return f"{for_terminal(text[:_LONGEST_VALUE])}... ({len(text):,} characters)"


def verdict(explained: EventExplanation) -> str:
    """The verdict in one sentence."""
    if not explained.is_tried:
        return f"no match: {_not_tried(explained)}"
    if explained.truth is Truth.TRUE:
        return "match"
    if explained.truth is Truth.UNKNOWN:
        engine = "matches" if explained.matches else "does not match"
        hangs = _checks(len(explained.unknown), "hangs", "hang")
        return f"unknown: {hangs} on what the capture does not have; for `scan` it {engine}"
    stand = _checks(len(explained.flips), "stands", "stand")
    return f"no match: {stand} in the way" if explained.flips else "no match"


def _not_tried(explained: EventExplanation) -> str:
    rule = explained.rule
    if rule.event_names is None or rule.source != "syscall":
        return f"the rule is about events of `{for_terminal(rule.source)}`"
    if not rule.event_names:
        return "the rule is never true, its checks of `evt.type` contradict each other"
    looks_at = event_types(explained.rule.event_names)
    return f"the rule looks at {looks_at}, never at {for_terminal(explained.event_type)}"


def event_types(names: frozenset[str] | None) -> str:
    """The types of events that a rule looks at, the first few."""
    if names is None:
        return "events of every type"
    shown = sorted(names)
    more = len(shown) - _FEW_TYPES
    return ", ".join(shown[:_FEW_TYPES]) + (f" and {more} more" if more > 0 else "")


def _checks(count: int, verb: str = "", plural_verb: str = "") -> str:
    text = f"1 check {verb}" if count == 1 else f"{count:,} checks {plural_verb}"
    return text.rstrip()


def headline(explained: EventExplanation) -> str:
    """Which event it is."""
    process = f" by {for_terminal(explained.process)}" if explained.process is not None else ""
    what = f"event {explained.num:,}: {for_terminal(explained.event_type)}{process}"
    return f"{what} at {iso_time(explained.time_ns)} in {for_terminal(explained.capture)}"


def answer_notes(answer: EventExplanation | Misses) -> list[str]:
    """What else a reader of an answer has to know."""
    notes = []
    if not answer.rule.enabled:
        notes.append("the rule is disabled: `scan` does not run it")
    if isinstance(answer, EventExplanation) and answer.is_near_losses:
        notes.append("events were lost within 5 s of this one: what led to it may be missing")
    if isinstance(answer, EventExplanation) and not answer.tells_cuts:
        notes.append("this capture does not say which of its values were cut")
    if isinstance(answer, Misses) and not answer.is_complete:
        notes.append("there are too many different values: counts of single ones may be too small")
    return notes


def plain_lines(root: Line) -> Iterator[str]:
    """The tree for a pipe: a mark for causes, the truth, then the parts, indented."""
    pending: list[tuple[Line, int]] = [(root, 0)]
    while pending:
        line, depth = pending.pop()
        mark = "?" if line.truth is Truth.UNKNOWN else "!"
        word = line.truth.value if line.truth is not None else ""
        value = f" -> {line.value}" if line.value else ""
        doubt = f" ({line.doubt})" if line.doubt else ""
        yield f"{mark if line.is_cause else ' '} {word:<7}  {'  ' * depth}{line.text}{value}{doubt}"
        pending += [(child, depth + 1) for child in reversed(line.children)]


@dataclasses.dataclass(frozen=True, slots=True)
class MissTable:
    """Events of which the same checks fail.

    Attributes:
        title: how far they are away.
        checks: what would have to be otherwise.
        header: names of the columns.
        rows: one for each group.
        rest: what is not in the rows; empty if nothing.
    """

    title: str
    checks: tuple[str, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    rest: str


def misses_headlines(misses: Misses) -> list[str]:
    """How many events there were, and how near they came."""
    types = event_types(misses.rule.event_names)
    lines = [f"{misses.event_count:,} events looked at in {for_terminal(misses.capture)}: {types}"]
    if misses.match_count:
        more = " ..." if misses.match_count > len(misses.first_matches) else ""
        numbers = " ".join(str(num) for num in misses.first_matches)
        lines.append(f"{misses.match_count:,} match: event {numbers}{more}")
    else:
        lines.append("none matches")
    return lines


def distance_line(misses: Misses) -> str:
    """How many events are how far away; empty without any."""
    shown = [f"{count:,} by {_checks(at)}" for at, count in misses.by_distance[:4]]
    farther = sum(count for _, count in misses.by_distance[4:])
    shown += [f"{farther:,} by more"] if farther else []
    return f"missed: {', '.join(shown)}" if shown else ""


def miss_tables(misses: Misses) -> Iterator[MissTable]:
    """The nearest misses, a table for each set of failing checks."""
    for found in misses.nearest:
        yield _miss_table(misses, found)


def _miss_table(misses: Misses, found: MissSet) -> MissTable:
    outline = misses.outline
    checks = tuple(
        _wanted(outline.parts[place], _place_names(misses, place)) for place in found.leaves
    )
    operands = operands_of(outline, found.leaves)
    rows = tuple(
        (
            f"{miss.count:,}",
            str(miss.first_num),
            value_text(miss.key.process),
            *map(value_text, miss.key.values),
        )
        for miss in found.nearest
    )
    missing = found.count - sum(miss.count for miss in found.nearest)
    noun, verb = ("event", "misses") if found.count == 1 else ("events", "miss")
    return MissTable(
        title=f"{found.count:,} {noun} {verb} by {_checks(len(checks))}",
        checks=checks,
        header=("events", "first", "process", *(for_terminal(one.text) for one in operands)),
        rows=rows,
        rest=f"and {missing:,} events with other values" if missing else "",
    )


def _wanted(part: Part, names: str) -> str:
    """A check that would have to be otherwise, under the name of what it belongs to."""
    text = for_terminal(part.text)
    return f"{'not ' if part.is_negated else ''}{text}{names}"


def _place_names(misses: Misses, leaf: int) -> str:
    """Where a leaf stands: the innermost names around it."""
    place = leaf
    parts = misses.outline.parts
    while True:
        if parts[place].names:
            name = parts[place].names[-1]
            return f"   [{for_terminal(name.name)} ({name.kind})]"
        above = next((at for at in range(place) if place in parts[at].children), None)
        if above is None:
            return ""
        place = above
