"""The samples that the kernel side makes, as numpy types.

Mirrors `bpf/event.h` member for member; `header` and `event` are flattened into the samples that
begin with them. A test compares every type here with the type information in the compiled object.
What comes in are bytes of the ring buffer, what goes out are types to view them with; this module
neither finds samples (`ring.py`) nor explains them (`decode`).

Source: `bpf/event.h`, which explains every member.
"""

import enum
from typing import Final

import numpy as np

RING_HEADER_BYTES: Final = 8
"""The kernel's own header before each sample (Linux kernel/bpf/ringbuf.c, bpf_ringbuf_hdr)."""

PARTS: Final = 6
ARGS: Final = 6


class SampleType(enum.IntEnum):
    """What a sample is: `header.type`."""

    EVENT = 1
    EVENT_DATA = 2
    PROCESS = 3
    IMAGE = 4
    FILE = 5
    CGROUPS = 6
    EXIT = 7


class HeaderFlag(enum.IntFlag):
    """Bits of `header.flags`."""

    COMPAT = 1
    CHILD = 2
    RESULT_FD = 4
    CLOSED = 8
    SNAPSHOT = 16
    IO_URING = 32
    NO_RESULT = 64


class PartKind(enum.IntEnum):
    """What a variable part of an event is: `part.kind`."""

    NONE = 0
    STRING = 1
    BYTES = 2
    SOCKADDR = 3
    MSG_NAME = 4
    MSG_CONTROL = 5
    MSG_DATA = 6
    VECTOR_DATA = 7
    ARGV = 8
    USAGE = 9
    BACKLOG = 10
    POLL = 11
    VECTOR_SIZE = 12
    MSG_SIZE = 13


class PartFlag(enum.IntFlag):
    """Bits of `part.flags`."""

    CUT = 1
    FAULT = 2
    NULL = 4
    SHED = 8


class CallClass(enum.IntEnum):
    """What a call is about, in the account of losses."""

    OTHER = 0
    PROCESS = 1
    FILE = 2
    NETWORK = 3
    TRANSFER = 4
    WAIT = 5
    MEMORY = 6


class ProcessFlag(enum.IntFlag):
    """Bits of `process.flags`."""

    KERNEL = 1
    LEADER = 2
    REAPER = 4
    CWD_CUT = 8
    CWD_DELETED = 16
    ROOT_CUT = 32
    CHROOT = 64


class ImageFlag(enum.IntFlag):
    """Bits of `image.flags`; the first four are those of Falco's execve flags."""

    WRITABLE = 1
    UPPER_LAYER = 2
    MEMFD = 4
    LOWER_LAYER = 8
    EXECVEAT = 16
    DELETED = 32
    EXEPATH_CUT = 64
    ARGV_CUT = 128
    ENV_CUT = 256
    ARGV_FAULT = 512
    ENV_FAULT = 1024
    COMPAT = 2048


class FileKind(enum.IntEnum):
    """What an open file is: `file.kind`."""

    OTHER = 0
    PATH = 1
    PIPE = 2
    SOCKET = 3
    ANON = 4
    MEMFD = 5


class FileFlag(enum.IntFlag):
    """Bits of `file.flags`."""

    UPPER_LAYER = 1
    LOWER_LAYER = 2
    DELETED = 4
    PATH_CUT = 8
    ABSTRACT = 16
    LISTENING = 32
    CREATED = 64
    PEER_NAME = 128


class Role(enum.IntEnum):
    """Which end of a connection a socket is: `file.role`."""

    NONE = 0
    CLIENT = 1
    SERVER = 2


_HEADER: Final = [
    ("magic", "<u4"),
    ("type", "u1"),
    ("flags", "u1"),
    ("cpu", "<u2"),
    ("ts_ns", "<u8"),
]
_EVENT: Final = [
    *_HEADER,
    ("process_id", "<u8"),
    ("file_id", "<u8"),
    ("ret", "<i8"),
    ("nr", "<u2"),
    ("latency_high", "<u2"),
    ("latency_low", "<u4"),
    ("args", "<u8", (ARGS,)),
]

HEADER: Final = np.dtype(_HEADER)
PART: Final = np.dtype([("len", "<u2"), ("kind", "u1"), ("flags", "u1")])
EVENT: Final = np.dtype(_EVENT)
EVENT_DATA: Final = np.dtype(
    [*_EVENT, ("dir_file_id", "<u8", (2,)), ("other_file_id", "<u8"), ("part", PART, (PARTS,))]
)
USAGE: Final = np.dtype(
    [
        ("fd_limit", "<u8"),
        ("major_faults", "<u8"),
        ("minor_faults", "<u8"),
        ("vm_size_kib", "<u4"),
        ("vm_rss_kib", "<u4"),
        ("vm_swap_kib", "<u4"),
        ("reserved", "<u4"),
    ]
)
BACKLOG: Final = np.dtype([("len", "<u4"), ("max", "<u4")])
POLLED: Final = np.dtype([("fd", "<i4"), ("events", "<i2"), ("revents", "<i2"), ("file_id", "<u8")])

