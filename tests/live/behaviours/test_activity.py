"""Recordings of harmless attacks raise the alerts that Falco raised of the same scripts."""

import os
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from falcotrace.api import open_captures
from falcotrace.record.options import RecordOptions
from falcotrace.record.recorder import record_host
from falcotrace.rules.plan import Plan
from oracle.oracle_files import expected_alerts

pytestmark = pytest.mark.live

PROGRAMS = (
    *("gcc", "nc", "ncat", "socat", "strace", "curl", "wget", "sqlite3", "git", "sudo"),
    *("script", "ip", "unshare", "setpriv", "ssh"),
)
SCRIPTS = Path("/tmp/activity")

MORE_THAN_FALCO: Mapping[str, Mapping[str, int]] = {
    # Two that listen in a network namespace; Falco's capture does not hold their execve.
    "attack": {"Launch Suspicious Network Tool on Host": 2},
    "container": {},
    "benign": {},
}
"""Alerts by which a recording has more of a rule than Falco's capture, and why."""


@pytest.fixture(scope="session")
def scripts(live_kernel: None, need_programs: Callable[..., None], shared: Path) -> Path:
    """The scripts and their helper programs, installed."""
    del live_kernel
    need_programs(*PROGRAMS)
    subprocess.run(["bash", shared / "activity" / "setup.sh"], check=True)
    return SCRIPTS


@pytest.mark.parametrize("name", ["attack", "container", "benign"])
def test_the_same_rules_fire_as_often(
    name: str,
    scripts: Path,
    shared: Path,
    official_rules: Plan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On attacks, in a container, and on ordinary work, which raises nothing."""
    expected = expected_alerts(shared / "oracle", name, "all3_matchall")
    assert expected is not None
    falco = Counter(alert["rule"] for alert in expected)
    for variable in set(os.environ) - {"PATH", "HOME"}:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    monkeypatch.setenv("SHELL", "/bin/bash")
    capture = tmp_path / "c.parquet"
    outcome = record_host(RecordOptions(capture, command=("bash", str(scripts / f"{name}.sh"))))
    assert outcome.losses.lost_count == 0
    with open_captures(capture) as opened:
        ours = Counter(alert.rule.name for alert in opened.scan(official_rules))
    ours.subtract(MORE_THAN_FALCO[name])
    table = {
        rule: (falco[rule], ours[rule])
        for rule in sorted(falco | ours)
        if falco[rule] != ours[rule]
    }
    assert table == {}
