"""Values that were cut say so: arguments, environments, paths and contents, by name."""

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from falcotrace.errors import RecordError
from falcotrace.record.session import BLOCK_BYTES_MAX, KernelSession, SessionSettings
from live.behaviours.calls.observing import Observed, Observer

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("live_kernel")]

Observe = Callable[[Callable[[], object]], Observed]
ARGUMENTS = [f"{number:04d}" + "x" * 95 for number in range(200)]  # 20,000 bytes with NULs
ENVIRONMENT = {f"V{number:04d}": "y" * 93 for number in range(200)}


def _execute() -> None:
    subprocess.run(["/bin/true", *ARGUMENTS], check=True, env=ENVIRONMENT)


@pytest.fixture
def observer() -> Iterator[Callable[..., Observer]]:
    """Make an observer with settings of its own."""
    made: list[Observer] = []

    def make(**settings: int) -> Observer:
        made.append(Observer(**settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_long_arguments_and_environments_are_cut_and_named(observe: Observe) -> None:
    """At 4,096 bytes each by default; the process and the event that repeats them say which."""
    event = observe(_execute).last("execve", evt__res="SUCCESS", proc__name="true")
    assert event["proc.cut"] == "args env"
    assert event["evt.cut"] == "args env"
    assert event["evt.truncated"] is True
    assert 0 < len(event["proc.argv"]) < 45
    assert event["proc.argv"][0] == ARGUMENTS[0]
    assert 0 < len(event["proc.env"]) < 45


def test_with_higher_limits_all_of_it_is_there(observer: Callable[..., Observer]) -> None:
    """As much as was asked for, to the last byte, and nothing says that it is cut."""
    got = observer(argv_bytes=BLOCK_BYTES_MAX, env_bytes=BLOCK_BYTES_MAX).run(_execute)
    event = got.last("execve", evt__res="SUCCESS", proc__name="true")
    assert event["proc.argv"] == ARGUMENTS
    assert dict(item.split("=", 1) for item in event["proc.env"]) == ENVIRONMENT
    assert event["evt.arg.args"] == b"".join(f"{item}\0".encode() for item in ARGUMENTS)
    assert (event["proc.cut"], event["evt.cut"], event["evt.truncated"]) == (None, None, False)


def test_one_of_them_can_be_cut(observer: Callable[..., Observer]) -> None:
    """The limits are two; an environment that nobody asked for is not cut."""
    got = observer(argv_bytes=64, env_bytes=0).run(_execute)
    event = got.last("execve", evt__res="SUCCESS", proc__name="true")
    assert (event["proc.cut"], event["proc.env"]) == ("args", [])
    got = observer(argv_bytes=BLOCK_BYTES_MAX, env_bytes=128).run(_execute)
    event = got.last("execve", evt__res="SUCCESS", proc__name="true")
    assert (event["proc.cut"], event["evt.cut"]) == ("env", "env")


def test_impossible_limits_are_refused() -> None:
    """One line says what is possible."""
    with pytest.raises(RecordError, match="environment are not possible") as caught:
        KernelSession(SessionSettings(env_bytes=BLOCK_BYTES_MAX + 1))
    assert "32,768" in caught.value.hint


def test_an_exec_that_failed(observe: Observe) -> None:
    """What it was given is cut, not what the process still is."""

    def fail() -> None:
        with pytest.raises(FileNotFoundError):
            os.execve("/nonexistent", ["short", *ARGUMENTS], {"A": "1"})

    event = observe(fail).last("execve", evt__res="ENOENT")
    assert event["evt.arg.exe"] == "short"
    assert event["evt.cut"] == "args"


def test_a_path_and_contents(observe_contents: Observe, libc: ctypes.CDLL) -> None:
    """The names of parameters as events have them; `data` is `evt.buffer`."""

    def go() -> None:
        reader, writer = os.pipe()
        os.write(writer, b"z" * 100)
        os.write(writer, b"z" * 10)
        os.writev(writer, [b"z" * 100])
        libc.unlink(b"/" + b"p" * 5000)
        libc.unlink(ctypes.c_void_p(8))
        os.close(reader)

    got = observe_contents(go)
    long, short = got.all("write", proc__pid=got.pid)[-2:]
    assert (long["evt.cut"], len(long["evt.buffer"])) == ("data", 64)
    assert (short["evt.cut"], short["evt.truncated"]) == (None, False)
    assert got.last("writev")["evt.cut"] == "data"
    assert got.last("unlink", evt__res="ENAMETOOLONG")["evt.cut"] == "path"
    assert got.last("unlink", evt__res="EFAULT")["evt.cut"] == "path"


def test_a_directory_too_deep_to_be_walked(observe: Observe, tmp_path: Path) -> None:
    """The kernel's path then lacks its beginning: file and working directory say so."""

    def go() -> None:
        os.chdir(tmp_path)
        for _ in range(70):
            os.mkdir("d" * 90)  # noqa: PTH102
            os.chdir("d" * 90)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY))

    got = observe(go)
    event = got.last("openat", fd__nameraw="file")
    assert event["fd.is_cut"] is True
    assert event["proc.cut"] == "cwd"
    assert not event["fd.path"].startswith(str(tmp_path))
    shallow = got.all("mkdir", "mkdirat")[0]
    assert shallow["proc.cut"] is None
