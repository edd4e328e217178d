"""32-bit system calls: shown under their names, with the arguments that can be told, and marked."""

import ctypes
import mmap
import os
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from live.behaviours.calls.observing import Event, Observed

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="int 0x80 is x86"),
]

Observe = Callable[[Callable[[], object]], Observed]
MAP_32BIT = 0x40
# push rbx; push rbp; mov eax, edi; mov ebx, esi; xchg edx, ecx; mov esi, r8d; mov edi, r9d;
# mov ebp, [rsp+24]; int 0x80; pop rbp; pop rbx; ret
CODE = bytes.fromhex("535589f889f387ca4489c64489cf8b6c2418cd805d5bc3")
SOURCE = """
static int call(int nr, int a, int b, int c) {
    int ret;
    __asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
    return ret;
}
void _start(void) {
    int fd = call(5, (int)"/etc/shadow", 0, 0);    /* open */
    char buffer[8];
    call(3, fd, (int)buffer, 5);                   /* read */
    call(6, fd, 0, 0);                             /* close */
    call(195, (int)"/etc/passwd", (int)buffer, 0); /* stat64, which fails */
    call(1, 0, 0, 0);                              /* exit */
}
"""


class Narrow:
    """Makes 32-bit calls from this process, with memory that they can address."""

    def __init__(self, libc: ctypes.CDLL) -> None:
        libc.mmap.restype = ctypes.c_void_p
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_32BIT
        self._at = libc.mmap(None, 8192, 7, flags, -1, 0)
        ctypes.memmove(self._at, CODE, len(CODE))
        words = [ctypes.c_uint32] * 7
        self._function = ctypes.CFUNCTYPE(ctypes.c_int, *words)(self._at)
        self._free = self._at + 256

    def put(self, data: bytes) -> int:
        """Store bytes where 32 bits address them."""
        at = self._free
        ctypes.memmove(at, data, len(data))
        self._free += len(data) + 16 & ~15
        return int(at)

    def text(self, value: str) -> int:
        """The same of a text."""
        return self.put(value.encode() + b"\0")

    def call(self, number: int, *arguments: int) -> int:
        """Make a call by its i386 number."""
        values = [value & 0xFFFFFFFF for value in (*arguments, *[0] * 6)][:6]
        return int(self._function(number, *values))


@pytest.fixture
def narrow(libc: ctypes.CDLL) -> Narrow:
    """32-bit calls from a 64-bit process."""
    return Narrow(libc)


def _compat(got: Observed, name: str) -> Event:
    return got.last(name, evt__compat=True)


def test_files(observe: Observe, narrow: Narrow, tmp_path: Path) -> None:
    """Paths, directories, flags, modes and descriptors; what was opened has its name."""

    def work() -> None:
        folder = os.open(tmp_path, os.O_RDONLY)
        opened = narrow.call(5, narrow.text("/etc/passwd"), os.O_RDONLY | os.O_CLOEXEC)  # open
        assert opened > 0
        target = narrow.put(bytes(16))
        assert narrow.call(3, opened, target, 4) == 4  # read
        assert narrow.call(180, opened, target, 4, 5, 1) == 0  # pread64 behind 4 GiB: the end
        assert narrow.call(19, opened, -2, 1) >= 0  # lseek
        made = narrow.call(295, folder, narrow.text("new"), os.O_CREAT | os.O_RDWR, 0o640)  # openat
        assert made > 0
        assert narrow.call(6, opened) == 0  # close
        assert narrow.call(302, folder, narrow.text("new"), -100, narrow.text("/none/x")) == -2
        assert narrow.call(212, narrow.text(f"{tmp_path}/new"), 0, 7) == 0  # chown32
        how = narrow.put(struct.pack("<QQQ", os.O_RDONLY, 0, 8))
        assert narrow.call(437, folder, narrow.text("new"), how, 24) > 0  # openat2

    got = observe(work)
    event = _compat(got, "open")
    assert event["fd.name"] == event["evt.arg.name"] == "/etc/passwd"
    assert event["evt.arg.flags"] == "O_RDONLY|O_CLOEXEC"
    assert event["evt.arg.fd"] == "<f>/etc/passwd"
    opened = event["fd.num"]
    read = _compat(got, "read")
    assert (read["fd.num"], read["fd.name"]) == (opened, "/etc/passwd")
    assert (read["evt.arg.size"], read["evt.rawres"]) == (4, 4)
    assert _compat(got, "pread")["evt.arg.pos"] == 5 + (1 << 32)
    event = _compat(got, "lseek")
    assert (event["evt.arg.offset"], event["evt.arg.whence"]) == (2**64 - 2, "SEEK_CUR")
    event = _compat(got, "openat")
    assert event["evt.arg.name"] == event["fd.name"] == f"{tmp_path}/new"
    assert event["evt.rawarg.mode"] == 0o640
    event = _compat(got, "renameat")
    paths = (event["evt.arg.oldpath"], event["evt.arg.newpath"])
    assert paths == (f"{tmp_path}/new", "/none/x")
    assert (event["evt.arg.newdirfd"], event["evt.res"]) == ("AT_FDCWD", "ENOENT")
    event = _compat(got, "chown")
    assert (event["evt.rawarg.uid"], event["evt.rawarg.gid"]) == (0, 7)
    assert _compat(got, "openat2")["evt.arg.resolve"] == "RESOLVE_BENEATH"
    assert _compat(got, "close")["evt.rawarg.fd"] == opened


