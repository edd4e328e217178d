"""What a check says about a value of which only a part is known.

A value that was cut is still known in part: its beginning, its end, or that a count is no smaller.
Many checks are decided by that: a text that was cut behind `/etc/` begins with `/etc/` whatever
followed. In: an atom and the part. Out: true or false where every value with that part gives the
same answer as the part itself, else None.

The operators' meaning is `events/operators.py`; here is only what follows from it.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from falcotrace.engines.text_match import glob_matches
from falcotrace.events.operators import Operator, Quantifier
from falcotrace.events.text import RAW_BYTE_BASE, to_bytes
from falcotrace.rules.plan import Atom, Value
from falcotrace.rules.transforms import fold_case

_LONGEST_BROKEN = 3
"""Bytes of a character in UTF-8 that is not whole."""

Known = str | bytes | int | float | bool | None
"""A value as far as it is known; None if nothing of it is there."""


class Remnant(enum.StrEnum):
    """What of a value is known."""

    WHOLE = "whole"
    BEGINNING = "beginning"
    END = "end"
    AT_LEAST = "at least"
    UNKNOWN = "unknown"


def decide(atom: Atom, remnant: Remnant, known: Known) -> bool | None:
    """Tell what a check without right-hand operand says, if that is certain.

    Args:
        atom: the check, of an operand that stands for one value.
        remnant: what of the value is known; not the whole.
        known: that part of it.

    Example:
        >>> from falcotrace.rules.load import parse_formula
        >>> begins = parse_formula("proc.cmdline startswith cat")
        >>> decide(begins, Remnant.BEGINNING, "cat /etc"), decide(begins, Remnant.BEGINNING, "ca")
        (True, None)
    """
    if known is None:
        return None
    if atom.operator is Operator.EXISTS:
        return True
    if isinstance(known, str):
        known = _without_broken(remnant, known)
    literals = [_as_bytes(known, one) for one in atom.values]
    operator = atom.operator
    if operator in {Operator.IN, Operator.INTERSECTS}:
        operator, quantifier = Operator.EQUAL, Quantifier.ANY_OF
    else:
        quantifier = atom.quantifier or Quantifier.ANY_OF
    if operator is Operator.NOT_EQUAL and atom.quantifier is None:
        return _negated(_decide_one(Operator.EQUAL, remnant, known, literals[0]))
    return _combine(quantifier, [_decide_one(operator, remnant, known, one) for one in literals])


def _decide_one(operator: Operator, remnant: Remnant, known: Known, literal: Value) -> bool | None:
    if operator is Operator.NOT_EQUAL:
        return _negated(_decide_one(Operator.EQUAL, remnant, known, literal))
    if remnant is Remnant.AT_LEAST:
        if not isinstance(known, int) or not isinstance(literal, int):
            return None
        return _AT_LEAST[operator](known, literal) if operator in _AT_LEAST else None
    test = _TESTS.get(remnant, {}).get(operator)
    if test is None or not isinstance(literal, bytes):
        return None
    return test(known if isinstance(known, bytes) else str(known).encode(), literal)


def _as_bytes(known: Known, literal: Value) -> Value:
    """A literal in the form in which engines compare it with such a value."""
    if isinstance(known, bytes) and not isinstance(literal, bytes):
        return to_bytes(str(literal))
    return str(literal).encode() if isinstance(known, str) else literal


def _without_broken(remnant: Remnant, known: str) -> str:
    """Leave out bytes at the cut: with what is missing they may be another character."""
    start, end = 0, len(known)
    if remnant is Remnant.BEGINNING:
        while end > max(0, len(known) - _LONGEST_BROKEN) and _is_raw(known[end - 1]):
            end -= 1
    elif remnant is Remnant.END:
        while start < min(len(known), _LONGEST_BROKEN) and _is_raw(known[start]):
            start += 1
    return known[start:end]


def _is_raw(char: str) -> bool:
    return RAW_BYTE_BASE <= ord(char) <= RAW_BYTE_BASE + 0xFF


def _negated(truth: bool | None) -> bool | None:  # noqa: FBT001 - a truth, not a switch
    return None if truth is None else not truth


def _combine(quantifier: Quantifier, truths: Sequence[bool | None]) -> bool | None:
    if not truths:
        return False
    if quantifier is Quantifier.ONE_OF:
        if truths.count(True) > 1:
            return False
        return None if None in truths else truths.count(True) == 1
    deciding = quantifier is Quantifier.ANY_OF
    if deciding in truths:
        return deciding
    return None if None in truths else not deciding


def _equals_beginning(known: bytes, literal: bytes) -> bool | None:
    return None if literal.startswith(known) else False


def _equals_end(known: bytes, literal: bytes) -> bool | None:
    return None if literal.endswith(known) else False


def _begins(known: bytes, literal: bytes) -> bool | None:
    if known.startswith(literal):
        return True
    return None if literal.startswith(known) else False


def _ends(known: bytes, literal: bytes) -> bool | None:
    if known.endswith(literal):
        return True
    return None if literal.endswith(known) else False


def _contains(known: bytes, literal: bytes) -> bool | None:
    return True if literal in known else None


def _contains_folded(known: bytes, literal: bytes) -> bool | None:
    return _contains(_folded(known), _folded(literal))


def _folded(raw: bytes) -> bytes:
    return fold_case(raw.decode()).encode()


def _is_empty(known: bytes, literal: bytes) -> bool | None:
    del known
    return None if literal else True


def _ordered(compare: Callable[[bytes, bytes], bool]) -> "_Test":
    """Bytes are ordered by the first that differs; what follows matters only if none does."""

    def test(known: bytes, literal: bytes) -> bool | None:
        return None if literal.startswith(known) else compare(known, literal)

    return test


def _glob(known: bytes, literal: bytes) -> bool | None:
    """A pattern's plain beginning must be there; behind a last `*` may stand anything."""
    plain = len(literal)
    for place, byte in enumerate(literal):
        if byte in b"*?[\\":
            plain = place
            break
    start = literal[:plain]
    if not (known.startswith(start) or start.startswith(known)):
        return False
    is_open = literal.endswith(b"*") and not {*b"?[\\"} & {*literal}
    return True if is_open and glob_matches(known.decode(), literal.decode()) else None


