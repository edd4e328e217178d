# ruff: noqa: INP001 - a script beside others
"""Looks for words of the machine that recorded in a capture that is to be nobody's."""

import os
import platform
import pwd
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.capture.footer import encode_footer
from falcotrace.capture.reader import open_capture
from falcotrace.events.columns import COLUMNS
from falcotrace.record.interfaces import Interfaces

FIRST_PERSON = 1000
"""Uids below are the system's; their names are the same everywhere."""

SHORTEST_WORD = 4
COMMON_WORDS = frozenset(
    {"/root", "root", "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin"}
    | {"/usr/local/sbin", "/bin/bash", "/bin/sh", "nobody", "true", "false"}
    | {"cpu,cpuacct", "memory", "docker", "none", "info", "C.UTF-8"}
    | {"/etc/ssl/certs", "/etc/ssl/certs/ca-certificates.crt"}
)
"""Words that this machine shares with every other one."""

SYSTEM_FOLDERS = tuple(
    f"{top}/{name}/"
    for top in ("", "/usr")
    for name in ("bin", "sbin", "lib", "lib64", "libexec", "include", "share")
)


def machine_words(folders: Iterable[str], of_the_makers: Iterable[str]) -> set[str]:
    """Words that tell which machine recorded: names, addresses, paths, its environment.

    Args:
        folders: where the recording was made.
        of_the_makers: words of the scripts that must not be in the capture either.
    """
    words = {platform.node(), platform.release(), str(Path.cwd())}
    words |= {user.pw_name for user in pwd.getpwall() if user.pw_uid >= FIRST_PERSON}
    words |= {part for value in os.environ.values() for part in value.split(":") if _tells(part)}
    words |= set(Path("/proc/self/cgroup").read_text().replace("\n", "/").split("/"))
    words |= {text.partition("/")[0] for text in Interfaces.of_host().texts} - {"127.0.0.1"}
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    words |= {path.read_text().strip() for path in (boot_id, Path("/etc/machine-id"))}
    tale = _words_of_the_tale()
    telling = {word for word in words if not _is_everywhere(word) and word not in tale}
    return {*telling, *folders, *of_the_makers}


def _tells(value: str) -> bool:
    """Whether a value of a variable can be somebody's: `ignore` and `dumb` are switches."""
    return not value.isalpha() or not value.islower() or value in _names()


def _names() -> set[str]:
    """Names that the environment gives to who records, in lower case as switches are too."""
    return {os.environ.get(name, "") for name in ("HOSTNAME", "USER", "LOGNAME", "SUDO_USER")}


def _is_everywhere(word: str) -> bool:
    """Whether any machine may have this word: too short, a number, a program of the system."""
    return (
        len(word) < SHORTEST_WORD
        or word.isdigit()
        or word in COMMON_WORDS
        or word.startswith(SYSTEM_FOLDERS)
    )


def _words_of_the_tale() -> str:
    """What the makers themselves write: a machine that is called so as well does not show."""
    files = [path for path in Path(__file__).parent.rglob("*") if path.is_file()]
    return "\n".join(path.read_text() for path in files if path.suffix != ".pyc")


def find_traces(path: Path, words: Iterable[str]) -> list[str]:
    """Words of this machine that occur anywhere in a capture."""
    with open_capture(path) as capture:
        texts = [encode_footer(capture.footer).decode()]
        for group in capture.row_groups:
            states = capture.process_table(group.index)
            columns = [*capture.read(group.index, list(COLUMNS)).values(), *states.columns]
            texts += [_text(column) for column in columns]
    whole = "\n".join(texts)
    return sorted(word for word in words if word in whole)


def _text(column: pa.Array | pa.ChunkedArray) -> str:
    """Everything that a column says, each text once; numbers say nothing."""
    if pa.types.is_list(column.type):
        column = pc.list_flatten(column)
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        return ""
    return str(pc.unique(column).to_pylist())
