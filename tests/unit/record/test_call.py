"""Paths and parts of the events of one call."""

import pytest

from falcotrace.record.layout import FileKind, PartFlag, PartKind
from unit.record.made_samples import AT_FDCWD, Conversion, rows_of, started, text


@pytest.mark.parametrize(
    ("given", "absolute"),
    [
        ("x", "/home/ann/x"),
        ("./a//b/../c/", "/home/ann/a/c"),
        ("../../../x", "/x"),
        ("/etc//passwd", "/etc/passwd"),
        (".", "/home/ann"),
        ("", ""),
        ("/" + "x" * 1100, "/DIR_TOO_LONG/FILENAME_TOO_LONG"),
    ],
)
def test_paths_are_made_absolute(given: str, absolute: str) -> None:
    """Joined with the working directory as text, as Falco does it."""
    stream = started()
    stream.call("unlink", parts=[text(given)])
    [row] = rows_of(stream)
    assert row["evt.arg.path"] == absolute
    assert row["evt.rawarg.path"] == (given if given != absolute else None)


def test_working_directory_is_that_of_the_event() -> None:
    """The same relative path before and after a chdir is two files."""
    stream = started()
    stream.call("unlink", parts=[text("x")])
    stream.process(2, cwd=b"/srv")
    stream.call("unlink", process_id=2, parts=[text("x")])
    assert [row["evt.arg.path"] for row in rows_of(stream)] == ["/home/ann/x", "/srv/x"]


def test_directories_of_two_paths() -> None:
    """renameat: each path has its own, AT_FDCWD is the working directory."""
    stream = started()
    stream.file(5, b"/a", open_flags=0o200000, mode=0o40755)
    stream.call("renameat", 7, 0, AT_FDCWD, 0, dir_file_id=[5, 0], parts=[text("old"), text("new")])
    [row] = rows_of(stream)
    assert (row["evt.arg.oldpath"], row["evt.arg.newpath"]) == ("/a/old", "/home/ann/new")


def test_parts_behind_parts() -> None:
    """Each part begins where the one before it ends, also if that one is empty or missing."""
    stream = started()
    for first in (text("/long/first"), text(""), (PartKind.STRING, b"", PartFlag.NULL)):
        stream.call("rename", parts=[first, text("/second")])
    rows = rows_of(stream)
    assert [row["evt.arg.newpath"] for row in rows] == ["/second"] * 3
    assert [row["evt.arg.oldpath"] for row in rows] == ["/long/first", "", None]


def test_events_with_and_without_parts() -> None:
    """A call's parts may be left out; its numbers count all the same."""
    stream = started()
    stream.call("unlink", ret=-14)
    stream.call("unlink", parts=[text("/x")])
    first, second = rows_of(stream)
    assert (first["evt.res"], first["evt.arg.path"]) == ("EFAULT", None)
    assert second["evt.arg.path"] == "/x"


def test_numbers_of_files() -> None:
    """Device and inode of the event's file; 0 without one."""
    stream = started()
    stream.file(5, b"/f", dev=0xFE00, ino=77)
    stream.call("open", ret=3, file_id=5, flags=4, parts=[text("/f")])
    stream.call("open", ret=-2, parts=[text("/f")])
    opened, failed = Conversion().of(stream)
    assert (opened["evt.arg.ino"], opened["evt.arg.dev"]) == (77, "FE00")
    assert (failed["evt.arg.ino"], failed["evt.arg.dev"]) == (0, "0")


def test_unix_tuples() -> None:
    """Of unix sockets a tuple shows the addresses in the kernel and the path."""
    stream = started()
    stream.file(5, name=b"/s", kind=FileKind.SOCKET, family=1, sock=10, peer=11, role=1)
    stream.call("connect", 3, 0, 5, file_id=5, parts=[(PartKind.SOCKADDR, b"\1\0/s")])
    [row] = rows_of(stream)
    assert row["evt.arg.tuple"] == row["fd.name"] == "a->b /s"
    assert row["evt.arg.addr"] == "/s"
