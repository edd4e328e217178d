"""Draws rows and key-value lists on a terminal; in a pipe the same rows come plain, tab-separated.

Everything that was recorded is escaped before it is drawn: nothing an attacker wrote reaches the
terminal as control characters or as markup.
"""

import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence

from falcotrace.errors import escape_controls


def is_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout.isatty()


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print rows: as a table on a terminal, tab-separated with a header line elsewhere.

    Args:
        header: names of the columns.
        rows: texts; control characters are escaped here.
        right: columns that are aligned at the right.
    """
    clean = [[escape_controls(cell) for cell in row] for row in rows]
    if not is_terminal():
        for row in [list(header), *clean]:
            print("\t".join(row))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in header:
        drawn.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in clean:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def key_values(title: str, values: Mapping[str, str]) -> None:
    """Print a title and named values, one a line."""
    print(escape_controls(title))
    width = max(map(len, values), default=0)
    for name, value in values.items():
        print(f"  {name:<{width}}  {escape_controls(value)}")


def heading(text: str) -> None:
    """Print a heading; in bold on a terminal."""
    clean = escape_controls(text)
    print(f"\x1b[1m{clean}\x1b[0m" if is_terminal() else clean)


def terminal_width() -> int:
    """Columns of the terminal."""
    return shutil.get_terminal_size((100, 24)).columns
