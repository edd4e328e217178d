"""Mutated `.scap` captures: an error in one line or sound batches, never anything else."""

import gzip
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from falcotrace.errors import CaptureError
from falcotrace.scap import blocks
from falcotrace.scap.batch import EventBatch
from falcotrace.scap.reader import open_scap

CAPTURES = ("cat_write.scap", "sample.scap", "sd_unix.scap.gz", "t_udp_dns.scap.gz")
BLOCK_TYPES = (0x204, 0x208, 0x216, 0x217, 0x221, 0x222, 0x201, 0x215, 0x218, 0x0A0D0D0A, 7)
NUMBERS = (0, 1, 3, 11, 12, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
CASES_PER_CAPTURE = 150


def starts_of(capture: bytes) -> list[int]:
    """Where blocks begin."""
    starts = [0]
    while starts[-1] + 8 < len(capture):
        starts.append(starts[-1] + struct.unpack_from("<I", capture, starts[-1] + 4)[0])
    return starts[:-1]


def mutated(rng: random.Random, capture: bytes, starts: list[int]) -> bytes:
    """A capture with some of its bits, lengths, types and blocks changed."""
    data = bytearray(capture)
    for _ in range(rng.choice((1, 1, 2, 5, 30))):
        at = rng.choice(starts)
        near = min(at + rng.randrange(60), len(data) - 4)
        match rng.randrange(7):
            case 0:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 1:
                struct.pack_into("<I", data, near, rng.choice(NUMBERS))
            case 2:
                struct.pack_into("<H", data, near, rng.randrange(600))
            case 3:
                struct.pack_into("<I", data, min(at, len(data) - 4), rng.choice(BLOCK_TYPES))
            case 4:
                data[at:at] = data[at : at + rng.randrange(4000)]
            case 5:
                # The code of an event: its parameters are then those of another type.
                struct.pack_into("<H", data, min(at + 30, len(data) - 4), rng.randrange(460))
            case _:
                data = data[: max(64, rng.randrange(len(data)))]
    if rng.random() < 0.2:
        data = bytearray(gzip.compress(bytes(data), 1))
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def check_batch(batch: EventBatch) -> None:
    """All places lie in the data, all rows exist."""
    for params in batch.params.values():
        assert len(params.rows)
        assert 0 <= params.rows[0] <= params.rows[-1] < len(batch)
        has_value = params.lengths > 0
        assert (params.lengths >= 0).all()
        assert (params.offsets[has_value] >= 0).all()
        assert ((params.offsets + params.lengths)[has_value] <= len(batch.data)).all()
    assert (batch.enters < np.arange(len(batch))).all()


@pytest.mark.parametrize("name", CAPTURES)
def test_mutated_captures(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever is damaged, what can be had is sound, and the rest is a message."""
    capture = (shared / "oracle" / "captures" / name).read_bytes()
    if name.endswith(".gz") or capture.startswith(b"\x1f\x8b"):
        capture = gzip.decompress(capture)
    starts = starts_of(capture)
    path = tmp_path / "mutated.scap"
    for number in range(CASES_PER_CAPTURE):
        rng = random.Random(number)
        monkeypatch.setattr(blocks, "WINDOW_BYTES", rng.choice((5000, 1 << 26)))
        path.write_bytes(mutated(rng, capture, starts))
        try:
            with open_scap(path) as file:
                for section in file:
                    for batch in section:
                        check_batch(batch)
        except CaptureError as error:
            assert "\n" not in str(error)
