"""Loading: what can be checked without the rights to load anything."""

import errno
from importlib.resources import files
from pathlib import Path

import pytest

from falcotrace.errors import RecordError
from falcotrace.record import libbpf, session
from falcotrace.record.syscalls import ROWS, SYSCALL


def _object(arch: str = "x86_64") -> bytes:
    return (files("falcotrace.record") / f"recorder.{arch}.bpf.o").read_bytes()


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_symbols_of_the_objects(arch: str) -> None:
    """Settings and variables are found by name in both objects, with their sizes."""
    symbols = libbpf.read_symbols(_object(arch))
    assert symbols[".rodata"]["targ_magic"][1] == 4
    assert symbols[".rodata"]["syscalls"][1] == ROWS * SYSCALL.itemsize
    assert {"self_pid", "follow_pid", "follow_vpid"} <= set(symbols[".bss"])


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_objects_tell_nothing_of_where_they_were_built(arch: str) -> None:
    """No absolute path is in an object: two machines build the same bytes."""
    for place in (b"/home", b"/work", b"/usr", b"/root", b"/tmp"):
        assert place not in _object(arch), place


def test_objects_hold_the_programs() -> None:
    """Each program that a session attaches is in the object."""
    functions = {name for symbols in libbpf.read_symbols(_object()).values() for name in symbols}
    assert set(session._ALWAYS) | set(session._AT_ENTER) <= functions
    assert {"handle_task", "handle_task_without_memory", "handle_task_file"} <= functions


def test_missing_library_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without libbpf the message says which package to install."""
    monkeypatch.setattr(libbpf, "LIBRARY", "libbpf-that-is-not-there.so.1")
    libbpf._library.cache_clear()
    try:
        with pytest.raises(RecordError) as caught:
            libbpf.count_cpus()
    finally:
        libbpf._library.cache_clear()
    assert "apt install libbpf1" in caught.value.hint
    assert "dnf install libbpf" in caught.value.hint


@pytest.mark.parametrize(
    ("number", "euid", "has_btf", "expected"),
    [
        (errno.EPERM, 1000, True, "CAP_BPF"),
        (errno.ESRCH, 0, False, "CONFIG_DEBUG_INFO_BTF"),
        (errno.EPERM, 0, True, "CAP_BPF"),
        (errno.EINVAL, 0, True, "--debug"),
    ],
)
def test_hints(tmp_path: Path, number: int, euid: int, has_btf: bool, expected: str) -> None:  # noqa: FBT001
    """Each failure says what to do about it."""
    btf = tmp_path / "vmlinux"
    if has_btf:
        btf.touch()
    assert expected in libbpf.explain(number, euid=euid, btf=btf)


def test_garbage_is_no_object() -> None:
    """Something else than an object is an error with a reason, not a crash."""
    with pytest.raises(RecordError, match="cannot open"):
        libbpf.BpfObject(b"\x7fELF" + bytes(200))


def test_unknown_architecture() -> None:
    """A machine for which there is no object is told so."""
    with pytest.raises(RecordError, match="no recorder for riscv64") as caught:
        session._read_object("riscv64")
    assert "x86_64" in caught.value.hint
