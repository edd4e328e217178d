"""Trees, timelines, rankings, differences, single events: what they show, what they leave out."""

import json
from pathlib import Path

import pytest

import falcotrace as ft
from falcotrace.errors import CaptureError, FalcoTraceError, RulesError
from falcotrace.events.text import to_text
from falcotrace.investigate.event import About, group_fields, is_detail
from falcotrace.investigate.tree import tree_of
from restamped import restamp
from unit.investigate.lives import SECOND, captured, event

SHIPPED = Path(__file__).parents[3] / "captures" / "first_light.parquet"
BREAK_IN = 1924
RULE = """
- rule: Odd
  desc: d
  condition: evt.type = unlink
  output: gone %fs.path.name
  priority: WARNING
"""


def test_a_tree_of_several_has_shared_ancestors_once() -> None:
    """Every process once, children below their parents, all that was asked for marked."""
    with ft.open(SHIPPED) as capture:
        alerts = list(capture.scan())
        tree = capture.tree_of(alerts, alerts)
        shown = [line.process for line in tree.lines]
        assert len(set(shown)) == len(shown)
        asked = {line.process for line in tree.lines if line.is_asked}
        assert asked == {alert.process for alert in alerts}
        assert sum(sum(line.rules.values()) for line in tree.lines) == len(alerts)
        way: list[ft.Captures | object] = []
        for line in tree.lines:
            del way[line.depth :]
            assert (way[-1] if way else None) == line.process.parent
            way.append(line.process)


def test_a_tree_with_too_many_keeps_the_way_to_alerts(tmp_path: Path) -> None:
    """Descendants with alerts come first, with those that lead to them; the rest is counted."""
    rows = [event(1, 1), *(event(pid, pid, 1, 1) for pid in range(10, 40)), event(99, 99, 39, 39)]
    with captured(tmp_path / "c.parquet", rows) as opened:
        (root,), (alerted,) = (opened.processes.find(pid=pid) for pid in (1, 99))
        tree = tree_of(root, {alerted: {"r": 1}}, limit=5)
        pids = [line.process.pid for line in tree.lines]
        assert pids == [1, 10, 11, 12, 39, 99]
        assert tree.left_out_count == 26
        assert tree.to_dict()["left_out"] == 26


def test_a_tree_is_json(tmp_path: Path) -> None:
    """What `--json` prints can be printed: times whole, every program."""
    with captured(tmp_path / "c.parquet", [event(1, 1), event(20, 150, 1, 1)]) as opened:
        text = json.dumps(opened.tree(2).to_dict())
    members = json.loads(text)["processes"]
    assert [(one["pid"], one["depth"], one["is_asked"]) for one in members] == [
        (1, 0, False),
        (20, 1, True),
    ]


