"""The columns `fd.*` of descriptors."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from falcotrace.capture.columns import Columns
from falcotrace.capture.text_pool import TextPool
from falcotrace.scap import sockets
from falcotrace.scap.addresses import AF_INET, AF_INET6, AF_UNIX
from falcotrace.scap.descriptor import (
    L4,
    Descriptor,
    DescriptorType,
    Role,
    imported,
    opened,
)
from falcotrace.scap.descriptor_columns import put_descriptor_columns
from falcotrace.scap.interfaces import LocalAddresses
from falcotrace.scap.metadata import DescriptorEntry
from unit.scap.made_sockets import INTERFACES, packed, pair, sockaddr, unix_pair

HOST = LocalAddresses(INTERFACES)


def _rows(
    descriptors: Sequence[Descriptor | None],
    indices: Sequence[int],
    local: LocalAddresses = HOST,
) -> list[dict[str, Any]]:
    """What is put for events, without what is not."""
    count = len(indices)
    columns = Columns(count, TextPool(), np.arange(count))
    put_descriptor_columns(columns, np.arange(count), descriptors, np.array(indices), local)
    arrays = {path: array.to_pylist() for path, array in columns.arrow().items()}
    return [
        {path[3:]: values[row] for path, values in arrays.items() if values[row] is not None}
        for row in range(count)
    ]


def _row(one: Descriptor, local: LocalAddresses = HOST) -> dict[str, Any]:
    return _rows([one], [0], local)[0]


def _ends(name: str, address: str, port: int) -> dict[str, Any]:
    ip, at = (name.format(part) for part in ("ip", "port"))
    return {ip: address, f"{ip}_bytes": packed(address), at: port}


PLAIN = {
    "name": "",
    "nameraw": "",
    "l4proto": "<NA>",
    "is_server": False,
    "connected": False,
    "dev": 0,
    "ino": 0,
    "is_upper_layer": False,
    "is_lower_layer": False,
}


def test_file() -> None:
    """A file has names, device and inode, and nothing of a socket but `<NA>`."""
    one = replace(opened("/etc/passwd", "passwd", 1, 0xFE00, 2605069), is_upper_layer=True)
    assert _row(one) == PLAIN | {
        "type": "file",
        "name": "/etc/passwd",
        "nameraw": "passwd",
        "dev": 0xFE00,
        "ino": 2605069,
        "is_upper_layer": True,
    }


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (DescriptorType.PIPE, "pipe"),
        (DescriptorType.MEMFD, "memfd"),
        (DescriptorType.UNKNOWN, "<NA>"),
        (DescriptorType.UNSUPPORTED, "<NA>"),
    ],
)
def test_other_kinds(kind: DescriptorType, text: str) -> None:
    """They have no ends."""
    assert _row(Descriptor(kind)) == PLAIN | {"type": text}


def test_numbers_wrap_as_in_falco() -> None:
    """Device and inode are signed columns."""
    one = Descriptor(DescriptorType.FILE, device=0xFFFFFFFF, ino=(1 << 64) - 2)
    assert (_row(one)["dev"], _row(one)["ino"]) == (-1, -2)


def test_client() -> None:
    """benign: the client's end is left and, on its machine, the local one."""
    one = sockets.connected(
        sockets.new_socket(AF_INET, 2, 0), 0, pair("192.0.2.2:45917->10.255.255.53:53")
    )
    ours, other = ("192.0.2.2", 45917), ("10.255.255.53", 53)
    assert _row(one) == PLAIN | {
        "type": "ipv4",
        "name": "192.0.2.2:45917->10.255.255.53:53",
        "l4proto": "udp",
        "connected": True,
        **_ends("c{}", *ours),
        **_ends("s{}", *other),
        **_ends("l{}", *ours),
        **_ends("r{}", *other),
        **_ends("{}_left", *ours),
        **_ends("{}_right", *other),
    }


