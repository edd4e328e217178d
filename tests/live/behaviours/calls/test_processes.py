"""Calls about processes: programs, ancestors, users, signals against what was done."""

# The calls are what is tested, so they are made as they are.
# ruff: noqa: PTH116

import contextlib
import ctypes
import errno
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from falcotrace.events.text import to_bytes
from live.behaviours.calls.observing import Event, Observed

pytestmark = pytest.mark.live

Observe = Callable[[Callable[[], object]], Observed]


def _spawn(path: str, arguments: list[bytes], environment: dict[bytes, bytes]) -> int:
    pid = os.fork()
    if not pid:
        os.execve(path, arguments, environment)
    return os.waitpid(pid, 0)[1]


def _program(got: Observed) -> Event:
    return got.last("execve", evt__res="SUCCESS")


def test_program_with_its_arguments_and_environment(observe: Observe) -> None:
    """Name, argv[0], path, arguments one by one, environment, and the flags of the file."""
    arguments = [b"other name", b"-c", b"", b"two words", b""]
    environment = {b"FIRST": b"1", b"EMPTY": b"", b"WITH": b"a=b c"}
    got = observe(lambda: _spawn("/bin/true", arguments, environment))
    event = _program(got)
    assert event["proc.name"] == "true"
    assert event["proc.exe"] == event["evt.arg.exe"] == "other name"
    assert event["proc.exepath"] == os.path.realpath("/bin/true")
    assert event["proc.argv"] == ["-c", "", "two words", ""]
    assert event["proc.cmdline"] == "true -c  two words "
    assert event["proc.env"] == ["FIRST=1", "EMPTY=", "WITH=a=b c"]
    assert event["evt.arg.args"] == b"-c\0\0two words\0\0"
    assert event["evt.arg.env"] == b"FIRST=1\0EMPTY=\0WITH=a=b c\0"
    assert event["evt.arg.filename"] == "/bin/true"
    assert event["evt.arg.comm"] == "true"
    assert event["evt.arg.trusted_exepath"] == event["proc.exepath"]
    assert event["evt.arg.flags"] == "EXE_WRITABLE"
    assert event["proc.is_exe_writable"] is True
    status = Path(event["proc.exepath"]).stat()
    assert event["proc.exe_ino"] == event["evt.arg.exe_ino"] == status.st_ino
    assert event["proc.exe_ino_mtime"] == status.st_mtime_ns
    assert event["proc.exe_ino_ctime"] == status.st_ctime_ns


def test_arguments_that_are_no_text(observe: Observe) -> None:
    """Bytes that are no UTF-8, newlines and quotes come through as they are."""
    odd = [b"a\xff\xfeb", b"line\nline", b"'\"\\", "größe".encode()]
    event = _program(observe(lambda: _spawn("/bin/true", [b"true", *odd], {})))
    assert [to_bytes(item) for item in event["proc.argv"]] == odd
    assert to_bytes(event["proc.cmdline"]) == b" ".join([b"true", *odd])


def test_long_command_line_is_cut_at_the_limit(observe: Observe) -> None:
    """4096 bytes of arguments travel; what is beyond is missing and does not harm the rest."""
    event = _program(observe(lambda: _spawn("/bin/true", [b"true", *[b"x" * 99] * 100], {})))
    assert event["proc.cmdline"].startswith("true " + "x" * 99 + " ")
    assert 3900 < len(event["proc.cmdline"]) <= 4100
    assert event["proc.env"] == []


def test_program_without_arguments_at_all(observe: Observe, libc: ctypes.CDLL) -> None:
    """An empty argv does not happen any more: the kernel puts one empty text there."""

    def go() -> None:
        pid = os.fork()
        if not pid:
            libc.execve(b"/bin/true", None, None)
        os.waitpid(pid, 0)

    event = _program(observe(go))
    assert (event["proc.name"], event["proc.exe"], event["proc.cmdline"]) == ("true", "", "true")


def test_script_has_its_own_name(observe: Observe, tmp_path: Path) -> None:
    """A script's process is named after the script; its path is the interpreter's."""
    script = tmp_path / "script.sh"
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    event = _program(observe(lambda: _spawn(str(script), [b"given", b"x"], {})))
    assert event["proc.name"] == "script.sh"
    assert event["proc.exepath"] == os.path.realpath("/bin/sh")
    assert event["proc.argv"] == [str(script), "x"]


def test_failed_exec_shows_what_was_tried(observe: Observe) -> None:
    """The program stays what it was; the arguments of the event are the attempt's."""

    def fail() -> None:
        with contextlib.suppress(OSError):
            os.execve("/nonexistent/tool", [b"tool", b"--flag"], {b"A": b"1"})

    event = observe(fail).last("execve")
    assert (event["evt.res"], event["evt.rawres"]) == ("ENOENT", -errno.ENOENT)
    assert event["evt.arg.exe"] == "tool"
    assert event["evt.arg.args"] == b"--flag\0"
    assert event["evt.arg.filename"] == "/nonexistent/tool"
    assert event["proc.exepath"] == os.path.realpath(sys.executable)


