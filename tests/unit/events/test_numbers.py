"""Texts of numbers."""

import pytest

from falcotrace.events.event_types import Param
from falcotrace.events.numbers import (
    condition_text,
    errno_text,
    raw_text,
    resolved_text,
    result_text,
    signal_text,
)


def _param(kind: str, form: str = "DEC", extra: str = "") -> Param:
    return Param("x", kind, form, extra)


@pytest.mark.parametrize(
    ("param", "number", "text"),
    [
        (_param("UINT64", "HEX"), 2**64 - 1, "F" * 16),
        (_param("ERRNO", "HEX"), 140355142443008, "140355142443008"),
        (_param("UID"), 2**32 - 1, "-1"),
        (_param("SIGSET"), 0b10011, "SIGHUP SIGINT SIGTRAP"),
        (_param("SIGSET"), 0, ""),
        (_param("RELTIME"), 20000, "20000"),
        (_param("RELTIME"), -1, "none"),
        (_param("UINT32", "HEX"), 0xFE00, "FE00"),
        (_param("INT32", "HEX"), -1, "FFFFFFFF"),
        (_param("UINT32"), 2**32 - 1, "-1"),
        (_param("UINT64"), 2**64 - 1, "-1"),
        (_param("UINT16"), 65535, "65535"),
        (_param("UINT32", "OCT"), 0o755, "0755"),
        (_param("UINT32", "OCT"), 0, "0"),
        (_param("FLAGS32", "HEX", "clone_flags"), 17, "17"),
        (_param("INT64"), -5, "-5"),
    ],
)
def test_raw_form(param: Param, number: int, text: str) -> None:
    """By the parameter's format, an address in full; unsigned decimals print as signed."""
    assert raw_text(param, number) == text


def test_resolved_form() -> None:
    """Names of flags, of what is equal, of errors, signals, AT_FDCWD; nothing where none fits."""
    assert resolved_text(_param("FLAGS32", "HEX", "file_flags"), 4103) == "O_CREAT|O_RDWR|O_CLOEXEC"
    assert resolved_text(_param("ENUMFLAGS32", "DEC", "socket_families"), 2) == "AF_INET"
    assert resolved_text(_param("ENUMFLAGS32", "DEC", "socket_families"), 1) == "AF_LOCAL|AF_UNIX"
    assert resolved_text(_param("ERRNO"), -2) == "ENOENT"
    assert resolved_text(_param("ERRNO"), 2) is None
    assert resolved_text(_param("SIGTYPE"), 9) == "SIGKILL"
    assert resolved_text(_param("FD"), -100) == "AT_FDCWD"
    assert resolved_text(_param("FD"), -9) == "EBADF"
    assert resolved_text(_param("FD"), 3) is None
    assert resolved_text(_param("UINT32"), 3) is None
    assert resolved_text(_param("RELTIME"), 20000) == "2e-05s"
    assert resolved_text(_param("RELTIME"), -1) is None


def test_conditions_see_names_before_numbers() -> None:
    """And the number where there is no name."""
    mode = _param("MODE", "OCT", "chmod_mode")
    assert condition_text(mode, 0) == "0"
    assert "S_ISUID" in condition_text(mode, 0o4000)
    assert condition_text(_param("FLAGS32", "HEX", "clone_flags"), 0) == "0"


def test_errors_and_results() -> None:
    """Falco's spelling, the kernel's restarts, and numbers that have no name."""
    assert (errno_text(-35), errno_text(-95), errno_text(-512)) == (
        "EDEADLK",
        "EOPNOTSUPP",
        "ERESTARTSYS",
    )
    assert errno_text(-4000) is None
    assert (result_text(3), result_text(-13), result_text(-4000)) == ("SUCCESS", "EACCES", "-4000")
    assert (signal_text(15), signal_text(0), signal_text(40)) == ("SIGTERM", None, None)
