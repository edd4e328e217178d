"""Values of fields as outputs print them, and as JSON has them.

In: an operand of a template and its vector for some rows. Out: one text, or one typed value, for
each row; None where the event has no value.

Source: libs 48dfd53c userspace/libsinsp/sinsp_filtercheck.cpp, rawval_to_string, rawval_to_json.
"""

from collections.abc import Sequence

import pyarrow as pa

from falcotrace.alerts import FieldValue
from falcotrace.engines.derived_arguments import printable
from falcotrace.engines.transforms import list_texts, text_list
from falcotrace.engines.vectors import EndsVector, ListVector, NumberVector, TextVector, Vector
from falcotrace.events.fields import FieldType
from falcotrace.events.numbers import format_number
from falcotrace.events.operators import Multiplicity
from falcotrace.rules.plan import FieldOperand, Operand

_PLAIN_FORMATS = frozenset({"", "DEC", "ID"})


def printed_texts(operand: Operand, vector: Vector) -> list[str | None]:
    """The printed form of each row's value."""
    match vector:
        case ListVector() if operand.multiplicity is Multiplicity.ANY_NAME:
            return printed_texts(operand, vector.element(0))
        case TextVector():
            return _texts(vector)
        case NumberVector():
            return [None if x is None else _number_text(operand, x) for x in _numbers(vector)]
        case ListVector():
            lists = list_texts(vector)
            if operand.multiplicity is Multiplicity.LIST:
                return [None if x is None else f"({','.join(x)})" for x in lists]
            return [None if x is None else " ".join(x) for x in lists]
        case EndsVector(left=left):
            return printed_texts(operand, left)


def json_values(
    operand: Operand, vector: Vector, texts: Sequence[str | None] | None = None
) -> Sequence[FieldValue]:
    """The typed value of each row; numbers that are printed in a special form stay texts.

    Args:
        operand: what is printed.
        vector: its values.
        texts: what `printed_texts` has made of them, if it was asked already.
    """
    if isinstance(vector, NumberVector) and is_plain_number(operand):
        return _numbers(vector)
    return printed_texts(operand, vector) if texts is None else texts


def is_plain_number(operand: Operand) -> bool:
    """Whether numbers of an operand are printed as decimals without padding."""
    return _format(operand) in _PLAIN_FORMATS


def _format(operand: Operand) -> str:
    return operand.field.print_format if isinstance(operand, FieldOperand) else "DEC"


def _numbers(vector: NumberVector) -> list[int | float | bool | None]:
    present = vector.present().tolist()
    values = vector.values.tolist()
    return [value if there else None for value, there in zip(values, present, strict=True)]


def _texts(vector: TextVector) -> list[str | None]:
    if pa.types.is_binary(vector.domain.values.type):
        small = vector.compact()
        values = [*map(printable, small.domain.values.to_pylist()), None]
        return [values[code] for code in small.codes]
    return text_list(vector.compact())


def _number_text(operand: Operand, value: float | bool) -> str:  # noqa: FBT001 - one of a column
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}" if operand.type is not FieldType.DOUBLE else f"{value:g}"
    form = _format(operand)
    if form == "10_PADDED_DEC":
        return f"{value:09d}"
    return format_number(value, form) if form in {"HEX", "OCT"} else str(value)
