"""Values as texts: whatever was recorded, a terminal, a spreadsheet and a JSON parser are safe."""

import datetime
import json
import math
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falcotrace.events.text import to_text
from falcotrace.outputs.cells import FORMULA_BEGINS, csv_texts, json_texts, shown_texts

HOSTILE = [
    *("\x1b[2J\x1b]0;owned\x07", "a\tb\nc\rd", "\x9b31m", "\u202ecod.exe", "=1+1", "+1", "-1"),
    *("@SUM(A1)", "\uff1dcmd", " =1", "\x00", '"', "\\", "</script>", to_text(b"caf\xe9\xff"), ""),
    *("\U000e0041", "\ufeff", "plain", "größe", "\t=1", "<NA>", "\u2028"),
]
NESTED = {"a": [{"b": text, "n": None} for text in HOSTILE]}
TYPED: list[tuple[pa.DataType, object, object]] = [
    (pa.int64(), -5, -5),
    (pa.uint64(), (1 << 64) - 1, (1 << 64) - 1),
    (pa.bool_(), True, True),
    (pa.float64(), 0.5, 0.5),
    (pa.float64(), math.nan, None),
    (pa.float64(), -math.inf, None),
    (pa.decimal128(38, 0), Decimal(1 << 100), 1 << 100),
    (pa.decimal128(9, 3), Decimal("1.500"), 1.5),
    (pa.timestamp("ns"), 1_000_000_001, "1970-01-01 00:00:01.000000001"),
    (pa.date32(), datetime.date(2026, 1, 31), "2026-01-31"),
    (pa.null(), None, None),
    (pa.binary(), b"a\xff\n", "a\\xff\n"),
    (pa.list_(pa.int64()), [1, None], [1, None]),
    (pa.list_(pa.int64(), 2), [1, 2], [1, 2]),
    (pa.large_list(pa.string()), ["a"], ["a"]),
    (pa.struct([("a", pa.list_(pa.string()))]), {"a": ["x", None]}, {"a": ["x", None]}),
    (pa.map_(pa.string(), pa.int64()), [("k", 1)], {"k": 1}),
    (pa.map_(pa.int64(), pa.string()), [(1, "x")], {"1": "x"}),
    (pa.dictionary(pa.int32(), pa.string()), "x", "x"),
    (pa.month_day_nano_interval(), (1, 2, 3), None),
]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary()])
def test_nothing_moves_the_cursor(kind: pa.DataType) -> None:
    """A cell is one line of printable characters in every form, also inside nested values."""
    texts = [text.encode() if pa.types.is_binary(kind) else text for text in HOSTILE]
    flat = pa.array(texts, kind)
    nested = pa.array([{"v": texts}], pa.struct([("v", pa.list_(kind))]))
    for array in (flat, nested):
        for form in (shown_texts, csv_texts, json_texts):
            assert all(cell.isprintable() for cell in form(array).to_pylist())


def test_spreadsheets_compute_nothing() -> None:
    """No cell of CSV begins as a formula does, blanks or not; numbers stay numbers."""
    cells = csv_texts(pa.array(HOSTILE)).to_pylist()
    assert not any(cell.lstrip().startswith(FORMULA_BEGINS) for cell in cells)
    assert csv_texts(pa.array([-5])).to_pylist() == ["-5"]
    assert csv_texts(pa.array([["=1"]])).to_pylist() == ['["=1"]']


@pytest.mark.parametrize(("kind", "value", "expected"), TYPED, ids=lambda item: str(item)[:30])
def test_json_has_the_value(kind: pa.DataType, value: object, expected: object) -> None:
    """Every type that DuckDB gives has a form in JSON, missing values beside it."""
    array = pa.array([None, value, None], kind)
    first, found, last = (json.loads(text) for text in json_texts(array).to_pylist())
    assert (first, last) == (None, None)
    if kind != pa.month_day_nano_interval():
        assert found == expected
    shown = shown_texts(array).to_pylist()
    assert shown[0] is None
    assert (shown[1] is None) == (value is None)


def test_json_keeps_every_character() -> None:
    """What a parser reads back is the text; bytes that are no UTF-8 are spelled."""
    for array in (pa.array(HOSTILE), pa.array(HOSTILE).dictionary_encode()):
        read = [json.loads(text) for text in json_texts(array).to_pylist()]
        spelled = to_text(b"caf\xe9\xff")
        assert read == ["caf\\xe9\\xff" if text == spelled else text for text in HOSTILE]


def test_parts_of_arrays_are_theirs() -> None:
    """A slice of nested values gives the slice's values."""
    lists = pa.array([["a"], None, ["b", "c"], []])
    structs = pa.array([{"x": 1}, None, {"x": None}, {"x": 4}])
    maps = pa.array([[("a", 1)], None, [("b", 2)]], pa.map_(pa.string(), pa.int64()))
    assert json_texts(lists.slice(1, 2)).to_pylist() == ["null", '["b","c"]']
    assert json_texts(structs.slice(2)).to_pylist() == ['{"x":null}', '{"x":4}']
    assert json_texts(maps.slice(1)).to_pylist() == ["null", '{"b":2}']


def test_texts_that_are_no_utf8_are_shown() -> None:
    """A damaged file's text column may hold any bytes; they are spelled, not a traceback."""
    raw = pa.array([b"a\xffb", b"\xf0\x9f"])
    broken = pa.Array.from_buffers(pa.string(), 2, raw.buffers())
    assert shown_texts(broken).to_pylist() == ["a\\xffb", "\\xf0\\x9f"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text()), max_size=8))
def test_any_text_survives_json(texts: list[str | None]) -> None:
    """JSON lines are printable and read back as they were, beyond the stand-ins for bytes."""
    encoded = [None if t is None else t.encode(errors="replace").decode() for t in texts]
    kept = [t for t in encoded if t is None or not any(c >= "\U0010fe00" for c in t)]
    found = json_texts(pa.array(kept, pa.string())).to_pylist()
    assert [json.loads(text) for text in found] == kept
    assert all(text.isprintable() for text in found)
