"""Values that show themselves as a table, and go on as Arrow or a data frame."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar, overload

import pyarrow as pa

from falcotrace.outputs.html import ROWS_MAX, rows_html

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


class Listing(Sequence[T], Generic[T]):
    """Values in their order, which show themselves as a table.

    Args:
        items: the values.
        schema: columns of the table.
        row_of: the row of a value.
        notes: what is said below the table.
    """

    def __init__(
        self,
        items: Iterable[T],
        schema: pa.Schema,
        row_of: Callable[[T], Mapping[str, object]],
        notes: Sequence[str] = (),
    ) -> None:
        self._items = tuple(items)
        self._schema = schema
        self._row_of = row_of
        self.notes = tuple(notes)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> "Listing[T]": ...
    def __getitem__(self, index: int | slice) -> "T | Listing[T]":
        if isinstance(index, slice):
            return Listing(self._items[index], self._schema, self._row_of, self.notes)
        return self._items[index]

    def arrow(self) -> pa.Table:
        """The values as a table."""
        return pa.Table.from_pylist(list(map(self._row_of, self._items)), schema=self._schema)

    def df(self) -> "pd.DataFrame":
        """The values as a data frame; needs pandas."""
        return self.arrow().to_pandas()

    def _repr_html_(self) -> str:
        more = len(self) - ROWS_MAX
        rest = [f"{more:,} more are not shown here"] if more > 0 else []
        return rows_html(self[:ROWS_MAX].arrow(), [*rest, *self.notes])
