"""Clone, exec and exit: who exists, and what they take over from whom."""

import struct
from typing import Any

import pytest

from falcotrace.scap import process_events, threads
from unit.scap.scenarios import (
    AT_FDCWD,
    BEGIN_NS,
    BOOT_NS,
    CLONE_CHILD_IN_PIDNS,
    CLONE_NEWPID,
    CLONE_PARENT,
    CLONE_THREAD,
    CLONE_VFORK,
    INIT,
    MACHINE,
    STEP_NS,
    Happening,
    Process,
    Replay,
    begins,
    clones,
    closes,
    enters,
    executes,
    exits,
    leaves,
    looks,
    opens,
    reads,
    replay,
)

UNKNOWN = "<NA>"

PARENT = Process(
    tid=10,
    comm=b"parent",
    exepath=b"/bin/parent (deleted)",
    cwd=b"/work",
    env=b"A=1\0B=2\0",
    root=b"/root",
    sid=4,
    vpgid=5,
    pgid=6,
    tty=7,
    loginuid=1001,
    capabilities=(1, 2, 4),
    exe_ino=77,
    is_exe_writable=True,
    files={0: "/dev/null", 5: "/secret"},
    closing=frozenset({5}),
)
FAMILY = (INIT, PARENT)
INHERITED = (
    *("proc.cwd", "proc.env", "proc.exepath", "proc.root", "proc.sid", "proc.vpgid", "proc.pgid"),
    *("proc.tty", "user.loginuid", "thread.cap_inheritable", "thread.cap_permitted"),
    *("thread.cap_effective", "proc.exe_ino", "proc.is_exe_writable", "proc.fdopencount"),
)
TOLD = {
    "exe": "/bin/child",
    "args": b"a\0b\0",
    "comm": "child",
    "fdlimit": 9,
    "uid": 3,
    "gid": 4,
    "cgroups": b"cpu=/c\0",
}
OF_TOLD = (
    *("proc.exe", "proc.argv", "proc.name", "proc.fdlimit", "user.uid", "group.gid"),
    "thread.cgroups",
)
EXPECTED = ("/bin/child", ["a", "b"], "child", 9, 3, 4, "cpu=/c")


def born(*events: Happening, processes: Any = FAMILY) -> Replay:
    """What follows from events, seen by thread 20."""
    return replay(*events, looks(20), processes=processes)


@pytest.mark.parametrize("birth", [clones, begins])
def test_a_child_inherits_from_its_parent(birth: Any) -> None:
    """Both sides of a clone tell of the same child."""
    first, second = (10, 20) if birth is clones else (20, 10)
    seen = replay(looks(10), birth(first, second, **TOLD), looks(20), processes=FAMILY)
    before, after = (seen.rows(*INHERITED)[row] for row in (0, -1))
    assert before[:2] == ("/work/", ["A=1", "B=2"])
    assert before == after
    assert seen.last(*OF_TOLD) == EXPECTED
    assert seen.last("proc.pid", "proc.vpid", "thread.vtid", "proc.ppid", "proc.pname") == (
        *(20, 20, 20, 10, "parent"),
    )
    assert seen.last("proc.pid_ts", "proc.pidns_init_start_ts") == (BEGIN_NS + STEP_NS, BOOT_NS)


@pytest.mark.parametrize("birth", [clones(10, 20), begins(20, 10)])
def test_descriptors_of_a_child_are_a_copy(birth: Happening) -> None:
    """What a child opens and closes is its own, and so is what its parent does from then on."""
    seen = replay(
        *(birth, closes(20, 0), opens(10, 6, "/of/parent"), opens(20, 7, "/of/child")),
        *(reads(10, 0), reads(20, 0), reads(20, 6), reads(10, 7), reads(20, 5)),
        *(executes(20), reads(20, 5), reads(10, 5)),
        processes=FAMILY,
    )
    assert seen["fd.name"][4:9] == ["/dev/null", "", "", "", "/secret"]
    assert seen["fd.name"][-2:] == ["", "/secret"]


@pytest.mark.parametrize("birth", [clones, begins])
def test_a_child_is_called_as_its_program_without_a_name(birth: Any) -> None:
    """Captures of old drivers do not tell the name."""
    first, second = (10, 20) if birth is clones else (20, 10)
    assert born(birth(first, second, comm=None, exe="prog")).last("proc.name") == ("prog",)


