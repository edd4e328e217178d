"""The table of process states beside a row group: what is in the file for it.

In: a table with one row for each `proc.key`, or bytes of a file. Out: the other one. The bytes are
    an Arrow IPC stream, compressed with zstd as a whole; columns without values are left out, and
    texts are dictionaries: environments, control groups and ancestors are the same for most states
    (measured: a sixth of the size, and quicker both ways).
"""

from typing import Final

import pyarrow as pa

PROCESS_TABLE_LIMIT_BYTES: Final = 1 << 30
"""A process table larger than this is refused as hostile."""

_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_LEVEL: Final = 6
_PART_BYTES: Final = 1 << 24


def encode_processes(processes: pa.Table) -> bytes:
    """The bytes of a table in the types of the schema."""
    columns = {
        name: _encode(processes[name])
        for name in processes.column_names
        if processes[name].null_count < len(processes)
    }
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return pa.Codec("zstd", compression_level=_LEVEL).compress(sink.getvalue(), asbytes=True)


def _encode(column: pa.ChunkedArray) -> pa.Array:
    array = pa.concat_arrays(column.chunks)
    if pa.types.is_string(array.type):
        return array.dictionary_encode()
    if pa.types.is_list(array.type) and pa.types.is_string(array.type.value_type):
        mask = array.is_null() if array.null_count else None
        texts = array.values.dictionary_encode()
        return pa.ListArray.from_arrays(array.offsets, texts, mask=mask)
    return array


def decode_processes(raw: bytes) -> pa.Table:
    """The table in bytes of a file; texts are dictionaries.

    Raises:
        OSError: damaged, or larger than `PROCESS_TABLE_LIMIT_BYTES`.
        pyarrow.ArrowException: damaged.
    """
    # Tables of the first captures are streams whose columns are compressed one by one.
    stream = _expand(raw) if raw.startswith(_ZSTD_MAGIC) else raw
    return pa.ipc.open_stream(stream).read_all()


def _expand(raw: bytes) -> bytes:
    parts = []
    room = PROCESS_TABLE_LIMIT_BYTES
    with pa.CompressedInputStream(pa.BufferReader(raw), "zstd") as stream:
        while part := stream.read(_PART_BYTES):
            parts.append(part)
            room -= len(part)
            if room < 0:
                raise OSError("a process table is larger than any can be")
    return b"".join(parts)
