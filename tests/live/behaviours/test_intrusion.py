"""Each step of an intrusion is found among ordinary work, by Falco's own rules and by ours.

What counts is that the alert names the process and the file: ordinary work may raise others.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from falcotrace.api import open_captures
from live.behaviours.conftest import OFFICIAL
from live.behaviours.intrusions import Intrusion

pytestmark = pytest.mark.live

Fields = Mapping[str, object]


@dataclass(frozen=True)
class Found:
    """An alert that a step must raise.

    Attributes:
        step: which one.
        rule: what fires; `is_official` if it is Falco's.
        fields: output fields that the alert must have; given the intrusion's names.
    """

    step: str
    rule: str
    fields: Callable[[Intrusion], Fields]
    is_official: bool = False


def _by_agent(**fields: object) -> Callable[[Intrusion], Fields]:
    named = {name.replace("__", "."): value for name, value in fields.items()}
    return lambda made: {"proc.name": made.process, "proc.exepath": made.program, **named}


def _by_shell(**fields: object) -> Callable[[Intrusion], Fields]:
    named = {name.replace("__", "."): value for name, value in fields.items()}
    return lambda _: {"proc.cmdline": "sh -i", **named}


def _job(made: Intrusion) -> Fields:
    return {"proc.cmdline": "sh -i", "fd.name": made.job}


def _history(_: Intrusion) -> Fields:
    return {"proc.cmdline": "rm -f /root/.bash_history", "proc.pname": "sh"}


KEYS = "/root/.ssh/authorized_keys"
FOUND = [
    Found("file executed", "Execution from /dev/shm", _by_agent(), is_official=True),
    Found("file executed", "Program executed from shared memory", _by_agent()),
    Found(
        "secrets read",
        "Read sensitive file untrusted",
        _by_agent(fd__name="/etc/shadow"),
        is_official=True,
    ),
    Found("secrets read", "Password hashes read", _by_agent(fd__name="/etc/shadow")),
    Found(
        "secrets read",
        "Read ssh information",
        _by_agent(fd__name="/root/.ssh/id_ed25519"),
        is_official=True,
    ),
    Found(
        "secrets read",
        "Private key or cloud credentials read",
        _by_agent(fd__name="/root/.ssh/id_ed25519"),
    ),
    Found(
        "secrets read",
        "Private key or cloud credentials read",
        _by_agent(fd__name="/root/.aws/credentials"),
    ),
    Found("job written", "Schedule Cron Jobs", _job, is_official=True),
    Found("job written", "Scheduled job written", _job),
    Found("job written", "Configuration below etc written", _job),
    Found(
        "key added",
        "Adding ssh keys to authorized_keys",
        _by_shell(fd__name=KEYS),
        is_official=True,
    ),
    Found("key added", "Key for logins written", _by_shell(fd__name=KEYS)),
    Found("history removed", "Delete or rename shell history", _history, is_official=True),
    Found("history removed", "Shell history removed", _history),
]
REDIRECTED = {
    "Redirect STDOUT/STDIN to Network Connection in Container": True,
    "Standard stream redirected to a connection": False,
}
"""Rules for the reverse connection, and whether they are Falco's."""

Alert = dict[str, object]
Scans = dict[bool, list[Alert]]


def scan(capture: Path, rules: Sequence[Path]) -> list[Alert]:
    """The alerts that `falcotrace scan` prints."""
    chosen = [option for path in rules for option in ("-r", str(path))]
    command = [sys.executable, "-m", "falcotrace", "scan", str(capture), "--format", "json"]
    done = subprocess.run([*command, *chosen], check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="session")
def scans(intrusion_capture: Intrusion, shared: Path) -> Scans:
    """All alerts: of Falco's rules under True, of ours under False."""
    official = [shared / "falco-rules" / name for name in OFFICIAL]
    path = intrusion_capture.path
    return {True: scan(path, official), False: scan(path, [])}


def fields_of(alerts: list[Alert], rule: str) -> list[dict[str, object]]:
    """The output fields of a rule's alerts."""
    found = [alert["output_fields"] for alert in alerts if alert["rule"] == rule]
    return [fields for fields in found if isinstance(fields, dict)]


def test_every_step_was_recorded(intrusion_capture: Intrusion) -> None:
    """The intrusion went as it was meant to, among so much else, and nothing was lost."""
    missing = [name for name, numbers in intrusion_capture.steps.items() if not numbers]
    assert not missing, f"seed {intrusion_capture.seed}: {missing}"
    with open_captures(intrusion_capture.path) as opened:
        assert not opened.has_losses
        assert opened.sql("SELECT count(*) FROM events").fetchall()[0][0] >= 100_000


@pytest.mark.parametrize("found", FOUND, ids=lambda found: f"{found.step}: {found.rule}")
def test_step_raises_an_alert(found: Found, intrusion_capture: Intrusion, scans: Scans) -> None:
    """The alert cites the process that did it, and the file."""
    wanted = found.fields(intrusion_capture)
    rows = fields_of(scans[found.is_official], found.rule)
    fitting = [row for row in rows if all(row.get(key) == wanted[key] for key in wanted)]
    assert fitting, f"seed {intrusion_capture.seed}: wanted {wanted}, found {rows}"


@pytest.mark.parametrize("rule", REDIRECTED)
def test_reverse_connection_raises_an_alert(
    rule: str, intrusion_capture: Intrusion, scans: Scans
) -> None:
    """Once for each standard stream, with the connection to the intruder, and for no other one.

    The shell behind it redirects its own output, which is the connection.
    """
    rows = fields_of(scans[REDIRECTED[rule]], rule)
    peer = f"->{intrusion_capture.address}:{intrusion_capture.shell_port}"
    assert [row["proc.name"] for row in rows][:3] == [intrusion_capture.process] * 3
    assert {row["proc.cmdline"] for row in rows[3:]} <= {"sh -i"}
    assert all(str(row["fd.name"]).endswith(peer) for row in rows)
