"""Numbers of arguments as text, in SQL, and back: which numbers print as a text.

In: a column of numbers and the parameter that they are. Out: an expression, or numbers.

Source: `falcotrace.events.numbers`, which defines the texts.
"""

from collections.abc import Callable

from sqlglot import exp

from falcotrace.engines.sql import build
from falcotrace.engines.sql.build import template
from falcotrace.events.columns import COLUMNS
from falcotrace.events.event_types import Param
from falcotrace.events.numbers import format_of, raw_text, width_of

_UNSIGNED = "CAST(:number AS HUGEINT) & 18446744073709551615"
_DURATION = "CASE WHEN :unsigned <> 18446744073709551615 THEN :shown ELSE 'none' END"
_SECONDS = "printf('%gs', CAST(:unsigned AS DOUBLE) / 1000000000)"
_LOCAL_TIME = """
strftime(to_timestamp(CAST(:unsigned // 1000000000 AS BIGINT)), '%Y-%m-%d %H:%M:%S')
|| '.' || lpad(CAST(:unsigned % 1000000000 AS TEXT), 9, '0')
"""
_WRAPPED = "CAST(CASE WHEN :is_high THEN :number - :range ELSE :number END AS TEXT)"


def number_text(path: str, param: Param, *, resolved: bool = False) -> exp.Expr:
    """A stored number as a parameter prints it.

    Args:
        path: the column.
        param: what the number is.
        resolved: of durations, the form in seconds.
    """
    stored = build.column(path)
    if param.type in {"RELTIME", "ABSTIME"}:
        unsigned = exp.Paren(this=template(_UNSIGNED, number=stored))
        if param.type == "ABSTIME":
            return template(_LOCAL_TIME, unsigned=unsigned)
        shown = template(_SECONDS if resolved else "CAST(:unsigned AS TEXT)", unsigned=unsigned)
        return template(_DURATION, unsigned=unsigned, shown=shown)
    form, bits = format_of(param), width_of(param)
    if form in {"HEX", "OCT"} and bits < 64:
        stored = template(f"(:number & {(1 << bits) - 1})", number=stored)
    if form == "HEX":
        return build.call("to_hex", stored)
    if form == "OCT":
        return template(
            "CASE WHEN :number = 0 THEN '0' ELSE '0' || printf('%o', :number) END", number=stored
        )
    if param.type.startswith("INT") or (bits == 64 and COLUMNS[path].type != "uint64"):
        return template("CAST(:number AS TEXT)", number=stored)
    # Falco prints unsigned numbers through a signed conversion.
    limit, reach = build.number(1 << bits - 1), build.number(1 << bits)
    is_high: exp.Expr = exp.GTE(this=stored.copy(), expression=limit)
    if bits < 64:
        if COLUMNS[path].type == "uint64":
            stored = template("CAST(:number AS HUGEINT)", number=stored)
        is_high = build.between(stored, limit, build.number((1 << bits) - 1))
    return template(_WRAPPED, number=stored, is_high=is_high, range=reach)


def numbers_of(param: Param, *, is_signed: bool) -> Callable[[str], list[int]] | None:
    """Which numbers of a column print as a text; None where that is not known.

    Args:
        param: what the numbers are.
        is_signed: whether the column's type is.
    """
    if param.type in {"RELTIME", "ABSTIME"}:
        return None
    base = {"HEX": 16, "OCT": 8}.get(format_of(param), 10)
    low, high = (-(1 << 63), 1 << 63) if is_signed else (0, 1 << 64)

    def read(text: str) -> list[int]:
        try:
            number = int(text, base)
        except ValueError:
            return []
        wrapped = [number % (1 << bits) for bits in (32, 64)]
        wrapped += [number - (1 << bits) for bits in (32, 64)]
        candidates = {number, *wrapped}
        return sorted(x for x in candidates if low <= x < high and raw_text(param, x) == text)

    return read
