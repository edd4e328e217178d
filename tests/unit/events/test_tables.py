"""The vocabulary: fields, columns and events hang together."""

import duckdb
import pyarrow.parquet as pq
import pytest

from falcotrace.capture.schema import capture_schema
from falcotrace.events.columns import COLUMNS, PROCESS_COLUMNS
from falcotrace.events.derived import DERIVED
from falcotrace.events.event_types import EVENT_NAMES, current_events
from falcotrace.events.fields import FIELDS, Storage, column_path


def test_every_stored_field_has_its_own_column() -> None:
    """A rule's field leads to exactly one column, and no two fields share one."""
    paths = [field.path for field in FIELDS.values() if field.storage is Storage.COLUMN]
    assert set(paths) <= COLUMNS.keys()
    assert len(paths) == len(set(paths))


def test_every_derived_field_names_a_known_function() -> None:
    """A typo in the table of fields cannot make a field silently empty."""
    named = {f.source for f in FIELDS.values() if f.storage is Storage.DERIVED}
    assert named == set(DERIVED)


def test_columns_named_by_other_storages_exist() -> None:
    """Fields for both ends and aliases point at real columns and fields."""
    for field in FIELDS.values():
        if field.storage is Storage.BOTH_ENDS:
            assert set(field.source.split(",")) <= COLUMNS.keys()
        if field.storage is Storage.SAME:
            assert field.source in FIELDS


def test_no_two_columns_differ_only_in_case() -> None:
    """DuckDB answers with the wrong one of such a pair, and Spark refuses the file."""
    lowered = [path.lower() for path in COLUMNS]
    assert len(lowered) == len(set(lowered))


def test_no_column_is_a_prefix_of_another() -> None:
    """A Parquet node is a leaf or a struct."""
    for path in COLUMNS:
        assert not any(other.startswith(path + ".") for other in COLUMNS)


def test_every_path_parses_unquoted_in_duckdb(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The name in a rule is the path in SQL; only the struct `group` needs quotes."""
    file = tmp_path_factory.mktemp("schema") / "empty.parquet"
    pq.write_table(capture_schema().empty_table(), file)
    paths = [path.replace("group.", '"group".') for path in COLUMNS]
    query = f"SELECT {', '.join(paths)} FROM '{file}'"
    assert len(duckdb.connect().execute(query).description or ()) == len(COLUMNS)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("proc.pid.ts", "proc.pid_ts"),
        ("fd.sip.name", "fd.sip_name"),
        ("container.image", "container.image.name"),
        ("container.image.repository", "container.image.repository"),
        ("proc.exe_ino.ctime_duration_proc_start", "proc.exe_ino_ctime_duration_proc_start"),
        ("proc.name", "proc.name"),
    ],
)
def test_long_names_of_leaf_fields_take_an_underscore(name: str, path: str) -> None:
    """The one rule for names that are prefixes of others."""
    assert column_path(name) == path


def test_events_of_the_official_rules_are_known() -> None:
    """The table covers what rules name: events by their own type, others as plain system calls."""
    assert {"openat", "execve", "connect", "procexit", "container"} <= current_events().keys()
    assert {"swapon", "open", "personality"} <= EVENT_NAMES


def test_process_columns_are_the_context_of_rules() -> None:
    """What is evaluated once for each process state includes what rules ask most."""
    scopes = {column.path for column in PROCESS_COLUMNS}
    assert {"proc.name", "proc.aname", "user.name", "container.id"} <= scopes
    assert not {"fd.name", "evt.type", "proc.key"} & scopes
