"""The documentation of a capture's columns, made from the table of columns.

`python -m falcotrace.capture.documentation` prints it; `captures/COLUMNS.md` is that text, and a
test compares the two.
"""

import sys
from itertools import groupby

from falcotrace.capture.footer import FORMAT_VERSION
from falcotrace.events.columns import COLUMNS, Column

_HEAD = f"""# Columns of a capture, format version {FORMAT_VERSION}

Made from the table in the code (`python -m falcotrace.capture.documentation`); do not edit.

Every capture has all {len(COLUMNS)} columns, in this order, as nested structs: `proc.name` is the
field `name` of the struct `proc`, and the path is what SQL writes (only `"group".name` and
`"group".gid` need quotes in DuckDB). Null means: the event has no such value. Scope says what a
value belongs to: `event`, `fd` (the open file behind the event) or `process` (one value for each
`proc.key`).

A byte that is no part of valid UTF-8 is stored as the code point U+10FE00 plus the byte.
"""


def columns_markdown() -> str:
    """The whole document."""
    parts = [_HEAD]
    for struct, columns in groupby(COLUMNS.values(), key=lambda column: column.path.split(".")[0]):
        parts += [f"\n## {struct}\n", "| column | type | scope | meaning |", "|---|---|---|---|"]
        parts += [_row(column) for column in columns]
    return "\n".join(parts) + "\n"


def _row(column: Column) -> str:
    meaning = column.meaning.replace("|", "\\|")
    if column.unit:
        meaning += f" ({column.unit})"
    return f"| `{column.path}` | {column.type} | {column.scope} | {meaning} |"


if __name__ == "__main__":
    sys.stdout.write(columns_markdown())
