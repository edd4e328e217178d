"""Rows as an HTML table, for notebooks: no scripts, nothing from the network."""

import html
import re
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.engines.vectors import arrow_text
from falcotrace.outputs.cells import shown_texts
from falcotrace.outputs.escape import for_terminal

ROWS_MAX = 200
"""More rows than these are counted, not drawn: a browser has to bear the page."""

_VALUELESS = re.compile(r" [\w.]+=(<NA>)?(?= |$)")


_LEFT = ' style="text-align:left"'
"""Jupyter puts everything to the right, which suits numbers alone."""


def rows_html(table: pa.Table, notes: Iterable[str] = (), caption: str = "") -> str:
    r"""A table of rows, and notes below it; whatever was recorded is escaped.

    Example:
        >>> rows_html(pa.table({"evt.num": [7]}))
        '<table><tr><th>evt.num</th></tr><tr><td>7</td></tr></table>'
    """
    title = f"<caption>{_safe(caption)}</caption>" if caption else ""
    styles = ["" if _is_number(kind) else _LEFT for kind in table.schema.types]
    names = zip(table.column_names, styles, strict=True)
    head = "".join(f"<th{style}>{_safe(name)}</th>" for name, style in names)
    columns = [
        pc.fill_null(shown_texts(column.combine_chunks()), arrow_text("")).to_pylist()
        for column in table.columns
    ]
    rows = "".join(
        f"<tr>{''.join(map(_cell, row, styles))}</tr>" for row in zip(*columns, strict=True)
    )
    below = "".join(f"<p>note: {_safe(note)}</p>" for note in notes)
    return f"<table>{title}<tr>{head}</tr>{rows}</table>{below}"


def without_blanks(output: str) -> str:
    """An alert's output without the items that only say that there is no value.

    Example:
        >>> without_blanks("It | user=root container=<NA> tag=")
        'It | user=root'
    """
    return _VALUELESS.sub("", output)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _cell(text: str, style: str) -> str:
    return f"<td{style}>{html.escape(text)}</td>"


def _safe(text: str) -> str:
    return html.escape(for_terminal(text))