def test_a_timeline_is_in_order_and_has_its_own_alerts_only() -> None:
    """Activities and alerts by time; of one process nobody else's, within the times asked for."""
    with ft.open(SHIPPED) as capture:
        alerts = list(capture.scan())
        whole = capture.timeline(alerts)
        assert [one.time_ns for one in whole] == sorted(one.time_ns for one in whole)
        assert sum(one.what == "alert" for one in whole) == len(alerts)
        process = capture.process_of(BREAK_IN)
        members = {process, *(child for _, child in capture.processes.descendants(process))}
        part = capture.timeline(alerts, process=process)
        assert {one.process for one in part} <= members
        assert sum(one.what == "alert" for one in part) == sum(a.process in members for a in alerts)
        middle = part.entries[len(part) // 2].time_ns
        late = capture.timeline(alerts, process=process, since_ns=middle)
        early = capture.timeline(alerts, process=process, until_ns=middle)
        assert all(one.last_ns >= middle for one in late)
        assert all(one.time_ns < middle for one in early)
        assert len(late) + len(early) >= len(part)
        assert part.first(3).entries == part.entries[:3]
        assert part.arrow().num_rows == len(part)


def moves(pid: int, count: int, name: str, path: str, size: int) -> list[dict[str, object]]:
    """Some reads or writes of a file."""
    given = {"evt__type": name, "evt__rawres": size, "fd__type": "file", "fd__name": path}
    return [event(pid, pid, **given) for _ in range(count)]


def test_top_counts_events_bytes_and_errors(tmp_path: Path) -> None:
    """Files by events, with bytes each way, errors apart, and how many processes there were."""
    rows = [
        *moves(7, 3, "read", "/a", 10),
        *moves(8, 1, "write", "/a", 5),
        *moves(8, 2, "write", "/b", 7),
        *moves(8, 1, "read", "/b", -5),
    ]
    with captured(tmp_path / "c.parquet", rows[:4], rows[4:]) as opened:
        top = opened.top("file")
        names = ("file", "count", "read_bytes", "written_bytes", "errors", "processes")
        found = [tuple(top.arrow()[name][place].as_py() for name in names) for place in range(2)]
        assert found == [("/a", 4, 30, 5, 0, 2), ("/b", 3, 0, 14, 1, 1)]
        assert top.arrow()["first_event"].to_pylist() == [1, 5]
        assert top.summary == "2 files"
        one = opened.top("file", limit=1)
        assert (len(one), one.count, one.summary) == (1, 2, "2 files, the first 1 shown")
        times = opened.top("file", since_ns=2000, until_ns=4000)
        assert times.arrow()["count"].to_pylist() == [2]


def test_top_of_a_condition_is_what_the_condition_matches() -> None:
    """`--where` counts exactly the events that a query of the same condition finds."""
    with ft.open(SHIPPED) as capture:
        condition = "evt.rawres < 0 and proc.name in (shells)"
        found = capture.top("error", condition, limit=None)
        assert sum(found.arrow()["count"].to_pylist()) == capture.query(condition).count() > 0
        names = set(found.arrow()["program"].to_pylist())
        assert names <= {"bash", "sh"}


def test_top_of_processes_is_one_row_for_each_life(tmp_path: Path) -> None:
    """A pid that comes back is another row, and every event is counted once."""
    rows = [event(7, 100), event(7, 100, proc__name="x"), event(7, 300)]
    with captured(tmp_path / "c.parquet", rows) as opened:
        assert opened.top("process").arrow()["count"].to_pylist() == [2, 1]
    with ft.open(SHIPPED) as capture:
        counts = capture.top("process", limit=None).arrow()["count"].to_pylist()
        assert sum(counts) == capture.query("proc.pid exists").count()
        assert len(counts) == len(capture.processes)


def test_top_refuses_what_it_cannot_count(tmp_path: Path) -> None:
    """One line that says what there is; a condition that is none is shown with its place."""
    with captured(tmp_path / "c.parquet", [event(7, 1)]) as opened:
        with pytest.raises(FalcoTraceError, match="expected one of process, file, peer, error"):
            opened.top("mood")
        with pytest.raises(RulesError):
            opened.top("file", "fd.nosuch = 1")
        assert len(opened.top("peer")) == 0
        assert opened.top("peer").summary == "0 peers"


def test_nothing_is_new_against_itself(tmp_path: Path) -> None:
    """A capture has nothing that it does not have, at another time on another host either."""
    restamp(SHIPPED, tmp_path / "later.parquet", "web-2", 3600 * SECOND)
    with ft.open(SHIPPED) as capture, ft.open(tmp_path / "later.parquet") as later:
        assert len(capture.diff(capture)) == 0
        assert len(later.diff(capture)) == 0


def test_what_is_new_has_counts_and_first_events(tmp_path: Path) -> None:
    """Each kind once; what the baseline had too is not there, quiet devices neither."""
    quiet = [event(7, 1, user__name="root"), *moves(7, 1, "write", "/var/log/x", 1)]
    net = {
        "evt__type": "connect",
        "fd__type": "ipv4",
        "fd__rip": "6.7.8.9",
        "fd__rport": 443,
        "fd__is_server": False,
    }
    listens = {"evt__type": "listen", "fd__type": "ipv4", "fd__l4proto": "tcp", "fd__sport": 4444}
    noisy = [
        *quiet,
        event(8, 2, 7, 1, user__name="www", proc__pexepath="/bin/p7", proc__pname="p7"),
        *moves(7, 2, "write", "/etc/cron.d/job", 1),
        *moves(7, 1, "write", "/dev/null", 1),
        *moves(7, 1, "write", "/var/log/y", 1),
        event(7, 1, **net),
        event(7, 1, **listens),
        event(9, 3, container__id="abc", container__image__repository="shop"),
    ]
    with (
        captured(tmp_path / "a.parquet", quiet) as baseline,
        captured(tmp_path / "b.parquet", noisy) as opened,
    ):
        found = opened.diff(baseline)
        rows = {
            kind: [(r["program"], r["what"], r["count"], r["first_event"]) for r in some]
            for kind, some in found.by_kind.items()
        }
        assert rows == {
            "program": [("", "/bin/p8", 1, 3), ("", "/bin/p9", 1, 10)],
            "started by": [("/bin/p7", "/bin/p8", 1, 3)],
            "directory written": [("/bin/p7", "/etc/cron.d/", 2, 4)],
            "peer": [("/bin/p7", "6.7.8.9:443", 1, 8)],
            "listening port": [("/bin/p7", "tcp 4444", 1, 9)],
            "user": [("", "www", 1, 3)],
            "container": [("", "shop", 1, 10)],
        }
        assert found.arrow()["capture"].unique().to_pylist() == ["b.parquet"]
        assert json.loads(json.dumps(found.to_dict()))["new"]["user"][0]["what"] == "www"
        assert "/etc/cron.d/" in found._repr_html_()


def test_an_event_is_shown_under_falcos_names() -> None:
    """Columns have the names of fields, ancestors are apart, nothing of the engine's own."""
    with ft.open(SHIPPED) as capture:
        fields = capture.event(2463)
        groups = group_fields(fields)
        assert list(groups) == list(About)
        assert groups[About.PROCESS]["proc.pid.ts"] == fields["proc.pid_ts"]
        assert groups[About.OBJECT]["fd.name"] == "/etc/shadow"
        assert "proc.aname" in groups[About.ANCESTORS]
        assert sum(map(len, groups.values())) == len(fields)
        assert "filename" not in fields
        assert not is_detail("evt.arg.flags")
        with pytest.raises(CaptureError, match="has no event 99999999"):
            capture.event(99999999)


HOSTILE = to_text(b"<script>alert(1)</script>\x1b[2J\xff\n=cmd()'\"")


def test_html_escapes_what_was_recorded(tmp_path: Path) -> None:
    """Command lines and paths cannot be markup in a notebook."""
    rows = [
        event(7, 1, proc__cmdline=HOSTILE, proc__exepath=HOSTILE),
        *({**row, "proc.cmdline": HOSTILE} for row in moves(7, 1, "write", HOSTILE, 1)),
    ]
    with (
        captured(tmp_path / "a.parquet", [event(9, 9)]) as baseline,
        captured(tmp_path / "c.parquet", rows) as opened,
    ):
        for page in (
            opened.processes._repr_html_(),
            opened.timeline()._repr_html_(),
            opened.top("process")._repr_html_(),
            opened.top("file")._repr_html_(),
            opened.diff(baseline)._repr_html_(),
            opened.process_of(1)._repr_html_(),
        ):
            assert "&lt;script&gt;" in page
            assert "<script" not in page
            assert "\x1b" not in page
