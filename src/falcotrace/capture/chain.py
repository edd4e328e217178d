"""The hash chain of a capture: finds any changed byte, and says what it belongs to.

In: digests of row groups, taken while they are written, and the footer. Out: a block between the
last row group and the footer, and back. Parquet readers find everything by its offset and never
look there, as with the tables of process states. All numbers are little-endian, digests SHA-256:

    FTCHAIN1, head of the capture before this one (zeros: none), number of row groups
    for each row group: bytes, rows, first and last evt.num, first and last evt.time, digest, link
    bytes and digest of everything behind the block, head, bytes of the block, FTSEALED

A row group's bytes reach to the next one's, so its table of process states is among them. A link is
the digest of the link before it (for the first: of the head of the capture before), the row
group's place, numbers and digest. The head is the digest of the block before it. So whoever knows
the head knows the capture: all of its bytes are under it.

Without a key this finds accidents, and changes by somebody who does not make the chain anew.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from falcotrace.capture.footer import RowGroupEntry

DIGEST_BYTES: Final = 32

NO_HEAD: Final = bytes(DIGEST_BYTES)
"""Stands for the head of the capture before, where there is none."""

BEGIN_MARK: Final = b"FTCHAIN1"
END_MARK: Final = b"FTSEALED"

_BEGIN: Final = struct.Struct("<8s32sQ")
_LINK: Final = struct.Struct("<QQqqqq32s32s")
_FOOTER: Final = struct.Struct("<Q32s")
_END: Final = struct.Struct("<32sQ8s")
_NUMBERS: Final = struct.Struct("<QQQqqqq")

FIXED_BYTES: Final = _BEGIN.size + _FOOTER.size + _END.size
BEGIN_BYTES: Final = _BEGIN.size
END_BYTES: Final = _END.size - DIGEST_BYTES

MOST_LINKS: Final = 1 << 17
"""Parquet's footer would not hold so many row groups; a file that claims more is damaged."""

_LINK_LABEL: Final = b"falcotrace chain 1: link\0"
_HEAD_LABEL: Final = b"falcotrace chain 1: head\0"


@dataclass(frozen=True, slots=True)
class Link:
    """A row group as the chain has it.

    Attributes:
        size_bytes: its bytes, up to the next row group.
        row_count: its rows.
        first_num: smallest `evt.num`.
        last_num: largest `evt.num`.
        first_time_ns: smallest `evt.time`.
        last_time_ns: largest `evt.time`.
        digest: of its bytes.
        link: of the chain up to here.
    """

    size_bytes: int
    row_count: int
    first_num: int
    last_num: int
    first_time_ns: int
    last_time_ns: int
    digest: bytes
    link: bytes = NO_HEAD

    @classmethod
    def of(cls, entry: RowGroupEntry, size_bytes: int, digest: bytes) -> Self:
        """What is chained of a row group that was written."""
        return cls(
            size_bytes=size_bytes,
            row_count=entry.row_count,
            first_num=entry.first_num,
            last_num=entry.last_num,
            first_time_ns=entry.first_time_ns,
            last_time_ns=entry.last_time_ns,
            digest=digest,
        )

    @property
    def numbers(self) -> tuple[int, int, int, int, int, int]:
        """What it says beside digests, in the order of the block."""
        nums = (self.first_num, self.last_num)
        return (self.size_bytes, self.row_count, *nums, self.first_time_ns, self.last_time_ns)

    def after(self, before: bytes, index: int, digest: bytes | None = None) -> bytes:
        """The link that follows from the one before it.

        Args:
            before: the link before, or the head of the capture before.
            index: the row group's place, from 0.
            digest: of its bytes; None: the one that it has.
        """
        numbers = _NUMBERS.pack(index, *self.numbers)
        return sha256(_LINK_LABEL + before + numbers + (digest or self.digest)).digest()


