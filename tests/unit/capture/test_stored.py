"""Single rows of a column, read from the file's own bytes, are what Arrow makes of the whole."""

import io
import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from falcotrace.capture.parquet.ranks import BitRanks, RunRanks
from falcotrace.capture.parquet.stored_pages import UnknownLayoutError, read_places
from falcotrace.capture.parquet.thrift import varint
from falcotrace.capture.parquet.values import Presence, Sparse
from falcotrace.capture.reader import open_capture
from falcotrace.engines.stored_vectors import rows_of
from falcotrace.engines.vectors import NumberVector, TextVector, texts_of
from falcotrace.events.columns import COLUMNS
from shipped_captures import CAPTURES
from unit.capture.test_parquet import by_arrow, by_stored, rows_file

TRUTHS = st.lists(st.booleans(), min_size=1, max_size=300)


@given(truths=TRUTHS, extra=st.integers(0, 255))
def test_ranks_count_values_before_a_row(truths: list[bool], extra: int) -> None:
    """As bits and as runs, and whatever stands in bits behind the last row."""
    before = [0, *itertools.accumulate(truths)][:-1]
    bits = np.packbits(np.array(truths), bitorder="little")
    if len(truths) % 8:
        bits[-1] |= extra << len(truths) % 8 & 0xFF
    runs = [(truth, len(list(run))) for truth, run in itertools.groupby(truths)]
    counts = np.array([count for _, count in runs])
    every = np.arange(len(truths))
    for ranks in (
        BitRanks(np.append(bits, np.uint8(extra)), len(truths)),
        RunRanks(np.array([truth for truth, _ in runs]), counts),
    ):
        places, has_value = ranks.find(every[::-1])
        assert has_value[::-1].tolist() == truths
        expected = [count for count, truth in zip(before, truths, strict=True) if truth]
        assert places[::-1][np.array(truths)].tolist() == expected
        assert ranks.value_count == sum(truths)


@given(
    runs=st.lists(st.tuples(st.integers(0, 299), st.integers(1, 20_000)), min_size=1, max_size=40),
    width=st.sampled_from([1, 2, 3, 4]),
)
@example(runs=[(128, 1), (1, 64), (255, 8192)], width=1)
def test_runs_of_places(runs: list[tuple[int, int]], width: int) -> None:
    """Heads of one to three bytes, before numbers that look like heads themselves."""
    pairs = [(number % 256**width, count) for number, count in runs]
    raw = bytes([8 * width]) + b"".join(
        varint(count << 1) + number.to_bytes(width, "little") for number, count in pairs
    )
    found = read_places(memoryview(raw), sum(count for _, count in pairs))
    expected = np.repeat([number for number, _ in pairs], [count for _, count in pairs])
    assert found.tolist() == expected.tolist()
    with pytest.raises(UnknownLayoutError):
        read_places(memoryview(raw), sum(count for _, count in pairs) + 1)
    with pytest.raises(UnknownLayoutError):
        read_places(memoryview(raw[:-1]), sum(count for _, count in pairs))


SPARSE = pa.array(["a", None, "b", None, None, "a"] * 50)
KINDS = {
    "texts": SPARSE,
    "many texts": pa.array([f"/tmp/{number}" for number in range(70_000)] * 5),
    "numbers": pa.array([1, 1, None, 2**40] * 500),
    "large numbers": pa.array([2**64 - 1, None, 3] * 500, pa.uint64()),
    "truths": pa.array([True, None, False] * 500),
    "small numbers": pa.array([None, None, -5] * 9, pa.int32()),
    "no null": pa.array(["x", "y"] * 500),
    "distinct": pa.array([str(number) for number in range(2000)]),
}


@pytest.mark.parametrize("name", KINDS)
def test_columns_that_captures_have_are_read(name: str) -> None:
    """None of them is left to Arrow, which would be right as well, and slow."""
    raw = rows_file(KINDS[name].type, KINDS[name], Presence(len(KINDS[name])))
    assert by_stored(raw) == KINDS[name].to_pylist()


def test_a_sparse_column_is_read() -> None:
    """Few values among many rows."""
    column = Sparse(np.array([3, 200_000]), pa.array(["a", "b"]))
    raw = rows_file(pa.string(), column, Presence(300_000))
    assert by_stored(raw) == by_arrow(raw)


@settings(deadline=None, max_examples=300)
@given(
    name=st.sampled_from(["texts", "numbers", "truths"]),
    place=st.floats(0, 1),
    byte=st.integers(1, 255),
)
def test_changed_bytes_are_read_as_arrow_reads_them(name: str, place: float, byte: int) -> None:
    """Or are left to it, which says that they are damaged."""
    raw = bytearray(rows_file(KINDS[name].type, KINDS[name], Presence(len(KINDS[name]))))
    about = pq.read_metadata(io.BytesIO(raw)).row_group(0).column(0)
    raw[4 + int(place * (about.total_compressed_size - 1))] ^= byte
    try:
        expected = by_arrow(bytes(raw))
    except (OSError, pa.ArrowException, UnicodeDecodeError):
        return
    assert by_stored(bytes(raw)) in (None, expected)


@pytest.mark.parametrize("capture", sorted(CAPTURES.glob("*.parquet")), ids=lambda path: path.stem)
def test_every_column_of_a_capture(capture: Path) -> None:
    """Each row of each column, in any order; most columns are read this way."""
    read = 0
    with open_capture(capture) as opened:
        for group in opened.row_groups:
            rows = np.random.default_rng(7).permutation(group.row_count)
            for path in COLUMNS:
                column = opened.stored(group.index, path)
                if column is None:
                    continue
                read += 1
                expected = opened.read(group.index, [path])[path].take(pa.array(rows)).to_pylist()
                assert shown(rows_of(column)(rows)) == expected, path
        assert read > len(opened.row_groups) * 100


def shown(vector: TextVector | NumberVector) -> list[object]:
    """The values of a vector."""
    if isinstance(vector, TextVector):
        return list(texts_of(vector).to_pylist())
    pairs = zip(vector.values.tolist(), vector.present().tolist(), strict=True)
    return [value if there else None for value, there in pairs]