def test_server() -> None:
    """The server's end is right; it is the local one where the left is another machine's."""
    one = sockets.accepted(pair("203.0.113.5:999->192.0.2.2:22"))
    assert one is not None
    row = _row(one)
    assert (row["lip"], row["lport"], row["rip"], row["rport"]) == (
        "192.0.2.2",
        22,
        "203.0.113.5",
        999,
    )
    assert (row["cip"], row["sport"], row["is_server"]) == ("203.0.113.5", 22, True)


def test_loopback_in_a_container() -> None:
    """container: there its interfaces do not count, so the right end is local."""
    one = sockets.accepted(pair("127.0.0.1:54166->127.0.0.1:14551"))
    assert one is not None
    inside = _row(one, LocalAddresses(INTERFACES, is_in_container=True))
    assert (inside["lport"], inside["rport"], inside["is_server"]) == (14551, 54166, False)
    outside = _row(one)
    assert (outside["lport"], outside["rport"], outside["is_server"]) == (54166, 14551, True)


def test_listening_socket() -> None:
    """t_tcp4: its address is the server's and the left one; it has no other end."""
    one = sockets.bound(sockets.new_socket(AF_INET, 1, 0), sockaddr("127.0.0.1:18443"))
    ours = ("127.0.0.1", 18443)
    assert _row(one) == PLAIN | {
        "type": "ipv4",
        "name": "127.0.0.1:18443",
        "l4proto": "tcp",
        "is_server": True,
        **_ends("s{}", *ours),
        **_ends("{}_left", *ours),
    }


def test_listening_socket_of_a_list() -> None:
    """It has no role: the port is shown, the address is not."""
    entry = DescriptorEntry(
        fd=3,
        ino=7,
        type=DescriptorType.IPV6_LISTENING,
        source=packed("::"),
        source_port=22,
        l4=L4.TCP,
    )
    one = imported(entry, INTERFACES)
    assert one is not None
    row = _row(one)
    assert (row["name"], row["sport"], row["l4proto"]) == (":::22", 22, "tcp")
    assert not {"sip", "sip_bytes", "cip", "lip", "port_right"} & row.keys()


def test_fresh_sockets() -> None:
    """Without a role only both ends are there, as zeros; IPv6 ones look like a server's."""
    row = _row(sockets.new_socket(AF_INET, 1, 0))
    assert row == PLAIN | {
        "type": "ipv4",
        **_ends("{}_left", "0.0.0.0", 0),
        **_ends("{}_right", "0.0.0.0", 0),
    }
    assert _row(sockets.new_socket(AF_INET6, 1, 0))["is_server"]
    inside = LocalAddresses(INTERFACES, is_in_container=True)
    assert not _row(sockets.new_socket(AF_INET6, 1, 0), inside)["is_server"]


def test_unix_connection() -> None:
    """It is connected and has no addresses."""
    one = sockets.connected(sockets.new_socket(AF_UNIX, 1, 0), 0, unix_pair(1, 2, "/u"))
    assert _row(one) == PLAIN | {"type": "unix", "name": "1->2 /u", "connected": True}
    assert one.role is Role.CLIENT


def test_events_by_descriptor() -> None:
    """Each event has what its descriptor has; one without gets nothing."""
    file = opened("/x", "/x", 0, 0, 1)
    server = sockets.bound(sockets.new_socket(AF_INET, 1, 0), sockaddr("127.0.0.1:5"))
    descriptors = [server, None, file, opened("/unused", "", 0, 0, 0)]
    rows = _rows(descriptors, [2, 0, 1, 2, 0])
    assert [row.get("name") for row in rows] == ["/x", "127.0.0.1:5", None, "/x", "127.0.0.1:5"]
    assert [row.get("sport") for row in rows] == [None, 5, None, None, 5]
    assert rows[2] == {}
    assert rows[0] == _row(file)
    assert rows[4] == _row(server)


def test_no_events() -> None:
    """Nothing is fine."""
    assert _rows([None], []) == []
    assert _rows([None, None], [1, 0]) == [{}, {}]
