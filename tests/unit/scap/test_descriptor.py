"""What a descriptor is when a call opens it, and when a capture lists it."""

from dataclasses import replace
from typing import Any

import pytest

from falcotrace.events.derived import TYPECHAR_BY_FD_TYPE
from falcotrace.events.flags import FLAG_TABLES
from falcotrace.scap.descriptor import (
    L4,
    Descriptor,
    DescriptorType,
    Ends,
    Role,
    imported,
    opened,
    set_imported_roles,
)
from falcotrace.scap.metadata import DescriptorEntry
from unit.scap.made_sockets import INTERFACES, packed

FLAG = FLAG_TABLES["file_flags"].value_of


def test_open_makes_a_file() -> None:
    """Names, flags, device and inode are kept; whether an exec closes it is not."""
    flags = FLAG("O_RDONLY") | FLAG("O_CLOEXEC")
    made = opened("/etc/passwd", "..//etc///passwd", flags, 0xFE00, 7)
    assert (made.type_text, made.name, made.nameraw) == ("file", "/etc/passwd", "../etc/passwd")
    assert (made.open_flags, made.device, made.ino) == (FLAG("O_RDONLY"), 0xFE00, 7)
    assert made == opened("/etc/passwd", "../etc/passwd", FLAG("O_RDONLY"), 0xFE00, 7)


@pytest.mark.parametrize(
    ("flag", "shown"),
    [
        ("O_DIRECTORY", ("directory", False, False)),
        ("FD_UPPER_LAYER", ("file", True, False)),
        ("FD_LOWER_LAYER", ("file", False, True)),
    ],
)
def test_flags_of_an_open(flag: str, shown: tuple[str, bool, bool]) -> None:
    """A directory is one only if it was asked for; layers come with the flags."""
    made = opened("/x", "/x", FLAG(flag), 0, 0)
    assert (made.type_text, made.is_upper_layer, made.is_lower_layer) == shown


def test_every_type_has_its_texts() -> None:
    """`fd.type` gives `fd.typechar` back, but for what Falco calls unsupported."""
    for kind in DescriptorType:
        one = Descriptor(kind)
        if kind is DescriptorType.UNSUPPORTED:
            assert (one.type_text, one.typechar) == ("<NA>", "X")
        else:
            assert one.typechar == TYPECHAR_BY_FD_TYPE[one.type_text]


@pytest.mark.parametrize(
    ("kind", "role", "l4", "text"),
    [
        (DescriptorType.IPV4, Role.NONE, L4.TCP, "<NA>"),
        (DescriptorType.IPV4, Role.NONE, L4.RAW, "raw"),
        (DescriptorType.IPV4, Role.CLIENT, L4.UDP, "udp"),
        (DescriptorType.IPV6, Role.SERVER, L4.ICMP, "icmp"),
        (DescriptorType.IPV6, Role.SERVER, L4.UNKNOWN, "<NA>"),
        (DescriptorType.IPV4_LISTENING, Role.NONE, L4.TCP, "tcp"),
        (DescriptorType.IPV6_LISTENING, Role.SERVER, 200, "<NA>"),
        (DescriptorType.UNIX, Role.CLIENT, 0, "<NA>"),
        (DescriptorType.FILE, Role.NONE, 0, "<NA>"),
    ],
)
def test_l4proto(kind: DescriptorType, role: Role, l4: int, text: str) -> None:
    """A connection shows its protocol when its role is known, raw and listening ones always."""
    one = Descriptor(kind, "n", role=role)
    if l4:
        address = bytes(4 if kind.name.startswith("IPV4") else 16)
        one = one.with_ends(kind, Ends(address, address, l4=l4))
    assert one.l4proto == text
    protocol = "" if text == "<NA>" else text[0]
    assert one.argument_text == f"<{one.typechar}{protocol}>n"


def test_memory_is_shared_by_types() -> None:
    """A socket that becomes another kind keeps the bytes that the new kind does not write."""
    connection = Ends(packed("1.2.3.4"), packed("5.6.7.8"), 1, 2, L4.TCP)
    made = Descriptor(DescriptorType.IPV4).with_ends(DescriptorType.IPV4, connection)
    listening = made.with_ends(
        DescriptorType.IPV4_LISTENING, Ends(packed("9.9.9.9"), source_port=80, l4=L4.UDP)
    )
    assert str(listening.ends) == "9.9.9.9:80"
    again = replace(listening, type=DescriptorType.IPV4).ends
    assert (again.source, again.source_port, again.destination_port, again.l4) == (
        packed("9.9.9.9"),
        1,
        2,
        L4.TCP,
    )


