"""Arguments of imported events: each type of parameter, in the form that conditions see."""

import struct

import numpy as np
import pytest

from falcotrace.events.columns import BUFFER_PARAM, COLUMNS
from falcotrace.events.event_types import EVENT_TYPES, Param
from falcotrace.events.numbers import condition_text
from falcotrace.scap.argument_texts import absolute_path, number_texts
from falcotrace.scap.argument_values import WIDTHS, read_numbers
from falcotrace.scap.arguments import argument_names, put_argument, put_arguments
from falcotrace.scap.fs_paths import put_fs_paths
from falcotrace.scap.parameter_places import names_of, places_of
from falcotrace.scap.poll_lists import put_fd_lists
from falcotrace.scap.results import put_event_types, put_results
from unit.scap.made_batches import (
    CODES,
    MadeState,
    columns_for,
    made_batch,
    poll_list,
    shown,
)

AT_FDCWD = -100


def _arguments(
    constant: str, state: MadeState | None = None, /, **given: object
) -> dict[str, object]:
    """The columns of the arguments of one event, without `evt.arg.` and its like."""
    batch = made_batch((constant, given))
    state = state or MadeState()
    columns = columns_for(batch, state)
    put_arguments(batch, state, columns)
    found = {path: values[0] for path, values in shown(columns).items()}
    return {path.removeprefix("evt."): value for path, value in found.items() if value is not None}


@pytest.mark.parametrize(
    ("constant", "name", "value", "expected", "raw"),
    [
        ("SYSCALL_CLOSE_X", "res", -9, "EBADF", -9),
        ("SYSCALL_CLOSE_X", "res", 0, "0", 0),
        ("SYSCALL_MMAP_X", "res", 0x7F00_0000_1000, "139637976731648", 0x7F00_0000_1000),
        ("SYSCALL_BRK_4_X", "res", 0x55D0_AF25_F000, "55D0AF25F000", 0x55D0_AF25_F000),
        ("SYSCALL_BRK_4_X", "addr", (1 << 64) - 16, "FFFFFFFFFFFFFFF0", (1 << 64) - 16),
        ("SYSCALL_OPEN_X", "flags", 4103, "O_CREAT|O_RDWR|O_CLOEXEC", 4103),
        ("SYSCALL_OPEN_X", "mode", 0o666, "0666", 0o666),
        ("SYSCALL_OPEN_X", "dev", 0xFE00, "FE00", 0xFE00),
        ("SOCKET_SOCKET_X", "domain", 1, "AF_LOCAL|AF_UNIX", 1),
        ("SYSCALL_PRCTL_X", "option", 1, "1", 1),
        ("SYSCALL_CHMOD_X", "mode", 0o644, "S_IROTH|S_IRGRP|S_IWUSR|S_IRUSR", 0o644),
        ("SYSCALL_CHOWN_X", "uid", 0xFFFF_FFFF, "-1", 0xFFFF_FFFF),
        ("SYSCALL_KILL_X", "sig", 9, "SIGKILL", 9),
        ("SYSCALL_KILL_X", "sig", 0, "0", 0),
        ("SYSCALL_FCNTL_X", "cmd", 3, "F_SETFD", 3),
    ],
)
def test_numbers_with_a_text(constant: str, name: str, value: int, expected: str, raw: int) -> None:
    """A number that conditions see as text has its text and, beside it, the number."""
    found = _arguments(constant, **{name: value})
    assert found == {f"arg.{name}": expected, f"rawarg.{name}": raw}


@pytest.mark.parametrize(
    ("constant", "name", "value", "expected"),
    [
        ("SYSCALL_READ_X", "size", 0xFFFF_FFFF, 0xFFFF_FFFF),
        ("SYSCALL_LSEEK_X", "offset", (1 << 64) - 5, (1 << 64) - 5),
        ("SYSCALL_SEMOP_X", "sem_op_0", -2, -2),
        ("SYSCALL_PRLIMIT_X", "newcur", -1, -1),
        ("SYSCALL_NANOSLEEP_X", "interval", 320_000, 320_000),
        ("SYSCALL_EXECVE_19_X", "exe_ino_ctime", 5_000_000_001, 5_000_000_001),
        ("SOCKET_ACCEPT_5_X", "queuepct", 200, 200),
        ("PAGE_FAULT_E", "ip", (1 << 63) + 1, (1 << 63) + 1),
    ],
)
def test_plain_numbers(constant: str, name: str, value: int, expected: int) -> None:
    """Plain numbers keep their width and their sign."""
    assert _arguments(constant, **{name: value}) == {f"arg.{name}": expected}


