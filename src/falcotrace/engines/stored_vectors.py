"""Vectors of single rows, from columns as a file has them.

In: a stored column. Out: vectors for whichever rows are asked; the distinct texts of the column are
one domain for all of them, so that a check decides each once.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from falcotrace.capture.parquet.stored import StoredColumn
from falcotrace.engines.vectors import (
    MISSING,
    Bools,
    Domain,
    NumberVector,
    Rows,
    TextVector,
    arrow_codes,
    encoded_vector,
    missing_vector,
)

RowsOf = Callable[[Rows], TextVector | NumberVector]
"""Gives the vector of some rows."""


def rows_of(column: StoredColumn) -> RowsOf:
    """What gives the vectors of a column's rows."""
    values, dictionary = column.values, column.dictionary
    if isinstance(values, pa.Array):
        return lambda rows: _plain_texts(column, values, rows)
    if isinstance(dictionary, pa.Array):
        domain = Domain(dictionary)
        return lambda rows: _coded_texts(column, values, domain, rows)
    return lambda rows: _numbers(column, values, dictionary, rows)


def _coded_texts(column: StoredColumn, codes: np.ndarray, domain: Domain, rows: Rows) -> TextVector:
    places, has_value = _places(column, rows)
    if not len(codes):
        return TextVector(domain, np.full(len(rows), MISSING, np.int32))
    found = codes.take(places).astype(np.int32)
    if has_value is not None:
        found[~has_value] = MISSING
    return TextVector(domain, found)


def _plain_texts(column: StoredColumn, texts: pa.StringArray, rows: Rows) -> TextVector:
    places, has_value = _places(column, rows)
    if has_value is None:
        return encoded_vector(texts.take(arrow_codes(places)))
    if not has_value.any():
        return missing_vector(len(rows))
    found = encoded_vector(texts.take(arrow_codes(places[has_value])))
    codes = np.full(len(rows), MISSING, np.int32)
    codes[has_value] = found.codes
    return TextVector(found.domain, codes)


def _numbers(
    column: StoredColumn, values: np.ndarray, dictionary: np.ndarray | None, rows: Rows
) -> NumberVector:
    places, has_value = _places(column, rows)
    if not len(values):
        kind = values.dtype if dictionary is None else dictionary.dtype
        return NumberVector(np.zeros(len(rows), kind), np.zeros(len(rows), np.bool_))
    found = values.take(places)
    if dictionary is not None:
        found = dictionary.take(found)
    if has_value is not None:
        found[~has_value] = 0
    return NumberVector(found, has_value)


def _places(column: StoredColumn, rows: Rows) -> tuple[Rows, Bools | None]:
    """Where the values of rows are, the first value's place for rows without, and which have one.

    Every row has one where the second is None.
    """
    if column.ranks is None:
        return rows, None
    places, has_value = column.ranks.find(rows)
    return np.where(has_value, places, 0), has_value
