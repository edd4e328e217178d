"""The operators of conditions: how they are spelled, what they apply to and what they mean.

One table for everybody: the checker reads which kinds of values an operator allows, both engines
implement the sentence that defines it, and tests hold them to it. Nothing is evaluated here.

The rule above all others: **a missing value makes every check false**, `!=` included, and a missing
right-hand value as well (libs 48dfd53c userspace/libsinsp/sinsp_filtercheck.cpp, compare_nocache).
"""

import dataclasses
import enum
from collections.abc import Mapping
from types import MappingProxyType

from falcotrace.events.fields import FieldType


class Operator(enum.StrEnum):
    """The operators in Falco's spelling; `==` is read as `=` but printed as written."""

    EXISTS = "exists"
    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_EQUAL = "<="
    GREATER = ">"
    GREATER_EQUAL = ">="
    IN = "in"
    INTERSECTS = "intersects"
    PMATCH = "pmatch"
    CONTAINS = "contains"
    ICONTAINS = "icontains"
    BCONTAINS = "bcontains"
    STARTSWITH = "startswith"
    BSTARTSWITH = "bstartswith"
    ENDSWITH = "endswith"
    GLOB = "glob"
    IGLOB = "iglob"
    REGEX = "regex"


class Quantifier(enum.StrEnum):
    """`S anyof (..)`: some value satisfies S; `allof`: all do; `oneof`: exactly one does.

    With an empty list all three are false (libs 0.25.2 and later).
    """

    ANY_OF = "anyof"
    ALL_OF = "allof"
    ONE_OF = "oneof"


class ValueKind(enum.StrEnum):
    """Types that behave alike under every operator."""

    NUMBER = "number"
    BOOL = "bool"
    ADDRESS = "ip address"
    NETWORK = "network"
    TEXT = "text"
    BYTES = "bytes"


class Multiplicity(enum.StrEnum):
    """How many values an operand stands for, and how a check combines them.

    SINGLE: one value.
    LIST: a list value; only `exists`, `in` (every element is among the values, so the empty list is
        inside everything) and `intersects` (at least one element is).
    ANY_ANCESTOR: the values of all ancestors from the parent upward; a check is true as soon as it
        is true for one of them, `!=` too.
    ANY_NAME: the names of an address; a check is true as soon as it is true for one of them, only
        `!=` asks all. Outputs show the first, which is the latest.
    BOTH_ENDS: the two ends of a connection; a check is true if it is true for either end, only `!=`
        asks both. `exists` is true when the event has information about the descriptor at all.

    Source: libs 48dfd53c userspace/libsinsp/sinsp_filtercheck_thread.cpp, compare_full_aname;
    sinsp_filtercheck_fd.cpp, compare_ip and compare_domain.
    """

    SINGLE = "single"
    LIST = "list"
    ANY_ANCESTOR = "any ancestor"
    ANY_NAME = "any name"
    BOTH_ENDS = "both ends"


@dataclasses.dataclass(frozen=True, slots=True)
class OperatorRule:
    """What an operator applies to, and its meaning.

    Args:
        kinds: kinds of single values that it accepts on the left.
        lists: whether it accepts list values.
        meaning: the sentence that defines it for the engines.
    """

    kinds: frozenset[ValueKind]
    lists: bool
    meaning: str


_ALL = frozenset(ValueKind)
_TEXT = frozenset({ValueKind.TEXT})
_BYTES = frozenset({ValueKind.BYTES})
_ORDERED = frozenset({ValueKind.NUMBER, ValueKind.TEXT})
_ORDER_MEANING = (
    "numbers: 64-bit order, signed or unsigned by the field's type; text: order of the bytes, so "
    'that "10" < "5"'
)

