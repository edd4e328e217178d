"""What the derived functions share: their input, and operations on whole vectors.

A derived function takes an `Inputs` and returns the vector of its field for the same rows; the
sentence that it implements stands in `events.derived`. Nothing here knows a particular function.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.engines.vectors import (
    MISSING,
    Bools,
    Codes,
    Domain,
    Integers,
    ListVector,
    Numbers,
    NumberVector,
    TextVector,
    Vector,
    arrow_texts,
    bools_of,
)
from falcotrace.events.argument_forms import ASYNC_MARK, GENERIC_MARK


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """The columns that a derived function may ask for, for some rows.

    Args:
        column: gives the vector of a column path.
        argument: the argument of the field.
        row_count: how many rows are meant.
        first_time_ns: the time of the capture's first event.
    """

    column: Callable[[str], Vector]
    argument: str | int | None
    row_count: int
    first_time_ns: int

    def texts(self, path: str) -> TextVector:
        """A column of texts (or bytes)."""
        vector = self.column(path)
        assert isinstance(vector, TextVector)
        return vector

    def numbers(self, path: str) -> NumberVector:
        """A column of numbers."""
        vector = self.column(path)
        assert isinstance(vector, NumberVector)
        return vector

    def lists(self, path: str) -> ListVector:
        """A column of lists."""
        vector = self.column(path)
        assert isinstance(vector, ListVector)
        return vector

    def events(self, names: Collection[str]) -> Bools:
        """Which rows are among some types of events."""
        return is_among(self.texts("evt.type"), names)

    @property
    def is_generic(self) -> Bools:
        """Which rows are generic events, whatever their names."""
        return self.column(GENERIC_MARK).present()

    @property
    def is_asynchronous(self) -> Bools:
        """Which rows are asynchronous events, whatever their names."""
        return self.column(ASYNC_MARK).present()

    def plain_events(self, names: Collection[str]) -> Bools:
        """Which rows are among some types of events of the event table."""
        rows = self.events(names)
        return rows & ~self.is_marked if rows.any() else rows

    @property
    def is_marked(self) -> Bools:
        """Which rows are events whose name does not tell what they are."""
        return self.is_generic | self.is_asynchronous


DerivedFunction = Callable[[Inputs], Vector]


def is_among(vector: TextVector, names: Collection[str]) -> Bools:
    """Which rows have one of some texts."""
    wanted = arrow_texts(names)

    def look_up(domain: Domain) -> Bools:
        found = bools_of(pc.is_in(domain.values, value_set=wanted))
        return np.append(found, np.False_)

    return vector.domain.table(("among", frozenset(names)), look_up).take(vector.codes)


def map_texts(
    vector: TextVector, names: Mapping[str, str], default: str | None = None
) -> TextVector:
    """Replace texts by others; `default` for those that have none, None to leave them missing."""
    outcomes = list(dict.fromkeys((*names.values(), *(() if default is None else (default,)))))
    numbers = {text: number for number, text in enumerate(outcomes)}
    other = MISSING if default is None else numbers[default]

    def renumber(domain: Domain) -> Codes:
        codes = [
            numbers[names[text]] if text in names else other for text in domain.values.to_pylist()
        ]
        return np.array([*codes, MISSING], np.int32)

    key = ("map", tuple(names.items()), default)
    codes = vector.domain.table(key, renumber).take(vector.codes)
    return TextVector(Domain(arrow_texts(outcomes)), codes)


def map_values(vector: TextVector, function: Callable[[pa.Array], pa.Array]) -> TextVector:
    """Apply a function of distinct values; it must not give null."""
    small = vector.compact()
    return TextVector(Domain(function(small.domain.values)), small.codes)


def keep_where(vector: TextVector, keep: Bools) -> TextVector:
    """The same texts, missing where `keep` is false."""
    return TextVector(vector.domain, np.where(keep, vector.codes, np.int32(MISSING)))


def choose(keep: Bools, first: TextVector, second: TextVector) -> TextVector:
    """The first text where `keep` is true, otherwise the second."""
    shifted = np.where(
        second.codes == MISSING, np.int32(MISSING), second.codes + np.int32(len(first.domain))
    )
    values = pa.concat_arrays([first.domain.values, second.domain.values])
    return TextVector(Domain(values), np.where(keep, first.codes, shifted))


def coalesce(first: TextVector, second: TextVector) -> TextVector:
    """The first text, where it is missing the second."""
    return choose(first.present(), first, second)


def flags(truth: Bools, valid: Bools | None = None) -> NumberVector:
    """A boolean field."""
    return NumberVector(truth, valid)


def counts(truth: Bools, valid: Bools | None = None) -> NumberVector:
    """A boolean as 1 and 0."""
    return NumberVector(truth.astype(np.int64), valid)


def both_present(first: NumberVector, second: NumberVector) -> Bools | None:
    """Which rows have both numbers; None for all of them."""
    if first.valid is None:
        return second.valid
    return first.valid if second.valid is None else first.valid & second.valid


def number_texts(vector: NumberVector, form: Callable[[int], str] = str) -> TextVector:
    """Numbers as text, written once for each distinct number."""
    distinct, places = np.unique(vector.values, return_inverse=True)
    texts = arrow_texts(form(value) for value in distinct.tolist())
    codes = places.astype(np.int32)
    if vector.valid is not None:
        codes = np.where(vector.valid, codes, np.int32(MISSING))
    return TextVector(Domain(texts), codes)


def select_numbers(vector: NumberVector, rows: Bools) -> NumberVector:
    """The same numbers, missing where `rows` is false."""
    valid: Bools = rows if vector.valid is None else rows & vector.valid
    return NumberVector(vector.values, valid)


def constant_texts(truths: Sequence[tuple[Bools, str]], row_count: int) -> TextVector:
    """The text of the first truth that holds for a row, missing where none does."""
    codes = np.full(row_count, MISSING, np.int32)
    for number, (truth, _) in reversed(list(enumerate(truths))):
        codes[truth] = number
    return TextVector(Domain(arrow_texts(text for _, text in truths)), codes)


def as_int64(numbers: Numbers) -> Integers:
    """Numbers as signed 64-bit ones."""
    return numbers.astype(np.int64, copy=False)
