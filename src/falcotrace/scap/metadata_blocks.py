"""Reads the blocks that describe a host.

In: bodies of blocks, in any order. Out: `Metadata`. An entry that cannot be ends its block with a
warning; entries before it are kept. Layouts: libs 48dfd53c, userspace/libscap/scap_savefile.h and
engine/savefile/scap_savefile.c.
"""

import struct
from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

from falcotrace.scap.blocks import (
    DESCRIPTORS,
    INTERFACES,
    MACHINE_INFO,
    PROCESSES,
    USERS,
    MetadataBlock,
)
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
from falcotrace.scap.metadata_cursor import Cursor, ShortEntryError
from falcotrace.scap.metadata_processes import read_process

Entry = TypeVar("Entry")

_U32 = struct.Struct("<I")
_MACHINE = struct.Struct("<IQQ128sQQ")
_INTERFACE = struct.Struct("<HH")
_IDS = struct.Struct("<II")
_TID = struct.Struct("<q")
_DESCRIPTOR = struct.Struct("<qQB")
_PORTS = struct.Struct("<HHB")
_PORT = struct.Struct("<HB")
_POINTERS = struct.Struct("<QQ")

_ADDRESS_BYTES_BY_INTERFACE = {1: 4, 2: 16, 3: 4, 4: 16}
_WITHOUT_SPEED = (3, 4)

CONNECTION_BYTES = {3: 4, 4: 16}
LISTENING_BYTES = {5: 4, 6: 16}
UNIX_SOCKET = 8
FILE_WITH_FLAGS = 16
MAX_SECTION_BYTES = 256 << 20
MAX_SECTION_ENTRIES = 1_000_000
"""A host with more than this is not believed: an entry takes much more memory than its bytes."""

NAMED = frozenset({0, 1, 2, 7, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21})


class UnknownEntryError(Exception):
    """An entry of a type that is not known."""


class TooMuchError(Exception):
    """More metadata than is believed."""


class MetadataReader:
    """Gathers the metadata of one section."""

    def __init__(self, warnings: Warnings) -> None:
        self._warnings = warnings
        self._left_bytes = MAX_SECTION_BYTES
        self._left_entries = MAX_SECTION_ENTRIES
        self._machine = MachineInfo()
        self._interfaces: list[Interface] = []
        self._users: list[User | Group] = []
        self._processes: list[ProcessEntry] = []
        self._descriptors: dict[int, list[DescriptorEntry]] = defaultdict(list)

    def add(self, block: MetadataBlock) -> None:
        """Read a block; section headers have nothing to add."""
        cursor = Cursor(block.body)
        try:
            self._spend_bytes(len(block.body))
            if block.type in MACHINE_INFO:
                self._machine = _read_machine(cursor)
            elif block.type in INTERFACES:
                self._read_interfaces(cursor, INTERFACES[block.type])
            elif block.type in USERS:
                self._read_users(cursor, USERS[block.type])
            elif block.type in PROCESSES:
                self._read_processes(cursor, PROCESSES[block.type])
            elif block.type in DESCRIPTORS:
                self._read_descriptors(cursor, DESCRIPTORS[block.type])
        except ShortEntryError:
            self._warn(block, "has an entry longer than itself")
        except UnknownEntryError as error:
            self._warn(block, f"has an entry of unknown type {error}")
        except TooMuchError:
            self._warnings.add(block.offset, "too many entries of metadata: the others are ignored")

    def result(self) -> Metadata:
        """Everything that was read."""
        return Metadata(
            machine=self._machine,
            interfaces=tuple(self._interfaces),
            users=tuple(user for user in self._users if isinstance(user, User)),
            groups=tuple(group for group in self._users if isinstance(group, Group)),
            processes=tuple(self._processes),
            descriptors={tid: tuple(entries) for tid, entries in self._descriptors.items()},
        )

    def _warn(self, block: MetadataBlock, what: str) -> None:
        message = f"a metadata block of type {block.type:#x} {what}: its rest is ignored"
        self._warnings.add(block.offset, message)

    def _spend_bytes(self, size_bytes: int) -> None:
        self._left_bytes -= size_bytes
        if self._left_bytes < 0:
            raise TooMuchError

    def _has_entry(self, cursor: Cursor) -> bool:
        """Whether another entry follows; up to three bytes are padding."""
        if cursor.left_bytes < _U32.size:
            return False
        self._left_entries -= 1
        if self._left_entries < 0:
            raise TooMuchError
        return True

    def _read_interfaces(self, cursor: Cursor, version: int) -> None:
        while self._has_entry(cursor):
            entry = cursor.entry(*cursor.numbers(_U32)) if version >= 2 else cursor
            self._interfaces.append(_read_interface(entry))

    def _read_users(self, cursor: Cursor, version: int) -> None:
        while self._has_entry(cursor):
            entry = _entry_with_length(cursor) if version >= 2 else cursor
            self._users.append(_read_user(entry))

    def _read_processes(self, cursor: Cursor, version: int) -> None:
        while self._has_entry(cursor):
            entry = _entry_with_length(cursor) if version >= 9 else cursor
            self._processes.append(read_process(entry, version))

    def _read_descriptors(self, cursor: Cursor, version: int) -> None:
        (tid,) = cursor.numbers(_TID)
        while self._has_entry(cursor):
            entry = _entry_with_length(cursor) if version >= 2 else cursor
            descriptor = _read_descriptor(entry, has_end=version >= 2)
            self._descriptors[tid].append(descriptor)


