# ruff: noqa: INP001 - a script beside others
"""Finds the steps of an intrusion in a capture of it: which events they are.

    python captures/make/intrusion/steps.py CAPTURE NAMES

In: a capture, and the intruder's names as `record.py --names` wrote them. Out: one line a step with
the numbers of its events. It knows what was done and looks for that; it investigates nothing.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import falcotrace as ft

_WRITING = "evt.is_open_write = true and evt.rawres >= 0"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that the intruder did.

    Attributes:
        name: what.
        condition: holds for the events that did it.
    """

    name: str
    condition: str


def intrusion_steps(names: dict[str, Any]) -> tuple[Step, ...]:
    """What an intruder with these names does, in order."""
    program, tool, job = names["program"], names["tool"], names["job"]
    agent = f"proc.exepath = {program}"
    master = f"fd.sip = {names['address']}"
    server = f"proc.name = python3 and fd.sport = 8080 and fd.cip = {names['address']}"
    return (
        Step("requests received", f"evt.type in (recvfrom, read) and {server} and evt.rawres > 0"),
        Step("file dropped", f"evt.type in (open, openat) and {_WRITING} and fd.name = {program}"),
        Step("file written", f"evt.type = write and fd.name = {program}"),
        Step("file made executable", f"evt.type in (chmod, fchmodat) and fs.path.name = {program}"),
        Step("file executed", f"evt.type in (execve, execveat) and evt.rawres >= 0 and {agent}"),
        Step("name looked up", f"evt.type in (sendto, recvfrom) and {agent} and fd.l4proto = udp"),
        Step("secrets read", f"evt.type = read and {agent} and evt.rawres > 0 and fd.typechar = f"),
        Step("secrets sent", f"evt.type = write and {agent} and {master} and fd.sport = 80"),
        Step(
            "shell connected",
            f"evt.type = connect and {agent} and fd.sport = {names['shell_port']}",
        ),
        Step("streams redirected", f"evt.type in (dup2, dup3) and {agent} and evt.rawres >= 0"),
        Step(
            "shell executed",
            "evt.type = execve and evt.rawres >= 0 and proc.name = sh and proc.args = -i",
        ),
        Step("tool downloaded", f"evt.type in (open, openat) and {_WRITING} and fd.name = {tool}"),
        Step("job written", f"evt.type in (open, openat) and {_WRITING} and fd.name = {job}"),
        Step(
            "key added",
            f"evt.type in (open, openat) and {_WRITING} and fd.name = /root/.ssh/authorized_keys",
        ),
        Step(
            "history removed",
            "evt.type in (unlink, unlinkat) and fs.path.name = /root/.bash_history",
        ),
        Step("file removed", f"evt.type in (unlink, unlinkat) and fs.path.name = {program}"),
        Step("tool run by cron", f"evt.type = execve and evt.rawres >= 0 and proc.args = {tool}"),
    )


def find_steps(capture: Path, names: dict[str, Any]) -> dict[str, list[int]]:
    """The numbers of each step's events, in order."""
    with ft.open(capture) as opened:
        return {
            step.name: opened.query(step.condition, columns=["evt.num"])
            .arrow()["evt.num"]
            .to_pylist()
            for step in intrusion_steps(names)
        }


def main() -> None:
    """The command line."""
    found = find_steps(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))
    for name, numbers in found.items():
        print(f"{name}\t{', '.join(map(str, numbers))}")  # noqa: T201 - it prints


if __name__ == "__main__":
    main()
