"""The table of process states beside a row group: what is in the file for it.

In: a table with one row for each `proc.key`, or bytes of a file. Out: the other one. The bytes are
    an Arrow IPC stream, compressed with zstd as a whole; columns without values are left out, and
    texts are dictionaries: environments, control groups and ancestors are the same for most states
    (measured: a sixth of the size, and quicker both ways).
"""

from typing import Final

import pyarrow as pa

from falcotrace.capture.schema import flat_type
from falcotrace.events.columns import COLUMNS

PROCESS_TABLE_LIMIT_BYTES: Final = 1 << 30
"""A process table larger than this is refused as hostile."""

_KEY: Final = "proc.key"
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
        ValueError, pyarrow.ArrowException: damaged, or not a table of process states.
    """
    # Tables of the first captures are streams whose columns are compressed one by one.
    stream = _expand(raw) if raw.startswith(_ZSTD_MAGIC) else raw
    table = pa.ipc.open_stream(stream).read_all()
    # Arrow believes what a stream says of offsets and places until it is told not to.
    table.validate(full=True)
    _check_columns(table)
    return table


def _check_columns(table: pa.Table) -> None:
    names = table.column_names
    if names.count(_KEY) != 1 or len(set(names)) != len(names) or table[_KEY].null_count:
        raise ValueError("states of processes have no key of their own")
    for name in names:
        found = table.schema.field(name).type
        if name in COLUMNS and _plain(found) != _plain(flat_type(name)):
            raise ValueError(f"{name} of process states is {found}, expected {flat_type(name)}")


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type without dictionaries and widths of numbers, lists without names of elements."""
    if pa.types.is_list(kind):
        return pa.list_(_plain(kind.value_type))
    if pa.types.is_integer(kind):
        # Captures that are older have other widths for some.
        return pa.int64()
    return kind.value_type if pa.types.is_dictionary(kind) else kind


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
