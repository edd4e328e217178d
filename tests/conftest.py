"""Fixtures that all tests share."""

import os
import signal
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """Ctrl-C means what it means on a terminal, also where whoever runs the tests ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
