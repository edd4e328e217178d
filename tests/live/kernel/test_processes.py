# ruff: noqa: PTH104, PTH106, PTH109, PTH110, PTH116, PTH208, FBT001, RUF100
# System calls are made by their own names here.
"""States of threads: what a description tells, and what makes a new one."""

import ctypes
import os
import pty
import signal
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from falcotrace.record.layout import HeaderFlag, PartKind, ProcessFlag, SampleType
from falcotrace.record.session import KernelSession
from live.kernel.recording import Recorder, Recording, Sample, part

pytestmark = pytest.mark.live

Record = Callable[[Callable[[], object]], Recording]
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
MARK = 110  # getppid: a call to ask for the state after what was done
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWUSER, CLONE_NEWPID = 0x20000, 0x4000000, 0x10000000, 0x20000000


def _mark() -> None:
    libc.syscall(MARK if os.uname().machine == "x86_64" else 173)


def _state(got: Recording) -> Sample:
    return got.process(got.calls("getppid")[-1])


def _then_mark(function: Callable[[], object]) -> Callable[[], None]:
    def act() -> None:
        function()
        _mark()

    return act


def _after(record: Record, function: Callable[[], object]) -> Sample:
    """The child's state after it did something."""
    return _state(record(_then_mark(function)))


def test_ids_and_times(record: Record) -> None:
    """A description has the ids that /proc shows, and start times that make them unique."""
    reader, writer = os.pipe()

    def ask() -> None:
        fields = Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()
        os.write(writer, " ".join([*fields[1:6], fields[19]]).encode())
        _mark()

    got = record(ask)
    state = _state(got)
    ppid, pgid, sid, tty, _, start_ticks = map(int, os.read(reader, 999).split())
    os.close(reader)
    os.close(writer)
    assert (state["tid"], state["pid"]) == (got.pid, got.pid)
    assert (state["ptid"], state["ppid"]) == (os.getpid(), os.getpid()) == (ppid, ppid)
    assert (state["pgid"], state["sid"], state["tty"]) == (pgid, sid, tty)
    assert state["start_ns"] == state["pid_start_ns"]
    assert state["start_ns"] // 10_000_000 == start_ticks
    own_ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    assert state["ppid_start_ns"] // 10_000_000 == own_ticks
    assert state["process_flags"] & ProcessFlag.LEADER


def test_namespaces(record: Record) -> None:
    """Namespaces are told by the inodes that /proc/PID/ns shows."""
    state = _after(record, lambda: None)
    for name, member in [
        ("pid", "pidns"),
        ("mnt", "mntns"),
        ("net", "netns"),
        ("user", "userns"),
        ("cgroup", "cgroupns"),
        ("uts", "utsns"),
        ("ipc", "ipcns"),
    ]:
        assert state[member] == os.stat(f"/proc/self/ns/{name}").st_ino, name


def test_same_state_same_number(record: Record) -> None:
    """As long as nothing changes, events share one description."""

    def act() -> None:
        for _ in range(5):
            _mark()

    got = record(act)
    assert len({event["process_id"] for event in got.calls("getppid")}) == 1


def test_credentials(record: Record) -> None:
    """Real, effective, saved and file system ids, and capabilities, are told after they change."""

    def change() -> None:
        os.setresgid(20, 21, 22)
        os.setresuid(10, 11, 12)

    state = _after(record, change)
    ids = [state[name] for name in ("uid", "euid", "suid", "fsuid", "gid", "egid", "sgid", "fsgid")]
    assert ids == [10, 11, 12, 11, 20, 21, 22, 21]
    assert state["cap_effective"] == state["cap_permitted"] == 0


