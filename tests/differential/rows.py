"""Events given by fields or by columns, as rows of a capture that both engines can read."""

from collections.abc import Mapping
from ipaddress import ip_address

from falcotrace.events.columns import COLUMNS
from falcotrace.events.fields import FIELDS, Storage, column_path
from falcotrace.events.text import to_text
from falcotrace.rules.field_reference import find_field

Row = dict[str, object]

_ENDS = {
    "fd.ip": ("fd.ip_left", "fd.ip_right"),
    "fd.net": ("fd.ip_left", "fd.ip_right"),
    "fd.port": ("fd.port_left", "fd.port_right"),
}


class NotStorableError(Exception):
    """The event names a field that no column of a capture can be given for."""


def row_of(event: Mapping[str, object]) -> Row:
    """The columns that give an event its fields.

    Args:
        event: values by field; None is missing.

    Raises:
        NotStorableError: a computed field, or a value that its column cannot hold.
    """
    row: Row = {"evt.type": "openat"}
    for name, value in event.items():
        if value is not None:
            _set(row, name, value)
    return with_bytes(row)


def with_bytes(row: Row) -> Row:
    """The same row with the bytes of its addresses."""
    for path in [path for path in COLUMNS if path.endswith("_bytes")]:
        text = row.get(path.removesuffix("_bytes"))
        row.pop(path, None)
        if isinstance(text, str):
            row[path] = ip_address(text).packed
    return row


def _set(row: Row, name: str, value: object) -> None:
    if name in _ENDS:
        values = list(value) if isinstance(value, list) else [value]
        row["fd.type"] = "ipv4"
        row.update(zip(_ENDS[name], [*values, None, None], strict=False))
    elif name.startswith("proc.env["):
        row["proc.env"] = [f"{name[9:-1]}={value}"]
    elif name.startswith("proc.aname["):
        names = row.setdefault("proc.aname", [])
        assert isinstance(names, list)
        index = int(name[11:-1])
        names += [None] * (index - len(names))
        names[index - 1] = value
    else:
        row[_path(name)] = _as_stored(_path(name), value)


def _path(name: str) -> str:
    if name in COLUMNS:
        return name
    field = FIELDS.get(name)
    if field is None:
        field = find_field(name, None).field
    if field.storage is Storage.SAME:
        return column_path(field.source)
    if field.storage is Storage.COLUMN:
        return field.path
    raise NotStorableError(name)


def _as_stored(path: str, value: object) -> object:
    kind = COLUMNS[path].type
    if isinstance(value, str) and value.startswith("hex:"):
        value = bytes.fromhex(value.removeprefix("hex:"))
    if kind == "binary":
        return value.encode() if isinstance(value, str) else value
    if isinstance(value, bytes):
        return to_text(value)
    if kind in {"int64", "int32", "uint64"} and not isinstance(value, bool):
        number = int(str(value))
        if kind != "uint64" and number >= 1 << 63:
            raise NotStorableError(f"{path} {number}")
        return number
    return value
