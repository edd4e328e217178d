"""Directories, ids, capabilities, limits, users and containers, as events change them."""

import json

import pytest

from falcotrace.scap import small_events
from unit.scap.scenarios import (
    AT_FDCWD,
    CLONE_NEWUSER,
    CLONE_THREAD,
    INIT,
    MACHINE,
    Happening,
    Process,
    adds_user,
    clones,
    enters,
    executes,
    group,
    leaves,
    looks,
    opens,
    reads,
    replay,
    user,
)

SHELL = Process(
    tid=10,
    cwd=b"/home",
    uid=5,
    gid=6,
    fdlimit=100,
    sid=10,
    files={3: "/usr/lib", 4: "relative/name"},
    capabilities=(1, 1, 1),
)
PEERS = (INIT, SHELL, Process(tid=11, comm=b"peer", fdlimit=50, uid=8))
KEEP = 0xFFFFFFFF
ALL = " ".join


def after(event: Happening, *fields: str) -> tuple[object, ...]:
    """Fields of the event itself, which are those of the next one too, but not of the last one."""
    seen = replay(looks(10), event, looks(10), processes=PEERS)
    before, now, then = seen.rows(*fields)
    assert before == replay(looks(10), processes=PEERS).last(*fields)
    assert now == then
    return then


@pytest.mark.parametrize(
    ("event", "cwd"),
    [
        (leaves("chdir", 10, res=0, path="a/../b"), "/home/b/"),
        (leaves("chdir", 10, res=0, path=".."), "/"),
        (leaves("chdir", 10, res=0, path="/x/"), "/x/"),
        (leaves("chdir", 10, res=-2, path="/x"), "/home/"),
        (leaves("fchdir", 10, res=0, fd=3), "/usr/lib/"),
        (leaves("fchdir", 10, res=0, fd=4), "/home/relative/name/"),
        (leaves("fchdir", 10, res=0, fd=9), "/home/"),
        (leaves("fchdir", 10, res=-9, fd=3), "/home/"),
        (leaves("getcwd", 10, res=5, path="/told"), "/told/"),
        (leaves("getcwd", 10, res=0, path=None), "/home/"),
        (leaves("getcwd", 10, res=-34, path="/told"), "/home/"),
    ],
)
def test_working_directory(event: Happening, cwd: str) -> None:
    """Relative names, also those of later opens, start from it; it ends in a slash."""
    assert after(event, "proc.cwd") == (cwd,)
    seen = replay(event, opens(10, 7, "f"), processes=PEERS)
    assert seen.last("fd.name") == (f"{cwd}f",)


def test_a_process_has_one_working_directory() -> None:
    """A thread changes it for all, and children made before keep theirs."""
    seen = replay(
        *(clones(10, 20), clones(10, 21, flags=CLONE_THREAD)),
        *(leaves("chdir", 21, res=0, path="/new"), looks(10), looks(20), looks(21)),
        processes=PEERS,
    )
    assert seen["proc.cwd"][3:] == ["/new/", "/home/", "/new/"]


@pytest.mark.parametrize(("res", "root"), [(0, "/home/jail"), (-1, "/")])
def test_chroot(res: int, root: str) -> None:
    """The new root is told as it is seen from outside."""
    assert after(leaves("chroot", 10, res=res, path="jail/."), "proc.root") == (root,)


@pytest.mark.parametrize(("res", "sid", "name"), [(11, 11, "peer"), (-1, 10, "shell")])
def test_setsid(res: int, sid: int, name: str) -> None:
    """The session is that of the result, and so is its leader."""
    assert after(leaves("setsid", 10, res=res), "proc.sid", "proc.sname") == (sid, name)


def test_the_leader_of_a_session_is_followed() -> None:
    """When it executes another program, the session is named after that."""
    seen = replay(
        *(leaves("setsid", 10, res=11), looks(10), executes(11, comm="other"), looks(10)),
        processes=PEERS,
    )
    assert seen["proc.sname"][1::2] == ["peer", "other"]
    assert 10 not in seen.engine.threads._led.get(10, {})


@pytest.mark.parametrize(
    ("option", "argument", "res", "parent"),
    [(36, 1, 0, 10), (37, 1, 0, 10), (36, 0, 0, 1), (15, 1, 0, 1), (36, 1, -1, 10)],
)
def test_prctl_makes_a_reaper(option: int, argument: int, res: int, parent: int) -> None:
    """Setting and asking both tell whether the process adopts, whatever comes of it."""
    processes = (*MACHINE, Process(tid=20, ptid=10), Process(tid=30, ptid=20))
    told = leaves("prctl", 10, res=res, option=option, arg2_int=argument)
    seen = replay(told, enters("procexit", 20), looks(30), processes=processes)
    assert seen.last("proc.ppid") == (parent,)


