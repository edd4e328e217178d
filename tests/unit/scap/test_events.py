"""Decoding events of `.scap` captures: all block types, and headers that lie."""

import struct
from pathlib import Path

import pytest

from falcotrace.scap.batch import EventBatch
from falcotrace.scap.reader import open_scap
from unit.scap.scap_bytes import (
    EVENT_BLOCKS,
    EVENT_V1,
    EVENT_V2,
    EVENT_V2_LARGE,
    EVENT_V2_WITH_FLAGS,
    block,
    event,
    event_body,
    i64,
    section,
    u32,
)

GETUID, GETRESUID, PROCINFO, PLUGIN, NOTIFICATION = 203, 211, 234, 322, 280


def read(folder: Path, *blocks: bytes) -> tuple[list[EventBatch], list[str]]:
    """Batches and warnings of a capture with these blocks."""
    path = folder / "a.scap"
    path.write_bytes(section() + b"".join(blocks))
    with open_scap(path) as file:
        batches = [batch for part in file for batch in part]
    return batches, [f"{w.message} x{w.count} @{w.offset}" for w in file.warnings]


def params_of(batch: EventBatch, row: int) -> list[bytes]:
    """The parameters of an event."""
    params = batch.params[int(batch.codes[row])]
    place = params.rows.tolist().index(row)
    pairs = zip(params.offsets[place].tolist(), params.lengths[place].tolist(), strict=True)
    return [batch.data[at : at + size].tobytes() for at, size in pairs]


def test_every_block_type(tmp_path: Path) -> None:
    """Mixed in one capture, each with its own layout, and still in the order of the file."""
    blocks = [
        event(GETUID, [u32(number)], kind=kind, time=number, tid=-number, cpu=300 + number)
        for number, kind in enumerate(EVENT_BLOCKS * 2)
    ]
    (batch,), warnings = read(tmp_path, *blocks)
    count = len(blocks)
    assert warnings == []
    assert batch.times_ns.tolist() == list(range(count))
    assert batch.tids.tolist() == [-number for number in range(count)]
    assert batch.cpus.tolist() == [300 + number for number in range(count)]
    assert [params_of(batch, row) for row in range(count)] == [[u32(n)] for n in range(count)]


def test_hidden_events_are_numbered_and_not_delivered(tmp_path: Path) -> None:
    """A filtered capture keeps events for the state; only the lowest flag says so."""
    blocks = [
        event(GETUID, [u32(0)], kind=EVENT_V2_WITH_FLAGS, flags=flags) for flags in (0, 1, 4, 5)
    ]
    (batch,), _ = read(tmp_path, *blocks)
    assert batch.nums.tolist() == [1, 2, 3, 4]
    assert batch.is_delivered.tolist() == [True, False, True, False]


def test_large_payload(tmp_path: Path) -> None:
    """Some types have lengths of four bytes, and values beyond 64 KiB."""
    payload = bytes(range(256)) * 1000
    (batch,), warnings = read(
        tmp_path, event(PLUGIN, [u32(9), payload], kind=EVENT_V2_LARGE, width=4)
    )
    assert warnings == []
    assert params_of(batch, 0) == [u32(9), payload]


@pytest.mark.parametrize("count", range(5))
def test_number_of_parameters_is_found(tmp_path: Path, count: int) -> None:
    """Old blocks do not tell it: as many as add up to the event's length."""
    values = [i64(0), u32(1), u32(2), u32(3)][:count]
    (batch,), warnings = read(tmp_path, event(GETRESUID, values, kind=EVENT_V1))
    assert warnings == []
    assert params_of(batch, 0) == values + [b""] * (4 - count)


def test_an_old_event_whose_lengths_do_not_add_up(tmp_path: Path) -> None:
    """It is left out, the others are not."""
    bad = bytearray(event(GETUID, [u32(1)], kind=EVENT_V1))
    bad[32:34] = b"\x03\0"
    (batch,), warnings = read(tmp_path, bytes(bad), event(GETUID, [u32(1)], kind=EVENT_V1))
    assert len(batch) == 1
    assert warnings == ["events with more parameters than their type has left out x1 @28"]


