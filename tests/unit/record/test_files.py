"""What is known of an open file."""

import dataclasses
import os
import socket
import stat
from typing import Any

import numpy as np
import pytest

from falcotrace.capture.text_pool import MISSING, TextPool
from falcotrace.record.addresses import Endpoint
from falcotrace.record.descriptions import take_files
from falcotrace.record.files import FIRST_EXCHANGE_ID, OpenFiles
from falcotrace.record.layout import FILE, FileFlag, FileKind, HeaderFlag, Role
from falcotrace.record.open_file import DESCRIBING_MEMBERS, OpenFile, describe_file, name_of
from falcotrace.record.samples import block_of
from unit.record.made_samples import Stream

HERE, THERE = bytes([127, 0, 0, 1]), bytes([192, 0, 2, 7])
ESTABLISHED, CLOSED, LISTENING, SYN_SENT = 1, 7, 10, 2


def _sample(**members: Any) -> np.void:
    sample = np.zeros(1, FILE)
    for name, value in members.items():
        if name in {"local", "remote"}:
            value = np.frombuffer(value.ljust(16, b"\0"), np.uint8)  # noqa: PLW2901 - padded
        sample[name] = value
    return sample[0]


def _file(path: str = "", name: str = "", **members: Any) -> OpenFile:
    return describe_file(_sample(**members), path, name)


def _inet(**members: Any) -> OpenFile:
    values = {
        "kind": FileKind.SOCKET,
        "family": socket.AF_INET,
        "socket_type": socket.SOCK_STREAM,
        "protocol": socket.IPPROTO_TCP,
        **members,
    }
    return _file(**values)


@pytest.mark.parametrize(
    ("members", "name", "kind"),
    [
        ({"kind": FileKind.PATH, "mode": stat.S_IFREG}, "", "file"),
        ({"kind": FileKind.PATH, "mode": stat.S_IFCHR}, "", "file"),
        ({"kind": FileKind.PATH, "mode": stat.S_IFDIR}, "", "file"),
        ({"kind": FileKind.PATH, "mode": stat.S_IFDIR, "open_flags": 0o200000}, "", "directory"),
        ({"kind": FileKind.PATH, "mode": stat.S_IFREG, "open_flags": 0o20200000}, "", "file"),
        (
            {"kind": FileKind.PATH, "mode": stat.S_IFDIR, "flags": HeaderFlag.SNAPSHOT},
            "",
            "directory",
        ),
        ({"kind": FileKind.PIPE}, "", "pipe"),
        ({"kind": FileKind.MEMFD}, "memfd:x", "memfd"),
        ({"kind": FileKind.ANON}, "[eventfd]", "event"),
        ({"kind": FileKind.ANON}, "[eventpoll]", "eventpoll"),
        ({"kind": FileKind.ANON}, "inotify", "inotify"),
        ({"kind": FileKind.ANON}, "[timerfd]", "timerfd"),
        ({"kind": FileKind.ANON}, "[signalfd]", "signalfd"),
        ({"kind": FileKind.ANON}, "[io_uring]", "io_uring"),
        ({"kind": FileKind.ANON}, "bpf-map", "bpf"),
        ({"kind": FileKind.ANON}, "[userfaultfd]", "userfaultfd"),
        ({"kind": FileKind.ANON}, "[pidfd]", "pidfd"),
        ({"kind": FileKind.ANON}, "[something new]", "<NA>"),
        ({"kind": FileKind.SOCKET, "family": socket.AF_NETLINK}, "", "netlink"),
        ({"kind": FileKind.SOCKET, "family": socket.AF_UNIX}, "", "unix"),
        ({"kind": FileKind.SOCKET, "family": socket.AF_PACKET}, "", "<NA>"),
        ({"kind": FileKind.OTHER}, "", "<NA>"),
    ],
)
def test_types(members: dict[str, Any], name: str, kind: str) -> None:
    """Falco's word for each kind of file; a directory only where an open asked for one."""
    if "open_flags" in members and np.uint32(0o200000) != os.O_DIRECTORY:
        pytest.skip("flags are this machine's")
    assert _file(name=name, **members).type == kind


def test_tcp_connection_of_a_client() -> None:
    """This end left, the other right."""
    file = _inet(
        local=HERE,
        local_port=50000,
        remote=THERE,
        remote_port=443,
        role=Role.CLIENT,
        state=ESTABLISHED,
    )
    assert name_of(file) == "127.0.0.1:50000->192.0.2.7:443"
    assert file.tuple_text(inbound=False) == "127.0.0.1:50000->192.0.2.7:443"
    assert file.tuple_text(inbound=True) == "192.0.2.7:443->127.0.0.1:50000"
    assert (file.l4proto, file.is_connected, file.is_listening) == ("tcp", True, False)


