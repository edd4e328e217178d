"""Pieces of SQL: columns, literals, calls of known functions, and how they combine.

In: paths of columns and Python values. Out: sqlglot expressions, each a tree of its own. A function
that is not listed for a dialect is refused: sqlglot would hand it through to any engine as it is.
Nothing here knows fields or operators.
"""

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from sqlglot import exp, parse_one
from sqlglot.dialects import DuckDB

from falcotrace.engines.sql.engine_functions import ENGINE_FUNCTIONS
from falcotrace.errors import UnsupportedError

FUNCTIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "duckdb": frozenset(
            {
                *("array_to_string", "chr", "coalesce", "concat", "contains", "count", "decode"),
                *("dense_rank", "ends_with", "from_base64", "greatest", "hex", "if", "lag"),
                *("least", "len", "list", "list_sort", "range", "row_number"),
                *("length", "list_bool_or", "list_contains", "list_filter", "list_has_all"),
                *("list_has_any", "list_position", "list_reduce", "list_transform"),
                *("lpad", "make_timestamp_ns", "map", "max", "min", "nullif", "octet_length"),
                *(
                    "parquet_kv_metadata",
                    "printf",
                    "read_parquet",
                    "regexp_extract",
                    "repeat",
                    "rtrim",
                ),
                *(
                    "regexp_extract_all",
                    "regexp_full_match",
                    "regexp_matches",
                    "regexp_replace",
                    "replace",
                    "rpad",
                ),
                *(
                    "starts_with",
                    "split_part",
                    "strftime",
                    "string_split",
                    "strlen",
                    "substr",
                    "to_base64",
                    "to_hex",
                    "to_timestamp",
                ),
                *("translate", "trim", "try", "unhex", "unicode", "unnest"),
            }
        ),
        **ENGINE_FUNCTIONS,
    }
)
"""Functions that a query may call, by dialect; each was tried there with missing values."""

_RESERVED = frozenset({"group"})
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def column(path: str) -> exp.Expr:
    """A leaf of a capture: `proc.name`, `container.image.tag`, `"group".name`."""
    first, *rest = map(_identifier, path.split("."))
    if not rest:
        return exp.Column(this=first)
    parts = dict(zip(("this", "table", "db", "catalog"), reversed([first, *rest]), strict=False))
    return exp.Column(**parts)


def _identifier(name: str) -> exp.Identifier:
    is_plain = _PLAIN_NAME.fullmatch(name) and name not in _RESERVED
    return exp.Identifier(this=name, quoted=not is_plain)


def quoted(name: str) -> exp.Identifier:
    """A name in double quotes: the alias of a result's column."""
    return exp.Identifier(this=name, quoted=True)


def text(value: str) -> exp.Expr:
    r"""A text; characters that cannot be printed are spelled `chr(..)`.

    Example:
        >>> text("it's").sql("duckdb"), text("a\nb").sql("duckdb")
        ("'it''s'", "('a' || CHR(10) || 'b')")
    """
    parts = [
        exp.Literal.string(part) if printable else _spell(part)
        for printable, part in _split_printable(value)
    ]
    return _joined(parts) if parts else exp.Literal.string("")


def _split_printable(value: str) -> list[tuple[bool, str]]:
    parts: list[tuple[bool, str]] = []
    for char in value:
        printable = char.isprintable()
        if printable and parts and parts[-1][0]:
            parts[-1] = (True, parts[-1][1] + char)
        else:
            parts.append((printable, char))
    return parts


def _spell(char: str) -> exp.Expr:
    return call("chr", number(ord(char)))


def _joined(parts: Sequence[exp.Expr]) -> exp.Expr:
    if len(parts) == 1:
        return parts[0]
    return exp.Paren(this=concatenate(*parts))


def concatenate(*parts: exp.Expr) -> exp.Expr:
    """Texts in a row; missing if one of them is."""
    return functools.reduce(lambda left, right: exp.DPipe(this=left, expression=right), parts)


def number(value: float) -> exp.Expr:
    """A number, negative ones included."""
    if value < 0:
        return exp.Neg(this=exp.Literal.number(-value))
    return exp.Literal.number(value)


def blob(value: bytes) -> exp.Expr:
    """Bytes, as `unhex('..')`."""
    return call("unhex", exp.Literal.string(value.hex().upper()))


