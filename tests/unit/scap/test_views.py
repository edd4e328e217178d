"""What rules see of a thread: its process, ancestors, leaders; and when states are the same."""

import pytest

from unit.scap.scenarios import (
    BEGIN_NS,
    BOOT_NS,
    CLONE_CHILD_IN_PIDNS,
    CLONE_THREAD,
    INIT,
    MACHINE,
    STEP_NS,
    Process,
    begins,
    clones,
    closes,
    enters,
    executes,
    exits,
    leaves,
    looks,
    opens,
    replay,
)

LOGIN = Process(tid=20, comm=b"login", exe=b"/bin/login", args=b"-p\0")
BASH = Process(
    tid=30, ptid=20, sid=30, comm=b"bash", exe=b"-bash", exepath=b"/bin/bash", env=b"B=1\0C=2\0"
)
EDITOR = Process(
    tid=40,
    ptid=30,
    sid=30,
    vpgid=40,
    pgid=40,
    comm=b"vi",
    exe=b"vi",
    exepath=b"/usr/bin/vi (deleted)",
    args=b"a b\0\0c\0",
    cwd=b"/tmp/",
    tty=34816,
    pidns_start_ns=5,
    exe_ino=9,
)
FAMILY = (INIT, LOGIN, BASH, EDITOR)


def test_a_process() -> None:
    """Its command line is its name and what follows argv[0]; paths are those of the kernel."""
    fields = {
        "proc.pid": 40,
        "proc.name": "vi",
        "proc.exe": "vi",
        "proc.exepath": "/usr/bin/vi",
        "proc.argv": ["a b", "", "c"],
        "proc.cmdline": "vi a b  c",
        "proc.cwd": "/tmp/",
        "proc.env": ["HOME=/home"],
        "proc.tty": 34816,
        "proc.pid_ts": None,
        "proc.pidns_init_start_ts": BOOT_NS + 5,
        "proc.exe_ino": 9,
        "proc.exe_ino_ctime": None,
        "proc.root": "/",
        "thread.cgroups": "cpu=/",
        "thread.cap_effective": "",
        "container.id": "host",
    }
    assert dict(zip(fields, replay(looks(40), processes=FAMILY).last(*fields), strict=True)) == (
        fields
    )
    seen = replay(looks(20), processes=(Process(tid=20, cwd=b"", cgroups=b"", exe_ino=0),))
    assert seen.last("proc.cwd", "thread.cgroups", "proc.exe_ino") == ("", None, None)


def test_ancestors() -> None:
    """From the parent upwards, each with what rules ask of it."""
    fields = {
        "proc.ppid": 30,
        "proc.pvpid": 30,
        "proc.pname": "bash",
        "proc.pexe": "-bash",
        "proc.pexepath": "/bin/bash",
        "proc.pcmdline": "bash -i",
        "proc.apid": [30, 20, 1],
        "proc.aname": ["bash", "login", "init"],
        "proc.aexe": ["-bash", "/bin/login", "/sbin/init"],
        "proc.aexepath": ["/bin/bash", "/bin/shell", "/sbin/init"],
        "proc.acmdline": ["bash -i", "login -p", "init -i"],
        "proc.aargs": ["-i", "-p", "-i"],
        "proc.aenv": ["B=1\x1fC=2", "HOME=/home", "HOME=/home"],
    }
    assert dict(zip(fields, replay(looks(40), processes=FAMILY).last(*fields), strict=True)) == (
        fields
    )
    fields = dict.fromkeys(fields)
    seen = replay(looks(1), processes=FAMILY).last(*fields)
    assert seen == (*(None,) * 6, *([],) * 7)


def test_ancestors_are_those_of_the_time() -> None:
    """When one of them executes a program or ends, its descendants show it."""
    seen = replay(
        *(looks(40), executes(30, comm="zsh"), looks(40), exits(20), looks(40)), processes=FAMILY
    )
    assert seen["proc.aname"] == [
        *(["bash", "login", "init"], ["login", "init"]),
        *(["zsh", "login", "init"], ["init"], ["zsh", "init"]),
    ]


def test_deep_and_looped_ancestors() -> None:
    """A hostile capture may claim any number of them, and circles."""
    deep = [Process(tid=tid, ptid=tid - 1) for tid in range(1, 1300)]
    seen = replay(looks(1299), processes=deep)
    assert len(seen["proc.apid"][0]) == 1000
    assert len(seen["proc.aenv"][0]) == 20
    looped = (Process(tid=20, ptid=30), Process(tid=30, ptid=20))
    assert replay(looks(20), processes=looped).last("proc.apid") == ([30],)


def test_a_login_shell() -> None:
    """The eldest process of the ancestry whose name ends so, as seen from the first thread."""
    assert replay(looks(40), processes=FAMILY).last("proc.loginshellid") == (30,)
    assert replay(looks(30), processes=FAMILY).last("proc.loginshellid") == (30,)
    assert replay(looks(20), processes=FAMILY).last("proc.loginshellid") == (None,)
    ssh = Process(tid=25, ptid=1, comm=b"sshd-ssh")
    below = Process(tid=30, ptid=25, comm=b"bash")
    thread = Process(tid=31, pid=30, ptid=25, comm=b"worker", flags=CLONE_THREAD)
    for tid in (30, 31):
        seen = replay(looks(tid), processes=(INIT, ssh, below, thread))
        assert seen.last("proc.loginshellid") == (25,)
    alone = Process(tid=31, pid=30, ptid=1, comm=b"wash", flags=CLONE_THREAD)
    main = Process(tid=30, comm=b"main")
    seen = replay(looks(31), processes=(INIT, main, alone))
    assert seen.last("proc.loginshellid") == (None,)


