"""Calls about files: every parameter against what was done."""

# The calls are what is tested, so they are made as they are.
# ruff: noqa: PTH101, PTH102, PTH104, PTH106, PTH211

import contextlib
import ctypes
import errno
import os
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from falcotrace.record.syscalls import load_syscalls
from live.behaviours.calls.observing import Observed

pytestmark = pytest.mark.live

Observe = Callable[[Callable[[], object]], Observed]
NUMBERS = {call.name: call.numbers.get(os.uname().machine, -1) for call in load_syscalls()}


def test_openat_with_flags_mode_and_descriptor(observe: Observe, tmp_path: Path) -> None:
    """Names, flags in Falco's order with what the kernel found out, mode, device and inode."""

    def make() -> None:
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
        os.umask(0o022)
        os.open(tmp_path / "made", flags, 0o4751)

    event = observe(make).last("openat")
    status = (tmp_path / "made").stat()
    assert event["evt.res"] == "SUCCESS"
    assert event["evt.rawres"] == event["fd.num"] == event["evt.rawarg.fd"]
    assert event["evt.arg.fd"] == f"<f>{tmp_path}/made"
    assert event["evt.arg.dirfd"] == "AT_FDCWD"
    assert event["evt.rawarg.dirfd"] == -100
    assert event["evt.arg.name"] == f"{tmp_path}/made"
    assert event["evt.arg.flags"] == "O_EXCL|O_APPEND|O_CREAT|O_RDWR|O_CLOEXEC|O_F_CREATED"
    assert event["evt.rawarg.flags"] == 32 | 8 | 4 | 3 | 4096 | 16384
    assert event["evt.arg.mode"] == "04751"
    assert event["evt.rawarg.mode"] == 0o4751
    assert event["evt.arg.ino"] == event["fd.ino"] == status.st_ino
    assert event["fd.dev"] == status.st_dev
    assert event["fd.name"] == event["fd.path"] == event["fd.nameraw"] == f"{tmp_path}/made"
    assert event["fd.type"] == "file"
    assert event["fd.name_changed"] is True
    assert event["fs.path.name"] == event["fs.path.nameraw"] == f"{tmp_path}/made"


def test_mode_counts_only_where_a_file_is_created(observe: Observe) -> None:
    """The register of the mode is rubbish for other opens; rules would see permissions in it."""
    event = observe(lambda: os.open("/etc/passwd", os.O_RDONLY, 0o777)).last("openat")
    assert event["evt.rawarg.mode"] == 0
    assert event["evt.arg.mode"] == "0"
    assert event["evt.arg.flags"] == "O_RDONLY|O_CLOEXEC"


def test_relative_path_follows_chdir(observe: Observe, tmp_path: Path) -> None:
    """A relative name is joined with the directory that chdir set; the name as given stays."""
    (tmp_path / "down" / "deep").mkdir(parents=True)
    (tmp_path / "down" / "file").touch()

    def go() -> None:
        os.chdir(tmp_path / "down")
        os.chdir("deep")
        os.open("..//./deep/../file", os.O_RDONLY)

    got = observe(go)
    event = got.last("openat")
    assert event["fd.name"] == event["evt.arg.name"] == f"{tmp_path}/down/file"
    assert event["evt.rawarg.name"] == "..//./deep/../file"
    assert event["fd.nameraw"] == ".././deep/../file"
    assert event["proc.cwd"] == f"{tmp_path}/down/deep/"
    first, second = got.all("chdir")[-2:]
    assert first["evt.arg.path"] == f"{tmp_path}/down"
    assert second["evt.arg.path"] == "deep"
    assert first["proc.cwd"] == f"{tmp_path}/down/"


def test_relative_path_follows_fchdir(observe: Observe, tmp_path: Path) -> None:
    """Changing the directory through a descriptor counts as well."""
    (tmp_path / "file").touch()

    def go() -> None:
        os.fchdir(os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY))
        os.open("file", os.O_RDONLY)

    got = observe(go)
    assert got.last("openat")["fd.name"] == f"{tmp_path}/file"
    assert got.last("fchdir")["evt.arg.fd"] == f"<d>{tmp_path}"


