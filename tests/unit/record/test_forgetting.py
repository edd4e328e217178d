"""A long recording keeps only what events to come may name."""

import numpy as np
import pytest

from falcotrace.record import converter as converter_module
from falcotrace.record import files as files_module
from unit.record.made_samples import AT_FDCWD, Conversion, Stream, started, text


def opened(stream: Stream, file_id: int) -> None:
    """An open of a file of its own."""
    stream.file(file_id, path=f"/real/{file_id}".encode())
    stream.call("openat", AT_FDCWD, ret=3, parts=[text(f"/given/{file_id}")], file_id=file_id)


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remember ten files and a few texts."""
    monkeypatch.setattr(files_module, "REMEMBERED_FILES", 10)
    monkeypatch.setattr(converter_module, "REMEMBERED_TEXTS", 50)


@pytest.mark.usefixtures("forgetful")
def test_files_in_use_are_remembered() -> None:
    """By events, or as the standard streams of a process; all others are forgotten."""
    conversion = Conversion()
    stream = started()
    stream.file(1, path=b"/log")
    stream.file(2, path=b"/used")
    stream.process(7, pid=700, std_file_id=(1, 1, 1))
    for number in range(3, 100):
        opened(stream, number)
        stream.call("read", 5, ret=1, file_id=2)
        conversion.of(stream)
    files = conversion.converter.known.files
    assert files.knows(np.array([1, 2, 99])).tolist() == [True] * 3
    assert not files.knows(np.arange(3, 70)).any()
    assert len(conversion.converter.known.pool) < 150
    stream.call("read", 5, ret=1, file_id=2)
    stream.call("read", 3, ret=1, file_id=99)
    stream.call("read", 0, ret=1, process_id=7, file_id=1)
    used, last, log = conversion.of(stream)
    assert (used["fd.name"], last["fd.name"], log["fd.name"]) == ("/used", "/given/99", "/log")
    assert log["proc.stdin.name"] == "/log"


@pytest.mark.usefixtures("forgetful")
def test_a_number_that_was_forgotten_is_unknown() -> None:
    """It is not taken for another file."""
    conversion = Conversion()
    stream = started()
    for number in range(1, 60):
        opened(stream, number)
        conversion.of(stream)
    stream.call("read", 3, ret=1, file_id=1)
    (row,) = conversion.of(stream)
    assert (row["fd.name"], row["fd.type"], row["fd.num"]) == ("", None, 3)
