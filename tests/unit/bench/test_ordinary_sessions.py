"""What people type on the machine of ordinary work."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from ordinary.seats import SEATS
from ordinary.sessions import SESSIONS, Line, read_session

OF_THE_HOST = re.compile(
    r"timedatectl set-|\bdate -s|hwclock|sysctl (-w|-p|--system|--load)|modprobe|insmod|rmmod"
    r"|\bswapon|losetup|/proc/sysrq|\breboot\b|dmesg -[cC]"
)
"""What no namespace keeps apart: the clock, the kernel's settings, its modules and its log."""


def test_every_seat_has_its_sessions() -> None:
    """A session that is misspelt would be noticed only in the middle of an hour's recording."""
    names = {name for seat in SEATS for name in seat.sessions} | {"container"}
    assert names == {path.stem for path in SESSIONS.glob("*.session")}
    assert all(read_session(name).lines for name in names)


def test_no_session_reaches_the_host() -> None:
    """The machine shares its kernel with whoever records: nothing typed there may change that."""
    typed = [
        line.text for path in SESSIONS.glob("*.session") for line in read_session(path.stem).lines
    ]
    assert [text for text in typed if OF_THE_HOST.search(text)] == []


def test_directives(tmp_path: Path) -> None:
    """Directives say how the line after them is typed, and hold for that line alone."""
    text = "# hello\n@needs /bin/a\n@once\n@limit 9\n@expect x$\nls\nls\n"
    text += "@wait 2\n@start vi\n@keys \\x1b:q\\r\n"
    (tmp_path / "a.session").write_text(text)
    session = read_session("a", tmp_path)
    assert (session.needs, session.is_once) == (("/bin/a",), True)
    assert session.lines == (
        Line("ls", 9.0, "x$"),
        Line("ls"),
        Line("vi\r", is_keys=True, pause_s=2.0),
        Line("\x1b:q\r", is_keys=True),
    )


def test_a_directive_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    """A typing mistake in a directive does not become a command."""
    (tmp_path / "a.session").write_text("@limits 9\nls\n")
    with pytest.raises(ValueError, match="@limits"):
        read_session("a", tmp_path)