@pytest.mark.parametrize(
    ("number", "expected"),
    [(3, "<f>/etc/passwd"), (4, "4"), (AT_FDCWD, "AT_FDCWD"), (-2, "ENOENT"), (-4095, "-4095")],
)
def test_descriptors(number: int, expected: str) -> None:
    """A descriptor shows what is behind it, else its number or the name of the error."""
    state = MadeState(descriptors={3: "<f>/etc/passwd"})
    found = _arguments("SYSCALL_OPEN_X", state, fd=number)
    assert found == {"arg.fd": expected, "rawarg.fd": number}


@pytest.mark.parametrize(("number", "expected"), [(10, "bash"), (11, "11"), (12, "12")])
def test_threads(number: int, expected: str) -> None:
    """A thread shows its name, if there is one that is not empty."""
    state = MadeState(threads={10: "bash", 12: ""})
    found = _arguments("SYSCALL_KILL_X", state, pid=number)
    assert found == {"arg.pid": expected, "rawarg.pid": number}


@pytest.mark.parametrize(("number", "expected"), [(0, "root"), (7, "<NA>"), (-1, "<NONE>")])
def test_users_and_groups(number: int, expected: str) -> None:
    """Users and groups show a name, or one of two words for none."""
    state = MadeState(users={0: "root"}, groups={0: "root"})
    user = _arguments("SYSCALL_SETUID_X", state, uid=number)
    group = _arguments("SYSCALL_SETGID_X", state, gid=number)
    assert user == {"arg.uid": expected, "rawarg.uid": number % (1 << 32)}
    assert group == {"arg.gid": expected, "rawarg.gid": number % (1 << 32)}


def test_texts() -> None:
    """Texts end at their first NUL; bytes that are no text are kept; old markers are no value."""
    assert _arguments("SYSCALL_CHDIR_X", path=b"/a\0b") == {"arg.path": "/a"}
    assert _arguments("SYSCALL_CHDIR_X", path="/\udcff") == {"arg.path": "/\U0010feff"}
    assert _arguments("SYSCALL_CHDIR_X", path="") == {"arg.path": ""}
    assert _arguments("SYSCALL_CHDIR_X", path="(NULL)") == {}


@pytest.mark.parametrize(
    ("path", "expected", "raw"),
    [
        ("/etc//passwd", "/etc//passwd", None),
        ("x/../y", "/home/ann/y", "x/../y"),
        (".", "/home/ann", "."),
        ("", "", None),
    ],
)
def test_paths_below_the_working_directory(path: str, expected: str, raw: str | None) -> None:
    """Relative paths are made absolute and kept beside; absolute ones stay as they are given."""
    found = _arguments("SYSCALL_STAT_X", MadeState(cwd="/home/ann/"), path=path)
    assert found == {"arg.path": expected} | ({"rawarg.path": raw} if raw else {})


@pytest.mark.parametrize(
    ("dirfd", "expected"),
    [(AT_FDCWD, "/home/ann/x"), (3, "/tmp/x"), (4, "x"), (None, "/home/ann/x")],
)
def test_paths_below_a_directory(dirfd: int | None, expected: str) -> None:
    """Paths are relative to the call's directory; below an unknown one they stay relative."""
    state = MadeState(cwd="/home/ann/", descriptors={3: "<f>/tmp"})
    found = _arguments("SYSCALL_UNLINKAT_2_X", state, dirfd=dirfd, name="x")
    assert found["arg.name"] == expected
    assert found["rawarg.name"] == "x"


def test_directories_belong_to_their_own_path() -> None:
    """Of two paths each is joined with its own directory, in several events at once."""
    state = MadeState(descriptors={3: "<d>/a", 4: "<d>/b"})
    given = {"olddirfd": 3, "oldpath": "x", "newdirfd": 4, "newpath": "y"}
    other = {"olddirfd": 4, "oldpath": "/z", "newdirfd": 3, "newpath": "y"}
    batch = made_batch(("SYSCALL_RENAMEAT_X", given), ("SYSCALL_RENAMEAT2_X", other))
    columns = columns_for(batch, state)
    put_arguments(batch, state, columns)
    found = shown(columns)
    assert found["evt.arg.oldpath"] == ["/a/x", "/z"]
    assert found["evt.arg.newpath"] == ["/b/y", "/a/y"]


def test_buffers() -> None:
    """What is read or written has a column of its own; lists of texts stay bytes."""
    read = _arguments("SYSCALL_READ_X", data=b"a\0\xffb")
    assert read == {"buffer": b"a\0\xffb"}
    executed = _arguments("SYSCALL_EXECVE_19_X", args=b"-l\0/tmp\0")
    assert executed == {"arg.args": b"-l\0/tmp\0"}


