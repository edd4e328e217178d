"""Arguments of events, from samples made by hand."""

import struct
from typing import Any

import pytest

from falcotrace.record.layout import FileKind, HeaderFlag, PartFlag, PartKind, SampleType
from unit.record.made_samples import AT_FDCWD, Conversion, Row, row_of, started, text


def _argument_row(name: str, *args: int, **members: Any) -> Row:
    stream = started()
    stream.call(name, *args, **members)
    return row_of(stream)


def _arguments(row: Row, *names: str) -> list[object]:
    return [row[f"evt.arg.{name}"] for name in names]


def test_numbers_that_are_plain() -> None:
    """A plain number stays a number."""
    row = _argument_row("lseek", 3, 5, 1, ret=5)
    assert _arguments(row, "offset", "whence", "res") == [5, "SEEK_CUR", "5"]


def test_flags_commands_and_their_numbers() -> None:
    """Text as conditions see it, and the number beside it."""
    row = _argument_row("kill", 2**32 - 1, 9)
    assert _arguments(row, "sig", "pid") == ["SIGKILL", "-1"]
    assert (row["evt.rawarg.sig"], row["evt.rawarg.pid"]) == (9, -1)


def test_users_by_name() -> None:
    """The host's table, `<NA>` for numbers without a name, `<NONE>` for -1."""
    row = _argument_row("setresuid", 1000, 7, 2**64 - 1)
    assert _arguments(row, "ruid", "euid", "suid") == ["ann", "<NA>", "<NONE>"]


def test_users_of_a_container_are_not_the_hosts() -> None:
    """The host's ann is not who has the number 1000 in there."""
    stream = started()
    path = b"=/docker/" + b"a" * 64
    stream.add(SampleType.CGROUPS, [path + b"\0", b""], cgroups_id=1, paths_len=len(path) + 1)
    stream.process(2, 200, cgroups_id=1)
    stream.call("setuid", 1000, process_id=2)
    row = row_of(stream)
    assert row["container.id"] == "a" * 12
    assert row["evt.arg.uid"] == "<NA>"


def test_processes_by_the_name_that_they_had() -> None:
    """A name is that of the event's time: the old one before the target's exec, then the new."""
    stream = started()
    stream.process(2, 200, comm=b"before")
    stream.call("kill", 200, 9)
    stream.process(3, 200, comm=b"after")
    stream.call("kill", 200, 9)
    stream.call("kill", 201, 9)
    rows = Conversion().of(stream)
    assert [row["evt.arg.pid"] for row in rows] == ["before", "after", "201"]


def test_child_that_is_described_later() -> None:
    """Clone returns to the parent before anybody has seen the child."""
    stream = started()
    stream.call("clone", 0, ret=300)
    stream.process(2, 300, comm=b"tool")
    row = row_of(stream)
    assert row["evt.arg.res"] == "tool"


def test_processes_of_another_namespace_are_not_named() -> None:
    """Number 1 in a container is not the host's number 1."""
    stream = started()
    stream.process(2, 1, comm=b"systemd")
    stream.process(3, 500, pidns_level=1, vpid=7)
    stream.call("kill", 1, 9, process_id=3)
    assert row_of(stream)["evt.arg.pid"] == "1"


def test_descriptors_with_their_files() -> None:
    """The file behind it, AT_FDCWD, the error of a failed call, or just the number."""
    stream = started()
    stream.file(5, b"/etc/passwd")
    stream.call("read", 3, 0, 10, ret=10, file_id=5)
    stream.call("read", 9, 0, 10, ret=-9)
    stream.call("openat", AT_FDCWD, 0, 0, ret=-2, parts=[text("x")])
    first, second, third = Conversion().of(stream)
    assert first["evt.arg.fd"] == "<f>/etc/passwd"
    assert (second["evt.arg.fd"], second["evt.arg.res"]) == ("9", "EBADF")
    assert _arguments(third, "fd", "dirfd") == ["ENOENT", "AT_FDCWD"]


