"""Operators on single values: an operator, a value and literals become a condition.

In: `values.Scalar` and the literals of an atom. Out: a condition that is NULL or false where the
value is missing. How a check spreads over lists and over both ends of a connection is not decided
here.

Source: `falcotrace.events.operators`, `OPERATOR_RULES`.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from types import MappingProxyType

from sqlglot import exp

from falcotrace.engines.sql import build
from falcotrace.engines.sql.context import ENGINE
from falcotrace.engines.sql.stand_ins import satisfies
from falcotrace.engines.sql.text_checks import TEXT_CHECKS, path_prefix
from falcotrace.engines.sql.values import Scalar, StandIn
from falcotrace.errors import UnsupportedError
from falcotrace.events.operators import Operator, Quantifier, ValueKind
from falcotrace.events.text import to_bytes, to_text
from falcotrace.rules.plan import Value

_ONE_OF = frozenset({Operator.EQUAL, Operator.IN, Operator.INTERSECTS})

COMPARISONS: Mapping[Operator, type[exp.Binary]] = MappingProxyType(
    {
        Operator.EQUAL: exp.EQ,
        Operator.NOT_EQUAL: exp.NEQ,
        Operator.LESS: exp.LT,
        Operator.LESS_EQUAL: exp.LTE,
        Operator.GREATER: exp.GT,
        Operator.GREATER_EQUAL: exp.GTE,
    }
)
"""Operators that are SQL's own."""

_AMBIGUOUS = tuple(map(ip_network, ("::/96", "::ffff:0:0/96")))
"""IPv6 addresses with an IPv4 address inside: programs spell them in two ways."""


def check_value(
    value: Scalar, operator: Operator, quantifier: Quantifier | None, literals: Sequence[Value]
) -> exp.Expr:
    """Ask one value; NULL or false where it is missing.

    Raises:
        UnsupportedError: a literal that SQL cannot express.
    """
    if value.stand_in is not None and quantifier is None:
        decided = _without_stand_in(value.stand_in, operator, literals)
        if decided is not None:
            return decided
    if operator is Operator.EXISTS:
        if value.is_required or value.null_is_false:
            return build.truth(True)
        return build.is_present(value.expression)
    if quantifier is not None:
        return _quantified(value, operator, quantifier, literals)
    if not literals:
        # `in ()`, `intersects ()` and `pmatch ()` hold for no value.
        return build.truth(False)
    if operator is Operator.PMATCH:
        return path_prefix(value.expression, [str(literal) for literal in literals])
    if operator in _ONE_OF:
        return _among(value, literals)
    if operator is Operator.NOT_EQUAL:
        return _differs(value, literals[0])
    return _check_one(value, operator, literals[0])


def _without_stand_in(
    stand_in: StandIn, operator: Operator, literals: Sequence[Value]
) -> exp.Expr | None:
    """Ask the value itself, where it is known what the check says of a text that stands in."""
    verdicts = {satisfies(text, operator, literals) for text in stand_in.texts}
    if verdicts not in ({True}, {False}):
        return None
    asked = check_value(stand_in.stored, operator, None, literals)
    if verdicts == {False}:
        return asked
    shown: list[exp.Expr] = [stand_in.condition.copy()]
    if operator is not Operator.EXISTS:
        stored = stand_in.stored
        shown.insert(0, build.is_missing((stored.printed or stored).expression))
    return build.any_of([asked, build.all_of(shown)])


def _quantified(
    value: Scalar, operator: Operator, quantifier: Quantifier, literals: Sequence[Value]
) -> exp.Expr:
    if value.choices is None and value.equals is None and value.packed is None:
        bare = dataclasses.replace(value, printed=None)
        return build.once(
            value.expression,
            lambda x: _combined(
                dataclasses.replace(bare, expression=x), operator, quantifier, literals
            ),
        )
    return _combined(value, operator, quantifier, literals)


def _combined(
    value: Scalar, operator: Operator, quantifier: Quantifier, literals: Sequence[Value]
) -> exp.Expr:
    parts = [check_value(value, operator, None, [literal]) for literal in literals]
    if not parts or quantifier is Quantifier.ANY_OF:
        return build.any_of(parts)
    if quantifier is Quantifier.ALL_OF:
        return build.all_of(parts)
    # A check that is NULL holds for none, and must not make the sum NULL.
    counted = [
        exp.Cast(this=build.wrapped(build.or_false(part)), to=exp.DataType.build("int"))
        for part in parts
    ]
    total: exp.Expr = counted[0]
    for part in counted[1:]:
        total = exp.Add(this=total, expression=part)
    return exp.EQ(this=total, expression=build.number(1))


def _among(value: Scalar, literals: Sequence[Value]) -> exp.Expr:
    """The value equals one of the literals."""
    literals = tuple(dict.fromkeys(literals))
    match value.kind:
        case ValueKind.NUMBER:
            return build.among(value.expression, [build.number(_number(x)) for x in literals])
        case ValueKind.BOOL:
            return _is_truth(value, literals)
        case ValueKind.ADDRESS:
            return _is_address(value, literals)
        case ValueKind.NETWORK:
            return _is_inside(value, literals)
        case ValueKind.BYTES:
            return build.among(value.expression, [build.blob(_bytes(x)) for x in literals])
        case ValueKind.TEXT:
            return _is_text(value, [str(literal) for literal in literals])