def test_lengths_of_two_old_types_are_too_large(tmp_path: Path) -> None:
    """Old writers added three bytes to notifications."""
    body = bytearray(event_body(NOTIFICATION, [b"id\0", b"text\0"], kind=EVENT_V1))
    body[16:20] = u32(len(body) + 3)
    (batch,), warnings = read(tmp_path, block(EVENT_V1, b"\0\0" + bytes(body) + bytes(4)))
    assert warnings == []
    assert params_of(batch, 0) == [b"id\0", b"text\0"]


def test_older_writers_knew_fewer_parameters(tmp_path: Path) -> None:
    """What is not there has no value."""
    (batch,), _ = read(tmp_path, event(GETRESUID, [i64(0)]))
    assert params_of(batch, 0) == [i64(0), b"", b"", b""]


def with_header(code: int, count: int, size: int, rest: bytes = bytes(16)) -> bytes:
    """An event block with a header of one's own."""
    return block(EVENT_V2, b"\0\0" + struct.pack("<qqIHI", 0, 1, size, code, count) + rest)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (with_header(460, 0, 26), "events of unknown types"),
        (with_header(GETUID, 0, 25), "events with a wrong length"),
        (with_header(GETUID, 0, 1 << 30), "events with a wrong length"),
        (with_header(GETUID, 2, 42), "events with more parameters than their type has"),
        (with_header(GETUID, 0xFFFFFFFF, 42), "events with more parameters than their type has"),
        (with_header(GETUID, 1, 26), "events whose parameters do not fit"),
        (with_header(GETUID, 1, 30, b"\xff\xff" + bytes(20)), "events whose parameters do not fit"),
        (with_header(GETRESUID, 4, 42, b"\x20\0" * 8), "events whose parameters do not fit"),
        (
            with_header(PLUGIN, 2, 42, b"\xff\xff\xff\xff" * 4),
            "events whose parameters do not fit",
        ),
        (block(EVENT_V2, b""), "event blocks without an event"),
        (block(EVENT_V2, bytes(20)), "event blocks without an event"),
        (block(EVENT_V2_WITH_FLAGS, bytes(27)), "event blocks without an event"),
    ],
)
def test_events_that_cannot_be_are_left_out(tmp_path: Path, bad: bytes, message: str) -> None:
    """Each costs itself alone: it has no number, and the warning tells where the first is."""
    good = event(GETUID, [u32(7)])
    batches, warnings = read(tmp_path, good, bad, bad, good)
    assert [num for batch in batches for num in batch.nums.tolist()] == [1, 2]
    assert warnings == [f"{message} left out x2 @{28 + len(good)}"]


def test_a_capture_of_bad_events_alone(tmp_path: Path) -> None:
    """A batch may be empty."""
    batches, _ = read(tmp_path, with_header(460, 0, 26))
    assert [len(batch) for batch in batches] == [0]
    assert batches[0].params == {}


def test_values_of_the_wrong_size_are_missing(tmp_path: Path) -> None:
    """A number of seven bytes is no number; texts have any size."""
    good = event(PROCINFO, [i64(1), i64(2)])
    bad = event(PROCINFO, [bytes(7), i64(2)])
    (batch,), warnings = read(tmp_path, good, bad)
    assert params_of(batch, 0) == [i64(1), i64(2)]
    assert params_of(batch, 1) == [b"", i64(2)]
    assert warnings == ["values that do not fit their type taken for missing x1 @28"]


def test_parameters_lie_one_after_the_other_in_memory(tmp_path: Path) -> None:
    """Readers take all rows of a parameter: that must not stride."""
    (batch,), _ = read(tmp_path, *[event(GETRESUID, [i64(0), u32(1), u32(2), u32(3)])] * 9)
    params = batch.params[GETRESUID]
    assert params.offsets.shape == params.lengths.shape == (9, 4)
    assert params.offsets[:, 1].flags.c_contiguous
    assert params.lengths[:, 1].flags.c_contiguous
