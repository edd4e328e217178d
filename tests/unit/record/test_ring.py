"""Finding samples in the ring's memory: any mixture, any hostile content, any unfinished end."""

import mmap
import os
import tempfile
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from falcotrace.errors import RecordError
from falcotrace.record.ring import Ring, find_samples

MAGIC = 0x5EED1235
BUSY, DISCARDED = 1 << 31, 1 << 30


def sample(payload: bytes, marks: int = 0, magic: int = MAGIC) -> bytes:
    """One sample as the kernel writes it: header, magic, payload, padding."""
    body = magic.to_bytes(4, "little") + payload
    header = (len(body) | marks).to_bytes(4, "little") + bytes(4)
    return header + body + bytes(-len(body) % 8)


def raw(*pieces: bytes) -> NDArray[np.uint8]:
    """Pieces of the ring, back to back."""
    return np.frombuffer(b"".join(pieces), np.uint8)


def payloads(memory: NDArray[np.uint8]) -> list[bytes]:
    """What is found in it, without the magic number."""
    found = find_samples(memory, MAGIC)
    return [
        found.raw[start + 4 : start + length].tobytes()
        for start, length in zip(found.starts.tolist(), found.lengths.tolist(), strict=True)
    ]


def test_nothing_is_found_in_nothing() -> None:
    """An empty ring is no error."""
    assert payloads(raw()) == []
    assert len(find_samples(raw(), MAGIC)) == 0


def test_equal_samples() -> None:
    """A run of samples of one length, the common case."""
    memory = raw(*[sample(bytes([i]) * 92) for i in range(200)])
    assert payloads(memory) == [bytes([i]) * 92 for i in range(200)]


def test_used_bytes_end_with_the_last_whole_sample() -> None:
    """A sample that is only partly in the memory is left for later."""
    whole = sample(b"abcd") + sample(b"efghijkl")
    found = find_samples(raw(whole, sample(b"x" * 100)[:40]), MAGIC)
    assert len(found) == 2
    assert len(found.raw) == len(whole)


@pytest.mark.parametrize("position", [0, 1, 5])
def test_busy_sample_ends_the_batch(position: int) -> None:
    """What the kernel has reserved and not yet written is not handed out, nor what follows."""
    pieces = [sample(b"payload" + bytes([i])) for i in range(6)]
    pieces[position] = sample(b"stale bytes of an earlier lap", marks=BUSY)
    assert len(payloads(raw(*pieces))) == position


def test_busy_sample_without_magic() -> None:
    """Memory that was never written holds no magic number behind a busy header."""
    busy = (20 | BUSY).to_bytes(4, "little") + bytes(28)
    assert payloads(raw(sample(b"one "), busy, sample(b"two "))) == [b"one "]


def test_magic_in_a_payload_is_no_sample() -> None:
    """A traced program that guessed the number can still not forge a sample."""
    forged = sample(b"i am not here")
    memory = raw(sample(b"before"), sample(b"1234" + forged * 3), sample(b"after"))
    assert [text[:6] for text in payloads(memory)] == [b"before", b"1234" + forged[:2], b"after"]


def test_forged_length_cannot_hide_a_sample() -> None:
    """A forged header inside a payload that claims to reach far hides nothing."""
    forged = (4000).to_bytes(4, "little") + bytes(4) + MAGIC.to_bytes(4, "little")
    memory = raw(sample(b"1234" + forged), sample(b"seen"), sample(b"too "))
    assert payloads(memory)[1:] == [b"seen", b"too "]


@given(
    st.lists(st.tuples(st.binary(max_size=300), st.booleans()), max_size=40),
    st.integers(min_value=0, max_value=200),
)
@settings(max_examples=200, deadline=None)
def test_any_mixture(texts: list[tuple[bytes, bool]], cut: int) -> None:
    """Whatever the lengths and contents: what comes out is what a walk by headers finds."""
    pieces = [sample(b"1234" + sample(text) if nested else text) for text, nested in texts]
    memory = raw(*pieces)
    memory = memory[: max(0, len(memory) - cut)]
    expected, at = [], 0
    while at + 8 <= len(memory):
        length = int(memory[at : at + 4].view("<u4")[0])
        end = at + 8 + (length + 7) // 8 * 8
        if end > len(memory):
            break
        expected.append(memory[at + 12 : at + 8 + length].tobytes())
        at = end
    assert payloads(memory) == expected


