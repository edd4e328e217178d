"""What a capture says about its host before the first event.

In: nothing. Out: the data structures; `metadata_blocks` reads them. Texts are bytes as stored,
because Linux names need not be UTF-8. Absent fields have the defaults that libscap gives them
(libs 48dfd53c, userspace/libscap/scap_savefile.c).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

NO_ID = 0xFFFF_FFFF
"""A user or group that is not known."""


@dataclass(frozen=True, slots=True)
class MachineInfo:
    """The host.

    Attributes:
        cpu_count: processors.
        memory_bytes: main memory.
        max_pid: largest process id.
        hostname: its name.
        boot_time_ns: since the epoch; 0 in old captures.
        flags: bits about the recording.
    """

    cpu_count: int = 0
    memory_bytes: int = 0
    max_pid: int = 0
    hostname: bytes = b""
    boot_time_ns: int = 0
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Interface:
    """An address of a network interface: 4 or 16 bytes in network order, as are the others."""

    name: bytes
    address: bytes
    netmask: bytes
    broadcast: bytes
    link_speed: int = 0

    @property
    def is_ipv6(self) -> bool:
        """Whether the address has 16 bytes."""
        return len(self.address) == 16


@dataclass(frozen=True, slots=True)
class User:
    """An account of the host."""

    uid: int
    gid: int
    name: bytes
    home: bytes
    shell: bytes


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the host."""

    gid: int
    name: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEntry:
    """A thread that ran when the recording began.

    Attributes:
        ptid: main thread of the parent process.
        exe: first word of the command line.
        args: the other words, each ended by NUL; `env` and `cgroups` likewise.
        flags: Falco's clone flags.
        root: directory that `chroot` made its root.
        vm_size_kb: memory; `vm_rss_kb` and `vm_swap_kb` likewise.
        pidns_init_start_ns: when the first process of its namespace began, since the epoch.
        exe_ino_ctime_ns: times of the program's file, since the epoch.
    """

    tid: int
    pid: int
    ptid: int
    sid: int = -1
    vpgid: int = -1
    pgid: int = -1
    vtid: int = -1
    vpid: int = -1
    comm: bytes = b""
    exe: bytes = b""
    exepath: bytes = b""
    args: bytes = b""
    env: bytes = b""
    cwd: bytes = b""
    root: bytes = b""
    cgroups: bytes = b""
    fdlimit: int = 0
    flags: int = 0
    uid: int = NO_ID
    gid: int = NO_ID
    loginuid: int = NO_ID
    vm_size_kb: int = 0
    vm_rss_kb: int = 0
    vm_swap_kb: int = 0
    major_fault_count: int = 0
    minor_fault_count: int = 0
    pidns_init_start_ns: int = 0
    tty: int = 0
    cap_inheritable: int = 0
    cap_permitted: int = 0
    cap_effective: int = 0
    exe_ino: int = 0
    exe_ino_ctime_ns: int = 0
    exe_ino_mtime_ns: int = 0
    exe_writable: bool = False
    exe_upper_layer: bool = False
    exe_lower_layer: bool = False
    exe_from_memfd: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptorEntry:
    """An open descriptor of a process when the recording began.

    Attributes:
        fd: its number.
        ino: inode.
        type: libscap's number of its type (SCAP_FD_*, libs 48dfd53c, userspace/libscap/scap.h).
        name: path or other name; empty for internet sockets.
        source: address of 4 or 16 bytes in network order, empty where there is none; of a
            listening socket its own.
        destination: the same, of the other end.
        l4: libscap's number of the protocol.
        flags: Falco's open flags; only files have them, as `device`.
        source_pointer: kernel address of a unix socket; `destination_pointer` of its peer.
    """

    fd: int
    ino: int
    type: int
    name: bytes = b""
    source: bytes = b""
    destination: bytes = b""
    source_port: int = 0
    destination_port: int = 0
    l4: int = 0
    flags: int = 0
    device: int = 0
    source_pointer: int = 0
    destination_pointer: int = 0


@dataclass(frozen=True, slots=True)
class Metadata:
    """All of it; `descriptors` by the thread that the capture lists them for."""

    machine: MachineInfo = MachineInfo()
    interfaces: tuple[Interface, ...] = ()
    users: tuple[User, ...] = ()
    groups: tuple[Group, ...] = ()
    processes: tuple[ProcessEntry, ...] = ()
    descriptors: Mapping[int, tuple[DescriptorEntry, ...]] = field(default_factory=dict)
