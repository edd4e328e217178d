"""`fd.sip.name`: what addresses were called when something connected to them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from falcotrace.api import Captures, open_captures
from falcotrace.capture.reader import open_capture
from falcotrace.engines.base import ScanOptions
from falcotrace.engines.batch import DuckdbEngine
from falcotrace.engines.replay import ReplayEngine
from falcotrace.rules.load import load_rules
from falcotrace.rules.plan import Plan
from live.behaviours.recordings import ACTIVITY

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("live_kernel")]

FALCOTRACE = [sys.executable, "-m", "falcotrace"]
RULES = """
- list: bad_domains
  items: [c2.example, other.example]
- rule: Bad domain
  desc: a connection to an address that a bad domain resolved to
  condition: evt.type = connect and fd.sip.name in (bad_domains)
  output: "%evt.num %fd.sip.name %fd.sip"
  priority: CRITICAL
- rule: Alias
  desc: aliases are names too
  condition: evt.type = connect and fd.rip.name = edge.example and fd.sport = 443
  output: "%evt.num %fd.rip.name"
  priority: NOTICE
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Rules about names."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    ruleset = load_rules([path])
    ruleset.raise_if_invalid()
    return ruleset.plan


def in_its_own_network(folder: Path) -> list[str]:
    """The activity, where port 53 and /etc/resolv.conf are its own."""
    resolver = folder / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\n")
    script = f"""
        ip link set lo up && mount --bind {resolver} /etc/resolv.conf &&
        exec {sys.executable} {ACTIVITY / "resolve.py"} /etc/resolv.conf
    """
    return ["unshare", "--net", "--mount", "sh", "-c", script]


def record(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Record the activity."""
    done = subprocess.run(
        [
            *(*FALCOTRACE, "record", "-o", str(folder / "c.parquet"), *options, "--"),
            *in_its_own_network(folder),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done


def connections(capture: Captures) -> list[tuple[object, ...]]:
    """Server, names and number of each connection to port 443 that was made."""
    return capture.sql(
        "SELECT fd.sip, fd.sip_name, evt.num FROM events"
        " WHERE evt.type = 'connect' AND fd.sport = 443 ORDER BY evt.num"
    ).fetchall()


def test_names_as_of_event_time(
    tmp_path: Path, plan: Plan, need_programs: Callable[..., None]
) -> None:
    """By replay and SQL, while recording and afterwards; not before the answer came."""
    need_programs("ip", "mount", "unshare")
    rules = str(tmp_path / "rules.yaml")
    told = record(tmp_path, "--snaplen", "sockets=512", "--rules", rules, "--format", "json")
    with open_captures(tmp_path / "c.parquet") as capture:
        found = connections(capture)
        assert [row[:2] for row in found] == [
            ("127.0.0.9", None),
            ("127.0.0.10", None),
            ("127.0.0.9", ["c2.example", "edge.example"]),
            ("127.0.0.10", ["tcp.example", "edge.example"]),
        ]
        bad, other = found[2][2], found[3][2]
        wanted = [
            ("Bad domain", bad, f"{bad} c2.example 127.0.0.9"),
            ("Alias", bad, f"{bad} c2.example"),
            ("Alias", other, f"{other} tcp.example"),
        ]
        with open_capture(tmp_path / "c.parquet") as opened:
            replayed = [*ReplayEngine().scan([opened], plan, ScanOptions())]
            asked = [*DuckdbEngine().scan([opened], plan, ScanOptions())]
        for batches in (replayed, asked):
            alerts = [alert for batch in batches for alert in batch.alerts]
            assert [(alert.rule.name, alert.num, alert.output) for alert in alerts] == wanted
        assert not capture.query("fd.sip.name exists").coverage_notes
    live = [json.loads(line) for line in told.stdout.splitlines() if line.startswith("{")]
    fields = [(one["rule"], one["output_fields"]) for one in live]
    assert sorted((rule, shown["evt.num"]) for rule, shown in fields) == sorted(
        (rule, num) for rule, num, _ in wanted
    )
    assert [shown.get("fd.sip.name") for rule, shown in fields if rule == "Bad domain"] == [
        "c2.example"
    ]


def test_without_contents(tmp_path: Path, need_programs: Callable[..., None]) -> None:
    """No address has a name, and whoever asks is told why."""
    need_programs("ip", "mount", "unshare")
    record(tmp_path)
    with open_captures(tmp_path / "c.parquet") as capture:
        assert [names for _, names, _ in connections(capture)] == [None] * 4
        query = capture.query("fd.sip.name = c2.example")
        assert query.count() == 0
        (note,) = query.coverage_notes
        assert "without values of fd.sip.name" in note
