"""Values of an operand for many rows at once.

Text comes as codes into a domain of distinct values, so that a check costs one evaluation for each
distinct value and one table look-up for each row. Numbers come as they are. In: Arrow arrays or
Python values. Out: vectors that `tests` knows how to check. Nothing here knows fields or rules.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bools: TypeAlias = npt.NDArray[np.bool_]
Codes: TypeAlias = npt.NDArray[np.int32]
Integers: TypeAlias = npt.NDArray[np.int64]
Rows: TypeAlias = npt.NDArray[np.signedinteger]
Scalar: TypeAlias = str | bytes | bool | int | float
Numbers: TypeAlias = npt.NDArray[np.generic]

T = TypeVar("T", bound=np.generic)

MISSING = -1
"""The code of a missing value: it indexes the last entry of a table, which is always false."""

EAGER_SIZE = 4096
"""A domain up to this size is evaluated whole, however few rows ask."""


@dataclass(slots=True, eq=False)
class Domain:
    """Distinct values and what checks said about them.

    Args:
        values: text or bytes without nulls; a code is an index into it.
    """

    values: pa.Array
    _tables: dict[Hashable, npt.NDArray[np.generic]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def take(self, codes: Codes) -> "Domain":
        """The domain that holds only the values of some codes, in their order."""
        return Domain(self.values.take(arrow_codes(codes)))

    def table(
        self, key: Hashable, evaluate: "Callable[[Domain], npt.NDArray[T]]"
    ) -> npt.NDArray[T]:
        """What `evaluate` says about each value, computed once for each key."""
        found = self._tables.get(key)
        if found is None:
            found = self._tables[key] = evaluate(self)
        return cast("npt.NDArray[T]", found)

    def holds(self, key: Hashable) -> bool:
        """Whether `table` has the answer for a key already."""
        return key in self._tables


@dataclass(frozen=True, slots=True, eq=False)
class TextVector:
    """Text (or bytes): a code for each row, `MISSING` where there is no value."""

    domain: Domain
    codes: Codes

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Rows) -> "TextVector":
        """The vector of some rows."""
        return TextVector(self.domain, self.codes.take(rows))

    def present(self) -> Bools:
        """Which rows have a value."""
        present: Bools = self.codes != MISSING
        return present

    @property
    def is_sparse(self) -> bool:
        """Whether its rows are so few that most of its domain may not occur among them."""
        return len(self.domain) > max(EAGER_SIZE, 2 * len(self.codes))

    def compact(self) -> "TextVector":
        """The same vector over a domain of only the values that occur."""
        used, codes = unique_codes(self.codes, len(self.domain))
        return TextVector(self.domain.take(used), codes)


@dataclass(frozen=True, slots=True, eq=False)
class NumberVector:
    """Numbers or booleans; `valid` None means that every row has a value."""

    values: Numbers
    valid: Bools | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Rows) -> "NumberVector":
        """The vector of some rows."""
        valid = None if self.valid is None else self.valid.take(rows)
        return NumberVector(self.values.take(rows), valid)

    def present(self) -> Bools:
        """Which rows have a value."""
        return np.ones(len(self.values), np.bool_) if self.valid is None else self.valid


@dataclass(frozen=True, slots=True, eq=False)
class ListVector:
    """Several values for each row: row i has the elements `offsets[i]` to `offsets[i + 1]`."""

    elements: TextVector | NumberVector
    offsets: Rows
    valid: Bools | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: Rows) -> "ListVector":
        """The vector of some rows."""
        starts, lengths = self.offsets[rows], np.diff(self.offsets)[rows]
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        inside = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        elements = self.elements.take(np.repeat(starts, lengths) + inside)
        valid = None if self.valid is None else self.valid.take(rows)
        return ListVector(elements, offsets, valid)

    def present(self) -> Bools:
        """Which rows have a value; the empty list is one."""
        return np.ones(len(self), np.bool_) if self.valid is None else self.valid

    def any_element(self, truth: Bools) -> Bools:
        """For each row, whether `truth`, one entry for each element, holds for one of its own."""
        found: Bools = self._counts(truth) > 0
        return found

    def every_element(self, truth: Bools) -> Bools:
        """For each row, whether `truth` holds for all of its own elements."""
        found: Bools = self._counts(truth) == np.diff(self.offsets)
        return found

    def element(self, index: int | Integers) -> TextVector | NumberVector:
        """The element at an index of each row; missing where the list is shorter or it is < 0."""
        places = self.offsets[:-1] + index
        inside = (places < self.offsets[1:]) & (np.asarray(index) >= 0)
        if self.valid is not None:
            inside &= self.valid
        found = self.elements.take(np.where(inside, places, 0)) if inside.any() else None
        if isinstance(self.elements, TextVector):
            codes = np.full(len(self), MISSING, np.int32)
            if isinstance(found, TextVector):
                codes = np.where(inside, found.codes, np.int32(MISSING))
            return TextVector(self.elements.domain, codes)
        if isinstance(found, NumberVector):
            return NumberVector(found.values, inside & found.present())
        return NumberVector(np.zeros(len(self), self.elements.values.dtype), inside)

    def _counts(self, truth: Bools) -> Rows:
        sums = np.zeros(len(truth) + 1, np.int64)
        np.cumsum(truth, out=sums[1:])
        counts: Rows = sums[self.offsets[1:]] - sums[self.offsets[:-1]]
        return counts


@dataclass(frozen=True, slots=True, eq=False)
class EndsVector:
    """Both ends of a connection; `known` where the event has a descriptor at all."""

    left: TextVector | NumberVector
    right: TextVector | NumberVector
    known: Bools

    def __len__(self) -> int:
        return len(self.known)

    def take(self, rows: Rows) -> "EndsVector":
        """The vector of some rows."""
        return EndsVector(self.left.take(rows), self.right.take(rows), self.known.take(rows))

    def present(self) -> Bools:
        """Which rows have a descriptor."""
        return self.known


Vector: TypeAlias = TextVector | NumberVector | ListVector | EndsVector


def unique_codes(codes: Codes, size: int) -> tuple[Codes, Codes]:
    """The codes that occur, ascending, and the same rows as indexes into them.

    Example:
        >>> used, renumbered = unique_codes(np.array([5, -1, 2, 5], np.int32), 6)
        >>> used.tolist(), renumbered.tolist()
        ([2, 5], [1, -1, 0, 1])
    """
    marks = np.zeros(size + 1, np.bool_)
    marks[codes] = True
    used = np.flatnonzero(marks[:size]).astype(np.int32)
    numbers = np.full(size + 1, MISSING, np.int32)
    numbers[used] = np.arange(len(used), dtype=np.int32)
    return used, numbers.take(codes)


def arrow_texts(texts: Iterable[str]) -> pa.Array:
    """An Arrow array of texts; `pa.array` would import pandas where that is installed."""
    return _arrow_binary(pa.string(), [text.encode() for text in texts])


def arrow_text(text: str) -> pa.Scalar:
    """An Arrow scalar, for functions that would make one by way of pandas."""
    return arrow_texts([text])[0]


def arrow_bytes(values: Iterable[bytes]) -> pa.Array:
    """An Arrow array of bytes."""
    return _arrow_binary(pa.binary(), list(values))


def _arrow_binary(kind: pa.DataType, pieces: Sequence[bytes]) -> pa.Array:
    offsets = np.zeros(len(pieces) + 1, np.int32)
    np.cumsum([len(piece) for piece in pieces], out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(pieces))]
    return pa.Array.from_buffers(kind, len(pieces), buffers)


def arrow_codes(codes: Rows) -> pa.Array:
    """An Arrow array of codes for `take`; missing ones are null."""
    codes = np.ascontiguousarray(codes, np.int32)
    missing = codes == MISSING
    valid = None
    if missing.any():
        valid = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.Array.from_buffers(pa.int32(), len(codes), [valid, pa.py_buffer(codes)])


def arrow_integers(values: Integers) -> pa.Array:
    """An Arrow array of numbers without nulls; `pa.array` would import pandas."""
    return pa.Array.from_buffers(
        pa.int64(), len(values), [None, pa.py_buffer(np.ascontiguousarray(values, np.int64))]
    )


def missing_vector(rows: int) -> TextVector:
    """A vector without any value."""
    return TextVector(Domain(arrow_texts(())), np.full(rows, MISSING, np.int32))


def constant_vector(value: Scalar, rows: int) -> TextVector | NumberVector:
    """The same value for every row."""
    if isinstance(value, str | bytes):
        values = arrow_texts([value]) if isinstance(value, str) else arrow_bytes([value])
        return TextVector(Domain(values), np.zeros(rows, np.int32))
    return NumberVector(np.full(rows, value))


def text_vector(values: Sequence[str | None]) -> TextVector:
    """Text by row, None for a missing value."""
    numbers: dict[str, int] = {}
    codes = [
        MISSING if value is None else numbers.setdefault(value, len(numbers)) for value in values
    ]
    return TextVector(Domain(arrow_texts(numbers)), np.array(codes, np.int32))


def encoded_vector(array: pa.Array) -> TextVector:
    """The vector of an Arrow array of texts or bytes, equal ones with one code."""
    return _dictionary_vector(array.dictionary_encode())


def vector_from_arrow(array: pa.Array) -> Vector:
    """The vector of an Arrow array: dictionary, text, bytes, number, boolean, or a list of them.

    Raises:
        TypeError: another type.
    """
    kind = array.type
    if pa.types.is_list(kind):
        return _list_vector(array)
    if pa.types.is_string(kind) or pa.types.is_null(kind):
        return encoded_vector(array.cast(pa.string()))
    if pa.types.is_dictionary(kind):
        return _dictionary_vector(array)
    if pa.types.is_binary(kind):
        codes = np.arange(len(array), dtype=np.int32)
        if array.null_count:
            codes[bools_of(array.is_null())] = MISSING
            array = array.fill_null(b"")
        return TextVector(Domain(array), codes)
    if pa.types.is_boolean(kind):
        return NumberVector(_bits(array.buffers()[1], array), _validity(array))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return NumberVector(_numbers(array), _validity(array))
    raise TypeError(f"no vector for {kind}")


def codes_of(indices: pa.Array) -> Codes:
    """Indices as codes: `MISSING` for null."""
    codes = _numbers(indices).astype(np.int32, copy=False)
    valid = _validity(indices)
    return codes if valid is None else np.where(valid, codes, np.int32(MISSING))


def _dictionary_vector(array: pa.DictionaryArray) -> TextVector:
    codes = codes_of(array.indices)
    values = array.dictionary
    if values.null_count:
        nulls = bools_of(values.is_null())
        codes = np.where(np.append(nulls, True)[codes], np.int32(MISSING), codes)
        values = values.fill_null(pa.scalar(b"").cast(values.type))
    return TextVector(Domain(values), codes)


def _list_vector(array: pa.ListArray) -> ListVector:
    offsets = _numbers(array.offsets).astype(np.int64)
    elements = vector_from_arrow(array.values)
    assert isinstance(elements, TextVector | NumberVector)
    return ListVector(elements, offsets, _validity(array))


def _numbers(array: pa.Array) -> Numbers:
    """The values of a number array, whatever stands behind nulls."""
    # Arrow's names of number types are numpy's; `to_pandas_dtype` would import pandas.
    kind = {"float": "float32", "double": "float64"}.get(str(array.type), str(array.type))
    data = array.buffers()[1]
    if data is None:
        return np.zeros(len(array), kind)
    return np.frombuffer(data, kind, count=len(array) + array.offset)[array.offset :]


def _validity(array: pa.Array) -> Bools | None:
    if not array.null_count:
        return None
    return _bits(array.buffers()[0], array)


def bools_of(array: pa.Array) -> Bools:
    """The truths of a boolean array without nulls; `to_numpy` would import pandas."""
    return _bits(array.buffers()[1], array)


def integers_of(array: pa.Array) -> Integers:
    """The numbers of an integer array without nulls."""
    return _numbers(array).astype(np.int64, copy=False)


def _bits(bitmap: pa.Buffer | None, array: pa.Array) -> Bools:
    """One of the bitmaps of an array, a byte for each value."""
    if bitmap is None:
        return np.zeros(len(array), np.bool_)
    bits = np.unpackbits(
        np.frombuffer(bitmap, np.uint8), count=array.offset + len(array), bitorder="little"
    )
    return bits[array.offset :].view(np.bool_)


def texts_of(vector: TextVector) -> pa.Array:
    """The values by row, null where missing."""
    return vector.domain.values.take(arrow_codes(vector.codes))
