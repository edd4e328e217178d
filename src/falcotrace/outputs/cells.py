r"""Arrow columns as texts that are safe to show: for terminals, for CSV and as JSON.

In: an Arrow array of any type, nested ones too. Out: one text for each value. Recorded text is
escaped (`outputs.escape`), in CSV a cell that a spreadsheet would take for a formula begins with a
quote, in JSON what is not printable stands as `\uXXXX`. Each distinct text is looked at once.
"""

import json
import math
from collections.abc import Callable
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.engines.vectors import arrow_text, arrow_texts
from falcotrace.errors import escape_controls
from falcotrace.events.text import RAW_BYTES, to_text
from falcotrace.outputs.escape import for_terminal, readable

FORMULA_BEGINS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A cell that begins like this is computed by spreadsheets, the wide forms by some. Source: OWASP,
CSV injection; tabs and line ends, which it also names, are escaped anyway."""


def shown_texts(array: pa.Array) -> pa.Array:
    """One line of text for each value, null where there is none."""
    return _texts(array, for_terminal, _nested_text)


def csv_texts(array: pa.Array) -> pa.Array:
    """As `shown_texts`, for a cell of a spreadsheet."""
    return _texts(array, csv_text, lambda value: csv_text(_nested_text(value)))


def csv_text(text: str) -> str:
    """One text as a cell of a spreadsheet.

    Example:
        >>> csv_text("=HYPERLINK(0)"), csv_text("a=b")
        ("'=HYPERLINK(0)", 'a=b')
    """
    safe = for_terminal(text)
    return f"'{safe}" if safe.lstrip().startswith(FORMULA_BEGINS) else safe


def json_texts(array: pa.Array) -> pa.Array:
    """One JSON value for each value; `null` where there is none, and for numbers that are none."""
    kind = array.type
    if pa.types.is_floating(kind):
        array = pc.if_else(pc.is_finite(array), array, pa.nulls(1, kind)[0])
    if pa.types.is_decimal(kind) or _is_temporal(kind):
        found = _each(array, json_text)
    else:
        found = _texts(array, lambda text: json_text(readable(text)), json_text)
    return pc.fill_null(found, arrow_text("null"))


def json_text(value: object) -> str:
    r"""One value as JSON that cannot do anything to a terminal.

    Example:
        >>> print(json_text({"a": ["\x9b", None, 1]}))
        {"a":["\u009b",null,1]}
    """
    return printable_json(
        json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    )


def printable_json(text: str) -> str:
    r"""A JSON text on one line in which what is not printable stands as `\uXXXX`."""
    return text if text.isprintable() else "".join(map(_json_character, text))


def json_document(value: object) -> str:
    r"""As `json_text`, with recorded texts anywhere in it readable.

    Example:
        >>> from falcotrace.events.text import to_text
        >>> print(json_document({"name": [to_text(b"\xff")]}))
        {"name":["\\xff"]}
    """
    return json_text(_readable(value))


def _readable(value: object) -> object:
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, dict):
        return {_key(_readable(name)): _readable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(item) for item in value]
    if isinstance(value, bytes):
        return readable(to_text(value))
    return _plain(value)


def _json_character(character: str) -> str:
    if character.isprintable():
        return character
    # Halves of a pair, where one unit of 16 bits does not do.
    units = character.encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def plain_values(array: pa.Array) -> list[object]:
    """The values as JSON has them: texts readable, times and what JSON lacks as texts."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        return plain_values(array.dictionary_decode())
    if _is_text(kind):
        return [None if text is None else readable(text) for text in _decoded(array)]
    if pa.types.is_struct(kind):
        return _structs(array)
    if pa.types.is_map(kind):
        return [None if item is None else _mapping(item) for item in _lists(array)]
    if _is_list(kind):
        return list(_lists(array))
    if _is_temporal(kind):
        return array.cast(pa.string()).to_pylist()
    return [_plain(value) for value in array.to_pylist()]


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)


def _structs(array: pa.Array) -> list[object]:
    names = [field.name for field in array.type]
    columns = [plain_values(column) for column in array.flatten()]
    rows = zip(*columns, strict=True) if columns else iter([()] * len(array))
    present = array.is_valid().to_pylist()
    return [
        dict(zip(names, row, strict=True)) if there else None
        for row, there in zip(rows, present, strict=True)
    ]


def _lists(array: pa.Array) -> list[list[object] | None]:
    kind = array.type
    if pa.types.is_map(kind):
        entry = pa.struct([("key", kind.key_type), ("value", kind.item_type)])
        array = array.cast(pa.list_(entry))
    # Offsets of an array that is a part of another begin where the part does.
    lengths = [length or 0 for length in pc.list_value_length(array).to_pylist()]
    values = plain_values(pc.list_flatten(array))
    found: list[list[object] | None] = []
    start = 0
    for length, there in zip(lengths, array.is_valid().to_pylist(), strict=True):
        found.append(values[start : start + length] if there else None)
        start += length
    return found


def _mapping(entries: list[object]) -> dict[str, object]:
    pairs = [entry for entry in entries if isinstance(entry, dict)]
    return {_key(entry["key"]): entry["value"] for entry in pairs}


def _key(value: object) -> str:
    return value if isinstance(value, str) else json_text(value)


def _texts(
    array: pa.Array, of_text: Callable[[str], str], of_other: Callable[[object], str]
) -> pa.Array:
    kind = array.type
    if pa.types.is_dictionary(kind):
        array, kind = array.dictionary_decode(), kind.value_type
    if _is_text(kind):
        coded = array.dictionary_encode()
        distinct = [of_text(text or "") for text in _decoded(coded.dictionary)]
        return arrow_texts(distinct).take(coded.indices)
    if _is_plain(kind):
        return array.cast(pa.string())
    return _each(array, of_other)


def _each(array: pa.Array, text_of: Callable[[object], str]) -> pa.Array:
    values = plain_values(array)
    texts = arrow_texts("" if value is None else text_of(value) for value in values)
    return pc.if_else(array.is_valid(), texts, pa.nulls(1, pa.string())[0])


def _nested_text(value: object) -> str:
    return value if isinstance(value, str) else escape_controls(json_text(value))


def _decoded(array: pa.Array) -> list[str | None]:
    """Texts, and bytes as captures hold text; whatever a file says, a text may be no UTF-8."""
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        values = array.cast(pa.large_binary()).to_pylist()
        return [None if raw is None else raw.decode(errors=RAW_BYTES) for raw in values]
    return [None if raw is None else to_text(raw) for raw in array.to_pylist()]


def _is_text(kind: pa.DataType) -> bool:
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _is_list(kind: pa.DataType) -> bool:
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _is_temporal(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_time(kind)


def _is_plain(kind: pa.DataType) -> bool:
    """Whether Arrow's own text of a value will do, and is safe."""
    return (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
        or _is_text(kind)
        or _is_temporal(kind)
    )
