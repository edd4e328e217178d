"""A command that waits for the recorder and is waited for."""

import os
import time
from pathlib import Path

import pytest

from falcotrace.record.followed import FollowedCommand, start_command


def _exit_code(command: FollowedCommand) -> int | None:
    command.release()
    limit = time.monotonic() + 30
    while not command.has_ended():
        assert time.monotonic() < limit
        time.sleep(0.005)
    return command.exit_status


def test_nothing_happens_before_the_release(tmp_path: Path) -> None:
    """What the command did before the recording began would not be in it."""
    made = tmp_path / "made"
    command = start_command(["touch", str(made)])
    assert command is not None
    time.sleep(0.05)
    assert not made.exists()
    assert not command.has_ended()
    assert _exit_code(command) == 0
    assert made.exists()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["sh", "-c", "exit 3"], 3),
        (["sh", "-c", "kill -9 $$"], 137),
        (["/nonexistent/program"], 127),
        (["/etc/passwd"], 126),
    ],
)
def test_exit_codes_are_a_shells(command: list[str], code: int, capfd: object) -> None:
    """Ended, killed, not found, not executable."""
    started = start_command(command)
    assert started is not None
    assert _exit_code(started) == code


def test_abandoned_command_never_starts(tmp_path: Path) -> None:
    """If the recorder fails, the waiting child ends without having done anything."""
    made = tmp_path / "made"
    command = start_command(["touch", str(made)])
    assert command is not None
    os.close(command._gate_write)
    assert os.waitpid(command.pid, 0)[1] == 0
    assert not made.exists()


def test_no_command() -> None:
    """A recording of the whole host follows nobody."""
    assert start_command([]) is None
