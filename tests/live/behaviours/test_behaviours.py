"""What an attacker does is found in a live recording: by Falco's own rules and by those shipped.

A rule counts only if the values that decide it are there and right: a rule with many exceptions
fires as well where values are missing.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from falcotrace.rules.plan import Plan
from live.behaviours.recordings import CONTAINER_ID, Scanned, scan

pytestmark = pytest.mark.live


@dataclass(frozen=True)
class Behaviour:
    """Something done, the rules that must say so, and the values that decide it.

    Attributes:
        values: what columns must hold in an event for which the rule fired; a pattern must match
            the whole text.
        own_values: the same for the rule of ours, if it looks at another event.
    """

    title: str
    official: str
    own: str
    values: dict[str, Any]
    own_values: dict[str, Any] = field(default_factory=dict)


BASH = {"proc.name": "bash", "proc.exepath": re.compile(".*/bash"), "container.id": "host"}
ON_HOST = [
    Behaviour(
        "untrusted read of the password hashes",
        "Read sensitive file untrusted",
        "Password hashes read",
        {
            "evt.type": "openat",
            "fd.name": "/etc/shadow",
            "fd.type": "file",
            "proc.name": "head",
            "proc.cmdline": "head -1 /etc/shadow",
            "proc.pname": "bash",
            "user.name": "root",
            "user.uid": 0,
        },
    ),
    Behaviour(
        "a file written below /etc",
        "Write below etc",
        "Configuration below etc written",
        {
            **BASH,
            "fd.name": "/etc/falcotrace-test.conf",
            "fd.path": "/etc/falcotrace-test.conf",
            "evt.arg.flags": "O_TRUNC|O_CREAT|O_WRONLY|O_F_CREATED",
        },
    ),
    Behaviour(
        "a file written to a binary directory",
        "Write below binary dir",
        "Program placed in a binary directory",
        {**BASH, "fd.name": "/usr/bin/falcotrace-test"},
    ),
    Behaviour(
        "a file created below /dev",
        "Create files below dev",
        "File created below dev",
        {
            **BASH,
            "fd.name": "/dev/falcotrace-test",
            "evt.rawres": 3,
            "evt.arg.flags": re.compile(r".*O_CREAT.*"),
        },
    ),
    Behaviour(
        "a symbolic link over a sensitive file",
        "Create Symlink Over Sensitive Files",
        "Link to a credential file",
        {
            "evt.type": re.compile("symlink(at)?"),
            "evt.arg.target": "/etc/shadow",
            "evt.arg.linkpath": re.compile("/.*/link-to-shadow"),
            "fs.path.target": "/etc/shadow",
            "proc.name": "ln",
        },
    ),
    Behaviour(
        "a server program starts a shell",
        "Run shell untrusted",
        "Server program started a shell or a tool",
        {
            "evt.type": "execve",
            "proc.name": "sh",
            "proc.cmdline": "sh -c id; true",
            "proc.pname": "httpd",
            "proc.pexepath": re.compile("/.*/httpd"),
            "proc.aname[2]": "bash",
        },
    ),
    Behaviour(
        "a program executed from memory",
        "Fileless execution via memfd_create",
        "Program executed from memory",
        {
            "proc.is_exe_from_memfd": True,
            "proc.exe": "payload-name",
            "proc.exepath": "memfd:payload",
            "proc.argv": ["payload-argument"],
            "proc.pname": "probe",
            "evt.arg.flags": "EXE_WRITABLE|EXE_FROM_MEMFD",
        },
    ),
    Behaviour(
        "a program in shared memory is executed",
        "Execution from /dev/shm",
        "Program executed from shared memory",
        {
            "evt.type": "execve",
            "proc.name": "falcotrace-test",
            "proc.exe": "/dev/shm/falcotrace-test",
            "proc.exepath": "/dev/shm/falcotrace-test",
            "proc.pname": "bash",
        },
    ),
    Behaviour(
        "a job for cron is written",
        "Schedule Cron Jobs",
        "Scheduled job written",
        {**BASH, "fd.name": "/etc/cron.d/falcotrace-test"},
    ),
    Behaviour(
        "a private key is read",
        "Read ssh information",
        "Private key or cloud credentials read",
        {
            "evt.type": "openat",
            "fd.name": "/home/falcotrace-test/.ssh/id_ed25519",
            "proc.name": "head",
            "proc.pname": "bash",
        },
    ),
    Behaviour(
        "a key that may log in is added",
        "Adding ssh keys to authorized_keys",
        "Key for logins written",
        {**BASH, "fd.name": "/home/falcotrace-test/.ssh/authorized_keys"},
    ),
    Behaviour(
        "a shell's history is removed",
        "Delete or rename shell history",
        "Shell history removed",
        {
            "evt.type": re.compile("unlink(at)?"),
            "fs.path.name": "/home/falcotrace-test/.bash_history",
            "proc.name": "rm",
            "proc.pname": "bash",
        },
    ),
    Behaviour(
        "a system program connects to another address",
        "System procs network activity",
        "System program connected to the network",
        {
            "evt.type": "connect",
            "evt.rawres": 0,
            "proc.name": "bash",
            "fd.type": "ipv4",
            "fd.l4proto": "tcp",
            "fd.name": re.compile(r"203\.0\.113\.5:\d+->203\.0\.113\.5:3333"),
            "fd.sip": "203.0.113.5",
            "fd.sport": 3333,
            "fd.is_server": False,
        },
    ),
]
IN_CONTAINER = {"container.id": CONTAINER_ID[:12]}
REDIRECT = {
    "evt.type": "dup2",
    "fd.type": "ipv4",
    "fd.l4proto": "tcp",
    "fd.sip": "127.0.0.1",
    "proc.name": "probe",
    "proc.exepath": "/bin/probe",
}
CONTAINED = [
    Behaviour(
        "a shell on a terminal in a container",
        "Terminal shell in container",
        "Shell in a container",
        {
            **IN_CONTAINER,
            "evt.type": "execve",
            "proc.name": "sh",
            "proc.exepath": "/bin/busybox",
            "proc.cmdline": "sh /activity.sh",
            "proc.vpid": 1,
            "proc.tty > 0": True,
        },
    ),
    Behaviour(
        "a container with more capabilities than it should have",
        "Launch Excessively Capable Container",
        "Container with host-like capabilities",
        {
            **IN_CONTAINER,
            "proc.vpid": 1,
            "thread.cap_permitted": (
                "CAP_KILL CAP_NET_BIND_SERVICE CAP_NET_ADMIN CAP_SYS_ADMIN CAP_AUDIT_WRITE"
            ),
        },
    ),
    Behaviour(
        "a program dropped into a container and executed",
        "Drop and execute new binary in container",
        "New program executed in a container",
        {
            **IN_CONTAINER,
            "proc.is_exe_upper_layer": True,
            "proc.is_exe_lower_layer": False,
            "proc.exepath": "/dropped",
            "proc.cmdline": "dropped nothing",
            "proc.pname": "sh",
            "evt.arg.flags": "EXE_WRITABLE|EXE_UPPER_LAYER",
        },
    ),
    Behaviour(
        "standard input becomes a connection",
        "Redirect STDOUT/STDIN to Network Connection in Container",
        "Standard stream redirected to a connection",
        {**IN_CONTAINER, **REDIRECT, "evt.rawres": 0, "fd.num": 0},
    ),
]


@pytest.fixture(scope="session")
def scans() -> dict[tuple[Path, int], Scanned]:
    """Scans by capture and rules, so that each happens once."""
    return {}


def _scan(scans: dict[tuple[Path, int], Scanned], path: Path, rules: Plan) -> Scanned:
    key = (path, id(rules))
    if key not in scans:
        scans[key] = scan(path, rules)
    return scans[key]


def _assert_found(scanned: Scanned, rule: str, values: dict[str, Any]) -> None:
    assert rule in scanned.events, f"{rule!r} is not among {sorted(scanned.events)}"
    rows = [dict(zip(values, row, strict=True)) for row in scanned.rows(rule, list(values))]
    mismatches = [
        {name: found for name, found in row.items() if not _is_as_wanted(found, values[name])}
        for row in rows
    ]
    assert {} in mismatches, f"{rule}: wanted {values}, found besides what fits {mismatches}"


def _is_as_wanted(found: object, wanted: object) -> bool:
    if isinstance(wanted, re.Pattern):
        return isinstance(found, str) and wanted.fullmatch(found) is not None
    return found == wanted


def _titles(behaviours: list[Behaviour]) -> list[str]:
    return [behaviour.title for behaviour in behaviours]


@pytest.mark.parametrize("behaviour", ON_HOST, ids=_titles(ON_HOST))
def test_official_rule_finds_it_on_the_host(
    behaviour: Behaviour,
    host_capture: Path,
    official_rules: Plan,
    scans: dict[tuple[Path, int], Scanned],
) -> None:
    """Falco's rule fires on a live recording, for the values that it is about."""
    scanned = _scan(scans, host_capture, official_rules)
    _assert_found(scanned, behaviour.official, behaviour.values)


