"""A row group of a capture as a source of vectors.

In: an open capture and the index of a row group. Out: the vectors of fields for some of its rows.
A column is read when it is first asked for and never twice, and spread over all rows only where
that is asked; columns of the process come from the row group's table of process states and are
never decoded from the events.
"""

import threading
from typing import Protocol
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa

from falcotrace.capture.data import CaptureData, ProcessTable
from falcotrace.capture.footer import Footer
from falcotrace.engines.derived_base import Inputs, as_int64, number_texts
from falcotrace.engines.derived_fields import DERIVED_FUNCTIONS
from falcotrace.engines.field_columns import columns_of, is_unsupported
from falcotrace.engines.row_set import RowSet
from falcotrace.engines.stored_vectors import RowsOf, rows_of
from falcotrace.engines.vectors import (
    Codes,
    EndsVector,
    Integers,
    ListVector,
    NumberVector,
    Rows,
    TextVector,
    Vector,
    constant_vector,
    missing_vector,
    vector_from_arrow,
)
from falcotrace.events.columns import COLUMNS, Scope
from falcotrace.events.fields import FieldType, Storage
from falcotrace.events.operators import ValueKind, kind_of
from falcotrace.rules.plan import FieldOperand

PROCESS_KEY = "proc.key"


_LOCKS: "WeakKeyDictionary[CaptureData, threading.Lock]" = WeakKeyDictionary()


def _lock_of(capture: CaptureData) -> threading.Lock:
    """Parquet files are not thread-safe; alerts are rendered in another thread than matched."""
    return _LOCKS.setdefault(capture, threading.Lock())


class _Columns(Protocol):
    """Columns for all rows of something."""

    def column_at(self, path: str, rows: Rows) -> Vector:
        """A column's values for some rows."""
        ...


class RowGroupSource:
    """One row group, its table of process states, and the columns decoded so far.

    Args:
        capture: an open capture; its file is read under a lock of its own.
        index: the row group.
    """

    def __init__(self, capture: CaptureData, index: int) -> None:
        self._capture = capture
        self.index = index
        self._columns: dict[str, Vector] = {}
        self._stored: dict[str, RowsOf | None] = {}
        self._process_columns: dict[str, Vector] = {}
        self._table: ProcessTable | None = None
        self._places: Codes | None = None

    def field(self, operand: FieldOperand, rows: Rows) -> Vector:
        """The values of a field for some rows of the row group."""
        return field_vector(self, self._capture.footer, operand, rows)

    def column_at(self, path: str, rows: Rows) -> Vector:
        """A column's values for some rows."""
        if COLUMNS[path].scope is Scope.PROCESS:
            return self.process_column(path).take(self.places.take(rows))
        if path in self._columns:
            return self._columns[path].take(rows)
        stored = self._stored_rows(path)
        return stored(rows) if stored else self.column(path).take(rows)

    def _stored_rows(self, path: str) -> RowsOf | None:
        """What gives single rows of a column, if the file has it in a form that allows it."""
        if path not in self._stored:
            with _lock_of(self._capture):
                column = self._capture.stored(self.index, path)
            self._stored[path] = rows_of(column) if column else None
        return self._stored[path]

    def column(self, path: str) -> Vector:
        """A column of the events."""
        found = self._columns.get(path)
        if found is None:
            # One column at a time: reading several leaves of a struct together costs more.
            with _lock_of(self._capture):
                array = self._capture.read(self.index, [path])[path]
            found = self._columns[path] = vector_from_arrow(array)
        return found

    def integers(self, path: str) -> Integers:
        """A column of numbers that every event has."""
        vector = self.column(path)
        assert isinstance(vector, NumberVector)
        return as_int64(vector.values)

    @property
    def time_span(self) -> tuple[int, int]:
        """The first and the last time of the row group, ns since the epoch."""
        group = self._capture.row_groups[self.index]
        return group.first_time_ns, group.last_time_ns

    @property
    def num_span(self) -> tuple[int, int]:
        """The first and the last `evt.num` of the row group."""
        group = self._capture.row_groups[self.index]
        return group.first_num, group.last_num

    @property
    def process_count(self) -> int:
        """Number of process states, and the one without any behind them."""
        return len(self._processes) + 1

    @property
    def _processes(self) -> ProcessTable:
        if self._table is None:
            self._table = self._capture.processes(self.index)
        return self._table

    def process_column(self, path: str) -> Vector:
        """A column of the process states; behind them stands a row without values."""
        found = self._process_columns.get(path)
        if found is None:
            column = self._processes[path]
            array = pa.concat_arrays([*column.chunks, pa.nulls(1, column.type)])
            found = self._process_columns[path] = vector_from_arrow(array)
        return found

    @property
    def places(self) -> Codes:
        """For each row the place of its process state, the last one for rows without."""
        if self._places is None:
            self._places = self._find_places()
        return self._places

    def _find_places(self) -> Codes:
        keys = self.column(PROCESS_KEY)
        assert isinstance(keys, NumberVector)
        of_states = self.process_column(PROCESS_KEY)
        assert isinstance(of_states, NumberVector)
        key_values = keys.values.astype(np.int64, copy=False)
        known = of_states.values[:-1]
        # Rows are sorted by process, so there are few runs, and only those have to be searched.
        starts = np.flatnonzero(np.diff(key_values, prepend=~key_values[:1]))
        of_runs = key_values[starts]
        found = np.searchsorted(known, of_runs)
        inside = np.minimum(found, max(len(known) - 1, 0))
        is_known = known[inside] == of_runs if len(known) else np.zeros(len(of_runs), np.bool_)
        lengths = np.diff(starts, append=len(keys))
        places = np.repeat(np.where(is_known, found, len(known)), lengths).astype(np.int32)
        if keys.valid is not None:
            places[~keys.valid] = len(known)
        return places

    def process_set(self) -> RowSet:
        """The process states as a set of rows of their own."""
        source = _ProcessSource(self, self._capture.footer)
        return RowSet(source, np.arange(self.process_count))


