"""An open file: what `fd.*` shows of it besides the name that an open gave.

In: file descriptions from the kernel. Out: what they say, and names of files that no open named.
"""

import os
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

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


DESCRIBING_MEMBERS = (
    *("kind", "flags", "file_flags", "previous_id", "dev", "ino", "mode", "open_flags"),
    *("family", "socket_type", "protocol", "state", "role", "sock", "peer"),
    *("local", "local_port", "remote", "remote_port"),
)
"""Members of a sample that `describe_file` looks at: two that agree in these, and in both strings,
say the same of a file."""


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
    is_cut: bool = False
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
    def is_tcp(self) -> bool:
        """Whether what is read from it is a stream."""
        return self.is_ip and self.protocol == "tcp"

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
        "is_cut": bool(flags & FileFlag.PATH_CUT),
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
