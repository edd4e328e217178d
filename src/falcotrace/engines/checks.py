"""Atoms of a plan as functions of vectors: the table of operators, implemented over columns.

In: an atom, and vectors of its left side and, where it has one, of its right side. Out: one truth
for each row; false where a value is missing. Where vectors come from is not known here.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.engines.addresses import match_addresses, match_networks
from falcotrace.engines.literals import Literals, asks_for_texts
from falcotrace.engines.number_match import combine, match_numbers
from falcotrace.engines.pmatch import match_prefixes
from falcotrace.engines.text_match import BYTE_MATCHES, TEXT_MATCHES
from falcotrace.engines.vectors import (
    Bools,
    Domain,
    EndsVector,
    ListVector,
    NumberVector,
    TextVector,
    Vector,
    arrow_bytes,
    arrow_texts,
    bools_of,
)
from falcotrace.events.operators import Multiplicity, Operator, ValueKind, kind_of
from falcotrace.events.text import to_bytes
from falcotrace.rules.plan import Atom, FieldOperand, Value

_NANOSECONDS_PER_MS = 1_000_000

_ASKS_EVERY = frozenset(
    {(Multiplicity.LIST, Operator.IN), (Multiplicity.ANY_NAME, Operator.NOT_EQUAL)}
)
"""Checks that ask every element of a list; others ask for one."""


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """One atom without right-hand operand, ready to be asked.

    Args:
        atom: what is asked.
        literals: the index of the plan's texts.
        wanted: for equalities of text, truth by number in that index; None for other operators.
    """

    atom: Atom
    literals: Literals
    wanted: Bools | None

    def rows(self, vector: Vector) -> Bools:
        """The truth of the atom for each row of its left side."""
        if self.atom.operator is Operator.EXISTS:
            return vector.present()
        return spread(self.atom, vector, self._values)

    def _values(self, vector: TextVector | NumberVector) -> Bools:
        if isinstance(vector, NumberVector):
            truth = match_numbers(self.atom, vector.values)
            return truth if vector.valid is None else truth & vector.valid
        domain = vector.domain
        if vector.is_sparse and not domain.holds(self):
            vector = vector.compact()
            domain = vector.domain
        return domain.table(self, self._distinct).take(vector.codes)

    def _distinct(self, domain: Domain) -> Bools:
        """Truth of each distinct value, and false for the missing one behind them."""
        if self.wanted is not None:
            truth = self.wanted.take(self.literals.numbers(domain))
            truth = ~truth if self.atom.operator is Operator.NOT_EQUAL else truth
        else:
            truth = match_values(self.atom, domain.values)
        return np.append(truth, np.False_)


def make_check(atom: Atom, literals: Literals) -> Check:
    """Prepare an atom whose texts `literals` knows."""
    if isinstance(atom.left, FieldOperand) and atom.left.field.name == "evt.around":
        # The field is the distance to its argument, in ns; the literal is in ms.
        (distance_ms,) = atom.values
        assert isinstance(distance_ms, int)
        limit = (distance_ms * _NANOSECONDS_PER_MS,)
        atom = dataclasses.replace(atom, operator=Operator.LESS_EQUAL, values=limit)
    return Check(atom, literals, literals.wanted(atom) if asks_for_texts(atom) else None)


def spread(
    atom: Atom, vector: Vector, values: Callable[[TextVector | NumberVector], Bools]
) -> Bools:
    """Apply a truth of single values to lists and to both ends, as `Multiplicity` says."""
    match vector:
        case EndsVector(left=left, right=right):
            of_left, of_right = values(left), values(right)
            if atom.operator is not Operator.NOT_EQUAL:
                return of_left | of_right
            has_left, has_right = left.present(), right.present()
            return (has_left | has_right) & (of_left | ~has_left) & (of_right | ~has_right)
        case ListVector():
            truth = values(vector.elements)
            every = (atom.left.multiplicity, atom.operator) in _ASKS_EVERY
            found = vector.every_element(truth) if every else vector.any_element(truth)
            return found & vector.present()
        case _:
            return values(vector)


def match_values(atom: Atom, values: pa.Array) -> Bools:
    """Truth of an atom without right-hand operand for distinct texts, bytes or addresses."""
    if atom.quantifier is not None:
        # DIFFERS: of fields that stand for several values, libs 48dfd53c tests the first literal
        # only; here a quantifier means the same for every field.
        truths = [_match_one(atom, literal, values) for literal in atom.values]
        return combine(atom.quantifier, truths, len(values))
    if atom.operator is Operator.PMATCH:
        return match_prefixes(values, [str(literal) for literal in atom.values])
    if atom.operator in {Operator.IN, Operator.INTERSECTS}:
        return _match_any(atom, atom.values, values)
    return _match_one(atom, atom.values[0], values)


def _match_one(atom: Atom, literal: Value, values: pa.Array) -> Bools:
    if atom.operator is Operator.EQUAL:
        return _match_any(atom, (literal,), values)
    if atom.operator is Operator.NOT_EQUAL:
        return ~_match_any(atom, (literal,), values)
    if pa.types.is_binary(values.type):
        return BYTE_MATCHES[atom.operator](values, _as_bytes(literal))
    # The literal of an ordering is a number; the value is text, and so is the comparison.
    return TEXT_MATCHES[atom.operator](values, str(literal))


def _match_any(atom: Atom, literals: tuple[Value, ...], values: pa.Array) -> Bools:
    kind = kind_of(atom.left.type)
    if kind is ValueKind.NETWORK:
        return match_networks(
            values, [item for item in literals if isinstance(item, IPv4Network | IPv6Network)]
        )
    if kind is ValueKind.ADDRESS:
        return match_addresses(values, literals)
    raw = pa.types.is_binary(values.type)
    texts = arrow_bytes(map(_as_bytes, literals)) if raw else arrow_texts(map(str, literals))
    return bools_of(pc.is_in(values, value_set=texts))


def _as_bytes(literal: Value) -> bytes:
    return literal if isinstance(literal, bytes) else to_bytes(str(literal))