def test_a_failed_clone_makes_nobody() -> None:
    """Neither does the caller of a failed clone become known by it."""
    seen = replay(clones(10, -11), clones(30, -11), looks(20), processes=FAMILY)
    assert seen["proc.name"] == ["parent", None, UNKNOWN]


def test_a_thread_belongs_to_its_process() -> None:
    """It has the caller's pid, parent, directory and descriptors, which are the same table."""
    seen = replay(
        *(clones(10, 20, flags=CLONE_THREAD, comm="worker"), opens(20, 8, "f"), reads(10, 8)),
        *(leaves("chdir", 20, res=0, path="/new"), looks(10), looks(20)),
        processes=FAMILY,
    )
    assert seen["fd.name"][2] == "/work/f"
    assert seen["proc.cwd"][-2:] == ["/new/", "/new/"]
    assert seen.last("proc.pid", "proc.ppid", "thread.tid", "proc.name", "proc.env") == (
        *(10, 1, 20, "worker", ["A=1", "B=2"]),
    )
    assert seen.last("proc.pvpid") == (1,)
    assert seen.last("proc.nthreads", "proc.nchilds") == (2, 1)


def test_a_thread_seen_from_its_own_side() -> None:
    """Its process is the one that its event names."""
    seen = replay(
        *(begins(20, 1, pid=10, flags=CLONE_THREAD), reads(20, 5), looks(10), looks(20)),
        processes=FAMILY,
    )
    assert seen["fd.name"][1] == "/secret"
    assert seen["proc.name"] == ["shell", "shell", "parent", "shell"]
    assert seen.last("proc.pid", "proc.cwd", "proc.exepath") == (10, "/work/", "/bin/parent")


@pytest.mark.parametrize(
    "given",
    [
        {"flags": CLONE_CHILD_IN_PIDNS},
        {"flags": CLONE_NEWPID},
        {"flags": CLONE_PARENT},
        {"flags": CLONE_VFORK},
        {"call": "vfork"},
    ],
)
def test_children_that_only_their_own_side_makes(given: dict[str, object]) -> None:
    """The caller sees another number, or does not run before the child has ended."""
    assert born(clones(10, 20, **given)).last("proc.name") == (UNKNOWN,)
    seen = born(clones(10, 20, **given), begins(20, 10, **TOLD, **given))
    assert seen.last(*OF_TOLD) == EXPECTED
    assert seen.last("proc.cwd", "proc.pname") == ("/work/", "parent")


def test_a_caller_in_a_pid_namespace_makes_no_child() -> None:
    """The number that it gets is one of its namespace."""
    inside = Process(tid=10, vtid=2, vpid=2)
    assert born(clones(10, 20), processes=(INIT, inside)).last("proc.name") == (UNKNOWN,)


def test_an_unknown_caller_becomes_known_by_its_clone() -> None:
    """It is who the event says, and its child takes nothing over from it."""
    seen = replay(
        clones(30, 20, pid=30, ptid=10, vtid=31, vpid=32, **TOLD), looks(30), processes=FAMILY
    )
    assert seen.last("proc.pid", "proc.ppid", "thread.vtid", "proc.vpid") == (30, 10, 31, 32)
    assert seen["proc.pid"][0] == 30
    seen = replay(
        clones(30, 20, vtid=None, vpid=None, **TOLD), looks(30), looks(20), processes=FAMILY
    )
    assert seen.rows(*OF_TOLD[:3])[1] == EXPECTED[:3]
    assert seen.rows("thread.vtid", "proc.vpid")[1] == (30, None)
    assert seen.last(*OF_TOLD) == EXPECTED
    assert seen.last("proc.cwd", "proc.exepath", "proc.sid", "proc.ppid") == ("", "", -1, 30)
    kills = leaves("kill", 10, res=0, pid=30, sig=9)
    seen = replay(
        *(opens(30, 3, "/f"), clones(30, 20, ptid=10, **TOLD), looks(30), kills, reads(20, 3)),
        processes=FAMILY,
    )
    assert seen.rows("proc.pid", "proc.name")[0] == (-1, UNKNOWN)
    assert seen.rows("proc.pid", "proc.name", "proc.nthreads")[2] == (30, "child", 1)
    assert seen["evt.arg.pid"][3] == "child"
    assert seen.last("fd.name") == ("",)