def test_exec_of_a_descriptor(observe: Observe, libc: ctypes.CDLL) -> None:
    """Execveat is an execve as well, and names what it executed."""

    def go() -> None:
        pid = os.fork()
        if not pid:
            os.execve(os.open("/bin/true", os.O_RDONLY), [b"by-descriptor"], {})
        os.waitpid(pid, 0)

    event = observe(go).last("execve", "execveat", evt__res="SUCCESS")
    assert event["proc.exe"] == "by-descriptor"
    assert event["proc.exepath"] == os.path.realpath("/bin/true")


def test_child_and_its_ancestors(observe: Observe) -> None:
    """Fork's two sides: the child's pid and 0; and who descends from whom."""

    def go() -> None:
        pid = os.fork()
        if not pid:
            grandchild = os.fork()
            if not grandchild:
                os.getppid()
                os._exit(3)
            os.waitpid(grandchild, 0)
            os._exit(0)
        os.waitpid(pid, 0)

    got = observe(go)
    calls = got.all("clone", "clone3", "fork", "vfork")
    parents = [event for event in calls if event["evt.rawres"] > 0]
    children = [
        event for event in calls if not event["evt.rawres"] and event["proc.pid"] != got.pid
    ]
    assert [event["proc.pid"] for event in children] == [event["evt.rawres"] for event in parents]
    assert parents[0]["proc.pid"] == got.pid
    assert parents[0]["evt.arg.res"] == parents[0]["proc.name"]
    child, grandchild = (event["evt.rawres"] for event in parents)
    event = got.last("procexit", proc__pid=grandchild)
    assert event["proc.apid"][:3] == [child, got.pid, os.getpid()]
    assert event["proc.ppid"] == child
    assert (event["evt.rawarg.ret"], event["evt.rawarg.status"]) == (3, 3 << 8)
    assert event["proc.aname"][2] == event["proc.name"]


def test_orphan_has_a_new_parent(observe: Observe, libc: ctypes.CDLL) -> None:
    """After its parent's death a process belongs to whoever adopts orphans."""

    def go() -> None:
        libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            ready, tell = os.pipe()
            if not os.fork():
                os.stat("/etc/group")
                os.write(tell, b"x")
                os.close(writer)
                os.read(reader, 1)  # until the parent is gone
                time.sleep(0.05)
                os.stat("/etc/passwd")
            else:
                os.read(ready, 1)
            os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        os.wait()

    got = observe(go)
    before = got.last("stat", "newfstatat", evt__arg__path="/etc/group")
    after = got.last("stat", "newfstatat", evt__arg__path="/etc/passwd")
    assert before["proc.apid"][:2] == [before["proc.ppid"], got.pid]
    assert after["proc.apid"][0] == after["proc.ppid"] == got.pid
    assert got.last("procexit", proc__pid=before["proc.ppid"])["evt.rawarg.reaper_tid"] == got.pid


def test_threads_share_their_process(observe: Observe) -> None:
    """A thread has its own tid and the process's pid."""

    def go() -> None:
        thread = threading.Thread(target=lambda: os.stat("/etc/passwd"))
        thread.start()
        thread.join()

    got = observe(go)
    event = got.last("stat", "newfstatat", evt__arg__path="/etc/passwd")
    assert event["proc.pid"] == got.pid
    assert event["thread.tid"] != got.pid


def test_renaming_a_thread_does_not_rename_the_process(observe: Observe, libc: ctypes.CDLL) -> None:
    """Falco's proc.name is the name at the last exec; the momentary one stands beside it."""

    def go() -> None:
        libc.prctl(15, b"disguise", 0, 0, 0)
        os.stat("/etc/passwd")

    got = observe(go)
    event = got.last("prctl")
    assert event["evt.arg.option"] == "PR_SET_NAME"
    assert event["evt.arg.arg2_str"] == "disguise"
    assert event["evt.arg.arg2_int"] == 0
    event = got.last("stat", "newfstatat", evt__arg__path="/etc/passwd")
    assert event["proc.name"] != "disguise"
    assert event["proc.comm"] == "disguise"


def test_users(observe: Observe, libc: ctypes.CDLL) -> None:
    """setresuid, setuid and setgid: arguments by name, and whom the process is afterwards."""

    def go() -> None:
        os.setgid(2)
        os.setresuid(1, 1, 0)
        os.setuid(0)
        os.setuid(1)
        with contextlib.suppress(PermissionError):
            os.setuid(2)

    got = observe(go)
    event = got.last("setgid")
    assert (event["evt.arg.gid"], event["group.name"], event["group.gid"]) == ("bin", "bin", 2)
    event = got.last("setresuid")
    assert (event["evt.arg.ruid"], event["evt.arg.suid"]) == ("daemon", "root")
    assert (event["user.name"], event["user.uid"]) == ("daemon", 1)
    assert event["thread.cap_effective"] == ""
    event = got.all("setuid")[0]
    assert (event["evt.arg.uid"], event["user.name"]) == ("root", "root")
    assert "CAP_SYS_ADMIN" in event["thread.cap_effective"]
    event = got.last("setuid")
    assert event["evt.arg.uid"] == "bin"


