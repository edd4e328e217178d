"""Functions of values (`tolower`, `basename`, `len`, `join` ...), computed on distinct values.

In: a transformer of a plan and the vectors of its arguments. Out: the vector of its result; a row
has no value if one of its inputs has none. Text is in the form of `events.text.to_text`.

Source: libs 48dfd53c userspace/libsinsp/sinsp_filter_transformer*.cpp.
"""

from collections.abc import Callable, Sequence
from typing import assert_never

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.engines.path_parts import base_names
from falcotrace.engines.vectors import (
    MISSING,
    Bools,
    Domain,
    EndsVector,
    Integers,
    ListVector,
    NumberVector,
    Rows,
    TextVector,
    Vector,
    arrow_codes,
    arrow_text,
    constant_vector,
    encoded_vector,
    integers_of,
    text_vector,
    texts_of,
)
from falcotrace.rules.ast import Transform
from falcotrace.rules.plan import Constant, ListOperand, Operand, TransformOperand
from falcotrace.rules.transforms import decode_base64, read_options

VectorOf = Callable[[Operand], Vector]
_Argument = Operand | Constant | ListOperand


def transform_vector(operand: TransformOperand, vector_of: VectorOf, rows: int) -> Vector:
    """The result of a transformer for some rows.

    Args:
        operand: what is computed.
        vector_of: gives the vectors of its arguments, for the same rows.
        rows: how many rows these are.
    """
    match operand.function:
        case Transform.TOLOWER:
            return _map(_argument(operand.arguments[0], vector_of, rows), pc.ascii_lower)
        case Transform.TOUPPER:
            return _map(_argument(operand.arguments[0], vector_of, rows), pc.ascii_upper)
        case Transform.BASENAME:
            return _map(_argument(operand.arguments[0], vector_of, rows), base_names)
        case Transform.B64:
            return _map(_argument(operand.arguments[0], vector_of, rows), _decode_base64)
        case Transform.LEN:
            return _length(operand.arguments[0], vector_of, rows)
        case Transform.CONCAT:
            parts = [_text_argument(item, vector_of, rows) for item in operand.arguments]
            return join_texts("", parts)
        case Transform.JOIN:
            return _join(operand, vector_of, rows)
        case Transform.GETOPT:
            return _getopt(operand, vector_of, rows)
        case Transform.VAL:
            raise AssertionError("`val` is the operand itself in a plan")
        case _:
            assert_never(operand.function)


def byte_lengths(values: pa.Array) -> Integers:
    """Lengths in the bytes that the texts stand for (a stand-in takes four and counts as one)."""
    lengths = integers_of(pc.binary_length(values))
    if pa.types.is_binary(values.type):
        return lengths
    stand_ins = pc.count_substring_regex(values, r"[\x{10FE00}-\x{10FEFF}]")
    return lengths - 3 * integers_of(stand_ins)


def join_texts(separator: str, parts: Sequence[TextVector]) -> TextVector:
    """Join texts row by row, computed once for each combination that occurs."""
    present: Bools = np.logical_and.reduce([part.present() for part in parts])
    keys = np.stack([part.codes for part in parts])
    distinct, places = np.unique(keys[:, present], axis=1, return_inverse=True)
    texts = [
        part.domain.values.take(arrow_codes(codes))
        for part, codes in zip(parts, distinct, strict=True)
    ]
    joined = pc.binary_join_element_wise(*texts, arrow_text(separator))
    codes = np.full(len(present), MISSING, np.int32)
    codes[present] = places
    return TextVector(Domain(joined), codes)


def _argument(argument: _Argument, vector_of: VectorOf, rows: int) -> Vector:
    if isinstance(argument, Constant):
        return constant_vector(_as_scalar(argument), rows)
    assert not isinstance(argument, ListOperand)
    return vector_of(argument)


def _as_scalar(constant: Constant) -> str | bytes:
    return constant.value if isinstance(constant.value, str | bytes) else str(constant.value)


def _text_argument(argument: _Argument, vector_of: VectorOf, rows: int) -> TextVector:
    vector = _argument(argument, vector_of, rows)
    assert isinstance(vector, TextVector)
    return vector


def _map(vector: Vector, function: Callable[[pa.Array], pa.Array]) -> Vector:
    """Apply a function of distinct values; where it gives null, the row has no value."""
    match vector:
        case TextVector():
            small = vector.compact()
            mapped = encoded_vector(function(small.domain.values))
            codes = np.append(mapped.codes, np.int32(MISSING)).take(small.codes)
            return TextVector(mapped.domain, codes)
        case ListVector(elements=elements, offsets=offsets, valid=valid):
            of_elements = _map(elements, function)
            assert isinstance(of_elements, TextVector | NumberVector)
            return ListVector(of_elements, offsets, valid)
        case EndsVector() | NumberVector():
            raise AssertionError("the checker lets only texts into this function")
        case _:
            assert_never(vector)


