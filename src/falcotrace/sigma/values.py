"""What a Sigma rule says about a field: pySigma's values as a few plain kinds of tests.

In comes one value with its modifiers applied, out comes a test. Nothing else in FalcoTrace looks
into pySigma's values.

Source: the Sigma specification, "value modifiers"; pySigma 2.0 sigma/types.py.
"""

import dataclasses
import enum
import re
from collections.abc import Sequence

import re2
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from falcotrace.events.operators import Operator
from falcotrace.rules.transforms import fold_case


class Wildcard(enum.Enum):
    """`*` and `?`."""

    ANY = "*"
    ONE = "?"


@dataclasses.dataclass(frozen=True, slots=True)
class Pattern:
    """A text with wildcards; without any, the whole value.

    Args:
        parts: texts and wildcards in order; no two texts and no two `*` stand side by side.
        is_cased: whether upper and lower case differ.
    """

    parts: tuple[str | Wildcard, ...]
    is_cased: bool = False

    @property
    def literal(self) -> str | None:
        """The text, if there are no wildcards."""
        if not self.parts:
            return ""
        return self.parts[0] if len(self.parts) == 1 and isinstance(self.parts[0], str) else None

    @property
    def is_any(self) -> bool:
        """Whether every value matches."""
        return self.parts == (Wildcard.ANY,)

    def matches(self, text: str) -> bool:
        """Whether a text matches; upper and lower case only of ASCII."""
        fold = (lambda value: value) if self.is_cased else fold_case
        spelled = {Wildcard.ANY: ".*", Wildcard.ONE: "."}
        pattern = "".join(
            spelled[part] if isinstance(part, Wildcard) else re.escape(fold(part))
            for part in self.parts
        )
        return re.fullmatch(pattern, fold(text), re.DOTALL) is not None


@dataclasses.dataclass(frozen=True, slots=True)
class Expression:
    """A regular expression in RE2's Perl syntax that is looked for in the value."""

    pattern: str
    ignores_case: bool
    has_lines: bool
    dot_is_all: bool

    def matches(self, text: str) -> bool:
        """Whether it is found in a text."""
        flags = "i" * self.ignores_case + "m" * self.has_lines + "s" * self.dot_is_all
        return re2.search(f"(?{flags}){self.pattern}" if flags else self.pattern, text) is not None


@dataclasses.dataclass(frozen=True, slots=True)
class Network:
    """Addresses by their first bits, such as `10.0.0.0/8`."""

    cidr: str


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """A number that the value is below or above."""

    operator: Operator
    number: int


@dataclasses.dataclass(frozen=True, slots=True)
class Existence:
    """Whether there is a value."""

    exists: bool


@dataclasses.dataclass(frozen=True, slots=True)
class FieldEquality:
    """Another field's value, as the whole or at the ends of this one's."""

    field: str
    operator: Operator


@dataclasses.dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that cannot be asked for; the reason is a part of a sentence."""

    reason: str


Test = Pattern | Expression | Network | Comparison | Existence | FieldEquality | Unreadable

_COMPARISONS = {
    CompareOperators.LT: Operator.LESS,
    CompareOperators.LTE: Operator.LESS_EQUAL,
    CompareOperators.GT: Operator.GREATER,
    CompareOperators.GTE: Operator.GREATER_EQUAL,
    CompareOperators.NEQ: Operator.NOT_EQUAL,
}
_REFERENCES = {
    (False, False): Operator.EQUAL,
    (True, False): Operator.STARTSWITH,
    (False, True): Operator.ENDSWITH,
    (True, True): Operator.ICONTAINS,
}
_WILDCARDS = {SpecialChars.WILDCARD_MULTI: Wildcard.ANY, SpecialChars.WILDCARD_SINGLE: Wildcard.ONE}


def read_value(value: SigmaType) -> tuple[Test, ...]:
    """Read a value; several tests are alternatives.

    Example:
        >>> read_value(SigmaString("/tmp/*"))
        (Pattern(parts=('/tmp/', <Wildcard.ANY: '*'>), is_cased=False),)
    """
    if isinstance(value, SigmaExpansion):
        return tuple(test for each in value.values for test in read_value(each))
    return (_read_one(value),)


def _read_one(value: SigmaType) -> Test:
    match value:
        case SigmaString():
            return _read_text(value)
        case SigmaTimestampPart():
            return Unreadable("asks for a part of a time, which Falco's language cannot")
        case SigmaNumber():
            return Pattern((str(value.number),))
        case SigmaBool():
            return Pattern(("true" if value.boolean else "false",))
        case SigmaNull():
            return Existence(exists=False)
        case SigmaExists():
            return Existence(exists=value.exists)
        case SigmaRegularExpression():
            return _read_expression(value)
        case SigmaCIDRExpression():
            return Network(str(value.network))
        case SigmaCompareExpression():
            return _read_comparison(value)
        case SigmaFieldReference():
            return FieldEquality(value.field, _REFERENCES[value.starts_with, value.ends_with])
        case _:
            return Unreadable(f"has a value of the kind {type(value).__name__}")


def _read_text(value: SigmaString) -> Test:
    unfilled = _placeholder(value.s)
    if unfilled is not None:
        return unfilled
    parts: list[str | Wildcard] = []
    for part in value.s:
        if isinstance(part, str):
            parts.append(part)
        elif isinstance(part, SpecialChars):
            _append_wildcard(parts, _WILDCARDS[part])
    return Pattern(tuple(parts), isinstance(value, SigmaCasedString))


def _append_wildcard(parts: list[str | Wildcard], wildcard: Wildcard) -> None:
    if wildcard is not Wildcard.ANY or parts[-1:] != [Wildcard.ANY]:
        parts.append(wildcard)


def _placeholder(parts: Sequence[object]) -> Unreadable | None:
    for part in parts:
        if isinstance(part, Placeholder):
            return Unreadable(f"asks for the placeholder %{part.name}%, which has no value here")
    return None


def _read_expression(value: SigmaRegularExpression) -> Test:
    flags = value.flags
    return _placeholder(value.regexp.s) or Expression(
        str(value.regexp),
        ignores_case=SigmaRegularExpressionFlag.IGNORECASE in flags,
        has_lines=SigmaRegularExpressionFlag.MULTILINE in flags,
        dot_is_all=SigmaRegularExpressionFlag.DOTALL in flags,
    )


def _read_comparison(value: SigmaCompareExpression) -> Test:
    number = value.number.number
    if not isinstance(number, int):
        return Unreadable(f"is compared with {number}, and Falco compares whole numbers")
    return Comparison(_COMPARISONS[value.op], number)
