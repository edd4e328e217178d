"""Blocks of `.scap` captures: finding events, windows, sections, and what damage costs."""

import gzip
import os
import struct
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcotrace.errors import CaptureError
from falcotrace.scap import blocks, blocks_chain
from falcotrace.scap.blocks_chain import event_chain
from falcotrace.scap.blocks_warnings import MAX_MESSAGES, Warnings
from falcotrace.scap.reader import ScapFile, open_scap
from unit.scap.scap_bytes import EVENT_BLOCKS, EVENT_V2, block, event, i64, machine, section

GETUID = 203
"""An exit event whose only parameter is a user."""


def walk(data: bytes) -> tuple[list[int], list[int], int]:
    """Where event blocks begin, their types, and where they end, one after the other."""
    starts, types, at = [], [], 0
    while at + 12 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        is_whole = size >= 12 and size % 4 == 0 and at + size <= len(data)
        if kind not in EVENT_BLOCKS or not is_whole:
            break
        if struct.unpack_from("<I", data, at + size - 4) != (size,):
            break
        starts.append(at)
        types.append(kind)
        at += size
    return starts, types, at


def write(folder: Path, data: bytes) -> Path:
    """A file."""
    path = folder / "a.scap"
    path.write_bytes(data)
    return path


def read_nums(file: ScapFile) -> list[list[int]]:
    """Event numbers, by section."""
    return [[num for batch in part for num in batch.nums.tolist()] for part in file]


def numbered(count: int) -> bytes:
    """Events whose time is their number."""
    return b"".join(event(GETUID, [b"\0" * 4], time=number) for number in range(1, count + 1))


plain_blocks = st.builds(
    block, st.sampled_from((*EVENT_BLOCKS, 0x999)), st.binary(max_size=40)
) | st.builds(
    lambda kind, size: struct.pack("<II", kind, size),
    st.sampled_from(EVENT_BLOCKS),
    st.integers(0, 80),
)
nested_blocks = st.builds(
    block,
    st.sampled_from(EVENT_BLOCKS),
    st.lists(plain_blocks | st.binary(max_size=8), max_size=4).map(b"".join),
)


@given(st.lists(nested_blocks | plain_blocks, max_size=12).map(b"".join), st.integers(0, 40))
def test_chain_is_what_a_walk_finds(data: bytes, cut: int) -> None:
    """Blocks that lie in payload, cut blocks and foreign ones do not mislead."""
    data = data[: len(data) - cut]
    chain = event_chain(np.frombuffer(data, np.uint8).copy(), 0)
    assert (chain.starts.tolist(), chain.types.tolist(), chain.end) == walk(data)


@given(st.lists(nested_blocks, min_size=1, max_size=12).map(b"".join))
def test_chain_does_not_depend_on_its_pieces(data: bytes) -> None:
    """A block that reaches into the next piece is one block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks_chain, "_PIECE_WORDS", 7)
        chain = event_chain(np.frombuffer(data, np.uint8).copy(), 0)
    assert (chain.starts.tolist(), chain.types.tolist(), chain.end) == walk(data)


@pytest.mark.parametrize("window", [40, 64, 1 << 20])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_windows_do_not_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int, compress: object
) -> None:
    """Numbers and times are the same however little is read at once."""
    monkeypatch.setattr(blocks, "WINDOW_BYTES", window)
    monkeypatch.setattr(blocks, "MAX_BATCH_EVENTS", 3)
    data = section() + machine() + numbered(10)
    assert callable(compress)
    with open_scap(write(tmp_path, compress(data))) as file:
        batches = [batch for part in file for batch in part]
    assert [num for batch in batches for num in batch.nums.tolist()] == list(range(1, 11))
    assert [time for batch in batches for time in batch.times_ns.tolist()] == list(range(1, 11))
    assert max(map(len, batches)) <= 3
    assert file.warnings == ()


def test_gzip_members_follow_each_other(tmp_path: Path) -> None:
    """A capture may be compressed in parts, and padded with zeros as tapes are."""
    data = gzip.compress(section() + numbered(1)[:20]) + gzip.compress(numbered(2)[20:])
    with open_scap(write(tmp_path, data + bytes(100))) as file:
        assert read_nums(file) == [[1, 2]]
    assert file.warnings == ()


def test_sections_are_captures_of_their_own(tmp_path: Path) -> None:
    """Numbers go on; metadata begin anew."""
    data = section() + machine(b"one") + numbered(2) + section() + machine(b"two") + numbered(3)
    with open_scap(write(tmp_path, data)) as file:
        parts = [(part.metadata.machine.hostname, list(part)) for part in file]
    assert [name for name, _ in parts] == [b"one", b"two"]
    assert [[b.nums.tolist() for b in batches] for _, batches in parts] == [[[1, 2]], [[3, 4, 5]]]


def test_section_that_is_not_read_is_counted(tmp_path: Path) -> None:
    """Who passes over a section's events still gets the right numbers in the next one."""
    data = section() + numbered(2) + section() + numbered(1)
    with open_scap(write(tmp_path, data)) as file:
        parts = iter(file)
        next(parts)
        assert [batch.nums.tolist() for batch in next(parts)] == [[3]]