def test_path_below_a_descriptor(observe: Observe, tmp_path: Path) -> None:
    """A name relative to a directory's descriptor is joined with that directory's name."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").touch()

    def go() -> None:
        outer = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        inner = os.open("sub", os.O_RDONLY | os.O_DIRECTORY, dir_fd=outer)
        os.open("../sub/file", os.O_RDONLY, dir_fd=inner)

    event = observe(go).last("openat")
    assert event["fd.name"] == f"{tmp_path}/sub/file"
    assert event["evt.arg.dirfd"] == f"<d>{tmp_path}/sub"
    assert event["evt.rawarg.name"] == "../sub/file"


def test_unknown_directory_is_said_to_be_unknown(observe: Observe, libc: ctypes.CDLL) -> None:
    """A descriptor that is not open names no directory; the working directory would be a lie."""
    event = observe(lambda: libc.openat(977, b"file", 0)).last("openat")
    assert event["evt.res"] == "EBADF"
    assert event["evt.arg.name"] == event["fd.name"] == "<UNKNOWN>/file"
    assert event["evt.arg.dirfd"] == "977"


def test_symbolic_links_are_not_followed_in_names(observe: Observe, tmp_path: Path) -> None:
    """`fd.name` is what the program said, `fd.path` what the kernel found."""
    (tmp_path / "target").touch()
    (tmp_path / "link").symlink_to("target")
    event = observe(lambda: os.open(tmp_path / "link", os.O_RDONLY)).last("openat")
    assert event["fd.name"] == f"{tmp_path}/link"
    assert event["fd.path"] == f"{tmp_path}/target"


def test_directory_only_where_it_was_asked_for(observe: Observe, tmp_path: Path) -> None:
    """Rules take a directory for a file unless the open says O_DIRECTORY, as in Falco."""

    def go() -> None:
        os.open(tmp_path, os.O_RDONLY)
        os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)

    plain, asked = observe(go).all("openat", fd__name=str(tmp_path))[-2:]
    assert (plain["fd.type"], asked["fd.type"]) == ("file", "directory")
    assert "O_DIRECTORY" in asked["evt.arg.flags"]
    assert "O_TMPFILE" not in asked["evt.arg.flags"]


def test_temporary_file(observe: Observe, tmp_path: Path) -> None:
    """O_TMPFILE makes a file without a name; the open names the directory."""
    flags = os.O_TMPFILE | os.O_RDWR
    event = observe(lambda: os.open(tmp_path, flags, 0o600)).last("openat")
    assert event["evt.arg.flags"] == "O_DIRECTORY|O_RDWR|O_CLOEXEC|O_TMPFILE"
    assert event["evt.rawarg.mode"] == 0o600
    assert event["fd.name"] == str(tmp_path)
    assert event["fd.type"] == "file"


def test_openat2(observe: Observe, libc: ctypes.CDLL, tmp_path: Path) -> None:
    """Flags, mode and the restrictions come out of the struct."""
    how = struct.pack("<QQQ", os.O_CREAT | os.O_WRONLY, 0o640, 0x04)
    name = os.fsencode(tmp_path / "made")
    got = observe(lambda: libc.syscall(NUMBERS["openat2"], -100, name, how, len(how)))
    event = got.last("openat2")
    assert event["evt.arg.flags"] == "O_CREAT|O_WRONLY|O_F_CREATED"
    assert event["evt.rawarg.mode"] == 0o640
    assert event["evt.arg.resolve"] == "RESOLVE_NO_SYMLINKS"
    assert event["fd.name"] == f"{tmp_path}/made"


@pytest.mark.skipif(NUMBERS["creat"] < 0, reason="no creat on this architecture")
def test_open_and_creat(observe: Observe, libc: ctypes.CDLL, tmp_path: Path) -> None:
    """The old calls without a directory."""
    name = os.fsencode(tmp_path / "made")

    def go() -> None:
        libc.syscall(NUMBERS["creat"], name, 0o711)
        libc.syscall(NUMBERS["open"], name, os.O_RDWR | os.O_TRUNC, 0)

    got = observe(go)
    created, opened = got.last("creat"), got.last("open")
    assert created["evt.arg.mode"] == "0711"
    assert created["fd.name"] == opened["fd.name"] == f"{tmp_path}/made"
    assert created["evt.arg.name"] == f"{tmp_path}/made"
    assert opened["evt.arg.flags"] == "O_TRUNC|O_RDWR"
    assert created["evt.arg.creat_flags"] == "0"


def test_failed_open_has_the_path_and_no_descriptor(observe: Observe) -> None:
    """Falco's rules find failed opens by fd.num = -1, and the attempted path in fd.name."""

    def fail() -> None:
        for path in ("/nonexistent/../nowhere", "/etc/passwd/x"):
            with contextlib.suppress(OSError):
                os.open(path, os.O_RDONLY)

    first, second = observe(fail).all("openat", fd__num=-1)[-2:]
    assert (first["evt.res"], first["evt.rawres"]) == ("ENOENT", -errno.ENOENT)
    assert first["fd.name"] == "/nowhere"
    assert first["fd.nameraw"] == "/nonexistent/../nowhere"
    assert first["fd.type"] is None
    assert first["evt.arg.fd"] == "ENOENT"
    assert first["evt.rawarg.fd"] == -errno.ENOENT
    assert second["evt.res"] == "ENOTDIR"


