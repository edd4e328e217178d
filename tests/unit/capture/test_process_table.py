"""The tables of process states beside row groups: small, and refused where they are hostile."""

import pyarrow as pa
import pytest

from falcotrace.capture import process_table
from falcotrace.capture.process_table import decode_processes, encode_processes

STATES = pa.table(
    {
        "proc.key": pa.array([1, 2, 3], pa.int64()),
        "proc.name": pa.array(["vi", None, "vi"]),
        "proc.aname": pa.array([["bash", "sshd"], None, []], pa.list_(pa.string())),
        "proc.apid": pa.array([[1, 2], [], None], pa.list_(pa.int64())),
        "proc.is_exe_writable": pa.array([True, None, False]),
    }
)


@pytest.mark.parametrize("first", [0, 1])
def test_what_is_written_is_what_is_read(first: int) -> None:
    """States come back as they were, also those of a part of a table."""
    states = STATES.slice(first)
    assert decode_processes(encode_processes(states)).to_pylist() == states.to_pylist()


def test_texts_are_dictionaries() -> None:
    """The engine asks each text once, and an environment is there once for all processes."""
    table = decode_processes(encode_processes(STATES))
    assert pa.types.is_dictionary(table["proc.name"].type)
    assert pa.types.is_dictionary(table["proc.aname"].type.value_type)


def test_columns_without_values_are_left_out() -> None:
    """The reader knows the schema: nulls need no room."""
    empty = STATES.append_column("proc.cwd", pa.nulls(3, pa.string()))
    assert decode_processes(encode_processes(empty)).column_names == STATES.column_names


def test_tables_of_the_first_captures_are_read() -> None:
    """Captures made before tables were compressed as a whole stay readable."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, STATES.schema, options=options) as stream:
        stream.write_table(STATES)
    assert decode_processes(sink.getvalue().to_pybytes()) == STATES


def test_a_table_that_grows_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes of a hostile file cannot ask for all memory."""
    monkeypatch.setattr(process_table, "PROCESS_TABLE_LIMIT_BYTES", 1 << 20)
    bomb = pa.Codec("zstd").compress(bytes(1 << 22), asbytes=True)
    assert len(bomb) < 1000
    with pytest.raises(OSError, match="larger than any can be"):
        decode_processes(bomb)


@pytest.mark.parametrize("damage", [b"", b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfdbroken", b"x" * 99])
def test_a_damaged_table_is_refused(damage: bytes) -> None:
    """Damage is one of the errors that the reader turns into one clear line."""
    with pytest.raises((OSError, pa.ArrowException)):
        decode_processes(damage)


def test_a_table_that_ends_too_early_is_refused() -> None:
    """The same for a table that was cut."""
    with pytest.raises((OSError, pa.ArrowException)):
        decode_processes(encode_processes(STATES)[:-20])
