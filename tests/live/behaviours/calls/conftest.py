"""The fixture with which a system call is made and its decoded event looked at."""

import ctypes
from collections.abc import Callable, Iterator

import pytest

from live.behaviours.calls.observing import Observed, Observer

Observe = Callable[[Callable[[], object]], Observed]


@pytest.fixture(scope="session")
def _observer(live_kernel: None) -> Iterator[Observer]:
    observer = Observer()
    yield observer
    observer.close()


@pytest.fixture
def observe(_observer: Observer) -> Observe:
    """Run a function in a child process and return the decoded events of it."""
    return _observer.run


@pytest.fixture(scope="session")
def _contents_observer(live_kernel: None) -> Iterator[Observer]:
    observer = Observer(data_bytes=64)
    yield observer
    observer.close()


@pytest.fixture
def observe_contents(_contents_observer: Observer) -> Observe:
    """The same, with the first 64 bytes of whatever is read or written."""
    return _contents_observer.run


@pytest.fixture(scope="session")
def libc() -> ctypes.CDLL:
    """The C library, for calls that Python does not have or dresses up."""
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return library
