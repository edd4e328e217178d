"""Which addresses an answer of a name server gives, and to which names.

In: the bytes of a message. Out: addresses with names. It is asked of every answer while a host is
recorded, so it reads the records that matter and steps over all others, and never needs scapy: 8 us
an answer. What a message says beside its question (other names, sections behind the answer) is not
believed: whoever answers for one name could otherwise name the addresses of others.
"""

import contextlib
import struct
from collections.abc import Mapping
from typing import Final

from falcotrace.protocols.names import Cut, Malformed, NameReader

CHAIN_MAX: Final = 16
"""Names from the one that was asked for, through aliases, to the one that has the address."""

_HEADER: Final = struct.Struct("!6H")
_QUESTION: Final = struct.Struct("!2H")
_RECORD: Final = struct.Struct("!2HIH")

_JUDGED: Final = 0xF84F  # answer or question, opcode, a bit that is always 0, response code
_GOOD_ANSWER: Final = 0x8000
_INTERNET: Final = 1
_A, _CNAME, _AAAA = 1, 5, 28
_ADDRESS_BYTES: Final = {_A: 4, _AAAA: 16}
_V4_MAPPED: Final = bytes(10) + b"\xff\xff"
_ROOT: Final = "."

_CHARACTERS_MAX: Final = 1 << 14
"""Of all names that are read in a message; ten bytes can point to a name of a thousand."""

Addresses = Mapping[bytes, tuple[str, ...]]
"""Names by address of 4 or 16 bytes: first the one that was asked for, then its aliases."""


def answered_addresses(payload: bytes, *, is_stream: bool = False) -> Addresses:
    """The addresses that an answer gives, as far as the message reaches.

    Args:
        payload: a datagram; or what was read of a stream, with the message's length in front or
            without, for many resolvers read that by itself.
        is_stream: which of the two.

    Returns:
        Names in lower case, without a dot at the end; nothing for what is no answer, or none that
        was granted.

    Example:
        >>> answered_addresses(b"no DNS")
        {}
    """
    if is_stream:
        length = int.from_bytes(payload[:2], "big")
        found = _read(payload[2 : 2 + length])
        if found is not None:
            return found
    return _read(payload) or {}


def _read(message: bytes) -> Addresses | None:
    """The same of a whole message; None for what is no answer to one question."""
    if len(message) < _HEADER.size:
        return None
    _, flags, question_count, answer_count, _, _ = _HEADER.unpack_from(message)
    if flags & _JUDGED != _GOOD_ANSWER or question_count != 1:
        return None
    answers = _Answers(message)
    try:
        asked = answers.read_question()
    except (Cut, Malformed):
        return None
    with contextlib.suppress(Cut, Malformed):
        for _ in range(answer_count):
            answers.read_next()
    return answers.of(asked)


class _Answers:
    """The records of a message's answer: aliases and addresses by the names that have them."""

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._names = NameReader(message)
        self._place = _HEADER.size
        self._room = _CHARACTERS_MAX
        self._aliases: dict[str, str] = {}
        self._addresses: dict[str, list[bytes]] = {}

    def read_question(self) -> str:
        """The name that was asked for.

        Raises:
            Cut: the message ends before it does.
            Malformed: it is none, or about another network than the Internet.
        """
        asked, place = self._name(self._place)
        _, kind_class = _unpack(_QUESTION, self._message, place)
        if kind_class != _INTERNET or asked == _ROOT:
            raise Malformed("no question about a name")
        self._place = place + _QUESTION.size
        return asked

    def read_next(self) -> None:
        """Read one record.

        Raises:
            Cut: the message ends before it does.
            Malformed: it is none, or names are too long.
        """
        owner, place = self._name(self._place)
        kind, kind_class, _, size = _unpack(_RECORD, self._message, place)
        start = place + _RECORD.size
        self._place = start + size
        if self._place > len(self._message):
            raise Cut
        if kind_class != _INTERNET:
            return
        if kind == _CNAME:
            self._aliases.setdefault(owner, self._name(start)[0])
        elif size == _ADDRESS_BYTES.get(kind):
            address = self._message[start : self._place].removeprefix(_V4_MAPPED)
            self._addresses.setdefault(owner, []).append(address)

    def _name(self, place: int) -> tuple[str, int]:
        name, end = self._names.read(place)
        self._room -= len(name)
        if self._room < 0:
            raise Malformed("more names than an answer needs")
        return name.lower(), end

    def of(self, asked: str) -> Addresses:
        """The addresses to which a name leads."""
        chain = [asked]
        while (alias := self._aliases.get(chain[-1])) and len(chain) < CHAIN_MAX:
            if alias in chain:
                break
            chain.append(alias)
        found: dict[bytes, tuple[str, ...]] = {}
        for count, name in enumerate(chain, 1):
            for address in self._addresses.get(name, ()):
                found.setdefault(address, tuple(chain[:count]))
        return found


def _unpack(form: struct.Struct, message: bytes, place: int) -> tuple[int, ...]:
    if place + form.size > len(message):
        raise Cut
    return form.unpack_from(message, place)
