"""A log gives back the records that are whole, and nothing else."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from falcotrace.record.framed_log import FramedLog, read_log

RECORDS = st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=20)), max_size=6)


@given(records=RECORDS, cut=st.integers(0, 200), flipped=st.none() | st.integers(0, 200))
def test_damage_loses_the_end_and_invents_nothing(
    records: list[tuple[int, bytes]], cut: int, flipped: int | None
) -> None:
    """Cut anywhere, with a byte changed anywhere: the whole records before it are there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.log"
        log = FramedLog(path)
        ends = []
        for kind, payload in records:
            log.append(kind, payload)
            ends.append(log.end)
        log.sync()
        log.close()
        raw = bytearray(path.read_bytes())[: cut or None]
        damage = len(raw)
        if flipped is not None and flipped < len(raw):
            raw[flipped] ^= 0x40
            damage = flipped
        path.write_bytes(raw)
        whole = [record for record, end in zip(records, ends, strict=True) if end <= damage]
        assert list(read_log(path)) == whole


@given(records=RECORDS, kept=st.integers(0, 6))
def test_going_on_behind_a_record(records: list[tuple[int, bytes]], kept: int) -> None:
    """What stood behind a checkpoint is gone; what is added later is there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.log"
        log = FramedLog(path)
        ends = [0]
        for kind, payload in records:
            log.append(kind, payload)
            ends.append(log.end)
        log.close()
        kept = min(kept, len(records))
        assert list(read_log(path, ends[kept])) == records[:kept]
        again = FramedLog(path, ends[kept])
        again.append(7, b"later")
        again.close()
        assert list(read_log(path)) == [*records[:kept], (7, b"later")]