def test_addresses() -> None:
    """Addresses and pairs of them are texts."""
    address = b"\x02" + bytes([127, 0, 0, 1]) + struct.pack("<H", 80)
    both = b"\x02" + address[1:] + bytes([10, 0, 0, 2]) + struct.pack("<H", 9)
    found = _arguments("SOCKET_CONNECT_X", addr=address, tuple=both)
    assert found == {"arg.addr": "127.0.0.1:80", "arg.tuple": "127.0.0.1:80->10.0.0.2:9"}


@pytest.mark.parametrize(
    ("constant", "name", "value", "expected", "raw"),
    [
        ("SOCKET_SETSOCKOPT_X", "val", b"\0ab\x01", "ab.", None),
        ("SOCKET_SETSOCKOPT_X", "val", b"\x01" + struct.pack("<q", -111), "ECONNREFUSED", -111),
        ("SOCKET_SETSOCKOPT_X", "val", b"\x02" + struct.pack("<I", 1), "1", 1),
        ("SOCKET_SETSOCKOPT_X", "val", b"\x03" + struct.pack("<Q", 7), "7", 7),
        ("SOCKET_SETSOCKOPT_X", "val", b"\x04" + struct.pack("<q", 2_500_000_000), "2.5s", None),
        ("SYSCALL_PTRACE_X", "addr", b"\0" + struct.pack("<Q", 0x5F), "5F", 0x5F),
        ("SYSCALL_PTRACE_X", "data", b"\x01\x12", "SIGCONT", 18),
        ("SYSCALL_KEYCTL_X", "arg2", b"\0" + struct.pack("<q", -5), "-5", -5),
        ("SYSCALL_KEYCTL_X", "arg3", b"\x01user\0", "user", None),
        ("SYSCALL_KEYCTL_X", "arg4", b"\x09user\0", None, None),
        ("SYSCALL_KEYCTL_X", "arg5", b"\x01", None, None),
    ],
)
def test_unions(
    constant: str, name: str, value: bytes, expected: str | None, raw: int | None
) -> None:
    """A union is what its first byte says; an unknown one is no value."""
    found = _arguments(constant, **{name: value})
    assert found.get(f"arg.{name}") == expected
    if raw is not None:
        assert found[f"rawarg.{name}"] == raw


def test_sets_of_signals() -> None:
    """A set of signals shows their names; an empty set is an empty text."""
    assert _arguments("SYSCALL_PPOLL_X", sigmask=0b11) == {"arg.sigmask": "SIGHUP SIGINT"}
    assert _arguments("SYSCALL_PPOLL_X", sigmask=0) == {"arg.sigmask": ""}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (poll_list((3, 1), (4, 0x10)), "3:f1 4:?10"),
        (poll_list((-1, 0), (5, -1)), f"{(1 << 64) - 1}:?0 5:4ffffffff"),
        (poll_list(), ""),
        (poll_list((3, 1))[:-1], ""),
        (struct.pack("<H", 0xFFFF) + poll_list((3, 1))[2:], "3:f1"),
    ],
)
def test_poll_lists(entries: bytes, expected: str) -> None:
    """Lists of descriptors show number, type and flags; a count beyond the bytes is not trusted."""
    state = MadeState(descriptors={3: "<f>/x", 5: "<4t>1.2.3.4:5->6.7.8.9:10"})
    assert _arguments("SYSCALL_POLL_X", state, fds=entries) == {"arg.fds": expected}


def test_numbers_of_other_widths() -> None:
    """A narrower number than the type's is read as what it is; three bytes are none."""
    assert _arguments("SYSCALL_CLOSE_X", res=b"\xff\xff") == {"arg.res": "EPERM", "rawarg.res": -1}
    assert _arguments("SYSCALL_CLOSE_X", res=b"\x01\0\0\0\0\0\0\0\xee")["rawarg.res"] == 1
    assert _arguments("SYSCALL_CLOSE_X", res=b"abc") == {}


def test_generic_events_are_marked() -> None:
    """A generic event has a native number even if the file has none: it is known by that."""
    assert _arguments("GENERIC_X", ID=3, nativeID=39) == {"arg.nativeID": 39}
    assert _arguments("GENERIC_X", ID=3) == {"arg.nativeID": 0}


def test_events_that_are_not_delivered_have_no_row() -> None:
    """Events that only the state needs are left out."""
    state = MadeState()
    batch = made_batch(
        ("SYSCALL_CLOSE_X", {"res": 0}),
        ("SYSCALL_CLOSE_X", {"res": -1}),
        ("USER_ADDED_E", {"name": "ann"}),
        ("SYSCALL_CLOSE_X", {"res": 5}),
        hidden=(1, 2),
    )
    columns = columns_for(batch, state)
    put_arguments(batch, state, columns)
    assert shown(columns)["evt.rawarg.res"] == [0, 5]


