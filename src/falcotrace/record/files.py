"""Open files by number: what `fd.*` shows for each, and under which name it was opened.

In: file descriptions from the kernel, and the names that opens gave. Out: columns for the files
    behind events. A loop for each file, none for each event.
"""

import os
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from falcotrace.events.derived import OTHER_TYPECHAR, TYPECHAR_BY_FD_TYPE
from falcotrace.record.layout import FileFlag, FileKind, Role
from falcotrace.record.text_pool import MISSING, TextPool

_O_DIRECTORY = os.O_DIRECTORY

# What the kernel calls an anonymous inode, and Falco's fd.type for it (libs 48dfd53c,
# userspace/libscap/linux/scap_fds.c, scap_fd_handle_regular_file and scap_fd_get_type_from_name).
_ANON_TYPES = {
    "eventfd": "event",
    "signalfd": "signalfd",
    "eventpoll": "eventpoll",
    "inotify": "inotify",
    "timerfd": "timerfd",
    "userfaultfd": "userfaultfd",
    "io_uring": "io_uring",
    "pidfd": "pidfd",
    "bpf-map": "bpf",
    "bpf-prog": "bpf",
    "bpf_link": "bpf",
    "bpf_iter": "bpf",
}
_PROTOCOLS: Mapping[int, str] = {
    socket.IPPROTO_TCP: "tcp",
    socket.IPPROTO_UDP: "udp",
    socket.IPPROTO_ICMP: "icmp",
    socket.IPPROTO_ICMPV6: "icmp",
}
_BY_SOCKET_TYPE: Mapping[int, str] = {
    socket.SOCK_STREAM: "tcp",
    socket.SOCK_DGRAM: "udp",
    socket.SOCK_RAW: "raw",
}
_TCP_ESTABLISHED = 1
_TCP_LISTEN = 10
_TCP_SYN_SENT = 2
_V4_MAPPED = bytes(10) + b"\xff\xff"
NO_PROTOCOL = "<NA>"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a connection; empty address for an end that is not known."""

    address: bytes = b""
    port: int = 0

    @property
    def text(self) -> str | None:
        """The address in canonical form; None when not known."""
        if not self.address:
            return None
        family = socket.AF_INET if len(self.address) == 4 else socket.AF_INET6
        return socket.inet_ntop(family, self.address)

    def __str__(self) -> str:
        return f"{self.text or '0.0.0.0'}:{self.port}"  # noqa: S104 - a text, nothing is bound


@dataclass(frozen=True, slots=True)
class OpenFile:
    """What is known of an open file besides its name."""

    type: str | None
    path: str | None
    kernel_name: str
    dev: int
    ino: int
    is_upper_layer: bool
    is_lower_layer: bool
    was_created: bool
    local: Endpoint = Endpoint()
    remote: Endpoint = Endpoint()
    role: Role = Role.NONE
    protocol: str = NO_PROTOCOL
    is_listening: bool = False
    is_connected: bool = False
    sock: int = 0
    peer: int = 0
    previous_id: int = 0

    @property
    def ends(self) -> tuple[Endpoint, Endpoint]:
        """Left and right end of the tuple: the client stands left."""
        if self.role is Role.SERVER and not self.is_listening:
            return self.remote, self.local
        return self.local, self.remote

    @property
    def l4proto(self) -> str:
        """`fd.l4proto`: only raw sockets show it before their role is known (FIELDS 4.9)."""
        if self.protocol == "raw" or (self.is_ip and self.role is not Role.NONE):
            return self.protocol
        return NO_PROTOCOL

    @property
    def is_ip(self) -> bool:
        """Whether it is an IP socket."""
        return self.type in {"ipv4", "ipv6"}


_PROTOCOL_CHARS = {"tcp": "t", "udp": "u", "icmp": "i", "raw": "r"}


class OpenFiles:
    """Every open file of a recording by `file_id`, which is dense and begins at 1."""

    def __init__(self, pool: TextPool) -> None:
        self._pool = pool
        self._files: list[OpenFile | None] = [None]
        self.names = np.full(1024, MISSING, np.int32)
        self.raw_names = np.full(1024, MISSING, np.int32)
        self._used = np.zeros(1024, np.bool_)

    def __getitem__(self, file_id: int) -> OpenFile | None:
        return self._files[file_id] if file_id < len(self._files) else None

    def add(self, sample: np.void, path: str, name: str) -> None:
        """Take in one description.

        Args:
            sample: of `layout.FILE`.
            path: the kernel's path.
            name: of an anonymous inode, a memfd or a unix socket.
        """
        file_id = int(sample["file_id"])
        self._reserve(file_id)
        file = describe_file(sample, path, name)
        self._files[file_id] = file
        known = self.names[file_id] != MISSING
        if not known:
            self.names[file_id] = self._pool.code(_name(file))
            self.raw_names[file_id] = self._pool.code("")

    def name(self, file_id: int) -> str | None:
        """`fd.name` of a file; None while nothing is known of it."""
        code = int(self.names[file_id]) if file_id < len(self.names) else MISSING
        return None if code == MISSING else self._pool[code]

    def descriptor_text(self, file_id: int) -> str | None:
        """A file as an argument of type descriptor shows it: `<f>/etc/passwd`, `<4t>` and tuple.

        Source: libs 48dfd53c, userspace/libsinsp/event.cpp, `render_fd`.
        """
        file = self[file_id]
        if file is None:
            return None
        char = TYPECHAR_BY_FD_TYPE.get(file.type or "", OTHER_TYPECHAR)
        if file.is_ip:
            char += _PROTOCOL_CHARS.get(file.protocol, "")
        return f"<{char}>{self.name(file_id) or ''}"

    def _reserve(self, file_id: int) -> None:
        if file_id >= len(self._files):
            self._files.extend([None] * (file_id + 1 - len(self._files)))
        if file_id >= len(self.names):
            grown = max(file_id + 1, 2 * len(self.names))
            self.names = _grow(self.names, grown, MISSING)
            self.raw_names = _grow(self.raw_names, grown, MISSING)
            self._used = _grow(self._used, grown, fill=False)

    def mark_used(self, file_ids: np.ndarray) -> np.ndarray:
        """Note that events name these files; which of them no event named before (0 never is)."""
        self.reserve(file_ids)
        fresh = ~self._used[file_ids] & (file_ids > 0)
        self._used[file_ids] = True
        return fresh

    def reserve(self, file_ids: np.ndarray) -> None:
        """Make room for names of files whose description has not come yet."""
        if len(file_ids):
            self._reserve(int(file_ids.max()))


def _grow(old: np.ndarray, size: int, fill: int) -> np.ndarray:
    new = np.full(size, fill, old.dtype)
    new[: len(old)] = old
    return new


def describe_file(sample: np.void, path: str, name: str) -> OpenFile:
    """Make an `OpenFile` of a sample of `layout.FILE`."""
    flags = int(sample["file_flags"])
    kind = int(sample["kind"])
    common: dict[str, object] = {
        "path": path or None,
        "kernel_name": name,
        "dev": int(sample["dev"]),
        "ino": int(sample["ino"]),
        "is_upper_layer": bool(flags & FileFlag.UPPER_LAYER),
        "is_lower_layer": bool(flags & FileFlag.LOWER_LAYER),
        "was_created": bool(flags & FileFlag.CREATED),
        "previous_id": int(sample["previous_id"]),
    }
    if kind == FileKind.SOCKET:
        return _describe_socket(sample, common)
    return OpenFile(type=_file_type(sample, kind, name), **common)  # type: ignore[arg-type]


def _file_type(sample: np.void, kind: int, name: str) -> str | None:
    if kind == FileKind.PIPE:
        return "pipe"
    if kind == FileKind.MEMFD:
        return "memfd"
    if kind == FileKind.ANON:
        return _ANON_TYPES.get(name.strip("[]"), "unknown")
    if kind == FileKind.PATH:
        # An open says directory by its flag; a file met later is looked at.
        asked = int(sample["open_flags"]) & _O_DIRECTORY
        is_directory = asked or stat.S_ISDIR(int(sample["mode"]))
        return "directory" if is_directory else "file"
    return "unknown"


def _describe_socket(sample: np.void, common: dict[str, object]) -> OpenFile:
    family = int(sample["family"])
    kind = _socket_type(family)
    flags = int(sample["file_flags"])
    if kind not in {"ipv4", "ipv6"}:
        return OpenFile(
            type=kind,
            role=Role(int(sample["role"])),
            sock=int(sample["sock"]),
            peer=int(sample["peer"]),
            is_connected=int(sample["state"]) == _TCP_ESTABLISHED,
            **common,  # type: ignore[arg-type]
        )
    local, remote = _ends(sample, family)
    if kind == "ipv6" and len(local.address or remote.address) == 4:
        kind = "ipv4"
    state = int(sample["state"])
    listening = bool(flags & FileFlag.LISTENING) or state == _TCP_LISTEN
    return OpenFile(
        type=kind,
        local=local,
        remote=remote,
        role=Role(int(sample["role"])),
        protocol=_protocol(sample),
        is_listening=listening or (remote.port == 0 and int(sample["role"]) == Role.SERVER),
        is_connected=state in {_TCP_ESTABLISHED, _TCP_SYN_SENT} and remote.port != 0,
        sock=int(sample["sock"]),
        peer=int(sample["peer"]),
        **common,  # type: ignore[arg-type]
    )


def _protocol(sample: np.void) -> str:
    """`fd.l4proto`: by protocol number; protocol 0 by the socket's type."""
    kind = int(sample["socket_type"])
    if kind == socket.SOCK_RAW:
        return "raw"
    return _PROTOCOLS.get(int(sample["protocol"])) or _BY_SOCKET_TYPE.get(kind, "raw")


