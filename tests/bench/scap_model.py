"""A `.scap` capture as blocks that can be changed and written again.

In: bytes of a capture. Out: blocks, of which events are taken apart into parameters; and bytes. It
shares no code with the reader. What cannot be taken apart stays a block of bytes.
"""

import gzip
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path

from falcotrace.events.event_types import EVENT_TYPES

EVENT_KINDS = (0x204, 0x208, 0x216, 0x217, 0x221, 0x222)
FLAGGED_KINDS = (0x208, 0x217, 0x222)
KINDS_WITHOUT_COUNT = (0x204, 0x208)
PROCESS_LIST, DESCRIPTOR_LIST = 0x215, 0x218
"""The newest versions of these lists, whose entries begin with their length."""

MOST_PROCESSES = 25
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(slots=True)
class Block:
    """Any block: its type and its body without padding removed."""

    kind: int
    body: bytes

    def encoded(self) -> bytes:
        """Its bytes."""
        padded = self.body + bytes(-len(self.body) % 4)
        size = struct.pack("<I", len(padded) + 12)
        return struct.pack("<I", self.kind) + size + padded + size

    def copy(self) -> "Block":
        """Another one like it."""
        return replace(self)


@dataclass(slots=True)
class Event:
    """An event block.

    `claims` are numbers to be written in the place of true ones: `size`, `count`, `length`, the
    last of them for the parameter `claims["index"]`.
    """

    kind: int
    cpu: int
    flags: int
    time_ns: int
    tid: int
    code: int
    params: list[bytes]
    claims: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its type."""
        return EVENT_TYPES[self.code].name if self.code < len(EVENT_TYPES) else ""

    def place(self, name: str) -> int | None:
        """Where the parameter of that name stands, if the event has it."""
        names = [param.name for param in EVENT_TYPES[self.code].params]
        found = names.index(name) if name in names else len(self.params)
        return found if found < len(self.params) else None

    def copy(self) -> "Event":
        """Another one like it."""
        return replace(self, params=list(self.params), claims=dict(self.claims))

    def encoded(self) -> bytes:
        """Its bytes."""
        width = length_bytes(self.code)
        lengths = [min(len(param), (1 << 8 * width) - 1) for param in self.params]
        if "length" in self.claims and lengths:
            lengths[self.claims["index"] % len(lengths)] = self.claims["length"]
        rest = b"".join((n % (1 << 8 * width)).to_bytes(width, "little") for n in lengths)
        rest += b"".join(self.params)
        has_count = self.kind not in KINDS_WITHOUT_COUNT
        size = self.claims.get("size", (26 if has_count else 22) + len(rest))
        head = struct.pack("<QqIH", self.time_ns, self.tid, size, self.code)
        if has_count:
            head += struct.pack("<I", self.claims.get("count", len(self.params)))
        flags = struct.pack("<I", self.flags) if self.kind in FLAGGED_KINDS else b""
        return Block(self.kind, struct.pack("<H", self.cpu) + flags + head + rest).encoded()


def length_bytes(code: int) -> int:
    """Bytes of the length of a parameter."""
    is_large = code < len(EVENT_TYPES) and "LARGE_PAYLOAD" in EVENT_TYPES[code].flags
    return 4 if is_large else 2


def read_capture(path: Path, most_events: int) -> list[Block | Event]:
    """The blocks of a capture, with its first events and some of its processes."""
    raw = path.read_bytes()
    if raw.startswith(_GZIP_MAGIC):
        raw = gzip.decompress(raw)
    return smaller(read_blocks(raw, most_events))


def read_blocks(raw: bytes, most_events: int) -> list[Block | Event]:
    """The blocks of some bytes up to a number of events."""
    blocks: list[Block | Event] = []
    at = count = 0
    while at + 12 <= len(raw) and count < most_events:
        kind, size = struct.unpack_from("<II", raw, at)
        body = raw[at + 8 : at + size - 4]
        event = _read_event(kind, body) if kind in EVENT_KINDS else None
        blocks.append(event or Block(kind, body))
        count += event is not None
        at += size
    return blocks


def _read_event(kind: int, body: bytes) -> Event | None:
    has_flags, has_count = kind in FLAGGED_KINDS, kind not in KINDS_WITHOUT_COUNT
    (cpu,) = struct.unpack_from("<H", body)
    (flags,) = struct.unpack_from("<I", body, 2) if has_flags else (0,)
    at = 6 if has_flags else 2
    time_ns, tid, size, code = struct.unpack_from("<QqIH", body, at)
    end = at + size
    at += 22
    if code >= len(EVENT_TYPES):
        return None
    width = length_bytes(code)
    if has_count:
        (count,) = struct.unpack_from("<I", body, at)
        at += 4
    else:
        count = _guessed_count(body, at, end, width, len(EVENT_TYPES[code].params))
    params = []
    value_at = at + count * width
    for index in range(count):
        first = at + index * width
        length = int.from_bytes(body[first : first + width], "little")
        params.append(body[value_at : value_at + length])
        value_at += length
    return Event(kind, cpu, flags, time_ns, tid, code, params)


def _guessed_count(body: bytes, at: int, end: int, width: int, most: int) -> int:
    """The largest number of parameters whose lengths add up."""
    for count in range(most, 0, -1):
        lengths = [
            int.from_bytes(body[at + i * width : at + (i + 1) * width], "little")
            for i in range(count)
        ]
        if at + count * width + sum(lengths) == end:
            return count
    return 0


def entries_of(body: bytes, start: int) -> list[tuple[int, int]]:
    """Where the entries of a list begin and end; each begins with its length."""
    found = []
    while start + 4 <= len(body):
        (size,) = struct.unpack_from("<I", body, start)
        if size < 4 or start + size > len(body):
            break
        found.append((start, start + size))
        start += size
    return found


def smaller(blocks: list[Block | Event]) -> list[Block | Event]:
    """The blocks with less metadata: the first processes of a list and their descriptors."""
    kept: list[Block | Event] = []
    tids: set[int] | None = None
    for block in blocks:
        if isinstance(block, Block) and block.kind == PROCESS_LIST:
            entries = entries_of(block.body, 0)[:MOST_PROCESSES]
            tids = {struct.unpack_from("<q", block.body, start + 4)[0] for start, _ in entries}
            block.body = block.body[: entries[-1][1] if entries else 0]
        if not _is_of_another(block, tids):
            kept.append(block)
    return kept


def _is_of_another(block: Block | Event, tids: set[int] | None) -> bool:
    """Whether a block lists descriptors of a process that was left out."""
    if tids is None or not isinstance(block, Block) or block.kind != DESCRIPTOR_LIST:
        return False
    return struct.unpack_from("<q", block.body)[0] not in tids
