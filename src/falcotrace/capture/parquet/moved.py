"""What a file's footer says of a row group, when the row group is copied to another place.

In: the encoded struct. Out: the same with other offsets; everything else keeps its bytes.

Structs and field numbers are parquet.thrift's: RowGroup, ColumnChunk, ColumnMetaData.
"""

from typing import Final

from falcotrace.capture.parquet.thrift import zigzag

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_NUMBERS: Final = frozenset({4, 5, 6})  # of 16, 32 and 64 bits

_COLUMNS, _BEGIN = 1, 5  # fields of RowGroup
_METADATA = 3  # field of ColumnChunk
_OFFSETS: Final = frozenset({9, 10, 11})  # fields of ColumnMetaData: data, index and dictionary


def moved_row_group(about: bytes, distance_bytes: int) -> bytes:
    """The struct of a row group whose bytes stand so much further behind in the file.

    Raises:
        ValueError: it is not such a struct.
    """
    try:
        return _Reader(about, distance_bytes).row_group()
    except IndexError:
        raise ValueError("the description of a row group is cut off") from None
    except RecursionError:
        raise ValueError("the description of a row group is nested too deeply") from None


class _Reader:
    """Goes through an encoded struct and writes it anew."""

    def __init__(self, raw: bytes, distance_bytes: int) -> None:
        self._raw = raw
        self._place = 0
        self._distance_bytes = distance_bytes
        self._copied = 0
        self._out: list[bytes] = []

    def row_group(self) -> bytes:
        number = 0
        while field := self._field(number):
            number, kind = field
            if number == _COLUMNS:
                count, of = self._items()
                if of != _STRUCT:
                    raise ValueError(f"columns are of type {of}, not structs")
                for _ in range(count):
                    self._column()
            elif number == _BEGIN:
                self._offset(kind)
            else:
                self._skip(kind)
        if self._place != len(self._raw):
            raise ValueError("the description of a row group goes on behind its end")
        self._flush()
        return b"".join(self._out)

    def _column(self) -> None:
        number = 0
        while field := self._field(number):
            number, kind = field
            if number != _METADATA:
                self._skip(kind)
                continue
            inner = 0
            while found := self._field(inner):
                inner, kind = found
                if inner in _OFFSETS:
                    self._offset(kind)
                else:
                    self._skip(kind)

    def _offset(self, kind: int) -> None:
        """Replace a number that is an offset."""
        if kind not in _NUMBERS:
            raise ValueError(f"an offset has the type {kind}")
        self._flush()
        raw = self._varint()
        offset = (raw >> 1) ^ -(raw & 1)
        self._out.append(zigzag(offset + self._distance_bytes))
        self._copied = self._place

    def _flush(self) -> None:
        self._out.append(self._raw[self._copied : self._place])
        self._copied = self._place

    def _field(self, before: int) -> tuple[int, int] | None:
        """Number and type of the next field; None at the end of the struct."""
        head = self._raw[self._place]
        self._place += 1
        if not head:
            return None
        kind, step = head & 0xF, head >> 4
        if step:
            return before + step, kind
        raw = self._varint()
        return (raw >> 1) ^ -(raw & 1), kind

    def _items(self) -> tuple[int, int]:
        """How many items a list has, and of which type; they begin behind this."""
        head = self._raw[self._place]
        self._place += 1
        count = head >> 4
        return (self._varint() if count == 0xF else count), head & 0xF

    def _varint(self) -> int:
        number = shift = 0
        while True:
            byte = self._raw[self._place]
            self._place += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7

    def _skip(self, kind: int) -> None:
        if kind in (_TRUE, _FALSE):
            pass
        elif kind in _NUMBERS:
            self._varint()
        elif kind == _BYTE:
            self._place += 1
        elif kind == _DOUBLE:
            self._place += 8
        elif kind == _BINARY:
            size = self._varint()
            self._place += size
        elif kind in (_LIST, _SET):
            count, of = self._items()
            for _ in range(count):
                # Truths in lists take a byte each; as fields they are in the head.
                self._skip(_BYTE if of in (_TRUE, _FALSE) else of)
        elif kind == _STRUCT:
            number = 0
            while field := self._field(number):
                number, inner = field
                self._skip(inner)
        else:
            raise ValueError(f"there is no type {kind}")
        if self._place > len(self._raw):
            raise IndexError