def test_prctl_takes_back_what_it_said() -> None:
    """A process may stop adopting."""
    processes = (*MACHINE, Process(tid=20, ptid=10), Process(tid=30, ptid=20))
    told = [leaves("prctl", 10, res=0, option=36, arg2_int=number) for number in (1, 0)]
    seen = replay(*told, enters("procexit", 20), looks(30), processes=processes)
    assert seen.last("proc.ppid") == (1,)


def test_prctl_renames_nobody() -> None:
    """What they call themselves is not looked at."""
    told = leaves("prctl", 10, res=0, option=15, arg2_str="renamed")
    assert after(told, "proc.name") == ("shell",)


@pytest.mark.parametrize(
    ("call", "parameter"), [("setuid", "uid"), ("setresuid", "euid"), ("setreuid", "euid")]
)
@pytest.mark.parametrize(
    ("res", "value", "uid"), [(0, 7, 7), (0, KEEP, KEEP), (0, None, 5), (-1, 7, 5), (0, 0, 0)]
)
def test_user(call: str, parameter: str, res: int, value: int | None, uid: int) -> None:
    """The effective id; that it should stay is stored as a number, as libs has it."""
    event = leaves(call, 10, res=res, **{parameter: value})
    assert after(event, "user.uid", "group.gid") == (uid, 6)


@pytest.mark.parametrize(
    ("call", "parameter"), [("setgid", "gid"), ("setresgid", "egid"), ("setregid", "egid")]
)
@pytest.mark.parametrize(
    ("res", "value", "gid"), [(0, 7, 7), (0, KEEP, KEEP), (0, None, 6), (-1, 7, 6)]
)
def test_group(call: str, parameter: str, res: int, value: int | None, gid: int) -> None:
    """Likewise."""
    event = leaves(call, 10, res=res, **{parameter: value})
    assert after(event, "group.gid", "user.uid") == (gid, 5)


def test_ids_belong_to_one_thread() -> None:
    """The other threads of its process keep theirs."""
    seen = replay(
        clones(10, 20, flags=CLONE_THREAD, uid=5),
        *(leaves("setuid", 20, res=0, uid=7), looks(10), looks(20)),
        processes=PEERS,
    )
    assert seen["user.uid"][-2:] == [5, 7]


CAPABILITIES = ("thread.cap_inheritable", "thread.cap_permitted", "thread.cap_effective")


def test_capset() -> None:
    """All three sets, where it succeeds."""
    given = {"cap_inheritable": 4, "cap_permitted": 3, "cap_effective": 2}
    found = after(leaves("capset", 10, res=0, **given), *CAPABILITIES)
    assert found == ("CAP_DAC_READ_SEARCH", "CAP_CHOWN CAP_DAC_OVERRIDE", "CAP_DAC_OVERRIDE")
    assert after(leaves("capset", 10, res=-1, **given), *CAPABILITIES) == ("CAP_CHOWN",) * 3


@pytest.mark.parametrize(("call", "parameter"), [("unshare", "flags"), ("setns", "nstype")])
@pytest.mark.parametrize(
    ("res", "flags", "count"), [(0, CLONE_NEWUSER, 41), (0, 1 << 6, 1), (-1, CLONE_NEWUSER, 1)]
)
def test_a_user_namespace_of_its_own(
    call: str, parameter: str, res: int, flags: int, count: int
) -> None:
    """In it a thread may do everything."""
    found = after(leaves(call, 10, res=res, **{parameter: flags}), *CAPABILITIES)
    assert [len(str(one).split()) for one in found] == [count] * 3


NOFILE, CORE = 7, 4


@pytest.mark.parametrize("call", ["setrlimit", "getrlimit"])
@pytest.mark.parametrize(
    ("res", "resource", "cur", "limit"),
    [(0, NOFILE, 9, 9), (0, CORE, 9, 100), (-1, NOFILE, 9, 100), (0, NOFILE, -1, 100)],
)
def test_limit(call: str, res: int, resource: int, cur: int, limit: int) -> None:
    """Setting and asking tell how many descriptors a process may have."""
    event = leaves(call, 10, res=res, resource=resource, cur=cur, max=1)
    assert after(event, "proc.fdlimit") == (limit,)


@pytest.mark.parametrize(
    ("pid", "cur", "expected"),
    [
        (0, 9, (9, 50)),
        (10, 9, (9, 50)),
        (11, 9, (100, 9)),
        (77, 9, (100, 50)),
        (0, -1, (100, 50)),
        (0, None, (100, 50)),
    ],
)
def test_limit_of_any_process(pid: int, cur: int | None, expected: tuple[int, int]) -> None:
    """`prlimit` may be about another one."""
    told = leaves("prlimit", 10, res=0, pid=pid, resource=NOFILE, newcur=cur)
    seen = replay(told, looks(10), looks(11), processes=PEERS)
    assert tuple(seen["proc.fdlimit"][1:]) == expected


