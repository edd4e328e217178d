"""What ends the recorder does not end what it has recorded: kills, full disks, limits."""

import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from falcotrace.api import open_captures
from falcotrace.record.folder import SUFFIX
from falcotrace.record.journal import segments
from falcotrace.record.options import Observer, Outcome, Progress, RecordOptions
from falcotrace.record.recorder import record_host
from small_disk import small_disk

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("live_kernel")]

FALCOTRACE = [sys.executable, "-m", "falcotrace"]
NANO = 10**9

MARKS = """
import os, sys, time
pause = float(sys.argv[1])
number = 0
while True:
    try: os.open(f"/tmp/mark-{number}-", os.O_RDONLY)
    except OSError: pass
    number += 1
    time.sleep(pause)
"""
"""Opens files that are not there, one after another, each under its number."""

NOISE = ["dd", "if=/dev/zero", "of=/dev/null", "bs=1"]


@contextmanager
def running(*commands: Sequence[str]) -> Iterator[None]:
    """Commands that go on until they are ended."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen(command, **quiet) for command in commands]  # type: ignore[call-overload]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def ask(capture: Path, query: str) -> list[tuple[object, ...]]:
    """Rows of a query."""
    return open_captures(capture).sql(query).fetchall()


def wait_for_journal(folder: Path) -> None:
    """Until the first samples are on disk."""
    ends = time.monotonic() + 20
    while not segments(folder):
        assert time.monotonic() < ends, "no journal was begun"
        time.sleep(0.01)


@pytest.mark.parametrize(("seed", "noise"), [(1, False), (2, False), (3, True), (4, True)], ids=str)
def test_killed_at_any_moment(tmp_path: Path, seed: int, *, noise: bool) -> None:
    """Everything but the last second is in the capture, without a gap.

    With noise the kill comes while a part is converted already and the rest waits.
    """
    capture = tmp_path / "c.parquet"
    folder = tmp_path / f"c.parquet{SUFFIX}"
    marks = [sys.executable, "-c", MARKS, "0.001"]
    with running(marks, *([NOISE] if noise else [])):
        recorder = subprocess.Popen(
            [*FALCOTRACE, "record", "-o", str(capture)], stderr=subprocess.DEVNULL
        )
        try:
            wait_for_journal(folder)
            time.sleep(random.Random(seed).uniform(1.0, 4.0))
        finally:
            killed_ns = time.time_ns()
            recorder.kill()
            recorder.wait()
    assert not capture.exists()
    done = subprocess.run(
        [*FALCOTRACE, "recover", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "lost: unknown: the counters were last read before the end" in done.stderr
    assert not folder.exists()
    (found,) = ask(
        capture,
        "SELECT count(*), min(mark), max(mark), count(DISTINCT mark), max(time) FROM (SELECT"
        " regexp_extract(evt.arg.name, 'mark-(\\d+)-', 1)::BIGINT AS mark, evt.time AS time"
        " FROM events WHERE evt.type = 'openat' AND evt.arg.name LIKE '/tmp/mark-%')",
    )
    count, first, last, distinct, last_ns = (int(str(value)) for value in found)
    assert count == distinct == last - first + 1 > 100
    assert last_ns > killed_ns - NANO
    nums = ask(capture, "SELECT count(*), count(DISTINCT evt.num), max(evt.num) FROM events")
    assert len(set(nums[0])) == 1
    names = ask(capture, "SELECT count(*) FROM events WHERE proc.name IS NULL")
    assert names == [(0,)]


def record_noise(options: RecordOptions) -> Outcome:
    """Record while something makes a million events a second."""
    with running(NOISE):
        return record_host(options)


def assert_complete(outcome: Outcome) -> None:
    """Every event that was made and not counted as lost is in the capture."""
    assert outcome.losses.is_known
    assert outcome.event_count == outcome.losses.made_count - outcome.losses.lost_count
    assert ask(outcome.path, "SELECT count(*) FROM events") == [(outcome.event_count,)]


def test_a_full_disk_ends_the_recording(tmp_path: Path) -> None:
    """And loses nothing: what found no room any more is converted from memory."""
    with small_disk(tmp_path / "disk", "64m") as disk:
        options = RecordOptions(disk / "c.parquet", duration_s=60, free_bytes=0)
        outcome = record_noise(options)
        assert outcome.ended_by == "disk: No space left on device"
        assert outcome.event_count > 100_000
        assert_complete(outcome)
        assert [path.name for path in disk.iterdir()] == ["c.parquet"]


def test_room_is_left_for_others(tmp_path: Path) -> None:
    """The recording ends before the disk is full."""
    with small_disk(tmp_path / "disk", "500m") as disk:
        options = RecordOptions(disk / "c.parquet", duration_s=60, free_bytes=300 << 20)
        outcome = record_noise(options)
        assert outcome.ended_by == "disk: less room left than asked for"
        assert_complete(outcome)


def test_a_limit_of_size(tmp_path: Path) -> None:
    """Counts the journal too, and the command line tells why it ended."""
    command = [*FALCOTRACE, "record", "--max-size", "40M", "--duration", "60s"]
    with running(NOISE):
        done = subprocess.run(
            [*command, "-o", str(tmp_path / "c.parquet")],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"lost: none of [\d,]+ events; (incomplete: .*; )?ended by size\n$", done.stderr
    )


def test_an_interrupted_recording_is_not_recorded_over(tmp_path: Path) -> None:
    """It says how to make a capture of it, also with --force."""
    folder = tmp_path / f"c.parquet{SUFFIX}"
    folder.mkdir()
    for force in ([], ["--force"]):
        done = subprocess.run(
            [*FALCOTRACE, "record", "--duration", "1s", *force, "-o", str(tmp_path / "c.parquet")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert f"`falcotrace recover {folder}`" in done.stderr
        assert "Traceback" not in done.stderr


def test_what_a_recorder_that_fails_has_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stays, and the error says what to do with it; without anything recorded nothing stays."""
    folder = tmp_path / f"c.parquet{SUFFIX}"

    class Failing(Observer):
        def progressed(self, progress: Progress) -> None:
            del progress
            if segments(folder):
                raise ZeroDivisionError

    options = RecordOptions(tmp_path / "c.parquet", duration_s=30)
    with running(NOISE), pytest.raises(ZeroDivisionError) as caught:
        record_host(options, Failing())
    assert caught.value.__notes__ == [f"What was recorded is kept: falcotrace recover {folder}"]
    done = subprocess.run([*FALCOTRACE, "recover", str(folder)], check=False)
    assert done.returncode == 0
    assert ask(options.output, "SELECT count(*) > 1000 FROM events") == [(True,)]
    monkeypatch.setattr("falcotrace.record.session._OBJECTS", {})
    with pytest.raises(Exception, match="no recorder for"):
        record_host(RecordOptions(tmp_path / "d.parquet"))
    assert not (tmp_path / f"d.parquet{SUFFIX}").exists()