def test_capset_and_its_argument(record: Record) -> None:
    """Capset changes the sets, which the event's state shows after the call."""
    header = struct.pack("<Ii", 0x20080522, 0)
    data = struct.pack("<6I", 1 << 7, 1 << 7 | 1, 1 << 7, 0, 0, 0)
    got = record(lambda: libc.capset(header, data))
    event = got.calls("capset")[-1]
    state = got.process(event)
    assert (state["cap_effective"], state["cap_permitted"]) == (1 << 7, 1 << 7 | 1)
    assert state["cap_inheritable"] == 1 << 7
    assert part(event, PartKind.BYTES) == data


def test_current_directory(record: Record, tmp_path: Path) -> None:
    """Chdir and fchdir change the state, at the event that did it."""
    got = record(lambda: os.chdir(tmp_path))
    event = got.calls("chdir")[-1]
    assert got.process(event)["cwd"] == os.fsencode(tmp_path)
    assert got.process(event)["previous_id"]


def test_deleted_directory_is_marked(record: Record, tmp_path: Path) -> None:
    """A working directory that no longer exists is marked."""
    place = tmp_path / "gone"
    place.mkdir()

    def leave() -> None:
        os.chdir(place)
        os.rmdir(place)
        os.setsid()

    state = _after(record, leave)
    assert state["cwd"] == os.fsencode(place)
    assert state["process_flags"] & ProcessFlag.CWD_DELETED


def test_root_directory(record: Record, tmp_path: Path) -> None:
    """After chroot the root is told from the namespace's root, and paths begin at the new one."""
    (tmp_path / "inside").mkdir()

    def enter() -> None:
        os.chroot(tmp_path)
        os.chdir("/inside")

    state = _after(record, enter)
    assert state["root"] == os.fsencode(tmp_path)
    assert state["cwd"] == b"/inside"
    assert state["process_flags"] & ProcessFlag.CHROOT


def test_session_group_and_terminal(record: Record) -> None:
    """Setsid makes a session; a controlling terminal is told by its device number."""
    reader, writer = os.pipe()

    def lead() -> None:
        os.setsid()
        _, slave = pty.openpty()
        import fcntl
        import termios

        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        os.write(writer, str(os.fstat(slave).st_rdev).encode())

    got = record(_then_mark(lead))
    state = _state(got)
    device = int(os.read(reader, 99))
    os.close(reader)
    os.close(writer)
    assert state["sid"] == state["pgid"] == state["vsid"] == state["vpgid"] == got.pid
    assert state["tty"] == (os.minor(device) & 0xFF) | os.major(device) << 8


def test_names(record: Record) -> None:
    """The name of the last exec or clone stays when the thread renames itself."""
    state = _after(record, lambda: libc.prctl(15, b"renamed", 0, 0, 0))
    assert state["thread_comm"] == b"renamed"
    assert state["comm"] == Path("/proc/self/comm").read_bytes().strip()


def test_reaper_flag(record: Record) -> None:
    """PR_SET_CHILD_SUBREAPER is told with the next state."""

    def become() -> None:
        libc.prctl(36, 1, 0, 0, 0)
        os.setsid()

    assert _after(record, become)["process_flags"] & ProcessFlag.REAPER


def test_login_user(record: Record) -> None:
    """The login user and audit session are told once they are set."""
    if not Path("/proc/self/loginuid").exists():
        pytest.skip("this kernel has no audit")
    state = _after(record, lambda: Path("/proc/self/loginuid").write_text("4321"))
    assert state["loginuid"] == 4321


def test_standard_files(record: Record) -> None:
    """The files behind descriptors 0, 1 and 2 belong to the state: a shell on a socket shows."""

    def redirect() -> None:
        fd = os.open("/dev/zero", os.O_RDONLY)
        os.dup2(fd, 0)
        os.close(1)

    got = record(_then_mark(redirect))
    state = _state(got)
    assert got.file(state["std_file_id"][0])["path"] == b"/dev/zero"
    assert state["std_file_id"][1] == 0
    assert got.process(got.calls("close")[-1])["std_file_id"][1] == 0