def test_renames(observe: Observe, libc: ctypes.CDLL, tmp_path: Path) -> None:
    """Old and new path, each with its own directory, and the flags of renameat2."""
    (tmp_path / "a").touch()
    (tmp_path / "other").mkdir()

    def go() -> None:
        os.chdir(tmp_path)
        first = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        second = os.open(tmp_path / "other", os.O_RDONLY | os.O_DIRECTORY)
        os.rename("a", "b", src_dir_fd=first, dst_dir_fd=second)
        libc.syscall(NUMBERS["renameat2"], second, b"b", -100, b"c", 1)
        os.rename("c", tmp_path / "d")

    got = observe(go)
    event = got.last("renameat")
    assert event["evt.arg.oldpath"] == f"{tmp_path}/a"
    assert event["evt.arg.newpath"] == f"{tmp_path}/other/b"
    assert event["evt.rawarg.oldpath"] == "a"
    assert event["evt.arg.olddirfd"] == f"<d>{tmp_path}"
    assert event["evt.arg.newdirfd"] == f"<d>{tmp_path}/other"
    assert (event["fs.path.source"], event["fs.path.sourceraw"]) == (f"{tmp_path}/a", "a")
    assert (event["fs.path.target"], event["fs.path.targetraw"]) == (f"{tmp_path}/other/b", "b")
    event = got.last("renameat2")
    assert event["evt.arg.flags"] == "RENAME_NOREPLACE"
    assert event["evt.arg.newdirfd"] == "AT_FDCWD"
    assert event["evt.arg.newpath"] == f"{tmp_path}/c"
    if NUMBERS["rename"] >= 0:
        event = got.last("rename")
        assert (event["evt.arg.oldpath"], event["evt.arg.newpath"]) == (
            f"{tmp_path}/c",
            f"{tmp_path}/d",
        )


