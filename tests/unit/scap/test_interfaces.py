"""The machine's own addresses: what is local, and what stands for an end left open."""

import pytest

from falcotrace.scap.descriptor import Ends
from falcotrace.scap.interfaces import Interfaces, LocalAddresses
from unit.scap.made_sockets import ENTRIES, INTERFACES, packed


@pytest.mark.parametrize(
    ("remote", "ours"),
    [
        ("192.0.2.2", "192.0.2.2"),
        ("192.0.2.77", "192.0.2.2"),
        ("127.0.0.53", "127.0.0.1"),
        ("8.8.8.8", "192.0.2.2"),
        ("0.0.0.0", "192.0.2.2"),
        ("::1", "::1"),
        ("::5", "::1"),
        ("2001:db8::99", "2001:db8::2"),
        ("fe80::1", "2001:db8::2"),
    ],
)
def test_address_towards_another(remote: str, ours: str) -> None:
    """The same address, else one of its network, else the first that is no loopback."""
    assert INTERFACES.towards(packed(remote)) == packed(ours)


def test_no_interfaces() -> None:
    """Without a list an open end stays open."""
    assert Interfaces().towards(packed("8.8.8.8")) == bytes(4)
    assert Interfaces().towards(packed("::1")) == bytes(16)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("0.0.0.0 35016 127.0.0.1 53", "127.0.0.1 35016 127.0.0.1 53"),
        ("127.0.0.1 53 0.0.0.0 35016", "127.0.0.1 53 127.0.0.1 35016"),
        ("0.0.0.0 0 0.0.0.0 45285", "192.0.2.2 0 0.0.0.0 45285"),
        ("0.0.0.0 5 127.0.0.1 5", "0.0.0.0 5 127.0.0.1 5"),
        ("127.0.0.1 5 0.0.0.0 5", "127.0.0.1 5 0.0.0.0 5"),
        ("1.1.1.1 5 2.2.2.2 6", "1.1.1.1 5 2.2.2.2 6"),
        (":: 54715 ::1 37878", "::1 54715 ::1 37878"),
    ],
)
def test_open_ends_are_completed(before: str, after: str) -> None:
    """One end at most, and never so that a socket talks to itself."""
    assert INTERFACES.completed(_ends(before)) == _ends(after)


def _ends(text: str) -> Ends:
    source, source_port, destination, port = text.split()
    return Ends(packed(source), packed(destination), int(source_port), int(port))


HOST = LocalAddresses(INTERFACES)
IN_CONTAINER = LocalAddresses(
    INTERFACES, is_in_container=True, container_addresses=frozenset({packed("172.17.0.3")})
)
IN_KNOWN_CONTAINER = LocalAddresses(
    INTERFACES, is_in_container=True, own_address=packed("172.17.0.2")
)


@pytest.mark.parametrize(
    ("local", "address", "expected"),
    [
        (HOST, "192.0.2.2", True),
        (HOST, "192.0.2.3", False),
        (HOST, "172.17.0.2", False),
        (HOST, "::1", True),
        (HOST, "::", True),  # the first half is that of ::1
        (HOST, "fe80::1", False),
        (IN_CONTAINER, "127.0.0.1", False),
        (IN_CONTAINER, "172.17.0.3", True),
        (IN_CONTAINER, "::1", False),
        (IN_KNOWN_CONTAINER, "172.17.0.2", True),
        (IN_KNOWN_CONTAINER, "172.17.0.3", False),
        (IN_KNOWN_CONTAINER, "127.0.0.1", True),
    ],
)
def test_what_is_local(local: LocalAddresses, address: str, *, expected: bool) -> None:
    """On the host its interfaces; in a container its address, or those of all containers."""
    assert local.is_local(packed(address)) is expected


def test_interfaces_of_a_capture() -> None:
    """They keep the order of the list, for the first that is no loopback is taken."""
    assert [address for address, _ in Interfaces.of(ENTRIES).v4] == [
        packed("127.0.0.1"),
        packed("192.0.2.2"),
    ]
    assert Interfaces.of(ENTRIES).v6 == (packed("::1"), packed("2001:db8::2"))
