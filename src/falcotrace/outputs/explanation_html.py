"""Explanations for notebooks: the condition as a tree, nearest misses as tables.

In: the answers of `explain`. Out: HTML without scripts or anything from the network; whatever was
recorded is escaped.
"""

import html
from collections.abc import Iterable, Iterator

from falcotrace.explain.event import EventExplanation, Truth
from falcotrace.explain.misses import Misses
from falcotrace.outputs.escape import for_terminal
from falcotrace.outputs.explanation import (
    Line,
    answer_notes,
    condition_lines,
    headline,
    verdict,
)
from falcotrace.outputs.misses import MissTable, miss_tables, misses_headlines

_COLOURS = {
    Truth.TRUE: "#1a7f4b",
    Truth.FALSE: "#b42318",
    Truth.UNKNOWN: "#94700c",
}
_FAINT = "#68727d"
_LEFT = "text-align:left"


def explanation_html(explained: EventExplanation) -> str:
    """Why a rule fires on an event, or does not: each check, and the value behind it.

    Args:
        explained: the event.
    """
    rows = "".join(_check_rows(condition_lines(explained)))
    title = f"<b>{_name(explained.rule.name)}</b>: {html.escape(verdict(explained))}"
    head = "".join(
        f'<th style="{_LEFT}">{name}</th>' for name in ("holds", "check", "the event has")
    )
    return (
        f"<p>{title}<br><small>{html.escape(headline(explained))}</small></p>"
        f"<table><tr>{head}</tr>{rows}</table>{_notes(answer_notes(explained))}"
    )


def _check_rows(root: Line) -> Iterator[str]:
    pending: list[tuple[Line, int]] = [(root, 0)]
    while pending:
        line, depth = pending.pop()
        word = line.truth.value if line.truth is not None else ""
        colour = _COLOURS[line.truth] if line.truth is not None and line.is_cause else _FAINT
        weight = ";font-weight:bold" if line.is_cause else ""
        doubt = f" <small>({html.escape(line.doubt)})</small>" if line.doubt else ""
        indent = f"{_LEFT};padding-left:{0.5 + 1.4 * depth:.1f}em"
        yield (
            f'<tr><td style="{_LEFT};color:{colour}{weight}">{word}</td>'
            f'<td style="{indent}">{html.escape(line.text)}</td>'
            f'<td style="{_LEFT}">{html.escape(line.value)}{doubt}</td></tr>'
        )
        pending += [(child, depth + 1) for child in reversed(line.children)]


def misses_html(misses: Misses) -> str:
    """How many events a rule matches, and which came nearest to it.

    Args:
        misses: what a capture has for the rule.
    """
    lines = "<br>".join(map(html.escape, misses_headlines(misses)))
    tables = "".join(map(_miss_table, miss_tables(misses)))
    return (
        f"<p><b>{_name(misses.rule.name)}</b><br>{lines}</p>{tables}{_notes(answer_notes(misses))}"
    )


def _miss_table(table: MissTable) -> str:
    title = "<br>".join(html.escape(text.strip()) for text in table.headings)
    head = _row(table.header, "th")
    rows = "".join(_row(row, "td") for row in table.rows)
    rest = f"<p>{html.escape(table.rest)}</p>" if table.rest else ""
    return f"<p>{title}</p><table><tr>{head}</tr>{rows}</table>{rest}"


def _row(cells: Iterable[str], tag: str) -> str:
    drawn = "".join(f'<{tag} style="{_LEFT}">{html.escape(cell)}</{tag}>' for cell in cells)
    return drawn if tag == "th" else f"<tr>{drawn}</tr>"


def _name(text: str) -> str:
    return html.escape(for_terminal(text))


def _notes(notes: Iterable[str]) -> str:
    return "".join(f"<p>note: {html.escape(note)}</p>" for note in notes)
