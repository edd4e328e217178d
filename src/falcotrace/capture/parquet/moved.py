"""What a file's footer says of a row group, when the row group is copied to another place.

In: the encoded struct. Out: the same with other offsets; everything else keeps its bytes.

Structs and field numbers are parquet.thrift's: RowGroup, ColumnChunk, ColumnMetaData.
"""

from typing import Final

from falcotrace.capture.parquet.thrift import zigzag
from falcotrace.capture.parquet.thrift_reader import NUMBERS, STRUCT, ThriftReader

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


class _Reader(ThriftReader):
    """Goes through an encoded struct and writes it anew."""

    def __init__(self, raw: bytes, distance_bytes: int) -> None:
        super().__init__(raw)
        self._distance_bytes = distance_bytes
        self._copied = 0
        self._out: list[bytes] = []

    def row_group(self) -> bytes:
        number = 0
        while field := self.field(number):
            number, kind = field
            if number == _COLUMNS:
                count, of = self.items()
                if of != STRUCT:
                    raise ValueError(f"columns are of type {of}, not structs")
                for _ in range(count):
                    self._column()
            elif number == _BEGIN:
                self._offset(kind)
            else:
                self.skip(kind)
        if self.place != len(self.raw):
            raise ValueError("the description of a row group goes on behind its end")
        self._flush()
        return b"".join(self._out)

    def _column(self) -> None:
        number = 0
        while field := self.field(number):
            number, kind = field
            if number != _METADATA:
                self.skip(kind)
                continue
            inner = 0
            while found := self.field(inner):
                inner, kind = found
                if inner in _OFFSETS:
                    self._offset(kind)
                else:
                    self.skip(kind)

    def _offset(self, kind: int) -> None:
        """Replace a number that is an offset."""
        if kind not in NUMBERS:
            raise ValueError(f"an offset has the type {kind}")
        self._flush()
        self._out.append(zigzag(self.number() + self._distance_bytes))
        self._copied = self.place

    def _flush(self) -> None:
        self._out.append(bytes(self.raw[self._copied : self.place]))
        self._copied = self.place
