"""Arguments whose form the call's command decides: socket options, ptrace's data, keyctl's.

In: the events of one call. Out: the argument's column and the number beside it. A loop for each
distinct value; which form a command's value has is in `events/unions.py`.
"""

from collections.abc import Callable, Sequence

import numpy as np

from falcotrace.capture.columns import Columns
from falcotrace.events.columns import COLUMNS
from falcotrace.events.event_types import Param
from falcotrace.events.numbers import condition_text, signed
from falcotrace.events.unions import KEY_TEXTS, dotted, key_number, socket_option, traced_data
from falcotrace.record.call import CallEvents
from falcotrace.record.layout import PartKind

_Value = tuple[str, int | bytes]
"""A value's type and the value: a number, or bytes."""


def put_socket_option(param: Param, place: int, call: CallEvents, columns: Columns) -> None:
    """Fill the value of setsockopt and getsockopt."""
    found, indices = call.part_values(PartKind.BYTES, place)
    raws = [b"", *found]
    keys = _columns_of(call.arguments(1), call.arguments(2), indices + 1)
    values, which = _of_each(keys, lambda level, option, raw: _option(level, option, raws[raw]))
    _put(param, values, which, call, columns)


def _option(level: int, option: int, raw: bytes) -> _Value:
    return socket_option(signed(level & 0xFFFFFFFF, 32), option & 0xFFFFFFFF, raw)


def put_traced(param: Param, place: int, call: CallEvents, columns: Columns) -> None:
    """Fill ptrace's address or its data."""
    registers, results = call.arguments(place), call.results
    if param.name == "addr":
        keys = _columns_of(registers, (results < 0).astype(np.int64))
        values, which = _of_each(keys, lambda at, failed: ("UINT64", 0 if failed else at))
    else:
        read, _ = call.struct_numbers(place, 0, 4 if call.is_compat else 8)
        keys = _columns_of(call.arguments(0), registers, read, (results < 0).astype(np.int64))
        values, which = _of_each(
            keys, lambda request, at, word, failed: traced_data(request, at, word, -failed)
        )
    _put(param, values, which, call, columns)


def put_key_argument(param: Param, place: int, call: CallEvents, columns: Columns) -> None:
    """Fill one of keyctl's arguments, which operations use for numbers or texts."""
    codes = call.part_codes(PartKind.STRING, place)
    operations = call.arguments(0)
    is_text = np.isin(operations, [op for op, places in KEY_TEXTS.items() if place in places])
    columns.put_codes(f"evt.arg.{param.name}", call.rows[is_text], codes[is_text])
    keys = _columns_of(operations, call.arguments(place))
    values, which = _of_each(
        keys, lambda operation, register: ("INT64", signed(key_number(operation, place, register)))
    )
    _put(param, values, which, call, columns, ~is_text)


def _columns_of(*numbers: np.ndarray) -> np.ndarray:
    return np.column_stack([np.asarray(column).astype(np.uint64) for column in numbers])


def _of_each(keys: np.ndarray, value: Callable[..., _Value]) -> tuple[Sequence[_Value], np.ndarray]:
    """The values of distinct rows of numbers, and which one each row has."""
    found, which = np.unique(keys, axis=0, return_inverse=True)
    return [value(*row) for row in found.tolist()], which.reshape(-1)


def _put(
    param: Param,
    values: Sequence[_Value],
    which: np.ndarray,
    call: CallEvents,
    columns: Columns,
    mask: np.ndarray | None = None,
) -> None:
    """Fill the column and the number beside it, of all events or of those in a mask."""
    rows = call.rows
    if mask is not None:
        rows, which = rows[mask], which[mask]
    texts = [_text(param, *value) for value in values]
    numbers = [value if isinstance(value, int) else None for _, value in values]
    columns.put_texts(f"evt.arg.{param.name}", rows, texts, which)
    raw = f"evt.rawarg.{param.name}"
    if raw in COLUMNS:
        filled = np.array([(number or 0) % (1 << 64) for number in numbers], np.uint64)
        valid = np.array([number is not None for number in numbers], np.bool_)
        columns.put_numbers(raw, rows, filled[which].view(np.int64), valid[which])


def _text(param: Param, kind: str, value: int | bytes) -> str | None:
    if isinstance(value, bytes):
        return dotted(value) if value else None
    return condition_text(Param(param.name, kind, param.format, ""), value)