def test_the_childs_side_first_is_not_made_again() -> None:
    """What the child has done meanwhile stays."""
    seen = replay(
        *(begins(20, 10), leaves("chdir", 20, res=0, path="/x"), clones(10, 20), looks(20)),
        processes=FAMILY,
    )
    assert seen.last("proc.cwd", "proc.pid_ts") == ("/x/", BEGIN_NS)


@pytest.mark.parametrize(("seconds", "is_new"), [(1.9, False), (2.0, True)])
def test_the_callers_side_first_counts_for_two_seconds(*, seconds: float, is_new: bool) -> None:
    """Later the number belongs to another process, whose predecessor's end was not seen."""
    seen = born(clones(10, 20).at(0), begins(20, 10, comm="second").at(seconds))
    assert seen.last("proc.name") == ("second" if is_new else "shell",)


def test_a_caller_replaces_a_child_whose_end_was_not_seen() -> None:
    """Nothing of the old one stays, and its children are others' now."""
    seen = replay(
        *(clones(10, 20, comm="old"), opens(20, 9, "/old"), clones(20, 21)),
        *(clones(10, 20, comm="new"), reads(20, 9), looks(21), looks(20)),
        processes=FAMILY,
    )
    assert seen["fd.name"][4] == ""
    assert seen["proc.pname"][5] == "init"
    assert seen.last("proc.name") == ("new",)


@pytest.mark.parametrize(
    ("seconds", "caller", "name"),
    [(1.9, 10, UNKNOWN), (2.0, 10, "late"), (1.9, 1, "late")],
)
def test_a_child_that_has_ended_is_not_made_again(seconds: float, caller: int, name: str) -> None:
    """The caller may come late; for two seconds the number cannot be another child of its."""
    seen = born(
        *(begins(20, 10).at(0), exits(20).at(0), clones(caller, 20, comm="late").at(seconds)),
    )
    assert seen.last("proc.name") == (name,)


def test_an_unknown_process_of_a_thread_becomes_known_by_it() -> None:
    """The first thread is completed from the event of another one."""
    seen = replay(
        *(looks(30), begins(20, 10, pid=30, vpid=33, flags=CLONE_THREAD, **TOLD)),
        *(opens(20, 3, "/f"), reads(30, 3), leaves("kill", 10, res=0, pid=30, sig=9), looks(30)),
        processes=FAMILY,
    )
    assert seen.rows("proc.pid", "proc.name")[0] == (-1, UNKNOWN)
    assert seen["fd.name"][3] == "/f"
    assert seen["evt.arg.pid"][4] == "child"
    assert seen.last(*OF_TOLD[:3]) == EXPECTED[:3]
    assert seen.last("proc.pid", "proc.ppid", "thread.vtid", "proc.vpid") == (30, 10, 33, 33)


@pytest.mark.parametrize("flags", [0, CLONE_THREAD])
def test_children_of_a_thread_without_its_process(flags: int) -> None:
    """They have what it has of its own."""
    orphan = Process(tid=11, pid=99, exepath=b"/bin/orphan", flags=CLONE_THREAD)
    seen = born(clones(11, 20, flags=flags), opens(20, 3, "/f"), processes=(INIT, orphan))
    own = ("./", 99) if flags else ("", 20)
    assert seen.last("proc.cwd", "proc.pid") == own
    assert seen.last("proc.exepath") == ("/bin/orphan",)


def test_a_child_replaces_one_that_was_there_before() -> None:
    """With what it had; its children are others' now."""
    old = Process(tid=20, comm=b"old", files={3: "/f"})
    grandchild = Process(tid=30, ptid=20)
    seen = replay(*(begins(20, 10), reads(20, 3), looks(30)), processes=(*FAMILY, old, grandchild))
    assert seen.rows("proc.name", "fd.name")[1] == ("shell", "")
    assert seen.last("proc.pname") == ("init",)


