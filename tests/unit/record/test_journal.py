"""The journal gives back what was written, whatever tears its end."""

import os
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from falcotrace.errors import RecordError
from falcotrace.record import journal as journal_module
from falcotrace.record.journal import HEAD, Journal, JournalReader, segments
from falcotrace.record.ring import Batch
from unit.record.made_samples import Stream

MAGIC = 77


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a few samples."""
    monkeypatch.setattr(journal_module, "SEGMENT_BYTES", 120)


def batch_of(*results: int) -> Batch:
    """Events with these results."""
    stream = Stream()
    for result in results:
        stream.call("close", *[2**63 - 1] * 6, ret=result)
    return stream.batch()


def results_in(batches: list[Batch]) -> list[int]:
    """The results of events, which stand at one place in each."""
    return [
        int(batch.raw[start + 32 : start + 40].view("<i8")[0])
        for batch in batches
        for start in batch.starts.tolist()
    ]


def results_on_disk(folder: Path) -> list[int]:
    """What a new reader finds."""
    with closing(JournalReader(folder, MAGIC)) as reader:
        return results_in(list(reader.batches(100)))


def written(folder: Path, *batches: Batch) -> Journal:
    """A journal with these batches."""
    journal = Journal(folder, MAGIC)
    for batch in batches:
        journal.append(batch)
    return journal


def test_samples_come_back_in_their_order(tmp_path: Path) -> None:
    """Over several files, a batch at a time, and once each."""
    journal = written(tmp_path, batch_of(1, 2), batch_of(), batch_of(3), batch_of(4, 5, 6))
    assert len(segments(tmp_path)) == 2
    assert journal.sample_count == 6
    reader = JournalReader(tmp_path, MAGIC)
    assert results_in(list(reader.batches(1))) == [1, 2]
    assert results_in(list(reader.batches(100))) == [3, 4, 5, 6]
    assert list(reader.batches(1)) == []
    assert (reader.position, reader.sample_count) == (journal.end, 6)


def test_reading_while_it_grows(tmp_path: Path) -> None:
    """What comes later is read later, in a new file or in the one at hand."""
    journal = written(tmp_path)
    reader = JournalReader(tmp_path, MAGIC)
    for number in range(20):
        assert list(reader.batches(1)) == []
        journal.append(batch_of(number))
        assert results_in(list(reader.batches(1))) == [number]
        reader.drop_read()
        assert len(segments(tmp_path)) == 1


@pytest.mark.parametrize("first", range(7))
def test_going_on_behind_what_is_converted(tmp_path: Path, first: int) -> None:
    """Another reader begins at any sample, though the files before it are gone."""
    journal = written(tmp_path, *(batch_of(number) for number in range(7)))
    reader = JournalReader(tmp_path, MAGIC)
    size = journal.end // 7
    found = []
    for batch in reader.batches(100):
        found += results_in([batch])
    again = JournalReader(tmp_path, MAGIC, first * size)
    assert found == list(range(7))
    assert results_in(list(again.batches(100))) == found[first:]
    again.drop_read()
    last = JournalReader(tmp_path, MAGIC, 6 * size)
    assert results_in(list(last.batches(100))) == [6]


def test_a_torn_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole batches count; what a power cut left of the last one does not, zeros included."""
    monkeypatch.setattr(journal_module, "SEGMENT_BYTES", 1 << 20)
    journal = written(tmp_path, batch_of(1))
    (path,) = segments(tmp_path)
    head, first = HEAD.size, path.stat().st_size
    journal.append(batch_of(2, 3))
    raw = path.read_bytes()
    assert head < first < len(raw)
    for kept in range(head, len(raw)):
        whole = [1] if kept >= first else []
        for torn in (raw[:kept], raw[:kept] + bytes(len(raw) - kept)):
            # Behind the last byte that is not zero nothing is torn.
            if torn != raw:
                path.write_bytes(torn)
                assert results_on_disk(tmp_path) == whole, kept


def test_changed_bytes_are_no_samples(tmp_path: Path) -> None:
    """Any byte that is otherwise ends the journal there: no error, nothing made up, no memory."""
    written(tmp_path, batch_of(1), batch_of(2))
    (path, *_) = segments(tmp_path)
    raw = path.read_bytes()
    for place in range(HEAD.size, len(raw)):
        for change in (0x01, 0x80, 0xFF):
            changed = bytearray(raw)
            changed[place] ^= change
            path.write_bytes(changed)
            found = results_on_disk(tmp_path)
            assert found in ([], [1], [1, 2]), (place, change)


def test_a_file_without_a_head_is_the_last_one(tmp_path: Path) -> None:
    """The machine went down when it was made."""
    written(tmp_path, batch_of(1, 2, 3))
    (tmp_path / "journal-00000002").write_bytes(b"FTJ")
    assert results_on_disk(tmp_path) == [1, 2, 3]


def test_another_recordings_file(tmp_path: Path) -> None:
    """Is refused by name, and not converted."""
    written(tmp_path, batch_of(1))
    with pytest.raises(RecordError, match="journal-00000001 is not a part of this recording"):
        list(JournalReader(tmp_path, MAGIC + 1).batches(1))


def test_what_cannot_be_written_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills up in the middle of a batch leaves the journal as it was before."""
    journal = written(tmp_path, batch_of(1))
    write = os.write
    left = [100]

    def write_some(file: int, data: memoryview) -> int:
        if not left:
            raise OSError(28, "No space left on device")
        return write(file, data[: left.pop()])

    monkeypatch.setattr(os, "write", write_some)
    with pytest.raises(OSError, match="No space left"):
        journal.append(batch_of(2, 3))
    monkeypatch.setattr(os, "write", write)
    journal.append(batch_of(4))
    assert results_on_disk(tmp_path) == [1, 4]
    assert np.array_equal([journal.sample_count], [2])