@pytest.mark.parametrize("behaviour", ON_HOST, ids=_titles(ON_HOST))
def test_own_rule_finds_it_on_the_host(
    behaviour: Behaviour,
    host_capture: Path,
    own_rules: Plan,
    scans: dict[tuple[Path, int], Scanned],
) -> None:
    """The shipped rule fires on the same behaviour."""
    scanned = _scan(scans, host_capture, own_rules)
    _assert_found(scanned, behaviour.own, behaviour.own_values or behaviour.values)


@pytest.mark.parametrize("behaviour", CONTAINED, ids=_titles(CONTAINED))
def test_official_rule_finds_it_in_a_container(
    behaviour: Behaviour,
    container_capture: Path,
    official_rules: Plan,
    scans: dict[tuple[Path, int], Scanned],
) -> None:
    """Falco's rule fires, and the container's id comes from the kernel's control groups."""
    scanned = _scan(scans, container_capture, official_rules)
    _assert_found(scanned, behaviour.official, behaviour.values)


@pytest.mark.parametrize("behaviour", CONTAINED, ids=_titles(CONTAINED))
def test_own_rule_finds_it_in_a_container(
    behaviour: Behaviour,
    container_capture: Path,
    own_rules: Plan,
    scans: dict[tuple[Path, int], Scanned],
) -> None:
    """The shipped rule fires on the same behaviour in a container."""
    scanned = _scan(scans, container_capture, own_rules)
    _assert_found(scanned, behaviour.own, behaviour.own_values or behaviour.values)