def _glob_folded(known: bytes, literal: bytes) -> bool | None:
    return _glob(_folded(known), _folded(literal))


_Test = Callable[[bytes, bytes], bool | None]

_EITHER: Mapping[Operator, _Test] = MappingProxyType(
    {
        Operator.CONTAINS: _contains,
        Operator.ICONTAINS: _contains_folded,
        Operator.BCONTAINS: _contains,
    }
)

_BEGINNING: Mapping[Operator, _Test] = MappingProxyType(
    {
        **_EITHER,
        Operator.EQUAL: _equals_beginning,
        Operator.STARTSWITH: _begins,
        Operator.BSTARTSWITH: _begins,
        Operator.ENDSWITH: _is_empty,
        Operator.LESS: _ordered(bytes.__lt__),
        Operator.LESS_EQUAL: _ordered(bytes.__le__),
        Operator.GREATER: _ordered(bytes.__gt__),
        Operator.GREATER_EQUAL: _ordered(bytes.__ge__),
        Operator.GLOB: _glob,
        Operator.IGLOB: _glob_folded,
    }
)
"""What is certain of a value that begins so."""

_END: Mapping[Operator, _Test] = MappingProxyType(
    {
        **_EITHER,
        Operator.EQUAL: _equals_end,
        Operator.STARTSWITH: _is_empty,
        Operator.BSTARTSWITH: _is_empty,
        Operator.ENDSWITH: _ends,
    }
)
"""What is certain of a value that ends so."""

_TESTS: Mapping[Remnant, Mapping[Operator, _Test]] = MappingProxyType(
    {Remnant.BEGINNING: _BEGINNING, Remnant.END: _END}
)

_AT_LEAST: Mapping[Operator, Callable[[int, int], bool | None]] = MappingProxyType(
    {
        Operator.EQUAL: lambda known, literal: False if known > literal else None,
        Operator.LESS: lambda known, literal: False if known >= literal else None,
        Operator.LESS_EQUAL: lambda known, literal: False if known > literal else None,
        Operator.GREATER: lambda known, literal: True if known > literal else None,
        Operator.GREATER_EQUAL: lambda known, literal: True if known >= literal else None,
    }
)
"""What is certain of a number that is no smaller."""