def _decode_base64(values: pa.Array) -> pa.Array:
    is_text = not pa.types.is_binary(values.type)
    decoded = [decode_base64(value) for value in values.to_pylist()]
    return pa.array(decoded, pa.string() if is_text else pa.binary())


def _length(argument: _Argument, vector_of: VectorOf, rows: int) -> Vector:
    if isinstance(argument, ListOperand):
        return constant_vector(len(argument.items), rows)
    match _argument(argument, vector_of, rows):
        case ListVector(offsets=offsets) as vector:
            return NumberVector(np.diff(offsets), vector.present())
        case TextVector() as vector:
            small = vector.compact()
            lengths = np.append(byte_lengths(small.domain.values), 0)
            return NumberVector(lengths.take(small.codes), vector.present())
        case NumberVector() | EndsVector():
            raise AssertionError("the checker lets only texts and lists into `len`")


def _join(operand: TransformOperand, vector_of: VectorOf, rows: int) -> Vector:
    separator, items = operand.arguments
    if isinstance(items, ListOperand):
        parts = [_text_argument(item, vector_of, rows) for item in items.items]
        if not parts:
            return constant_vector("", rows)
        if isinstance(separator, Constant):
            return join_texts(str(separator.value), parts)
        between = _text_argument(separator, vector_of, rows)
        spaced = [piece for part in parts for piece in (between, part)][1:]
        return join_texts("", spaced)
    vector = _argument(items, vector_of, rows)
    assert isinstance(vector, ListVector)
    joined = join_elements(vector, str(separator.value) if isinstance(separator, Constant) else "")
    if isinstance(separator, Constant):
        return joined
    return _join_rows(vector, _text_argument(separator, vector_of, rows))


def join_elements(vector: ListVector, separator: str) -> TextVector:
    """The texts of each list joined; the empty text for an empty list."""
    elements = vector.elements
    if not isinstance(elements, TextVector) or not elements.present().all():
        lists = list_texts(vector)
        return text_vector([None if item is None else separator.join(item) for item in lists])
    lists = pa.ListArray.from_arrays(arrow_codes(vector.offsets), texts_of(elements))
    joined = encoded_vector(pc.binary_join(lists, arrow_text(separator)))
    if vector.valid is None:
        return joined
    return TextVector(joined.domain, np.where(vector.valid, joined.codes, np.int32(MISSING)))


def _join_rows(vector: ListVector, separators: TextVector) -> TextVector:
    between = text_list(separators)
    return text_vector(
        [
            None if items is None or separator is None else separator.join(items)
            for items, separator in zip(list_texts(vector), between, strict=True)
        ]
    )


def text_list(vector: TextVector) -> list[str | None]:
    """The texts of a vector as Python values."""
    values = [*vector.domain.values.to_pylist(), None]
    return [values[code] for code in vector.codes]


def list_texts(vector: ListVector) -> list[list[str] | None]:
    """The lists of a vector as Python values; elements without a value are left out."""
    elements = vector.elements
    if isinstance(elements, TextVector):
        texts = text_list(elements)
    else:
        texts = [str(value) for value in elements.values.tolist()]
    present = vector.present()
    offsets: Rows = vector.offsets
    return [
        [text for text in texts[start:end] if text is not None] if there else None
        for start, end, there in zip(offsets[:-1], offsets[1:], present, strict=True)
    ]


def _getopt(operand: TransformOperand, vector_of: VectorOf, rows: int) -> Vector:
    words, options = operand.arguments
    assert isinstance(options, Constant)
    vector = _argument(words, vector_of, rows)
    if isinstance(vector, TextVector):
        given: Sequence[str | list[str] | None] = text_list(vector)
    else:
        assert isinstance(vector, ListVector)
        given = list_texts(vector)
    letters = str(options.value)
    found = [
        None if item is None else read_options(item, letters, operand.argument) for item in given
    ]
    if operand.argument is not None:
        return text_vector([item if isinstance(item, str) else None for item in found])
    lists = [item if isinstance(item, list) else [] for item in found]
    offsets = np.zeros(len(lists) + 1, np.int64)
    np.cumsum([len(item) for item in lists], out=offsets[1:])
    present = np.array([item is not None for item in found], np.bool_)
    return ListVector(text_vector([letter for item in lists for letter in item]), offsets, present)