def test_a_child_becomes_the_leader_of_those_that_have_its_number() -> None:
    """A session may be older in the capture than its leader."""
    member = Process(tid=30, sid=20)
    seen = replay(looks(30), clones(10, 20), looks(30), processes=(*FAMILY, member))
    assert [seen["proc.sname"][row] for row in (0, 2)] == ["", "shell"]


def test_groups_are_followed_through_an_exec() -> None:
    """The leader is that of the new numbers from then on."""
    leaders = (Process(tid=40, comm=b"old"), Process(tid=41, comm=b"new"))
    seen = replay(
        *(executes(10, pgid=41), looks(10), executes(41, comm="newer"), looks(10)),
        processes=(*FAMILY, *leaders),
    )
    assert seen["proc.pgid_name"][1::2] == ["new", "newer"]
    led = seen.engine.threads._led
    assert 10 not in led.get(6, {})
    assert 10 in led[41]


def test_a_full_table_takes_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in Falco; those that are there go on, and give way to others when they end."""
    monkeypatch.setattr(threads, "MOST_THREADS", 2)
    seen = replay(
        *(looks(77), clones(10, 20), looks(20), begins(21, 10), begins(22, 77), executes(78)),
        *(clones(79, 80), executes(10), leaves("setuid", 77, res=0, uid=1)),
        *(exits(1), clones(10, 23), looks(23), looks(10)),
        processes=FAMILY,
    )
    assert seen["proc.name"] == [
        *(None, "parent", None, None, None, None),
        *(None, "tool", None, "init", "tool", "shell", "tool"),
    ]


def test_an_unknown_parent_is_no_parent() -> None:
    """A placeholder for it is there, but nobody's parent."""
    seen = replay(begins(20, 30), looks(30), looks(20), processes=FAMILY)
    assert seen["proc.name"][1] == UNKNOWN
    assert seen.last("proc.ppid", "proc.pname", "proc.cwd") == (None, None, "")


@pytest.mark.parametrize(
    ("given", "start_ns"),
    [
        ({"flags": CLONE_CHILD_IN_PIDNS}, BOOT_NS + 5),
        ({"flags": CLONE_NEWPID}, BOOT_NS + 5),
        ({"vtid": 2}, BOOT_NS + 5),
        ({}, BOOT_NS),
    ],
)
def test_start_of_a_pid_namespace(given: dict[str, object], start_ns: int) -> None:
    """Outside of them it is when the machine booted."""
    seen = born(begins(20, 10, pidns_init_start_ts=5, **given))
    assert seen.last("proc.pidns_init_start_ts") == (start_ns,)


CONTAINER = "0123456789ab"
DOCKER = b"cpu=/docker/" + CONTAINER.encode() + b"0" * 52 + b"\0"


@pytest.mark.parametrize(
    ("parent", "cgroups", "expected"),
    [
        (b"cpu=/\0", DOCKER, CONTAINER),
        (DOCKER, b"cpu=/\0", "host"),
        (DOCKER, None, CONTAINER),
        (b"cpu=/\0", None, "host"),
    ],
)
def test_container_of_a_child(parent: bytes, cgroups: bytes | None, expected: str) -> None:
    """Its control groups tell; without them it is where its parent is."""
    processes = (INIT, Process(tid=10, cgroups=parent))
    for birth in (clones(10, 20, cgroups=cgroups), begins(20, 10, cgroups=cgroups)):
        assert born(birth, processes=processes).last("container.id") == (expected,)


PROGRAM: dict[str, object] = {
    "exe": "./prog",
    "args": b"-x\0y\0",
    "comm": "prog",
    "cwd": "/elsewhere",
    "fdlimit": 55,
    "env": b"C=3\0",
    "tty": 34,
    "vpgid": 35,
    "loginuid": 36,
    "cap_inheritable": 8,
    "cap_permitted": 16,
    "cap_effective": 32,
    "exe_ino": 37,
    "exe_ino_mtime": 38,
    "uid": 39,
    "trusted_exepath": "/bin/prog",
    "pgid": 40,
    "gid": 41,
    "cgroups": DOCKER,
}