def test_tcp_connection_of_a_server() -> None:
    """The client stands left on this side as well."""
    file = _inet(
        local=HERE,
        local_port=443,
        remote=THERE,
        remote_port=50000,
        role=Role.SERVER,
        state=ESTABLISHED,
    )
    assert name_of(file) == "192.0.2.7:50000->127.0.0.1:443"
    assert file.ends == (Endpoint(THERE, 50000), Endpoint(HERE, 443))


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ({}, ""),
        ({"local": HERE, "local_port": 80, "role": Role.SERVER}, "127.0.0.1:80"),
        ({"local": HERE, "local_port": 80, "file_flags": FileFlag.LISTENING}, "127.0.0.1:80"),
        ({"local": HERE, "local_port": 80, "state": LISTENING}, "127.0.0.1:80"),
        ({"local": HERE, "local_port": 50000}, "127.0.0.1:50000"),
        ({"remote": HERE, "state": CLOSED}, ""),
        ({"socket_type": socket.SOCK_RAW, "protocol": 1, "local_port": 1}, ""),
        (
            {"socket_type": socket.SOCK_RAW, "protocol": 1, "remote": HERE},
            "0.0.0.0:0->127.0.0.1:0",
        ),
    ],
)
def test_sockets_without_another_end(members: dict[str, Any], name: str) -> None:
    """Fresh, bound, listening, refused, raw: no arrow where nobody is at the other end."""
    assert name_of(_inet(**members)) == name


def test_connect_in_progress_counts_as_connected() -> None:
    """The role is set only by a connect that goes on; the state may be closed again already."""
    ends = {"remote": HERE, "remote_port": 9, "local": HERE, "local_port": 5}
    assert _inet(role=Role.CLIENT, state=CLOSED, **ends).is_connected
    assert _inet(state=SYN_SENT, **ends).is_connected
    assert not _inet(state=CLOSED, **ends).is_connected
    assert not _inet(role=Role.CLIENT, state=CLOSED).is_connected


@pytest.mark.parametrize(
    ("kind", "protocol", "text"),
    [
        (socket.SOCK_STREAM, 0, "tcp"),
        (socket.SOCK_DGRAM, 0, "udp"),
        (socket.SOCK_DGRAM, socket.IPPROTO_ICMP, "icmp"),
        (socket.SOCK_RAW, socket.IPPROTO_UDP, "raw"),
        (socket.SOCK_SEQPACKET, 132, "raw"),
    ],
)
def test_protocols(kind: int, protocol: int, text: str) -> None:
    """By number, else by the socket's type; only raw sockets show theirs without a role."""
    file = _inet(socket_type=kind, protocol=protocol, role=Role.CLIENT)
    assert file.l4proto == text
    shown = dataclasses.replace(file, role=Role.NONE).l4proto
    assert shown == ("raw" if text == "raw" else "<NA>")


def test_mapped_addresses_are_ipv4() -> None:
    """Rules compare 127.0.0.1 with what an IPv6 socket talks to."""
    mapped = bytes(10) + b"\xff\xff"
    file = _inet(
        family=socket.AF_INET6,
        local=mapped + HERE,
        remote=mapped + THERE,
        remote_port=1,
        role=Role.CLIENT,
    )
    assert file.type == "ipv4"
    assert name_of(file) == "127.0.0.1:0->192.0.2.7:1"


def test_ipv6() -> None:
    """Addresses of 16 bytes, without brackets."""
    one = socket.inet_pton(socket.AF_INET6, "::1")
    file = _inet(
        family=socket.AF_INET6, local=one, local_port=5, remote=one, remote_port=6, role=Role.CLIENT
    )
    assert (file.type, name_of(file)) == ("ipv6", "::1:5->::1:6")


@pytest.mark.parametrize(
    ("members", "path", "name"),
    [
        ({}, "", ""),
        ({"sock": 0xA0}, "/run/x", "/run/x"),
        ({"sock": 0xA0, "peer": 0xB0, "role": Role.CLIENT}, "/run/x", "a0->b0 /run/x"),
        ({"sock": 0xB0, "peer": 0xA0, "role": Role.SERVER}, "/run/x", "a0->b0 /run/x"),
        ({"sock": 0xA0, "peer": 0xB0}, "", "a0->b0 "),
    ],
)
def test_unix_sockets(members: dict[str, Any], path: str, name: str) -> None:
    """A bound one shows its path, a connected one client, server and path."""
    file = _file(name=path, kind=FileKind.SOCKET, family=socket.AF_UNIX, **members)
    assert name_of(file) == name
    assert file.tuple_text(inbound=True) == (name if "peer" in members else None)