_PROCESS_64: Final = (
    "process_id previous_id image_id cgroups_id start_ns pid_start_ns ppid_start_ns pidns_start_ns "
    "cap_permitted cap_effective cap_inheritable cap_bounding cap_ambient fd_limit"
)
_PROCESS_32: Final = (
    "tid pid ptid ppid pgid sid vtid vpid vpgid vsid "
    "pidns mntns netns userns cgroupns utsns ipcns "
    "uid gid euid egid suid sgid fsuid fsgid loginuid audit_session tty flags pidns_level"
)
# Two members of the sample are called `flags`; the header's keeps that name.
PROCESS: Final = np.dtype(
    [
        *_HEADER,
        *((name, "<u8") for name in _PROCESS_64.split()),
        ("std_file_id", "<u8", (3,)),
        *((name if name != "flags" else "process_flags", "<u4") for name in _PROCESS_32.split()),
        ("comm", "S16"),
        ("thread_comm", "S16"),
        ("cwd_len", "<u2"),
        ("root_len", "<u2"),
        ("reserved", "<u4"),
    ]
)
IMAGE: Final = np.dtype(
    [
        *_HEADER,
        *((name, "<u8") for name in ("image_id", "ino", "ctime_ns", "mtime_ns")),
        *((name, "<u4") for name in ("dev", "mode", "uid", "gid", "superblock_magic")),
        ("image_flags", "<u4"),
        *((name, "<u4") for name in ("tid", "pid", "argv_full_len", "env_full_len")),
        ("filename_len", "<u2"),
        ("exepath_len", "<u2"),
        ("interp_len", "<u2"),
        ("argv_len", "<u2"),
        ("env_len", "<u2"),
        ("reserved", "<u2", (3,)),
    ]
)
FILE: Final = np.dtype(
    [
        *_HEADER,
        *((name, "<u8") for name in ("file_id", "previous_id", "ino", "sock", "peer")),
        *((name, "<u4") for name in ("dev", "rdev", "mode", "open_flags", "file_mode")),
        ("superblock_magic", "<u4"),
        ("file_flags", "<u4"),
        ("tid", "<u4"),
        ("fd", "<i4"),
        ("netns", "<u4"),
        ("peer_pid", "<u4"),
        ("peer_uid", "<u4"),
        ("family", "<u2"),
        ("socket_type", "<u2"),
        ("protocol", "<u2"),
        ("local_port", "<u2"),
        ("remote_port", "<u2"),
        ("state", "u1"),
        ("role", "u1"),
        ("kind", "u1"),
        ("reserved", "u1", (3,)),
        ("local", "u1", (16,)),
        ("remote", "u1", (16,)),
        ("path_len", "<u2"),
        ("name_len", "<u2"),
        ("reserved2", "<u4"),
    ]
)
CGROUPS: Final = np.dtype(
    [
        *_HEADER,
        ("cgroups_id", "<u8"),
        ("default_id", "<u8"),
        ("paths_len", "<u2"),
        ("default_len", "<u2"),
        ("cgroups_flags", "<u4"),
    ]
)
EXIT: Final = np.dtype(
    [
        *_HEADER,
        ("process_id", "<u8"),
        ("code", "<i4"),
        *((name, "<u4") for name in ("tid", "pid", "reaper_tid", "group_dead", "reserved")),
    ]
)

SAMPLES: Final = {
    SampleType.EVENT: EVENT,
    SampleType.EVENT_DATA: EVENT_DATA,
    SampleType.PROCESS: PROCESS,
    SampleType.IMAGE: IMAGE,
    SampleType.FILE: FILE,
    SampleType.CGROUPS: CGROUPS,
    SampleType.EXIT: EXIT,
}
"""The fixed part of each sample type."""

STRINGS: Final = {
    SampleType.PROCESS: ("cwd_len", "root_len"),
    SampleType.IMAGE: ("filename_len", "exepath_len", "interp_len", "argv_len", "env_len"),
    SampleType.FILE: ("path_len", "name_len"),
    SampleType.CGROUPS: ("paths_len", "default_len"),
}
"""Members that hold the lengths of the strings after the fixed part, in their order."""

COUNTERS: Final = np.dtype(
    [
        ("made", "<u8", (8,)),
        ("lost", "<u8", (8,)),
        ("faults", "<u8"),
        ("cut_paths", "<u8"),
        ("cut_parts", "<u8"),
        ("map_full", "<u8"),
        ("no_state", "<u8"),
        ("lost_by_class", "<u8", (8,)),
        ("shed_events", "<u8"),
        ("shed_parts", "<u8"),
        ("looked", "<u8"),
        ("pressure", "<u8"),
    ]
)
"""Counters of one CPU."""
