"""What later events may name, kept beside the journal: descriptions, names of files and addresses.

In: a converted block. Out: records of a log; and from such records what is known again. What a
description says is kept as the kernel made it, so there is one way to read it.
"""

from collections.abc import Container, Iterable, Sequence
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from falcotrace.capture.address_names import AddressNames
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
from falcotrace.record.layout import SAMPLES as SAMPLES_BY_TYPE
from falcotrace.record.ring import find_samples
from falcotrace.record.samples import SampleBlock, block_of, gather

SAMPLES: Final = 1
NAMES: Final = 2
ADDRESSES: Final = 3

_DESCRIPTIONS: Final = (
    *(SampleType.PROCESS, SampleType.IMAGE, SampleType.FILE, SampleType.CGROUPS),
    SampleType.EXIT,
)
_IDS: Final = {
    SampleType.PROCESS: "process_id",
    SampleType.IMAGE: "image_id",
    SampleType.FILE: "file_id",
    SampleType.CGROUPS: "cgroups_id",
}
_PROCESS: Final = SampleType.PROCESS
_COMPRESSION_LEVEL: Final = 1
_MAX_BYTES: Final = 1 << 30


class _Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses that answers were about, the last ones last, with what they are called since."""

    names: list[tuple[bytes, tuple[str, ...]]]
    dropped_count: int


def keep_block(block: SampleBlock, known: Known, log: FramedLog) -> None:
    """Add what a block describes, and what it told of addresses.

    Raises:
        OSError: the log cannot be written.
    """
    starts = np.sort(np.concatenate([block.starts[kind] for kind in _DESCRIPTIONS]))
    if len(starts):
        log.append(SAMPLES, _packed(b"".join(_samples(block, starts))))
    ids = known.files.take_newly_named()
    if len(ids):
        log.append(NAMES, _encode_names(known.files, ids))
    _keep_addresses(known.names.changes(), known.names, log)


def _keep_addresses(
    changes: Sequence[tuple[bytes, tuple[str, ...]]], names: AddressNames, log: FramedLog
) -> None:
    if changes:
        record = _Addresses(names=list(changes), dropped_count=names.dropped_count)
        log.append(ADDRESSES, _packed(msgspec.msgpack.encode(record)))


def rewrite(records: Iterable[tuple[int, bytes]], known: Known, magic: int, log: FramedLog) -> None:
    """Put what is still known of the records of a log into another one.

    States of processes come last, parents before their children: what a state shows of its
    ancestors is made when it is taken in.

    Raises:
        OSError: the log cannot be written.
    """
    states: list[tuple[int, int, bytes]] = []
    for kind, payload in records:
        if kind == SAMPLES:
            raw = np.frombuffer(_unpacked(payload), np.uint8)
            block = block_of([find_samples(raw, magic)], 0)
            others = [_known_starts(block, known, one) for one in _IDS if one != _PROCESS]
            starts = np.sort(np.concatenate(others))
            if len(starts):
                log.append(SAMPLES, _packed(b"".join(_samples(block, starts))))
            starts = _known_starts(block, known, _PROCESS)
            fixed = gather(block.data, starts, SAMPLES_BY_TYPE[_PROCESS])
            ages = fixed["pid_start_ns"].tolist(), fixed["start_ns"].tolist()
            states += zip(*ages, _samples(block, starts), strict=True)
        elif kind == NAMES:
            ids = _decode_names(payload)[0]
            ids = ids[known.files.knows(ids)]
            if len(ids):
                log.append(NAMES, _encode_names(known.files, ids))
    if states:
        log.append(SAMPLES, _packed(b"".join(sample for _, _, sample in sorted(states))))
    _keep_addresses(list(known.names), known.names, log)


def _known_starts(block: SampleBlock, known: Known, kind: SampleType) -> np.ndarray:
    """Where descriptions of what is still known begin."""
    ids = block.fixed(kind)[_IDS[kind]].astype(np.int64)
    if kind is SampleType.FILE:
        return block.starts[kind][known.files.knows(ids)]
    processes = known.processes
    of_kind: dict[SampleType, Container[int]] = {
        SampleType.PROCESS: processes.states,
        SampleType.IMAGE: processes.images,
        SampleType.CGROUPS: processes.cgroups,
    }
    is_known = np.array([number in of_kind[kind] for number in ids.tolist()], np.bool_)
    return block.starts[kind][is_known]


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
        elif kind == NAMES:
            _restore_names(payload, known)
        elif kind == ADDRESSES:
            _restore_addresses(payload, known.names)
    # Not before the end: a program may come long before the process that executes it.
    known.processes.forget_ended()
    known.files.take_newly_named()


def _samples(block: SampleBlock, starts: np.ndarray) -> list[bytes]:
    """Samples with the kernel's headers before them."""
    heads = starts - RING_HEADER_BYTES
    lengths = np.frombuffer(block.data[: len(block.data) & ~3], "<u4")[heads // 4]
    ends = starts + (lengths.astype(np.int64) + 7 & ~7)
    return [
        block.data[head:end].tobytes()
        for head, end in zip(heads.tolist(), ends.tolist(), strict=True)
    ]


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
            "name": files.texts(files.name_codes(ids)),
            "raw_name": files.texts(files.raw_name_codes(ids)),
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _decode_names(payload: bytes) -> tuple[np.ndarray, list[str | None], list[str | None]]:
    try:
        table = pa.ipc.open_stream(payload).read_all()
        ids = np.array(table["file_id"].to_pylist(), np.int64)
        return ids, table["name"].to_pylist(), table["raw_name"].to_pylist()
    except (KeyError, OSError, ValueError, pa.ArrowException) as error:
        raise RecordError(f"a record of names is damaged: {error}") from None


def _restore_addresses(payload: bytes, names: AddressNames) -> None:
    try:
        record = msgspec.msgpack.decode(_unpacked(payload), type=_Addresses)
    except msgspec.MsgspecError as error:
        raise RecordError(f"a record of addresses is damaged: {error}") from None
    names.restore(record.names)
    names.dropped_count = record.dropped_count


def _restore_names(payload: bytes, known: Known) -> None:
    ids, names, raw_names = _decode_names(payload)
    if len(ids) and (ids.min() < 0 or int(ids.max()) > len(known.files) + _MAX_BYTES):
        raise RecordError("a record of names is about files that cannot be")
    codes, raw_codes = known.pool.codes(names), known.pool.codes(raw_names)
    is_named = codes != MISSING
    known.files.name_opened(ids[is_named], codes[is_named], raw_codes[is_named])