def _socket_type(family: int) -> str:
    names = {
        socket.AF_UNIX: "unix",
        socket.AF_INET: "ipv4",
        socket.AF_INET6: "ipv6",
        socket.AF_NETLINK: "netlink",
    }
    return names.get(socket.AddressFamily(family), "unknown") if family in names else "unknown"


def _ends(sample: np.void, family: int) -> tuple[Endpoint, Endpoint]:
    local, remote = bytes(sample["local"]), bytes(sample["remote"])
    if family == socket.AF_INET:
        local, remote = local[:4], remote[:4]
    elif local.startswith(_V4_MAPPED) or remote.startswith(_V4_MAPPED):
        local, remote = local[12:], remote[12:]
    return (
        Endpoint(local, int(sample["local_port"])),
        Endpoint(remote, int(sample["remote_port"])),
    )


def _name(file: OpenFile) -> str:
    """`fd.name` where no open gave one (FIELDS 4.6)."""
    if file.is_ip:
        left, right = file.ends
        if file.is_listening:
            return str(left)
        has_tuple = left.port or right.port or any(left.address) or any(right.address)
        return f"{left}->{right}" if has_tuple else ""
    if file.type == "unix":
        if not (file.peer or file.kernel_name):
            return ""
        return f"{file.sock:x}->{file.peer:x} {file.kernel_name}".rstrip()
    if file.type == "memfd":
        return file.kernel_name
    if file.path is not None:
        return file.path
    return ""
