"""Queries of the Python API: rows, tables, counts, limits, notes and HTML."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

import falcotrace as ft
from falcotrace.capture.footer import Footer, Host
from falcotrace.capture.parquet.stored import StoredColumn
from falcotrace.capture.reader import Capture
from falcotrace.engines import conditions
from falcotrace.events.text import to_text
from small_captures import write_capture

SHIPPED = Path(__file__).parents[2] / "captures" / "first_light.parquet"
GROUPS = 6
PER_GROUP = 50


def row_of(number: int) -> dict[str, object]:
    """An event: every second one of bash, every tenth a file that is no UTF-8."""
    return {
        "evt.type": "openat" if number % 3 else "read",
        "proc.name": "bash" if number % 2 else "vi",
        "proc.aname": ["sshd", "systemd"] if number % 2 else [],
        "proc.pid": number % 7,
        "fd.name": to_text(b"/tmp/\xff") if number % 10 == 0 else f"/tmp/{number % 4}",
        "fd.dev": 0xFD00,
    }


EVENTS = [row_of(number) for number in range(1, GROUPS * PER_GROUP + 1)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A capture of six row groups."""
    groups = [EVENTS[start : start + PER_GROUP] for start in range(0, len(EVENTS), PER_GROUP)]
    write_capture(tmp_path / "c.parquet", groups, Footer(unrecorded=["evt.buffer"])).close()
    return tmp_path / "c.parquet"


@pytest.fixture
def captures(path: Path) -> Iterator[ft.Captures]:
    """The capture, open."""
    with ft.open(path) as opened:
        yield opened


