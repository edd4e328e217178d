"""Arguments that stand in memory or depend on the command: each against the call that was made."""

import array
import ctypes
import errno
import os
import select
import signal
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from live.behaviours.calls.observing import Event, Observed

pytestmark = pytest.mark.live

Observe = Callable[[Callable[[], object]], Observed]
NUMBERS = {"x86_64": {"keyctl": 250, "quotactl": 179, "semctl": 66, "semget": 64, "ptrace": 101}}
NUMBERS["aarch64"] = {"keyctl": 219, "quotactl": 60, "semctl": 191, "semget": 190, "ptrace": 117}
NUMBER = NUMBERS[os.uname().machine]


def _arguments(event: Event, *names: str) -> list[object]:
    return [event[f"evt.arg.{name}"] for name in names]


def test_poll_shows_what_it_waits_for(observe: Observe, tmp_path: Path) -> None:
    """Numbers, types and returned flags; names and ends beside them in `fdlist.*`."""
    told = tmp_path / "port"

    def wait() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        os.dup2(listener.fileno(), 950)
        reader, writer = os.pipe()
        os.dup2(reader, 951)
        os.write(writer, b"x")
        os.dup2(os.open("/etc/passwd", os.O_RDONLY), 952)
        poll = select.poll()
        for fd in (950, 951, 952):
            poll.register(fd, select.POLLIN)
        assert len(poll.poll(0)) == 2
        told.write_text(str(listener.getsockname()[1]))

    event = observe(wait).last("poll")
    port = told.read_text()
    assert event["evt.arg.fds"] == "950:40 951:p1 952:f1"
    assert event["fdlist.nums"] == "950,951,952"
    assert event["fdlist.names"] == f"127.0.0.1:{port},<NA>,/etc/passwd"
    assert event["fdlist.sips"] == "127.0.0.1"
    assert event["fdlist.sports"] == port


def test_ppoll_has_its_time_and_its_signals(observe: Observe, libc: ctypes.CDLL) -> None:
    """Both are passed by address; a null pointer is no time and no signal, as Falco has it."""
    fds = struct.pack("<ihh", -1, 1, 0)
    mask = struct.pack("<Q", 1 << signal.SIGINT - 1 | 1 << signal.SIGTERM - 1)

    def wait() -> None:
        number = 271 if os.uname().machine == "x86_64" else 73
        libc.syscall(number, fds, 1, struct.pack("<qq", 0, 5_000_000), mask, 7)  # EINVAL
        libc.syscall(number, None, 0, struct.pack("<qq", 0, 0), None, 8)

    first, second = observe(wait).all("ppoll")[-2:]
    assert _arguments(first, "timeout", "sigmask") == [5_000_000, "SIGINT SIGTERM"]
    assert first["evt.arg.fds"] == f"{2**64 - 1}:?0"
    assert _arguments(second, "timeout", "sigmask", "fds") == [0, "", ""]


def test_socket_options_by_their_types(observe: Observe) -> None:
    """Numbers, times, errors and bytes, and the names of SOL_SOCKET's options only."""

    def options() -> None:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        os.dup2(made.fileno(), 953)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("<qq", 3, 500_000))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
        made.setblocking(False)
        made.connect_ex(("127.0.0.1", 1))
        select.select([], [made], [], 1)
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
        made.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)

    got = observe(options)
    names = ("level", "optname", "val", "optlen")
    set_by = [_arguments(event, *names) for event in got.all("setsockopt")]
    assert set_by == [
        ["SOL_SOCKET", "SO_REUSEADDR", "1", 4],
        ["SOL_SOCKET", "SO_RCVTIMEO", "3.5s", 16],
        ["SOL_TCP", "UNKNOWN", "reno", 4],
    ]
    assert [event["evt.rawarg.val"] for event in got.all("setsockopt")] == [1, 3_500_000_000, None]
    told = [_arguments(event, *names) for event in got.all("getsockopt")[-2:]]
    assert told == [
        ["SOL_SOCKET", "SO_ERROR", "ECONNREFUSED", 4],
        ["SOL_SOCKET", "SO_TYPE", "1", 4],
    ]


