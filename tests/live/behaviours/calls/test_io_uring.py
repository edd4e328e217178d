"""Requests to an io_uring: each is an event of the call that it stands for, and says what it is."""

import ctypes
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from falcotrace.record.libbpf import has_btf_tracepoint
from live.behaviours.calls.observing import Observed
from live.behaviours.calls.rings import ASYNC, FIXED_FILE, SKIP_SUCCESS, SQPOLL, Ring, text

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        not has_btf_tracepoint("io_uring_submit_req"), reason="needs Linux 6.3 with io_uring"
    ),
]

Observe = Callable[[Callable[[], object]], Observed]
READ, SEND, RECV, CONNECT, ACCEPT, OPENAT, CLOSE = 22, 26, 27, 16, 13, 18, 19
OPENAT2, RENAMEAT, UNLINKAT, MKDIRAT, SYMLINKAT, LINKAT = 28, 35, 36, 37, 38, 39
CWD = -100


@pytest.mark.parametrize(
    ("setup", "flags"), [(0, 0), (0, ASYNC), (SQPOLL, 0)], ids=["plain", "worker", "sqpoll"]
)
def test_a_file_is_opened_read_and_closed(
    observe: Observe, libc: ctypes.CDLL, setup: int, flags: int
) -> None:
    """Path, flags, descriptor, file and result are as of a call, whichever thread does the work."""

    def read() -> None:
        ring = Ring(libc, setup)
        area, path = text(b"/etc/shadow")
        opened = ring.ask(OPENAT, flags, fd=CWD, addr=path, op_flags=os.O_RDONLY | os.O_CLOEXEC)
        assert opened is not None
        assert opened > 2
        target = ctypes.create_string_buffer(64)
        took = ring.ask(READ, flags, fd=opened, addr=ctypes.addressof(target), len=10)
        assert took == 10
        assert ring.ask(CLOSE, flags, fd=opened) == 0
        assert area.value == b"/etc/shadow"

    got = observe(read)
    event = got.last("openat", evt__io_uring=True)
    assert event["fd.name"] == event["evt.arg.name"] == event["fd.path"] == "/etc/shadow"
    assert event["evt.arg.flags"] == "O_RDONLY|O_CLOEXEC"
    assert event["evt.rawres"] == event["fd.num"] > 2
    assert event["evt.arg.fd"] == "<f>/etc/shadow"
    assert event["proc.pid"] == got.pid
    for name in ("read", "close"):
        done = got.last(name, evt__io_uring=True)
        assert (done["fd.num"], done["fd.name"]) == (event["fd.num"], "/etc/shadow")
        assert done["proc.pid"] == got.pid
    assert got.last("read", evt__io_uring=True)["evt.rawres"] == 10
    assert not any(row["evt.io_uring"] for row in got.all("io_uring_setup", "io_uring_enter"))


def test_paths_below_directories(observe: Observe, libc: ctypes.CDLL, tmp_path: Path) -> None:
    """Both paths of a request, their directories, and the error of the one that failed."""
    (tmp_path / "old").touch()

    def change() -> None:
        ring = Ring(libc)
        folder = os.open(tmp_path, os.O_RDONLY)
        kept = [text(name) for name in (b"made", b"old", b"new", b"link", b"hard", b"none")]
        made, old, new, link, hard, none = (address for _, address in kept)
        assert ring.ask(MKDIRAT, fd=folder, addr=made, len=0o750) == 0
        assert ring.ask(RENAMEAT, fd=folder, addr=old, len=folder, off=new) == 0
        assert ring.ask(SYMLINKAT, fd=folder, addr=new, off=link) == 0
        assert ring.ask(LINKAT, fd=folder, addr=new, len=folder, off=hard) == 0
        assert ring.ask(UNLINKAT, fd=folder, addr=none) == -2
        how, area = ctypes.create_string_buffer(struct.pack("<QQQ", 0, 0, 8)), text(b"new")
        opened = ring.ask(OPENAT2, fd=folder, addr=area[1], off=ctypes.addressof(how), len=24)
        assert opened is not None
        assert opened > 0

    got = observe(change)
    events = {row["evt.type"]: row for row in got.rows if row["evt.io_uring"]}
    assert events["mkdirat"]["evt.arg.path"] == f"{tmp_path}/made"
    assert events["mkdirat"]["evt.rawarg.mode"] == 0o750
    renamed = events["renameat2"]
    paths = (renamed["evt.arg.oldpath"], renamed["evt.arg.newpath"])
    assert paths == (f"{tmp_path}/old", f"{tmp_path}/new")
    assert events["symlinkat"]["evt.arg.target"] == "new"
    assert events["symlinkat"]["evt.arg.linkpath"] == f"{tmp_path}/link"
    assert events["linkat"]["evt.arg.newpath"] == f"{tmp_path}/hard"
    assert events["unlinkat"]["evt.res"] == "ENOENT"
    assert events["unlinkat"]["evt.arg.name"] == f"{tmp_path}/none"
    assert events["openat2"]["evt.arg.resolve"] == "RESOLVE_BENEATH"
    assert events["openat2"]["fd.name"] == f"{tmp_path}/new"