def test_links(observe: Observe, tmp_path: Path) -> None:
    """A hard link's new name is Falco's source; a symbolic link's target is as given."""
    (tmp_path / "a").touch()

    def go() -> None:
        here = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        os.link("a", "hard", src_dir_fd=here, dst_dir_fd=here)
        os.symlink("../x/a", "soft", dir_fd=here)
        os.link(tmp_path / "a", tmp_path / "hard2")
        os.symlink("/etc/shadow", tmp_path / "soft2")

    got = observe(go)
    event = got.all("linkat")[0]
    assert (event["evt.arg.oldpath"], event["evt.arg.newpath"]) == (
        f"{tmp_path}/a",
        f"{tmp_path}/hard",
    )
    assert (event["fs.path.source"], event["fs.path.target"]) == (
        f"{tmp_path}/hard",
        f"{tmp_path}/a",
    )
    event = got.all("symlinkat")[0]
    assert event["evt.arg.target"] == "../x/a"
    assert event["evt.arg.linkpath"] == f"{tmp_path}/soft"
    assert event["evt.arg.linkdirfd"] == f"<d>{tmp_path}"
    assert event["fs.path.target"] == str(tmp_path.parent / "x" / "a")
    event = got.last("symlink", "symlinkat")
    assert event["evt.arg.target"] == event["fs.path.target"] == "/etc/shadow"
    assert event["evt.arg.linkpath"] == event["fs.path.source"] == f"{tmp_path}/soft2"


def test_directories_made_and_removed(observe: Observe, tmp_path: Path) -> None:
    """Mkdir's mode, rmdir as unlinkat's flag, and the path of a removed file."""
    (tmp_path / "file").touch()

    def go() -> None:
        os.chdir(tmp_path)
        here = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        os.mkdir("made", 0o1770, dir_fd=here)
        os.rmdir("made", dir_fd=here)
        os.unlink("file", dir_fd=here)
        os.mkdir("again")
        os.rmdir("again")

    got = observe(go)
    event = got.all("mkdirat")[0]
    assert event["evt.arg.path"] == event["fs.path.name"] == f"{tmp_path}/made"
    assert event["evt.rawarg.mode"] == 0o1770
    removed, unlinked = got.all("unlinkat")[:2]
    assert removed["evt.arg.flags"] == "AT_REMOVEDIR"
    assert removed["evt.arg.name"] == removed["fs.path.name"] == f"{tmp_path}/made"
    assert unlinked["evt.arg.name"] == f"{tmp_path}/file"
    assert unlinked["evt.rawarg.flags"] == 0
    if NUMBERS["mkdir"] >= 0:
        assert got.last("mkdir")["evt.arg.path"] == f"{tmp_path}/again"
        assert got.last("rmdir")["evt.arg.path"] == f"{tmp_path}/again"


def test_permissions_and_owners(observe: Observe, tmp_path: Path) -> None:
    """The chmod and chown families: the mode as rules compare it, owners as numbers."""
    file = tmp_path / "file"
    file.touch()

    def go() -> None:
        fd = os.open(file, os.O_RDWR)
        os.chmod(file, 0o4755)
        os.fchmod(fd, 0o2750)
        os.chown(file, 1, 2)
        os.fchown(fd, 0, 0)
        os.lchown(file, 54321, -1)

    got = observe(go)
    event = got.last("chmod", "fchmodat")
    assert event["evt.arg.filename"] == event["fs.path.name"] == str(file)
    assert event["evt.arg.mode"] == (
        "S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID"
    )
    assert event["evt.rawarg.mode"] == 0o4755
    event = got.last("fchmod")
    assert "S_ISGID" in event["evt.arg.mode"]
    assert event["fd.name"] == event["fs.path.name"] == str(file)
    assert event["evt.arg.fd"] == f"<f>{file}"
    event = got.all("chown", "fchownat")[0]
    assert (event["evt.arg.uid"], event["evt.arg.gid"]) == ("1", "2")
    assert (event["evt.rawarg.uid"], event["evt.rawarg.gid"]) == (1, 2)
    event = got.last("fchown")
    assert (event["evt.arg.uid"], event["fd.name"]) == ("0", str(file))
    event = got.last("lchown", "fchownat")
    assert (event["evt.arg.uid"], event["evt.arg.gid"]) == ("54321", "-1")


def test_traffic(observe: Observe, libc: ctypes.CDLL, tmp_path: Path) -> None:
    """Reads and writes say how much was asked for, how much came, and of which file."""

    def go() -> None:
        fd = os.open(tmp_path / "f", os.O_RDWR | os.O_CREAT)
        os.write(fd, b"0123456789")
        os.lseek(fd, 2, os.SEEK_SET)
        os.read(fd, 100)
        os.pread(fd, 3, 7)
        os.close(fd)
        libc.read(fd, ctypes.create_string_buffer(4), 4)

    got = observe(go)
    name = f"{tmp_path}/f"
    event = got.last("write", fd__name=name)
    assert (event["evt.rawres"], event["evt.arg.size"]) == (10, 10)
    event = got.last("read", fd__name=name)
    assert (event["evt.rawres"], event["evt.arg.size"]) == (8, 100)
    event = got.last("pread", fd__name=name)
    assert (event["evt.rawres"], event["evt.arg.pos"]) == (3, 7)
    event = got.last("lseek")
    assert (event["evt.rawres"], event["evt.arg.whence"]) == (2, "SEEK_SET")
    event = got.last("close", fd__name=name)
    assert event["fd.type"] == "file"
    event = got.last("read")
    assert (event["evt.res"], event["fd.name"], event["fd.type"]) == ("EBADF", "", None)


def test_copies_of_descriptors(observe: Observe) -> None:
    """dup, dup2, dup3 and fcntl: the event is about the new descriptor, with the file's name."""
    import fcntl

    # Numbers that nothing in this process uses: dup2 would close it.
    def go() -> None:
        fd = os.open("/etc/passwd", os.O_RDONLY)
        os.dup(fd)
        os.dup2(fd, 940, inheritable=True)
        os.dup2(fd, 941, inheritable=False)
        fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 950)
        fcntl.fcntl(fd, fcntl.F_GETFD)

    got = observe(go)
    for event in (got.last("dup2", "dup3", evt__rawres=940), got.last("dup3", evt__rawres=941)):
        assert event["fd.num"] == event["evt.rawres"]
        assert event["fd.name"] == "/etc/passwd"
        assert event["fd.name_changed"] is False
        assert event["evt.arg.newfd"] == event["evt.arg.oldfd"] == "<f>/etc/passwd"
        assert event["evt.arg.res"] == "<f>/etc/passwd"
    assert got.last("dup3", evt__rawres=941)["evt.arg.flags"] == "O_CLOEXEC"
    event = got.last("fcntl", evt__arg__cmd="F_DUPFD_CLOEXEC")
    assert (event["fd.num"], event["fd.name"]) == (950, "/etc/passwd")
    event = got.last("fcntl", evt__arg__cmd="F_GETFD")
    assert event["evt.arg.res"] == "1"
    assert event["fd.name"] == "/etc/passwd"
    event = got.last("dup", "fcntl", fd__name="/etc/passwd")
    assert event["evt.res"] == "SUCCESS"


def test_dup_that_fails(observe: Observe, libc: ctypes.CDLL) -> None:
    """Nothing new: no descriptor, the error's name."""
    event = observe(lambda: libc.dup(99_999)).last("dup")
    assert (event["evt.res"], event["fd.num"], event["fd.type"]) == ("EBADF", -1, None)
    assert event["evt.arg.res"] == "EBADF"


def test_pipes(observe: Observe) -> None:
    """Two descriptors, a pipe's type, an empty name; flags only where they were given."""

    def go() -> None:
        reader, writer = os.pipe()
        os.write(writer, b"x")
        os.read(reader, 1)

    got = observe(go)
    event = got.last("pipe2")
    assert event["evt.arg.flags"] == "O_CLOEXEC"
    assert event["evt.rawarg.fd1"] != event["evt.rawarg.fd2"] == event["fd.num"]
    assert event["evt.arg.fd1"] == event["evt.arg.fd2"] == "<p>"
    assert (event["fd.type"], event["fd.name"]) == ("pipe", "")
    assert got.last("write")["fd.type"] == got.last("read")["fd.type"] == "pipe"


def test_anonymous_files(observe: Observe, libc: ctypes.CDLL) -> None:
    """memfd, eventfd, epoll, timerfd, inotify: each with its type."""

    def go() -> None:
        os.memfd_create("a name", os.MFD_CLOEXEC)
        libc.eventfd(3, 0)
        libc.epoll_create1(0)
        libc.timerfd_create(1, 0)
        libc.inotify_init1(0)

    got = observe(go)
    event = got.last("memfd_create")
    assert event["evt.arg.name"] == event["fd.name"] == "a name"
    assert event["evt.arg.flags"] == "MFD_CLOEXEC"
    assert event["fd.type"] == "memfd"
    types = {
        "eventfd2": "event",
        "epoll_create1": "eventpoll",
        "timerfd_create": "timerfd",
        "inotify_init1": "inotify",
    }
    assert {name: got.last(name)["fd.type"] for name in types} == types
    assert got.last("eventfd2")["evt.arg.initval"] == 3
    assert got.last("eventfd2")["evt.arg.flags"] == "O_NONE"


def test_splice_is_about_its_destination(observe: Observe, libc: ctypes.CDLL) -> None:
    """Of two descriptors Falco's event is about the one that is written to."""

    def go() -> None:
        writer = os.pipe()[1]
        file = os.open("/etc/passwd", os.O_RDONLY)
        libc.splice(file, None, writer, None, 4, 0)
        os.sendfile(os.open("/dev/null", os.O_WRONLY), file, 0, 5)

    got = observe(go)
    event = got.last("splice")
    assert event["fd.type"] == "pipe"
    assert event["evt.arg.fd_in"] == "<f>/etc/passwd"
    assert event["evt.arg.fd_out"] == "<p>"
    event = got.last("sendfile")
    assert (event["fd.name"], event["evt.arg.in_fd"]) == ("/dev/null", "<f>/etc/passwd")


def test_mounts_in_a_namespace_of_ones_own(
    observe: Observe, libc: ctypes.CDLL, tmp_path: Path
) -> None:
    """Device, directory, type and flags of a mount; the name of an umount."""

    def go() -> None:
        libc.unshare(0x00020000)
        libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None)
        os.chdir(tmp_path)
        (tmp_path / "at").mkdir()
        libc.mount(b"something", b"at", b"tmpfs", 0x2 | 0x8, None)
        libc.umount2(b"at", 2)

    got = observe(go)
    assert got.last("unshare")["evt.arg.flags"] == "CLONE_NEWNS"
    event = got.last("mount")
    assert event["evt.res"] == "SUCCESS"
    assert event["evt.arg.dev"] == "something"
    assert event["evt.arg.dir"] == f"{tmp_path}/at"
    assert event["evt.rawarg.dir"] == "at"
    assert event["evt.arg.type"] == "tmpfs"
    assert event["evt.arg.flags"] == "NOSUID|NOEXEC"
    event = got.last("umount2")
    assert event["evt.arg.name"] == f"{tmp_path}/at"
    assert event["evt.arg.flags"] == "DETACH"


def test_path_that_is_not_text(observe: Observe) -> None:
    """Bytes that are no UTF-8 are kept, one code point each, and come back as they were."""
    from falcotrace.events.text import to_bytes

    with tempfile.TemporaryDirectory() as folder:
        name = os.fsencode(folder) + b"/odd\xff\xfe name\n"
        event = observe(lambda: os.open(name, os.O_CREAT | os.O_WRONLY)).last("openat")
    assert to_bytes(event["fd.name"]) == name
    assert to_bytes(event["fd.path"]) == name


def test_cut_argument_is_marked(observe: Observe, libc: ctypes.CDLL) -> None:
    """A path longer than any that the kernel takes is cut and the event says so."""
    got = observe(lambda: libc.syscall(NUMBERS["unlinkat"], -100, b"/" + b"x" * 5000, 0))
    event = got.last("unlinkat")
    assert event["evt.truncated"] is True
    assert event["evt.res"] == "ENAMETOOLONG"
    assert event["evt.arg.name"] == "/DIR_TOO_LONG/FILENAME_TOO_LONG"
