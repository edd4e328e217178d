"""An event explained, as lines of text: the verdict, and the condition as a tree.

In: the answer of `explain.event`. Out: a tree of lines for a terminal, or plain text, escaped.
Colours are the command line's business.
"""

import dataclasses
from collections.abc import Iterator, Sequence

from falcotrace.explain.event import EventExplanation, PartResult, Truth, Value
from falcotrace.explain.misses import Misses
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
        hangs = check_count(len(explained.unknown), "hangs", "hang")
        return f"unknown: {hangs} on what the capture does not have; for `scan` it {engine}"
    stand = check_count(len(explained.flips), "stands", "stand")
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


def check_count(count: int, verb: str = "", plural_verb: str = "") -> str:
    """Words for a number of checks, and what they do."""
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


def event_text(explained: EventExplanation, *, shows_all: bool = False) -> Iterator[str]:
    """The whole explanation as plain text.

    Args:
        explained: the event.
        shows_all: show also the checks of long groups that decide nothing.
    """
    yield headline(explained)
    yield f"{for_terminal(explained.rule.name)}: {verdict(explained)}"
    yield from plain_lines(condition_lines(explained, shows_all=shows_all))


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
