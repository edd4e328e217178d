r"""What queries are made of, in Spark SQL (4.x).

In: nodes that mean what DuckDB says of them. Out: the same for Spark, whether `spark.sql.ansi`
is on or off. Where the two engines differ:

    ==========================  ==================================================================
    lists                       `get` counts from 0 and is missing behind the end, an index in
                                brackets raises
    unsigned numbers            are decimals: bits are asked of the signed number with those bits
    numbers beyond BIGINT       make a comparison true or false even of NULL, but for decimals
    patterns                    are Java's (`java_patterns`) and searched for: `\A..\z`
    `chr`                       knows 256 characters: others are written out, or decoded
    `decode`                    makes characters of anything: `try_validate_utf8` asks first
    strings to split at         are patterns
    times                       end at microseconds
    ==========================  ==================================================================
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from sqlglot import exp

from falcotrace.engines.sql import build
from falcotrace.engines.sql.java_patterns import java_full_pattern, java_pattern
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

_ALL_BITS = "18446744073709551615"
_TIME_FORMATS: Mapping[str, str] = MappingProxyType(
    {"%H:%M:%S": "HH:mm:ss", "%Y-%m-%d %H:%M:%S": "yyyy-MM-dd HH:mm:ss"}
)
"""Formats of local times."""

_UTC_FORMAT = "%Y-%m-%dT%H:%M:%S"
_PRINTF_FORMATS = frozenset({"%02X", "%o"})


def _text(value: str) -> exp.Expr:
    return exp.Literal.string(value)


def _pattern(text: str) -> exp.Expr:
    return exp.RawString(this=text)


def _full_match(node: exp.Expr, lower: Lowering) -> exp.Expr:
    value, pattern, *options = node.expressions
    written = literal_of(pattern, lower, "a pattern")
    return _is_like(lower(value), java_full_pattern(written, dot_all=bool(options)))


def _matches(node: exp.Expr, lower: Lowering) -> exp.Expr:
    value, pattern = node.expressions
    return _is_like(lower(value), java_pattern(literal_of(pattern, lower, "a pattern")))


def _is_like(value: exp.Expr, pattern: str) -> exp.Expr:
    return call("regexp_like", value, _pattern(pattern))


def _extract(node: exp.Expr, lower: Lowering) -> exp.Expr:
    value, pattern, group, *options = node.expressions
    written = literal_of(pattern, lower, "a pattern")
    printed = java_pattern(written, dot_all=bool(options), keeps_groups=True)
    return call("regexp_extract", lower(value), _pattern(printed), lower(group))


def _extract_all(node: exp.Expr, lower: Lowering) -> exp.Expr:
    value, pattern = node.expressions
    printed = java_pattern(literal_of(pattern, lower, "a pattern"))
    return call("regexp_extract_all", lower(value), _pattern(printed), build.number(0))


def _replace_pattern(node: exp.Expr, lower: Lowering) -> exp.Expr:
    value, pattern, replacement, *options = node.expressions
    written = literal_of(pattern, lower, "a pattern")
    if not options and not written.endswith("$"):
        # Spark replaces every match; at the end there is only one.
        raise lower.refused("the replacement of one match")
    return call("regexp_replace", lower(value), _pattern(java_pattern(written)), lower(replacement))


def _split(node: exp.Expr, lower: Lowering) -> exp.Expr:
    value, separator = node.expressions
    plain = literal_of(lower(separator), lower, "a separator")
    return call("split", lower(value), _text(re.sub(r"([^\w\s/:,=])", r"\\\1", plain)))


def _char(node: exp.Expr, lower: Lowering) -> exp.Expr:
    (code,) = node.expressions
    if isinstance(code, exp.Literal):
        return _text(chr(int(code.name)))
    digits = call("lpad", call("hex", lower(code)), build.number(8), _text("0"))
    return call("decode", call("unhex", digits), _text("UTF-32"))


def _try(node: exp.Expr, lower: Lowering) -> exp.Expr:
    (tried,) = node.expressions
    match tried:
        case exp.Anonymous(this="decode"):
            return _decode(tried, lower)
        case exp.Anonymous(this="from_base64"):
            return call("try_to_binary", *lower.arguments(tried), _text("base64"))
        case _:
            raise lower.refused("function try")


def _decode(node: exp.Expr, lower: Lowering) -> exp.Expr:
    (value,) = lower.arguments(node)
    return call("try_validate_utf8", exp.Cast(this=value, to=exp.DataType.build("text")))


def _list_has_all(node: exp.Expr, lower: Lowering) -> exp.Expr:
    """Every element of the second list is in the first; missing elements do not count."""
    listed, items = lower.arguments(node)

    def is_listed(item: exp.Expr) -> exp.Expr:
        found = call("array_contains", listed, item)
        return build.any_of([build.is_missing(item), found])

    return call("forall", items, build.each(is_listed))


def _list_bool_or(node: exp.Expr, lower: Lowering) -> exp.Expr:
    return call("exists", *lower.arguments(node), build.each(lambda x: x))


def _list_reduce(node: exp.Expr, lower: Lowering) -> exp.Expr:
    items, step, start = lower.arguments(node)
    return call("aggregate", items, start, step)


def _rtrim(node: exp.Expr, lower: Lowering) -> exp.Expr:
    value, characters = lower.arguments(node)
    return call("rtrim", characters, value)


def _trim(node: exp.Expr, lower: Lowering) -> exp.Expr:
    value, characters = node.expressions
    if literal_of(characters, lower, "what is trimmed") != " ":
        raise lower.refused("other characters than blanks to trim")
    return call("trim", lower(value))  # blanks alone, unless told otherwise


def _printf(node: exp.Expr, lower: Lowering) -> exp.Expr:
    form, value = node.expressions
    if (written := literal_of(form, lower, "a format")) not in _PRINTF_FORMATS:
        # Java rounds 0.1234565 by its digits, C by its binary value; `%g` is another format there.
        raise lower.refused(f"numbers as text of the form {written}")
    return call("printf", lower(form), _signed(value, lower))


def _to_hex(node: exp.Expr, lower: Lowering) -> exp.Expr:
    return call("hex", _signed(node.expressions[0], lower))


def _time(node: exp.Expr, lower: Lowering) -> exp.Expr:
    (nanoseconds,) = lower.arguments(node)
    return call("timestamp_micros", exp.IntDiv(this=nanoseconds, expression=build.number(1000)))


def _strftime(node: exp.Expr, lower: Lowering) -> exp.Expr:
    value, form = node.expressions
    written = literal_of(form, lower, "a format")
    match value:
        case exp.Anonymous(this="to_timestamp") if written in _TIME_FORMATS:
            return call("date_format", lower(value), _text(_TIME_FORMATS[written]))
        case exp.Anonymous(this="make_timestamp_ns", expressions=[nanoseconds]) if (
            written == _UTC_FORMAT
        ):
            return _utc_time(lower(nanoseconds))
        case _:
            raise lower.refused(f"the time format {written}")


def _utc_time(nanoseconds: exp.Expr) -> exp.Expr:
    """By arithmetic: whatever has a time zone there is shown in that of the session."""

    def part(divisor: int, modulus: int) -> exp.Expr:
        units = exp.IntDiv(this=nanoseconds.copy(), expression=build.number(divisor))
        shown = exp.Mod(this=exp.Paren(this=units), expression=build.number(modulus))
        return call("lpad", _as(shown, "text"), build.number(2), _text("0"))

    second = 1_000_000_000
    days = exp.IntDiv(this=nanoseconds.copy(), expression=build.number(86_400 * second))
    date = _as(call("date_from_unix_date", _as(days, "int")), "text")
    clock = (part(3600 * second, 24), part(60 * second, 60), part(second, 60))
    return call("concat", date, _text("T"), clock[0], _text(":"), clock[1], _text(":"), clock[2])


def _as(value: exp.Expr, kind: str) -> exp.Expr:
    return exp.Cast(this=value, to=exp.DataType.build(kind))


def _cast(node: exp.Expr, lower: Lowering) -> exp.Expr:
    match node:
        case exp.Cast(this=exp.DPipe(this=exp.Literal(this="0x"), expression=digits)):
            number = call("conv", lower(digits), build.number(16), build.number(10))
            return exp.Cast(this=number, to=node.to.copy())
        case exp.Cast() if node.to.this == exp.DType.INT128:
            return exp.Cast(this=lower(node.this), to=_DECIMAL.copy())
        case _:
            return same(node, lower)


_DECIMAL = exp.DataType.build("decimal(38, 0)")
_BEYOND_BIGINT = 1 << 63


def _comparison(node: exp.Expr, lower: Lowering) -> exp.Expr:
    """A comparison; Spark takes those with a number that no BIGINT reaches for decided.

    Where the value is missing too: `NULL < 18446744073709551615` would be true (Spark 4.3
    DecimalPrecisionTypeCoercion, integralAndDecimalLiteral).
    """
    compared = same(node, lower)
    value, number = node.this, node.expression
    if _is_beyond(number) and not _is_unsigned(value):
        compared.set("this", exp.Cast(this=compared.this, to=_DECIMAL.copy()))
    return compared


def _is_beyond(node: exp.Expr) -> bool:
    digits = node.this if isinstance(node, exp.Neg) else node
    is_whole = isinstance(digits, exp.Literal) and not digits.is_string and digits.is_int
    return is_whole and int(digits.name) >= _BEYOND_BIGINT


def _bits(node: exp.Expr, lower: Lowering) -> exp.Expr:
    match node:
        case exp.BitwiseAnd(this=exp.Cast() as cast, expression=exp.Literal(this=mask)) if (
            cast.to.this == exp.DType.INT128 and mask == _ALL_BITS
        ):
            return _unsigned(cast.this, lower)
        case _:
            kind = type(node)
            sides = [_signed(side, lower) for side in (node.this, node.expression)]
            return kind(this=sides[0], expression=sides[1])


def _shift_right(node: exp.Expr, lower: Lowering) -> exp.Expr:
    return call("shiftright", _signed(node.this, lower), lower(node.expression))


def _unsigned(value: exp.Expr, lower: Lowering) -> exp.Expr:
    """A number as the unsigned one with the same 64 bits."""
    if _is_unsigned(value):
        return lower(value)
    shown = build.template(
        "CASE WHEN :value < 0 THEN CAST(:value AS HUGEINT) + 18446744073709551616"
        " ELSE CAST(:value AS HUGEINT) END",
        value=value,
    )
    return lower(shown)


def _signed(value: exp.Expr, lower: Lowering) -> exp.Expr:
    """A number as the signed one with the same 64 bits, for functions of bits."""
    if not _is_unsigned(value):
        return lower(value)
    shown = build.template(
        "CASE WHEN :value >= 9223372036854775808"
        " THEN CAST(:value - 18446744073709551616 AS BIGINT) ELSE CAST(:value AS BIGINT) END",
        value=value,
    )
    return lower(shown)


def _is_unsigned(value: exp.Expr) -> bool:
    if not isinstance(value, exp.Column):
        return False
    column = COLUMNS.get(".".join(part.name for part in value.parts))
    return column is not None and column.type == "uint64"


def _element(node: exp.Expr, lower: Lowering) -> exp.Expr:
    (index,) = node.expressions
    place = lower(index)
    if not isinstance(index, exp.Literal):
        place = exp.Sub(this=build.wrapped(place), expression=build.number(1))
    return call("get", lower(node.this), place)


def _struct(node: exp.Expr, lower: Lowering) -> exp.Expr:
    return exp.Struct(
        expressions=[
            exp.alias_(lower(pair.expression), pair.this.name) for pair in node.expressions
        ]
    )


def _table(node: exp.Expr, lower: Lowering) -> exp.Expr:
    path = node.this
    if isinstance(path, exp.Anonymous) and path.name == "read_parquet":
        files = [lower(item) for item in path.expressions[0].expressions]
        if len(files) != 1:
            raise lower.refused("several captures without a pattern for their names")
        (path,) = files
    written = literal_of(path, lower, "a path")
    return exp.Table(this=build.quoted(written), db=exp.to_identifier("parquet"))


def _printable_bytes(node: exp.Expr, lower: Lowering) -> exp.Expr:
    """A character for each byte, then dots."""
    shown = call("decode", *lower.arguments(node), _text("ISO-8859-1"))
    return call("regexp_replace", shown, _pattern(r"[^ -~]"), _text("."))


_SAME_NAME = (
    *("coalesce", "contains", "hex", "if", "lpad", "nullif", "octet_length", "repeat", "replace"),
    *("split_part", "substr", "translate", "unhex"),
)
_RENAMED: Mapping[str, str] = MappingProxyType(
    {
        "array_to_string": "array_join",
        "ends_with": "endswith",
        "len": "array_size",
        "length": "char_length",
        "list_contains": "array_contains",
        "list_filter": "filter",
        "list_has_any": "arrays_overlap",
        "list_position": "array_position",
        "list_transform": "transform",
        "starts_with": "startswith",
        "strlen": "octet_length",
        "to_base64": "base64",
        "to_timestamp": "timestamp_seconds",
        "unicode": "ascii",
    }
)
_SPELLED: Mapping[str, Callable[[exp.Expr, Lowering], exp.Expr]] = MappingProxyType(
    {
        "chr": _char,
        "decode": _decode,
        "list_bool_or": _list_bool_or,
        "list_has_all": _list_has_all,
        "list_reduce": _list_reduce,
        "make_timestamp_ns": _time,
        "printable_bytes": _printable_bytes,
        "printf": _printf,
        "regexp_extract": _extract,
        "regexp_extract_all": _extract_all,
        "regexp_full_match": _full_match,
        "regexp_matches": _matches,
        "regexp_replace": _replace_pattern,
        "rtrim": _rtrim,
        "strftime": _strftime,
        "string_split": _split,
        "to_hex": _to_hex,
        "trim": _trim,
        "try": _try,
    }
)
_NODES: Mapping[type[exp.Expr], Rule] = MappingProxyType(
    {
        **PLAIN_NODES,
        **dict.fromkeys((exp.BitwiseAnd, exp.BitwiseOr), _bits),
        **dict.fromkeys((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE), _comparison),
        exp.BitwiseRightShift: _shift_right,
        exp.Chr: _char,
        exp.Bracket: _element,
        exp.Cast: _cast,
        exp.IntDiv: same,
        exp.Struct: _struct,
        exp.Table: _table,
        exp.TryCast: same,
    }
)

SPARK = Lowering(
    "spark",
    MappingProxyType(
        {
            **{name: renamed(name) for name in _SAME_NAME},
            **{name: renamed(other) for name, other in _RENAMED.items()},
            **_SPELLED,
        }
    ),
    _NODES,
)
"""Spark's tables."""
