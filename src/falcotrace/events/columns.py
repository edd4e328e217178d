"""The columns of a capture: one table from which schema, documentation and readers are made.

Arguments of events are columns too: `evt.arg.NAME` holds an argument in its natural form, text for
paths, flags, modes, enumerations and tuples (as conditions see it), and a plain number where every
event that has an argument of that name has a plain number in one format. `evt.rawarg.NAME` exists
where there is a number behind a text, and for paths (the path as given, where that differs from the
absolute one).

No Arrow here: `falcotrace.capture.schema` turns types into Arrow's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from falcotrace.events.event_types import Param, current_events
from falcotrace.events.tables import read_table


class Scope(StrEnum):
    """What a column's value belongs to."""

    EVENT = "event"
    FD = "fd"
    PROCESS = "process"


@dataclass(frozen=True, slots=True)
class Column:
    """One leaf of the capture file; `type` is an Arrow type's name, `unit` that of a number."""

    path: str
    type: str
    scope: Scope
    unit: str
    meaning: str

    @property
    def is_text(self) -> bool:
        """Whether the leaf holds text (dictionary-encoded in the file)."""
        return self.type in {"string", "list<string>"}

    @property
    def is_list(self) -> bool:
        """Whether the leaf is a list."""
        return self.type.startswith("list<")


NUMBERS = frozenset(
    {"INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"}
    | {"PORT", "RELTIME", "ABSTIME", "SYSCALLID"}
)
"""Parameter types that are plain numbers."""

NAMED = frozenset(
    {"FLAGS8", "FLAGS16", "FLAGS32", "ENUMFLAGS8", "ENUMFLAGS16", "ENUMFLAGS32", "MODE"}
    | {"ERRNO", "SIGTYPE", "UID", "GID", "PID", "FD"}
)
"""Parameter types that are numbers with a text that conditions see."""

PATHS = frozenset({"FSPATH", "FSRELPATH"})
"""Parameter types that hold a path, relative to a directory or not."""

BUFFERS = frozenset({"BYTEBUF"})
"""Parameter types that hold bytes."""

BUFFER_PARAM = "data"
"""The parameter that `evt.buffer` shows; stored there and not under `evt.arg`."""

_DERIVED_PARAMS = frozenset({"ID"})
"""`evt.arg.ID` of a generic event is `evt.type`."""


@cache
def params_by_name() -> Mapping[str, tuple[Param, ...]]:
    """Every argument name of the events that rules can see, with the forms that it takes."""
    found: dict[str, dict[Param, None]] = {}
    for event in current_events().values():
        for param in event.params:
            found.setdefault(param.name, {})[param] = None
    found["nativeID"] = {Param("nativeID", "UINT16", "DEC", ""): None}
    return MappingProxyType({name: tuple(forms) for name, forms in found.items()})


def is_number_column(name: str) -> bool:
    """Whether `evt.arg.NAME` is a number: a plain one in one format wherever the name occurs."""
    forms = params_by_name()[name]
    return all(p.type in NUMBERS for p in forms) and len({p.format for p in forms}) == 1


def _argument_columns(name: str) -> list[Column]:
    forms = params_by_name()[name]
    types = {p.type for p in forms}
    meaning = ", ".join(sorted(types)) + f" argument `{name}`"
    unsigned = any(kind == "UINT64" for kind in types) and not any(
        kind.startswith(("INT", "ERRNO")) for kind in types
    )
    number = "uint64" if unsigned else "int64"
    if types <= BUFFERS:
        return [Column(f"evt.arg.{name}", "binary", Scope.EVENT, "", meaning)]
    if is_number_column(name):
        return [Column(f"evt.arg.{name}", number, Scope.EVENT, "", meaning)]
    columns = [Column(f"evt.arg.{name}", "string", Scope.EVENT, "", meaning)]
    if types & PATHS:
        raw_type = "string"
        raw_meaning = f"`{name}` as given, where that is not the absolute path"
    elif types & (NUMBERS | NAMED | {"DYN"}):
        raw_type, raw_meaning = number, f"the number behind `{name}`"
    else:
        return columns
    return [*columns, Column(f"evt.rawarg.{name}", raw_type, Scope.EVENT, "", raw_meaning)]


def _read() -> dict[str, Column]:
    columns = [
        Column(row["path"], row["type"], Scope(row["scope"]), row["unit"], row["meaning"])
        for row in read_table("columns")
    ]
    arguments = [
        column
        for name in sorted(params_by_name())
        if name not in _DERIVED_PARAMS
        for column in _argument_columns(name)
    ]
    # A struct's leaves stand together: arguments belong to `evt`, which is the first struct.
    events = [column for column in columns if column.path.startswith("evt.")]
    others = [column for column in columns if not column.path.startswith("evt.")]
    arguments.sort(key=lambda column: column.path)
    return {column.path: column for column in (*events, *arguments, *others)}


COLUMNS: Mapping[str, Column] = MappingProxyType(_read())
"""Every column by path, in file order."""

PROCESS_COLUMNS: tuple[Column, ...] = tuple(
    column for column in COLUMNS.values() if column.scope is Scope.PROCESS
)
"""Columns that have one value for each `proc.key`."""
