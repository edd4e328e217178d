"""What an imported event is called and how it ended: `evt.type`, `evt.res`, `evt.rawres`.

In: an `EventBatch`. Out: columns.

Source: libs 48dfd53c, userspace/libsinsp/sinsp_filtercheck_event.cpp (FIELDS 1.1, 1.6).
"""

import numpy as np

from falcotrace.capture.columns import Columns
from falcotrace.capture.distinct import distinct
from falcotrace.events.event_types import EVENT_TYPES, SYSCALLS, EventType, syscall_names
from falcotrace.events.numbers import result_text
from falcotrace.scap.argument_values import (
    WIDTHS,
    Values,
    delivered_values,
    distinct_values,
    joined_values,
    numbers_of,
    read_numbers,
    text_of,
)
from falcotrace.scap.batch import EventBatch, Integers

_GENERIC = next(event for event in EVENT_TYPES if event.constant == "GENERIC_X")
_ASYNC = next(event for event in EVENT_TYPES if event.constant == "ASYNCEVENT_E")
_NO_NUMBER = 1 << 16
_UNKNOWN_CALL = SYSCALLS[0].name
"""The name of a call that has no portable number."""


def has_result(event: EventType) -> bool:
    """Whether the first parameter of an event is its result."""
    is_call = event.is_exit and event.origin == "syscall"
    return is_call and bool(event.params) and event is not _GENERIC


def results_of(batch: EventBatch, code: int) -> tuple[Values, Integers]:
    """The results of all delivered events of a code, and the values that are one."""
    values = delivered_values(batch, code, 0)
    kind = EVENT_TYPES[code].params[0].type
    # Whatever its type, a result is a signed number.
    return numbers_of(batch.data, values, "INT32" if WIDTHS[kind] == 4 else "INT64")


def put_results(batch: EventBatch, columns: Columns) -> None:
    """Fill `evt.res` and `evt.rawres`."""
    codes = [code for code in batch.params if has_result(EVENT_TYPES[code])]
    parts = [results_of(batch, code) for code in codes]
    if not parts:
        return
    rows = joined_values([part[0] for part in parts]).rows
    results = np.concatenate([part[1] for part in parts])
    columns.put_numbers("evt.rawres", rows, results)
    found, indices = distinct(np.minimum(results, 0))
    columns.put_texts("evt.res", rows, [result_text(result) for result in found.tolist()], indices)


def put_event_types(batch: EventBatch, columns: Columns) -> None:
    """Fill `evt.type`."""
    rows = np.flatnonzero(batch.is_delivered)
    found, indices = distinct(batch.codes[rows])
    columns.put_texts("evt.type", rows, [EVENT_TYPES[code].name for code in found], indices)
    if _GENERIC.code in batch.params:
        _put_generic_names(batch, columns)
    if _ASYNC.code in batch.params:
        names = delivered_values(batch, _ASYNC.code, 1)
        names = names.where(names.lengths > 0)
        raw_names, indices = distinct_values(batch.data, names)
        columns.put_texts("evt.type", names.rows, [text_of(raw) for raw in raw_names], indices)


def _put_generic_names(batch: EventBatch, columns: Columns) -> None:
    portable, native = (_call_numbers(batch, index) for index in (0, 1))
    found, indices = distinct(portable << 32 | native)
    names = [_call_name(pair >> 32, pair & 0xFFFF_FFFF) for pair in found.tolist()]
    rows = delivered_values(batch, _GENERIC.code, 0).rows
    columns.put_texts("evt.type", rows, names, indices)


def _call_numbers(batch: EventBatch, index: int) -> Integers:
    values = delivered_values(batch, _GENERIC.code, index)
    present = values.lengths == WIDTHS["SYSCALLID"]
    numbers = np.full(len(values), _NO_NUMBER, np.int64)
    offsets = values.offsets[present]
    numbers[present] = read_numbers(batch.data, offsets, 2, is_signed=False)
    return numbers


def _call_name(portable: int, native: int) -> str:
    if portable == 0:
        # Recorded where the driver did not know the call; captures are nearly always x86-64's.
        return syscall_names().get(native, _UNKNOWN_CALL)
    return SYSCALLS[portable].name if portable < len(SYSCALLS) else _UNKNOWN_CALL