def test_own_rule_finds_a_redirect_on_the_host(
    host_capture: Path, own_rules: Plan, scans: dict[tuple[Path, int], Scanned]
) -> None:
    """Falco's rule asks for a container; ours finds a reverse shell on the host as well."""
    scanned = _scan(scans, host_capture, own_rules)
    values = {**REDIRECT, "proc.exepath": re.compile("/.*/probe"), "container.id": "host"}
    _assert_found(scanned, "Standard stream redirected to a connection", values)


def test_rules_named_here_ship(own_rules: Plan) -> None:
    """A rule that was renamed would not be tried; that every other fires, fixtures prove."""
    tried = {behaviour.own for behaviour in (*ON_HOST, *CONTAINED)}
    assert tried <= {rule.name for rule in own_rules.rules}


def test_official_rules_are_quiet_about_ordinary_work(
    ordinary_capture: Path, official_rules: Plan, scans: dict[tuple[Path, int], Scanned]
) -> None:
    """Compiling, serving, committing, packing: no rule of Falco's fires, as on a live Falco."""
    scanned = _scan(scans, ordinary_capture, official_rules)
    assert scanned.events == {}


def test_own_rules_are_quiet_about_ordinary_work(
    ordinary_capture: Path, own_rules: Plan, scans: dict[tuple[Path, int], Scanned]
) -> None:
    """No shipped rule fires on ordinary work either."""
    scanned = _scan(scans, ordinary_capture, own_rules)
    assert scanned.events == {}
