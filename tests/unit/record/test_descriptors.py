"""The columns `fd.*`."""

import socket
import struct
from typing import Any

import numpy as np
import pytest

from falcotrace.record.layout import FileKind, HeaderFlag, PartKind, Role
from unit.record.made_samples import AT_FDCWD, Conversion, Row, Stream, row_of, started, text

RESULT = HeaderFlag.RESULT_FD


def _inet(**members: Any) -> dict[str, Any]:
    for end in ("local", "remote"):
        if end in members:
            packed = socket.inet_aton(members[end]).ljust(16, b"\0")
            members[end] = np.frombuffer(packed, np.uint8)
    return {
        "kind": FileKind.SOCKET,
        "family": socket.AF_INET,
        "socket_type": socket.SOCK_STREAM,
        **members,
    }


def _open(stream: Stream, path: str, fd: int, file_id: int, **members: Any) -> None:
    values = {"ret": fd, "file_id": file_id, "flags": RESULT, "parts": [text(path)], **members}
    stream.call("openat", AT_FDCWD, 0, 0, **values)


def _shown(row: Row, *names: str) -> list[object]:
    return [row[f"fd.{name}"] for name in names]


def test_name_as_the_program_gave_it() -> None:
    """The open's name counts for all later events of the file; the kernel's path stands beside."""
    stream = started()
    stream.file(5, b"/real/target")
    _open(stream, "../link//x", 3, 5)
    stream.call("read", 3, file_id=5)
    rows = Conversion().of(stream)
    for row in rows:
        assert _shown(row, "name", "nameraw", "path") == [
            "/home/link/x",
            "../link/x",
            "/real/target",
        ]
    assert [row["fd.name_changed"] for row in rows] == [True, False]
    assert [row["fd.num"] for row in rows] == [3, 3]


def test_file_from_before_the_recording() -> None:
    """The kernel's path is all that there is; nothing was given."""
    stream = started()
    stream.file(5, b"/var/log/x", flags=HeaderFlag.SNAPSHOT)
    stream.call("write", 1, file_id=5)
    assert _shown(row_of(stream), "name", "nameraw", "num") == ["/var/log/x", "", 1]


def test_opens_below_directories_opened_in_the_same_block() -> None:
    """A chain of openat: each waits for the name of its directory, in whatever order."""
    stream = started()
    for file_id in (5, 6, 7):
        stream.file(file_id, b"/k")
    _open(stream, "/a", 3, 5)
    _open(stream, "b", 4, 6, dir_file_id=[5, 0], args=[3, 0, 0, 0, 0, 0])
    _open(stream, "../c", 5, 7, dir_file_id=[6, 0], args=[4, 0, 0, 0, 0, 0])
    assert [row["fd.name"] for row in Conversion().of(stream)] == ["/a", "/a/b", "/a/c"]


def test_failed_open() -> None:
    """No descriptor, but the path that was tried, joined with what it was relative to."""
    stream = started()
    _open(stream, "x/../y", 3, 0, ret=-2, flags=0)
    row = row_of(stream)
    assert _shown(row, "num", "name", "nameraw", "type") == [-1, "/home/ann/y", "x/../y", None]
    assert row["fd.name_changed"] is None


def test_open_below_an_unknown_directory() -> None:
    """A descriptor of which nothing is known is not the working directory."""
    stream = started()
    _open(stream, "x", 3, 0, ret=-9, flags=0, args=[44, 0, 0, 0, 0, 0], dir_file_id=[0, 0])
    assert row_of(stream)["fd.name"] == "<UNKNOWN>/x"


def test_descriptor_that_is_not_open() -> None:
    """Its number, an empty name, no type."""
    stream = started()
    stream.call("read", 77, ret=-9)
    assert _shown(row_of(stream), "num", "name", "type") == [77, "", None]


def test_events_that_are_not_about_descriptors() -> None:
    """All of fd is missing, the name too."""
    stream = started()
    stream.call("kill", 1, 9)
    assert _shown(row_of(stream), "num", "name", "type", "name_changed") == [None] * 4


def test_closed_file_is_still_shown() -> None:
    """Close shows what it closed."""
    stream = started()
    stream.file(5, b"/f", flags=HeaderFlag.SNAPSHOT)
    stream.call("close", 3, file_id=5, flags=HeaderFlag.CLOSED)
    assert _shown(row_of(stream), "num", "name") == [3, "/f"]


