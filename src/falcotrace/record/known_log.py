"""What later events may name, kept beside the journal: descriptions, and names of opened files.

In: a converted block. Out: records of a log; and from such records what is known again. What a
description says is kept as the kernel made it, so there is one way to read it.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
import pyarrow as pa

from falcotrace.capture.text_pool import MISSING
from falcotrace.errors import RecordError
from falcotrace.record.descriptions import (
    take_control_groups,
    take_files,
    take_images,
    take_processes,
)
from falcotrace.record.files import OpenFiles
from falcotrace.record.framed_log import FramedLog
from falcotrace.record.known import Known
from falcotrace.record.layout import RING_HEADER_BYTES, SampleType
from falcotrace.record.ring import find_samples
from falcotrace.record.samples import SampleBlock, block_of

SAMPLES: Final = 1
NAMES: Final = 2

_DESCRIPTIONS: Final = (
    *(SampleType.PROCESS, SampleType.IMAGE, SampleType.FILE, SampleType.CGROUPS),
    SampleType.EXIT,
)
_COMPRESSION_LEVEL: Final = 1
_MAX_BYTES: Final = 1 << 30


def keep_block(block: SampleBlock, files: OpenFiles, log: FramedLog) -> None:
    """Add what a block describes.

    Raises:
        OSError: the log cannot be written.
    """
    starts = np.sort(np.concatenate([block.starts[kind] for kind in _DESCRIPTIONS]))
    if len(starts):
        log.append(SAMPLES, _packed(_chain(block, starts)))
    ids = files.take_newly_named()
    if len(ids):
        log.append(NAMES, _encode_names(files, ids))


def restore(records: Iterable[tuple[int, bytes]], known: Known, magic: int, position: int) -> None:
    """Know again what the records of a log say.

    Args:
        records: kinds and payloads.
        known: where to put it.
        magic: the session's number.
        position: where in the stream the next sample will stand; everything known stands before.

    Raises:
        RecordError: a record holds something else.
    """
    for kind, payload in records:
        if kind == SAMPLES:
            raw = np.frombuffer(_unpacked(payload), np.uint8)
            block = block_of([find_samples(raw, magic)], position - 1 - len(raw))
            take_images(block, known.processes)
            take_control_groups(block, known.processes)
            take_files(block, known.files)
            take_processes(block, known.processes)
            known.processes.forget_ended()
        elif kind == NAMES:
            _restore_names(payload, known)
    known.files.take_newly_named()


def _chain(block: SampleBlock, starts: np.ndarray) -> bytes:
    """Samples with the kernel's headers, one behind the other."""
    heads = starts - RING_HEADER_BYTES
    lengths = np.frombuffer(block.data[: len(block.data) & ~3], "<u4")[heads // 4]
    ends = starts + (lengths.astype(np.int64) + 7 & ~7)
    data = memoryview(block.data.data)
    pairs = zip(heads.tolist(), ends.tolist(), strict=True)
    return b"".join([data[head:end] for head, end in pairs])


def _packed(raw: bytes) -> bytes:
    codec = pa.Codec("zstd", compression_level=_COMPRESSION_LEVEL)
    return len(raw).to_bytes(8, "little") + codec.compress(raw, asbytes=True)


def _unpacked(payload: bytes) -> bytes:
    size = int.from_bytes(payload[:8], "little")
    if size > _MAX_BYTES:
        raise RecordError(f"a record of {size} bytes cannot be")
    try:
        return bytes(pa.Codec("zstd").decompress(payload[8:], size, asbytes=True))
    except (OSError, pa.ArrowException) as error:
        raise RecordError(f"a record of descriptions is damaged: {error}") from None


def _encode_names(files: OpenFiles, ids: np.ndarray) -> bytes:
    table = pa.table(
        {
            "file_id": ids,
            "name": files.texts(files.names[ids]),
            "raw_name": files.texts(files.raw_names[ids]),
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _restore_names(payload: bytes, known: Known) -> None:
    try:
        table = pa.ipc.open_stream(payload).read_all()
        ids = np.array(table["file_id"].to_pylist(), np.int64)
        names, raw_names = (
            known.pool.codes(table[column].to_pylist()) for column in ("name", "raw_name")
        )
    except (KeyError, OSError, ValueError, pa.ArrowException) as error:
        raise RecordError(f"a record of names is damaged: {error}") from None
    if len(ids) and (ids.min() < 0 or int(ids.max()) > len(known.files) + _MAX_BYTES):
        raise RecordError("a record of names is about files that cannot be")
    is_named = names != MISSING
    known.files.name_opened(ids[is_named], names[is_named], raw_names[is_named])
