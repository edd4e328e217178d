"""What a recording says that it covers."""

from pathlib import Path
from typing import Any

import pytest

from falcotrace.events.columns import COLUMNS
from falcotrace.record.coverage import events_behind, recorded_columns, recorded_events
from falcotrace.record.options import RecordOptions
from falcotrace.record.recorder import has_answers
from falcotrace.record.runtimes.containers import RUNTIME_COLUMNS
from falcotrace.rules.field_reference import find_field
from unit.record.made_samples import Conversion, started, text


def test_every_named_column_exists() -> None:
    """A misspelt name would declare something else missing."""
    assert recorded_columns(with_containers=False) <= COLUMNS.keys()
    assert recorded_columns(with_containers=True) <= recorded_columns(with_containers=False)


def test_what_is_filled_is_covered() -> None:
    """A column with values that is said to be unrecorded would silence rules' warnings wrongly."""
    stream = started()
    stream.file(5, b"/f")
    stream.call("openat", 2**64 - 100, 0, 0, ret=3, file_id=5, flags=4, parts=[text("f")])
    stream.call("kill", 1, 9)
    filled = {
        path for row in Conversion().of(stream) for path, value in row.items() if value is not None
    }
    assert filled <= recorded_columns(with_containers=False)


def test_runtimes_tell_what_the_kernel_does_not() -> None:
    """What no runtime told of any container is missing; the id is always there."""
    columns = recorded_columns(with_containers=True, told=frozenset())
    assert not columns & set(RUNTIME_COLUMNS)
    assert "container.id" in columns
    told = frozenset({"container.name"})
    assert recorded_columns(with_containers=True, told=told) == columns | told
    assert recorded_columns(with_containers=False, told=told) >= set(RUNTIME_COLUMNS)


def test_events() -> None:
    """Every call that the kernel side knows, Falco's names of them, and ends of processes."""
    events = recorded_events()
    assert {"openat", "pread", "execve", "procexit", "clone3"} <= events
    assert "switch" not in events


def test_contents_are_there_when_asked_for() -> None:
    """A recording with `--snaplen` does not say that contents were never recorded."""
    assert "evt.buffer" in recorded_columns(with_containers=False, with_contents=True)
    assert "evt.buffer" not in recorded_columns(with_containers=False)


def test_names_are_there_with_answers() -> None:
    """Without contents of sockets nobody can tell what addresses are called."""
    names = {f"fd.{end}ip_name" for end in "cslr"}
    assert names <= recorded_columns(with_containers=False, with_contents=True, with_answers=True)
    assert not names & recorded_columns(with_containers=False, with_contents=True)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, False),
        ({"data_bytes": 80}, True),
        ({"data_bytes": 80, "socket_data_bytes": 0}, False),
        ({"data_bytes": 0, "socket_data_bytes": 512}, True),
        ({"data_bytes": 80, "event_names": frozenset({"connect"})}, False),
        ({"data_bytes": 80, "event_names": frozenset({"connect", "recvfrom"})}, True),
    ],
)
def test_answers_are_recorded(options: dict[str, Any], *, expected: bool) -> None:
    """With contents of sockets, and of a call that receives."""
    assert has_answers(RecordOptions(Path("c.parquet"), **options)) is expected


def test_rules_about_names_need_answers() -> None:
    """`--syscalls rules` records what names come from, and nothing more for other rules."""
    fields = [find_field(name, None) for name in ("fd.name", "fd.sip.name")]
    assert events_behind(fields[:1]) == frozenset()
    assert {"recvfrom", "recvmsg", "read"} <= events_behind(fields) <= recorded_events()
