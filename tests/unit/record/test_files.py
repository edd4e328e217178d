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
from falcotrace.record.files import FIRST_EXCHANGE_ID, OpenFiles
from falcotrace.record.layout import FILE, FileFlag, FileKind, HeaderFlag, Role
from falcotrace.record.open_file import OpenFile, describe_file, name_of

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


def test_names_wait_for_descriptions_and_opens() -> None:
    """Nothing is known, then the kernel's path, then the name that an open gave, which stays."""
    pool = TextPool()
    files = OpenFiles(pool)
    assert files.name_codes(np.array([0, 5000])).tolist() == [MISSING, MISSING]
    assert files.name(3) is None
    files.add(_sample(file_id=3, kind=FileKind.PATH), "/kernel/path", "")
    assert files.name(3) == "/kernel/path"
    assert pool.texts(files.raw_name_codes(np.array([3]))) == [""]
    files.names[3] = pool.code("/as/given")
    files.add(_sample(file_id=3, kind=FileKind.PATH), "/kernel/path", "")
    assert files.name(3) == "/as/given"
    assert files.descriptor_text(3) == "<f>/as/given"
    assert files.descriptor_text(4) is None


def test_descriptors_of_sockets_show_their_protocol() -> None:
    """Once the role is known."""
    pool = TextPool()
    files = OpenFiles(pool)
    tcp = {"kind": FileKind.SOCKET, "family": socket.AF_INET, "socket_type": socket.SOCK_STREAM}
    files.add(_sample(file_id=1, **tcp), "", "")
    files.add(_sample(file_id=2, local_port=80, role=Role.SERVER, **tcp), "", "")
    assert files.descriptor_text(1) == "<4>"
    assert files.descriptor_text(2) == "<4t>0.0.0.0:80"


def test_exchanges_have_numbers_of_their_own() -> None:
    """A datagram socket with a peer is another file, which events may name."""
    pool = TextPool()
    files = OpenFiles(pool)
    number = files.add_exchange(_inet(remote=THERE, remote_port=53, role=Role.CLIENT))
    assert number >= FIRST_EXCHANGE_ID
    assert files.name(number) == "0.0.0.0:0->192.0.2.7:53"
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