def call(name: str, *arguments: exp.Expr, dialect: str = "duckdb") -> exp.Expr:
    """Call a function that is listed for the dialect.

    Raises:
        UnsupportedError: it is not.
    """
    if name not in FUNCTIONS[dialect]:
        raise UnsupportedError(f"function {name}", f"SQL ({dialect})")
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def meant(value: exp.Expr, name: str, *arguments: exp.Expr) -> exp.Expr:
    """A value that DuckDB spells in a way of its own, and what other dialects shall make of it.

    Args:
        value: as DuckDB has it.
        name: of a function that says the same; `lowering` tables of dialects have a rule for it.
        arguments: of that function.
    """
    copies = [argument.copy() for argument in arguments]
    value.meta[_MEANING] = exp.Anonymous(this=name, expressions=copies)
    return value


def meaning_of(value: exp.Expr) -> exp.Expr | None:
    """What `meant` said of a value; None where it means what it says."""
    meaning = value.meta.get(_MEANING)
    assert meaning is None or isinstance(meaning, exp.Expr)
    return meaning


_MEANING = "meaning"


def array(items: Iterable[exp.Expr]) -> exp.Expr:
    """A list of expressions."""
    return exp.Array(expressions=list(items))


def each(body: Callable[[exp.Expr], exp.Expr], variable: str = "x") -> exp.Expr:
    """A function of one element of a list."""
    name = exp.to_identifier(variable)
    return exp.Lambda(this=body(exp.Column(this=name.copy())), expressions=[name])


