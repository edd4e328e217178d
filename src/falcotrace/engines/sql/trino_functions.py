"""What queries are made of, in the SQL of Trino and Athena. Not run by us.

In: nodes that mean what DuckDB says of them. Out: the same for a table over captures in the Hive
or Iceberg form, where structs are rows and lists are arrays. What is left out, and refused by name:
patterns (there are two engines for them, by the server's settings), unsigned 64-bit columns
(Parquet readers there have no such type), texts spelled from bytes, and local times.

Source: the function reference of Trino 476: string, array, binary and date functions.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from sqlglot import exp

from falcotrace.engines.sql import build
from falcotrace.engines.sql.lowering import (
    PLAIN_NODES,
    Lowering,
    Rule,
    call,
    literal_of,
    renamed,
    same,
)
from falcotrace.events.columns import COLUMNS

TABLE = "captures"
"""The table over captures, where the caller names none."""

_TABLE_NAME = re.compile(r"\w+(?:\.\w+){0,2}")


def _column(node: exp.Expr, lower: Lowering) -> exp.Expr:
    """A column, unless its type is unknown there."""
    path = ".".join(part.name for part in node.parts) if isinstance(node, exp.Column) else ""
    if path in COLUMNS and COLUMNS[path].type == "uint64":
        raise lower.refused(f"the unsigned column {path}")
    return node.copy()


def _contains(node: exp.Expr, lower: Lowering) -> exp.Expr:
    found = call("strpos", *lower.arguments(node))
    return exp.Paren(this=exp.GT(this=found, expression=build.number(0)))


def _ends_with(node: exp.Expr, lower: Lowering) -> exp.Expr:
    value, end = node.expressions
    escaped = re.sub(r"([%_\\])", r"\\\1", literal_of(end, lower, "the end of a text"))
    is_like = exp.Like(this=lower(value), expression=exp.Literal.string(f"%{escaped}"))
    return exp.Escape(this=is_like, expression=exp.Literal.string("\\"))


def _list_has_all(node: exp.Expr, lower: Lowering) -> exp.Expr:
    listed, items = lower.arguments(node)

    def is_listed(item: exp.Expr) -> exp.Expr:
        return build.any_of([build.is_missing(item), call("contains", listed, item)])

    return call("all_match", items, build.each(is_listed))


def _element(node: exp.Expr, lower: Lowering) -> exp.Expr:
    (index,) = node.expressions
    if not isinstance(index, exp.Literal):
        raise lower.refused("a place in a list that is computed")
    return call("element_at", lower(node.this), build.number(int(index.name) + 1))


def _table(node: exp.Expr, _: Lowering) -> exp.Expr:
    named = node.this.name if isinstance(node.this, exp.Literal) else ""
    if isinstance(node.this, exp.Anonymous):
        named = node.this.expressions[0].expressions[0].name
    return exp.to_table(named if _TABLE_NAME.fullmatch(named) and "parquet" not in named else TABLE)


def _cast(node: exp.Expr, lower: Lowering) -> exp.Expr:
    assert isinstance(node, exp.Cast)
    if node.to.this == exp.DType.INT128:
        raise lower.refused("numbers of 128 bits")
    return same(node, lower)


_RENAMED: Mapping[str, str] = MappingProxyType(
    {
        **{name: name for name in ("coalesce", "nullif", "replace", "substr", "translate", "chr")},
        "array_to_string": "array_join",
        "len": "cardinality",
        "list_contains": "contains",
        "list_filter": "filter",
        "list_has_any": "arrays_overlap",
        "list_transform": "transform",
        "make_timestamp_ns": "from_unixtime_nanos",
        "octet_length": "length",
        "starts_with": "starts_with",
        "unhex": "from_hex",
    }
)

TRINO = Lowering(
    "trino",
    MappingProxyType(
        {
            **{name: renamed(other) for name, other in _RENAMED.items()},
            "contains": _contains,
            "ends_with": _ends_with,
            "list_has_all": _list_has_all,
        }
    ),
    MappingProxyType[type[exp.Expr], Rule](
        {
            **PLAIN_NODES,
            exp.BitwiseAnd: same,
            exp.Bracket: _element,
            exp.Cast: _cast,
            exp.Column: _column,
            exp.Table: _table,
        }
    ),
)
"""Trino's tables."""
