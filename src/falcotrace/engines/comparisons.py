"""Atoms with an operand on both sides, such as `proc.name = val(proc.pname)`.

In: an atom, and vectors of its two sides for the same rows. Out: one truth for each row; false
where either side has no value. Pairs of texts are compared once for each distinct pair.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from falcotrace.engines.addresses import parse_address
from falcotrace.engines.checks import spread
from falcotrace.engines.number_match import NUMBER_COMPARISONS
from falcotrace.engines.text_match import glob_matches
from falcotrace.engines.vectors import (
    MISSING,
    Bools,
    Integers,
    ListVector,
    NumberVector,
    Rows,
    TextVector,
    Vector,
    arrow_integers,
)
from falcotrace.events.operators import Operator, ValueKind, kind_of
from falcotrace.events.text import to_bytes
from falcotrace.rules.plan import Atom
from falcotrace.rules.transforms import fold_case

_BYTE_COMPARISONS: Mapping[Operator, Callable[[bytes, bytes], bool]] = MappingProxyType(
    {
        Operator.EQUAL: operator.eq,
        Operator.IN: operator.eq,
        Operator.INTERSECTS: operator.eq,
        Operator.NOT_EQUAL: operator.ne,
        Operator.LESS: operator.lt,
        Operator.LESS_EQUAL: operator.le,
        Operator.GREATER: operator.gt,
        Operator.GREATER_EQUAL: operator.ge,
        Operator.CONTAINS: operator.contains,
        Operator.STARTSWITH: bytes.startswith,
        Operator.ENDSWITH: bytes.endswith,
    }
)
_TEXT_COMPARISONS: Mapping[Operator, Callable[[str, str], bool]] = MappingProxyType(
    {
        Operator.ICONTAINS: lambda left, right: fold_case(right) in fold_case(left),
        Operator.GLOB: glob_matches,
        Operator.IGLOB: lambda left, right: glob_matches(fold_case(left), fold_case(right)),
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One atom with a right-hand operand, ready to be asked."""

    atom: Atom

    def rows(self, left: Vector, right: Vector) -> Bools:
        """The truth of the atom for each row."""
        if isinstance(right, ListVector):
            return self._with_list(left, right)
        return self._single(left, right)

    def _single(self, left: Vector, right: Vector) -> Bools:
        assert isinstance(right, TextVector | NumberVector)
        beside = right
        if isinstance(left, ListVector):
            lengths = np.diff(left.offsets)
            inside = np.repeat(np.arange(len(left)), lengths)
            beside = right.take(inside)
            # The elements of a list may be a part of a longer array.
            left = left.take(np.arange(len(left)))
        truth = spread(self.atom, left, lambda values: self._pairs(values, beside))
        return truth & right.present()

    def _with_list(self, left: Vector, right: ListVector) -> Bools:
        """`in` and `intersects` of a value or a list among the elements of another list."""
        assert isinstance(left, TextVector | NumberVector | ListVector)
        right = right.take(np.arange(len(right)))
        left = left.take(np.arange(len(left)))
        if isinstance(left, ListVector):
            rows_of_left = np.repeat(np.arange(len(left)), np.diff(left.offsets))
            values = left.elements
        else:
            rows_of_left, values = np.arange(len(left)), left
        found = self._among(values, rows_of_left, right)
        if not isinstance(left, ListVector):
            return found & left.present() & right.present()
        every = self.atom.operator is Operator.IN
        truth = left.every_element(found) if every else left.any_element(found)
        return truth & left.present() & right.present()

    def _among(self, values: TextVector | NumberVector, rows: Rows, among: ListVector) -> Bools:
        """For each value, whether the list of its row contains it."""
        lengths = np.diff(among.offsets)[rows]
        owners = np.repeat(np.arange(len(rows)), lengths)
        starts = np.repeat(among.offsets[:-1][rows], lengths)
        within = np.arange(len(owners)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        truth = self._pairs(values.take(owners), among.elements.take(starts + within))
        found = np.zeros(len(rows), np.bool_)
        found[owners[truth]] = True
        return found

    def _pairs(self, left: TextVector | NumberVector, right: TextVector | NumberVector) -> Bools:
        if isinstance(left, NumberVector) and isinstance(right, NumberVector):
            truth = NUMBER_COMPARISONS[self.atom.operator](left.values, right.values)
        elif isinstance(left, TextVector) and isinstance(right, TextVector):
            truth = self._text_pairs(left, right)
        else:
            # One side never has a value here: vectors without any are made of text.
            return np.zeros(len(left), np.bool_)
        present: Bools = truth & left.present() & right.present()
        return present

    def _text_pairs(self, left: TextVector, right: TextVector) -> Bools:
        width = len(right.domain) + 1
        pairs = left.codes.astype(np.int64) * width + right.codes
        pairs[(left.codes == MISSING) | (right.codes == MISSING)] = MISSING
        distinct, places = np.unique(pairs, return_inverse=True)
        lefts = _values(left, np.maximum(distinct, 0) // width)
        rights = _values(right, np.maximum(distinct, 0) % width)
        test = self._text_test()
        truth = [
            pair != MISSING and test(one.as_py(), other.as_py())
            for pair, one, other in zip(distinct, lefts, rights, strict=False)
        ]
        table = np.zeros(len(distinct), np.bool_)
        table[: len(truth)] = truth
        return table[places]

    def _text_test(self) -> Callable[[str, str], bool]:
        if kind_of(self.atom.left.type) in {ValueKind.ADDRESS, ValueKind.NETWORK}:
            equal = self.atom.operator is not Operator.NOT_EQUAL
            return lambda left, right: (parse_address(left) == parse_address(right)) is equal
        if self.atom.operator in _TEXT_COMPARISONS:
            return _TEXT_COMPARISONS[self.atom.operator]
        compare = _BYTE_COMPARISONS[self.atom.operator]
        return lambda left, right: compare(_raw(left), _raw(right))


def _values(vector: TextVector, codes: Integers) -> Iterable[pa.Scalar]:
    return vector.domain.values.take(arrow_integers(codes)) if len(vector.domain) else ()


def _raw(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else to_bytes(value)
