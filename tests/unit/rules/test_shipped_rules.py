"""Rules that ship, at their edges: what they must say, and what they must leave alone."""

from pathlib import Path

import pytest

import falcotrace as ft
from small_captures import Row, write_capture

READ, WRITE, EMPTY = "O_RDONLY", "O_WRONLY|O_CREAT", "O_TRUNC|O_CREAT|O_WRONLY"
KEYS, KEY_FILE = "Private key or cloud credentials read", "/home/ops/.ssh/id_ed25519"
MEMORY, JOB = "Program executed from shared memory", "Scheduled job written"
LOGIN, HISTORY = "Key for logins written", "Shell history removed"
FALCOS_READ, FALCOS_WRITE = 1, 2
"""Falco's numbers for O_RDONLY and O_WRONLY (libs, `PPM_O_RDONLY`)."""

TERMINAL = {"proc.tty": 34816}


def opened(path: str, flags: str, program: str) -> Row:
    """A program opens a file."""
    return {
        "evt.type": "openat",
        "evt.res": "SUCCESS",
        "evt.rawres": 3,
        "evt.arg.flags": flags,
        "evt.rawarg.flags": FALCOS_READ if flags == READ else FALCOS_WRITE,
        "fd.num": 3,
        "fd.name": path,
        "fd.nameraw": path,
        "fd.type": "file",
        "proc.tty": 0,
        "proc.name": program,
        "container.id": "host",
    }


def executed(program: str, path: str, *arguments: str) -> Row:
    """A program was executed."""
    return {
        "evt.type": "execve",
        "evt.res": "SUCCESS",
        "evt.rawres": 0,
        "proc.name": program,
        "proc.exepath": path,
        "proc.argv": list(arguments),
        "container.id": "host",
    }


def called(event: str, program: str, **paths: str) -> Row:
    """A program removed, renamed or linked something."""
    return {
        "evt.type": event,
        "evt.res": "SUCCESS",
        "evt.rawres": 0,
        "proc.name": program,
        **{f"fs.path.{name}": path for name, path in paths.items()},
    }


CASES = [
    ("a private key", KEYS, opened(KEY_FILE, READ, "cat"), True),
    ("a private key, by ssh itself", KEYS, opened(KEY_FILE, READ, "ssh"), False),
    ("a public key", KEYS, opened(f"{KEY_FILE}.pub", READ, "cat"), False),
    ("a key that is written", KEYS, opened(KEY_FILE, WRITE, "sh"), False),
    ("credentials for a cloud", KEYS, opened("/root/.aws/credentials", READ, "cat"), True),
    ("the same by the cloud's tool", KEYS, opened("/root/.aws/credentials", READ, "aws"), False),
    ("settings of a cloud's tool", KEYS, opened("/root/.aws/config", READ, "cat"), False),
    ("a program in /dev/shm", MEMORY, executed("a", "/dev/shm/a"), True),
    ("a script in /dev/shm", MEMORY, executed("sh", "/usr/bin/dash", "/dev/shm/a"), True),
    ("a shell elsewhere", MEMORY, executed("sh", "/usr/bin/dash", "/root/a"), False),
    ("a name that only looks so", MEMORY, executed("a", "/srv/dev/shm/a"), False),
    ("a job for cron", JOB, opened("/etc/cron.d/a", WRITE, "sh"), True),
    ("a person's jobs", JOB, opened("/var/spool/cron/crontabs/ops", WRITE, "crontab"), True),
    ("a job of a package", JOB, opened("/etc/cron.d/a", WRITE, "dpkg"), False),
    ("a job that is read", JOB, opened("/etc/cron.d/a", READ, "cron"), False),
    ("a timer", JOB, opened("/etc/systemd/system/a.timer", WRITE, "sh"), True),
    ("a service", JOB, opened("/etc/systemd/system/a.service", WRITE, "sh"), False),
    ("a key for logins", LOGIN, opened("/root/.ssh/authorized_keys", WRITE, "sh"), True),
    (
        "by the tool for it",
        LOGIN,
        opened("/root/.ssh/authorized_keys", WRITE, "ssh-copy-id"),
        False,
    ),
    ("keys that are read", LOGIN, opened("/root/.ssh/authorized_keys", READ, "sshd"), False),
    ("a history removed", HISTORY, called("unlinkat", "rm", name="/root/.bash_history"), True),
    (
        "a history renamed",
        HISTORY,
        called("rename", "mv", source="/root/.zsh_history", target="/tmp/a"),
        True,
    ),
    (
        "a link in its place",
        HISTORY,
        called("symlinkat", "ln", source="/root/.bash_history", target="/dev/null"),
        True,
    ),
    (
        "a shell that puts a new history in place",
        HISTORY,
        called("rename", "zsh", source="/root/.zsh_history.new", target="/root/.zsh_history"),
        False,
    ),
    ("a file of another name", HISTORY, called("unlink", "rm", name="/srv/sales_history"), False),
    ("a history emptied", HISTORY, opened("/root/.bash_history", EMPTY, "truncate"), True),
    ("by a shell without terminal", HISTORY, opened("/root/.bash_history", EMPTY, "sh"), True),
    (
        "by a shell on a terminal",
        HISTORY,
        {**opened("/root/.bash_history", EMPTY, "bash"), **TERMINAL},
        False,
    ),
    ("a history that grows", HISTORY, opened("/root/.bash_history", WRITE, "bash"), False),
]


@pytest.mark.parametrize(
    ("rule", "event", "fires"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_rule_at_its_edges(rule: str, event: Row, tmp_path: Path, *, fires: bool) -> None:
    """The rule holds for this event, or does not."""
    path = tmp_path / "c.parquet"
    write_capture(path, [[event]])
    with ft.open(path) as capture:
        fired = {alert.rule.name for alert in capture.scan(ft.rules())}
    assert (rule in fired) == fires