class ChainBuilder:
    """Chains row groups as they are written.

    Attributes:
        link: of the chain so far.
        head: of the whole, once `block` was asked for.
    """

    def __init__(self, before: bytes = NO_HEAD) -> None:
        self._before = before
        self._links: list[bytes] = []
        self.link = before
        self.head = NO_HEAD

    def add(self, link: Link) -> None:
        """Chain the next row group; what `link.link` says does not matter."""
        self.link = link.after(self.link, len(self._links))
        self._links.append(_LINK.pack(*link.numbers, link.digest, self.link))

    def block(self, footer: bytes) -> bytes:
        """The bytes that go before the footer, given everything that goes behind them."""
        begin = _BEGIN.pack(BEGIN_MARK, self._before, len(self._links))
        about = _FOOTER.pack(len(footer), sha256(footer).digest())
        covered = b"".join((begin, *self._links, about))
        self.head = _head(covered)
        return covered + _END.pack(self.head, len(covered) + _END.size, END_MARK)


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain as it was read.

    Attributes:
        before: the head of the capture before this one, zeros without one.
        links: the row groups.
        footer_bytes: how much stands behind the block.
        footer_digest: of that.
        head: of the whole.
        is_whole: whether the block is as it was written.
    """

    before: bytes
    links: Sequence[Link]
    footer_bytes: int
    footer_digest: bytes
    head: bytes
    is_whole: bool

    def follows(self, index: int, digest: bytes) -> bool:
        """Whether a row group's link follows from the one before and from another digest."""
        before = self.links[index - 1].link if index else self.before
        return self.links[index].after(before, index, digest) == self.links[index].link


def block_bytes(link_count: int) -> int:
    """Length of the block of so many row groups."""
    return FIXED_BYTES + link_count * _LINK.size


def link_count_of(raw: bytes) -> int | None:
    """How many row groups a block has, given its first bytes; None if it cannot be one."""
    if len(raw) < _BEGIN.size:
        return None
    mark, _, count = _BEGIN.unpack_from(raw)
    return count if mark == BEGIN_MARK and count <= MOST_LINKS else None


def size_of_block(raw: bytes) -> int | None:
    """How long a block is, given its last bytes; None if it cannot be one."""
    if len(raw) < END_BYTES or not raw.endswith(END_MARK):
        return None
    size = int.from_bytes(raw[-END_BYTES : -len(END_MARK)], "little")
    count, rest = divmod(size - FIXED_BYTES, _LINK.size)
    return size if not rest and 0 <= count <= MOST_LINKS else None


def decode_chain(raw: bytes) -> Chain:
    """Read a block; what was changed in it is found by `is_whole`.

    Raises:
        ValueError: it does not have the length of one.
    """
    count, rest = divmod(len(raw) - FIXED_BYTES, _LINK.size)
    if rest or count < 0:
        raise ValueError("the chain does not have the length of one")
    mark, before, stored_count = _BEGIN.unpack_from(raw)
    end = len(raw) - _END.size
    footer_bytes, footer_digest = _FOOTER.unpack_from(raw, end - _FOOTER.size)
    head, size, end_mark = _END.unpack_from(raw, end)
    links = [Link(*row) for row in _LINK.iter_unpack(raw[_BEGIN.size : end - _FOOTER.size])]
    says = (mark, stored_count, size, end_mark, head)
    chain = Chain(before, links, footer_bytes, footer_digest, head, is_whole=False)
    is_whole = says == (BEGIN_MARK, count, len(raw), END_MARK, _head(raw[:end])) and all(
        chain.follows(index, link.digest) for index, link in enumerate(links)
    )
    return Chain(before, links, footer_bytes, footer_digest, head, is_whole)


def head_with_footer(raw: bytes, footer_digest: bytes) -> bytes:
    """The head that a block would have if the footer had another digest."""
    end = len(raw) - _END.size
    return _head(raw[: end - DIGEST_BYTES] + footer_digest)


def _head(covered: bytes) -> bytes:
    return sha256(_HEAD_LABEL + covered).digest()