OPERATOR_RULES: Mapping[Operator, OperatorRule] = MappingProxyType(
    {
        Operator.EXISTS: OperatorRule(
            _ALL, lists=True, meaning="there is a value; the empty text and false are values"
        ),
        Operator.EQUAL: OperatorRule(
            _ALL,
            lists=False,
            meaning=(
                "the same value: text byte by byte, case counts; addresses of different families "
                "differ; a network: the address is inside, another family is outside"
            ),
        ),
        Operator.NOT_EQUAL: OperatorRule(
            _ALL, lists=False, meaning="there is a value, and `=` is false for it"
        ),
        Operator.LESS: OperatorRule(_ORDERED, lists=False, meaning=_ORDER_MEANING),
        Operator.LESS_EQUAL: OperatorRule(_ORDERED, lists=False, meaning=_ORDER_MEANING),
        Operator.GREATER: OperatorRule(_ORDERED, lists=False, meaning=_ORDER_MEANING),
        Operator.GREATER_EQUAL: OperatorRule(_ORDERED, lists=False, meaning=_ORDER_MEANING),
        Operator.IN: OperatorRule(
            _ALL,
            lists=True,
            meaning=(
                "the value equals (`=`) one of the listed; a list value: every element does; "
                "`in ()` is false for a single value"
            ),
        ),
        Operator.INTERSECTS: OperatorRule(
            _ALL, lists=True, meaning="as `in`; a list value: at least one element does"
        ),
        Operator.PMATCH: OperatorRule(
            _TEXT,
            lists=False,
            meaning=(
                "some listed path is a prefix of the value by whole components. Both are split at "
                "`/`, empty components are dropped; a listed component with `?`, `*` or `[` "
                "matches one component as `glob` does; a path without components matches "
                "everything, other paths never match the empty text"
            ),
        ),
        Operator.CONTAINS: OperatorRule(
            _TEXT | _BYTES,
            lists=False,
            meaning="the operand occurs in the value; empty always does",
        ),
        Operator.ICONTAINS: OperatorRule(
            _TEXT, lists=False, meaning="`contains` after folding A-Z to a-z on both sides"
        ),
        Operator.BCONTAINS: OperatorRule(
            _BYTES, lists=False, meaning="`contains` of the bytes written as hexadecimal digits"
        ),
        Operator.STARTSWITH: OperatorRule(
            _TEXT | _BYTES, lists=False, meaning="the value begins with the operand"
        ),
        Operator.BSTARTSWITH: OperatorRule(
            _BYTES, lists=False, meaning="`startswith` the bytes written as hexadecimal digits"
        ),
        Operator.ENDSWITH: OperatorRule(
            _TEXT | _BYTES, lists=False, meaning="the value ends with the operand"
        ),
        Operator.GLOB: OperatorRule(
            _TEXT,
            lists=False,
            meaning=(
                "POSIX fnmatch without flags on the whole value: `*` and `?` match slashes and a "
                "leading dot, sets `[..]` `[!..]` `[^..]` with classes, backslash escapes, an "
                "unclosed `[` is itself, braces mean nothing"
            ),
        ),
        Operator.IGLOB: OperatorRule(
            _TEXT, lists=False, meaning="`glob` after folding A-Z to a-z on both sides"
        ),
        Operator.REGEX: OperatorRule(
            _TEXT,
            lists=False,
            meaning="RE2 in POSIX syntax matches the whole value; a dot does not match a newline",
        ),
    }
)
"""The table that engines implement. Every check is false when the value is missing."""

_KIND_BY_TYPE: Mapping[FieldType, ValueKind] = MappingProxyType(
    {
        **dict.fromkeys(FieldType, ValueKind.NUMBER),
        FieldType.CHARBUF: ValueKind.TEXT,
        FieldType.BYTEBUF: ValueKind.BYTES,
        FieldType.BOOL: ValueKind.BOOL,
        FieldType.IPADDR: ValueKind.ADDRESS,
        FieldType.IPNET: ValueKind.NETWORK,
    }
)


def kind_of(field_type: FieldType) -> ValueKind:
    """Return how values of a field type behave under operators.

    Example:
        >>> kind_of(FieldType.PORT)
        <ValueKind.NUMBER: 'number'>
    """
    return _KIND_BY_TYPE[field_type]


def is_allowed(operator: Operator, kind: ValueKind, multiplicity: Multiplicity) -> bool:
    """Tell whether an operator may be applied to an operand of that kind."""
    rule = OPERATOR_RULES[operator]
    if multiplicity is Multiplicity.LIST:
        return rule.lists
    return kind in rule.kinds
