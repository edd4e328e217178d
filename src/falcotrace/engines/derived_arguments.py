"""Derived fields about the arguments of events: `evt.arg`, `evt.rawarg`, `evt.args`, `evt.abspath`.

A capture holds each argument in its natural form; here it takes the text that Falco's conditions
and outputs see. Columns of the file are described in `events.columns`.

Source: libs 48dfd53c userspace/libsinsp/event.cpp, sinsp_evt::get_param_as_str.
"""

import posixpath
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from falcotrace.engines.derived_base import (
    DerivedFunction,
    Inputs,
    as_int64,
    choose,
    coalesce,
    is_among,
    keep_where,
    map_values,
    number_texts,
)
from falcotrace.engines.transforms import join_texts
from falcotrace.engines.vectors import (
    Bools,
    Domain,
    NumberVector,
    Rows,
    TextVector,
    Vector,
    arrow_texts,
    constant_vector,
    missing_vector,
)
from falcotrace.events import derived as table
from falcotrace.events.columns import BUFFER_PARAM, BUFFERS, COLUMNS, params_by_name
from falcotrace.events.event_types import EventType, Param, current_events
from falcotrace.events.numbers import raw_text

_UNPRINTABLE = bytes(byte if 0x20 <= byte < 0x7F else ord(".") for byte in range(256))

_NO_TEXT: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("BYTEBUF", "SOCKTUPLE", "FDLIST", "DYN"), "NULL")
)
"""What `evt.args` shows for an argument without a value; `<NA>` for all other types."""


def printable(raw: bytes) -> str:
    """Bytes as Falco prints buffers: a dot for each that is not printable ASCII."""
    return raw.translate(_UNPRINTABLE).decode("ascii")


def format_number(value: int, form: str) -> str:
    """A number in the format of an argument.

    Args:
        value: the number.
        form: `DEC`, `HEX` (digits in upper case) or `OCT` (a leading zero).
    """
    if form == "HEX":
        return f"{value & 0xFFFF_FFFF_FFFF_FFFF:X}"
    if form == "OCT":
        return f"0{value & 0xFFFF_FFFF_FFFF_FFFF:o}"
    # Falco prints unsigned numbers through a signed conversion.
    return str(value - (1 << 64) if value >> 63 > 0 else value)


def _arg(inputs: Inputs) -> Vector:
    if isinstance(inputs.argument, int):
        return _by_event(inputs, table.params_at(inputs.argument), _named_arg)
    assert isinstance(inputs.argument, str)
    return _named_arg(inputs, inputs.argument)


def _by_event(
    inputs: Inputs, names: Mapping[str, str], function: Callable[[Inputs, str], TextVector]
) -> TextVector:
    """Ask for each row the argument that its type of event has."""
    events = inputs.texts("evt.type")
    result = missing_vector(inputs.row_count)
    for name in dict.fromkeys(names.values()):
        meant = is_among(events, [event for event, param in names.items() if param == name])
        if meant.any():
            result = choose(meant, function(inputs, name), result)
    return result


def _named_arg(inputs: Inputs, name: str) -> TextVector:
    if name == "ID":
        events = inputs.texts("evt.type")
        return keep_where(events, ~is_among(events, tuple(current_events())))
    path = f"evt.arg.{name}"
    if path not in COLUMNS:
        return missing_vector(inputs.row_count)
    text = as_texts(inputs.column(path), _number_form(name))
    if name == BUFFER_PARAM:
        return coalesce(text, as_texts(inputs.column("evt.buffer"), "DEC"))
    return text


def _number_form(name: str) -> str:
    return params_by_name()[name][0].format


def as_texts(vector: Vector, form: str) -> TextVector:
    """A stored argument as text: numbers in a format, bytes with dots."""
    if isinstance(vector, NumberVector):
        return number_texts(vector, lambda value: format_number(value, form))
    assert isinstance(vector, TextVector)
    if pa.types.is_binary(vector.domain.values.type):
        return map_values(vector, lambda values: arrow_texts(map(printable, values.to_pylist())))
    return vector


def _rawarg(inputs: Inputs) -> Vector:
    name = str(inputs.argument)
    plain, raw = f"evt.arg.{name}", f"evt.rawarg.{name}"
    if name == BUFFER_PARAM and inputs.column("evt.buffer").present().any():
        return inputs.column("evt.buffer")
    if raw not in COLUMNS:
        return inputs.column(plain) if plain in COLUMNS else missing_vector(inputs.row_count)
    vector = inputs.column(raw)
    if isinstance(vector, TextVector):
        return coalesce(vector, inputs.texts(plain))
    return vector