@pytest.mark.parametrize("call", ["execve", "execveat"])
def test_an_exec_gives_a_new_program(call: str) -> None:
    """Everything but the directory, the root and the session comes from the event."""
    given: dict[str, object] = {"res": 0, "tid": 10, "pid": 10, "flags": 1, **PROGRAM}
    seen = replay(leaves(call, 10, **given), processes=FAMILY)
    assert seen.last(
        *("proc.exe", "proc.argv", "proc.name", "proc.fdlimit", "proc.env", "proc.tty"),
        *("proc.vpgid", "user.loginuid", "proc.exe_ino", "proc.exe_ino_mtime", "user.uid"),
        *("proc.exepath", "proc.pgid", "group.gid", "container.id"),
    ) == (
        *("./prog", ["-x", "y"], "prog", 55, ["C=3"], 34),
        *(35, 36, 37, 38, 39, "/bin/prog", 40, 41, CONTAINER),
    )
    capabilities = seen.last(
        "thread.cap_inheritable", "thread.cap_permitted", "thread.cap_effective"
    )
    assert capabilities == ("CAP_FOWNER", "CAP_FSETID", "CAP_KILL")
    assert seen.last("proc.cwd", "proc.root", "proc.sid") == ("/work/", "/root", 4)


def test_an_exec_without_values_leaves_what_was() -> None:
    """Captures of old drivers lack some; the process group is then unknown."""
    missing = dict.fromkeys(
        ("comm", "fdlimit", "env", "cgroups", "tty", "vpgid", "loginuid", "flags", "uid", "gid")
    ) | dict.fromkeys(
        ("pgid", "cap_inheritable", "cap_permitted", "cap_effective", "exe_ino", "trusted_exepath")
    )
    seen = replay(looks(10), executes(10, **missing), processes=FAMILY)
    kept = (
        *("proc.fdlimit", "proc.env", "thread.cgroups", "proc.tty", "proc.vpgid", "user.loginuid"),
        *("user.uid", "group.gid", "thread.cap_effective", "proc.exe_ino", "proc.exepath"),
        "proc.is_exe_writable",
    )
    assert seen.rows(*kept)[0] == seen.rows(*kept)[1]
    assert seen.last("proc.name", "proc.pgid") == ("tool", -1)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (0, (False, False, False, False)),
        (1, (True, False, False, False)),
        (2, (False, True, False, False)),
        (4, (False, False, True, False)),
        (8, (False, False, False, True)),
    ],
)
def test_flags_of_an_exec(flags: int, expected: tuple[bool, ...]) -> None:
    """Where the program lies and whether it can be written."""
    kinds = ("writable", "upper_layer", "from_memfd", "lower_layer")
    seen = replay(executes(10, flags=flags), processes=FAMILY)
    assert seen.last(*(f"proc.is_exe_{kind}" for kind in kinds)) == expected


def test_a_failed_exec_changes_nothing() -> None:
    """And closes nothing."""
    seen = replay(executes(10, res=-2), reads(10, 5), processes=FAMILY)
    assert seen["proc.name"] == ["parent", "parent"]
    assert seen["fd.name"][1] == "/secret"


C, B = BEGIN_NS, BOOT_NS
MODULUS = 1 << 64


@pytest.mark.parametrize(
    ("processes", "ctime", "before_start", "after_pidns"),
    [
        ((), B - 5, C - B + 5, None),
        ((), B + 5, C - B - 5, 5),
        ((), B, C - B, None),
        ((), C + 5, MODULUS - 5, C + 5 - B),
        ((INIT, Process(tid=20, pidns_start_ns=3)), B + 5, 0, 2),
    ],
)
def test_times_of_a_program(
    processes: tuple[Process, ...], ctime: int, before_start: int | None, after_pidns: int | None
) -> None:
    """When its file was changed, before the process began and after its namespace did."""
    given = {"exe_ino": 6, "exe_ino_ctime": ctime, "exe_ino_mtime": 7}
    first = [] if processes else [clones(10, 20)]
    seen = replay(*first, executes(20, **given), processes=processes or FAMILY)
    assert seen.last("proc.exe_ino", "proc.exe_ino_ctime", "proc.exe_ino_mtime") == (6, ctime, 7)
    assert seen.last(
        "proc.exe_ino_ctime_duration_proc_start", "proc.exe_ino_ctime_duration_pidns_start"
    ) == (before_start, after_pidns)


