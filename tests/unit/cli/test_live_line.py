"""Who waits at a terminal is told that something happens; a pipe is told nothing."""

import io
import sys
import time
from collections.abc import Iterator

import pytest

from falcotrace.cli import live_line
from falcotrace.cli.live_line import Waiting

CLEARED = "\r\x1b[K"
SOON = 0.02


class Terminal(io.StringIO):
    """What is drawn on a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a second here."""
    monkeypatch.setattr(live_line, "_PATIENCE_SECONDS", 3 * SOON)
    monkeypatch.setattr(live_line, "_INTERVAL_SECONDS", SOON)


def wait_for(drawn: io.StringIO, text: str) -> None:
    """Until something was drawn."""
    ends = time.monotonic() + 20
    while text not in drawn.getvalue():
        assert time.monotonic() < ends, drawn.getvalue()
        time.sleep(SOON)


def test_a_line_is_drawn_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it takes long, and nothing of it is left."""
    drawn = Terminal()
    monkeypatch.setattr(sys, "stderr", drawn)
    with Waiting("counting"):
        wait_for(drawn, "counting  0 s")
    assert drawn.getvalue().endswith(CLEARED)


def test_what_is_printed_has_the_place_of_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is gone before each item, after the last one, and comes back between them."""
    drawn = Terminal()
    monkeypatch.setattr(sys, "stderr", drawn)

    def items() -> Iterator[int]:
        for number in range(2):
            drawn.seek(0)
            drawn.truncate()
            wait_for(drawn, "counting")
            yield number

    with Waiting("counting") as waiting:
        for _ in waiting.before_each(items()):
            assert drawn.getvalue().endswith(CLEARED)


def test_a_pipe_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that read standard error find messages only."""
    drawn = io.StringIO()
    monkeypatch.setattr(sys, "stderr", drawn)
    with Waiting("counting") as waiting:
        assert list(waiting.before_each([1, 2])) == [1, 2]
        time.sleep(5 * SOON)
    assert drawn.getvalue() == ""
