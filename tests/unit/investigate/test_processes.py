"""Processes keep their identity: pids that come back, orphans, silent ancestors, several files."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from falcotrace.api import open_captures
from falcotrace.capture.footer import Footer, Host
from falcotrace.errors import CaptureError
from falcotrace.scap.importer import import_scap
from small_captures import write_capture
from unit.investigate.lives import HOST, captured, event
from unit.scap.scenarios import begins, capture_bytes, clones, executes, looks, opens

SHIPPED = Path(__file__).parents[3] / "captures" / "first_light.parquet"


def test_a_pid_that_comes_back_is_another_process(tmp_path: Path) -> None:
    """Children belong to the life of the pid that started them, and to no other."""
    rows = [
        event(7, 100),
        event(20, 150, 7, 100),
        event(7, 300),
        event(21, 350, 7, 300),
        event(22, 360, 7),
    ]
    with captured(tmp_path / "c.parquet", rows) as opened:
        first, second = opened.processes.find(pid=7)
        assert (first.start_ns, second.start_ns) == (100, 300)
        assert first != second
        assert [child.pid for child in first.children] == [20]
        assert [child.pid for child in second.children] == [21, 22]


def test_a_process_is_one_whatever_it_executes(tmp_path: Path) -> None:
    """States of one process are its programs, in order; its name is the last one."""
    rows = [
        event(7, 100),
        event(7, 100, proc__name="cat", proc__cmdline="cat x", proc__exepath="/bin/cat"),
    ]
    with captured(tmp_path / "c.parquet", rows) as opened:
        (process,) = opened.processes
        assert [program.name for program in process.programs] == ["p7", "cat"]
        assert (process.name, process.cmdline) == ("cat", "cat x")


def test_an_orphan_keeps_the_parent_that_started_it(tmp_path: Path) -> None:
    """Who inherits an orphan did not start it."""
    rows = [event(1, 10), event(7, 100, 1, 10), event(20, 150, 7, 100), event(20, 150, 1, 10)]
    with captured(tmp_path / "c.parquet", rows) as opened:
        (orphan,) = opened.processes.find(pid=20)
        assert [one.pid for one in orphan.ancestors] == [7, 1]


def test_ancestors_without_events_are_known_from_descendants(tmp_path: Path) -> None:
    """They have names, one identity whoever names them, and are marked as not recorded."""
    lists = {
        "proc__apid": [7, 1],
        "proc__aname": ["bash", "init"],
        "proc__acmdline": ["bash -l", "init"],
        "proc__aexepath": ["/bin/bash", "/sbin/init"],
    }
    deeper = {
        "proc__apid": [20, 7, 1],
        "proc__aname": ["p20", "bash", "init"],
        "proc__acmdline": ["p20", "bash -l", "init"],
        "proc__aexepath": ["/bin/p20", "/bin/bash", "/sbin/init"],
    }
    rows = [event(20, 150, 7, 100, **lists), event(21, 160, 20, 150, **deeper)]
    with captured(tmp_path / "c.parquet", rows) as opened:
        (child,) = opened.processes.find(pid=21)
        parent, bash, init = child.ancestors
        assert (parent.pid, parent.is_recorded) == (20, True)
        assert (bash.cmdline, bash.is_recorded, bash.start_ns) == ("bash -l", False, 100)
        assert init.name == "init"
        assert bash == parent.ancestors[0]
        assert bash.ancestors == ()


def test_an_ancestor_beyond_a_silent_one_has_its_start(tmp_path: Path) -> None:
    """A grandparent is the same process whether a child or a grandchild names it."""
    rows = [
        event(20, 150, 7, 100, proc__apid=[7], proc__aname=["bash"]),
        event(31, 160, 30, 155, proc__apid=[30, 7], proc__aname=["silent", "bash"]),
    ]
    with captured(tmp_path / "c.parquet", rows) as opened:
        (child,), (grandchild,) = (opened.processes.find(pid=pid) for pid in (20, 31))
        assert grandchild.ancestors[1] == child.ancestors[0]
        assert grandchild.ancestors[1].start_ns == 100


def test_captures_of_one_boot_share_processes(tmp_path: Path) -> None:
    """A process that two files saw is one; its children of the later file are its children."""
    for name, rows in (
        ("a", [event(7, 100)]),
        ("b", [event(7, 100, evt__num=9, evt__time=9000), event(20, 150, 7, 100, evt__num=10)]),
    ):
        write_capture(tmp_path / f"{name}.parquet", [rows], Footer(host=HOST)).close()
    with open_captures(tmp_path) as opened:
        assert len(opened.processes) == 2
        (process,) = opened.processes.find(pid=7)
        assert [child.pid for child in process.children] == [20]
        assert opened.process_of(9) == process


@pytest.mark.parametrize(
    "other", [Host(hostname="web-2", boot_id="boot-1"), Host(hostname="web-1", boot_id="boot-2")]
)
def test_other_hosts_and_boots_share_nothing(tmp_path: Path, other: Host) -> None:
    """The same pid and start elsewhere is another process, and no ancestor comes from there."""
    silent = {"proc__apid": [30, 7], "proc__aname": ["silent", "bash"]}
    write_capture(tmp_path / "a.parquet", [[event(7, 100)]], Footer(host=HOST)).close()
    rows = [event(31, 160, 30, 155, evt__num=9, evt__time=9000, **silent)]
    write_capture(tmp_path / "b.parquet", [rows], Footer(host=other)).close()
    with open_captures(tmp_path) as opened:
        (elsewhere,) = opened.processes.find(pid=31)
        assert [one.is_recorded for one in elsewhere.ancestors] == [False, False]
        assert all(one.key.hostname == other.hostname for one in elsewhere.ancestors)
        assert opened.processes.find(pid=7)[0].children == ()


def test_an_event_number_that_two_captures_have_is_refused(tmp_path: Path) -> None:
    """Nobody gets the process of another file's event."""
    for name in ("a", "b"):
        rows = [event(7, 100, evt__time=ord(name))]
        write_capture(tmp_path / f"{name}.parquet", [rows], Footer(host=HOST)).close()
    with open_captures(tmp_path) as opened:
        with pytest.raises(CaptureError, match=r"both have an event 1"):
            opened.process_of(1)
        with pytest.raises(CaptureError, match="has no event 5"):
            opened.process_of(5)