def test_a_connection(observe: Observe, libc: ctypes.CDLL) -> None:
    """The address that was asked for, the ends of the connection, and who is client."""

    def talk() -> None:
        ring = Ring(libc)
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        address = struct.pack("<H", socket.AF_INET) + struct.pack(">H4s8x", port, b"\x7f\0\0\1")
        area = ctypes.create_string_buffer(address, 16)
        client = socket.socket()
        os.dup2(client.fileno(), 955)
        assert ring.ask(CONNECT, fd=955, addr=ctypes.addressof(area), off=16) == 0
        accepted = ring.ask(ACCEPT, fd=listener.fileno())
        assert accepted is not None
        message, place = text(b"hello")
        assert ring.ask(SEND, fd=955, addr=place, len=5) == 5
        target = ctypes.create_string_buffer(16)
        assert ring.ask(RECV, fd=accepted, addr=ctypes.addressof(target), len=16) == 5
        assert target.value == message.value

    got = observe(talk)
    event = got.last("connect", evt__io_uring=True)
    name = f"127.0.0.1:{event['fd.cport']}->127.0.0.1:{event['fd.sport']}"
    assert event["fd.name"] == event["evt.arg.tuple"] == name
    assert event["evt.arg.addr"] == f"127.0.0.1:{event['fd.sport']}"
    assert (event["fd.num"], event["fd.is_server"]) == (955, False)
    accepted = got.last("accept4", evt__io_uring=True)
    assert (accepted["fd.name"], accepted["fd.is_server"]) == (name, True)
    assert got.last("sendto", evt__io_uring=True)["evt.arg.size"] == 5
    assert got.last("recvfrom", evt__io_uring=True)["evt.rawres"] == 5


def test_a_request_whose_success_is_not_told(observe: Observe, libc: ctypes.CDLL) -> None:
    """There is an event all the same, so that nobody hides that way; it has no result."""

    def hide() -> None:
        area, path = text(b"/etc/shadow")
        assert Ring(libc).ask(OPENAT, SKIP_SUCCESS, fd=CWD, addr=path) is None
        assert area.value

    event = observe(hide).last("openat", evt__io_uring=True)
    assert event["evt.arg.name"] == event["fd.name"] == "/etc/shadow"
    assert (event["evt.rawres"], event["evt.res"], event["evt.arg.fd"]) == (None, None, None)
    assert event["fd.num"] == -1


def test_files_of_the_ring_are_no_descriptors(observe: Observe, libc: ctypes.CDLL) -> None:
    """A place in the ring's own table is never shown as the descriptor of the same number."""

    def read() -> None:
        ring = Ring(libc)
        ring.register_files(os.open("/etc/passwd", os.O_RDONLY), -1)
        target = ctypes.create_string_buffer(64)
        where = ctypes.addressof(target)
        assert ring.ask(READ, FIXED_FILE, fd=0, addr=where, len=7) == 7
        area, path = text(b"/etc/hostname")
        assert ring.ask(OPENAT, fd=CWD, addr=path, index=2) == 0
        assert ring.ask(READ, FIXED_FILE, fd=1, addr=where, len=3) == 3
        assert ring.ask(CLOSE, index=2) == 0
        assert area.value

    got = observe(read)
    ring_file = 1 << 30
    first, second = got.all("read", evt__io_uring=True)
    assert (first["fd.num"], first["fd.name"]) == (ring_file, "/etc/passwd")
    assert (second["fd.num"], second["fd.name"]) == (ring_file + 1, "/etc/hostname")
    opened = got.last("openat", evt__io_uring=True)
    assert (opened["evt.rawres"], opened["fd.name"]) == (ring_file, "/etc/hostname")
    closed = got.last("close", evt__io_uring=True)
    assert (closed["fd.num"], closed["fd.name"]) == (ring_file + 1, "")