def _entry(kind: DescriptorType, **values: Any) -> DescriptorEntry:
    return DescriptorEntry(fd=3, ino=20154, type=kind, **values)


def _import(kind: DescriptorType, **values: Any) -> Descriptor:
    made = imported(_entry(kind, **values), INTERFACES)
    assert made is not None
    return made


def test_imported_file() -> None:
    """It has the kernel's path and no path as given."""
    flags = FLAG("O_RDWR") | FLAG("O_CLOEXEC")
    made = _import(DescriptorType.FILE, name=b"/dev/null\0x", flags=flags, device=6)
    assert (made.name, made.nameraw, made.ino, made.device) == ("/dev/null", "", 20154, 6)
    assert made.open_flags == FLAG("O_RDWR")


@pytest.mark.parametrize("number", [0, 22, 255, -1])
def test_kinds_that_are_not_taken_over(number: int) -> None:
    """Entries of an unknown kind are left out."""
    assert imported(DescriptorEntry(fd=3, ino=1, type=number, name=b"x"), INTERFACES) is None


@pytest.mark.parametrize(
    ("name", "role"), [(b"/run/systemd/notify\n", Role.SERVER), (b"", Role.CLIENT)]
)
def test_imported_unix_socket(name: bytes, role: Role) -> None:
    """The name stays as /proc has it; one with a name is a server's."""
    made = _import(DescriptorType.UNIX, name=name, source_pointer=1 << 63, destination_pointer=2)
    assert (made.name, made.role, made.pointers) == (name.decode(), role, (1 << 63, 2))


def _connection(
    source: str, port: int, destination: str, other: int, l4: int = L4.TCP
) -> Descriptor:
    kind = DescriptorType.IPV6 if ":" in source else DescriptorType.IPV4
    return _import(
        kind,
        source=packed(source),
        destination=packed(destination),
        source_port=port,
        destination_port=other,
        l4=l4,
    )


@pytest.mark.parametrize(
    ("made", "name", "kind", "is_connected"),
    [
        (
            _connection("10.0.2.15", 22, "10.0.2.2", 54626),
            "10.0.2.15:22->10.0.2.2:54626",
            "ipv4",
            True,
        ),
        (
            _connection("::ffff:10.0.2.15", 22, "::ffff:10.0.2.2", 54626),
            "10.0.2.15:22->10.0.2.2:54626",
            "ipv4",
            True,
        ),
        (
            _connection("0.0.0.0", 68, "0.0.0.0", 0, L4.UDP),
            "192.0.2.2:68->0.0.0.0:0",
            "ipv4",
            False,
        ),
        (_connection("1.1.1.1", 5, "2.2.2.2", 0, L4.RAW), "1.1.1.1:5->2.2.2.2:0", "ipv4", False),
        (_connection("::1", 5, "::", 0, L4.UDP), "::1:5->:::0", "ipv6", False),
    ],
)
def test_imported_connection(made: Descriptor, name: str, kind: str, *, is_connected: bool) -> None:
    """Mapped addresses become IPv4, open IPv4 ends are completed, TCP is connected."""
    assert (made.name, made.type_text, made.is_connected) == (name, kind, is_connected)
    assert made.role is Role.NONE


def _listening(address: str, port: int) -> Descriptor:
    kind = DescriptorType.IPV6_LISTENING if ":" in address else DescriptorType.IPV4_LISTENING
    return _import(kind, source=packed(address), source_port=port, l4=L4.TCP)


def test_roles_of_imported_sockets() -> None:
    """A connection from a port that is listened on, of either family, is a server's; ends turn."""
    ssh, web = _listening("0.0.0.0", 22), _listening("::", 80)
    served = _connection("10.0.2.15", 22, "10.0.2.2", 54626)
    served_by_ipv6 = _connection("10.0.2.15", 80, "10.0.2.2", 6)
    ours, of_ipv6 = _connection("10.0.2.15", 999, "1.1.1.1", 22), _connection("::1", 22, "::1", 7)
    found = set_imported_roles([ssh, web, served, served_by_ipv6, ours, of_ipv6])
    assert [(one.name, one.role) for one in found] == [
        ("0.0.0.0:22", Role.NONE),
        (":::80", Role.NONE),
        ("10.0.2.2:54626->10.0.2.15:22", Role.SERVER),
        ("10.0.2.2:6->10.0.2.15:80", Role.SERVER),
        ("10.0.2.15:999->1.1.1.1:22", Role.CLIENT),
        ("::1:22->::1:7", Role.NONE),
    ]
    assert found[2].ends.source == packed("10.0.2.2")
    assert set_imported_roles([]) == []
