"""What `.scap` captures say about their host, in all versions, and how damage is limited."""

import struct
from pathlib import Path

import pytest

from falcotrace.scap import metadata_blocks
from falcotrace.scap.blocks import MetadataBlock
from falcotrace.scap.blocks_warnings import Warnings
from falcotrace.scap.metadata import (
    DescriptorEntry,
    Group,
    Interface,
    MachineInfo,
    Metadata,
    ProcessEntry,
    User,
)
from falcotrace.scap.metadata_blocks import MetadataReader
from falcotrace.scap.reader import open_scap
from unit.scap.scap_bytes import block, i64, machine, section, text, u32

LISTS = {
    1: (0x202, 0x8000ABCD),
    2: (0x207, 0x8013ABCD),
    3: (0x209, 0x8014ABCD),
    4: (0x210,),
    5: (0x211,),
    6: (0x212,),
    7: (0x213,),
    8: (0x214,),
    9: (0x215,),
}


def read(*parts: tuple[int, bytes]) -> tuple[Metadata, list[str]]:
    """Metadata from bodies of blocks by their type, and the warnings."""
    warnings = Warnings()
    reader = MetadataReader(warnings)
    for kind, body in parts:
        reader.add(MetadataBlock(kind, 0, body))
    return reader.result(), [warning.message for warning in warnings.all()]


def process_bytes(version: int, tid: int = 5) -> bytes:
    """A process as a list of some version holds it, without optional fields."""
    data = struct.pack("<qqq", tid, 6, 7)
    data += i64(8) if version >= 6 else b""
    data += i64(9) if version >= 8 else b""
    data += text(b"comm") + text(b"exe")
    data += text(b"/exepath") if version >= 7 else b""
    data += text(b"a\0b\0") + text(b"/cwd") + struct.pack("<QIII", 1024, 3, 10, 11)
    data += struct.pack("<IIIQQ", 12, 13, 14, 15, 16) if version >= 2 else b""
    data += text(b"A=1\0") if version >= 3 else b""
    data += struct.pack("<qq", 17, 18) + text(b"cpu=/\0") if version >= 4 else b""
    return data + (text(b"/root") if version >= 5 else b"")


OPTIONAL = struct.pack("<QII?QQQ?QQQ??q", 1, 2, 3, True, 4, 5, 6, True, 7, 8, 9, True, True, 10)


@pytest.mark.parametrize(
    ("version", "kind"), [(version, kind) for version, kinds in LISTS.items() for kind in kinds]
)
def test_process_lists_of_all_versions(version: int, kind: int) -> None:
    """Each version has its fields; what a version lacks has libscap's default."""
    body = b""
    for tid in (5, 6):
        entry = process_bytes(version, tid)
        body += (u32(len(entry) + 4) if version == 9 else b"") + entry
    metadata, warnings = read((kind, body + bytes(-len(body) % 4)))
    assert warnings == []
    first, second = metadata.processes
    assert second.tid == 6
    assert first == ProcessEntry(
        tid=5,
        pid=6,
        ptid=7,
        sid=8 if version >= 6 else -1,
        vpgid=9 if version >= 8 else -1,
        comm=b"comm",
        exe=b"exe",
        exepath=b"/exepath" if version >= 7 else b"",
        args=b"a\0b\0",
        cwd=b"/cwd",
        fdlimit=1024,
        flags=3,
        uid=10,
        gid=11,
        vm_size_kb=12 if version >= 2 else 0,
        vm_rss_kb=13 if version >= 2 else 0,
        vm_swap_kb=14 if version >= 2 else 0,
        major_fault_count=15 if version >= 2 else 0,
        minor_fault_count=16 if version >= 2 else 0,
        env=b"A=1\0" if version >= 3 else b"",
        vtid=17 if version >= 4 else -1,
        vpid=18 if version >= 4 else -1,
        cgroups=b"cpu=/\0" if version >= 4 else b"",
        root=b"/root" if version >= 5 else b"",
    )


