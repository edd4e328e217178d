"""The thread that empties the ring."""

import time
from typing import cast

import numpy as np
import pytest

from falcotrace.errors import RecordError
from falcotrace.record.drain import Drain
from falcotrace.record.ring import Batch, Ring


class FakeRing:
    """Hands out what it is given, and remembers what was released."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.released = 0
        self.failure: Exception | None = None

    def put(self, sample_count: int, size: int = 100) -> None:
        """Let some samples come."""
        starts = np.arange(sample_count, dtype=np.int64)
        raw = np.zeros(size, np.uint8)
        self.batches.append(Batch(raw, starts, np.ones(sample_count, np.uint32)))

    def take(self) -> Batch:
        """The next batch; an empty one if there is none."""
        if self.failure:
            raise self.failure
        empty = np.zeros(0, np.uint8)
        nothing = Batch(empty, np.zeros(0, np.int64), np.zeros(0, np.uint32))
        return self.batches[0] if self.batches else nothing

    def release(self, batch: Batch) -> None:
        """Note that a batch was given back."""
        self.batches.remove(next(one for one in self.batches if one is batch))
        self.released += 1


def _wait(drain: Drain, samples: int) -> None:
    limit = time.monotonic() + 10
    while drain.taken_count < samples:
        assert time.monotonic() < limit
        time.sleep(0.002)


def _lengths(drain: Drain) -> list[int]:
    """Samples in each of the batches that wait, which are taken."""
    return [len(batch) for batch in iter(drain.take, None)]


def test_everything_is_taken_and_given_back() -> None:
    """What comes later counts as well; the end empties the ring once more."""
    ring = FakeRing()
    ring.put(3)
    ring.put(4)
    drain = Drain(cast("Ring", ring))
    drain.start()
    _wait(drain, 7)
    assert _lengths(drain) == [3, 4]
    ring.put(5)
    drain.stop()
    assert _lengths(drain) == [5]
    assert (drain.taken_count, ring.released) == (12, 3)
    assert not drain.is_alive


def test_memory_is_bounded() -> None:
    """When nobody converts, the ring is left to fill and the kernel counts what is lost."""
    ring = FakeRing()
    drain = Drain(cast("Ring", ring), limit_bytes=150)
    for _ in range(4):
        ring.put(1)
    drain.start()
    _wait(drain, 2)
    time.sleep(0.05)
    assert _lengths(drain) == [1, 1]
    _wait(drain, 4)
    drain.stop()
    assert drain.taken_count == 4


def test_failure_reaches_whoever_stops() -> None:
    """A ring that holds something else is not silently left alone."""
    ring = FakeRing()
    ring.failure = RecordError("no sample")
    drain = Drain(cast("Ring", ring))
    drain.start()
    with pytest.raises(RecordError, match="no sample"):
        drain.stop()