@pytest.fixture
def read_groups(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The row groups from which any column is read."""
    groups: set[int] = set()
    read, stored = Capture.read, Capture.stored

    def noted(self: Capture, row_group: int, paths: Sequence[str]) -> dict[str, pa.Array]:
        groups.add(row_group)
        return read(self, row_group, paths)

    def noted_as_stored(self: Capture, row_group: int, path: str) -> StoredColumn | None:
        groups.add(row_group)
        return stored(self, row_group, path)

    monkeypatch.setattr(Capture, "read", noted)
    monkeypatch.setattr(Capture, "stored", noted_as_stored)
    return groups


def test_rows_are_what_the_condition_holds_for(captures: ft.Captures) -> None:
    """Rows come in order with typed values; a second look gives them again."""
    query = captures.query("proc.name=bash and evt.type=openat", columns="evt.num,fd.name")
    expected = [
        {"evt.num": number, "fd.name": event["fd.name"]}
        for number, event in enumerate(EVENTS, 1)
        if event["proc.name"] == "bash" and event["evt.type"] == "openat"
    ]
    assert list(query) == expected
    assert list(query) == expected
    assert query.arrow().to_pylist() == expected
    assert query.df()["evt.num"].tolist() == [row["evt.num"] for row in expected]
    assert query.count() == len(expected)


def test_columns_have_types(captures: ft.Captures) -> None:
    """Numbers, lists, texts of special numbers, functions, and values that no event has."""
    columns = (
        "evt.num, proc.aname, proc.aname[2], fd.dev, toupper(proc.name), evt.buffer, evt.count"
    )
    table = captures.query("evt.num=1", columns=columns).arrow()
    assert table.to_pylist() == [
        {
            "evt.num": 1,
            "proc.aname": ["sshd", "systemd"],
            "proc.aname[2]": "systemd",
            "fd.dev": "FD00",
            "toupper(proc.name)": "BASH",
            "evt.buffer": None,
            "evt.count": 1,
        }
    ]
    assert table.schema == captures.query("evt.num=0", columns=columns).arrow().schema
    assert table.schema.field("evt.buffer").type == pa.binary()


@pytest.mark.parametrize("limit", [0, 1, 25, 26, 60])
def test_a_limit_ends_the_reading(captures: ft.Captures, read_groups: set[int], limit: int) -> None:
    """The first rows of all, and no row group behind the one that completes them."""
    every = [number for number, event in enumerate(EVENTS, 1) if event["proc.name"] == "bash"]
    query = captures.query("proc.name=bash", columns="evt.num", limit=limit)
    assert [row["evt.num"] for row in query] == every[:limit]
    per_group = PER_GROUP // 2
    assert read_groups == set(range(-(-limit // per_group)))


def test_the_first_rows_do_not_wait_for_the_last(
    captures: ft.Captures, read_groups: set[int]
) -> None:
    """Rows are given while later row groups are unread."""
    rows = iter(captures.query("proc.name=bash", threads=1))
    next(rows)
    assert read_groups == {0}


def test_portions_are_bounded(captures: ft.Captures, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows a row group has, a batch has no more than so many."""
    monkeypatch.setattr(conditions, "ROWS_PER_BATCH", 7)
    query = captures.query("evt.num>0", columns="evt.num")
    sizes = [batch.num_rows for batch in query.batches()]
    assert max(sizes) == 7
    assert [row["evt.num"] for row in query] == list(range(1, len(EVENTS) + 1))


def test_counts_are_those_of_the_rows(captures: ft.Captures) -> None:
    """Each combination once, over all row groups; the most frequent first, then by value."""
    counts = captures.query("evt.num>5").count_by("proc.name", "fd.name,proc.aname")
    expected: Counter[tuple[object, ...]] = Counter(
        (event["proc.name"], event["fd.name"], tuple(event["proc.aname"]))  # type: ignore[arg-type]
        for event in EVENTS[5:]
    )
    found: list[tuple[object, ...]] = [
        (row["proc.name"], row["fd.name"], tuple(row["proc.aname"]), row["count"])  # type: ignore[arg-type]
        for row in counts
    ]
    assert {key[:3]: key[3] for key in found} == expected
    assert [key[3] for key in found] == sorted(expected.values(), reverse=True)
    assert found == sorted(found, key=lambda key: (-key[3], *map(str, key[:3])))  # type: ignore[operator]
    assert counts.total == len(EVENTS) - 5
    assert counts.summary == f"{len(EVENTS) - 5} events, {len(expected)} combinations"
    assert counts.df()["count"].sum() == counts.total


def test_a_limit_of_counts_cuts_what_is_shown(captures: ft.Captures) -> None:
    """The total is that of everything."""
    counts = captures.query("evt.num>0", limit=2).count_by("proc.pid")
    assert len(counts) == 2
    assert counts.summary == "300 events, 7 combinations, the first 2 shown"


def test_counting_nothing_is_an_answer(captures: ft.Captures) -> None:
    """No event, no combination; the columns are there."""
    counts = captures.query("proc.name=nobody").count_by("proc.name")
    assert counts.summary == "0 events, 0 combinations"
    assert counts.arrow().column_names == ["proc.name", "count"]


def test_too_many_combinations_are_refused(
    captures: ft.Captures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded: beyond a limit there is an error that says what to do."""
    monkeypatch.setattr(conditions, "MOST_COMBINATIONS", 100)
    with pytest.raises(ft.FalcoTraceError, match=r"more than 100 combinations.*GROUP BY"):
        captures.query("evt.num>0").count_by("evt.num")
    monkeypatch.setattr(conditions, "MOST_COUNTED_BYTES", 10)
    with pytest.raises(ft.FalcoTraceError, match="combinations"):
        captures.query("evt.num>0").count_by("fd.name")


def test_times_choose(captures: ft.Captures) -> None:
    """`since` is included, `until` is not, in rows and in counts."""
    query = captures.query("evt.num>0", columns="evt.num", since_ns=60_000, until_ns=120_000)
    assert [row["evt.num"] for row in query] == list(range(60, 120))
    assert query.count_by("evt.type").total == query.count() == 60


def test_macros_come_from_files_or_from_those_that_ship(
    captures: ft.Captures, tmp_path: Path
) -> None:
    """Without rules the shipped macros can be named; with rules only theirs."""
    (tmp_path / "m.yaml").write_text("- {macro: mine, condition: proc.name=vi}\n")
    assert captures.query("proc.name in (shells)").count() == len(EVENTS) // 2
    assert captures.query("mine", rules=tmp_path / "m.yaml").count() == len(EVENTS) // 2
    with pytest.raises(ft.RulesError, match="process_started"):
        captures.query("process_started", rules=[tmp_path / "m.yaml"])


def test_several_hosts_are_told_apart(path: Path) -> None:
    """Where captures are of several hosts, the host stands in front unless columns were named."""
    footer = Footer(host=Host(hostname="db-1"))
    write_capture(path.with_name("d.parquet"), [EVENTS[:2]], footer).close()
    with ft.open(path.parent) as captures:
        assert {row["evt.hostname"] for row in captures.query("evt.num<3")} == {"", "db-1"}
        assert captures.query("evt.num<3", columns="evt.num").columns == ("evt.num",)
    with ft.open(path) as captures:
        assert captures.query("evt.num<3").columns[0] == "evt.num"


def test_what_captures_lack_is_noted(captures: ft.Captures) -> None:
    """Of the condition and of columns that were asked for, not of those by default."""
    query = captures.query("evt.buffer contains x", columns="evt.deltatime, proc.name")
    assert query.coverage_notes == (
        "the condition ran without values of evt.buffer, which this capture does not have",
        "column `evt.deltatime` is not supported: it has no values",
    )
    assert captures.query("evt.num=1", columns="evt.buffer").coverage_notes == (
        "column `evt.buffer` has no values: the recording does not have them",
    )
    assert captures.query("evt.num=1").coverage_notes == ()


def test_notebooks_get_the_first_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is bounded and says so; bytes and markup are escaped."""
    with ft.open(path) as captures:
        page = captures.query("evt.num>0")._repr_html_()
        assert page.count("<tr>") == 201
        assert "more events are not shown" in page
        assert "/tmp/\\xff" in page
        assert "more events" not in captures.query("evt.num>0", limit=200)._repr_html_()
        counts = captures.query("evt.num>0").count_by("evt.num")
        assert "100 more combinations are not shown" in counts._repr_html_()


def test_scap_files_answer_the_same(shared: Path, tmp_path: Path) -> None:
    """A `.scap` is asked as it is, with the rows and counts of its import."""
    from falcotrace.scap.importer import import_scap

    (source,) = (shared / "oracle" / "captures").glob("attack.scap*")
    import_scap(source, tmp_path / "a.parquet")
    with ft.open(source) as streamed, ft.open(tmp_path / "a.parquet") as stored:
        for condition in ("evt.type=execve", "fd.name startswith /etc and evt.failed=false"):
            rows = [list(item.query(condition)) for item in (streamed, stored)]
            assert rows[0] == rows[1] != []
            counts = [
                list(item.query(condition).count_by("proc.name")) for item in (streamed, stored)
            ]
            assert counts[0] == counts[1] != []
            assert list(streamed.query(condition, limit=3)) == rows[0][:3]


def test_events_are_a_lazy_relation() -> None:
    """All events, or some, as Arrow, pandas and polars say the same."""
    with ft.open(SHIPPED) as capture:
        [info] = capture.info
        assert capture.events().count() == info.event_count
        chosen = capture.events("proc.name=bash", columns=["evt.num", "proc.name"])
        rows = chosen.arrow().to_pylist()
        assert rows
        assert chosen.pl().to_dicts() == rows
        assert chosen.df().to_dict("records") == rows
        assert capture.events("proc.name=bash", limit=2).arrow().num_rows == 2
