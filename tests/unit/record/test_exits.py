"""Ends of processes."""

from typing import Any

import pytest

from falcotrace.record.layout import SampleType
from unit.record.made_samples import Row, row_of, started


def _end(**members: Any) -> Row:
    stream = started()
    stream.process(2, 7, comm=b"init")
    stream.add(SampleType.EXIT, process_id=1, tid=100, pid=100, **members)
    return row_of(stream)


@pytest.mark.parametrize(
    ("code", "ret", "sig", "core"),
    [
        (0, 0, "0", 0),
        (3 << 8, 3, "0", 0),
        (255 << 8, 255, "0", 0),
        (9, 0, "SIGKILL", 0),
        (11 | 0x80, 0, "SIGSEGV", 1),
    ],
)
def test_status(code: int, ret: int, sig: str, core: int) -> None:
    """Exit status, signal and core dump out of wait4's number."""
    row = _end(code=code)
    assert row["evt.type"] == "procexit"
    assert (row["evt.rawarg.status"], row["evt.rawarg.ret"]) == (code, ret)
    assert (row["evt.arg.sig"], row["evt.arg.core"]) == (sig, core)
    assert row["proc.name"] == "tool"


def test_reaper() -> None:
    """Who adopts the children, by name if it is known."""
    row = _end(reaper_tid=7)
    assert (row["evt.arg.reaper_tid"], row["evt.rawarg.reaper_tid"]) == ("init", 7)
    assert _end(reaper_tid=8)["evt.arg.reaper_tid"] == "8"