def _differs(value: Scalar, literal: Value) -> exp.Expr:
    """There is a value, and it does not equal the literal."""
    if value.kind is ValueKind.BOOL:
        return _is_truth(value, [not literal])
    equal = _among(value, [literal])
    present = check_value(value, Operator.EXISTS, None, ())
    match equal:
        case exp.Boolean():
            return build.truth(False) if equal.this else present
        case _ if value.choices is not None or value.equals is not None:
            return build.all_of([present, build.negate(build.or_false(equal))])
        case exp.EQ():
            return exp.NEQ(this=equal.this, expression=equal.expression)
        case _:
            return build.negate(equal)


def _check_one(value: Scalar, operator: Operator, literal: Value) -> exp.Expr:
    match value.kind:
        case ValueKind.NUMBER:
            listed = build.number(_number(literal))
            return build.compare(COMPARISONS[operator], value.expression, listed)
        case ValueKind.TEXT:
            return TEXT_CHECKS[operator](value.expression, str(literal))
        case ValueKind.BYTES:
            return _check_bytes(value.expression, operator, _bytes(literal))
        case _:
            raise UnsupportedError(f"`{operator}` on a {value.kind}", ENGINE)


def _is_text(value: Scalar, literals: Sequence[str]) -> exp.Expr:
    if value.choices is not None:
        return build.any_of([c.condition.copy() for c in value.choices if c.text in literals])
    if value.equals is not None:
        return value.equals(literals)
    if value.printed is not None:
        numbers = sorted({x for text in literals for x in value.printed.numbers_of(text)})
        if not numbers:
            return build.truth(False)
        return build.among(value.printed.expression, [build.number(item) for item in numbers])
    return build.among(value.expression, [build.text(item) for item in literals])


def _is_truth(value: Scalar, literals: Sequence[Value]) -> exp.Expr:
    wanted = set(literals)
    if wanted == {True, False}:
        return check_value(value, Operator.EXISTS, None, ())
    if wanted == {True}:
        return value.expression.copy()
    expression = value.expression.copy()
    return build.negate(build.or_false(expression) if value.null_is_false else expression)


def _is_address(value: Scalar, literals: Sequence[Value]) -> exp.Expr:
    """By text, but for addresses that have two spellings."""
    texts: list[exp.Expr] = []
    packed: list[exp.Expr] = []
    for address in literals:
        if not isinstance(address, IPv4Address | IPv6Address):
            raise UnsupportedError(f"{address!r} as an address", ENGINE)
        if address.version == 6 and any(address in network for network in _AMBIGUOUS):
            packed.append(build.blob(address.packed))
        else:
            texts.append(build.text(str(address)))
    conditions = [build.among(value.expression, texts)] if texts else []
    if packed and value.packed is not None:
        conditions.append(build.among(value.packed, packed))
    return build.any_of(conditions)


def _is_inside(value: Scalar, literals: Sequence[Value]) -> exp.Expr:
    """As ranges of bytes; an address of the other family has another length."""
    families: dict[int, list[IPv4Network | IPv6Network]] = {}
    for network in literals:
        if not isinstance(network, IPv4Network | IPv6Network):
            raise UnsupportedError(f"{network!r} as a network", ENGINE)
        families.setdefault(network.max_prefixlen // 8, []).append(network)
    packed = value.packed
    assert packed is not None
    return build.any_of(
        [
            build.all_of(
                [
                    build.compare(exp.EQ, build.call("octet_length", packed), build.number(size)),
                    build.any_of([_range(packed, network) for network in networks]),
                ]
            )
            for size, networks in families.items()
        ]
    )


def _range(packed: exp.Expr, network: IPv4Network | IPv6Network) -> exp.Expr:
    if network.prefixlen == 0:
        return build.truth(True)
    low, high = network.network_address.packed, network.broadcast_address.packed
    inside = build.between(packed, build.blob(low), build.blob(high))
    inside.add_comments([str(network)])
    return inside


def _check_bytes(value: exp.Expr, operator: Operator, literal: bytes) -> exp.Expr:
    """By hexadecimal digits: DuckDB has no such functions for BLOB."""
    digits = build.call("hex", value)
    wanted = literal.hex().upper()
    match operator:
        case Operator.STARTSWITH | Operator.BSTARTSWITH:
            condition = build.call("starts_with", digits, build.text(wanted))
        case Operator.ENDSWITH:
            condition = build.call("ends_with", digits, build.text(wanted))
        case Operator.CONTAINS | Operator.BCONTAINS:
            # Pairs of digits from the beginning, or 1234 would contain 23.
            condition = build.call("regexp_matches", digits, build.text(f"^(..)*{wanted}"))
        case _:
            raise UnsupportedError(f"`{operator}` on bytes", ENGINE)
    shown = to_text(literal)
    if shown.isprintable():
        condition.add_comments([shown])
    return condition


def _number(literal: Value) -> int | float:
    if isinstance(literal, int | float):
        return literal
    # The literal of an argument whose type differs from event to event (evt.rawarg).
    if isinstance(literal, str) and re.fullmatch(r"-?[0-9]+", literal):
        return int(literal)
    raise UnsupportedError(f"{literal!r} as a number", ENGINE)


def _bytes(literal: Value) -> bytes:
    return literal if isinstance(literal, bytes) else to_bytes(str(literal))