class _ProcessSource:
    """The process states of a row group as a source."""

    def __init__(self, group: RowGroupSource, footer: Footer) -> None:
        self._group = group
        self._footer = footer

    def field(self, operand: FieldOperand, rows: Rows) -> Vector:
        """The values of a field for some process states."""
        return field_vector(self, self._footer, operand, rows)

    def column_at(self, path: str, rows: Rows) -> Vector:
        """A column's values for some process states."""
        return self._group.process_column(path).take(rows)


def field_vector(columns: _Columns, footer: Footer, operand: FieldOperand, rows: Rows) -> Vector:
    """The values of a field, from the columns that `events.fields` names for it.

    Args:
        columns: where columns come from.
        footer: the capture's footer, for fields of the whole capture.
        operand: the field.
        rows: the rows in question.
    """
    if is_unsupported(operand):
        return missing_vector(len(rows))
    match operand.field.storage:
        case Storage.COLUMN | Storage.SAME:
            (path,) = columns_of(operand)
            vector = columns.column_at(path, rows)
            if isinstance(vector, ListVector) and isinstance(operand.argument, int):
                # Ancestor lists begin with the parent, which Falco counts as 1.
                return vector.element(operand.argument - 1)
            return vector
        case Storage.BOTH_ENDS:
            left, right, descriptor = (columns.column_at(p, rows) for p in columns_of(operand))
            assert isinstance(left, TextVector | NumberVector)
            assert isinstance(right, TextVector | NumberVector)
            return EndsVector(left, right, descriptor.present())
        case Storage.CONSTANT:
            return constant_vector(_constant(operand), len(rows))
        case Storage.CAPTURE:
            return constant_vector(footer.host.hostname, len(rows))
        case Storage.DERIVED:
            inputs = Inputs(
                lambda path: columns.column_at(path, rows),
                operand.argument,
                len(rows),
                first_time_ns(footer),
            )
            return _as_type(DERIVED_FUNCTIONS[operand.field.source](inputs), operand.type)
        case _:
            return missing_vector(len(rows))


def first_time_ns(footer: Footer) -> int:
    """The time that `evt.reltime` starts from."""
    if footer.recording.first_event_ns or not footer.row_groups:
        return footer.recording.first_event_ns
    return footer.row_groups[0].first_time_ns


def _constant(operand: FieldOperand) -> str | int:
    text = operand.field.source
    return int(text) if kind_of(operand.type) is ValueKind.NUMBER else text


def _as_type(vector: Vector, field_type: FieldType) -> Vector:
    """Make `evt.rawarg` what the checker took it for, whatever the event's argument is."""
    kind = kind_of(field_type)
    if isinstance(vector, NumberVector) and kind is ValueKind.TEXT:
        return number_texts(vector)
    if isinstance(vector, TextVector) and kind in {ValueKind.NUMBER, ValueKind.BOOL}:
        values = [_to_int(text) for text in vector.domain.values.to_pylist()]
        numbers = np.array([*(0 if value is None else value for value in values), 0])
        valid = np.array([*(value is not None for value in values), False])
        return NumberVector(numbers.take(vector.codes), valid.take(vector.codes))
    return vector


def _to_int(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
