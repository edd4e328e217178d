"""Pieces of HTML: elements whose texts are escaped, tables, and room that is used up.

In: texts. Out: markup. `Markup` is text that is markup already; everything else is escaped where it
enters, so nothing recorded reaches a page by being forgotten.
"""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NewType

from falcotrace.outputs.svg import clipped

Markup = NewType("Markup", str)

_CELL_MAX = 400
"""Longer texts are cut."""


def safe(text: object, limit: int = _CELL_MAX) -> Markup:
    r"""Text as markup, cut to so many columns.

    Example:
        >>> print(safe("<b>\x1b[2J"))
        &lt;b&gt;\x1b[2J
    """
    return Markup(html.escape(clipped(str(text), limit)))


def element(name: str, *content: Markup, **attributes: str) -> Markup:
    """An element; attributes end with `_` where Python has the word.

    Example:
        >>> print(element("p", safe("a & b"), class_="x"))
        <p class="x">a &amp; b</p>
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{told}>{''.join(content)}</{name}>")


def joined(parts: Iterable[Markup], between: str = "") -> Markup:
    """Several pieces as one."""
    return Markup(between.join(parts))


@dataclass(slots=True)
class Room:
    """So many bytes of markup may still be used.

    Attributes:
        free_bytes: what is left.
    """

    free_bytes: int

    def take(self, part: Markup) -> bool:
        """Whether a piece fits; it then counts."""
        size = len(part.encode())
        if size > self.free_bytes:
            return False
        self.free_bytes -= size
        return True


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[Markup]],
    *,
    room: Room,
    right: Sequence[str] = (),
    wide: str = "",
    firm: Sequence[str] = (),
) -> tuple[Markup, int]:
    """A table, and how many rows had no room.

    Args:
        header: names of columns.
        rows: cells, as markup.
        room: rows are left out when it is used up.
        right: columns that are aligned at the right.
        wide: the column that takes what room there is.
        firm: columns whose words are never broken, because they are ours and short.
    """
    kinds = (("right", right), ("wide", (wide,)), ("firm", firm))
    classes = [" ".join(name for name, of in kinds if one in of) for one in header]
    head = joined(
        element("th", safe(one), class_=kind) for one, kind in zip(header, classes, strict=True)
    )
    drawn: list[Markup] = []
    left_out = 0
    for row in rows:
        cells = joined(
            element("td", cell, class_=kind) for cell, kind in zip(row, classes, strict=True)
        )
        one = element("tr", cells)
        if left_out == 0 and room.take(one):
            drawn.append(one)
        else:
            left_out += 1
    body = element("tbody", joined(drawn, "\n"))
    return element("table", element("thead", element("tr", head)), body), left_out


def more(count: int, what: str) -> Markup:
    """A line that says how much is not shown; nothing if all is."""
    if not count:
        return Markup("")
    return element("p", safe(f"{count:,} more {what} are not shown."), class_="note")
