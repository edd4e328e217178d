"""All texts that the equalities of a plan ask for, looked up at once.

A plan of a hundred rules has thousands of texts behind `=`, `!=`, `in` and `intersects`. One hash
look-up says for each distinct value which of them it is; every check is then a small table.
"""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.engines.vectors import Bools, Codes, Domain, arrow_bytes, arrow_texts, codes_of
from falcotrace.events.operators import Operator
from falcotrace.events.text import to_bytes, to_text
from falcotrace.rules.plan import Atom

_EQUALITIES = frozenset({Operator.EQUAL, Operator.NOT_EQUAL, Operator.IN, Operator.INTERSECTS})


class Literals:
    """The index of a plan's texts.

    Args:
        atoms: every atom of the plan.
    """

    def __init__(self, atoms: Iterable[Atom]) -> None:
        self._numbers: dict[str, int] = {}
        for atom in atoms:
            if asks_for_texts(atom):
                for value in atom.values:
                    self._numbers.setdefault(_as_text(value), len(self._numbers))

    def wanted(self, atom: Atom) -> Bools:
        """Truth of an equality by literal number; false behind them, for values that are none."""
        truth = np.zeros(len(self._numbers) + 1, np.bool_)
        truth[[self._numbers[_as_text(value)] for value in atom.values]] = True
        return truth

    def numbers(self, domain: Domain) -> Codes:
        """For each distinct value the number of the literal that it equals, or -1."""
        return domain.table(self, self._look_up)

    def _look_up(self, domain: Domain) -> Codes:
        literals = self._bytes if pa.types.is_binary(domain.values.type) else self._texts
        return codes_of(pc.index_in(domain.values, value_set=literals))

    @cached_property
    def _texts(self) -> pa.Array:
        return arrow_texts(self._numbers)

    @cached_property
    def _bytes(self) -> pa.Array:
        return arrow_bytes(map(to_bytes, self._numbers))


def asks_for_texts(atom: Atom) -> bool:
    """Whether an atom compares texts (or bytes) for equality with listed ones."""
    return (
        atom.operator in _EQUALITIES
        and atom.quantifier is None
        and atom.right is None
        and all(isinstance(value, str | bytes) for value in atom.values)
    )


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        return to_text(value)
    assert isinstance(value, str)
    return value
