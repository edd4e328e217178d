"""A recording that was interrupted becomes the capture that it would have become."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from falcotrace.capture import address_names
from falcotrace.capture.address_names import NOT_NAMED
from falcotrace.capture.footer import Footer, Host, Losses, Recording
from falcotrace.capture.reader import open_capture
from falcotrace.capture.summary import describe_losses
from falcotrace.errors import CaptureError, RecordError
from falcotrace.events.columns import COLUMNS
from falcotrace.record import conversion as conversion_module
from falcotrace.record import converter as converter_module
from falcotrace.record.conversion import Conversion, Ending
from falcotrace.record.folder import SUFFIX, Counters, RecordingFolder, Start
from falcotrace.record.journal import Journal
from falcotrace.record.layout import SampleType
from falcotrace.record.recover import recover_recording
from falcotrace.record.ring import Batch
from unit.record.made_samples import ACCOUNTS, AT_FDCWD, BOOT_NS, Stream, text
from unit.record.test_answers import C2, connection, named, received

BATCHES = 6
START = Start(
    magic=77,
    arch="x86_64",
    data_bytes=512,
    has_answers=True,
    interfaces=("10.0.0.1/8",),
    footer=Footer(
        host=Host(hostname="host"),
        recording=Recording(boot_to_epoch_ns=BOOT_NS),
        users=ACCOUNTS.users,
        groups=ACCOUNTS.groups,
    ),
)


def stream_of_batches() -> list[Batch]:
    """Batches that refer to what earlier ones told: programs, states, files, names of both."""
    stream = Stream()
    found = []
    stream.image(1, argv=[b"tool", b"-x"], env=[b"A=1"])
    stream.process(1)
    stream.process(2, pid=200, ppid=100, ppid_start_ns=100_000)
    connection(stream, 8, "127.0.0.53", 53)
    connection(stream, 9, C2, 443)
    for number in range(BATCHES):
        stream.file(10 + number, path=f"/real/{number}".encode())
        stream.call(
            "openat",
            AT_FDCWD,
            ret=3,
            parts=[text(f"given-{number}")],
            file_id=10 + number,
        )
        # A file that was opened long ago, and one below it as a directory.
        stream.call("read", 3, ret=5, file_id=10, process_id=2)
        stream.call("fchdir", 3, file_id=10 + number // 2)
        if number == 2:
            stream.image(2, exepath=b"/usr/bin/other", argv=[b"other"])
            stream.process(3, image_id=2, comm=b"other", thread_comm=b"other", previous_id=1)
        if number == 3:
            stream.call("read", 4, ret=1, process_id=3, file_id=11)
            stream.add(SampleType.EXIT, process_id=2, tid=200, pid=200, group_dead=1)
        stream.call("sendto", 4, ret=1, file_id=9)
        received(stream, 8, named(f"{number}.example", C2 if number != 3 else "192.0.2.10"))
        stream.call("sendto", 4, ret=1, file_id=9)
        found.append(stream.batch())
    return found


@pytest.fixture
def small_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row group for each batch."""
    monkeypatch.setattr(conversion_module, "ROW_GROUP_EVENTS", 1)


def started(output: Path) -> RecordingFolder:
    """A recording's folder with a journal of all batches."""
    folder = RecordingFolder.create(output)
    folder.write_start(START)
    journal = Journal(folder.path, START.magic)
    for batch in stream_of_batches():
        journal.append(batch)
    journal.close()
    return folder


def columns_of(capture: Path) -> dict[str, list[object]]:
    """All columns, as the events happened; `proc.key` is a number without a meaning of its own."""
    with open_capture(capture) as opened:
        parts = [opened.read(group.index, list(COLUMNS)) for group in opened.row_groups]
    whole = {
        path: [value for part in parts for value in _plain(part[path])]
        for path in COLUMNS.keys() - {"proc.key"}
    }
    nums = whole["evt.num"]
    order = sorted(range(len(nums)), key=lambda place: int(str(nums[place])))
    return {path: [values[place] for place in order] for path, values in whole.items()}


def _plain(array: pa.Array) -> list[object]:
    return list(array.to_pylist())


@pytest.fixture
def uninterrupted(
    tmp_path: Path, small_row_groups: None, monkeypatch: pytest.MonkeyPatch
) -> dict[str, list[object]]:
    """The columns of a recording that came to its end."""
    del small_row_groups
    monkeypatch.setattr(address_names, "NAMES_MAX", 3)
    with started(tmp_path / "whole.parquet") as folder:
        with Conversion(folder, START) as conversion:
            while conversion.step():
                pass
            found = conversion.finish(Ending(5, "signal", Losses(is_known=True), 1))
        folder.finish(found.path, overwrite=False)
    return columns_of(tmp_path / "whole.parquet")


