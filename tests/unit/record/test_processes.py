"""Processes, their states and their ancestors."""

from typing import Any

import numpy as np

from falcotrace.record.layout import SampleType
from unit.record.made_samples import Conversion, Row, Stream, started


def _family(stream: Stream) -> None:
    """100 is the parent of 200, which is the parent of 300."""
    child: dict[str, Any] = {"ppid": 100, "ppid_start_ns": 100_000}
    stream.process(2, 200, comm=b"child", **child)
    stream.process(3, 300, comm=b"grandchild", ppid=200, ppid_start_ns=200_000)


def _end(stream: Stream, process_id: int, pid: int) -> None:
    stream.add(SampleType.EXIT, process_id=process_id, tid=pid, pid=pid, group_dead=1)


def _of(rows: list[Row], event: str) -> list[Row]:
    return [row for row in rows if row["evt.type"] == event]


def test_ancestors() -> None:
    """The parent first; names, paths and numbers in the same order."""
    stream = started()
    _family(stream)
    stream.call("getppid", process_id=3)
    row = Conversion().of(stream)[-1]
    assert row["proc.aname"] == ["child", "tool"]
    assert row["proc.apid"] == [200, 100]
    assert (row["proc.pname"], row["proc.ppid"]) == ("child", 200)
    assert row["proc.aexepath"] == ["/usr/bin/tool"] * 2


def test_unknown_parent_ends_the_chain() -> None:
    """Nothing is invented: no parent's name, an empty list."""
    stream = started()
    stream.process(2, 200, ppid=1, ppid_start_ns=5)
    stream.call("getppid", process_id=2)
    row = Conversion().of(stream)[-1]
    assert row["proc.aname"] == []
    assert (row["proc.pname"], row["proc.ppid"]) == (None, None)


def test_same_pid_at_another_time_is_another_process() -> None:
    """A number that is used again has other children."""
    stream = started()
    stream.process(2, 200, ppid=100, ppid_start_ns=99)
    stream.call("getppid", process_id=2)
    assert Conversion().of(stream)[-1]["proc.aname"] == []


def test_events_see_ancestors_of_their_time() -> None:
    """An ancestor's exec changes what later events of its descendants show, and no earlier ones."""
    stream = started()
    _family(stream)
    stream.call("getuid", process_id=3)
    stream.image(2, b"/bin/new", [b"new"])
    stream.process(4, 100, image_id=2, comm=b"new")
    stream.call("getuid", process_id=3)
    before, after = Conversion().of(stream)
    assert before["proc.aname"] == ["child", "tool"]
    assert after["proc.aname"] == ["child", "new"]
    assert after["proc.aexepath"] == ["/usr/bin/tool", "/bin/new"]
    assert before["proc.key"] != after["proc.key"]


def test_states_that_look_alike_share_a_key() -> None:
    """Threads of one process, and a state that was described again."""
    stream = started()
    stream.process(2, 100)
    stream.process(3, 100, tid=101, vtid=101)
    for process_id in (1, 2, 3):
        stream.call("getuid", process_id=process_id)
    rows = Conversion().of(stream)
    assert len({row["proc.key"] for row in rows}) == 1
    assert [row["thread.tid"] for row in rows] == [100, 100, 101]


def test_adoption() -> None:
    """When the parent dies the child's new description names another."""
    stream = started()
    _family(stream)
    stream.call("getppid", process_id=3)
    _end(stream, 2, 200)
    stream.process(5, 300, comm=b"grandchild", ppid=100, ppid_start_ns=100_000)
    stream.call("getppid", process_id=5)
    before, after = _of(Conversion().of(stream), "getppid")
    assert (before["proc.apid"], after["proc.apid"]) == ([200, 100], [100])


def test_ended_processes_are_forgotten() -> None:
    """After the row group in which it ended nothing of a process is kept."""
    conversion = Conversion()
    stream = started()
    _family(stream)
    _end(stream, 2, 200)
    _end(stream, 3, 300)
    conversion.of(stream)
    known = conversion.converter._known.processes
    assert set(known.states) == {1}
    assert known.face_of_pid(200) is None
    assert len(known.rows) == len(known._keys) == len(known._signatures) == 1
    assert set(known._names) == {100}


def test_events_after_a_lost_description() -> None:
    """A state that nobody described: the event is there, its process is unknown."""
    stream = started()
    stream.call("getuid", process_id=99)
    row = Conversion().of(stream)[-1]
    assert (row["proc.key"], row["proc.name"], row["thread.tid"]) == (0, None, None)