def _add(files: OpenFiles, path: str = "", **members: Any) -> None:
    """Take in one description."""
    sample = _sample(**members)
    described = [describe_file(sample, path, "")]
    files.add(np.array([int(sample["file_id"])]), described, np.zeros(1, np.int64))


def _name(pool: TextPool, files: OpenFiles, file_id: int) -> str | None:
    return pool.texts(files.name_codes(np.array([file_id])))[0]


def test_names_wait_for_descriptions_and_opens() -> None:
    """Nothing is known, then the kernel's path, then the name that an open gave, which stays."""
    pool = TextPool()
    files = OpenFiles(pool)
    assert files.name_codes(np.array([0, 5000])).tolist() == [MISSING, MISSING]
    assert _name(pool, files, 3) is None
    _add(files, "/kernel/path", file_id=3, kind=FileKind.PATH)
    assert _name(pool, files, 3) == "/kernel/path"
    assert pool.texts(files.raw_name_codes(np.array([3]))) == [""]
    given = pool.codes(["/as/given"])
    files.name_opened(np.array([3]), given, given)
    _add(files, "/kernel/path", file_id=3, kind=FileKind.PATH)
    assert _name(pool, files, 3) == "/as/given"
    assert pool.texts(files.descriptor_texts(np.array([3, 4, 3]))) == [
        "<f>/as/given",
        None,
        "<f>/as/given",
    ]


def test_descriptors_of_sockets_show_their_protocol() -> None:
    """Once the role is known."""
    pool = TextPool()
    files = OpenFiles(pool)
    tcp: dict[str, Any] = {
        "kind": FileKind.SOCKET,
        "family": socket.AF_INET,
        "socket_type": socket.SOCK_STREAM,
    }
    _add(files, file_id=1, **tcp)
    _add(files, file_id=2, local_port=80, role=Role.SERVER, **tcp)
    assert pool.texts(files.descriptor_texts(np.array([1, 2]))) == ["<4>", "<4t>0.0.0.0:80"]


def test_exchanges_have_numbers_of_their_own() -> None:
    """A datagram socket with a peer is another file, which events may name."""
    pool = TextPool()
    files = OpenFiles(pool)
    number = files.add_exchange(_inet(remote=THERE, remote_port=53, role=Role.CLIENT))
    assert number >= FIRST_EXCHANGE_ID
    assert _name(pool, files, number) == "0.0.0.0:0->192.0.2.7:53"
    assert pool.texts(files.raw_name_codes(np.array([number, 0]))) == ["", None]
    assert files[number] is not None
    assert not files.mark_used(np.array([number, 0])).any()
    assert files.mark_used(np.array([7])).tolist() == [True]
    assert files.mark_used(np.array([7])).tolist() == [False]


def test_layers_and_creation() -> None:
    """Bits of the sample."""
    flags = FileFlag.UPPER_LAYER | FileFlag.CREATED
    file = _file("/f", kind=FileKind.PATH, file_flags=flags, dev=5, ino=6, previous_id=2)
    assert (file.is_upper_layer, file.is_lower_layer, file.was_created) == (True, False, True)
    assert (file.dev, file.ino, file.previous_id, file.path) == (5, 6, 2, "/f")


def test_what_a_description_depends_on() -> None:
    """Samples that agree in what they are compared by describe the same: no member is forgotten."""
    others = set(FILE.names or ()) - set(DESCRIBING_MEMBERS)
    for kind in FileKind:
        for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, 99):
            sample = _sample(kind=kind, family=family, mode=stat.S_IFDIR, local_port=1)
            changed = sample.copy()
            for member in others:
                changed[member] = np.frombuffer(b"\x5a" * FILE[member].itemsize, FILE[member])[0]
            assert describe_file(sample, "/p", "n") == describe_file(changed, "/p", "n")


def test_files_that_are_alike_share_a_description() -> None:
    """A library that every program opens costs one description, under its many numbers."""
    stream = Stream()
    for number in range(1, 100):
        stream.file(number, path=b"/lib/libc.so.6" if number % 3 else b"/other", ino=number % 3)
    block = block_of([stream.batch()], 0)
    files = OpenFiles(TextPool())
    take_files(block, files)
    found, which = files.distinct(np.arange(1, 100))
    assert len(found) == 3
    for number in range(1, 100):
        file = files[number]
        assert file is not None
        assert file.ino == number % 3
        assert file.path == ("/lib/libc.so.6" if number % 3 else "/other")
        assert found[which[number - 1]] is file