def test_fork_has_two_sides(record: Record) -> None:
    """A fork returns twice: in the parent with the child's id, in the child with 0."""

    def fork() -> None:
        pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)

    got = record(fork)
    calls = (got.calls("clone") or got.calls("fork") or got.calls("clone3"))[-2:]
    by_result = {event["ret"] == 0: event for event in calls}
    child, parent = got.process(by_result[True]), got.process(by_result[False])
    assert by_result[False]["ret"] == child["pid"]
    assert parent["pid"] == got.pid
    assert (child["ppid"], child["ppid_start_ns"]) == (parent["pid"], parent["pid_start_ns"])
    assert child["image_id"] == parent["image_id"]
    assert child["comm"] == parent["comm"]
    assert by_result[True]["args"][0] & 0xFF == signal.SIGCHLD
    exited = [sample for sample in got.of(SampleType.EXIT) if sample["pid"] == child["pid"]]
    assert len(exited) == 1


def test_clone3_flags_travel(record: Record) -> None:
    """The flags of clone3 are in user memory; both sides carry them."""
    arguments = struct.pack("<8Q", CLONE_NEWUTS, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)

    def clone() -> None:
        pid = libc.syscall(435, arguments, len(arguments))
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)

    got = record(clone)
    assert [part(event, PartKind.BYTES) for event in got.calls("clone3")[-2:]] == [arguments] * 2
    child = next(event for event in got.calls("clone3") if event["ret"] == 0)
    assert got.process(child)["utsns"] != os.stat("/proc/self/ns/uts").st_ino


def test_child_told_at_the_fork(
    new_recorder: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a child's return is not traced, its creator makes the child's event, marked as such."""
    numbers = KernelSession._numbers
    monkeypatch.setattr(
        KernelSession, "_numbers", lambda self: numbers(self) | {"targ_child_at_fork": 1}
    )

    def fork() -> None:
        pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)

    got = new_recorder().run(fork)
    made = next(event for event in got.calls("clone") if event["flags"] & HeaderFlag.CHILD)
    assert made["ret"] == 0
    assert got.process(made)["ppid"] == got.pid
    assert got.process(made)["pid"] != got.pid


def test_threads(record: Record) -> None:
    """A thread has a state of its own, with its process's id and start."""

    def start() -> None:
        thread = threading.Thread(target=_mark)
        thread.start()
        thread.join()

    got = record(start)
    state = _state(got)
    assert state["pid"] == got.pid
    assert state["tid"] != got.pid
    assert not state["process_flags"] & ProcessFlag.LEADER
    assert state["start_ns"] > state["pid_start_ns"]
    ends = [sample for sample in got.of(SampleType.EXIT) if sample["pid"] == got.pid]
    assert sorted(sample["tid"] for sample in ends) == sorted((got.pid, state["tid"]))
    assert ends[-1]["group_dead"] == 1


def test_orphan_gets_its_new_parent(record: Record) -> None:
    """When the parent dies its child's next event shows the reaper as parent."""

    def orphan() -> None:
        libc.prctl(36, 1, 0, 0, 0)
        middle = os.fork()
        if not middle:
            if not os.fork():
                while os.getppid() != int(os.environ["TOP"]):
                    time.sleep(0.001)
                _mark()
                os._exit(0)
            os._exit(3)
        os.waitpid(middle, 0)
        os.wait()

    def top() -> None:
        os.environ["TOP"] = str(os.getpid())
        orphan()

    got = record(top)
    assert _state(got)["ppid"] == got.pid
    (middle,) = [sample for sample in got.of(SampleType.EXIT) if sample["code"] == 3 << 8]
    assert middle["reaper_tid"] == got.pid


def test_exit_by_signal(record: Record) -> None:
    """The end of a process tells status, signal and whether it was the last thread."""

    def die() -> None:
        pid = os.fork()
        if not pid:
            signal.pause()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    got = record(die)
    codes = {sample["pid"]: sample["code"] for sample in got.of(SampleType.EXIT)}
    assert sorted(codes.values()) == [0, 9]
    assert codes[got.pid] == 0


def test_pid_namespace(record: Record) -> None:
    """Inside a pid namespace ids differ from the host's, and its init's start is known."""

    def enter() -> None:
        libc.unshare(CLONE_NEWPID)
        pid = os.fork()
        if not pid:
            os.setsid()
            _mark()
            os._exit(0)
        os.waitpid(pid, 0)

    state = _state(record(enter))
    assert (state["vtid"], state["vpid"], state["vsid"], state["vpgid"]) == (1, 1, 1, 1)
    assert state["pid"] == state["sid"] > 1
    assert state["pidns_level"] == 1
    assert state["pidns"] != os.stat("/proc/self/ns/pid").st_ino
    assert state["pidns_start_ns"] == state["start_ns"]


def test_user_namespace(record: Record) -> None:
    """Ids are the host's: root of a user namespace is who it really is."""

    def enter() -> None:
        os.setresuid(1234, 1234, 1234)
        libc.unshare(CLONE_NEWUSER)

    state = _after(record, enter)
    assert state["uid"] == 1234
    assert state["userns"] != os.stat("/proc/self/ns/user").st_ino
    assert state["cap_effective"]


def test_control_groups(record: Record) -> None:
    """Groups are told by controller as /proc/self/cgroup shows them, and after a move anew."""
    root = next(
        (
            p
            for p in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))
            if (p / "cgroup.procs").exists()
        ),
        None,
    )
    if root is None:
        pytest.skip("no control groups are mounted")
    group = root / f"falcotrace-test-{os.getpid()}"
    group.mkdir()
    try:
        got = record(_then_mark(lambda: (group / "cgroup.procs").write_text("0")))
        state = _state(got)
    finally:
        time.sleep(0.05)
        group.rmdir()
    (found,) = [c for c in got.of(SampleType.CGROUPS) if c["cgroups_id"] == state["cgroups_id"]]
    paths = dict(item.split(b"=", 1) for item in found["paths"].split(b"\0") if item)
    shown = found["default"] if root.name == "cgroup" else paths[b"pids"]
    assert shown == f"/{group.name}".encode()
    assert b"cpu" in paths or b"memory" in paths or not paths
    assert found["default"].startswith(b"/")


