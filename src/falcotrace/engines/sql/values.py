"""What an operand is in SQL: one value, a list, ancestors, names, or both ends of a connection.

These are shapes only; `operands` makes them and `atoms` asks them.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sqlglot import exp

from falcotrace.events.operators import Multiplicity, ValueKind


@dataclass(frozen=True, slots=True)
class Choice:
    """One text that a value can have, and the condition under which it does."""

    condition: exp.Expr
    text: str


@dataclass(frozen=True, slots=True)
class PrintedNumber:
    """The number behind a text, and the numbers that print as a given text."""

    expression: exp.Expr
    numbers_of: Callable[[str], Collection[int]]


@dataclass(frozen=True, slots=True)
class StandIn:
    """What a text is without its texts for a missing value.

    Args:
        stored: the value, NULL where it is missing.
        texts: what may stand in for it.
        condition: whether something does, where the value is missing; never NULL.
    """

    stored: "Scalar"
    texts: frozenset[str]
    condition: exp.Expr


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value.

    Args:
        expression: the value; NULL where it is missing.
        kind: how it behaves under operators.
        is_required: it is never NULL.
        packed: of an address, the same as bytes.
        printed: of a text that is a printed number, which numbers print as which text.
        equals: of a text that is computed, how to ask for one of some texts without computing it.
        choices: of a text with few values, when it has which; at most one condition holds.
        null_is_false: of a truth, NULL means false and not missing.
        stand_in: of a text that shows missing values, the value without that.
    """

    expression: exp.Expr
    kind: ValueKind
    is_required: bool = False
    packed: exp.Expr | None = None
    printed: PrintedNumber | None = None
    equals: Callable[[Sequence[str]], exp.Expr] | None = None
    choices: Sequence[Choice] | None = None
    null_is_false: bool = False
    stand_in: StandIn | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """A list; `multiplicity` says how a check of it asks its elements."""

    expression: exp.Expr
    kind: ValueKind
    multiplicity: Multiplicity


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends of a connection; `is_known` tells whether there is a descriptor at all."""

    left: Scalar
    right: Scalar
    is_known: exp.Expr


@dataclass(frozen=True, slots=True)
class Missing:
    """Never a value; `reason` is for people."""

    reason: str


SqlOperand = Scalar | Items | Ends | Missing
"""What checks ask."""

ValueTest = Callable[[Scalar], exp.Expr]
"""A check of one value; NULL or false where the value is missing."""
