"""The nearest misses as text: how many events came how near, and which.

In: the answer of `explain.misses`. Out: tables of texts for a terminal, or plain text, escaped.
"""

import dataclasses
from collections.abc import Iterator

from falcotrace.explain.misses import Misses, MissSet, operands_of
from falcotrace.outputs.escape import for_terminal
from falcotrace.outputs.explanation import check_count, event_types, value_text
from falcotrace.rules.outline import Part

_WIDEST_COLUMN = 40
"""Columns are no wider than this for the sake of one long value."""

_COUNT_COLUMNS = 2
_SHOWN_DISTANCES = 4


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

    @property
    def headings(self) -> tuple[str, ...]:
        """The title with the check, or with several below it."""
        if len(self.checks) == 1:
            return (f"{self.title}: {self.checks[0]}",)
        return (f"{self.title}:", *(f"  {check}" for check in self.checks))

    @property
    def lines(self) -> tuple[str, ...]:
        """Header, rows and what is left, in columns."""
        rows = [self.header, *self.rows]
        widths = [
            min(_WIDEST_COLUMN, max(len(row[at]) for row in rows)) for at in range(len(self.header))
        ]
        lines = []
        for row in rows:
            cells = [
                cell.rjust(width) if at < _COUNT_COLUMNS else cell.ljust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append(f"  {'  '.join(cells).rstrip()}")
        return (*lines, f"  {self.rest}") if self.rest else tuple(lines)


def misses_text(misses: Misses) -> Iterator[str]:
    """The whole answer as plain text."""
    yield for_terminal(misses.rule.name)
    yield from misses_headlines(misses)
    for table in miss_tables(misses):
        yield ""
        yield from table.headings
        yield from table.lines


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
    shown = [
        f"{count:,} by {check_count(at)}" for at, count in misses.by_distance[:_SHOWN_DISTANCES]
    ]
    farther = sum(count for _, count in misses.by_distance[_SHOWN_DISTANCES:])
    shown += [f"{farther:,} by more"] if farther else []
    return [*lines, f"missed: {', '.join(shown)}"] if shown else lines


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
        title=f"{found.count:,} {noun} {verb} by {check_count(len(checks))}",
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