def test_a_program_of_an_unknown_process_has_no_known_start() -> None:
    """Of a listed one Falco shows 0, of an unknown one nothing."""
    field = "proc.exe_ino_ctime_duration_proc_start"
    assert replay(executes(77), processes=FAMILY).last(field) == (None,)
    assert replay(executes(10), processes=FAMILY).last(field) == (0,)


def test_times_of_a_program_stay_where_none_are_told() -> None:
    """And are passed on to children."""
    fields = (
        *("proc.exe_ino_ctime", "proc.exe_ino_mtime", "proc.exe_ino_ctime_duration_proc_start"),
        "proc.exe_ino_ctime_duration_pidns_start",
    )
    untold = dict.fromkeys(("exe_ino", "exe_ino_ctime", "exe_ino_mtime"))
    seen = replay(
        *(clones(10, 20), executes(20, exe_ino_ctime=B + 5), executes(20, **untold)),
        *(clones(20, 21), looks(21)),
        processes=FAMILY,
    )
    told = (B + 5, C, C - B - 5, 5)
    assert [seen.rows(*fields)[row] for row in (1, 2, 4)] == [told] * 3


def test_few_ends_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture of days must not fill the memory; then a late clone makes its child again."""
    events = [event for tid in (20, 21, 22) for event in (begins(tid, 10), exits(tid))]
    late = (*events, clones(10, 20, comm="late"), looks(20))
    assert replay(*late, processes=FAMILY).last("proc.name") == (UNKNOWN,)
    monkeypatch.setattr(process_events, "_REMEMBERED_ENDS", 1)
    assert replay(*late, processes=FAMILY).last("proc.name") == ("late",)
    again = (*events, clones(10, 22), looks(22))
    assert replay(*again, processes=FAMILY).last("proc.name") == (UNKNOWN,)


def test_an_exec_closes_what_is_marked() -> None:
    """The event itself no longer sees it."""
    seen = replay(executes(10), reads(10, 0), reads(10, 5), processes=FAMILY)
    assert seen["fd.name"][1:] == ["/dev/null", ""]
    assert seen["proc.fdopencount"] == [1, 1, 1]


def test_an_exec_ends_the_other_threads() -> None:
    """A thread that had its number means another one from then on."""
    seen = replay(
        *(clones(10, 20, flags=CLONE_THREAD), executes(10), looks(20), looks(10)), processes=FAMILY
    )
    assert seen["proc.name"] == ["parent", "tool", UNKNOWN, "tool"]
    assert seen.last("proc.nthreads") == (1,)


def test_an_unknown_thread_becomes_known_by_an_exec() -> None:
    """Outside of pid namespaces its numbers are those of the host."""
    seen = replay(executes(30, ptid=10), looks(30), processes=FAMILY)
    expected = (30, 10, 30, 30, "parent", "tool")
    fields = ("proc.pid", "proc.ppid", "thread.vtid", "proc.vpid", "proc.pname", "proc.name")
    assert seen.rows(*fields) == [expected, expected]
    assert seen.last("proc.nthreads") == (1,)


def test_a_dead_thread_lives_again_by_an_exec() -> None:
    """The first thread has ended, another one executes a program and takes its number over."""
    seen = replay(
        *(clones(10, 20, flags=CLONE_THREAD), exits(10), looks(20), executes(10), looks(10)),
        *(exits(10), looks(10)),
        processes=FAMILY,
    )
    assert seen["proc.nthreads"] == [2, 1, 1, 1, 1, 0, 0]
    assert seen["proc.name"] == ["parent", *["parent", "shell", "tool", "tool", "tool"], UNKNOWN]


def test_after_an_exec_only_numbers_tell_of_a_pid_namespace() -> None:
    """The leader of a session is looked up by its number of the host."""
    birth = begins(20, 10, flags=CLONE_CHILD_IN_PIDNS)
    leader = Process(tid=4, comm=b"leader")
    seen = replay(birth, executes(20), processes=(*FAMILY, leader))
    assert seen["proc.sname"] == ["parent", "leader"]


AT_EMPTY_PATH = 1 << 11


@pytest.mark.parametrize(
    ("call", "given", "exepath"),
    [
        ("execve", {"filename": "./a/../b"}, "/work/b"),
        ("execve", {"filename": "/usr//b"}, "/usr/b"),
        ("execve", {"filename": UNKNOWN}, UNKNOWN),
        ("execve", {}, UNKNOWN),
        ("execveat", {"dirfd": AT_FDCWD, "pathname": "b"}, "/work/b"),
        ("execveat", {"dirfd": 0, "pathname": "b"}, "/dev/null/b"),
        ("execveat", {"dirfd": 9, "pathname": "b"}, UNKNOWN),
        ("execveat", {"dirfd": 9, "pathname": "/b"}, "/b"),
        ("execveat", {"dirfd": 5, "pathname": "", "flags": AT_EMPTY_PATH}, "/secret"),
        ("execveat", {"dirfd": 9, "pathname": "", "flags": AT_EMPTY_PATH}, UNKNOWN),
    ],
)
def test_path_of_a_program_as_it_was_asked_for(
    call: str, given: dict[str, object], exepath: str
) -> None:
    """Where the kernel's is not told, the beginning of the call has it."""
    leave = executes(10, trusted_exepath=None)
    seen = replay(enters(call, 10, **given), leave, looks(10), processes=FAMILY)
    assert seen["proc.exepath"] == [exepath, exepath]


