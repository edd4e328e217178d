"""Derived fields about the arguments of events: `evt.arg`, `evt.rawarg`, `evt.args`, `evt.abspath`.

A capture holds each argument in its natural form; here it takes the text that Falco's conditions
and outputs see. Columns of the file are described in `events.columns`.

Source: libs 48dfd53c userspace/libsinsp/event.cpp, sinsp_evt::get_param_as_str.
"""

import posixpath
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from falcotrace.engines.derived_base import (
    DerivedFunction,
    Inputs,
    as_int64,
    choose,
    coalesce,
    constant_texts,
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
from falcotrace.events.argument_forms import (
    ASYNC_EVENT,
    GENERIC_PARAMS,
    GROWN_EVENTS,
    number_forms,
    owners,
    params_at,
    stand_in,
)
from falcotrace.events.columns import BUFFER_PARAM, COLUMNS, PATHS
from falcotrace.events.event_types import EventType, Param, current_events
from falcotrace.events.numbers import condition_text, raw_text

_UNPRINTABLE = bytes(byte if 0x20 <= byte < 0x7F else ord(".") for byte in range(256))


def printable(raw: bytes) -> str:
    """Bytes as Falco prints buffers: a dot for each that is not printable ASCII."""
    return raw.translate(_UNPRINTABLE).decode("ascii")


def _arg(inputs: Inputs) -> Vector:
    if isinstance(inputs.argument, str):
        return _named_arg(inputs, inputs.argument)
    assert isinstance(inputs.argument, int)
    of_table = _by_event(inputs, params_at(inputs.argument), _named_arg)
    named = [(~inputs.is_marked, of_table)]
    for marked, names in (
        (inputs.is_generic, GENERIC_PARAMS),
        (inputs.is_asynchronous, tuple(param.name for param in ASYNC_EVENT.params)),
    ):
        if inputs.argument < len(names) and marked.any():
            named.append((marked, _named_arg(inputs, names[inputs.argument])))
    result = missing_vector(inputs.row_count)
    for rows, texts in named:
        result = choose(rows, texts, result)
    return result


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
    """An argument as text; one without a value is a text too where the event has it."""
    if name == "ID":
        return keep_where(inputs.texts("evt.type"), inputs.is_generic)
    text = _stored_arg(inputs, name)
    missing = ~text.present()
    for shown, events in owners(name).items() if missing.any() else ():
        rows = missing & _has_argument(inputs, name, events)
        if rows.any():
            text = choose(rows, constant_texts([(rows, shown)], inputs.row_count), text)
    return text


def _has_argument(inputs: Inputs, name: str, events: frozenset[str]) -> Bools:
    """Which rows are events that have an argument by the event table."""
    rows = inputs.events(events)
    if rows.any():
        rows = rows & ~inputs.is_marked
    if any(param.name == name for param in ASYNC_EVENT.params):
        rows = rows | inputs.is_asynchronous
    return rows


def _stored_arg(inputs: Inputs, name: str) -> TextVector:
    path = f"evt.arg.{name}"
    if path not in COLUMNS:
        return missing_vector(inputs.row_count)
    vector = inputs.column(path)
    if isinstance(vector, NumberVector):
        return _numbers_as_texts(inputs, name, vector)
    text = _as_texts(vector)
    return coalesce(text, _as_texts(inputs.column("evt.buffer"))) if name == BUFFER_PARAM else text


def _numbers_as_texts(inputs: Inputs, name: str, vector: NumberVector) -> TextVector:
    """Numbers as the types of event print them."""
    first, *others = number_forms(name).items()
    result = number_texts(vector, partial(condition_text, first[0]))
    for form, events in others:
        rows = inputs.events(events)
        if rows.any():
            result = choose(rows, number_texts(vector, partial(condition_text, form)), result)
    return result


def _as_texts(vector: Vector) -> TextVector:
    """Text as it is stored; bytes with dots."""
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
    plain = ~inputs.is_marked
    chosen = [(ASYNC_EVENT, inputs.is_asynchronous)]
    for name in _names_that_occur(events):
        event = current_events().get(name)
        if event is not None and event.params:
            chosen.append((event, plain & is_among(events, (name,))))
    for event, rows in chosen:
        if rows.any():
            places = np.flatnonzero(rows)
            texts = _event_args(_inputs_at(inputs, places), event)
            result = _replace_rows(result, places, texts)
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
    shown = [_named_value(inputs, param) for param in event.params]
    if event.name not in GROWN_EVENTS:
        return join_texts(" ", [text for text, _ in shown])
    first, *others = shown
    parts = [first[0]]
    none_behind = np.ones(inputs.row_count, np.bool_)
    for text, present in reversed(others):
        none_behind &= ~present
        blank = constant_texts([(~none_behind | ~first[1], " ")], inputs.row_count)
        empty = constant_texts([(none_behind & first[1], "")], inputs.row_count)
        parts.insert(1, choose(blank.present(), join_texts("", [blank, text]), empty))
    return join_texts("", parts)


def _named_value(inputs: Inputs, param: Param) -> tuple[TextVector, Bools]:
    """`name=raw`, or `name=raw(resolved)`; and which rows have a value."""
    raw, resolved = _both_forms(inputs, param)
    missing = constant_vector(stand_in(param), inputs.row_count)
    assert isinstance(missing, TextVector)
    present = raw.present()
    opening, closing = (constant_texts([(present, x)], inputs.row_count) for x in ("(", ")"))
    name = constant_vector(f"{param.name}=", inputs.row_count)
    assert isinstance(name, TextVector)
    plain = join_texts("", [name, coalesce(raw, missing)])
    both = join_texts("", [plain, opening, resolved, closing])
    return choose(resolved.present(), both, plain), present


def _both_forms(inputs: Inputs, param: Param) -> tuple[TextVector, TextVector]:
    """An argument's raw form, and its resolved form where there is one."""
    shown, behind = f"evt.arg.{param.name}", f"evt.rawarg.{param.name}"
    stored = inputs.column(shown)
    nothing = missing_vector(inputs.row_count)
    if isinstance(stored, NumberVector):
        raw = number_texts(stored, partial(raw_text, param))
        if param.type != "RELTIME":
            return raw, nothing
        return _unless_equal(raw, number_texts(stored, partial(condition_text, param)))
    text = _stored_arg(inputs, param.name)
    if behind not in COLUMNS:
        return text, nothing
    vector = inputs.column(behind)
    if isinstance(vector, TextVector):
        # A path as given stands there only if Falco resolves it, even to the same text.
        if param.type not in PATHS:
            return text, nothing
        return coalesce(vector, text), keep_where(text, vector.present())
    assert isinstance(vector, NumberVector)
    raw = coalesce(_raw_numbers(vector, text, param), text)
    return _unless_equal(raw, text)


def _raw_numbers(vector: NumberVector, shown: TextVector, param: Param) -> TextVector:
    """The numbers behind texts."""
    raw = number_texts(vector, partial(raw_text, param))
    if param.type != "DYN":
        return raw
    # A union that is a plain number prints by the parameter's format; one that has a name, and
    # signals, errors and times have, as a decimal.
    return choose(_equal_texts(raw, shown), raw, number_texts(vector))


def _unless_equal(raw: TextVector, resolved: TextVector) -> tuple[TextVector, TextVector]:
    return raw, keep_where(resolved, ~_equal_texts(raw, resolved))


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
