"""Divides conditions into what a process state decides and what each event decides.

In: formulas. Out: for each rule a gate, which holds for every process state of an event that the
rule matches, and a condition of the event in which parts that speak only of the process are named
bits. A state is asked once, however many events it has.
"""

from dataclasses import dataclass, field

from sqlglot import exp

from falcotrace.engines.field_columns import is_process_operand
from falcotrace.engines.sql import build
from falcotrace.engines.sql.atoms import atom_sql
from falcotrace.engines.sql.condition import grouped, negate, unite_equalities
from falcotrace.engines.sql.context import Context
from falcotrace.rules.plan import AllOf, AnyOf, Atom, Formula, NotOf, fold_formula

Bound = Formula | bool
"""A formula over process states, or always, or never."""


@dataclass(slots=True)
class ProcessBits:
    """Formulas over process states, each with a place; equal ones share it."""

    places: dict[Formula, int] = field(default_factory=dict)

    def place_of(self, formula: Formula) -> int:
        """The bit of a formula."""
        return self.places.setdefault(formula, len(self.places))


def is_process_atom(atom: Atom) -> bool:
    """Whether a check depends on nothing but the state of the process."""
    return is_process_operand(atom.left) and (atom.right is None or is_process_operand(atom.right))


def gate_of(formula: Formula) -> Bound:
    """The strongest condition on process states that a formula implies.

    Example:
        `evt.type = open and proc.name = cat` gives `proc.name = cat`.
    """
    upper, _ = fold_formula(
        formula,
        atom=lambda atom: (atom, atom) if is_process_atom(atom) else (True, False),
        all_of=lambda parts: (_all([up for up, _ in parts]), _all([low for _, low in parts])),
        any_of=lambda parts: (_any([up for up, _ in parts]), _any([low for _, low in parts])),
        not_of=lambda part: (_not(part[1]), _not(part[0])),
    )
    return upper


def _all(parts: list[Bound]) -> Bound:
    if any(part is False for part in parts):
        return False
    left = dict.fromkeys(part for part in parts if not isinstance(part, bool))
    return AllOf(tuple(left)) if len(left) > 1 else next(iter(left), True)


def _any(parts: list[Bound]) -> Bound:
    if any(part is True for part in parts):
        return True
    left = dict.fromkeys(part for part in parts if not isinstance(part, bool))
    return AnyOf(tuple(left)) if len(left) > 1 else next(iter(left), False)


def _not(part: Bound) -> Bound:
    if isinstance(part, bool):
        return not part
    return part.child if isinstance(part, NotOf) else NotOf(part)


def event_sql(formula: Formula, context: Context, bits: ProcessBits) -> exp.Expr:
    """What is left to ask of an event whose process state passed the gate; NULL counts as false.

    Raises:
        UnsupportedError: SQL cannot express a check of the event.
    """
    united = unite_equalities(formula)
    parts = united.children if isinstance(united, AllOf) else (united,)
    pieces = [_fold(part, context, bits) for part in parts]
    return build.all_of([piece for piece in pieces if isinstance(piece, exp.Expr)])


_Piece = Formula | exp.Expr
"""A part that speaks only of the process, or the SQL of one that does not."""


def _fold(formula: Formula, context: Context, bits: ProcessBits) -> _Piece:
    def lowered(pieces: list[_Piece], kind: type[AllOf] | type[AnyOf]) -> list[exp.Expr]:
        states = [piece for piece in pieces if not isinstance(piece, exp.Expr)]
        events = [piece for piece in pieces if isinstance(piece, exp.Expr)]
        # The bit comes first: it is cheapest.
        return [*([_known_sql(bits.place_of(grouped(kind, states)))] if states else []), *events]

    def joined(pieces: list[_Piece], kind: type[AllOf] | type[AnyOf]) -> _Piece:
        states = [piece for piece in pieces if not isinstance(piece, exp.Expr)]
        if len(states) == len(pieces):
            return grouped(kind, states)
        connect = build.all_of if kind is AllOf else build.any_of
        return connect(lowered(pieces, kind))

    def negated(piece: _Piece) -> _Piece:
        if isinstance(piece, exp.Expr):
            return negate(piece)
        return piece.child if isinstance(piece, NotOf) else NotOf(piece)

    def checked(atom: Atom) -> _Piece:
        return atom if is_process_atom(atom) else atom_sql(atom, context)

    return fold_formula(
        formula,
        atom=checked,
        all_of=lambda pieces: joined(pieces, AllOf),
        any_of=lambda pieces: joined(pieces, AnyOf),
        not_of=negated,
    )


def _known_sql(place: int) -> exp.Expr:
    """The truth of a formula over the event's process state, which `gates` knows."""
    word, bit = divmod(place, WORD_BITS)
    return bit_sql(word_sql("gates.b", word), bit)


WORD_BITS = 62
"""Bits of a BIGINT that are used: all are positive, on every engine."""


def word_sql(prefix: str, word: int) -> exp.Expr:
    """A number with bits: `gates.b0` for the prefix `gates.b`."""
    table, name = prefix.split(".")
    return exp.column(f"{name}{word}", table)


def bit_sql(word: exp.Expr, bit: int) -> exp.Expr:
    """Whether a bit of a number is set."""
    masked = exp.BitwiseAnd(this=word, expression=build.number(1 << bit))
    return exp.NEQ(this=exp.Paren(this=masked), expression=build.number(0))
