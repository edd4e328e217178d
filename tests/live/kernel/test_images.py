# ruff: noqa: PTH104, PTH106, PTH109, PTH110, PTH116, PTH208, FBT001, RUF100
# System calls are made by their own names here.
"""Programs: what a successful or failed exec tells."""

import contextlib
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from falcotrace.record.layout import HeaderFlag, ImageFlag, PartKind, SampleType
from live.kernel.recording import Recorder, Recording, Sample, part, strings

pytestmark = pytest.mark.live

Record = Callable[[Callable[[], object]], Recording]
TRUE = b"/usr/bin/true"


def _image(got: Recording) -> Sample:
    event = got.call("execve", ret=0)
    return got.image(event)


def test_successful_exec(record: Record) -> None:
    """A new program tells file name, path, inode, times, arguments and environment."""
    environment = {"ONE": "1", "EMPTY": "", "BLANK": "a b"}
    got = record(lambda: os.execve(TRUE, ["argv zero", "", "two words"], environment))
    event = got.call("execve", ret=0)
    image, state = got.image(event), got.process(event)
    status = os.stat(TRUE)
    assert image["filename"] == TRUE
    assert image["exepath"] == os.fsencode(Path(os.fsdecode(TRUE)).resolve())
    assert image["argv"] == b"argv zero\0\0two words\0"
    assert image["env"] == b"ONE=1\0EMPTY=\0BLANK=a b\0"
    assert (image["ino"], image["dev"]) == (status.st_ino, status.st_dev)
    assert (image["ctime_ns"], image["mtime_ns"]) == (status.st_ctime_ns, status.st_mtime_ns)
    assert (image["mode"], image["uid"], image["gid"]) == (status.st_mode, 0, 0)
    assert (image["pid"], image["tid"]) == (got.pid, got.pid)
    assert image["interp"] == b""
    assert state["comm"] == state["thread_comm"] == b"true"
    assert image["image_flags"] & (ImageFlag.ARGV_CUT | ImageFlag.ENV_CUT) == 0
    assert part(event, PartKind.USAGE)


def test_script_tells_its_interpreter(record: Record, tmp_path: Path) -> None:
    """A script is executed by its first line's interpreter; both are told."""
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    image = _image(record(lambda: os.execv(script, ["x", "y"])))
    assert image["filename"] == os.fsencode(script)
    assert image["interp"] == b"/bin/sh"
    assert image["exepath"] == os.fsencode(Path("/bin/sh").resolve())
    assert image["argv"] == b"/bin/sh\0" + os.fsencode(script) + b"\0y\0"


def test_failed_exec_tells_what_was_tried(record: Record) -> None:
    """A program that cannot be executed is told with its arguments and environment."""

    def fail() -> None:
        with contextlib.suppress(OSError):
            os.execve(b"/nonexistent", ["a", "b c"], {"K": "v"})

    event = record(fail).calls("execve")[-1]
    assert event["ret"] == -2
    assert strings(event) == [b"/nonexistent"]
    assert part(event, PartKind.ARGV) == b"a\0b c\0"
    assert part(event, PartKind.ARGV, 1) == b"K=v\0"


def test_long_arguments_are_cut_with_their_true_length(
    new_recorder: Callable[..., Recorder],
) -> None:
    """Beyond the limit argv is cut, marked, and its true length told."""
    recorder = new_recorder(argv_bytes=100, env_bytes=50)
    image = _image(recorder.run(lambda: os.execve(TRUE, ["true", "x" * 5000], {"E": "y" * 500})))
    assert image["argv"] == b"true\0" + b"x" * 95
    assert image["argv_full_len"] == 5006
    assert image["env"] == b"E=" + b"y" * 48
    assert image["env_full_len"] == 503
    flags = image["image_flags"]
    assert (
        flags & (ImageFlag.ARGV_CUT | ImageFlag.ENV_CUT) == ImageFlag.ARGV_CUT | ImageFlag.ENV_CUT
    )


def test_environment_can_be_left_out(new_recorder: Callable[..., Recorder]) -> None:
    """With a limit of 0 no environment leaves the kernel: it may hold secrets."""

    def run() -> None:
        with contextlib.suppress(OSError):
            os.execve("/nonexistent", ["no"], {"SECRET": "hunter2"})
        os.execve(TRUE, ["true"], {"SECRET": "hunter2"})

    got = new_recorder(env_bytes=0).run(run)
    assert _image(got)["env"] == b""
    assert not any(b"hunter2" in image["env"] for image in got.of(SampleType.IMAGE))
    assert part(got.call("execve", ret=-2), PartKind.ARGV) == b"no\0"
    assert part(got.call("execve", ret=-2), PartKind.ARGV, 1) == b""


def test_largest_blocks(new_recorder: Callable[..., Recorder]) -> None:
    """The largest limits that can be set are honoured to the byte."""
    recorder = new_recorder(argv_bytes=16384, env_bytes=16384)
    image = _image(recorder.run(lambda: os.execve(TRUE, ["t", "x" * 40000], {"E": "y" * 40000})))
    assert (len(image["argv"]), len(image["env"])) == (16384, 16384)
    assert image["filename"] == TRUE


