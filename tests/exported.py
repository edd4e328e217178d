"""A small incident with hostile values, and what exports make of it."""

import functools
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

import falcotrace as ft
from falcotrace.capture.footer import Footer, Host, Losses
from falcotrace.events.text import to_text
from falcotrace.rules.plan import Plan
from small_captures import Row, write_capture

FORMATS = ("falco", "ecs", "ocsf", "sarif", "csv", "timesketch", "navigator", "stix")

HOSTILE = (
    *("<script>alert(1)</script>", "\x1b[2J\x1b]0;owned\x07", "=cmd|' /C calc'!A0", "@SUM(A1)"),
    *("two\nlines\r\nand\ttabs", "\"quoted\" 'twice' \\", "\x9b31m\x7f", "\u202ecod.exe\u2028"),
    *("{0} {print} [click](http://evil.example)", "%s %n ${jndi:ldap://x}", "</textarea>&lt;"),
    *("\ufeff", "\U000e0041", to_text(b"caf\xe9 \xff\xfe")),
)
"""What attackers write into command lines, paths and names."""

RULES = """
- rule: Credential file read
  desc: A file with password hashes was opened. Ask {who} did it.
  condition: evt.type=openat and fd.name=/etc/shadow
  output: file=%fd.name command=%proc.cmdline
  priority: WARNING
  tags: [host, mitre_credential_access, T1003.008]
- rule: Anything executed
  desc: A program was executed
  condition: evt.type=execve
  output: command=%proc.cmdline parent=%proc.pcmdline
  priority: NOTICE
  tags: [mitre_execution, T1059, TA0002]
- rule: Connection made
  desc: A connection was made
  condition: evt.type=connect
  output: connection=%fd.name command=%proc.cmdline
  priority: CRITICAL
  tags: [mitre_command_and_control, mitre_execution, T1095, T1059.004]
- rule: Root at work
  desc: Root did something
  condition: user.uid=0
  output: event=%evt.type
  priority: DEBUG
  tags: []
- rule: Never
  desc: Nothing matches
  condition: evt.type=ptrace
  output: never
  priority: EMERGENCY
  tags: [T1055]
"""

_BASH: Row = {
    "proc.pid": 70,
    "proc.ppid": 7,
    "proc.name": "bash",
    "proc.pname": "httpd",
    "proc.exe": "bash",
    "proc.exepath": "/usr/bin/bash",
    "proc.cwd": "/srv/",
    "proc.pid_ts": 1_700_000_000_000_000_000,
    "proc.pexepath": "/usr/sbin/httpd",
    "proc.aname": ["httpd", "init"],
    "user.uid": 33,
    "user.name": "www-data",
    "proc.sid": 1,
    "proc.pgid": 70,
    "proc.ppid_ts": 1_699_000_000_000_000_000,
    "container.id": "0123456789ab",
    "container.full_id": "0123456789ab" * 5 + "cdef",
    "container.name": "web",
    "container.type": "docker",
    "container.image.tag": "3.20",
    "container.image.repository": "docker.io/library/alpine",
    "container.privileged": False,
    "container.image.id": "05455a08881e",
    "k8s.pod.name": "web-0",
    "k8s.ns.name": "prod",
}
_ROOT: Row = {
    "proc.pid": 80,
    "proc.ppid": 1,
    "proc.name": "cat",
    "proc.cmdline": "cat /etc/shadow",
    "user.uid": 0,
    "user.name": "root",
    "container.id": "host",
}


def rows() -> list[Row]:
    """Events: an execution for each hostile text, files, a connection, and one without anything."""
    started: list[Row] = [
        {
            **_BASH,
            "evt.type": "execve",
            "evt.res": "SUCCESS",
            "evt.rawres": 0,
            "proc.cmdline": text,
            "proc.pcmdline": text,
            "proc.name": text[:15],
            "thread.tid": 71,
        }
        for text in HOSTILE
    ]
    touched: list[Row] = [
        {
            **_BASH,
            "evt.type": "openat",
            "evt.res": "EACCES",
            "evt.rawres": -13,
            "proc.cmdline": "x",
            "fd.type": "file",
            "fd.name": "/etc/shadow",
            "fd.num": 3,
            "fd.ino": 99,
        },
        {**_ROOT, "evt.type": "openat", "fd.type": "directory", "fd.name": HOSTILE[0]},
        {**_ROOT, "evt.type": "openat", "fd.type": "file", "fd.name": "/etc/shadow"},
        {
            **_BASH,
            "evt.type": "connect",
            "fd.type": "ipv4",
            "fd.l4proto": "tcp",
            "fd.name": "10.0.0.2:41000->203.0.113.66:4444",
            "proc.cmdline": "bash -i",
            "fd.cip": "10.0.0.2",
            "fd.cport": 41000,
            "fd.is_server": False,
            "fd.sip": "203.0.113.66",
            "fd.sport": 4444,
        },
        {
            **_BASH,
            "evt.type": "connect",
            "fd.type": "ipv6",
            "fd.l4proto": "udp",
            "fd.lip": "::1",
            "fd.lport": 53,
            "fd.rip": "2001:db8::7",
            "fd.rport": 9,
        },
        {"evt.type": "connect"},
    ]
    return [
        {**row, "evt.num": place + 1, "evt.time": 1_763_768_149_517_382_685 + place * 1_000_000}
        for place, row in enumerate([*started, *touched])
    ]


def plan() -> Plan:
    """The rules."""
    from falcotrace.rules.load import RulesText, load_rules

    ruleset = load_rules([RulesText(RULES)], append_suggested=True)
    ruleset.raise_if_invalid()
    return ruleset.plan


def write_incident(folder: Path, name: str = "incident.parquet") -> Path:
    """A capture of these events, in two row groups, of which some were lost."""
    events = rows()
    host = Host(hostname="web-1\x1b[31m", boot_id="8d2c", kernel="6.18.0", architecture="x86_64")
    footer = Footer(host=host, losses=Losses(is_known=True, made_count=99, lost_count=3))
    write_capture(folder / name, [events[:5], events[5:]], footer).close()
    return folder / name


@functools.cache
def exported(name: str) -> str:
    """The incident in a format."""
    with tempfile.TemporaryDirectory() as folder:
        return export_of([write_incident(Path(folder))], name)


def export_of(captures: Sequence[Path], name: str, rules: Plan | None = None) -> str:
    """Captures in a format."""
    stream = io.StringIO()
    with ft.open(captures) as opened:
        opened.scan(rules or plan()).export(name, stream)
    return stream.getvalue()
