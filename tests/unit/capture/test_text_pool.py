"""The pool of texts."""

import numpy as np
import pyarrow as pa

from falcotrace.capture.text_pool import MISSING, TextPool, distinct_bytes


def _spans(items: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    data = np.frombuffer(b"".join(items), np.uint8)
    lengths = np.array([len(item) for item in items], np.int64)
    return data, np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64), lengths


def test_texts_have_one_code() -> None:
    """The same text has the same code, from whichever side it comes; no text is MISSING."""
    pool = TextPool()
    first = pool.code("a")
    assert pool.codes(["b", "a", None]).tolist() == [first + 1, first, MISSING]
    assert pool.codes_in(*_spans([b"a", b"b"])).tolist() == [first, first + 1]
    assert pool.texts(np.array([first, MISSING])) == ["a", None]
    assert len(pool) == 2


def test_strings_of_all_lengths() -> None:
    """Short strings lie in Arrow's views themselves, longer ones beside: none may be confused."""
    items = [b"x" * n for n in range(30)] + [b"y" + b"x" * 20, b"x" * 20, b""]
    pool = TextPool()
    codes = pool.codes_in(*_spans(items))
    assert [pool[code].encode() for code in codes.tolist()] == items
    assert codes[20] == codes[31]
    assert codes[0] == codes[32]


def test_text_ends_at_its_first_nul() -> None:
    """As in Falco; what stands behind it is not part of the text."""
    pool = TextPool()
    codes = pool.codes_in(*_spans([b"ab\0cd", b"ab", b"\0"]))
    assert [pool[code] for code in codes.tolist()] == ["ab", "ab", ""]


def test_bytes_that_are_no_text_are_kept() -> None:
    """A byte that is not UTF-8 becomes a code point of its own."""
    pool = TextPool()
    [code] = pool.codes_in(*_spans([b"a\xffb"])).tolist()
    assert pool[code] == "a\U0010feffb"


def test_distinct_bytes() -> None:
    """Which string each place has; nothing in, nothing out."""
    found, indices = distinct_bytes(*_spans([b"one", b"two", b"one"]))
    assert [found[index] for index in indices.tolist()] == [b"one", b"two", b"one"]
    assert distinct_bytes(np.empty(0, np.uint8), *[np.empty(0, np.int64)] * 2)[0] == []


def test_dictionary_holds_only_what_occurs() -> None:
    """A row group's dictionary is not that of the whole recording."""
    pool = TextPool()
    codes = pool.codes(["a", "b", None, "b"])
    array = pool.arrow(codes[1:])
    assert array.to_pylist() == ["b", None, "b"]
    assert array.dictionary.to_pylist() == ["b"]
    assert pool.arrow(np.array([MISSING], np.int32)).to_pylist() == [None]
    assert pa.types.is_dictionary(pool.arrow(codes[:0]).type)


def test_strings_at_the_end_of_the_buffer() -> None:
    """Nothing is read behind the last byte, of an empty buffer nothing at all."""
    data = np.frombuffer(b"abc", np.uint8)
    found, indices = distinct_bytes(data, np.array([2, 3, 0]), np.array([1, 0, 3]))
    assert [found[index] for index in indices.tolist()] == [b"c", b"", b"abc"]
    empty = np.empty(0, np.uint8)
    assert distinct_bytes(empty, np.array([0]), np.array([0]))[0] == [b""]