def test_a_thread_that_ends_is_still_seen_by_its_last_event() -> None:
    """The next one with its number knows nothing of it."""
    seen = replay(exits(10), looks(10), opens(10, 3, "f"), processes=FAMILY)
    assert seen["proc.name"] == ["parent", UNKNOWN, UNKNOWN]
    assert seen["proc.pid"] == [10, -1, -1]
    assert seen["proc.fdopencount"] == [2, 0, 0]


def test_threads_that_nobody_knows() -> None:
    """They have a name and descriptors of their own, but no process, directory or parent."""
    seen = replay(looks(77), opens(77, 3, "f"), reads(77, 3), opens(78, 4, "/g"), reads(78, 3))
    assert seen.rows("proc.pid", "proc.name", "proc.exe", "proc.cwd", "proc.ppid", "user.uid")[
        0
    ] == (-1, UNKNOWN, UNKNOWN, "./", None, 0xFFFFFFFF)
    assert seen["fd.name"][2:] == ["f", "/g", ""]


@pytest.mark.parametrize(
    "quiet",
    [
        *(enters("switch", 77, next=1), exits(77), enters("procinfo", 77, cpu_usr=1, cpu_sys=1)),
        clones(77, -1),
        leaves("clone", 77, res=0, pid=77),
    ],
)
def test_events_that_make_nobody_known(quiet: Happening) -> None:
    """Switches, exits, reports and failed clones look up only; the child's side makes itself."""
    seen = replay(quiet)
    expected = None if quiet.given.get("res") != 0 else ""
    assert seen["proc.name"] == [expected]


@pytest.mark.parametrize("tid", [0, -1, 1 << 40, -(1 << 40)])
def test_odd_numbers_of_threads(tid: int) -> None:
    """Kernel threads of a CPU, and what a damaged capture holds: unknown threads."""
    seen = replay(looks(tid), opens(tid, 3, "/f"), reads(tid, 3), enters("switch", tid, next=1))
    assert seen["thread.tid"] == [tid] * 4
    assert set(seen["proc.name"]) <= {UNKNOWN, None}


def test_events_of_the_whole_machine_have_no_thread() -> None:
    """Whatever number they carry."""
    seen = replay(enters("asyncevent", 10, name="container", data=b"{}\0"), processes=MACHINE)
    assert seen.last("proc.name", "proc.key") == (None, 0)


def test_page_faults_belong_to_their_thread() -> None:
    """They change nothing, but make unknown threads known."""
    seen = replay(enters("page_fault", 10, addr=1, ip=2, error=0), enters("page_fault", 77))
    assert seen["proc.name"] == ["shell", UNKNOWN]


def test_damaged_parameters_of_a_clone() -> None:
    """Empty ones have the value of nothing told, and stop nothing."""
    empty = struct.pack("<q", 20)
    seen = replay(leaves("clone", 10, res=empty), looks(20), processes=FAMILY)
    assert seen.last("proc.name", "proc.fdlimit", "user.uid", "proc.cwd") == ("", -1, 0, "/work/")