def test_a_metadata_block_after_events_begins_a_section(tmp_path: Path) -> None:
    """A joined capture may lack its header."""
    data = section() + numbered(1) + machine(b"two") + numbered(1)
    with open_scap(write(tmp_path, data)) as file:
        assert [part.metadata.machine.hostname for part in file] == [b"", b"two"]


def test_unknown_blocks_are_skipped_and_told(tmp_path: Path) -> None:
    """Newer writers may add blocks."""
    data = section() + block(0x777, b"abc") + numbered(1) + block(0x777, b"") + numbered(1)
    with open_scap(write(tmp_path, data)) as file:
        assert read_nums(file) == [[1, 2]]
    assert [str(warning) for warning in file.warnings] == [
        "blocks of unknown type 0x777 skipped (2 times), at byte 28"
    ]


def test_too_many_unknown_blocks_end_the_capture(tmp_path: Path) -> None:
    """A hostile capture cannot keep the reader busy with empty blocks."""
    data = section() + block(0x777, b"") * (blocks.MAX_UNKNOWN_BLOCKS + 5) + numbered(1)
    with open_scap(write(tmp_path, data)) as file:
        assert read_nums(file) == [[]]
    assert "too many unknown blocks" in file.warnings[-1].message


@pytest.mark.parametrize("lost", [1, 4, 5, 30, 43])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_what_comes_before_a_cut_is_kept(tmp_path: Path, lost: int, compress: object) -> None:
    """A capture that ends within a block gives all blocks before, and says where it ends."""
    data = section() + numbered(3)
    size = len(numbered(1))
    assert callable(compress)
    with open_scap(write(tmp_path, compress(data[:-lost]))) as file:
        assert read_nums(file) == [[1, 2]]
    assert [(w.offset, "ends within a block" in w.message) for w in file.warnings] == [
        (len(data) - size, True)
    ]


