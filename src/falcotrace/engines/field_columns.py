"""Which columns of a capture answer a field, and whether its value belongs to the process.

In: an operand of a plan. Out: column paths. No values here.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from falcotrace.events.columns import COLUMNS, Scope
from falcotrace.events.derived import STANDARD_STREAMS, derived_inputs
from falcotrace.events.fields import Field, Storage, column_path
from falcotrace.rules.plan import FieldOperand, Operand, iter_fields

DESCRIPTOR_COLUMN = "fd.type"
"""Has a value where the event has a descriptor that is known."""

OWN_COLUMN: Mapping[str, str] = MappingProxyType(
    {
        "proc.aname": "proc.name",
        "proc.aexe": "proc.exe",
        "proc.aexepath": "proc.exepath",
        "proc.acmdline": "proc.cmdline",
        "proc.apid": "proc.pid",
    }
)
"""Ancestor 0 is the process itself; the lists begin with the parent."""


def columns_of(operand: FieldOperand) -> tuple[str, ...]:
    """The columns that a field is answered from; none for constants and unsupported fields.

    Example:
        >>> from falcotrace.rules.field_reference import find_field
        >>> columns_of(find_field("fd.directory", None))
        ('fd.name', 'fd.type')
    """
    return _columns(operand.field, operand.argument)


def is_unsupported(operand: FieldOperand) -> bool:
    """Whether a capture cannot answer the field, though Falco could."""
    if operand.field.name == "fd.types" and isinstance(operand.argument, int):
        # Which descriptors a process has is known of the standard streams alone.
        return operand.argument >= len(STANDARD_STREAMS)
    return operand.field.storage is Storage.UNSUPPORTED


def is_process_operand(operand: Operand) -> bool:
    """Whether the value depends on nothing but the state of the process."""
    paths = [path for field in iter_fields(operand) for path in columns_of(field)]
    return bool(paths) and all(COLUMNS[path].scope is Scope.PROCESS for path in paths)


@cache
def _columns(field: Field, argument: str | int | None) -> tuple[str, ...]:
    match field.storage:
        case Storage.COLUMN if argument is None:
            return (field.path,)
        case Storage.COLUMN if field.name in OWN_COLUMN:
            return (OWN_COLUMN[field.name] if argument == 0 else field.path,)
        case Storage.SAME:
            return (column_path(field.source),)
        case Storage.BOTH_ENDS:
            return (*field.source.split(","), DESCRIPTOR_COLUMN)
        case Storage.DERIVED:
            return derived_inputs(field.source, argument)
        case _:
            return ()
