# ruff: noqa: PTH104, PTH106, PTH109, PTH110, PTH116, PTH208, FBT001, RUF100
# System calls are made by their own names here.
"""Open files: identity across dup, fork and close, and what a description tells."""

import ctypes
import fcntl
import os
import select
import socket
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from falcotrace.record.layout import FileFlag, FileKind, HeaderFlag, PartKind, SampleType
from live.kernel.recording import Recorder, Recording, part, strings

pytestmark = pytest.mark.live

Record = Callable[[Callable[[], object]], Recording]
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def test_opened_file_is_described(record: Record, tmp_path: Path) -> None:
    """An open's file tells path, inode, device, type, flags and that this open created it."""
    path = tmp_path / "made"
    got = record(lambda: os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o640))
    event = got.calls("openat")[-1]
    file = got.file(event["file_id"])
    status = path.stat()
    assert event["flags"] & HeaderFlag.RESULT_FD
    assert file["path"] == os.fsencode(path)
    assert (file["ino"], file["dev"], file["mode"]) == (
        status.st_ino,
        status.st_dev,
        status.st_mode,
    )
    assert file["kind"] == FileKind.PATH
    assert file["file_flags"] & FileFlag.CREATED
    assert file["open_flags"] & os.O_ACCMODE == os.O_WRONLY
    assert file["fd"] == event["ret"]
    assert file["tid"] == got.pid


def test_existing_file_was_not_created(record: Record) -> None:
    """O_CREAT on a file that exists creates nothing, and the description says so."""
    with tempfile.NamedTemporaryFile() as made:
        got = record(lambda: os.open(made.name, os.O_CREAT | os.O_RDWR))
    assert not got.file(got.calls("openat")[-1]["file_id"])["file_flags"] & FileFlag.CREATED


def test_kernel_path_resolves_links(record: Record, tmp_path: Path) -> None:
    """The event has the path as given, the file the one the kernel found."""
    (tmp_path / "target").touch()
    (tmp_path / "link").symlink_to("target")
    given = os.fsencode(tmp_path / "." / "link")
    got = record(lambda: os.open(given, os.O_RDONLY))
    event = got.calls("openat")[-1]
    assert strings(event) == [given]
    assert got.file(event["file_id"])["path"] == os.fsencode(tmp_path / "target")


def test_each_open_is_another_file(record: Record) -> None:
    """Two opens of one path are two open files, even where the kernel reuses the address."""

    def open_twice() -> None:
        for _ in range(8):
            os.close(os.open("/etc/passwd", os.O_RDONLY))

    got = record(open_twice)
    opened = [event["file_id"] for event in got.calls("openat")[-8:]]
    closed = [event["file_id"] for event in got.calls("close")[-8:]]
    assert len(set(opened)) == 8
    assert closed == opened


def test_traffic_names_the_open_file(record: Record) -> None:
    """Reads and writes carry the number of the file that was opened."""

    def use() -> None:
        fd = os.open("/tmp", os.O_TMPFILE | os.O_RDWR)
        os.write(fd, b"abc")
        os.pread(fd, 3, 0)
        os.fstat(fd)

    got = record(use)
    file_id = got.calls("openat")[-1]["file_id"]
    assert got.calls("write")[-1]["file_id"] == file_id
    assert got.calls("pread64")[-1]["file_id"] == file_id
    assert got.file(file_id)["open_flags"] & os.O_TMPFILE == os.O_TMPFILE


def test_directory_arguments_are_files(record: Record, tmp_path: Path) -> None:
    """A path relative to a descriptor carries the directory's file, AT_FDCWD carries none."""

    def make() -> None:
        directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        os.mkdir("made", dir_fd=directory)
        os.rename("made", tmp_path / "moved", src_dir_fd=directory)

    got = record(make)
    directory = got.calls("openat")[-1]["file_id"]
    assert got.calls("mkdirat")[-1]["dir_file_id"] == [directory, 0]
    assert got.calls("renameat")[-1]["dir_file_id"] == [directory, 0]
    assert stat.S_ISDIR(got.file(directory)["mode"])