def test_imports_have_processes_and_descent(tmp_path: Path) -> None:
    """Processes of a `.scap` file, which has no exact starts, keep parents and children apart."""
    source = tmp_path / "c.scap"
    happened = [
        *(clones(1, 20), begins(20, 1), executes(20)),
        *(clones(20, 21), begins(21, 20), opens(21, 5, "/etc/passwd"), looks(21)),
    ]
    source.write_bytes(capture_bytes(happened))
    import_scap(source, tmp_path / "c.parquet")
    with open_captures(tmp_path / "c.parquet") as opened:
        (last,) = opened.processes.find(pid=21)
        assert [one.pid for one in last.ancestors] == [20, 1]
        (first,) = opened.processes.find(pid=20)
        assert [child.pid for child in first.children] == [21]
        assert [one.thing.name for one in last.files] == ["/etc/passwd"]


def test_a_process_without_a_start_has_its_parent(tmp_path: Path) -> None:
    """Where nobody knows when it began, the only life of the parent's pid started it."""
    rows = [event(7, 100), event(20, 0, 7), event(21, 0, 20)]
    with captured(tmp_path / "c.parquet", rows) as opened:
        (child,), (grandchild,) = (opened.processes.find(pid=pid) for pid in (20, 21))
        assert [one.pid for one in grandchild.ancestors] == [20, 7]
        assert child.start_ns == 0


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(0, 6), st.integers(0, 9)),
        min_size=1,
        max_size=20,
    )
)
@example([(1, 1, 2, 0), (2, 1, 1, 0)])
def test_whatever_rows_say_descent_ends(
    tmp_path: Path, lives: list[tuple[int, int, int, int]]
) -> None:
    """Circles, parents that began later or are their own children: all questions end."""
    path = tmp_path / "c.parquet"
    path.unlink(missing_ok=True)
    with captured(path, [event(*life) for life in lives]) as opened:
        processes = list(opened.processes)
        assert len({one.key for one in processes}) == len(processes)
        assert {(one.pid, one.start_ns) for one in processes} == {life[:2] for life in lives}
        for one in processes:
            assert len({one, *one.ancestors}) == len(one.ancestors) + 1
            below = [child for _, child in opened.processes.descendants(one)]
            assert len(set(below)) == len(below)
            shown = [line.process for line in one.tree().lines]
            assert shown.count(one) == 1
            assert len(set(shown)) == len(shown)
