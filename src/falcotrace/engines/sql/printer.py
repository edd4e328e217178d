"""SQL text for people: sqlglot's DuckDB printer with short groups on one line and full lists.

In: an expression. Out: text. Every function in it must be listed for the dialect
(`build.FUNCTIONS`); anything that sqlglot could only approximate is refused.
"""

import contextlib
import sys
from collections.abc import Iterator
from typing import ClassVar

from sqlglot import ErrorLevel, exp
from sqlglot.dialects import DuckDB
from sqlglot.errors import UnsupportedError as SqlglotError

from falcotrace.engines.sql.build import FUNCTIONS
from falcotrace.engines.sql.context import ENGINE
from falcotrace.errors import UnsupportedError

LINE_WIDTH = 100
_TEXT_WIDTH = 88
_INDENT = 2
_DEEPEST_INDENTED = 60
"""A deeper condition is printed on one line: all below would pay for each level of indentation."""

_FRAMES_PER_LEVEL = 30
"""Python frames that sqlglot takes for one level of a tree, with room to spare."""

_OWN_NODES = (exp.Connector, exp.Binary, exp.Case, exp.If, exp.Cast, exp.Array, exp.Struct, exp.Min)
"""Nodes that sqlglot calls functions, but SQL does not or every engine has."""

DIALECTS = frozenset({"duckdb"})


class _Printer(DuckDB.Generator):  # type: ignore[misc]
    """Differs from sqlglot's in layout only."""

    RESERVED_KEYWORDS: ClassVar[set[str]] = set()

    def is_sql(self, expression: exp.Is) -> str:
        negated = isinstance(expression.expression, exp.Not)
        what = expression.expression.this if negated else expression.expression
        return f"{self.sql(expression, 'this')} IS {'NOT ' * negated}{self.sql(what)}"

    def order_sql(self, expression: exp.Order, flat: bool = False) -> str:  # noqa: FBT001, FBT002
        del flat
        return self.seg(f"ORDER BY {', '.join(map(self.sql, expression.expressions))}")

    def not_sql(self, expression: exp.Not) -> str:
        inside = expression.this
        match inside:
            case exp.In():
                return f"{self.sql(inside, 'this')} NOT IN ({self._listed(inside)})"
            case exp.Is(expression=exp.Null()):
                return f"{self.sql(inside, 'this')} IS NOT NULL"
            case _:
                return str(super().not_sql(expression))

    def paren_sql(self, expression: exp.Paren) -> str:
        inside = self.sql(expression, "this")
        if "\n" not in inside and len(inside) <= self.max_text_width:
            return f"({inside})"
        # Not by the inherited method: it would print what is inside once more, at every level.
        indented = self.seg(self.indent(inside), sep="")
        return f"({indented}{self.seg(')', sep='')}"

    def in_sql(self, expression: exp.In) -> str:
        return f"{self.sql(expression, 'this')} IN ({self._listed(expression)})"

    def _listed(self, expression: exp.In) -> str:
        query = expression.args.get("query")
        return self.sql(query) if query else self._filled(expression.expressions)

    def array_sql(self, expression: exp.Array) -> str:
        return f"[{self._filled(expression.expressions)}]"

    def lambda_sql(self, expression: exp.Lambda, *_: object, **__: object) -> str:
        names = ", ".join(self.sql(name) for name in expression.expressions)
        return f"lambda {names}: {self.sql(expression, 'this')}"

    def _filled(self, items: list[exp.Expr]) -> str:
        """Items on as few lines as they fit on."""
        lines = [""]
        for index, item in enumerate(items):
            sql = self.sql(item) + ("," if index < len(items) - 1 else "")
            if not lines[-1]:
                lines[-1] = sql
            elif len(lines[-1]) + 1 + len(sql) <= self.max_text_width:
                lines[-1] += f" {sql}"
            else:
                lines.append(sql)
        if len(lines) == 1 or not self.pretty:
            return " ".join(lines)
        inner = "\n".join(f"{' ' * _INDENT}{line}" for line in lines)
        return f"\n{inner}\n"


def print_sql(expression: exp.Expr, dialect: str = "duckdb") -> str:
    """Print an expression for people.

    Raises:
        UnsupportedError: another dialect, a function that is not listed for it, or something that
            it cannot express.
    """
    if dialect not in DIALECTS:
        raise UnsupportedError(f"the dialect {dialect!r}", ENGINE)
    depth = _check_nodes(expression, dialect)
    printer = _Printer(
        dialect=DuckDB(),
        pretty=depth <= _DEEPEST_INDENTED,
        normalize_functions="lower",
        unsupported_level=ErrorLevel.RAISE,
        max_text_width=_TEXT_WIDTH,
    )
    try:
        with _room_for(depth):
            return str(printer.generate(expression, copy=False))
    except SqlglotError as error:
        raise UnsupportedError(str(error), f"{ENGINE} ({dialect})") from None
    except RecursionError:
        raise UnsupportedError(f"a condition of {depth} levels", f"{ENGINE} ({dialect})") from None


def _check_nodes(expression: exp.Expr, dialect: str) -> int:
    """Refuse unknown functions; returns the depth of groups in the tree."""
    deepest = 0
    pending = [(expression, 0)]
    while pending:
        node, depth = pending.pop()
        deepest = max(deepest, depth)
        if isinstance(node, exp.Func) and not isinstance(node, _OWN_NODES):
            name = node.name if isinstance(node, exp.Anonymous) else node.sql_name().lower()
            if name not in FUNCTIONS[dialect]:
                raise UnsupportedError(f"function {name}", f"{ENGINE} ({dialect})")
        # A chain of ANDs or ORs is printed in a loop, whatever its length.
        inner = depth + (not isinstance(node, exp.Connector))
        pending += [(child, inner) for child in node.iter_expressions()]
    return deepest


@contextlib.contextmanager
def _room_for(depth: int) -> Iterator[None]:
    """Let sqlglot recurse as deep as the tree is: Python frames cost no stack since 3.11."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, before + depth * _FRAMES_PER_LEVEL))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