def test_key_operations_have_texts_and_numbers(observe: Observe, libc: ctypes.CDLL) -> None:
    """Which arguments are texts depends on the operation; those not used are 0."""

    def operate() -> None:
        libc.syscall(NUMBER["keyctl"], 1, b"ring of mine", 7, 7, 7)
        libc.syscall(NUMBER["keyctl"], 10, -3, b"user", b"secret", 0)
        libc.syscall(NUMBER["keyctl"], 5, 12345, 0x3F, 9, 9)

    events = observe(operate).all("keyctl")
    names = ("operation", "arg2", "arg3", "arg4", "arg5")
    assert [_arguments(event, *names) for event in events] == [
        ["KEYCTL_JOIN_SESSION_KEYRING", "ring of mine", "0", "0", "0"],
        ["KEYCTL_SEARCH", "-3", "user", "secret", "0"],
        ["KEYCTL_SETPERM", "12345", "63", "0", "0"],
    ]
    assert events[2]["evt.rawarg.arg3"] == 0x3F


def test_quotas(observe: Observe, libc: ctypes.CDLL, tmp_path: Path) -> None:
    """Commands, whose quota it is, limits that the struct says are valid, and the quota file."""
    limits = struct.pack("<8QI4x", 100, 50, 7, 20, 10, 3, 60, 70, 1 | 4)
    device, file = f"{tmp_path}/device".encode(), f"{tmp_path}/aquota".encode()

    def ask() -> None:
        libc.syscall(NUMBER["quotactl"], 0x800008 << 8, device, 1000, limits)
        libc.syscall(NUMBER["quotactl"], 0x800002 << 8 | 1, device, 2, file)
        info = struct.pack("<QQII", 600, 700, 1, 1)
        libc.syscall(NUMBER["quotactl"], 0x800006 << 8, device, 5, info)

    limited, on, info = observe(ask).all("quotactl")[-3:]
    names = ("cmd", "type", "id", "special", "quotafilepath", "quota_fmt", "quota_fmt_out")
    text = device.decode()
    assert _arguments(limited, *names) == [
        *("Q_SETQUOTA", "USRQUOTA", 1000, text, None, "QFMT_NOT_USED", "QFMT_NOT_USED")
    ]
    numbers = ("bhardlimit", "bsoftlimit", "curspace", "ihardlimit", "isoftlimit", "btime", "itime")
    found = _arguments(limited, *(f"dqb_{name}" for name in numbers))
    assert found == [100, 50, 0, 20, 10, 0, 0]
    assert _arguments(on, *names) == [
        *("Q_QUOTAON", "GRPQUOTA", 0, text, file.decode(), "QFMT_VFS_V0", "QFMT_NOT_USED")
    ]
    assert _arguments(info, "cmd", "id", "dqi_bgrace", "dqi_igrace") == ["Q_SETINFO", 0, 600, 0]


def test_settings_of_a_file_system(observe: Observe, libc: ctypes.CDLL) -> None:
    """A value is a text or bytes by the command; of a call that failed there is none."""

    def configure() -> None:
        made = libc.syscall(430, b"tmpfs", 0)
        libc.syscall(431, made, 1, b"size", b"1M", 0)
        libc.syscall(431, made, 1, b"nonsense", b"1M", 0)
        os.close(made)

    worked, failed = observe(configure).all("fsconfig")[-2:]
    names = ("cmd", "key", "value_charbuf", "value_bytebuf", "aux")
    assert _arguments(worked, *names) == ["FSCONFIG_SET_STRING", "size", "1M", None, 0]
    assert _arguments(failed, *names) == ["FSCONFIG_SET_STRING", "nonsense", None, None, 0]


