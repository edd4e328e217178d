"""Which of the host's addresses is used towards another."""

import ipaddress
import socket

import pytest

from falcotrace.record.interfaces import Interfaces

OURS = Interfaces(
    tuple(
        map(
            ipaddress.ip_interface,
            ["127.0.0.1/8", "192.0.2.10/24", "10.0.0.1/8", "::1/128", "2001:db8::1/64"],
        )
    )
)


@pytest.mark.parametrize(
    ("remote", "local"),
    [
        ("192.0.2.10", "192.0.2.10"),
        ("10.9.9.9", "10.0.0.1"),
        ("127.0.0.53", "127.0.0.1"),
        ("203.0.113.5", "192.0.2.10"),
        ("::1", "::1"),
        ("2001:db8::77", "2001:db8::1"),
        ("2001:db9::1", "2001:db8::1"),
    ],
)
def test_choice(remote: str, local: str) -> None:
    """The same address, else one of the same network, else the first that is no loopback."""
    chosen = OURS.address_towards(ipaddress.ip_address(remote).packed)
    assert str(ipaddress.ip_address(chosen)) == local


def test_host_without_addresses() -> None:
    """Nothing fits: zeros, as the socket itself has them."""
    assert Interfaces().address_towards(bytes([1, 2, 3, 4])) == bytes(4)
    assert OURS.address_towards(bytes(15) + b"\x02") != bytes(16)


def test_this_host_has_a_loopback() -> None:
    """The kernel's lists are read in both families that exist here."""
    found = Interfaces.of_host().addresses
    names = {name for _, name in socket.if_nameindex()}
    assert "lo" not in names or any(one.is_loopback for one in found)