def test_all_optional_fields_of_a_process() -> None:
    """Version 9 has them in this order; what a newer writer adds is passed over."""
    entry = process_bytes(9) + OPTIONAL + b"newer"
    metadata, warnings = read((0x215, u32(len(entry) + 4) + entry))
    assert warnings == []
    (found,) = metadata.processes
    assert (found.pidns_init_start_ns, found.tty, found.loginuid, found.exe_writable) == (
        1,
        2,
        3,
        True,
    )
    assert (found.cap_inheritable, found.cap_permitted, found.cap_effective) == (4, 5, 6)
    assert (found.exe_ino, found.exe_ino_ctime_ns, found.exe_ino_mtime_ns) == (7, 8, 9)
    assert (found.exe_upper_layer, found.exe_lower_layer, found.exe_from_memfd) == (
        True,
        True,
        True,
    )
    assert found.pgid == 10


def test_optional_fields_end_anywhere() -> None:
    """Older writers of version 9 knew fewer."""
    entry = process_bytes(9) + OPTIONAL[:60]
    metadata, _ = read((0x215, u32(len(entry) + 4) + entry))
    (found,) = metadata.processes
    assert (found.cap_effective, found.exe_upper_layer, found.exe_ino, found.pgid) == (
        6,
        True,
        7,
        -1,
    )


def test_a_development_version_lacks_two_optional_fields() -> None:
    """At most 29 bytes: they begin at the login's user."""
    entry = process_bytes(9) + struct.pack("<I?QQQ", 1000, True, 4, 5, 6)
    metadata, _ = read((0x215, u32(len(entry) + 4) + entry))
    (found,) = metadata.processes
    assert (found.loginuid, found.exe_writable, found.cap_effective, found.tty) == (
        1000,
        True,
        6,
        0,
    )


NAMED = struct.pack("<qQB", 3, 33, 7) + text(b"pipe")
FILE = struct.pack("<qQBI", 4, 34, 16, 1) + text(b"/etc/passwd")
UNIX = struct.pack("<qQBQQ", 5, 35, 8, 100, 200) + text(b"/run/a")
IPV4 = struct.pack("<qQB4s4sHHB", 6, 36, 3, b"\x7f\0\0\1", b"\x08\x08\x08\x08", 1000, 53, 3)
IPV6 = struct.pack("<qQB16s16sHHB", 7, 37, 4, b"a" * 16, b"b" * 16, 1, 2, 2)
LISTENING4 = struct.pack("<qQB4sHB", 8, 38, 5, b"\0\0\0\0", 80, 2)
LISTENING6 = struct.pack("<qQB16sHB", 9, 39, 6, b"c" * 16, 81, 2)
ENTRIES = (NAMED, FILE, UNIX, IPV4, IPV6, LISTENING4, LISTENING6)
DESCRIPTORS = (
    DescriptorEntry(fd=3, ino=33, type=7, name=b"pipe"),
    DescriptorEntry(fd=4, ino=34, type=16, name=b"/etc/passwd", flags=1),
    DescriptorEntry(
        fd=5, ino=35, type=8, name=b"/run/a", source_pointer=100, destination_pointer=200
    ),
    DescriptorEntry(
        fd=6,
        ino=36,
        type=3,
        source=b"\x7f\0\0\1",
        destination=b"\x08\x08\x08\x08",
        source_port=1000,
        destination_port=53,
        l4=3,
    ),
    DescriptorEntry(
        fd=7,
        ino=37,
        type=4,
        source=b"a" * 16,
        destination=b"b" * 16,
        source_port=1,
        destination_port=2,
        l4=2,
    ),
    DescriptorEntry(fd=8, ino=38, type=5, source=b"\0\0\0\0", source_port=80, l4=2),
    DescriptorEntry(fd=9, ino=39, type=6, source=b"c" * 16, source_port=81, l4=2),
)


@pytest.mark.parametrize("kind", [0x203, 0x8001ABCD, 0x218])
def test_descriptors_of_all_types(kind: int) -> None:
    """Both versions; several lists of one thread add up."""
    with_length = kind == 0x218
    body = i64(77) + b"".join((u32(len(e) + 4) if with_length else b"") + e for e in ENTRIES)
    metadata, warnings = read((kind, body), (0x203, i64(77) + NAMED), (0x203, i64(78)))
    assert warnings == []
    assert metadata.descriptors == {77: (*DESCRIPTORS, DESCRIPTORS[0])}


def test_device_of_a_file() -> None:
    """Only where the entry's length has room for it."""
    entry = FILE + u32(99)
    metadata, warnings = read((0x218, i64(1) + u32(len(entry) + 4) + entry))
    assert (metadata.descriptors[1][0].device, warnings) == (99, [])


