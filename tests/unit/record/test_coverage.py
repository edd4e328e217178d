"""What a recording says that it covers."""

from falcotrace.events.columns import COLUMNS
from falcotrace.record.coverage import recorded_columns, recorded_events
from falcotrace.record.runtimes.containers import RUNTIME_COLUMNS
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
