"""What is recorded can be chosen: which calls, and how much of what is read and written."""

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from falcotrace.record.coverage import numbers_of
from falcotrace.record.layout import PartKind, SampleType
from live.kernel.recording import ARCH, Recorder, part

pytestmark = pytest.mark.live


def chosen(*names: str) -> frozenset[int]:
    """Numbers of system calls by the names of their events."""
    return numbers_of(frozenset(names), ARCH)


def work() -> None:
    """Calls of several kinds, one of them by another program."""
    os.close(os.open("/etc/hostname", os.O_RDONLY))
    os.getppid()
    subprocess.run(["cat", "/etc/hostname"], check=True, stdout=subprocess.DEVNULL)


def test_only_chosen_calls_are_recorded(new_recorder: Callable[..., Recorder]) -> None:
    """Others cost nothing in the ring; states and ends of processes are told all the same."""
    got = new_recorder(numbers=chosen("openat", "execve")).run(work)
    numbers = {sample["nr"] for kind, sample in got.samples if kind in (1, 2)}
    assert numbers <= chosen("openat", "execve")
    opened = [part(call, PartKind.STRING) for call in got.calls("openat")]
    assert opened.count(b"/etc/hostname") == 2
    executed = [call for call in got.calls("execve") if call["ret"] == 0]
    assert [got.image(call)["argv"] for call in executed] == [b"cat\0/etc/hostname\0"]
    assert len({sample["pid"] for sample in got.of(SampleType.EXIT)}) >= 1


def test_an_exec_that_is_not_chosen_marks_no_other_call(
    new_recorder: Callable[..., Recorder],
) -> None:
    """The return of an exec is told apart by a mark, which must not stay on the thread."""
    got = new_recorder(numbers=chosen("openat")).run(work)
    assert not got.calls("execve")
    last = got.calls("openat")[-1]
    assert part(last, PartKind.STRING) == b"/etc/hostname"
    assert got.image(last)["argv"] == b"cat\0/etc/hostname\0"


def test_contents_by_class(new_recorder: Callable[..., Recorder], tmp_path: Path) -> None:
    """Of files so much, of sockets so much, by whatever call."""
    path = tmp_path / "f"

    def exchange() -> None:
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        os.write(file, b"0123456789")
        one, other = socket.socketpair()
        one.send(b"abcdefghij")
        other.recv(100)
        os.write(one.fileno(), b"klmnopqrst")
        os.readv(other.fileno(), [bytearray(20)])

    for files, sockets, expected in (
        (4, 6, (b"0123", b"abcdef", b"abcdef", b"klmnop", b"klmnop")),
        (0, 3, (None, b"abc", b"abc", b"klm", b"klm")),
        (3, 0, (b"012", None, None, None, None)),
    ):
        recorder = new_recorder(data_bytes=files, socket_data_bytes=sockets)
        got = recorder.run(exchange)
        calls = [
            got.calls("write")[0],
            got.calls("sendto")[0],
            got.calls("recvfrom")[0],
            got.calls("write")[1],
            got.calls("readv")[0],
        ]
        kinds = (PartKind.BYTES, PartKind.VECTOR_DATA)
        found = [
            next((data for kind, _, data in call.get("parts", ()) if kind in kinds), None)
            for call in calls
        ]
        assert tuple(found) == expected
