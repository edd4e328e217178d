"""Values of parameters that hurt: numbers at the ends of their types, texts that are none.

In: a parameter's type and name, and numbers that a capture knows. Out: bytes.
"""

import json
import random
import struct
from collections.abc import Sequence

from falcotrace.events.event_types import Param

WIDTHS = {
    **dict.fromkeys(("INT8", "UINT8", "FLAGS8", "ENUMFLAGS8", "SIGTYPE", "L4PROTO"), 1),
    **dict.fromkeys(("INT16", "UINT16", "FLAGS16", "ENUMFLAGS16", "SYSCALLID", "PORT"), 2),
    **dict.fromkeys(("INT32", "UINT32", "FLAGS32", "ENUMFLAGS32", "UID", "GID", "MODE"), 4),
    **dict.fromkeys(("SIGSET", "BOOL", "IPV4ADDR", "FD32", "PID32"), 4),
    **dict.fromkeys(("INT64", "UINT64", "ERRNO", "FD", "PID", "RELTIME", "ABSTIME"), 8),
    "SOCKFAMILY": 1,
}
EXTREMES = (
    *(0, 1, 2, 3, 7, 36, -1, -2, -100, -115, 255, 256, 1000, 4096),
    *(1 << 13, 1 << 16, 1 << 20, 1 << 29, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32),
    *(1 << 33, 1 << 40, (1 << 63) - 1, 1 << 63, -(1 << 31), -(1 << 31) - 1, (1 << 63) + 7),
)
CLONE_FLAGS = (0, 1, 1 << 6, 1 << 8, 1 << 13, 1 << 16, 1 << 20, 1 << 27, 1 << 29, 0x1F01)
TEXTS = (
    *(b"", b"\0", b"/", b".", b"..", b"/..", b"../../..", b"//a//../b/.", b"(NULL)", b"<NA>"),
    *(b"\xff\xfe", b"/\xc3(", b"\xf4\x8f\xb8\x80\xf4\x8f\xbb\xbf", b"\xed\xa0\x80", b"a\0b\0"),
    *(b"\n\r\t\x1b[2J", b"/etc/shadow", b"bash", b"%s%n{}", b"a/" * 600, b"x" * 5000),
    *(b"\xff" * 3000, b"\0" * 400, b"x\0" * 2000, b"/" * 1500, b"../" * 900),
)
CONTAINERS: tuple[object, ...] = (
    *(0, -1, 1.5, None, True, "", "\0", "abcdefabcdef", "x" * 3000, "\ud800", [], {}, [[]]),
    *({"a": {"b": {}}}, [{"RW": 1}], 1 << 70, -(1 << 63), "10.0.0.1", "::1", "999.1.1.1"),
)
CONTAINER_KEYS = (
    *("id", "type", "name", "image", "imageid", "imagerepo", "ip", "cni_json", "labels"),
    *("Mounts", "privileged", "pod_sandbox_id", "pod_sandbox_labels", "full_id", "env"),
)


def number(rng: random.Random, known: Sequence[int]) -> int:
    """A number that the capture knows, or one at the end of a type."""
    choice = rng.random()
    if choice < 0.45 and known:
        return rng.choice(known)
    return rng.choice(EXTREMES) if choice < 0.95 else rng.getrandbits(64)


def text(rng: random.Random) -> bytes:
    """A text with its NUL, or without."""
    return rng.choice(TEXTS) + (b"" if rng.random() < 0.2 else b"\0")


def value(rng: random.Random, param: Param, known: Sequence[int]) -> bytes:
    """A value for a parameter; rarely one of a wrong size, or none."""
    if rng.random() < 0.05:
        return rng.choice((b"", b"\x01", rng.randbytes(3), rng.randbytes(9)))
    if param.type in WIDTHS:
        return packed(_of_name(rng, param, known), WIDTHS[param.type])
    match param.type:
        case "SOCKADDR":
            return address(rng)
        case "SOCKTUPLE":
            return socket_tuple(rng)
        case "FDLIST":
            return poll_list(rng)
        case "DYN":
            return bytes([rng.choice((0, 1, 2, 3, 4, 5, 255))]) + rng.choice(TEXTS)[:40]
        case "BYTEBUF" if param.name == "data":
            return rng.randbytes(rng.choice((0, 1, 80, 2000)))
        case "BYTEBUF" if param.name == "cgroups":
            return control_groups(rng)
    return container(rng) if param.name == "json" else text(rng)


