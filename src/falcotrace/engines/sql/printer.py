"""SQL text for people: an expression in one of the dialects.

In: an expression. Out: text. Every function in it must be listed for the dialect
(`build.FUNCTIONS`); anything that sqlglot could only approximate is refused.
"""

import contextlib
import sys
from collections.abc import Iterator

from sqlglot import ErrorLevel, exp
from sqlglot.errors import UnsupportedError as SqlglotError

from falcotrace.engines.sql.build import FUNCTIONS
from falcotrace.engines.sql.context import ENGINE
from falcotrace.engines.sql.dialects import DIALECTS, Dialect
from falcotrace.errors import UnsupportedError

LINE_WIDTH = 100
_TEXT_WIDTH = 88
_DEEPEST_INDENTED = 60
"""A deeper condition is printed on one line: all below would pay for each level of indentation."""

_FRAMES_PER_LEVEL = 30
"""Python frames that sqlglot takes for one level of a tree, with room to spare."""

_OWN_NODES = (exp.Connector, exp.Binary, exp.Case, exp.If, exp.Cast, exp.Array, exp.Struct, exp.Min)
"""Nodes that sqlglot calls functions, but SQL does not or every engine has."""


def print_sql(expression: exp.Expr, dialect: str = "duckdb") -> str:
    """Print an expression for people.

    Raises:
        UnsupportedError: another dialect, a function that is not listed for it, or something that
            it cannot express.
    """
    known = dialect_of(dialect)
    depth = _depth_of(expression)
    try:
        with _room_for(depth):
            lowered = known.lower(expression) if known.lower else expression
        _check_functions(lowered, dialect)
        depth = _depth_of(lowered)
        with _room_for(depth):
            printer = known.printer(
                dialect=known.syntax(),
                pretty=depth <= _DEEPEST_INDENTED,
                normalize_functions="lower",
                unsupported_level=ErrorLevel.RAISE,
                max_text_width=_TEXT_WIDTH,
            )
            return str(printer.generate(lowered, copy=False))
    except SqlglotError as error:
        raise UnsupportedError(str(error), f"{ENGINE} ({dialect})") from None
    except RecursionError:
        raise UnsupportedError(f"a condition of {depth} levels", f"{ENGINE} ({dialect})") from None


def dialect_of(name: str) -> Dialect:
    """The dialect of that name.

    Raises:
        UnsupportedError: none is known by it; the message has those that are.
    """
    if name not in DIALECTS:
        known = ", ".join(DIALECTS)
        raise UnsupportedError(f"rules in the dialect {name!r}; it knows {known}", ENGINE)
    return DIALECTS[name]


def _depth_of(expression: exp.Expr) -> int:
    """The depth of groups in the tree."""
    return max(depth for _, depth in _walk(expression))


def _check_functions(expression: exp.Expr, dialect: str) -> None:
    """Refuse unknown functions."""
    for node, _ in _walk(expression):
        if isinstance(node, exp.Func) and not isinstance(node, _OWN_NODES):
            name = node.name if isinstance(node, exp.Anonymous) else node.sql_name().lower()
            if name not in FUNCTIONS[dialect]:
                raise UnsupportedError(f"function {name}", f"{ENGINE} ({dialect})")


def _walk(expression: exp.Expr) -> Iterator[tuple[exp.Expr, int]]:
    pending = [(expression, 0)]
    while pending:
        node, depth = pending.pop()
        yield node, depth
        # A chain of ANDs or ORs is printed in a loop, whatever its length.
        inner = depth + (not isinstance(node, exp.Connector))
        pending += [(child, inner) for child in node.iter_expressions()]


@contextlib.contextmanager
def _room_for(depth: int) -> Iterator[None]:
    """Let sqlglot recurse as deep as the tree is: Python frames cost no stack since 3.11."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, before + depth * _FRAMES_PER_LEVEL))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
