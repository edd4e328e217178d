"""Values of columns as the writer takes them, one for each row."""

from typing import Any

import pyarrow as pa

from falcotrace.capture.parquet.values import Sparse, Stepwise


def listed(column: pa.Array | pa.ChunkedArray | Sparse | Stepwise, count: int) -> list[Any]:
    """The values of `count` rows, None where there is none."""
    if isinstance(column, Stepwise):
        return list(column.array(count).to_pylist())
    if not isinstance(column, Sparse):
        return list(column.to_pylist())
    values: list[Any] = [None] * count
    for place, value in zip(column.places.tolist(), column.values.to_pylist(), strict=True):
        values[place] = value
    return values
