"""Activities say what events say: held to a reading of every event, one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import falcotrace as ft
from falcotrace.investigate.actions import EVENTS, RAN, SOCKETS, Target
from falcotrace.investigate.activities import SOCKET_KINDS, Activity
from falcotrace.investigate.noise import is_noise
from unit.investigate.lives import captured, event

SHIPPED = Path(__file__).parents[3] / "captures" / "first_light.parquet"

COLUMNS = {
    "num": "evt.num",
    "time": "evt.time",
    "type": "evt.type",
    "res": "evt.rawres",
    "error": "evt.res",
    "flags": "evt.arg.flags",
    "new_path": "evt.arg.newpath",
    "pid_argument": "evt.rawarg.pid",
    "key": "proc.key",
    "exepath": "proc.exepath",
    "kind": "fd.type",
    "name": "fd.name",
    "inode": "fd.ino",
    "path": "fs.path.name",
    "source": "fs.path.source",
}


@dataclass
class Seen:
    """What a reader of single events takes down of one activity."""

    nums: list[int]
    moved_bytes: int = 0


def read_naively(capture: ft.Captures) -> dict[tuple[int, str, str, str], Seen]:
    """Activities by process, action, kind and thing, event by event."""
    columns = ", ".join(f"{path} AS {name}" for name, path in COLUMNS.items())
    rows = capture.sql(f"SELECT {columns} FROM events ORDER BY evt.num").to_arrow_table()
    found: dict[tuple[int, str, str, str], Seen] = {}
    numbers = capture.processes.numbers_of(0)
    for row in rows.to_pylist():
        for action, kind, thing in deeds(row):
            key = (numbers[row["key"]], action, kind, thing)
            seen = found.setdefault(key, Seen([]))
            seen.nums.append(row["num"])
            if action in {"read", "wrote", "sent to", "received from"}:
                seen.moved_bytes += row["res"]
    return found


def deeds(row: dict[str, object]) -> Iterator[tuple[str, str, str]]:
    """Action, kind and thing of one event."""
    res = row["res"]
    is_done = isinstance(res, int) and res >= 0
    for name, action, target in EVENTS:
        if name != row["type"] or not (is_done or (name, row["error"]) == CONNECTING):
            continue
        kind, thing = thing_of(row, target)
        if kind is None or thing is None:
            continue
        shown = str(action)
        if action == "opened" and any(f in str(row["flags"]) for f in ("O_WRONLY", "O_RDWR")):
            shown = "opened to write"
        if kind in SOCKET_KINDS and target is Target.FD:
            shown = SOCKETS.get(action, shown)
        is_stream = isinstance(res, int) and res <= 2 and kind in (*SOCKET_KINDS, "pipe")
        if action == "redirected to" and not is_stream:
            continue
        if action == "accepted" and kind == "unix" and not row["name"]:
            continue
        yield shown, kind, thing


CONNECTING = ("connect", "EINPROGRESS")


def thing_of(row: dict[str, object], target: Target) -> tuple[str | None, str | None]:
    """Kind and name of what an event acts on."""
    match target:
        case Target.FD:
            kind = row["kind"]
            name = row["name"] or (row["inode"] is not None and f"{kind}:[{row['inode']}]")
            return (str(kind) if kind else None), (str(name) if name else None)
        case Target.PID:
            pid = row["pid_argument"]
            return "process", None if pid is None else str(pid)
        case Target.PATH:
            value = row["path"]
        case Target.SOURCE:
            value = row["source"]
        case Target.NEW_PATH:
            value = row["new_path"]
        case Target.EXE:
            value = row["exepath"]
    return "file", None if value is None else str(value)


def test_activities_are_what_every_event_says() -> None:
    """Counts, first and last events and bytes of the shipped capture, activity by activity."""
    with ft.open(SHIPPED) as capture:
        expected = read_naively(capture)
        found = {key_of(one): one for one in capture.investigation.activities}
        assert found.keys() == expected.keys()
        assert len(found) > 200
        for key, seen in expected.items():
            one = found[key]
            assert (one.first_num, one.last_num, one.count) == (
                min(seen.nums),
                max(seen.nums),
                len(seen.nums),
            )
            assert one.moved_bytes == seen.moved_bytes


def key_of(one: Activity) -> tuple[int, str, str, str]:
    """What tells an activity from the others."""
    return (one.process, one.action.name, one.thing.kind, one.thing.name)


def test_questions_about_one_process_are_all_of_it() -> None:
    """Of each process, each action, each thing: the same activities, in order of time."""
    with ft.open(SHIPPED) as capture:
        activities = capture.investigation.activities
        found = list(activities)
        assert len(found) == len(activities) > 200
        assert [one.first_ns for one in found] == sorted(one.first_ns for one in found)
        for process in capture.processes:
            mine = [one for one in found if one.process == process.number]
            assert sorted(activities.of(process), key=key_of) == sorted(mine, key=key_of)
            ran = [one for one in activities.of(process) if one.action == RAN]
            assert list(activities.of(process, [RAN])) == ran
        for thing in {one.thing for one in found}:
            assert {key_of(one) for one in activities.about(thing)} == {
                key_of(one) for one in found if one.thing == thing
            }


def test_failed_calls_are_no_activities(tmp_path: Path) -> None:
    """What was refused did not happen; a connection that is under way did."""
    socket = {"fd__type": "ipv4", "fd__name": "10.0.0.1:1->10.0.0.2:2"}
    rows = [
        event(7, 1, evt__type="openat", evt__rawres=-2, fd__type="file", fd__name="/a"),
        event(7, 1, evt__type="unlink", evt__rawres=-1, fs__path__name="/b"),
        event(7, 1, evt__type="connect", evt__rawres=-115, evt__res="EINPROGRESS", **socket),
        event(7, 1, evt__type="connect", evt__rawres=-111, evt__res="ECONNREFUSED", **socket),
    ]
    with captured(tmp_path / "c.parquet", rows) as opened:
        (only,) = opened.investigation.activities
        assert (only.action.name, only.first_num, only.count) == ("connected to", 3, 1)


@pytest.mark.parametrize(
    ("kind", "name", "read", "written"),
    [
        ("file", "/usr/lib/x86_64-linux-gnu/libc.so.6", True, False),
        ("file", "/etc/ld.so.preload", True, False),
        ("file", "/dev/null", True, True),
        ("file", "/dev/shm/x", False, False),
        ("file", "/dev/nullx", False, False),
        ("file", "/etc/shadow", False, False),
        ("file", "/home/u/usr/lib/x", False, False),
        ("file", "/proc/1/environ", True, False),
        ("directory", "/srv", True, False),
        ("inotify", "", True, True),
        ("ipv4", "/dev/null", False, False),
        ("pipe", "pipe:[1]", False, False),
    ],
)
def test_noise_is_what_the_table_says(kind: str, name: str, *, read: bool, written: bool) -> None:
    """What everybody reads is quiet; whoever writes there is not."""
    assert is_noise(kind, name) is read
    assert is_noise(kind, name, is_written=True) is written