def test_program_from_memory(record: Record) -> None:
    """A program executed from a memfd is marked, and so is the way through a descriptor."""

    def run() -> None:
        fd = os.memfd_create("prog", 0)
        os.write(fd, Path(os.fsdecode(TRUE)).read_bytes())
        os.execve(fd, ["true"], {})

    image = _image(record(run))
    assert image["image_flags"] & ImageFlag.MEMFD
    assert image["image_flags"] & ImageFlag.EXECVEAT
    assert image["exepath"].startswith(b"/memfd:prog")


def test_deleted_program(record: Record, tmp_path: Path) -> None:
    """A program that was unlinked before it ran is marked."""
    copy = tmp_path / "copy"
    copy.write_bytes(Path(os.fsdecode(TRUE)).read_bytes())
    copy.chmod(0o755)

    def run() -> None:
        fd = os.open(copy, os.O_RDONLY)
        copy.unlink()
        os.execve(fd, ["true"], {})

    image = _image(record(run))
    assert image["image_flags"] & ImageFlag.DELETED
    assert image["exepath"] == os.fsencode(copy)


@pytest.mark.parametrize(
    ("mode", "uid", "expected"), [(0o755, 0, True), (0o755, 1000, False), (0o777, 1000, True)]
)
def test_writable_program(
    record: Record, tmp_path: Path, mode: int, uid: int, expected: bool
) -> None:
    """Whether the caller may write its own program: a common way to stay on a host."""
    copy = tmp_path / "copy"
    copy.write_bytes(Path(os.fsdecode(TRUE)).read_bytes())
    copy.chmod(mode)
    for parent in (tmp_path, *tmp_path.parents[:-1]):
        parent.chmod(parent.stat().st_mode | 0o111)

    def run() -> None:
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        os.execve(copy, ["copy"], {})

    assert bool(_image(record(run))["image_flags"] & ImageFlag.WRITABLE) is expected


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="i386 programs are x86")
def test_32_bit_program(record: Record, tmp_path: Path) -> None:
    """The exec of a 32-bit program is an execve like any other, its image marked."""
    start = 0x8048000
    # mov eax, 20 (getpid); int 0x80; mov eax, 1 (exit); xor ebx, ebx; int 0x80
    code = bytes.fromhex("b814000000cd80b80100000031dbcd80")
    header = struct.pack(
        "<16sHHIIIIIHHHHHH",
        b"\x7fELF\x01\x01\x01", 2, 3, 1, start + 84, 52, 0, 0, 52, 32, 1, 0, 0, 0,
    )  # fmt: skip
    segment = struct.pack("<8I", 1, 0, start, start, 84 + len(code), 84 + len(code), 5, 4096)
    program = tmp_path / "program"
    program.write_bytes(header + segment + code)
    program.chmod(0o755)
    got = record(lambda: os.execve(program, ["small"], {}))
    image = _image(got)
    assert image["image_flags"] & ImageFlag.COMPAT
    assert image["argv"] == b"small\0"
    after = [sample for _, sample in got.samples if "nr" in sample][-1]
    assert (after["nr"], after["flags"] & HeaderFlag.COMPAT) == (20, HeaderFlag.COMPAT)


def test_children_share_the_image(record: Record) -> None:
    """A fork runs its parent's program: one description serves both."""

    def run() -> None:
        os.execv(sys.executable, [sys.executable, "-c", "import os; os.fork(); os.getppid()"])

    got = record(run)
    events = got.calls("getppid")[-2:]
    states = [got.process(event) for event in events]
    assert states[0]["pid"] != states[1]["pid"]
    assert states[0]["image_id"] == states[1]["image_id"]
    assert b"import os" in got.image(events[0])["argv"]


def test_program_that_ran_before(new_recorder: Callable[..., Recorder]) -> None:
    """A program that runs already is described with path, arguments and environment."""
    with subprocess.Popen(["/usr/bin/sleep", "77.5"], env={"MARK": "x y"}) as sleeper:
        try:
            recorder = new_recorder()
        finally:
            sleeper.kill()
    (image,) = [
        image for image in recorder.existing.of(SampleType.IMAGE) if image["pid"] == sleeper.pid
    ]
    assert image["flags"] & HeaderFlag.SNAPSHOT
    assert image["argv"] == b"/usr/bin/sleep\x0077.5\0"
    assert image["env"] == b"MARK=x y\0"
    assert image["exepath"].endswith(b"/sleep")


def test_without_access_to_other_memory(
    new_recorder: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On older kernels argv of running programs is left to user space, and says so."""
    from falcotrace.errors import RecordError
    from falcotrace.record.session import KernelSession

    load = KernelSession._load

    def refuse(self: KernelSession) -> None:
        if self._iterator == "handle_task":
            raise RecordError("refused")
        load(self)

    monkeypatch.setattr(KernelSession, "_load", refuse)
    recorder = new_recorder()
    images = [
        image for image in recorder.existing.of(SampleType.IMAGE) if image["pid"] == os.getpid()
    ]
    assert images
    assert images[0]["argv"] == b""
    assert images[0]["image_flags"] & ImageFlag.ARGV_FAULT
    assert _image(recorder.run(lambda: os.execve(TRUE, ["here"], {})))["argv"] == b"here\0"
