"""Batches become row groups."""

import pytest

from falcotrace.record import converter
from falcotrace.record.layout import PartKind, SampleType
from unit.record.made_samples import Conversion, Stream, started


def test_nothing_makes_no_row_group() -> None:
    """Descriptions alone are taken in and written with the first event that needs them."""
    conversion = Conversion()
    conversion.take([])
    conversion.take([started().batch()])
    assert conversion.rows.groups == []
    stream = Stream()
    stream.call("getuid")
    [row] = conversion.of(stream)
    assert row["proc.name"] == "tool"


def test_batches_are_one_row_group() -> None:
    """What came in several pieces is decoded together; parts are found in each."""
    conversion = Conversion()
    batches = [started().batch()]
    for path in (b"/a", b"/b"):
        stream = Stream()
        stream.call("unlink", parts=[(PartKind.STRING, path)])
        batches.append(stream.batch())
    conversion.take(batches)
    [rows] = conversion.rows.groups
    assert [row["evt.arg.path"] for row in rows] == ["/a", "/b"]


def test_a_backlog_becomes_several_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """When conversion was late, what has gathered is not converted at once."""
    monkeypatch.setattr(converter, "ROW_GROUP_EVENTS", 3)
    conversion = Conversion()
    batches = []
    stream = started()
    for _ in range(5):
        stream.call("getuid")
        stream.call("getpid")
        batches.append(stream.batch())
    conversion.take(batches)
    assert [len(rows) for rows in conversion.rows.groups] == [2, 4, 4]
    numbers = [row["evt.num"] for rows in conversion.rows.groups for row in rows]
    assert numbers == list(range(1, 11))


def test_containers_are_noticed() -> None:
    """The footer says that a runtime's columns are missing only where a container was seen."""
    conversion = Conversion()
    stream = started()
    stream.call("getuid")
    conversion.of(stream)
    assert not conversion.converter.saw_container
    path = b"=/docker/" + b"a" * 64 + b"\0"
    stream.add(SampleType.CGROUPS, [path, b""], cgroups_id=1, paths_len=len(path))
    stream.process(2, 200, cgroups_id=1)
    stream.call("getuid", process_id=2)
    conversion.of(stream)
    assert conversion.converter.saw_container