@pytest.mark.parametrize("name", ["dup", "dup2"])
def test_copies(name: str) -> None:
    """A copy has the file's name and does not change it; of a failed one there is nothing."""
    stream = started()
    stream.file(5, b"/f", flags=HeaderFlag.SNAPSHOT)
    members: dict[str, Any] = {"parts": []} if name == "dup2" else {}
    stream.call(name, 3, 9, ret=9, file_id=5, flags=RESULT, **members)
    stream.call(name, 3, 9, ret=-9, **members)
    made, failed = Conversion().of(stream)
    assert _shown(made, "num", "name", "name_changed") == [9, "/f", False]
    assert _shown(failed, "num", "name", "type") == [-1, "", None]
    assert made["evt.arg.oldfd"] == "<f>/f"


def test_splice_shows_where_it_writes() -> None:
    """Of two descriptors the second is the event's."""
    stream = started()
    stream.file(5, b"/from", flags=HeaderFlag.SNAPSHOT)
    stream.file(6, kind=FileKind.PIPE)
    stream.call("splice", 3, 0, 4, 0, 10, file_id=5, other_file_id=6, parts=[])
    row = row_of(stream)
    assert _shown(row, "num", "type") == [4, "pipe"]
    assert row["evt.arg.fd_in"] == "<f>/from"


def test_ends_of_a_connection() -> None:
    """Client and server, this end and the other, left and right; as text and as bytes."""
    stream = started()
    ends = {"local": "10.0.0.1", "local_port": 443, "remote": "192.0.2.7", "remote_port": 50000}
    stream.file(5, **_inet(role=Role.SERVER, state=1, **ends))
    stream.call("read", 3, file_id=5)
    row = row_of(stream)
    assert _shown(row, "cip", "cport", "sip", "sport") == ["192.0.2.7", 50000, "10.0.0.1", 443]
    assert _shown(row, "lip", "lport", "rip", "rport") == ["10.0.0.1", 443, "192.0.2.7", 50000]
    assert _shown(row, "ip_left", "port_left", "ip_right", "port_right") == [
        "192.0.2.7",
        50000,
        "10.0.0.1",
        443,
    ]
    assert row["fd.cip_bytes"] == bytes([192, 0, 2, 7])
    assert _shown(row, "is_server", "connected", "l4proto") == [True, True, "tcp"]


def test_listening_socket_has_one_end() -> None:
    """The bound address is the server's; nobody is the client, and no end is local or remote."""
    stream = started()
    stream.file(5, **_inet(role=Role.SERVER, local="10.0.0.1", local_port=443))
    stream.call("getsockname", 3, file_id=5)
    stream.call("listen", 3, 5, file_id=5)
    row = row_of(stream)
    assert _shown(row, "sip", "sport", "cip", "lip", "rip") == ["10.0.0.1", 443, None, None, None]
    assert _shown(row, "ip_left", "ip_right", "is_server") == ["10.0.0.1", None, True]


def test_socket_of_unknown_role() -> None:
    """Both ends of the tuple, but neither client nor server."""
    stream = started()
    ends = {"local": "10.0.0.1", "local_port": 1, "remote": "192.0.2.7", "remote_port": 2}
    stream.file(5, **_inet(**ends), flags=HeaderFlag.SNAPSHOT)
    stream.call("read", 3, file_id=5)
    row = row_of(stream)
    assert _shown(row, "cip", "sip", "l4proto") == [None, None, "<NA>"]
    assert _shown(row, "ip_left", "ip_right") == ["10.0.0.1", "192.0.2.7"]


def test_name_changes_with_the_description() -> None:
    """The first event that shows another name says so; a mere change of state does not."""
    stream = started()
    stream.file(5, **_inet())
    stream.call("socket", 2, 1, 0, ret=3, file_id=5, flags=RESULT)
    bound = {"role": Role.SERVER, "local": "10.0.0.1", "local_port": 443}
    stream.file(6, previous_id=5, **_inet(**bound))
    address = (PartKind.SOCKADDR, struct.pack("<H", 2) + bytes(6))
    stream.call("bind", 3, 0, 16, file_id=6, parts=[address])
    stream.file(7, previous_id=6, **_inet(**bound, state=10))
    stream.call("listen", 3, 5, file_id=7)
    stream.call("listen", 3, 5, file_id=7)
    assert [row["fd.name_changed"] for row in Conversion().of(stream)] == [
        False,
        True,
        False,
        False,
    ]