def test_limit_of_a_process_is_that_of_its_threads() -> None:
    """A thread that sets it sets that of the first one, and shows it."""
    seen = replay(
        clones(10, 20, flags=CLONE_THREAD, fdlimit=77),
        looks(20),
        leaves("setrlimit", 20, res=0, resource=NOFILE, cur=9),
        looks(10),
        looks(20),
        processes=PEERS,
    )
    assert seen["proc.fdlimit"] == [100, 100, 9, 9, 9]


def test_unknown_threads_change_by_events_too() -> None:
    """They get an entry first; what belongs to their process they do not have."""
    assert replay(leaves("setuid", 77, res=0, uid=7)).last("user.uid") == (7,)
    seen = replay(
        *(leaves("chdir", 77, res=0, path="/x"), leaves("getcwd", 77, res=0, path="/x")),
        *(leaves("setrlimit", 77, res=0, resource=NOFILE, cur=9), executes(77, fdlimit=None)),
    )
    assert seen.rows("proc.cwd", "proc.fdlimit") == [*[("./", 0)] * 3, ("", -1)]
    assert replay(leaves("chroot", 77, res=0, path="/x")).last("proc.root") == ("/x",)
    assert len(replay(leaves("prctl", 77, res=0, option=36, arg2_int=1))) == 1


OF_USER = ("user.name", "user.homedir", "user.shell", "group.name")
ACCOUNTS = user(5, b"ann") + group(6, b"staff")


def test_users_of_the_host() -> None:
    """As the capture lists them; who logged in is one too."""
    shell = Process(tid=10, uid=5, gid=6, loginuid=5)
    other = Process(tid=11, uid=7, gid=0, loginuid=KEEP)
    seen = replay(looks(10), looks(11), processes=(shell, other), accounts=ACCOUNTS)
    fields = (*OF_USER, "user.loginuid", "user.loginname")
    assert seen.rows(*fields) == [
        ("ann", "/home/ann", "/bin/sh", "staff", 5, "ann"),
        ("<NA>", "<NA>", "<NA>", "root", -1, "<NA>"),
    ]


def test_users_come_and_go() -> None:
    """Rules see the names of the time of the event."""
    group_gone = enters("groupdeleted", -1, gid=6, name="staff", container_id="")
    seen = replay(
        *(looks(10), adds_user(5, "bob"), looks(10)),
        *(enters("userdeleted", -1, uid=5, gid=5, name="bob", container_id=""), looks(10)),
        *(enters("groupadded", -1, gid=6, name="team", container_id=""), looks(10)),
        *(group_gone, looks(10)),
        processes=PEERS,
        accounts=ACCOUNTS,
    )
    assert seen.rows("user.name", "group.name") == [
        *(("ann", "staff"), ("bob", "staff"), ("<NA>", "staff")),
        *(("<NA>", "team"), ("<NA>", "<NA>")),
    ]
    assert seen["evt.num"] == [1, 3, 5, 7, 9]


ID = "0123456789ab"
DOCKER = b"cpu=/docker/" + ID.encode() + b"0" * 52 + b"\0"


@pytest.mark.parametrize("batch_events", [1, 2, 100])
def test_names_in_arguments_are_those_of_the_time(batch_events: int) -> None:
    """Users that come and go later do not reach back."""
    asks = leaves("setresuid", 10, res=-1, ruid=5, euid=7, suid=0)
    groups = leaves("setresgid", 10, res=-1, rgid=6, egid=8, sgid=0)
    seen = replay(
        *(asks, adds_user(5, "bob"), asks, adds_user(7, "eve"), asks),
        *(enters("userdeleted", -1, uid=5, gid=5, name="bob", container_id=""), asks, groups),
        *(enters("groupdeleted", -1, gid=6, name="staff", container_id=""), groups),
        *(enters("groupadded", -1, gid=8, name="crew", container_id=""), groups),
        processes=PEERS,
        accounts=ACCOUNTS,
        batch_events=batch_events,
    )
    assert seen.rows("evt.arg.ruid", "evt.arg.euid", "evt.arg.suid")[:4] == [
        *(("ann", "<NA>", "root"), ("bob", "<NA>", "root"), ("bob", "eve", "root")),
        ("<NA>", "eve", "root"),
    ]
    assert seen.rows("evt.arg.rgid", "evt.arg.egid", "evt.arg.sgid")[4:] == [
        *(("staff", "<NA>", "root"), ("<NA>", "<NA>", "root"), ("<NA>", "crew", "root")),
    ]