def test_one_argument_at_a_time() -> None:
    """A scan may ask for one argument alone, and names those that there are."""
    state = MadeState()
    batch = made_batch(("SYSCALL_CLOSE_X", {"res": 0, "fd": 3}))
    assert argument_names(batch) == ("res", "fd")
    columns = columns_for(batch, state)
    put_argument("fd", batch, state, columns)
    put_argument("no such argument", batch, state, columns)
    assert shown(columns) == {"evt.arg.fd": ["3"], "evt.rawarg.fd": [3]}


def test_every_argument_of_every_event_has_a_column() -> None:
    """Every parameter that rules can see ends in a column, whatever its type."""
    values = {"FSPATH": "/x", "FSRELPATH": "/x", "CHARBUF": "x", "BYTEBUF": b"x"}
    values |= {"SOCKADDR": b"\x01/x\0", "SOCKTUPLE": b"\x01" + bytes(16) + b"/x\0"}
    values |= {"FDLIST": poll_list((1, 1)), "DYN": b"\0" + bytes(8)}
    for event in EVENT_TYPES:
        for name in names_of(event.code):
            (param,) = (one for one in event.params if one.name == name)
            value = values.get(param.type, b"\x01" * WIDTHS.get(param.type, 0))
            found = _arguments(event.constant, **{name: value})
            path = "buffer" if name == BUFFER_PARAM and param.type != "DYN" else f"arg.{name}"
            if f"evt.{path}" in COLUMNS:
                assert path in found, (event.constant, name)


def test_places_are_those_of_the_event_table() -> None:
    """A parameter is looked for where the event table has it, in current events alone."""
    places = [place for place in places_of("newpath") if place.code == CODES["SYSCALL_LINKAT_2_X"]]
    assert [place.index for place in places] == [4]
    assert not [place for place in places_of("newpath") if place.code == CODES["SYSCALL_LINK_E"]]


@pytest.mark.parametrize("kind", sorted(set(WIDTHS) - {"UID", "GID", "PID", "FD", "SIGSET"}))
@pytest.mark.parametrize("form", ["DEC", "HEX", "OCT", "NA"])
def test_many_texts_are_those_of_each(kind: str, form: str) -> None:
    """The fast way to texts of numbers gives what the slow way gives."""
    table = "file_flags" if "FLAGS" in kind or kind == "MODE" else ""
    param = Param("any", kind, form, table)
    width = WIDTHS[kind]
    raw = np.random.default_rng(7).integers(0, 256, 8 * 40, np.uint8)
    is_signed = kind.startswith("INT") or kind == "ERRNO"
    numbers = read_numbers(raw, np.arange(0, 8 * 39, 8), width, is_signed=is_signed)
    ascending = np.unique(np.append(numbers, [0, 1]))
    assert number_texts(param, ascending) == [condition_text(param, int(n)) for n in ascending]


@pytest.mark.parametrize(
    ("directory", "path", "expected"),
    [
        ("/home/ann", "x", "/home/ann/x"),
        ("/home/ann/", "./x//y/", "/home/ann/x/y"),
        ("/", "..", "/"),
        ("", "../x", "x"),
        ("/x", "/y/../z/", "/z"),
        ("/x", "", ""),
        ("/", "x" * 1022, "/" + "x" * 1022),
        ("/", "x" * 1023, "/DIR_TOO_LONG/FILENAME_TOO_LONG"),
        ("/", "\U0010feff" * 1022, "/" + "\U0010feff" * 1022),
        ("/", "ü" * 600, "/DIR_TOO_LONG/FILENAME_TOO_LONG"),
    ],
)
def test_joining_paths(directory: str, path: str, expected: str) -> None:
    """Paths are joined and normalised as text, up to a limit in bytes."""
    assert absolute_path(directory, path) == expected


@pytest.mark.parametrize("seed", range(20))
def test_any_bytes_are_some_argument(seed: int) -> None:
    """Whatever bytes a hostile capture has in whatever parameter, columns are made of them."""
    random = np.random.default_rng(seed)
    events = [
        (
            event.constant,
            {param.name: random.bytes(int(random.integers(0, 24))) for param in event.params},
        )
        for event in EVENT_TYPES
        if names_of(event.code)
    ]
    batch = made_batch(*events)
    state = MadeState(cwd="/", descriptors={0: "<f>/x"}, threads={0: "x"})
    columns = columns_for(batch, state)
    put_arguments(batch, state, columns)
    put_event_types(batch, columns)
    put_results(batch, columns)
    put_fs_paths(batch, state, columns)
    put_fd_lists(batch, state, columns)
    assert all(len(values) == len(events) for values in shown(columns).values())
