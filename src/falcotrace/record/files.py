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

from falcotrace.capture.text_pool import MISSING, TextPool
from falcotrace.events.derived import OTHER_TYPECHAR, TYPECHAR_BY_FD_TYPE
from falcotrace.record.addresses import NOBODY, V4_MAPPED, Endpoint
from falcotrace.record.layout import FileFlag, FileKind, HeaderFlag, Role

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
_TYPE_BY_FAMILY: Mapping[int, str] = {
    socket.AF_UNIX: "unix",
    socket.AF_INET: "ipv4",
    socket.AF_INET6: "ipv6",
    socket.AF_NETLINK: "netlink",
}
_TCP_ESTABLISHED = 1
_TCP_LISTEN = 10
_TCP_SYN_SENT = 2
NO_PROTOCOL = "<NA>"
UNKNOWN_TYPE = "<NA>"
"""`fd.type` of what has no name for its kind, such as packet sockets; a text, not missing."""

FIRST_EXCHANGE_ID = 1 << 48
"""Numbers from here on are datagram sockets with the peer of an exchange, and not the kernel's."""


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
    local: Endpoint = NOBODY
    remote: Endpoint = NOBODY
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
        has_role = self.role is not Role.NONE or self.is_listening
        if self.protocol == "raw" or (self.is_ip and has_role):
            return self.protocol
        return NO_PROTOCOL

    @property
    def is_ip(self) -> bool:
        """Whether it is an IP socket."""
        return self.type in {"ipv4", "ipv6"}

    @property
    def has_remote(self) -> bool:
        """Whether the other end of an IP socket is known (a failed connect leaves an address)."""
        return bool(self.remote.port) or (self.protocol != "tcp" and not self.remote.is_any)

    def tuple_text(self, *, inbound: bool) -> str | None:
        """Source and destination of traffic as arguments show them; None while nobody is known.

        Of unix sockets the name is shown, which says client and server.
        """
        if self.is_ip:
            ends = (self.remote, self.local) if inbound else (self.local, self.remote)
            return "->".join(map(str, ends)) if self.has_remote else None
        return name_of(self) if self.peer else None


_PROTOCOL_CHARS = {"tcp": "t", "udp": "u", "icmp": "i", "raw": "r"}


class OpenFiles:
    """Every open file of a recording by `file_id`, which is dense and begins at 1.

    Beside the kernel's there are datagram sockets seen with a certain peer, from FIRST_EXCHANGE_ID.
    """

    def __init__(self, pool: TextPool) -> None:
        self._pool = pool
        self._files: list[OpenFile | None] = [None]
        self._alike: dict[OpenFile, OpenFile] = {}
        self._exchanges: list[OpenFile] = []
        self._exchange_names = np.empty(0, np.int32)
        self.names = np.full(1024, MISSING, np.int32)
        self.raw_names = np.full(1024, MISSING, np.int32)
        self._used = np.zeros(1024, np.bool_)
        self._newly_named: list[np.ndarray] = []

    def __getitem__(self, file_id: int) -> OpenFile | None:
        if file_id >= FIRST_EXCHANGE_ID:
            return self._exchanges[file_id - FIRST_EXCHANGE_ID]
        return self._files[file_id] if file_id < len(self._files) else None

    def __len__(self) -> int:
        return len(self._files)

    def texts(self, codes: np.ndarray) -> list[str | None]:
        """The names behind codes."""
        return self._pool.texts(codes)

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
        # The same library is opened by every program: its description is kept once.
        file = self._files[file_id] = self._alike.setdefault(file, file)
        known = self.names[file_id] != MISSING
        if not known:
            self.names[file_id] = self._pool.code(name_of(file))
            self.raw_names[file_id] = self._pool.code("")

    def name_opened(self, file_ids: np.ndarray, names: np.ndarray, raw_names: np.ndarray) -> None:
        """Give files the names, by code, that their programs opened them by."""
        self.reserve(file_ids)
        self.names[file_ids] = names
        self.raw_names[file_ids] = raw_names
        self._newly_named.append(file_ids)

    def take_newly_named(self) -> np.ndarray:
        """Files that opens have named since this was asked last."""
        ids = np.unique(np.concatenate([np.zeros(0, np.int64), *self._newly_named]))
        self._newly_named = []
        return ids

    def add_exchange(self, file: OpenFile) -> int:
        """Take in a datagram socket together with a peer; returns its number."""
        self._exchanges.append(file)
        code = self._pool.code(name_of(file))
        self._exchange_names = np.append(self._exchange_names, np.int32(code))
        return FIRST_EXCHANGE_ID + len(self._exchanges) - 1

    def name_codes(self, file_ids: np.ndarray) -> np.ndarray:
        """Codes of `fd.name`; MISSING where nothing is known of the file."""
        self.reserve(file_ids)
        if not self._exchanges:
            return self.names[file_ids]
        is_exchange = file_ids >= FIRST_EXCHANGE_ID
        codes = self.names[np.where(is_exchange, 0, file_ids)]
        codes[is_exchange] = self._exchange_names[file_ids[is_exchange] - FIRST_EXCHANGE_ID]
        return codes

    def raw_name_codes(self, file_ids: np.ndarray) -> np.ndarray:
        """Codes of `fd.nameraw`: only an open gives one, others have the empty text."""
        self.reserve(file_ids)
        if not self._exchanges:
            return self.raw_names[file_ids]
        is_exchange = file_ids >= FIRST_EXCHANGE_ID
        codes = self.raw_names[np.where(is_exchange, 0, file_ids)]
        return np.where(is_exchange, self._pool.code(""), codes)

    def name(self, file_id: int) -> str | None:
        """`fd.name` of a file; None while nothing is known of it."""
        return self._pool.texts(self.name_codes(np.array([file_id])))[0]

    def descriptor_text(self, file_id: int) -> str | None:
        """A file as an argument of type descriptor shows it: `<f>/etc/passwd`, `<4t>` and tuple.

        Source: libs 48dfd53c, userspace/libsinsp/event.cpp, `render_fd`.
        """
        file = self[file_id]
        if file is None:
            return None
        char = TYPECHAR_BY_FD_TYPE.get(file.type or "", OTHER_TYPECHAR)
        if file.is_ip:
            char += _PROTOCOL_CHARS.get(file.l4proto, "")
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
        is_own = (file_ids > 0) & (file_ids < FIRST_EXCHANGE_ID)
        own = np.where(is_own, file_ids, 0)
        fresh = ~self._used[own] & is_own
        self._used[own] = True
        return fresh

    def reserve(self, file_ids: np.ndarray) -> None:
        """Make room for names of files whose description has not come yet."""
        own = file_ids[file_ids < FIRST_EXCHANGE_ID]
        if len(own) and int(own.max()) >= len(self.names):
            self._reserve(int(own.max()))


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
        "kernel_name": name.removeprefix("memfd:") if kind == FileKind.MEMFD else name,
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
        return _ANON_TYPES.get(name.strip("[]"), UNKNOWN_TYPE)
    if kind == FileKind.PATH:
        # An open says directory by its flag; a file that was open before is looked at. Rules are
        # written for that. DIFFERS: what O_TMPFILE makes is a file, though the kernel's O_TMPFILE
        # holds O_DIRECTORY.
        is_asked = int(sample["open_flags"]) & _O_DIRECTORY or sample["flags"] & HeaderFlag.SNAPSHOT
        return "directory" if is_asked and stat.S_ISDIR(int(sample["mode"])) else "file"
    return UNKNOWN_TYPE