def test_users_of_a_container() -> None:
    """They are others than the host's, whatever their number."""
    inside = Process(tid=20, uid=5, gid=6, cgroups=DOCKER)
    seen = replay(
        *(looks(20), adds_user(5, "carl", ID), looks(20), looks(10)),
        *(enters("groupadded", -1, gid=6, name="crew", container_id=ID), looks(20)),
        processes=(*PEERS, inside),
        accounts=ACCOUNTS,
    )
    names = seen.rows("user.name", "group.name")
    assert names == [("<NA>", "<NA>"), ("carl", "<NA>"), ("ann", "staff"), ("carl", "crew")]


def container(name: str, **given: object) -> bytes:
    """What an event says about a container."""
    inner = {"id": ID, "full_id": ID + "0" * 52, "name": name, "image": "img:1", "type": 0}
    return json.dumps({"container": {**inner, **given}}).encode() + b"\0"


@pytest.mark.parametrize("is_old", [True, False])
def test_metadata_of_a_container(*, is_old: bool) -> None:
    """From the event on that tells them, for all threads in it; rules see the newer event."""
    inside = (Process(tid=20, cgroups=DOCKER), Process(tid=21, cgroups=DOCKER))
    told = (
        enters("container", -1, json=container("web"))
        if is_old
        else enters("asyncevent", -1, plugin_id=1, name="container", data=container("web"))
    )
    seen = replay(looks(20), told, looks(20), looks(21), looks(10), processes=(*PEERS, *inside))
    fields = ("container.id", "container.name", "container.image.name")
    shown = [row for row in seen.rows("evt.type", *fields) if row[0] == "getuid"]
    assert shown == [
        ("getuid", ID, None, None),
        *[("getuid", ID, "web", "img:1")] * 2,
        ("getuid", "host", "host", ""),
    ]
    assert len(seen) == 4 + (not is_old)


def test_a_container_that_is_removed() -> None:
    """Nothing is known of it any more but its id."""
    inside = Process(tid=20, cgroups=DOCKER)
    kinds = ("container", "container_removed")
    events = [
        enters("asyncevent", -1, plugin_id=1, name=kind, data=container("web")) for kind in kinds
    ]
    seen = replay(events[0], looks(20), events[1], looks(20), processes=(*PEERS, inside))
    assert [seen["container.name"][row] for row in (1, 3)] == ["web", None]


def test_all_threads_are_looked_at_anew_where_there_are_very_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody looks for those whom a user or a container concerns; what they show is the same."""
    inside = Process(tid=20, uid=5, gid=6, cgroups=DOCKER)
    told = enters("asyncevent", -1, plugin_id=1, name="container", data=container("web"))
    events = (
        *(looks(20), looks(10), adds_user(5, "ann"), looks(20), looks(10), told, looks(20)),
        *(adds_user(5, "carl", ID), looks(20), looks(10)),
    )
    fields = ("user.name", "container.name", "proc.name")
    processes = (*PEERS, inside)
    expected = replay(*events, processes=processes).rows(*fields)
    monkeypatch.setattr(small_events, "_MOST_LOOKED_AT", 0)
    assert replay(*events, processes=processes).rows(*fields) == expected
    assert len(set(expected)) > 4


def test_events_of_other_plugins_are_no_metadata() -> None:
    """Whatever they hold."""
    inside = Process(tid=20, cgroups=DOCKER)
    told = enters("asyncevent", -1, plugin_id=9, name="other", data=container("web"))
    seen = replay(told, looks(20), processes=(*PEERS, inside))
    assert seen.last("container.id", "container.name") == (ID, None)


def test_names_of_subsystems_are_those_of_the_first_version() -> None:
    """Newer kernels call some of them otherwise."""
    inside = Process(tid=20, cgroups=b"perf=/a\0mem=/b\0io=/c\0cpu=/d\0odd\0")
    seen = replay(looks(20), processes=(inside,))
    assert seen.last("thread.cgroups") == ("perf_event=/a memory=/b blkio=/c cpu=/d odd",)


def test_the_directory_of_a_call_is_that_of_its_time() -> None:
    """A later change does not reach back."""
    seen = replay(
        *(opens(10, 7, "before"), leaves("chdir", 10, res=0, path="/new"), opens(10, 8, "after")),
        *(reads(10, 7), opens(10, 9, "x", dirfd=AT_FDCWD)),
        processes=PEERS,
    )
    assert [name for name in seen["fd.name"] if name] == [
        *("/home/before", "/new/after", "/home/before", "/new/x"),
    ]
