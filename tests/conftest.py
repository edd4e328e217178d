"""Fixtures that all tests share."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

_LEFT_OPEN = 30
"""What fixtures of a longer life and libraries may open during one test."""


def pytest_configure() -> None:
    """Ctrl-C means what it means on a terminal, also where whoever runs the tests ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def few_files_left_open() -> Iterator[None]:
    """A test lets go of its descriptors: a thousand left open fail others, far from the cause."""
    before = _open_count()
    yield
    if _open_count() > before + _LEFT_OPEN:
        gc.collect()
        assert _open_count() <= before + _LEFT_OPEN, "descriptors are left open"


def _open_count() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material, beside the repository or named by FALCOTRACE_SHARED."""
    beside = Path(__file__).parents[2] / "shared"
    folder = Path(os.environ.get("FALCOTRACE_SHARED", beside))
    if not folder.is_dir():
        message = f"no reference material at {folder}; set FALCOTRACE_SHARED"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder
