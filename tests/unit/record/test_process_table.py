"""The process columns of a state."""

from typing import Any

from falcotrace.record.layout import ImageFlag, ProcessFlag, SampleType
from unit.record.made_samples import BOOT_NS, Conversion, Row, Stream


def _row(image: dict[str, Any] | None = None, groups: bytes = b"", **members: Any) -> Row:
    stream = Stream()
    stream.image(1, **(image or {}))
    if groups:
        stream.add(SampleType.CGROUPS, [groups, b""], cgroups_id=1, paths_len=len(groups))
        members["cgroups_id"] = 1
    stream.process(1, **members)
    stream.call("getuid")
    return Conversion().of(stream)[-1]


def test_identity() -> None:
    """Numbers of the host and of the namespace, the terminal, times since the epoch."""
    row = _row(pid=100, vpid=7, vtid=7, vsid=3, vpgid=4, pgid=44, tty=34816, pid_start_ns=500)
    assert (row["proc.pid"], row["proc.vpid"], row["thread.vtid"]) == (100, 7, 7)
    assert (row["proc.sid"], row["proc.vpgid"], row["proc.pgid"]) == (3, 4, 44)
    assert row["proc.tty"] == 34816
    assert row["proc.start"] == row["proc.pid_ts"] == BOOT_NS + 500
    assert row["proc.pidns_init_start_ts"] is None


def test_program() -> None:
    """Name from the last exec, path, arguments, environment, inode."""
    image = {
        "exepath": b"/usr/bin/python3 (deleted)",
        "argv": [b"python", b"-c", b"", b"x y"],
        "env": [b"A=1", b"B="],
        "ino": 5,
        "ctime_ns": BOOT_NS + 40_000,
        "mtime_ns": 7,
    }
    row = _row(image, comm=b"python3", thread_comm=b"worker", pidns_start_ns=10_000)
    assert (row["proc.name"], row["proc.comm"], row["proc.exe"]) == ("python3", "worker", "python")
    assert row["proc.exepath"] == "/usr/bin/python3"
    assert row["proc.argv"] == ["-c", "", "x y"]
    assert row["proc.cmdline"] == "python3 -c  x y"
    assert row["proc.env"] == ["A=1", "B="]
    assert (row["proc.exe_ino"], row["proc.exe_ino_mtime"]) == (5, 7)
    assert row["proc.exe_ino_ctime_duration_proc_start"] == 100_000 - 40_000
    assert row["proc.exe_ino_ctime_duration_pidns_start"] == 40_000 - 10_000


def test_flags_of_the_program() -> None:
    """Writable, in which layer of an overlay, from memory: whose path is in no directory."""
    row = _row({"exepath": b"/memfd:x (deleted)", "image_flags": ImageFlag.MEMFD})
    assert (row["proc.is_exe_from_memfd"], row["proc.exepath"]) == (True, "memfd:x")
    row = _row({"image_flags": ImageFlag.UPPER_LAYER | ImageFlag.WRITABLE})
    assert (row["proc.is_exe_upper_layer"], row["proc.is_exe_lower_layer"]) == (True, False)
    assert row["proc.is_exe_writable"] is True


def test_kernel_thread() -> None:
    """No program at all: empty texts, no inode."""
    stream = Stream()
    stream.process(1, 2, image_id=0, comm=b"kthreadd", process_flags=ProcessFlag.KERNEL)
    stream.call("getuid")
    row = Conversion().of(stream)[-1]
    assert (row["proc.name"], row["proc.exe"], row["proc.exepath"]) == ("kthreadd", "", "")
    assert row["proc.cmdline"] == "kthreadd"
    assert row["proc.exe_ino"] is None


def test_directories() -> None:
    """A slash at the end of the working directory; the root only where it is not the usual one."""
    row = _row(cwd=b"/tmp", root=b"/jail", process_flags=ProcessFlag.CHROOT)
    assert (row["proc.cwd"], row["proc.root"]) == ("/tmp/", "/jail")
    row = _row(cwd=b"/", root=b"")
    assert (row["proc.cwd"], row["proc.root"]) == ("/", None)


def test_users_and_capabilities() -> None:
    """Effective ids, the audit login, capabilities by name."""
    row = _row(uid=7, euid=1000, egid=1000, loginuid=1000, cap_permitted=1 | 1 << 21)
    assert (row["user.uid"], row["user.name"], row["user.homedir"]) == (1000, "ann", "/home/ann")
    assert (row["group.gid"], row["group.name"]) == (1000, "ann")
    assert (row["user.loginuid"], row["user.loginname"]) == (1000, "ann")
    assert row["thread.cap_permitted"] == "CAP_CHOWN CAP_SYS_ADMIN"
    assert row["thread.cap_effective"] == ""
    row = _row(euid=7, loginuid=0xFFFFFFFF)
    assert (row["user.name"], row["user.loginuid"], row["user.loginname"]) == ("<NA>", -1, "<NA>")


def test_container_of_the_control_groups() -> None:
    """Where no runtime told of it the id is all that is known; the host's users do not count."""
    row = _row(groups=b"cpu=/docker/" + b"0123456789ab" + b"c" * 52 + b"\0", euid=1000)
    assert row["container.id"] == "0123456789ab"
    assert (row["container.name"], row["container.image.repository"]) == (None, None)
    assert row["user.name"] == "<NA>"
    assert row["thread.cgroups"].startswith("cpu=/docker/0123456789ab")


def test_host_is_no_container() -> None:
    """Falco's texts for it."""
    row = _row(groups=b"cpu=/user.slice\0")
    assert [row[f"container.{name}"] for name in ("id", "name", "full_id", "type")] == ["host"] * 4
    assert row["container.image.repository"] == ""


def test_login_shell() -> None:
    """The eldest of the ancestry whose name ends in sh."""
    stream = Stream()
    stream.image(1)
    stream.process(1, 100, comm=b"sshd")
    stream.process(2, 200, comm=b"bash", ppid=100, ppid_start_ns=100_000)
    stream.process(3, 300, comm=b"zsh", ppid=200, ppid_start_ns=200_000)
    stream.process(4, 400, comm=b"vi", ppid=300, ppid_start_ns=300_000)
    for process_id in (1, 4):
        stream.call("getuid", process_id=process_id)
    first, last = Conversion().of(stream)
    assert (first["proc.loginshellid"], last["proc.loginshellid"]) == (None, 200)


def test_limits() -> None:
    """Unlimited is -1."""
    assert _row(fd_limit=2**64 - 1)["proc.fdlimit"] == -1
    assert _row(fd_limit=1024)["proc.fdlimit"] == 1024
