"""Captures with changed bytes: alerts or one line that says what is damaged, whatever was changed.

Pages are not compressed here, so that changes reach what is in them instead of a decompressor.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from falcotrace.capture.parquet import chunk
from falcotrace.capture.process_table import decode_processes, encode_processes
from falcotrace.capture.reader import open_capture
from falcotrace.engines.base import ScanOptions
from falcotrace.engines.replay import ReplayEngine
from falcotrace.engines.vectors import vector_from_arrow
from falcotrace.errors import CaptureError
from falcotrace.rules.plan import Plan
from falcotrace.rules.shipped import load_plan
from restamped import restamp
from shipped_captures import CAPTURES

CASES = 200
HEAD_BYTES = 40


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The rules that ship: they ask for most columns."""
    return load_plan()


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture without compression."""
    path = tmp_path_factory.mktemp("bare") / "bare.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunk, "_compress", lambda bodies, _: (bodies, chunk.UNCOMPRESSED))
        restamp(CAPTURES / "discovery.parquet", path, "host", 0)
    return path


def places(path: Path, rng: random.Random) -> Iterator[int]:
    """Bytes of column chunks that hold something, those of page heads as often as all others."""
    metadata = pq.read_metadata(path)
    chunks = [
        about
        for group in range(metadata.num_row_groups)
        for about in map(metadata.row_group(group).column, range(metadata.num_columns))
        if about.total_compressed_size > 2 * HEAD_BYTES
    ]
    while True:
        about = rng.choice(chunks)
        begin = about.data_page_offset
        if about.has_dictionary_page:
            begin = about.dictionary_page_offset
        yield begin + rng.randrange(rng.choice([HEAD_BYTES, about.total_compressed_size]))


def test_changed_pages(bare: Path, plan: Plan, tmp_path: Path) -> None:
    """Places beyond a dictionary, texts that are no UTF-8, levels and lengths of all kinds."""
    rng = random.Random(7)
    spots = places(bare, rng)
    damaged = 0
    for _ in range(CASES):
        raw = bytearray(bare.read_bytes())
        for _ in range(rng.randint(1, 30)):
            raw[next(spots)] = rng.choice([0, 1, 128, 255, rng.randrange(256)])
        path = tmp_path / "changed.parquet"
        path.write_bytes(raw)
        try:
            with open_capture(path) as capture:
                for _batch in ReplayEngine().scan([capture], plan, ScanOptions(threads=1)):
                    pass
        except CaptureError as error:
            assert "is damaged" in str(error)
            damaged += 1
    assert CASES // 4 < damaged < CASES


def test_changed_tables_of_processes() -> None:
    """Arrow's streams are believed by their readers: offsets that lie are found before."""
    with open_capture(CAPTURES / "discovery.parquet") as capture:
        packed = encode_processes(capture.process_table(0))
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        table = stream.read()
    rng = random.Random(8)
    damaged = 0
    for _ in range(10 * CASES):
        raw = bytearray(table)
        for _ in range(rng.randint(1, 6)):
            raw[rng.randrange(len(raw))] = rng.choice([0, 128, 255, rng.randrange(256)])
        try:
            found = decode_processes(bytes(raw))
        except (OSError, ValueError, pa.ArrowException):
            damaged += 1
            continue
        for column in found.columns:
            vector_from_arrow(pa.concat_arrays(column.chunks))
            column.to_pylist()
    assert damaged > CASES