def test_interfaces() -> None:
    """IPv4 and IPv6, with and without speed, in both versions."""
    four = struct.pack("<HH4s4s4sQ", 1, 2, b"abcd", b"efgh", b"ijkl", 10) + b"lo"
    six = struct.pack("<HH16s16s16s", 4, 4, b"a" * 16, b"b" * 16, b"c" * 16) + b"eth0"
    expected = (
        Interface(b"lo", b"abcd", b"efgh", b"ijkl", 10),
        Interface(b"eth0", b"a" * 16, b"b" * 16, b"c" * 16),
    )
    for kind in (0x205, 0x8011ABCD):
        assert read((kind, four + six + b"\0\0"))[0].interfaces == expected
    body = u32(len(four)) + four + u32(len(six)) + six
    metadata, warnings = read((0x219, body))
    assert (metadata.interfaces, warnings) == (expected, [])
    assert [interface.is_ipv6 for interface in expected] == [False, True]


def test_users_and_groups() -> None:
    """Both kinds in one list, in both versions."""
    user = struct.pack("<BII", 0, 1000, 100) + text(b"me") + text(b"/home/me") + text(b"/bin/sh")
    group = struct.pack("<BI", 1, 100) + text(b"users")
    for kind in (0x206, 0x8012ABCD):
        metadata, _ = read((kind, user + group))
        assert metadata.users == (User(1000, 100, b"me", b"/home/me", b"/bin/sh"),)
        assert metadata.groups == (Group(100, b"users"),)
    assert read((0x220, u32(len(user) + 4) + user))[0].users == metadata.users


def test_machine(tmp_path: Path) -> None:
    """The name ends at its first NUL; the block may come anywhere before the events."""
    path = tmp_path / "a.scap"
    path.write_bytes(section() + block(0x203, i64(1) + NAMED) + machine(b"box", 123))
    with open_scap(path) as file:
        (part,) = file
    assert part.metadata.machine == MachineInfo(4, 1 << 30, 99, b"box", 123, 0)
    assert part.metadata.descriptors[1] == DESCRIPTORS[:1]


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        (0x218, u32(len(NAMED) + 4) + NAMED),
        (0x203, NAMED),
        (0x215, u32(len(process_bytes(9)) + 4) + process_bytes(9)),
        (0x214, process_bytes(8)),
        (0x219, u32(52) + struct.pack("<HH16s16s16s", 4, 0, b"a", b"b", b"c")),
        (0x220, u32(11) + struct.pack("<BI", 1, 100) + text(b"")),
    ],
)
def test_entries_before_a_cut_one_are_kept(kind: int, entry: bytes) -> None:
    """Whatever length an entry claims, the ones before it stay."""
    front = i64(1) if kind in {0x218, 0x203} else b""
    body = front + entry + entry[:-1]
    metadata, warnings = read((kind, body))
    entries = metadata.processes or metadata.interfaces or metadata.groups
    assert len(entries or metadata.descriptors[1]) == 1
    assert warnings == [
        f"a metadata block of type {kind:#x} has an entry longer than itself: its rest is ignored"
    ]


def test_unknown_entries_are_told() -> None:
    """A type that does not exist has no known size."""
    entry = struct.pack("<qQB", 3, 33, 99) + text(b"x")
    assert "unknown type 99" in read((0x203, i64(1) + entry))[1][0]
    assert "unknown type 9" in read((0x206, b"\x09" + bytes(20)))[1][0]
    assert "unknown type 7" in read((0x205, struct.pack("<HH", 7, 0) + bytes(40)))[1][0]


def test_an_entry_without_room_for_its_length() -> None:
    """A length below four cannot move on."""
    assert "longer than itself" in read((0x215, u32(3) + bytes(40)))[1][0]


def test_metadata_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bytes of a compressed capture cannot become millions of entries."""
    monkeypatch.setattr(metadata_blocks, "MAX_SECTION_ENTRIES", 3)
    metadata, warnings = read((0x203, i64(1) + NAMED * 10), (0x203, i64(2) + NAMED))
    assert sum(map(len, metadata.descriptors.values())) == 3
    assert warnings == ["too many entries of metadata: the others are ignored"]
    monkeypatch.setattr(metadata_blocks, "MAX_SECTION_BYTES", 20)
    assert read((0x203, i64(1) + NAMED))[0].descriptors == {}