def _args(inputs: Inputs) -> Vector:
    """All arguments of an event as text, one type of event after another."""
    events = inputs.texts("evt.type")
    empty = constant_vector("", inputs.row_count)
    assert isinstance(empty, TextVector)
    result = keep_where(empty, events.present())
    for name in _names_that_occur(events):
        event = current_events().get(name)
        if event is not None and event.params:
            rows = np.flatnonzero(is_among(events, (name,)))
            result = _replace_rows(result, rows, _event_args(_inputs_at(inputs, rows), event))
    return result


def _names_that_occur(events: TextVector) -> list[str]:
    names: list[str] = events.compact().domain.values.to_pylist()
    return names


def _inputs_at(inputs: Inputs, rows: Rows) -> Inputs:
    def column(path: str) -> Vector:
        vector = inputs.column(path).take(rows)
        # What is done for each distinct value shall be done for those of the rows alone.
        return vector.compact() if isinstance(vector, TextVector) and vector.is_sparse else vector

    return Inputs(column, None, len(rows), inputs.first_time_ns)


def _replace_rows(vector: TextVector, rows: Rows, texts: TextVector) -> TextVector:
    codes = vector.codes.copy()
    codes[rows] = texts.codes + len(vector.domain)
    values = pa.concat_arrays([vector.domain.values, texts.domain.values])
    return TextVector(Domain(values), codes)


def _event_args(inputs: Inputs, event: EventType) -> TextVector:
    return join_texts(" ", [_named_value(inputs, param) for param in event.params])


def _named_value(inputs: Inputs, param: Param) -> TextVector:
    """`name=raw`, or `name=raw(resolved)` where the two differ."""
    shown = _named_arg(inputs, param.name)
    missing = constant_vector(_NO_TEXT.get(param.type, "<NA>"), inputs.row_count)
    assert isinstance(missing, TextVector)
    shown = coalesce(shown, missing)
    raw = coalesce(_raw_text(inputs, param), shown)
    name = constant_vector(f"{param.name}=", inputs.row_count)
    opening = constant_vector("(", inputs.row_count)
    closing = constant_vector(")", inputs.row_count)
    parts = [part for part in (name, raw, opening, shown, closing) if isinstance(part, TextVector)]
    resolved = join_texts("", parts)
    return choose(_equal_texts(raw, shown), join_texts("", parts[:2]), resolved)


def _raw_text(inputs: Inputs, param: Param) -> TextVector:
    path = f"evt.rawarg.{param.name}"
    if path not in COLUMNS or param.type in BUFFERS:
        return missing_vector(inputs.row_count)
    vector = inputs.column(path)
    if isinstance(vector, NumberVector):
        return number_texts(vector, lambda value: raw_text(param, value))
    return as_texts(vector, param.format)


def _equal_texts(first: TextVector, second: TextVector) -> Bools:
    codes = {text: code for code, text in enumerate(first.domain.values.to_pylist())}
    same = np.array([codes.get(x, -2) for x in second.domain.values.to_pylist()] + [-2], np.int64)
    # Equal texts may stand in a domain more than once.
    own = np.array([codes[x] for x in first.domain.values.to_pylist()] + [-3], np.int64)
    equal: Bools = own.take(first.codes) == same.take(second.codes)
    return equal


def _abspath(inputs: Inputs) -> Vector:
    side = 1 if inputs.argument == "dst" else 0
    names = {event: pair[side] for event, pair in table.ABSPATH_PARAMS.items()}
    result = inputs.numbers("evt.rawres")
    opened = result.present() & (as_int64(result.values) > 0)
    paths = _by_event(inputs, names, lambda given, name: given.texts(f"evt.arg.{name}"))
    paths = keep_where(paths, opened | ~inputs.events(("open_by_handle_at",)))
    paths = keep_where(paths, ~is_among(paths, ("",)))
    return map_values(paths, lambda values: arrow_texts(map(absolute_path, values.to_pylist())))


def absolute_path(path: str) -> str:
    """A path without `.`, `..` and doubled slashes; one that is not absolute has no known base.

    Example:
        >>> absolute_path("/a/./b/../c/"), absolute_path("x")
        ('/a/c', '<UNKNOWN>/x')
    """
    if path.startswith("/"):
        return "/" + posixpath.normpath(path).lstrip("/")
    return table.UNKNOWN_DIRECTORY + posixpath.normpath("/" + path).lstrip("/")


ARGUMENT_FUNCTIONS: Mapping[str, DerivedFunction] = MappingProxyType(
    {"arg": _arg, "rawarg": _rawarg, "args": _args, "abspath": _abspath}
)
"""Functions by the name that `fields.tsv` gives them."""
