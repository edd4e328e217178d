"""Goes through structs of Thrift's compact protocol, which anybody may have written.

In: bytes. Out: numbers of fields, and what has to be known of them. The counterpart of `thrift.py`.
"""

from typing import Final, TypeAlias

TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
NUMBERS: Final = frozenset({4, 5, 6})  # of 16, 32 and 64 bits

_MOST_DEPTH = 8

Numbers: TypeAlias = "dict[int, int | Numbers]"
"""Fields of a struct by their numbers: numbers, and structs of numbers."""


class ThriftReader:
    """A place in encoded bytes. Each method goes on from there.

    Args:
        raw: the bytes.
        place: where to begin.

    Raises:
        IndexError: the bytes end too early.
        ValueError: they are not what was expected.
        RecursionError: they are nested too deeply.
    """

    def __init__(self, raw: bytes | memoryview, place: int = 0) -> None:
        self.raw = raw
        self.place = place

    def field(self, before: int) -> tuple[int, int] | None:
        """Number and type of the next field; None at the end of the struct.

        Args:
            before: the number of the field before it; 0 for the first.
        """
        head = self.raw[self.place]
        self.place += 1
        if not head:
            return None
        kind, step = head & 0xF, head >> 4
        return (before + step if step else self.number()), kind

    def items(self) -> tuple[int, int]:
        """How many items a list has, and of which type; they begin behind this."""
        head = self.raw[self.place]
        self.place += 1
        count = head >> 4
        return (self.varint() if count == 0xF else count), head & 0xF

    def number(self) -> int:
        """A number with its sign."""
        raw = self.varint()
        return (raw >> 1) ^ -(raw & 1)

    def varint(self) -> int:
        """A number without a sign."""
        number = shift = 0
        while True:
            byte = self.raw[self.place]
            self.place += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7

    def numbers(self, depth: int = 0) -> Numbers:
        """The numbers of a struct, those of structs in it among them; the rest is passed over."""
        if depth > _MOST_DEPTH:
            raise ValueError("a struct is nested too deeply")
        found: Numbers = {}
        number = 0
        while field := self.field(number):
            number, kind = field
            if kind in NUMBERS:
                found[number] = self.number()
            elif kind == STRUCT:
                found[number] = self.numbers(depth + 1)
            else:
                self.skip(kind)
        return found

    def skip(self, kind: int) -> None:
        """Pass over a value."""
        if kind in (TRUE, FALSE):
            pass
        elif kind in NUMBERS:
            self.varint()
        elif kind == BYTE:
            self.place += 1
        elif kind == DOUBLE:
            self.place += 8
        elif kind == BINARY:
            size = self.varint()
            self.place += size
        elif kind in (LIST, SET):
            count, of = self.items()
            for _ in range(count):
                # Truths in lists take a byte each; as fields they are in the head.
                self.skip(BYTE if of in (TRUE, FALSE) else of)
        elif kind == STRUCT:
            number = 0
            while field := self.field(number):
                number, inner = field
                self.skip(inner)
        else:
            raise ValueError(f"there is no type {kind}")
        if self.place > len(self.raw):
            raise IndexError
