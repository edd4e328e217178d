"""One event as Sigma sees it and as Falco sees it."""

from collections.abc import Mapping, Sequence
from typing import Any


def process_events(
    argv: Sequence[str], image: str | None, **others: Any
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The start of a program.

    Args:
        argv: its arguments, its name first.
        image: the path of the program.
        others: more of Sigma's fields; `folder` is the current directory.

    Returns:
        Sigma's fields and Falco's.
    """
    folder = others.pop("folder", None)
    sigma = {
        "CommandLine": " ".join(argv),
        "Image": image,
        "CurrentDirectory": folder,
        **others,
    }
    falco = {
        "evt.type": "execve",
        "evt.rawres": 0,
        "proc.exe": argv[0],
        "proc.exeline": f"{argv[0]} {' '.join(argv[1:])}",
        "proc.cmdnargs": len(argv) - 1,
        "proc.exepath": image,
        "proc.cwd": None if folder is None else f"{folder.rstrip('/')}/",
        "proc.pexepath": others.get("ParentImage"),
        "user.name": others.get("User") or "<NA>",
        "user.uid": others.get("LogonId"),
        "proc.pid": others.get("ProcessId"),
    }
    return sigma, falco
