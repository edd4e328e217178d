"""A Parquet file: its row groups one after the other, and the footer.

In: column chunks. Out: the file. Between row groups other things may be written to it; readers find
    column chunks by their offsets.

The layout is described in Apache Parquet, README.md and parquet.thrift.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

import pyarrow as pa

from falcotrace.capture.parquet.chunk import Chunk, Statistics
from falcotrace.capture.parquet.schema import leaves, schema_elements
from falcotrace.capture.parquet.thrift import EMPTY, Value, binary, i32, i64, sequence, structure

MAGIC: Final = b"PAR1"
_VERSION: Final = 2
_TYPE_ORDER: Final = structure({1: EMPTY})  # statistics are in the order of the column's type


class Sink(Protocol):
    """What a Parquet file is written to."""

    def tell(self) -> int:
        """How many bytes stand there."""
        ...

    def write(self, data: bytes, /) -> object:
        """Add bytes, all of them."""
        ...

    def writelines(self, parts: Iterable[bytes], /) -> object:
        """Add pieces, one behind the other."""
        ...


class ParquetFile:
    """A Parquet file that is being written.

    Args:
        file: where to; positions are counted from its beginning. Not empty where an earlier writer
            did not come to an end.
        schema: structs that are never null, lists and plain leaves.
        created_by: who writes it, as `NAME version NUMBER`.
    """

    def __init__(self, file: Sink, schema: pa.Schema, created_by: str) -> None:
        self._file = file
        self._schema = schema
        self._created_by = created_by
        self._row_groups: list[Value] = []
        self._row_count = 0
        if not file.tell():
            file.write(MAGIC)

    def write_row_group(
        self, chunks: Iterable[Chunk], row_count: int, statistics: Mapping[str, Statistics]
    ) -> bytes:
        """Write a row group.

        Args:
            chunks: one for each leaf of the schema, in its order.
            row_count: the rows.
            statistics: of the columns, by path, that readers prune by.

        Returns:
            What the file's footer will say of it, see `adopt`.
        """
        begin = self._file.tell()
        offset = begin
        columns = []
        plain_bytes = 0
        for chunk in chunks:
            columns.append(chunk.metadata(offset, statistics.get(chunk.leaf.path)))
            self._file.writelines(chunk.parts)
            offset += chunk.bytes
            plain_bytes += chunk.plain_bytes
        about = structure(
            {
                1: sequence(columns),
                2: i64(plain_bytes),
                3: i64(row_count),
                5: i64(begin),
                6: i64(offset - begin),
            }
        )
        self.adopt(about.raw, row_count)
        return about.raw

    def adopt(self, about: bytes, row_count: int) -> None:
        """Count a row group in that is in the file already, given what `write_row_group` told."""
        self._row_groups.append(Value(EMPTY.type, about))
        self._row_count += row_count

    def close(self, metadata: Mapping[bytes, bytes]) -> None:
        """Write the footer; the file itself stays open."""
        self._file.write(self.footer(metadata))

    def footer(self, metadata: Mapping[bytes, bytes]) -> bytes:
        """The file's last bytes, which do not depend on where they stand."""
        pairs = [structure({1: binary(key), 2: binary(raw)}) for key, raw in metadata.items()]
        footer = structure(
            {
                1: i32(_VERSION),
                2: sequence(schema_elements(self._schema)),
                3: i64(self._row_count),
                4: sequence(self._row_groups),
                **({5: sequence(pairs)} if pairs else {}),
                6: binary(self._created_by.encode()),
                7: sequence([_TYPE_ORDER] * len(leaves(self._schema))),
            }
        ).raw
        return footer + len(footer).to_bytes(4, "little") + MAGIC
