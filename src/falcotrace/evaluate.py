"""Ask one condition about events written down as Python mappings.

For trying conditions out and for tests: `evaluate` runs the same parser, checker and columnar
engine as a scan, over values instead of columns.
"""

from collections.abc import Mapping, Sequence
from typing import assert_never

import numpy as np
import pyarrow as pa

from falcotrace.engines.formula import FormulaCompiler
from falcotrace.engines.literals import Literals
from falcotrace.engines.row_set import RowSet
from falcotrace.engines.vectors import (
    EndsVector,
    ListVector,
    NumberVector,
    Rows,
    TextVector,
    Vector,
    encoded_vector,
    text_vector,
)
from falcotrace.events.operators import Multiplicity, ValueKind, kind_of
from falcotrace.events.text import to_bytes, to_text
from falcotrace.rules.load import parse_formula
from falcotrace.rules.plan import FieldOperand, iter_atoms

Event = Mapping[str, object]


def evaluate(condition: str, events: Sequence[Event]) -> list[bool]:
    """Tell which events a condition holds for.

    Args:
        condition: as in a rule, without macros and lists.
        events: for each event the values of fields by their text: text as `str` (or as `bytes`
            where it is not UTF-8), numbers as `int`, addresses as text, and lists of those for
            `fd.types`, for all ancestors (`proc.aname`), for names of addresses (`fd.sip.name`) and
            for both ends (`fd.ip`). A field that is left out or None has no value.

    Raises:
        RulesError: the condition cannot be used.
        TypeError: a value of an event has the wrong type.

    Example:
        >>> evaluate("proc.name in (cat, vi) and fd.num > 2", [{"proc.name": "vi", "fd.num": 3}])
        [True]
    """
    formula = parse_formula(condition)
    literals = Literals(iter_atoms(formula))
    node = FormulaCompiler(literals, is_process=lambda _: False).compile(formula)
    rows = np.arange(len(events))
    truth: list[bool] = RowSet(_Events(events), rows).truth(node, None).tolist()
    return truth


class _Events:
    """Python values as a source of vectors."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events

    def field(self, operand: FieldOperand, rows: Rows) -> Vector:
        """The values of a field for some events."""
        values = [self._events[row].get(operand.text) for row in rows]
        if operand.field.name == "evt.around":
            assert isinstance(operand.argument, int)
            times = [self._events[row].get("evt.rawtime") for row in rows]
            values = [
                abs(time - operand.argument) if isinstance(time, int) else None for time in times
            ]
        match operand.multiplicity:
            case Multiplicity.SINGLE:
                return _values(operand, values)
            case Multiplicity.LIST | Multiplicity.ANY_ANCESTOR | Multiplicity.ANY_NAME:
                return _lists(operand, values)
            case Multiplicity.BOTH_ENDS:
                return _ends(operand, values)
            case _:
                assert_never(operand.multiplicity)


def _values(operand: FieldOperand, values: Sequence[object]) -> TextVector | NumberVector:
    kind = kind_of(operand.type)
    if kind in {ValueKind.NUMBER, ValueKind.BOOL}:
        return _numbers(operand, values)
    if kind is ValueKind.BYTES:
        raw = pa.array([_as_bytes(operand, value) for value in values], pa.binary())
        return encoded_vector(raw)
    return text_vector([_as_text(operand, value) for value in values])


def _numbers(operand: FieldOperand, values: Sequence[object]) -> NumberVector:
    for value in values:
        if value is not None and not isinstance(value, int | float):
            raise TypeError(f"{operand.text} is a number, not {value!r}")
    present = [value is not None for value in values]
    plain = np.array([0 if value is None else value for value in values])
    return NumberVector(plain, np.array(present, np.bool_))


def _as_text(operand: FieldOperand, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return None if value is None else to_text(value.encode(errors="surrogateescape"))
    if isinstance(value, bytes):
        return to_text(value)
    raise TypeError(f"{operand.text} is a text, not {value!r}")


def _as_bytes(operand: FieldOperand, value: object) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return to_bytes(value)
    raise TypeError(f"{operand.text} is a buffer, not {value!r}")


def _items(operand: FieldOperand, value: object) -> list[object]:
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return list(value)
    raise TypeError(f"{operand.text} stands for several values; expected a list, not {value!r}")


def _lists(operand: FieldOperand, values: Sequence[object]) -> ListVector:
    lists = [_items(operand, value) for value in values]
    offsets = np.zeros(len(lists) + 1, np.int64)
    np.cumsum([len(items) for items in lists], out=offsets[1:])
    elements = _values(operand, [item for items in lists for item in items])
    present = np.array([value is not None for value in values], np.bool_)
    return ListVector(elements, offsets, present)


def _ends(operand: FieldOperand, values: Sequence[object]) -> EndsVector:
    pairs = [[*_items(operand, value), None, None][:2] for value in values]
    left, right = (_values(operand, [pair[side] for pair in pairs]) for side in (0, 1))
    known = np.array([value is not None for value in values], np.bool_)
    return EndsVector(left, right, known)