def test_semaphores(observe: Observe, libc: ctypes.CDLL) -> None:
    """Commands are one number each and no sum of bits; a value counts for SETVAL alone."""

    def count() -> None:
        made = libc.syscall(NUMBER["semget"], 0, 2, 0o600)
        libc.syscall(NUMBER["semctl"], made, 1, 16, 5)  # SETVAL
        operations = struct.pack("<HhhHhh", 1, -2, 0o4000, 0, 5, 0)
        libc.syscall(65 if os.uname().machine == "x86_64" else 193, made, operations, 2)
        libc.syscall(65 if os.uname().machine == "x86_64" else 193, made, operations, 1)
        libc.syscall(NUMBER["semctl"], made, 0, 13, ctypes.create_string_buffer(4))  # GETALL
        libc.syscall(NUMBER["semctl"], made, 0, 0, 0)  # IPC_RMID

    got = observe(count)
    assert [_arguments(event, "cmd", "semnum", "val") for event in got.all("semctl")] == [
        ["SETVAL", 1, "5"],
        ["GETALL", 0, "0"],
        ["IPC_RMID", 0, "0"],
    ]
    names = [f"sem_{member}_{at}" for at in (0, 1) for member in ("num", "op", "flg")]
    both, one = (_arguments(event, *names) for event in got.all("semop"))
    assert both == [1, -2, "IPC_NOWAIT", 0, 5, "0"]
    assert one == [1, -2, "IPC_NOWAIT", 0, 0, "0"]


def test_data_of_ptrace_by_its_request(observe: Observe, libc: ctypes.CDLL) -> None:
    """A signal where the tracee goes on, what was read where it is read, 0 where it failed."""

    def trace() -> None:
        word = ctypes.c_ulong(0)
        own = ctypes.c_ulong(0x1122334455667788)
        child = os.fork()
        if not child:
            signal.pause()
        libc.syscall(NUMBER["ptrace"], 16, child, 0, 0)
        os.waitpid(child, 0)
        libc.syscall(NUMBER["ptrace"], 2, child, ctypes.byref(own), ctypes.byref(word))
        libc.syscall(NUMBER["ptrace"], 7, child, 1, int(signal.SIGKILL))
        os.waitpid(child, 0)
        libc.syscall(NUMBER["ptrace"], 7, child, 77, 99)
        assert word.value == own.value

    names = ("request", "data")
    events = observe(trace).all("ptrace")
    assert [_arguments(event, *names) for event in events] == [
        ["PTRACE_ATTACH", "0"],
        ["PTRACE_PEEKDATA", "1122334455667788"],
        ["PTRACE_CONT", "SIGKILL"],
        ["PTRACE_CONT", "0"],
    ]
    assert [event["evt.arg.addr"] for event in events][2:] == ["1", "0"]


def test_prctl_reads_what_it_was_told(observe: Observe, libc: ctypes.CDLL) -> None:
    """The subreaper's state is a number behind the pointer, a name a text."""
    told = ctypes.c_int(9)

    def ask() -> None:
        libc.prctl(36, 1, 0, 0, 0)
        libc.prctl(37, ctypes.byref(told), 0, 0, 0)
        libc.prctl(16, ctypes.create_string_buffer(16), 0, 0, 0)

    state, name = observe(ask).all("prctl")[-2:]
    assert _arguments(state, "option", "arg2_int") == ["PR_GET_CHILD_SUBREAPER", 1]
    assert name["evt.arg.arg2_str"] == name["proc.comm"]


def test_sizes_and_control_messages_of_messages(observe: Observe) -> None:
    """What vectors hold, how much came, and the descriptors that came with it."""

    def talk() -> None:
        one, other = socket.socketpair()
        rights = array.array("i", [0])
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
        one.sendmsg([b"abc", b"", b"defg"], control)
        other.recvmsg(100, socket.CMSG_SPACE(4))
        os.writev(one.fileno(), [b"12", b"345"])
        os.readv(other.fileno(), [bytearray(2), bytearray(50)])
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        try:
            os.readv(reader, [bytearray(9)])
        except BlockingIOError:
            os.close(writer)

    got = observe(talk)
    assert got.last("sendmsg")["evt.arg.size"] == 7
    event = got.last("recvmsg")
    assert event["evt.arg.size"] == 7
    level, kind = struct.unpack("<ii", event["evt.arg.msgcontrol"][8:16])
    assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
    assert got.last("writev", evt__rawres=5)["evt.arg.size"] == 5
    assert [event["evt.arg.size"] for event in got.all("readv")] == [5, 0]