def test_signals(observe: Observe) -> None:
    """Kill's target by name, the signal, and how the target ended."""

    def go() -> None:
        pid = os.fork()
        if not pid:
            signal.pause()
        time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with contextlib.suppress(ProcessLookupError):
            os.kill(2**22 - 1, 0)

    got = observe(go)
    event = got.last("kill", evt__res="SUCCESS")
    target = event["evt.rawarg.pid"]
    assert (event["evt.arg.sig"], event["evt.arg.pid"]) == ("SIGKILL", event["proc.name"])
    event = got.last("procexit", proc__pid=target)
    assert (event["evt.arg.sig"], event["evt.rawarg.status"]) == ("SIGKILL", signal.SIGKILL)
    event = got.last("kill")
    assert (event["evt.res"], event["evt.arg.pid"]) == ("ESRCH", str(2**22 - 1))


def test_ptrace(observe: Observe, libc: ctypes.CDLL) -> None:
    """The request by name: rules about injection ask for it."""

    def go() -> None:
        pid = os.fork()
        if not pid:
            libc.ptrace(0, 0, 0, 0)
            os.kill(os.getpid(), signal.SIGSTOP)
            os._exit(0)
        os.waitpid(pid, 0)
        libc.ptrace(7, pid, 0, 0)
        os.waitpid(pid, 0)

    traceme, cont = observe(go).all("ptrace")
    assert traceme["evt.arg.request"] == "PTRACE_TRACEME"
    assert cont["evt.arg.request"] == "PTRACE_CONT"
    assert cont["evt.arg.pid"] == cont["proc.name"]


def test_limits(observe: Observe) -> None:
    """Prlimit's new and old values, signed as Falco has them."""

    def go() -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.RLIM_INFINITY))

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    calls = observe(go).all("prlimit", evt__res="SUCCESS")
    asked, lowered, core = calls[-3:]
    assert asked["evt.arg.resource"] == "RLIMIT_NOFILE"
    assert (asked["evt.arg.oldcur"], asked["evt.arg.oldmax"]) == (soft, hard)
    assert (lowered["evt.arg.newcur"], lowered["evt.arg.newmax"]) == (soft - 1, hard)
    assert (core["evt.arg.newcur"], core["evt.arg.newmax"]) == (0, -1)


def test_namespaces(observe: Observe, libc: ctypes.CDLL) -> None:
    """Inside a pid namespace the process has other numbers; the host's stay in proc.pid."""

    def go() -> None:
        libc.unshare(0x20000000)
        pid = os.fork()
        if not pid:
            os.stat("/etc/passwd")
            os._exit(0)
        os.waitpid(pid, 0)
        libc.setns(os.open("/proc/self/ns/uts", os.O_RDONLY), 0x04000000)

    got = observe(go)
    assert got.last("unshare")["evt.arg.flags"] == "CLONE_NEWPID"
    event = got.last("stat", "newfstatat", evt__arg__path="/etc/passwd")
    assert (event["proc.vpid"], event["thread.vtid"]) == (1, 1)
    assert event["proc.pid"] == event["thread.tid"] > 1
    event = got.last("setns")
    assert event["evt.arg.nstype"] == "CLONE_NEWUTS"
    assert event["fd.name"] == "/proc/self/ns/uts"


def test_root_directory(observe: Observe, tmp_path: Path) -> None:
    """After chroot paths are the process's own; where its root lies is told beside."""
    (tmp_path / "file").touch()

    def go() -> None:
        os.chroot(tmp_path)
        os.chdir("/")
        os.open("file", os.O_RDONLY)

    got = observe(go)
    assert got.last("chroot")["evt.arg.path"] == str(tmp_path)
    event = got.last("openat")
    assert (event["fd.name"], event["proc.cwd"]) == ("/file", "/")
    assert event["proc.root"] == str(tmp_path)


def test_standard_streams(observe: Observe, tmp_path: Path) -> None:
    """What descriptors 0, 1 and 2 are is part of the process: a shell on a socket shows by it."""

    def go() -> None:
        reader, _ = os.pipe()
        os.dup2(reader, 0)
        os.dup2(os.open(tmp_path / "out", os.O_CREAT | os.O_WRONLY), 1)
        os.stat("/etc/passwd")

    event = observe(go).last("stat", "newfstatat", evt__arg__path="/etc/passwd")
    assert (event["proc.stdin.type"], event["proc.stdin.name"]) == ("pipe", "")
    assert (event["proc.stdout.type"], event["proc.stdout.name"]) == ("file", f"{tmp_path}/out")
    assert event["proc.stderr.type"] is not None


def test_sleep(observe: Observe, libc: ctypes.CDLL) -> None:
    """A time in a struct becomes nanoseconds."""
    from falcotrace.record.syscalls import load_syscalls

    number = {call.name: call.numbers.get(os.uname().machine) for call in load_syscalls()}
    wanted = (ctypes.c_long * 2)(0, 1_500_000)
    got = observe(lambda: libc.syscall(number["nanosleep"], ctypes.byref(wanted), None))
    assert got.last("nanosleep")["evt.arg.interval"] == 1_500_000
