"""Numbers and booleans against listed numbers, and against each other.

Literals were converted to the field's type by the checker; one that a column's type cannot hold
equals nothing there but still has an order.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from falcotrace.engines.vectors import Bools, Numbers
from falcotrace.events.operators import Operator, Quantifier
from falcotrace.rules.plan import Atom

_FEW = 8
"""Up to so many literals, comparing with each beats a search."""

NUMBER_COMPARISONS: Mapping[Operator, np.ufunc] = MappingProxyType(
    {
        Operator.EQUAL: np.equal,
        Operator.IN: np.equal,
        Operator.INTERSECTS: np.equal,
        Operator.NOT_EQUAL: np.not_equal,
        Operator.LESS: np.less,
        Operator.LESS_EQUAL: np.less_equal,
        Operator.GREATER: np.greater,
        Operator.GREATER_EQUAL: np.greater_equal,
    }
)
"""Elementwise; the right side is one number, or an array as long as the left."""


def match_numbers(atom: Atom, values: Numbers) -> Bools:
    """Truth of an atom without right-hand operand for each number."""
    literals = [_number(value) for value in atom.values]
    if atom.quantifier is not None:
        return combine(
            atom.quantifier,
            [NUMBER_COMPARISONS[atom.operator](values, literal) for literal in literals],
            len(values),
        )
    if atom.operator in {Operator.IN, Operator.INTERSECTS}:
        return _is_among(values, literals)
    truth: Bools = NUMBER_COMPARISONS[atom.operator](values, literals[0])
    return truth


def combine(quantifier: Quantifier, truths: Sequence[Bools], rows: int) -> Bools:
    """Combine the truths of one operator with each of several literals; none of none is true."""
    if not truths:
        return np.zeros(rows, np.bool_)
    if quantifier is Quantifier.ANY_OF:
        any_of: Bools = np.logical_or.reduce(truths)
        return any_of
    if quantifier is Quantifier.ALL_OF:
        all_of: Bools = np.logical_and.reduce(truths)
        return all_of
    one_of: Bools = np.add.reduce(truths, dtype=np.int32) == 1
    return one_of


def _is_among(values: Numbers, literals: Sequence[int | float]) -> Bools:
    truth = np.zeros(len(values), np.bool_)
    if len(literals) <= _FEW:
        for literal in literals:
            truth |= values == literal
        return truth
    if values.dtype.kind in "iu":
        limits = np.iinfo(values.dtype.name)
        literals = [literal for literal in literals if limits.min <= literal <= limits.max]
    found: Bools = np.isin(values, np.array(literals, values.dtype))
    return found


def _number(value: object) -> int | float:
    if isinstance(value, int | float):
        return value
    # The literal of an argument whose type differs from event to event (evt.rawarg).
    try:
        return int(str(value))
    except ValueError:
        return float("nan")