def _describe_socket(sample: np.void, common: dict[str, object]) -> OpenFile:
    family = int(sample["family"])
    kind = _socket_type(family)
    flags = int(sample["file_flags"])
    role, state = Role(int(sample["role"])), int(sample["state"])
    if kind not in {"ipv4", "ipv6"}:
        return OpenFile(
            type=kind,
            role=role,
            sock=int(sample["sock"]),
            peer=int(sample["peer"]),
            is_connected=state == _TCP_ESTABLISHED and role is not Role.NONE,
            **common,  # type: ignore[arg-type]
        )
    local, remote = _ends(sample, family)
    if kind == "ipv6" and len(local.address or remote.address) == 4:
        kind = "ipv4"
    listening = bool(flags & FileFlag.LISTENING) or state == _TCP_LISTEN
    # A connect makes the role only if it succeeds or goes on: what the state became since is open.
    has_connected = state in {_TCP_ESTABLISHED, _TCP_SYN_SENT} or role is Role.CLIENT
    return OpenFile(
        type=kind,
        local=local,
        remote=remote,
        role=role,
        protocol=_protocol(sample),
        is_listening=listening or (remote.port == 0 and role is Role.SERVER),
        is_connected=has_connected and remote.port != 0,
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
    return _TYPE_BY_FAMILY.get(family, UNKNOWN_TYPE)


def _ends(sample: np.void, family: int) -> tuple[Endpoint, Endpoint]:
    local, remote = bytes(sample["local"]), bytes(sample["remote"])
    if family == socket.AF_INET:
        local, remote = local[:4], remote[:4]
    elif local.startswith(V4_MAPPED) or remote.startswith(V4_MAPPED):
        local, remote = local[12:], remote[12:]
    return (
        Endpoint(local, int(sample["local_port"])),
        Endpoint(remote, int(sample["remote_port"])),
    )


def name_of(file: OpenFile) -> str:
    """`fd.name` where no open gave one (FIELDS 4.6)."""
    if file.is_ip:
        return _ip_name(file)
    if file.type == "unix":
        return _unix_name(file)
    if file.type == "memfd":
        return file.kernel_name
    return file.path or ""


def _ip_name(file: OpenFile) -> str:
    if file.is_listening:
        return str(file.local)
    if file.has_remote:
        left, right = file.ends
        return f"{left}->{right}"
    # DIFFERS: of a socket bound to port 0 Falco shows the 0, and not the port that it got. A raw
    # socket's port is its protocol.
    is_bound = file.local.port and file.protocol != "raw"
    return str(file.local) if is_bound else ""


def _unix_name(file: OpenFile) -> str:
    if not file.peer:
        return file.kernel_name
    client, server = file.sock, file.peer
    if file.role is Role.SERVER:
        client, server = server, client
    return f"{client:x}->{server:x} {file.kernel_name}"