def test_session_and_group_leaders() -> None:
    """By number outside namespaces, by ancestry inside them."""
    stream = started()
    stream.process(2, 200, comm=b"leader", ppid=100, ppid_start_ns=100_000)
    stream.process(3, 300, ppid=200, ppid_start_ns=200_000, vsid=200, vpgid=300, pgid=200)
    inside: dict[str, Any] = {
        "vtid": 7,
        "vpid": 7,
        "vsid": 200,
        "vpgid": 200,
        "pgid": 200,
        "pidns_level": 1,
    }
    stream.process(4, 400, ppid=200, ppid_start_ns=200_000, **inside)
    for process_id in (3, 4):
        stream.call("getuid", process_id=process_id)
    plain, contained = Conversion().of(stream)
    assert plain["proc.sname"] == "leader"
    assert plain["proc.vpgid_name"] == "tool"
    assert plain["proc.pgid_name"] == "leader"
    assert (contained["proc.sname"], contained["proc.vpgid_name"]) == ("leader", "leader")


def test_loops_of_parents_end() -> None:
    """Hostile or broken descriptions must not hang the recorder."""
    stream = started()
    stream.process(2, 200, ppid=300, ppid_start_ns=300_000)
    stream.process(3, 300, ppid=200, ppid_start_ns=200_000)
    stream.process(4, 200, ppid=300, ppid_start_ns=300_000, comm=b"again")
    stream.call("getuid", process_id=4)
    assert Conversion().of(stream)[-1]["proc.apid"] == [300]


def test_names_at_places_in_the_stream() -> None:
    """Known later, known several times, never known."""
    conversion = Conversion()
    stream = started()
    stream.process(2, 200, comm=b"one")
    stream.process(3, 200, comm=b"two")
    conversion.of(stream)
    known = conversion.converter._known
    pids = np.array([200, 200, 999])
    codes = known.processes.names_at(pids, np.array([0, 10**9, 5]), known.pool)
    assert known.pool.texts(codes) == ["two", "two", None]


def test_memory_does_not_grow_with_what_has_ended() -> None:
    """Thousands of processes that fork, execute and end leave nothing behind."""
    conversion = Conversion()
    stream = started()
    known = conversion.converter._known.processes
    for number in range(10, 310, 3):
        pid = 1000 + number
        parent: dict[str, Any] = {"ppid": 100, "ppid_start_ns": 100_000}
        stream.process(number, pid, **parent)
        stream.image(number, b"/bin/new", [b"new", str(number).encode()], [b"E=" + b"x" * 100])
        stream.process(number + 1, pid, image_id=number, comm=b"new", **parent)
        stream.process(number + 2, pid, image_id=number, comm=b"new", cwd=b"/", **parent)
        stream.call("getuid", process_id=number + 2)
        _end(stream, number + 2, pid)
        rows = conversion.of(stream)
        assert rows[0]["proc.cwd"] == "/"
    assert set(known.states) == {1}
    assert len(known.rows) == len(known._keys) == 1
    assert len(known.images) <= 4


def test_threads_that_end_are_forgotten() -> None:
    """A process with many short threads keeps those that live."""
    conversion = Conversion()
    stream = started()
    for number in range(2, 50):
        stream.process(number, 100, tid=1000 + number, vtid=1000 + number)
        stream.call("getuid", process_id=number)
        stream.add(SampleType.EXIT, process_id=number, tid=1000 + number, pid=100)
        conversion.of(stream)
    known = conversion.converter._known.processes
    assert set(known.states) == {1}
    [life] = known._lives.values()
    assert set(life.threads) == {100}


def test_image_waits_for_the_state_that_names_it() -> None:
    """A program may be described at the end of one block and named at the beginning of the next."""
    conversion = Conversion()
    stream = started()
    stream.call("getuid")
    stream.image(2, b"/bin/late", [b"late"])
    conversion.of(stream)
    stream.process(2, 100, image_id=2, comm=b"late")
    stream.call("getuid", process_id=2)
    assert conversion.of(stream)[-1]["proc.exepath"] == "/bin/late"


def test_program_of_a_parent_that_is_left_out() -> None:
    """The recorder's children begin as the recorder's program, which is described only once."""
    conversion = Conversion()
    stream = Stream()
    stream.image(1, b"/usr/bin/recorder")
    for number in (1, 2, 3):
        pid = 100 * number
        stream.process(number, pid, ppid=50, ppid_start_ns=5)
        stream.call("getuid", process_id=number)
        _end(stream, number, pid)
        assert conversion.of(stream)[0]["proc.exepath"] == "/usr/bin/recorder"