def test_results_of_fcntl() -> None:
    """Only a result that is a descriptor shows a file."""
    stream = started()
    stream.file(5, b"/f")
    stream.call("fcntl", 3, 0, 10, ret=10, file_id=5, flags=HeaderFlag.RESULT_FD)
    stream.call("fcntl", 3, 1, 0, ret=1, file_id=5)
    made, asked = Conversion().of(stream)
    assert (made["evt.arg.res"], made["fd.num"]) == ("<f>/f", 10)
    assert (asked["evt.arg.res"], asked["fd.num"]) == ("1", 3)
    assert asked["evt.arg.fd"] == "<f>/f"


def test_texts_and_missing_texts() -> None:
    """A null pointer gave no text; an empty text is one."""
    row = _argument_row(
        "mount",
        parts=[
            (PartKind.STRING, b"", PartFlag.NULL),
            text("/mnt"),
            text(""),
        ],
    )
    assert _arguments(row, "dev", "dir", "type") == [None, "/mnt", ""]


def test_attempt_of_a_failed_exec() -> None:
    """What was asked for, and not what runs."""
    row = _argument_row(
        "execve",
        ret=-2,
        parts=[
            text("../tool"),
            (PartKind.ARGV, b"other\0-x\0\0"),
            (PartKind.ARGV, b"A=1\0"),
        ],
    )
    assert row["evt.arg.exe"] == "other"
    assert row["evt.arg.args"] == b"-x\0\0"
    assert row["evt.arg.env"] == b"A=1\0"
    assert row["evt.arg.filename"] == "/home/tool"
    assert row["proc.exepath"] == "/usr/bin/tool"


def test_program_of_an_exec() -> None:
    """The new program's path, arguments and flags."""
    stream = started()
    stream.image(2, b"/bin/new", [b"n", b"-v"], [b"E=1"], b"./new", image_flags=1 | 2, ino=77)
    stream.process(2, image_id=2, comm=b"new")
    stream.call("execve", process_id=2, parts=[])
    row = row_of(stream)
    assert _arguments(row, "exe", "args", "env", "filename", "flags", "exe_ino") == [
        "n",
        b"-v\0",
        b"E=1\0",
        "/home/ann/new",
        "EXE_WRITABLE|EXE_UPPER_LAYER",
        77,
    ]


def test_modes() -> None:
    """Names of the permission bits; 0 where no file is made."""
    row = _argument_row("chmod", 0, 0o4755, parts=[text("/f")])
    assert row["evt.arg.mode"].endswith("S_ISUID")
    assert row["evt.rawarg.mode"] == 0o4755
    assert (
        _argument_row("openat", AT_FDCWD, 0, 0, 0o777, parts=[text("/f")])["evt.rawarg.mode"] == 0
    )


def test_structs() -> None:
    """Limits, times and flags that a program passes by address; else what Falco's drivers write."""
    limits = struct.pack("<qq", 5, -1)
    parts = [(PartKind.BYTES, b"", PartFlag.NULL), (PartKind.BYTES, limits)]
    row = _argument_row("prlimit64", 0, 7, 0, 1, parts=parts)
    assert _arguments(row, "newcur", "oldcur", "oldmax", "resource") == [
        0,
        5,
        -1,
        "RLIMIT_NOFILE",
    ]
    moment = (PartKind.BYTES, struct.pack("<qq", 2, 7))
    assert _argument_row("nanosleep", parts=[moment])["evt.arg.interval"] == 2_000_000_007
    how = (PartKind.BYTES, struct.pack("<QQQ", 0x40 | 1, 0o640, 8))
    row = _argument_row("openat2", AT_FDCWD, ret=-1, parts=[text("/f"), how])
    assert _arguments(row, "flags", "resolve") == ["O_CREAT|O_WRONLY", "RESOLVE_BENEATH"]
    assert row["evt.rawarg.mode"] == 0o640


def test_struct_that_is_cut() -> None:
    """Half a struct gives no number but Falco's zero, and the event says that it is cut."""
    row = _argument_row("nanosleep", parts=[(PartKind.BYTES, b"\1" * 12, PartFlag.FAULT)])
    assert row["evt.arg.interval"] == 0
    assert row["evt.truncated"] is True
    row = _argument_row("getresuid", parts=[(PartKind.BYTES, b"\1\1", PartFlag.FAULT)])
    assert row["evt.arg.ruid"] is None