OF_LEADERS = (
    *("proc.sname", "proc.sid_exe", "proc.sid_exepath"),
    *("proc.vpgid_name", "proc.vpgid_exe", "proc.vpgid_exepath"),
    *("proc.pgid_name", "proc.pgid_exe", "proc.pgid_exepath"),
)
OF_BASH = ("bash", "-bash", "/bin/bash")
NOBODY = ("", "", "")


def led(**given: int) -> tuple[object, ...]:
    """Leaders of a process whose other numbers are unknown."""
    numbers = {"sid": -1, "vpgid": -1, "pgid": -1, "vtid": 41, **given}
    processes = (INIT, LOGIN, BASH, Process(tid=41, ptid=30, **numbers))  # type: ignore[arg-type]
    return replay(looks(41), processes=processes).last(*OF_LEADERS)


def test_leaders() -> None:
    """By their number, and nobody where it is not known."""
    assert led() == NOBODY * 3
    assert led(sid=30) == (*OF_BASH, *NOBODY, *NOBODY)
    assert led(vpgid=30) == (*NOBODY, *OF_BASH, *NOBODY)
    assert led(pgid=30) == (*NOBODY, *NOBODY, *OF_BASH)
    assert led(sid=77) == NOBODY * 3


def test_leaders_that_have_gone_or_are_inside_a_namespace() -> None:
    """The eldest ancestor with the same number stands for them."""
    old = Process(tid=50, sid=77, vpgid=77, pgid=77, comm=b"old", exe=b"o", exepath=b"/o")
    parent = Process(tid=51, ptid=50, sid=77, vpgid=77, pgid=77, comm=b"parent")
    child = Process(tid=52, ptid=51, sid=77, vpgid=77, pgid=77)
    assert replay(looks(52), processes=(INIT, old, parent, child)).last(*OF_LEADERS) == (
        ("old", "o", "/o") * 3
    )
    # Inside a namespace a session's number is the namespace's, a group's is the host's.
    inside = Process(tid=41, vtid=2, sid=30, vpgid=30, pgid=30, ptid=1)
    seen = replay(looks(41), processes=(INIT, LOGIN, BASH, inside))
    assert seen.last(*OF_LEADERS) == (*NOBODY, *NOBODY, *OF_BASH)


def test_a_child_in_a_pid_namespace() -> None:
    """Its flag tells, though its numbers are the host's."""
    birth = begins(40, 30, flags=CLONE_CHILD_IN_PIDNS)
    seen = replay(birth, clones(30, 41), looks(41), processes=(INIT, LOGIN, BASH))
    assert [seen["proc.sname"][row] for row in (0, 2)] == ["bash", "bash"]
    leader = Process(tid=30, ptid=20, sid=20, comm=b"bash")
    seen = replay(birth, clones(30, 41), looks(41), processes=(INIT, LOGIN, leader))
    assert [seen["proc.sname"][row] for row in (0, 2)] == ["bash", "login"]


def test_a_thread_shows_its_process() -> None:
    """Directory, environment and ancestors are those of the first thread."""
    thread = Process(tid=41, pid=40, ptid=99, flags=CLONE_THREAD, env=b"X=1\0", cwd=b"/x")
    seen = replay(looks(41), processes=(*FAMILY, thread))
    assert seen.last("proc.pid", "proc.cwd", "proc.env", "proc.pname", "proc.pvpid") == (
        *(40, "/tmp/", ["HOME=/home"], "bash", None),
    )
    orphan = Process(tid=41, pid=39, ptid=30, flags=CLONE_THREAD)
    seen = replay(looks(41), opens(41, 3, "f"), processes=(*FAMILY, orphan))
    assert seen.last("proc.pid", "proc.cwd", "proc.env", "proc.pname", "fd.name") == (
        *(39, "./", [], None, "f"),
    )


def test_the_start_of_a_parent() -> None:
    """The time of the clone that made it; none for those that were there before."""
    seen = replay(clones(10, 20), clones(20, 30), looks(30), looks(20))
    assert seen["proc.ppid_ts"][2:] == [BEGIN_NS, None]
    assert seen["proc.pid_ts"][2:] == [BEGIN_NS + STEP_NS, BEGIN_NS]


@pytest.mark.parametrize("batch_events", [1, 100])
def test_a_state_has_one_number(batch_events: int) -> None:
    """Events that change nothing about a process do not make another state, in any batch."""
    seen = replay(
        *(looks(10), opens(10, 3, "f"), closes(10, 3), enters("switch", 10, next=1), looks(10)),
        *(leaves("chdir", 10, res=0, path="/home"), leaves("setuid", 10, res=0, uid=0), looks(10)),
        *(looks(1), looks(10)),
        batch_events=batch_events,
    )
    *of_shell, init, last = seen["proc.key"]
    assert set(of_shell) == {last}
    assert init != last


def test_another_state_has_another_number() -> None:
    """Numbers grow; no thread has none."""
    seen = replay(
        *(looks(10), leaves("setuid", 10, res=0, uid=5), looks(10), looks(1)),
        enters("switch", 77, next=1),
        processes=MACHINE,
    )
    one, two, three, four, nobody = seen["proc.key"]
    assert two == three
    assert len({one, two, four}) == 3
    assert nobody == 0
    assert seen.last("proc.name", "proc.pid", "container.id") == (None, None, None)


def test_numbers_of_states_are_not_given_twice() -> None:
    """Neither in a further section of the same capture."""
    seen = replay(looks(10), leaves("setuid", 10, res=0, uid=5), looks(1), batch_events=1)
    assert seen.engine.next_key > max(seen["proc.key"])
