"""Falco's fields: what each is called, which type it compares as, and where FalcoTrace finds it.

The catalogue behind rules, `falcotrace fields` and the documentation. It says nothing about Arrow
types (`columns.py`) and computes nothing (`derived.py` names the functions, the engines implement
them).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from falcotrace.events.tables import read_table


class FieldType(StrEnum):
    """Comparison types of fields, in Falco's spelling.

    Source: libs 48dfd53c, driver/ppm_events_public.h, `ppm_param_type`.
    """

    BOOL = "BOOL"
    CHARBUF = "CHARBUF"
    BYTEBUF = "BYTEBUF"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    DOUBLE = "DOUBLE"
    PORT = "PORT"
    RELTIME = "RELTIME"
    ABSTIME = "ABSTIME"
    IPADDR = "IPADDR"
    IPNET = "IPNET"
    DYNAMIC = "DYNAMIC"
    MIXED = "mixed"


class Storage(StrEnum):
    """How a field is answered from a capture."""

    COLUMN = "column"
    DERIVED = "derived"
    BOTH_ENDS = "both_ends"
    SAME = "same"
    CONSTANT = "constant"
    CAPTURE = "capture"
    NEVER = "never"
    UNSUPPORTED = "unsupported"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the catalogue.

    Attributes:
        name: as rules write it, without argument.
        type: what it is compared as.
        print_format: how a number is printed: DEC, HEX, ID, 10_PADDED_DEC, DIR; empty for the
            type's own form.
        is_list: whether one event has several values.
        argument: accepted argument forms as text, `required: ...` or `optional: ...`; empty for
            none.
        usable_in: `both`, `filter` (conditions only) or `output` (templates only); empty for
            removed fields.
        restrictions: of `no_transformer`, `no_field_comparison`, `copies_value`.
        status: `active`, `deprecated`, `hidden`, `plugin`, `config` or `removed ...`.
        suggested_output: whether Falco's default configuration appends it to every output.
        storage: where the value comes from.
        source: what completes `storage`: a function, columns, a constant, a footer key or a reason.
        meaning: one line for people.
    """

    name: str
    type: FieldType
    print_format: str
    is_list: bool
    argument: str
    usable_in: str
    restrictions: frozenset[str]
    status: str
    suggested_output: bool
    storage: Storage
    source: str
    meaning: str

    @property
    def path(self) -> str:
        """The field's column path; meaningful where `storage` is COLUMN."""
        return column_path(self.name)


STRUCT_FIELDS = frozenset({"container.image", "container.mount"})
"""Names that are both a field and a prefix of stored fields, and stay structs in the file."""


@cache
def _leaf_prefixes() -> frozenset[str]:
    """Fields that are leaves although longer names begin with them (`proc.pid`, `fd.sip` ...)."""
    names = {row["name"] for row in read_table("fields")}
    prefixes = {name[:end] for name in names for end, letter in enumerate(name) if letter == "."}
    return frozenset(names & prefixes - STRUCT_FIELDS)


@cache
def column_path(name: str) -> str:
    """The path of a stored field in the capture file.

    A Parquet node is a leaf or a struct, never both. Where a field's name is a prefix of another's,
    the short name is the leaf and the long one takes `_` for its last dots; `container.image` and
    `container.mount` are structs, and the field `container.image` itself is `container.image.name`.

    Example:
        >>> column_path("proc.pid.ts"), column_path("proc.name"), column_path("container.image.tag")
        ('proc.pid_ts', 'proc.name', 'container.image.tag')
    """
    if name == "container.image":
        return "container.image.name"
    for prefix in sorted(_leaf_prefixes(), key=len):
        if name.startswith(prefix + "."):
            return prefix + "_" + name[len(prefix) + 1 :].replace(".", "_")
    return name


def _field(row: Mapping[str, str]) -> Field:
    storage, _, source = row["storage"].partition(":")
    return Field(
        name=row["name"],
        type=FieldType(row["type"]),
        print_format=row["format"],
        is_list=row["list"] == "yes",
        argument=row["argument"],
        usable_in=row["usable"],
        restrictions=frozenset(filter(None, row["restrictions"].split(","))),
        status=row["status"],
        suggested_output=row["suggested"] == "yes",
        storage=Storage(storage or "removed"),
        source=source,
        meaning=row["meaning"],
    )


FIELDS: Mapping[str, Field] = MappingProxyType(
    {row["name"]: _field(row) for row in read_table("fields")}
)
"""Every field by name, in Falco's order; removed ones too, for a precise message."""