class FakeRing:
    """A file with a ring's layout: consumer page, producer page, data, and the data again."""

    SIZE = mmap.PAGESIZE

    def __init__(self, fd: int) -> None:
        self.fd = fd
        os.ftruncate(fd, 2 * mmap.PAGESIZE + 2 * self.SIZE)
        self.position = 0

    def put(self, data: bytes) -> None:
        """Append as the kernel would, in both mappings."""
        for offset, byte in enumerate(data):
            place = (self.position + offset) % self.SIZE
            for lap in (0, self.SIZE):
                os.pwrite(self.fd, bytes([byte]), 2 * mmap.PAGESIZE + lap + place)
        self.position += len(data)
        os.pwrite(self.fd, self.position.to_bytes(8, "little"), mmap.PAGESIZE)

    @property
    def consumed(self) -> int:
        """The position up to which room was given back."""
        return int.from_bytes(os.pread(self.fd, 8, 0), "little")


@pytest.fixture
def fake() -> Iterator[FakeRing]:
    """A ring in a file."""
    with tempfile.TemporaryFile() as file:
        yield FakeRing(file.fileno())


def test_ring_wraps_around(fake: FakeRing) -> None:
    """Samples across the ring's end come out whole, for many laps."""
    ring = Ring(fake.fd, fake.SIZE, MAGIC)
    for lap in range(30):
        texts = [bytes([lap]) * 400, b"x" * 333]
        for text in texts:
            fake.put(sample(text))
        batch = ring.take()
        assert [batch.raw[s + 4 : s + 8].tobytes() for s in batch.starts] == [
            text[:4] for text in texts
        ]
        ring.release(batch)
        del batch
        assert fake.consumed == fake.position
    assert ring.pending_bytes == 0
    ring.close()


def test_take_does_not_release(fake: FakeRing) -> None:
    """Until it is released the batch's memory is not overwritten, and is handed out again."""
    ring = Ring(fake.fd, fake.SIZE, MAGIC)
    fake.put(sample(b"abcd"))
    assert len(ring.take()) == len(ring.take()) == 1
    assert fake.consumed == 0
    ring.close()


def test_detached_batch_outlives_the_ring(fake: FakeRing) -> None:
    """A copy keeps its bytes when the kernel writes over the original."""
    ring = Ring(fake.fd, fake.SIZE, MAGIC)
    fake.put(sample(b"first"))
    batch = ring.take().detach()
    ring.close()
    assert batch.raw[12:17].tobytes() == b"first"


def test_discarded_sample_is_passed(fake: FakeRing) -> None:
    """A sample that the kernel gave up takes room and nothing else."""
    ring = Ring(fake.fd, fake.SIZE, MAGIC)
    fake.put(sample(b"gone", marks=DISCARDED, magic=0) + sample(b"kept"))
    texts = []
    for _ in range(2):
        batch = ring.take()
        texts += [batch.raw[start + 4 : start + 8].tobytes() for start in batch.starts]
        ring.release(batch)
        del batch
    assert texts == [b"kept"]
    ring.close()


def test_limit_never_stops_the_ring(fake: FakeRing) -> None:
    """A sample larger than the batch limit is handed out by itself."""
    ring = Ring(fake.fd, fake.SIZE, MAGIC)
    fake.put(sample(b"z" * 1000))
    assert len(ring.take(limit=64)) == 1
    ring.close()


def test_corrupt_ring_is_an_error(fake: FakeRing) -> None:
    """Something else than a sample is reported; waiting for it forever would hide it."""
    ring = Ring(fake.fd, fake.SIZE, MAGIC)
    fake.put(sample(b"abcd", magic=1))
    with pytest.raises(RecordError, match="not a sample"):
        ring.take()
    ring.close()