@pytest.mark.parametrize("through", ["own numbers", "socketcall"])
def test_sockets(observe: Observe, narrow: Narrow, through: str) -> None:
    """Connections and messages, also through socketcall, whose arguments stand in memory."""
    own = {"socket": 359, "connect": 362, "sendto": 369, "sendmsg": 370}
    packed = {"socket": 1, "connect": 3, "sendto": 11, "sendmsg": 16}

    def ask(name: str, *arguments: int) -> int:
        if through == "own numbers":
            return narrow.call(own[name], *arguments)
        words = [value & 0xFFFFFFFF for value in arguments]
        return narrow.call(102, packed[name], narrow.put(struct.pack(f"<{len(words)}I", *words)))

    def talk() -> None:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        made = ask("socket", socket.AF_INET, socket.SOCK_DGRAM, 0)
        assert made > 0
        peer = struct.pack("<H", socket.AF_INET) + struct.pack(">H4s8x", port, b"\x7f\0\0\1")
        assert ask("connect", made, narrow.put(peer), 16) == 0
        assert ask("sendto", made, narrow.text("abc"), 3, 0, 0, 0) == 3
        data, more = narrow.text("hello"), narrow.text("you")
        vectors = narrow.put(struct.pack("<4I", data, 5, more, 3))
        header = narrow.put(struct.pack("<7I", 0, 0, vectors, 2, 0, 0, 0))
        assert ask("sendmsg", made, header, 0) == 8
        assert server.recv(9) == b"abc"

    got = observe(talk)
    event = _compat(got, "socket")
    assert (event["evt.arg.domain"], event["evt.rawarg.type"]) == ("AF_INET", socket.SOCK_DGRAM)
    event = _compat(got, "connect")
    assert event["fd.name"] == event["evt.arg.tuple"]
    assert event["evt.arg.addr"] == f"127.0.0.1:{event['fd.sport']}"
    assert _compat(got, "sendto")["evt.arg.size"] == 3
    assert _compat(got, "sendmsg")["evt.arg.size"] == 8
    assert not got.all("socketcall")


def test_numbers_mean_other_calls(observe: Observe, narrow: Narrow) -> None:
    """Number 5 is open and not fstat, 1 exit and not write; names are those of the i386 table."""

    def work() -> None:
        narrow.call(20)  # getpid
        narrow.call(199)  # getuid32
        narrow.call(37, 0x7FFFFFF0, 9)  # kill
        narrow.call(39, narrow.text("/proc/none"), 0o755)  # mkdir
        narrow.call(117, 99)  # ipc
        narrow.call(142, 0, 0, 0, 0, narrow.put(bytes(8)))  # _newselect
        narrow.call(7, 0x7FFFFFF0, 0, 0)  # waitpid

    got = observe(work)
    named = [row["evt.type"] for row in got.rows if row["evt.compat"]]
    assert named == ["getpid", "getuid", "kill", "mkdir", "ipc", "select", "waitpid"]
    assert _compat(got, "getuid")["evt.arg.uid"] == "root"
    event = _compat(got, "kill")
    assert (event["evt.arg.sig"], event["evt.res"]) == ("SIGKILL", "ESRCH")
    assert _compat(got, "mkdir")["evt.arg.path"] == "/proc/none"
    assert _compat(got, "getpid")["evt.arg.nativeID"] == 20
    assert not got.all("getpid", evt__arg__nativeID=39, evt__compat=True)