def test_dup_is_the_same_file(record: Record) -> None:
    """dup, dup2, dup3, fcntl and fork give other descriptors of one open file."""

    def copy() -> None:
        fd = os.open("/dev/null", os.O_WRONLY)
        libc.dup(fd)
        fcntl.fcntl(fd, fcntl.F_DUPFD, 950)
        os.dup2(fd, 970)
        pid = os.fork()
        if not pid:
            os.write(970, b"child")
            os._exit(0)
        os.waitpid(pid, 0)

    got = record(copy)
    file_id = got.call("openat", ret=got.calls("openat")[-1]["ret"])["file_id"]
    for name in ("dup", "fcntl", "write"):
        assert got.calls(name)[-1]["file_id"] == file_id, name
    dup = (got.calls("dup2") or got.calls("dup3"))[-1]
    assert dup["file_id"] == file_id
    assert dup["flags"] & HeaderFlag.RESULT_FD
    assert dup["ret"] == 970
    assert got.file(file_id)["path"] == b"/dev/null"
    assert got.file(file_id)["rdev"] == os.stat("/dev/null").st_rdev


def test_fcntl_without_new_descriptor(record: Record) -> None:
    """F_GETFD's result is a number and no descriptor: the file is the argument's."""

    def ask() -> None:
        fd = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        fcntl.fcntl(fd, fcntl.F_GETFD)

    got = record(ask)
    event = got.calls("fcntl")[-1]
    assert event["file_id"] == got.calls("openat")[-1]["file_id"]
    assert not event["flags"] & HeaderFlag.RESULT_FD


def test_dup_over_an_open_file_tells_what_it_closed(record: Record) -> None:
    """dup2 onto a descriptor in use closes a file: its number is the second file."""

    def replace() -> None:
        first = os.open("/dev/null", os.O_WRONLY)
        second = os.open("/dev/zero", os.O_RDONLY)
        free = os.dup(first)
        os.close(free)
        libc.dup3(first, second, os.O_CLOEXEC)
        libc.dup3(first, free, 0)

    got = record(replace)
    first, second = (event["file_id"] for event in got.calls("openat")[-2:])
    closing, fresh = got.calls("dup3")[-2:]
    assert (closing["file_id"], closing["other_file_id"]) == (first, second)
    assert (fresh["file_id"], fresh["other_file_id"]) == (first, 0)


def test_close_tells_what_was_closed(record: Record) -> None:
    """At a close's return the descriptor is gone; the event names its file all the same."""

    def close() -> None:
        free = os.open("/etc/hostname", os.O_RDONLY)
        os.close(free)
        libc.close(free)

    got = record(close)
    good, bad = got.calls("close")[-2:]
    assert good["flags"] & HeaderFlag.CLOSED
    assert got.file(good["file_id"])["path"] == b"/etc/hostname"
    assert (bad["file_id"], bad["ret"]) == (0, -9)


