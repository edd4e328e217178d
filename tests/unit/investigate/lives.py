"""Events of made-up processes, for captures of a few rows."""

from collections.abc import Sequence
from pathlib import Path

from falcotrace.api import Captures, open_captures
from falcotrace.capture.footer import Footer, Host
from small_captures import Row, write_capture

SECOND = 10**9
HOST = Host(hostname="web-1", boot_id="boot-1")


def event(
    pid: int, start: int, ppid: int = 0, parent_start: int = 0, /, **columns: object
) -> dict[str, object]:
    """An event of a process; `__` in a name of a column stands for a dot."""
    found: dict[str, object] = {
        "evt.type": "getpid",
        "evt.rawres": 0,
        "evt.res": "SUCCESS",
        "proc.pid": pid,
        "proc.start": start,
        "proc.pid_ts": start,
        "proc.ppid": ppid,
        "proc.ppid_ts": parent_start,
        "proc.name": f"p{pid}",
        "proc.exepath": f"/bin/p{pid}",
        "proc.cmdline": f"p{pid} --run",
    }
    return found | {name.replace("__", "."): value for name, value in columns.items()}


def captured(path: Path, *groups: Sequence[Row], host: Host = HOST) -> Captures:
    """Write a capture, a list of events for each row group, and open it."""
    write_capture(path, groups, Footer(host=host)).close()
    return open_captures(path)