def test_contents_of_vectors(observe_contents: Observe, libc: ctypes.CDLL) -> None:
    """All vectors' data up to the limit, in one piece, whatever the call."""
    own = ctypes.create_string_buffer(b"memory of another", 32)
    place = ctypes.create_string_buffer(32)

    def talk() -> None:
        one, other = socket.socketpair()
        one.sendmsg([b"abc", b"", b"defg"])
        other.recvmsg_into([bytearray(2), bytearray(50)])
        os.writev(one.fileno(), [bytes([65 + at]) * 10 for at in range(10)])
        os.readv(other.fileno(), [bytearray(4), bytearray(50)])
        local = struct.pack("<QQ", ctypes.addressof(place), 6)
        remote = struct.pack("<QQ", ctypes.addressof(own), 6)
        libc.process_vm_readv(os.getpid(), local, 1, remote, 1, 0)

    got = observe_contents(talk)
    assert got.last("sendmsg")["evt.buffer"] == b"abcdefg"
    assert got.last("recvmsg")["evt.buffer"] == b"abcdefg"
    event = got.last("writev", evt__rawres=100)
    written = b"".join(bytes([65 + at]) * 10 for at in range(7))[:64]
    assert (event["evt.buffer"], event["evt.arg.size"]) == (written, 100)
    assert event["evt.truncated"] is True
    assert got.last("readv")["evt.buffer"] == b"A" * 10 + b"B" * 10 + b"C" * 10 + b"D" * 10 + (
        b"E" * 10 + b"F" * 4
    )
    assert got.last("process_vm_readv")["evt.buffer"] == b"memory"


def test_many_messages_show_the_first(observe_contents: Observe, libc: ctypes.CDLL) -> None:
    """Size and data of sendmmsg and recvmmsg are the first message's, the result their number."""
    texts = [b"first", b"second"]
    buffers = [ctypes.create_string_buffer(text, 16) for text in texts]
    vectors = [struct.pack("<QQ", ctypes.addressof(b), 6) for b in buffers]
    kept = [ctypes.create_string_buffer(vector, 16) for vector in vectors]
    header = "<QI4xQQQQi4xI4x"
    messages = b"".join(struct.pack(header, 0, 0, ctypes.addressof(v), 1, 0, 0, 0, 0) for v in kept)

    def talk() -> None:
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        area = ctypes.create_string_buffer(messages, len(messages))
        assert libc.sendmmsg(one.fileno(), area, 2, 0) == 2
        assert libc.recvmmsg(other.fileno(), area, 2, 0, None) == 2

    got = observe_contents(talk)
    for event in (got.last("sendmmsg"), got.last("recvmmsg")):
        assert (event["evt.rawres"], event["evt.arg.size"]) == (2, 6)
    assert got.last("recvmmsg")["evt.buffer"] == b"first\0"


def test_image_of_a_module_only_with_contents(
    observe: Observe, observe_contents: Observe, libc: ctypes.CDLL
) -> None:
    """What init_module is given are contents: they travel only if they are asked for."""
    number = 175 if os.uname().machine == "x86_64" else 105

    def load() -> None:
        libc.syscall(number, b"no module at all" * 8, 128, b"debug=1")

    event = observe_contents(load).last("init_module")
    assert _arguments(event, "uargs", "length") == ["debug=1", 128]
    assert event["evt.arg.img"] == b"no module at all" * 4
    assert event["evt.truncated"] is True
    assert observe(load).last("init_module")["evt.arg.img"] is None


def test_failed_calls_show_what_falco_shows(observe: Observe, libc: ctypes.CDLL) -> None:
    """Where there is nothing to read, Falco's drivers write 0 or -1, and so do we."""
    import resource

    def fail() -> None:
        libc.pipe2(ctypes.c_void_p(8), 0)
        resource.prlimit(0, resource.RLIMIT_NOFILE)

    got = observe(fail)
    event = got.last("pipe2", evt__res="EFAULT")
    assert [event["evt.rawarg.fd1"], event["evt.rawarg.fd2"]] == [-1, -1]
    event = got.last("prlimit")
    assert event["evt.arg.newcur"] == 0
    assert event["evt.arg.oldcur"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