def test_prctl() -> None:
    """A name for PR_SET_NAME, a number for the rest."""
    named = _argument_row("prctl", 15, 0x7FFF_0000, parts=[text("name")])
    assert _arguments(named, "option", "arg2_str", "arg2_int") == ["PR_SET_NAME", "name", 0]
    other = _argument_row("prctl", 38, 1)
    assert _arguments(other, "option", "arg2_str", "arg2_int") == ["PR_SET_NO_NEW_PRIVS", None, 1]


def test_pairs_of_descriptors() -> None:
    """pipe2's two descriptors lie in memory; each shows its file."""
    stream = started()
    for file_id in (5, 6):
        stream.file(file_id, kind=FileKind.PIPE)
    pair = (PartKind.BYTES, struct.pack("<ii", 7, 8))
    stream.call("pipe2", 0, 0x80000, file_id=5, other_file_id=6, parts=[pair])
    row = row_of(stream)
    assert _arguments(row, "fd1", "fd2", "flags") == ["<p>", "<p>", "O_CLOEXEC"]
    assert (row["evt.rawarg.fd1"], row["evt.rawarg.fd2"], row["fd.num"]) == (7, 8, 8)


def test_flags_that_are_no_open_flags() -> None:
    """The access mode belongs to opens alone: a pipe is not O_RDONLY."""
    assert _argument_row("eventfd2", 3, 0, ret=4)["evt.arg.flags"] == "O_NONE"
    assert _argument_row("socket", 2, 1 | 0x80000, 0, ret=4)["evt.arg.flags"] == "O_CLOEXEC"
    assert _argument_row("accept4", 3, 0, 0, 0x80800, ret=-11)["evt.arg.flags"] == "1040"


def test_backlog() -> None:
    """How full the queue of a listener is, in percent."""
    backlog = (PartKind.BACKLOG, struct.pack("<II", 3, 12))
    row = _argument_row("accept4", 3, ret=-11, parts=[backlog])
    assert _arguments(row, "queuelen", "queuemax", "queuepct") == [3, 12, 25]
    empty = (PartKind.BACKLOG, struct.pack("<II", 0, 0))
    assert _argument_row("accept4", 3, ret=-11, parts=[empty])["evt.arg.queuepct"] == 0


def test_use_of_memory() -> None:
    """What travels with calls that change it."""
    usage = struct.pack("<QQQIIII", 1024, 2, 30, 4000, 500, 6, 0)
    row = _argument_row("brk", 0, parts=[(PartKind.USAGE, usage)])
    assert _arguments(row, "vm_size", "vm_rss", "vm_swap") == [4000, 500, 6]
    row = _argument_row("clone", 0x11, parts=[(PartKind.USAGE, usage)])
    assert _arguments(row, "fdlimit", "pgft_maj", "pgft_min") == [1024, 2, 30]


def test_buffers_on_request() -> None:
    """Contents travel only if they were asked for, and then stand in evt.buffer."""
    stream = started()
    stream.call("write", 1, 0, 3, ret=3, parts=[(PartKind.BYTES, b"\0ab")])
    [row] = Conversion(data_bytes=80).of(stream)
    assert row["evt.buffer"] == b"\0ab"
    assert _argument_row("write", 1, 0, 3, ret=3)["evt.buffer"] is None


def test_call_without_parameters_of_its_own() -> None:
    """Falco's generic event: its number, and no result."""
    row = _argument_row("sched_yield", ret=-1)
    assert row["evt.type"] == "sched_yield"
    assert row["evt.arg.nativeID"] == 24
    assert (row["evt.rawres"], row["evt.res"]) == (None, None)


@pytest.mark.parametrize(("result", "res"), [(0, "SUCCESS"), (-13, "EACCES"), (-4095, "-4095")])
def test_results(result: int, res: str) -> None:
    """SUCCESS, the error's name, or the number of an error without one."""
    row = _argument_row("close", 3, ret=result)
    assert (row["evt.res"], row["evt.rawres"]) == (res, result)