def test_close_without_tracepoints(
    new_recorder: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where tracepoints of single calls cannot be used, the hook at all entries does the same."""
    monkeypatch.setattr("falcotrace.record.session.has_tracepoint", lambda _: False)
    got = new_recorder().run(lambda: os.close(os.open("/etc/hostname", os.O_RDONLY)))
    assert got.file(got.calls("close")[-1]["file_id"])["path"] == b"/etc/hostname"


def test_close_of_an_inherited_file(record: Record) -> None:
    """A child that closes what it inherited names the file that its parent opened."""

    def fork() -> None:
        fd = os.open("/etc/hostname", os.O_RDONLY)
        pid = os.fork()
        if not pid:
            os.close(fd)
            os._exit(0)
        os.waitpid(pid, 0)

    got = record(fork)
    opened = got.calls("openat")[-1]
    closed = got.call("close", a0=opened["ret"])
    assert got.process(closed)["pid"] != got.process(opened)["pid"]
    assert closed["file_id"] == opened["file_id"]


def test_pipes_are_two_files(record: Record) -> None:
    """pipe2 makes two open files of one inode, and its two descriptors travel."""
    got = record(os.pipe)
    event = got.calls("pipe2")[-1]
    ends = [got.file(event["file_id"]), got.file(event["other_file_id"])]
    fds = part(event, PartKind.BYTES)
    assert [end["kind"] for end in ends] == [FileKind.PIPE] * 2
    assert ends[0]["ino"] == ends[1]["ino"]
    assert b"".join(end["fd"].to_bytes(4, "little") for end in ends) == fds
    assert [end["open_flags"] & os.O_ACCMODE for end in ends] == [os.O_RDONLY, os.O_WRONLY]


@pytest.mark.parametrize(
    ("call", "arguments", "name"),
    [
        ("eventfd2", (1, 0), b"[eventfd]"),
        ("epoll_create1", (0,), b"[eventpoll]"),
        ("timerfd_create", (1, 0), b"[timerfd]"),
        ("inotify_init1", (0,), b"inotify"),
        ("signalfd4", (-1, ctypes.create_string_buffer(8), 8, 0), b"[signalfd]"),
        ("pidfd_open", (1, 0), b"[pidfd]"),
    ],
)
def test_anonymous_files_have_their_kind_as_name(
    record: Record, call: str, arguments: tuple[object, ...], name: bytes
) -> None:
    """What has no path is told by the name that the kernel gives its inode."""
    from falcotrace.record.syscalls import syscalls_by_number

    number = {row.name: nr for nr, row in syscalls_by_number(os.uname().machine).items()}[call]
    got = record(lambda: libc.syscall(number, *arguments))
    event = got.calls(call)[-1]
    assert event["ret"] >= 0
    file = got.file(event["file_id"])
    assert (file["kind"], file["name"]) == (FileKind.ANON, name)


def test_memfd_has_its_name(record: Record) -> None:
    """A file in memory is told apart, by the name that the program gave it."""
    got = record(lambda: os.memfd_create("secret", 0))
    event = got.calls("memfd_create")[-1]
    file = got.file(event["file_id"])
    assert strings(event) == [b"secret"]
    assert (file["kind"], file["name"]) == (FileKind.MEMFD, b"memfd:secret")


def test_unlinked_file_is_marked(record: Record, tmp_path: Path) -> None:
    """A file that is unlinked when it is first seen has its last path, marked as deleted."""
    path = tmp_path / "gone"
    with path.open("w") as file:
        path.unlink()
        got = record(
            lambda: os.read(file.fileno(), 0) if file.readable() else os.fstat(file.fileno())
        )
        event = (got.calls("fstat") or got.calls("newfstatat"))[-1]
    found = [sample for sample in got.of(SampleType.FILE) if sample["path"] == os.fsencode(path)]
    assert found
    assert found[-1]["file_flags"] & FileFlag.DELETED
    assert event["ret"] == 0


def test_deep_path_is_walked(record: Record, tmp_path: Path) -> None:
    """Sixty directories, and names of 255 bytes, are within the walk."""
    deep = tmp_path.joinpath(*["d"] * 60)
    long = tmp_path.joinpath(*["n" * 255] * 10)
    for place in (deep, long):
        place.mkdir(parents=True)

    def open_both() -> None:
        os.open(deep, os.O_RDONLY)
        os.open(long, os.O_RDONLY)

    got = record(open_both)
    files = [got.file(event["file_id"]) for event in got.calls("openat")[-2:]]
    assert [file["path"] for file in files] == [os.fsencode(deep), os.fsencode(long)]
    assert not any(file["file_flags"] & FileFlag.PATH_CUT for file in files)


def test_deeper_path_is_cut_and_marked(record: Record, tmp_path: Path) -> None:
    """Beyond the limit the path's end is kept, and marked: a wrong path would mislead."""
    deep = tmp_path.joinpath(*["d"] * 200)
    deep.mkdir(parents=True)
    got = record(lambda: os.open(deep, os.O_RDONLY))
    file = got.file(got.calls("openat")[-1]["file_id"])
    assert file["file_flags"] & FileFlag.PATH_CUT
    assert file["path"].endswith(b"/d/d/d")
    assert os.fsencode(deep).endswith(file["path"])


def test_mounts_are_crossed(record: Record, tmp_path: Path) -> None:
    """A path goes through mount points, and an overlay's layers are told."""
    for name in ("lower", "upper", "work", "merged"):
        (tmp_path / name).mkdir()
    (tmp_path / "lower" / "below").touch()
    options = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    merged = tmp_path / "merged"

    def mount() -> None:
        os.system("true")
        libc.unshare(0x20000)
        libc.mount(None, b"/", None, (1 << 18) | (1 << 14), None)
        tmpfs = libc.mount(b"tmpfs", os.fsencode(tmp_path / "work"), b"tmpfs", 0, None)
        for name in ("u", "w"):
            (tmp_path / "work" / name).mkdir()
        (tmp_path / "work" / "file").touch()
        os.open(tmp_path / "work" / "file", os.O_RDONLY)
        changed = options.replace("/upper", "/work/u").replace(
            f"workdir={tmp_path}/work", f"workdir={tmp_path}/work/w"
        )
        if libc.mount(b"overlay", os.fsencode(merged), b"overlay", 0, changed.encode()) == 0:
            os.open(merged / "below", os.O_RDONLY)
            (merged / "above").touch()
            os.open(merged / "above", os.O_RDONLY)
        assert tmpfs == 0

    got = record(mount)
    paths = {file["path"]: file for file in got.of(SampleType.FILE)}
    assert os.fsencode(tmp_path / "work" / "file") in paths
    if os.fsencode(merged / "below") not in paths:
        pytest.skip("this kernel has no overlayfs")
    assert paths[os.fsencode(merged / "below")]["file_flags"] & FileFlag.LOWER_LAYER
    assert paths[os.fsencode(merged / "above")]["file_flags"] & FileFlag.UPPER_LAYER


def test_second_descriptor_of_two(record: Record) -> None:
    """Calls with two descriptors tell both files."""

    def use() -> None:
        reader, writer = os.pipe()
        os.sendfile(writer, os.open("/etc/passwd", os.O_RDONLY), 0, 8)
        poll = select.epoll()
        poll.register(reader)

    got = record(use)
    pipe, opened = got.calls("pipe2")[-1], got.calls("openat")[-1]
    sent, watched = got.calls("sendfile")[-1], got.calls("epoll_ctl")[-1]
    assert (sent["file_id"], sent["other_file_id"]) == (pipe["other_file_id"], opened["file_id"])
    assert watched["other_file_id"] == pipe["file_id"]
    assert got.file(watched["file_id"])["name"] == b"[eventpoll]"


def test_passed_descriptor_is_the_same_file(record: Record) -> None:
    """A file received through a unix socket is the one that was opened by its sender."""

    def pass_one() -> None:
        here, there = socket.socketpair()
        fd = os.open("/etc/passwd", os.O_RDONLY)
        socket.send_fds(here, [b"x"], [fd])
        os.close(fd)
        _, (received,), _, _ = socket.recv_fds(there, 1, 1)
        os.read(received, 1)

    got = record(pass_one)
    assert got.calls("read")[-1]["file_id"] == got.calls("openat")[-1]["file_id"]
    assert part(got.calls("recvmsg")[-1], PartKind.MSG_CONTROL)


def test_file_that_was_open_before(new_recorder: Callable[..., Recorder], tmp_path: Path) -> None:
    """A file opened before the recording is described once more than nothing: with its path."""
    path = tmp_path / "before"
    with path.open("w") as file:
        recorder = new_recorder(follow_only=False)
        found = [f for f in recorder.existing.of(SampleType.FILE) if f["path"] == os.fsencode(path)]
        assert found
        assert found[0]["flags"] & HeaderFlag.SNAPSHOT
        got = recorder.run(lambda: os.write(file.fileno(), b"x"))
        # The whole host is recorded here: others may write at the same time.
        assert found[0]["file_id"] in {event["file_id"] for event in got.calls("write")}