def _entry_with_length(cursor: Cursor) -> Cursor:
    """The entry that begins here with its length, the length itself included."""
    (size_bytes,) = cursor.numbers(_U32)
    if size_bytes < _U32.size:
        raise ShortEntryError
    return cursor.entry(size_bytes - _U32.size)


def _read_machine(cursor: Cursor) -> MachineInfo:
    raw = cursor.raw(_MACHINE.size)
    cpu_count, memory_bytes, max_pid, hostname, boot_time_ns, flags = _MACHINE.unpack(raw)
    name = hostname.split(b"\0", 1)[0]
    return MachineInfo(cpu_count, memory_bytes, max_pid, name, boot_time_ns, flags)


def _read_interface(cursor: Cursor) -> Interface:
    kind, name_bytes = cursor.numbers(_INTERFACE)
    if kind not in _ADDRESS_BYTES_BY_INTERFACE:
        raise UnknownEntryError(kind)
    size_bytes = _ADDRESS_BYTES_BY_INTERFACE[kind]
    address, netmask, broadcast = (cursor.raw(size_bytes) for _ in range(3))
    speed = 0 if kind in _WITHOUT_SPEED else int.from_bytes(cursor.raw(8), "little")
    return Interface(cursor.raw(name_bytes), address, netmask, broadcast, speed)


def _read_user(cursor: Cursor) -> User | Group:
    kind = cursor.raw(1)[0]
    if kind == 0:
        uid, gid = cursor.numbers(_IDS)
        return User(uid, gid, cursor.text(), cursor.text(), cursor.text())
    if kind == 1:
        (gid,) = cursor.numbers(_U32)
        return Group(gid, cursor.text())
    raise UnknownEntryError(kind)


def _read_descriptor(cursor: Cursor, *, has_end: bool) -> DescriptorEntry:
    fd, ino, kind = cursor.numbers(_DESCRIPTOR)
    if (reader := _READERS.get(kind)) is not None:
        return reader(cursor, fd, ino, kind)
    if kind == FILE_WITH_FLAGS:
        (flags,) = cursor.numbers(_U32)
        name = cursor.text()
        # Only an entry that tells its length can say that a device follows.
        has_device = has_end and cursor.left_bytes >= _U32.size
        (device,) = cursor.numbers(_U32) if has_device else (0,)
        return DescriptorEntry(fd=fd, ino=ino, type=kind, name=name, flags=flags, device=device)
    raise UnknownEntryError(kind)


def _read_connection(cursor: Cursor, fd: int, ino: int, kind: int) -> DescriptorEntry:
    size_bytes = CONNECTION_BYTES[kind]
    source, destination = cursor.raw(size_bytes), cursor.raw(size_bytes)
    source_port, destination_port, l4 = cursor.numbers(_PORTS)
    return DescriptorEntry(
        fd=fd,
        ino=ino,
        type=kind,
        source=source,
        destination=destination,
        source_port=source_port,
        destination_port=destination_port,
        l4=l4,
    )


def _read_listening(cursor: Cursor, fd: int, ino: int, kind: int) -> DescriptorEntry:
    address = cursor.raw(LISTENING_BYTES[kind])
    port, l4 = cursor.numbers(_PORT)
    return DescriptorEntry(fd=fd, ino=ino, type=kind, source=address, source_port=port, l4=l4)


def _read_unix(cursor: Cursor, fd: int, ino: int, kind: int) -> DescriptorEntry:
    source, destination = cursor.numbers(_POINTERS)
    return DescriptorEntry(
        fd=fd,
        ino=ino,
        type=kind,
        name=cursor.text(),
        source_pointer=source,
        destination_pointer=destination,
    )


def _read_named(cursor: Cursor, fd: int, ino: int, kind: int) -> DescriptorEntry:
    return DescriptorEntry(fd=fd, ino=ino, type=kind, name=cursor.text())


_READERS: dict[int, Callable[[Cursor, int, int, int], DescriptorEntry]] = {
    **dict.fromkeys(CONNECTION_BYTES, _read_connection),
    **dict.fromkeys(LISTENING_BYTES, _read_listening),
    UNIX_SOCKET: _read_unix,
    **dict.fromkeys(NAMED, _read_named),
}