def packed(number_: int, width: int) -> bytes:
    """The low bytes of a number."""
    return (number_ % (1 << 8 * width)).to_bytes(width, "little")


def _of_name(rng: random.Random, param: Param, known: Sequence[int]) -> int:
    if rng.random() < 0.5:
        if "fd" in param.name:
            return rng.choice((0, 1, 2, 3, 3, 4, 5, 6, 7, 8, -100))
        if param.name == "res":
            return rng.choice((0, 0, 0, 3, 4, -1, -2, -115, *known[:1]))
        if param.extra == "clone_flags":
            return rng.choice(CLONE_FLAGS) | rng.choice(CLONE_FLAGS)
    return number(rng, known)


def address(rng: random.Random) -> bytes:
    """A socket address, often a sound one."""
    family = rng.choice((1, 1, 2, 2, 10, 10, 16, 0, 255))
    body = {2: 6, 10: 18}.get(family)
    ip = rng.choice((bytes(16), bytes(10) + b"\xff\xff\x7f\0\0\x01", rng.randbytes(16)))
    raw = rng.choice(TEXTS)[:108] + b"\0" if body is None else (ip + rng.randbytes(2))[-body:]
    return (bytes([family]) + raw)[: rng.choice((200, 200, 200, 1, 4))]


def socket_tuple(rng: random.Random) -> bytes:
    """Both ends of a connection, often sound ones."""
    family = rng.choice((1, 2, 2, 2, 10, 10, 0, 77))
    size = {2: 4, 10: 16}.get(family, 8)
    ends = rng.choice((bytes(16), b"\x7f\0\0\x01" * 4, bytes(10) + b"\xff\xff" + b"\x0a\0\0\x01"))
    raw = ends[:size] + b"\x35\0" + rng.choice((ends, rng.randbytes(16)))[:size] + rng.randbytes(2)
    if size == 8:
        raw = rng.randbytes(16) + rng.choice(TEXTS)[:108]
    return (bytes([family]) + raw)[: rng.choice((300, 300, 300, 5, 13))]


def poll_list(rng: random.Random) -> bytes:
    """A list of descriptors whose count may lie."""
    count = rng.choice((0, 1, 2, 5, 300))
    told = count if rng.random() < 0.7 else rng.choice((0, 1, 0xFFFF))
    entries = (packed(number(rng, (3, 4, 5)), 8) + rng.randbytes(2) for _ in range(count))
    return struct.pack("<H", told) + b"".join(entries)


def control_groups(rng: random.Random) -> bytes:
    """Control groups, of some container perhaps."""
    container_id = rng.choice(("abcdefabcdef" + "0" * 52, "f" * 64, "", "x"))
    path = rng.choice(("/docker/", "/kubepods/besteffort/pod1/", "/lxc/", "/", "")) + container_id
    items = [f"{name}={path}" for name in ("cpu", "memory", "=", "perf")]
    return rng.choice(("\0".join(items) + "\0", "=" * 50, "\0" * 9, path)).encode()


def container(rng: random.Random) -> bytes:
    """The JSON of a container, with values of any type."""
    kind = rng.random()
    if kind < 0.05:
        return b"[" * 20_000
    if kind < 0.1:
        return b'{"container":' * 3000 + b"1" + b"}" * 3000
    found = {key: rng.choice(CONTAINERS) for key in rng.sample(CONTAINER_KEYS, rng.randrange(9))}
    if rng.random() < 0.8:
        found["id"] = "abcdefabcdef"
    if rng.random() < 0.3:
        found["labels"] = {"k" * n: rng.choice(CONTAINERS) for n in range(rng.randrange(200))}
    raw = json.dumps({"container": found}).encode()
    return raw[: len(raw) if rng.random() < 0.9 else rng.randrange(len(raw))] + b"\0"