def test_cut_compressed_capture_is_kept(tmp_path: Path) -> None:
    """So does a file whose compressed data end early."""
    rng = np.random.default_rng(1)
    events = b"".join(
        event(GETUID, [rng.bytes(4)], tid=int(rng.integers(1 << 40))) for _ in range(9000)
    )
    whole = gzip.compress(section() + events)
    with open_scap(write(tmp_path, whole[: len(whole) // 2])) as file:
        (nums,) = read_nums(file)
    assert 3000 < len(nums) < 6000
    assert [w.message for w in file.warnings] == ["the compressed data end too early"]


def test_damaged_compressed_capture_is_kept(tmp_path: Path) -> None:
    """A wrong checksum at the end costs nothing but a warning."""
    whole = bytearray(gzip.compress(section() + numbered(5)))
    whole[-6] ^= 1
    with open_scap(write(tmp_path, bytes(whole))) as file:
        assert read_nums(file) == [[1, 2, 3, 4, 5]]
    assert [w.message for w in file.warnings] == ["the compressed data are damaged"]


def test_bytes_behind_the_compressed_data_are_told(tmp_path: Path) -> None:
    """What is appended without compression is not silently lost."""
    with open_scap(write(tmp_path, gzip.compress(section() + numbered(1)) + numbered(1))) as file:
        assert read_nums(file) == [[1]]
    assert "is not compressed" in file.warnings[0].message


@pytest.mark.parametrize("at", [4, -4])
def test_a_wrong_length_ends_the_capture(tmp_path: Path, at: int) -> None:
    """Events before a damaged block are kept; the offset is that of the block."""
    one = len(numbered(1))
    data = bytearray(section() + numbered(3))
    begin = len(data) - one
    place = begin + at if at > 0 else begin + one + at
    data[place : place + 4] = struct.pack("<I", one - 1)
    with open_scap(write(tmp_path, bytes(data))) as file:
        assert read_nums(file) == [[1, 2]]
    assert [w.offset for w in file.warnings] == [begin]


def test_a_block_larger_than_any_is_damage(tmp_path: Path) -> None:
    """A length of 4 GB allocates nothing."""
    data = section() + numbered(1) + struct.pack("<II", EVENT_V2, 0xFFFFFFF0) + bytes(100)
    with open_scap(write(tmp_path, data)) as file:
        assert read_nums(file) == [[1]]
    assert "cannot be" in file.warnings[0].message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"hello, this is text", "not a .scap capture"),
        (gzip.compress(b""), "the file is empty"),
        (gzip.compress(b"hello, this is text"), "not a .scap capture"),
        (b"\x1f\x8b garbage", "damaged"),
        (section()[:12], "ends within its header"),
        (section(major=2), "format 2.2"),
        (section()[:8][::1] + section()[8:12][::-1] + section()[12:], "big-endian"),
        (section()[:8] + b"abcd" + section()[12:], "no valid header"),
        (section() + block(1, b"\1\0\0\0\0\0\4\0"), "pcapng"),
    ],
)
def test_what_is_no_capture_says_so(tmp_path: Path, data: bytes, message: str) -> None:
    """One clear line for each kind of wrong file."""
    with pytest.raises(CaptureError, match=message) as error:
        open_scap(write(tmp_path, data))
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    """A missing file and a folder are errors of the same kind."""
    with pytest.raises(CaptureError, match="No such file"):
        open_scap(tmp_path / "missing.scap")
    with pytest.raises(CaptureError, match="directory"):
        open_scap(tmp_path)


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    """Captures can come from another program."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    data = section() + numbered(4)
    thread = threading.Thread(target=path.write_bytes, args=(data,))
    thread.start()
    with open_scap(path) as file:
        assert read_nums(file) == [[1, 2, 3, 4]]
    thread.join()


def test_batches_outlive_the_file(tmp_path: Path) -> None:
    """Data stay valid after closing."""
    with open_scap(write(tmp_path, section() + event(GETUID, [b"abcd"]))) as file:
        (batch,) = (batch for part in file for batch in part)
    offset = int(batch.params[GETUID].offsets[0, 0])
    assert batch.data[offset : offset + 4].tobytes() == b"abcd"


def test_warnings_are_counted_and_limited() -> None:
    """A capture full of faults does not fill the memory with messages."""
    warnings = Warnings()
    for number in range(2 * MAX_MESSAGES):
        warnings.add(number, f"fault {number}")
        warnings.add(number, "again")
    assert len(warnings.all()) == MAX_MESSAGES + 1
    assert str(warnings.all()[1]) == f"again ({2 * MAX_MESSAGES} times), at byte 0"
    assert sum(warning.count for warning in warnings.all()) == 4 * MAX_MESSAGES


def test_too_many_sections_end_the_capture(tmp_path: Path) -> None:
    """Each section costs time, however short it is."""
    with open_scap(write(tmp_path, section() * 1005 + event(GETUID, [i64(1)[:4]]))) as file:
        assert len(list(file)) == 1000
    assert "too many sections" in file.warnings[0].message
