"""Fixtures of the kernel side's live tests."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from falcotrace.record.libbpf import KERNEL_BTF
from falcotrace.record.session import SessionSettings
from live.kernel.recording import Recorder, Recording


@pytest.fixture(scope="session", autouse=True)
def _needs_kernel() -> None:
    reasons = []
    if os.geteuid() != 0:
        reasons.append("needs root")
    if not KERNEL_BTF.exists():
        reasons.append(f"needs a kernel with {KERNEL_BTF}")
    if reasons and os.environ.get("CI") == "true":
        pytest.fail(", ".join(reasons))
    if reasons:
        pytest.skip(", ".join(reasons))


@pytest.fixture(scope="session")
def shared_recorder() -> Iterator[Recorder]:
    """One session for all tests that need no settings of their own."""
    recorder = Recorder(SessionSettings(follow_only=True, ring_bytes=16 << 20))
    yield recorder
    recorder.close()


@pytest.fixture
def record(shared_recorder: Recorder) -> Callable[[Callable[[], object]], Recording]:
    """Record what a function does in a child process."""
    return shared_recorder.run


@pytest.fixture
def new_recorder() -> Iterator[Callable[..., Recorder]]:
    """Make sessions with other settings; they end with the test."""
    made: list[Recorder] = []

    def make(**settings: Any) -> Recorder:
        values = {"follow_only": True, "ring_bytes": 16 << 20} | settings
        made.append(Recorder(SessionSettings(**values)))
        return made[-1]

    yield make
    for recorder in made:
        recorder.close()