@pytest.mark.parametrize("forgetful", [False, True], ids=["", "forgetful"])
@pytest.mark.parametrize("steps", range(BATCHES + 1))
def test_interrupted_anywhere(
    tmp_path: Path,
    uninterrupted: dict[str, list[object]],
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
    *,
    forgetful: bool,
) -> None:
    """Events, names, processes and numbers are those of a recording that was not.

    Also where texts are forgotten and the log of what is known is written anew behind each block.
    """
    monkeypatch.setattr(address_names, "NAMES_MAX", 3)
    if forgetful:
        monkeypatch.setattr(converter_module, "REMEMBERED_TEXTS", 0)
        monkeypatch.setattr(conversion_module, "COMPACT_BYTES", 0)
        monkeypatch.setattr(conversion_module, "_COMPACT_FACTOR", 0)
    output = tmp_path / "a.parquet"
    with started(output) as folder:
        with Conversion(folder, START) as conversion:
            for _ in range(steps):
                assert conversion.step()
        for one in (*folder.path.glob("part-*"), *folder.path.glob("known*")):
            with one.open("ab") as file:
                file.write(b"half of what was written when it ended")
    recovered = recover_recording(output.with_name(output.name + SUFFIX))
    assert recovered.path == output
    assert recovered.event_count == len(uninterrupted["evt.num"])
    found = columns_of(output)
    for path, values in uninterrupted.items():
        assert found[path] == values, path
    assert found["fd.name"][1] == "/home/ann/given-0"
    assert found["fd.sip_name"][-1] == ["5.example", "4.example", "2.example"]
    with open_capture(output) as capture:
        assert capture.footer.losses.incomplete == {NOT_NAMED: 2}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "whole.parquet"]


def test_the_account_of_losses(tmp_path: Path) -> None:
    """It is exact where it was read after the end, and else says that nobody knows."""
    for is_final, expected in (
        (True, "none of 7 events"),
        (False, "unknown: the counters were last read before the end, with 0 lost"),
        (None, "unknown: the counters could not be read"),
    ):
        with started(tmp_path / "a.parquet") as folder:
            if is_final is not None:
                raw = msgspec.json.encode(Losses(is_known=True, made_count=7))
                counters = Counters(time_ns=9, is_final=is_final, losses=msgspec.Raw(raw))
                folder.write_counters(counters)
            path = folder.path
        recovered = recover_recording(path, output=tmp_path / "b.parquet", overwrite=True)
        assert describe_losses(recovered.losses) == expected
        with open_capture(tmp_path / "b.parquet") as capture:
            assert capture.footer.losses == recovered.losses
            assert capture.footer.recording.ended_by == "interruption"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A capture that has the name meanwhile stays, and so does the recording."""
    output = tmp_path / "a.parquet"
    with started(output) as folder:
        path = folder.path
    output.write_bytes(b"mine")
    with pytest.raises(RecordError, match="exists already"):
        recover_recording(path)
    assert output.read_bytes() == b"mine"
    assert recover_recording(path, overwrite=True).path == output


def test_a_recording_that_is_under_way_is_left_alone(tmp_path: Path) -> None:
    """Its folder is locked; and no second one begins over an interrupted one."""
    output = tmp_path / "a.parquet"
    with started(output) as folder:
        with pytest.raises(RecordError, match="is in use"):
            recover_recording(folder.path)
        with pytest.raises(RecordError, match="did not come to its end"):
            RecordingFolder.create(output)


@pytest.fixture
def interrupted(tmp_path: Path) -> Iterator[Path]:
    """The folder of an interrupted recording with a checkpoint in its middle."""
    with pytest.MonkeyPatch.context() as patch, started(tmp_path / "a.parquet") as folder:
        patch.setattr(conversion_module, "ROW_GROUP_EVENTS", 1)
        with Conversion(folder, START) as conversion:
            conversion.step()
            conversion.step()
        path = folder.path
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.parametrize(
    "name", ["start.json", "checkpoint.json", "counters.json", "known.log", "part-000001.log"]
)
@pytest.mark.parametrize(
    "content",
    [b"", b"{}", bytes(100), b'{"magic": "x"}', b"[" * 10_000],
    ids=["empty", "nothing", "zeros", "text", "nested"],
)
def test_damaged_files(interrupted: Path, name: str, content: bytes) -> None:
    """Are an error of one line, or do without; never a traceback."""
    (interrupted / name).write_bytes(content)
    try:
        recovered = recover_recording(interrupted)
    except (RecordError, CaptureError) as error:
        assert str(error)
    else:
        assert recovered.event_count > 0


@pytest.mark.parametrize("name", ["known.log", "part-000001.log", "part-000001.parquet"])
def test_links_are_not_followed(interrupted: Path, tmp_path: Path, name: str) -> None:
    """Whoever recovers somebody else's folder as root must not write to other files."""
    other = tmp_path / "precious"
    other.write_bytes(b"x" * 1000)
    (interrupted / name).unlink()
    (interrupted / name).symlink_to(other)
    with pytest.raises((RecordError, CaptureError)):
        recover_recording(interrupted)
    assert other.read_bytes() == b"x" * 1000


@pytest.mark.parametrize(
    "change",
    [{"known_file": "../precious"}, {"known_file": "/precious"}, {"position": -1}, {"next_num": 0}],
)
def test_a_checkpoint_that_cannot_be(
    interrupted: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    """Names and numbers from the folder are checked before they are used."""
    (tmp_path / "precious").write_bytes(b"x")
    path = interrupted / "checkpoint.json"
    path.write_bytes(msgspec.json.encode(msgspec.json.decode(path.read_bytes()) | change))
    with pytest.raises(RecordError, match="says what cannot be"):
        recover_recording(interrupted)
    assert (tmp_path / "precious").read_bytes() == b"x"


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    """Says what was expected."""
    with pytest.raises(RecordError, match="No such file"):
        recover_recording(tmp_path / "nothing")
    with pytest.raises(RecordError, match="is no recording's folder"):
        recover_recording(tmp_path)