def test_what_has_another_form_is_not_invented(observe: Observe, narrow: Narrow) -> None:
    """Structs of 32-bit programs that differ are missing, neither zeros nor nonsense."""

    def work() -> None:
        narrow.call(162, narrow.put(struct.pack("<II", 0, 1000)), 0)  # nanosleep
        narrow.call(76, 7, narrow.put(bytes(8)))  # old getrlimit
        narrow.call(191, 7, narrow.put(bytes(8)))  # ugetrlimit
        narrow.call(90, narrow.put(struct.pack("<6I", 0, 4096, 1, 0x22, 0xFFFFFFFF, 0)))  # old mmap
        narrow.call(340, 0, 7, 0, narrow.put(bytes(16)))  # prlimit64

    got = observe(work)
    assert _compat(got, "nanosleep")["evt.arg.interval"] is None
    for event in got.all("getrlimit", evt__compat=True):
        assert (event["evt.arg.cur"], event["evt.arg.resource"]) == (None, "RLIMIT_NOFILE")
    assert _compat(got, "old_mmap")["evt.arg.nativeID"] == 90
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    event = _compat(got, "prlimit")
    assert (event["evt.arg.oldcur"], event["evt.arg.oldmax"]) == limits


def test_an_exec_that_failed(observe: Observe, narrow: Narrow) -> None:
    """Its name, arguments and environment, through pointers of 32 bits."""

    def fail() -> None:
        words = [narrow.text("zero"), narrow.text("one"), 0]
        argv = narrow.put(struct.pack("<3I", *words))
        env = narrow.put(struct.pack("<2I", narrow.text("A=1"), 0))
        assert narrow.call(11, narrow.text("/none/such"), argv, env) == -2

    event = _compat(observe(fail), "execve")
    assert event["evt.arg.filename"] == "/none/such"
    assert (event["evt.arg.exe"], event["evt.arg.args"]) == ("zero", b"one\0")
    assert event["evt.arg.env"] == b"A=1\0"


def test_a_32_bit_program(
    observe: Observe, need_programs: Callable[..., None], tmp_path: Path
) -> None:
    """All that a program of the old kind does, from its start to its end."""
    need_programs("gcc")
    source, program = tmp_path / "narrow.c", tmp_path / "narrow"
    source.write_text(SOURCE)
    flags = ["-m32", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-fno-stack-protector"]
    built = subprocess.run(
        ["gcc", *flags, "-o", program, source], check=False, capture_output=True, text=True
    )
    if built.returncode:
        pytest.skip(f"gcc makes no 32-bit programs here: {built.stderr[:200]}")
    got = observe(lambda: subprocess.run([program], check=True))
    mine = [row for row in got.rows if row["proc.name"] == "narrow"]
    types = [(row["evt.type"], row["evt.compat"]) for row in mine]
    assert types[0] == ("execve", False)
    assert types[1:-1] == [(name, True) for name in ("open", "read", "close", "stat64")]
    assert types[-1] == ("procexit", False)
    opened = got.last("open", proc__name="narrow")
    assert opened["fd.name"] == "/etc/shadow"
    assert got.last("stat64")["evt.arg.path"] == "/etc/passwd"


def test_no_call_passes_for_the_end_of_a_process(
    observe: Observe, narrow: Narrow, libc: ctypes.CDLL
) -> None:
    """Numbers that nobody has are unknown calls, whatever the recorder uses inside for them."""

    def work() -> None:
        for number in (0xFFFF, 0x7FFF, 0xBFFF, 510, 0x10005, 0x10101):
            libc.syscall(number, 9, 9)
            narrow.call(number, 9, 9)

    got = observe(work)
    assert len(got.all("procexit", proc__pid=got.pid)) == 1
    odd = [row for row in got.rows if row["evt.type"].startswith(("unknown", "compat_"))]
    assert len(odd) == 12
    assert not got.all("send", "accept")
