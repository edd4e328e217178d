"""Rebuilds conversations as packets, so that Wireshark, tshark and scapy can read them.

Packets are made up around what calls moved; the file says so in its head and in comments. Contents
are there where they were recorded (`--snaplen`); of the others there are numbers and times.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.engines.vectors import Bools, Integers, arrow_text
from falcotrace.network.model import Conversation, Socket
from falcotrace.network.packets import Ends, build_packets, can_be_packets, ends_of
from falcotrace.network.pcapng import file_head, packet_blocks
from falcotrace.network.ragged import Bytes
from falcotrace.network.sequence import (
    MOVE,
    OPEN,
    Numbering,
    Steps,
    control_steps,
    merge_steps,
    move_steps,
)
from falcotrace.network.traffic import Direction, Traffic
from falcotrace.outputs.escape import for_terminal
from falcotrace.outputs.whole_file import whole_file
from falcotrace.version import __version__

PIECE_BYTES = 4 << 20

_ABOUT = (
    "Synthetic: FalcoTrace rebuilt these packets from recorded system calls. Contents and times "
    "are recorded; addresses of Ethernet, handshakes, acknowledgements, windows and checksums are "
    "made up. What was moved and not recorded is a gap in the sequence numbers, with a comment."
)


@dataclass(frozen=True, slots=True)
class PcapReport:
    """What was written.

    Attributes:
        conversation_count: conversations in the file.
        packet_count: packets in the file.
        contents_bytes: how many recorded bytes they hold.
        missing_bytes: how many were moved and not recorded.
        left_out_count: conversations that are neither TCP nor UDP between two addresses.
    """

    conversation_count: int
    packet_count: int
    contents_bytes: int
    missing_bytes: int
    left_out_count: int


def write_conversations(
    traffic: Traffic, conversations: Sequence[Conversation], path: Path, *, force: bool
) -> PcapReport:
    """Write conversations as a pcapng file.

    Args:
        traffic: where they were found.
        conversations: which ones.
        path: the file to write.
        force: whether a file of that name may be replaced.

    Raises:
        FalcoTraceError: the file exists, or cannot be written.
        CaptureError: a capture is damaged.
    """
    written = [item for item in conversations if can_be_packets(item)]
    packet_count = contents_bytes = missing_bytes = 0
    with whole_file(path, force=force) as new, new.open("wb") as file:
        file.write(file_head(_ABOUT, f"FalcoTrace {__version__}"))
        for piece in _pieces(traffic, written):
            file.write(piece.blocks)
            packet_count += piece.packet_count
            contents_bytes += int(piece.steps.data_lengths.sum())
            missing_bytes += int((piece.steps.moved - piece.steps.data_lengths).sum())
    left_out = len(conversations) - len(written)
    return PcapReport(len(written), packet_count, contents_bytes, missing_bytes, left_out)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    blocks: bytes
    packet_count: int
    steps: Steps


def _pieces(traffic: Traffic, conversations: Sequence[Conversation]) -> Iterator[_Piece]:
    """Blocks of packets in the order of events, some megabytes of contents at once."""
    if not conversations:
        return
    directions = _directions(conversations)
    ends = ends_of(conversations)
    numbering = Numbering(ends)
    waiting = control_steps(conversations)
    about = _about_conversations(traffic, conversations)
    for whole in traffic.moves_in_time(directions):
        for batch in _parts(whole):
            data, starts = _contents(batch)
            steps = move_steps(batch, directions, starts)
            is_due = _is_due(waiting, steps)
            due = merge_steps(waiting.take(np.flatnonzero(is_due)), steps)
            waiting = waiting.take(np.flatnonzero(~is_due))
            moves = _about_moves(batch, steps, ends.is_udp[steps.conversations])
            yield _piece(due, numbering, ends, data, _comments(due, moves, about))
    if not len(waiting.kinds):
        return
    nothing = np.zeros(0, np.uint8)
    yield _piece(waiting, numbering, ends, nothing, _comments(waiting, _texts([]), about))


def _is_due(waiting: Steps, steps: Steps) -> Bools:
    """Which beginnings and ends stand before the end of some moves."""
    file, num = int(steps.files[-1]), int(steps.nums[-1])
    is_before = (waiting.nums < num) | ((waiting.nums == num) & (waiting.kinds == OPEN))
    return (waiting.files < file) | ((waiting.files == file) & is_before)


def _piece(
    steps: Steps, numbering: Numbering, ends: Ends, data: Bytes, comments: pa.Array
) -> _Piece:
    packets, rows = numbering.packets(steps)
    built, places = build_packets(packets, ends, data)
    is_first = np.diff(rows, prepend=-1) != 0
    texts = pc.if_else(pa.array(is_first), comments.take(pa.array(rows)), arrow_text(""))
    originals = np.diff(places) + packets.missing_lengths
    blocks = packet_blocks(built, places, originals, steps.times_ns[rows], texts)
    return _Piece(blocks, len(rows), steps)


def _about_conversations(
    traffic: Traffic, conversations: Sequence[Conversation]
) -> tuple[pa.Array, pa.Array]:
    """What stands at the beginning of each conversation, and at its end."""
    beginnings = []
    for item in conversations:
        ends = ", ".join(
            f"{'server' if end.is_server else 'client'} {_process(end)}" for end in item.sockets
        )
        text = f"synthetic handshake: {ends} on {item.sockets[0].host}"
        text += f", from event {item.first.num} to {item.last.num}"
        if len(traffic.files) > 1:
            text += f" of {traffic.files[item.first.file].path.name}"
        if not any(end.was_opened for end in item.sockets):
            text += "; when the connection began is not in the capture"
        beginnings.append(for_terminal(text))
    return _texts(beginnings), _texts(["synthetic end"] * len(conversations))


def _process(end: Socket) -> str:
    return f"{end.process.name} ({end.process.pid})"


def _about_moves(batch: pa.RecordBatch, steps: Steps, is_udp: Bools) -> pa.Array:
    """The event of each move, its process, and what is missing of it."""
    names = batch["name"].fill_null("").dictionary_encode()
    safe = _texts([for_terminal(name) for name in names.dictionary.to_pylist()])
    names = safe.take(names.indices)
    pids = pc.cast(batch["pid"].fill_null(0), pa.string())
    missing = steps.moved - steps.data_lengths
    gaps = pc.binary_join_element_wise(
        arrow_text("; gap: "),
        pc.cast(pa.array(missing), pa.string()),
        arrow_text(" bytes behind this were not recorded"),
        arrow_text(""),
    )
    gaps = pc.if_else(pa.array(missing > 0), gaps, arrow_text(""))
    more = batch["datagram_count"].fill_null(1).to_numpy(zero_copy_only=False) - 1
    others = pc.binary_join_element_wise(
        arrow_text("; "),
        pc.cast(pa.array(more), pa.string()),
        arrow_text(" more datagrams of this call were not recorded"),
        arrow_text(""),
    )
    others = pc.if_else(pa.array((more > 0) & is_udp), others, arrow_text(""))
    nums = pc.cast(batch["num"], pa.string())
    parts = [arrow_text("event "), nums, arrow_text(": "), names, arrow_text(" ("), pids]
    return pc.binary_join_element_wise(*parts, arrow_text(")"), gaps, others, arrow_text(""))


def _comments(steps: Steps, moves: pa.Array, about: tuple[pa.Array, pa.Array]) -> pa.Array:
    """The comment of each step."""
    padded = pa.concat_arrays([moves, _texts([""])])
    of_moves = padded.take(pa.array(steps.batch_rows % len(padded)))
    first, last = (texts.take(pa.array(steps.conversations)) for texts in about)
    controls = pc.if_else(pa.array(steps.kinds == OPEN), first, last)
    return pc.if_else(pa.array(steps.kinds == MOVE), of_moves, controls)


def _texts(values: Sequence[str]) -> pa.Array:
    return pa.array(values, pa.string())


def _directions(conversations: Sequence[Conversation]) -> dict[Direction, tuple[int, bool]]:
    found: dict[Direction, tuple[int, bool]] = {}
    for place, conversation in enumerate(conversations):
        for to_server in (True, False):
            witness = conversation.witness(to_server=to_server)
            if witness is not None:
                found[witness.number, to_server != witness.is_server] = (place, to_server)
    return found


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Parts of a batch with not much more than so many bytes of contents each."""
    sizes = pc.fill_null(pc.binary_length(batch["contents"]), 0).to_numpy(zero_copy_only=False)
    marks = np.cumsum(sizes, dtype=np.int64) // PIECE_BYTES
    begins = np.flatnonzero(np.diff(marks, prepend=-1))
    for begin, end in zip(begins, np.append(begins[1:], len(sizes)), strict=True):
        yield batch.slice(begin, end - begin)


def _contents(batch: pa.RecordBatch) -> tuple[Bytes, Integers]:
    """Contents of moves one behind the other, and where each begins."""
    contents = pa.concat_arrays([batch["contents"].fill_null(b"")])
    offsets = np.frombuffer(contents.buffers()[1], np.int32)
    first = contents.offset
    starts = offsets[first : first + len(contents) + 1].astype(np.int64)
    return np.frombuffer(contents.buffers()[2] or b"", np.uint8), starts