def test_processes_that_existed_before(new_recorder: Callable[..., Recorder]) -> None:
    """Processes are described when the recording begins: this one, its parent, kernel threads."""
    recorder = new_recorder()
    existing = {
        sample["tid"]: sample
        for sample in recorder.existing.of(SampleType.PROCESS)
        if sample["flags"] & HeaderFlag.SNAPSHOT
    }
    mine = existing[os.getpid()]
    assert mine["ppid"] == os.getppid()
    assert existing[2]["process_flags"] & ProcessFlag.KERNEL
    assert existing[2]["image_id"] == 0
    assert existing[os.getppid()]["pid_start_ns"] == mine["ppid_start_ns"]
    assert mine["cwd"] == os.fsencode(Path.cwd())
    threads = {int(name) for name in os.listdir("/proc/self/task")}
    assert threads <= set(existing)


def test_followed_process_that_existed(new_recorder: Callable[..., Recorder]) -> None:
    """Following a process takes the descendants that it has already."""
    reader, writer = os.pipe()
    top = os.fork()
    if not top:
        if not os.fork():
            os.read(reader, 1)
            _mark()
            os._exit(0)
        os.wait()
        os._exit(0)
    time.sleep(0.05)
    recorder = new_recorder(follow_pid=top, follow_only=False)
    os.write(writer, b"x")
    os.waitpid(top, 0)
    time.sleep(0.02)
    got = Recording()
    got.samples += recorder.existing.samples
    while len(batch := recorder.session.poll()):
        got.add(batch)
    os.close(reader)
    os.close(writer)
    assert _state(got)["ppid"] == top
    assert {got.process(e)["pid"] for _, e in got.samples if "nr" in e} <= {top, _state(got)["pid"]}
