"""Which events a condition can be true for, judged from its checks of `evt.type` alone.

In comes a formula, out come the set of Falco's event codes and the names behind it. `and`
intersects, `or` unites, `not` is pushed to the leaves; any check of something else allows all
events. The set is an index and nothing more, but an event outside of it never triggers the rule,
even where the condition would be true: `not (evt.type = open)` leaves out every event named open.

Sets are bit masks: bit i of `codes` is the i-th row of the event table, bit i of `names` the i-th
name.

Source: libs 48dfd53c userspace/libsinsp/filter/ppm_codes.cpp.
"""

import dataclasses
import functools
from collections.abc import Mapping

from falcotrace.events.event_types import EVENT_TYPES, SYSCALLS
from falcotrace.events.operators import Operator
from falcotrace.rules.plan import AllOf, AnyOf, Atom, FieldOperand, Formula, NotOf
from falcotrace.rules.values import ASYNC_EVENT_NAMES, LITERAL_EVENT_NAMES

MANY_CODES = 100
"""Beyond this many codes Falco warns that a rule looks at too many events."""

_NAMES = tuple(sorted(LITERAL_EVENT_NAMES))
_ALL_CODES = (1 << len(EVENT_TYPES)) - 1
_ALL_NAMES = (1 << len(_NAMES)) - 1


@dataclasses.dataclass(frozen=True, slots=True)
class EventSet:
    """The events that a rule is tried on.

    Args:
        codes: a bit for each row of the event table, without the asynchronous event that is always
            added.
        names: the names that `evt.type` can have; None if that is every name.
    """

    codes: int
    names: frozenset[str] | None

    @property
    def code_count(self) -> int:
        """How many event codes these are."""
        return self.codes.bit_count()


@dataclasses.dataclass(frozen=True, slots=True)
class _Masks:
    """Events for which something can be true; two independent bounds on the same thing."""

    codes: int
    names: int


_EVERYTHING = _Masks(_ALL_CODES, _ALL_NAMES)
_NOTHING = _Masks(0, 0)


def find_events(formula: Formula) -> EventSet:
    """Return the events that a formula can be true for.

    Example:
        >>> from falcotrace.rules.load import parse_formula
        >>> sorted(find_events(parse_formula("evt.type in (open, creat)")).names)
        ['creat', 'open']
    """
    return _describe(_find(formula))


@functools.cache
def _describe(masks: _Masks) -> EventSet:
    if masks == _EVERYTHING:
        return EventSet(masks.codes, None)
    names = masks.names & (_names_of_codes(masks.codes) | _mask_of_names(ASYNC_EVENT_NAMES))
    found = frozenset(name for index, name in enumerate(_NAMES) if names >> index & 1)
    return EventSet(masks.codes, found)


def _find(formula: Formula) -> _Masks:
    """Evaluate bottom up, each node both as it is and negated, without recursion."""
    done: dict[int, tuple[_Masks, _Masks]] = {}
    pending: list[tuple[Formula, bool]] = [(formula, False)]
    while pending:
        node, children_done = pending.pop()
        if id(node) in done:
            continue
        if isinstance(node, Atom):
            done[id(node)] = _of_atom(node)
        elif not children_done:
            pending.append((node, True))
            children = (node.child,) if isinstance(node, NotOf) else node.children
            pending += [(child, False) for child in children]
        else:
            done[id(node)] = _of_group(node, done)
    return done[id(formula)][0]


def _of_group(
    node: AllOf | AnyOf | NotOf, done: Mapping[int, tuple[_Masks, _Masks]]
) -> tuple[_Masks, _Masks]:
    if isinstance(node, NotOf):
        positive, negative = done[id(node.child)]
        return negative, positive
    parts = [done[id(child)] for child in node.children]
    positives = [positive for positive, _ in parts]
    negatives = [negative for _, negative in parts]
    if isinstance(node, AllOf):
        return _intersect(positives), _unite(negatives)
    return _unite(positives), _intersect(negatives)


def _intersect(parts: list[_Masks]) -> _Masks:
    codes, names = _ALL_CODES, _ALL_NAMES
    for part in parts:
        codes &= part.codes
        names &= part.names
    return _Masks(codes, names)


def _unite(parts: list[_Masks]) -> _Masks:
    codes = names = 0
    for part in parts:
        codes |= part.codes
        names |= part.names
    return _Masks(codes, names)


def _of_atom(atom: Atom) -> tuple[_Masks, _Masks]:
    """The events for which an atom can be true, and those for which it can be false."""
    everything = (_EVERYTHING, _EVERYTHING)
    if not isinstance(atom.left, FieldOperand) or atom.right is not None or atom.quantifier:
        return everything
    if atom.left.field.name == "evt.num":
        return _of_number(atom)
    if atom.left.field.name not in {"evt.type", "syscall.type"}:
        return everything
    literals = frozenset(str(value) for value in atom.values)
    codes = functools.reduce(int.__or__, (_codes_of_name(name) for name in literals), 0)
    found = _Masks(codes, _mask_of_names(literals))
    others = _Masks(_ALL_CODES & ~found.codes, _ALL_NAMES & ~found.names)
    if atom.operator in {Operator.EQUAL, Operator.IN}:
        return found, others
    if atom.operator is Operator.NOT_EQUAL:
        return others, found
    return everything


def _of_number(atom: Atom) -> tuple[_Masks, _Masks]:
    """`evt.num` is 1 or more: some comparisons always hold, some never do."""
    value = atom.values[0] if len(atom.values) == 1 else None
    if not isinstance(value, int):
        return _EVERYTHING, _EVERYTHING
    never = {
        Operator.EQUAL: value < 1,
        Operator.LESS: value <= 1,
        Operator.LESS_EQUAL: value < 1,
    }
    always = {
        Operator.NOT_EQUAL: value < 1,
        Operator.GREATER: value < 1,
        Operator.GREATER_EQUAL: value <= 1,
    }
    if never.get(atom.operator, False):
        return _NOTHING, _EVERYTHING
    if always.get(atom.operator, False):
        return _EVERYTHING, _NOTHING
    return _EVERYTHING, _EVERYTHING


@functools.cache
def _codes_by_name() -> Mapping[str, int]:
    codes: dict[str, int] = {}
    for index, event in enumerate(EVENT_TYPES):
        if event.constant not in {"GENERIC_E", "GENERIC_X"}:
            codes[event.name] = codes.get(event.name, 0) | 1 << index
    return codes


@functools.cache
def _generic_codes() -> int:
    generic = (e.constant in {"GENERIC_E", "GENERIC_X"} for e in EVENT_TYPES)
    return sum(1 << index for index, is_generic in enumerate(generic) if is_generic)


@functools.cache
def _codes_of_name(name: str) -> int:
    """All codes of an event; the generic codes for a system call without an event of its own."""
    own = _codes_by_name().get(name)
    if own is not None:
        return own
    return _generic_codes() if name in {call.name for call in SYSCALLS} else 0


@functools.cache
def _mask_of_names(names: frozenset[str]) -> int:
    return sum(1 << index for index, name in enumerate(_NAMES) if name in names)


def _names_of_codes(codes: int) -> int:
    names = {event.name for index, event in enumerate(EVENT_TYPES) if codes >> index & 1}
    if codes & _generic_codes():
        names |= {call.name for call in SYSCALLS} - _codes_by_name().keys()
    return _mask_of_names(frozenset(names))