def once(value: exp.Expr, body: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """A function of a value that it asks for several times: a long one is written only once.

    Without that the text of `b64(evt.arg[1])` would contain that of `evt.arg[1]`, which depends on
    the type of event, 14 times.
    """
    if size_up_to(value, _SMALL_NODES) <= _SMALL_NODES:
        return body(value)
    return element(
        call("list_transform", array([value.copy()]), each(body, "v")), exp.Literal.number(1)
    )


_SMALL_NODES = 16


def size_up_to(value: exp.Expr, limit: int) -> int:
    """How many nodes an expression has, counted no further than beyond a limit."""
    return sum(1 for _ in itertools.islice(value.walk(), limit + 1))


def element(items: exp.Expr, index: exp.Expr) -> exp.Expr:
    """An element of a list, counted from 1; missing where the list is shorter."""
    # sqlglot counts from 0 and adds the dialect's offset when it prints a literal.
    if isinstance(index, exp.Literal):
        index = exp.Literal.number(int(index.name) - 1)
    return exp.Bracket(this=items.copy(), expressions=[index])


def is_missing(value: exp.Expr) -> exp.Expr:
    """`value IS NULL`."""
    return exp.Is(this=wrapped(value), expression=exp.null())


def is_present(value: exp.Expr) -> exp.Expr:
    """`value IS NOT NULL`."""
    return exp.Is(this=wrapped(value), expression=exp.Not(this=exp.null()))


_LOOSE = (exp.Connector, exp.Predicate, exp.Not, exp.JSONExtract, exp.JSONExtractScalar)
"""Nodes that a comparison around them would tear apart."""


def wrapped(value: exp.Expr) -> exp.Expr:
    """A copy, in parentheses if a comparison could tear it apart."""
    copy = value.copy()
    return exp.Paren(this=copy) if isinstance(copy, _LOOSE) else copy


def unwrapped(value: exp.Expr) -> exp.Expr:
    """The value without parentheses around it."""
    return value.this if isinstance(value, exp.Paren) else value


def compare(kind: type[exp.Binary], left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """A comparison of two values."""
    return kind(this=wrapped(left), expression=wrapped(right))


def among(value: exp.Expr, listed: Sequence[exp.Expr]) -> exp.Expr:
    """`value = a` for one listed value, `value IN (a, b)` for more."""
    if len(listed) == 1:
        return compare(exp.EQ, value, listed[0])
    return exp.In(this=wrapped(value), expressions=[item.copy() for item in listed])


def between(value: exp.Expr, low: exp.Expr, high: exp.Expr) -> exp.Expr:
    """`value BETWEEN low AND high`, ends included."""
    return exp.Between(this=wrapped(value), low=low.copy(), high=high.copy())


def all_of(parts: Sequence[exp.Expr]) -> exp.Expr:
    """Every part holds; true without parts. The parts are taken over, not copied."""
    return _connected(exp.And, parts, neutral=True)


def any_of(parts: Sequence[exp.Expr]) -> exp.Expr:
    """Some part holds; false without parts. The parts are taken over, not copied."""
    return _connected(exp.Or, parts, neutral=False)


def truth(value: bool) -> exp.Boolean:  # noqa: FBT001  # the value is what it is about
    """`TRUE` or `FALSE`."""
    return exp.Boolean(this=value)


def _connected(kind: type[exp.Connector], parts: Sequence[exp.Expr], *, neutral: bool) -> exp.Expr:
    flat = [inner for part in parts for inner in chained(kind, part)]
    open_parts = _without_repeated([p for p in flat if not isinstance(p, exp.Boolean)])
    if any(isinstance(part, exp.Boolean) and part.this is not neutral for part in parts):
        return truth(not neutral)
    if len(open_parts) < 2:
        return open_parts[0] if open_parts else truth(neutral)
    inside = [
        exp.Paren(this=part) if isinstance(part, exp.Connector) else part for part in open_parts
    ]
    return functools.reduce(lambda left, right: kind(this=left, expression=right), inside)


def chained(kind: type[exp.Expr], part: exp.Expr) -> list[exp.Expr]:
    """The operands of a chain of one operator, from left to right; the part itself if none."""
    found: list[exp.Expr] = []
    while type(part) is kind:
        found.append(part.expression)
        part = part.this
    return [part, *reversed(found)]


def _without_repeated(parts: Sequence[exp.Expr]) -> list[exp.Expr]:
    """The parts, small ones once: the two ends of a connection ask some things again."""
    kept: dict[object, exp.Expr] = {}
    for part in parts:
        is_small = size_up_to(part, _SMALL_NODES) <= _SMALL_NODES
        kept.setdefault(part.sql() if is_small else id(part), part)
    return list(kept.values())


def negate(condition: exp.Expr) -> exp.Expr:
    """The condition does not hold; missing stays missing."""
    match condition:
        case exp.Boolean():
            return truth(not condition.this)
        case exp.Not():
            return unwrapped(condition.this)
        case exp.Is(expression=exp.Null()):
            return is_present(condition.this)
        case exp.Is(expression=exp.Not()):
            return is_missing(condition.this)
        case exp.Connector() | exp.Between():
            return exp.Not(this=exp.Paren(this=condition))
        case _:
            return exp.Not(this=condition)


def or_false(condition: exp.Expr) -> exp.Expr:
    """The condition with missing made false."""
    if isinstance(condition, exp.Boolean):
        return condition
    return exp.Anonymous(this="coalesce", expressions=[condition, exp.false()])


def capture_table(paths: Sequence[str]) -> exp.Expr:
    """The rows of captures: `'capture.parquet'`, or several files read as one."""
    if len(paths) == 1 and paths[0].endswith(".parquet") and paths[0].isprintable():
        return exp.Table(this=exp.Literal.string(paths[0]))
    files = array([text(path) for path in paths])
    by_name = exp.EQ(this=exp.to_identifier("union_by_name"), expression=truth(True))
    return exp.Table(this=exp.Anonymous(this="read_parquet", expressions=[files, by_name]))


class _TemplateParser(DuckDB.Parser):  # type: ignore[misc]
    """Leaves the names of functions as they are written, so that a query reads as its template."""

    FUNCTIONS: Mapping[str, Callable[..., exp.Expr]] = MappingProxyType({})


def template(sql: str, **values: exp.Expr) -> exp.Expr:
    """Parse a piece of SQL from one of our own tables.

    Args:
        sql: DuckDB's dialect, with `:name` where a value goes.
        values: what goes there.
    """
    tree = _parsed(sql).copy()
    for placeholder in list(tree.find_all(exp.Placeholder)):
        value = values[placeholder.name].copy()
        if placeholder is tree:
            return value
        placeholder.replace(value)
    return tree


@functools.cache
def _parsed(sql: str) -> exp.Expr:
    return parse_one(sql, dialect=_TEMPLATES)


class _Templates(DuckDB):  # type: ignore[misc]
    Parser = _TemplateParser
    parser_class = _TemplateParser


_TEMPLATES = _Templates
