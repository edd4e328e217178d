"""What queries are made of, in the SQL of ClickHouse. Not run by us.

In: nodes that mean what DuckDB says of them. Out: the same for `file('capture.parquet')`, whose
structs become tuples. ClickHouse has no missing lists: one that was never recorded reads as empty,
which is another verdict, so everything about lists is refused, as are patterns, texts spelled from
bytes, and times.

Source: ClickHouse's reference of data types (Nullable, Tuple), string, bit and time functions.
"""

from collections.abc import Mapping
from types import MappingProxyType

from sqlglot import exp

from falcotrace.engines.sql import build
from falcotrace.engines.sql.lowering import PLAIN_NODES, Lowering, Rule, call, renamed, same
from falcotrace.events.columns import COLUMNS


def _column(node: exp.Expr, lower: Lowering) -> exp.Expr:
    path = ".".join(part.name for part in node.parts) if isinstance(node, exp.Column) else ""
    if path not in COLUMNS:
        raise lower.refused(f"`{path}`, which is no plain column")
    if COLUMNS[path].type.startswith("list"):
        raise lower.refused(f"the list {path}: there are no missing lists")
    return node.copy()


def _contains(node: exp.Expr, lower: Lowering) -> exp.Expr:
    found = call("position", *lower.arguments(node))
    return exp.Paren(this=exp.GT(this=found, expression=build.number(0)))


def _bit_and(node: exp.Expr, lower: Lowering) -> exp.Expr:
    return call("bitAnd", lower(node.this), lower(node.expression))


def _time(node: exp.Expr, lower: Lowering) -> exp.Expr:
    return call("fromUnixTimestamp64Nano", *lower.arguments(node), exp.Literal.string("UTC"))


def _char(node: exp.Expr, lower: Lowering) -> exp.Expr:
    (code,) = node.expressions
    if not isinstance(code, exp.Literal):
        raise lower.refused("characters that are computed")
    return exp.Literal.string(chr(int(code.name)))


def _like(node: exp.Expr, lower: Lowering) -> exp.Expr:
    pattern = node.expression
    if not isinstance(pattern, exp.Literal) or set(pattern.name) & set("_\\"):
        raise lower.refused("patterns that match one character")
    return same(node, lower)


def _table(node: exp.Expr, lower: Lowering) -> exp.Expr:
    if not isinstance(node.this, exp.Literal):
        raise lower.refused("several captures, or a name that does not end in .parquet")
    path = exp.Literal.string(node.this.name)
    return exp.Table(this=call("file", path, exp.Literal.string("Parquet")))


_RENAMED: Mapping[str, str] = MappingProxyType(
    {
        **{name: name for name in ("coalesce", "translate", "unhex")},
        "ends_with": "endsWith",
        "nullif": "nullIf",
        "octet_length": "length",
        "starts_with": "startsWith",
    }
)

CLICKHOUSE = Lowering(
    "clickhouse",
    MappingProxyType(
        {
            **{name: renamed(other) for name, other in _RENAMED.items()},
            "chr": _char,
            "contains": _contains,
            "make_timestamp_ns": _time,
        }
    ),
    MappingProxyType[type[exp.Expr], Rule](
        {
            **{kind: rule for kind, rule in PLAIN_NODES.items() if kind is not exp.Array},
            exp.BitwiseAnd: _bit_and,
            exp.Column: _column,
            exp.Like: _like,
            exp.Table: _table,
        }
    ),
)
"""ClickHouse's tables."""
