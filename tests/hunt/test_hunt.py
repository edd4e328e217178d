"""Hunts over many captures: verdicts, pruning, damage, interruptions, results."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from falcotrace.alerts import Alert
from falcotrace.api import open_captures
from falcotrace.errors import CaptureError, FalcoTraceError
from falcotrace.hunt import Hunt, HuntOptions, HuntProgress, hunt_captures
from falcotrace.hunt.ledger import Ledger
from falcotrace.hunt.report import Findings, HuntReport
from falcotrace.hunt.results import write_database, write_json, write_parquet
from falcotrace.hunt.targets import find_targets
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.plan import Plan
from falcotrace.rules.shipped import load_plan
from restamped import restamp

SHIPPED = Path(__file__).parents[2] / "captures" / "first_light.parquet"
HOUR_NS = 3600 * 10**9
ENGINES = ("duckdb", "replay")


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three hosts, an hour apart."""
    folder = tmp_path_factory.mktemp("captures")
    for number in range(3):
        (folder / f"day{number}").mkdir()
        path = folder / f"day{number}" / f"host-{number}.parquet"
        restamp(SHIPPED, path, f"host-{number}", number * HOUR_NS)
    return folder


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The rules that ship."""
    return load_plan()


def hunted(
    folder: Path, plan: Plan, state: Path, options: HuntOptions | None = None
) -> tuple[set[tuple[str, str, int]], HuntReport]:
    """The alerts of a hunt as file, rule and event, and its report."""
    hunt = Hunt(plan, find_targets([folder]), options or HuntOptions())
    with Ledger(state, hunt.digest) as ledger:
        hunt.run(ledger)
        findings = Findings(ledger, plan, [target.text for target in hunt.targets])
        alerts = {(a.capture, a.rule.name, a.num) for a in findings.alerts()}
        return alerts, findings.report()


def all_of(alert: Alert) -> tuple[object, ...]:
    """Everything that an alert says, but for its capture."""
    fields = dict(alert.output_fields)
    return (alert.rule.name, alert.num, alert.time_ns, alert.output, fields, alert.hostname)


@pytest.mark.parametrize("engine", ENGINES)
def test_alerts_are_those_of_a_scan(
    captures: Path, plan: Plan, tmp_path: Path, engine: str
) -> None:
    """Each engine says in a hunt what `scan` says of each capture, output and fields included."""
    hunt = Hunt(plan, find_targets([captures]), HuntOptions(engine=engine))
    with Ledger(tmp_path / "state", hunt.digest) as ledger:
        hunt.run(ledger)
        findings = Findings(ledger, plan, [target.text for target in hunt.targets])
        found = [(alert.capture, *all_of(alert)) for alert in findings.alerts()]
    expected = []
    for path in sorted(captures.rglob("*.parquet")):
        with open_captures(path) as opened:
            expected += [(str(path), *all_of(alert)) for alert in opened.scan(plan)]
    assert len(found) > 30
    assert sorted(found, key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("engine", ENGINES)
def test_limits_prune_and_cut(captures: Path, plan: Plan, tmp_path: Path, engine: str) -> None:
    """Time and host leave files unread by their footers; what is read is cut to the nanosecond."""
    all_alerts, report = hunted(captures, plan, tmp_path / "all", HuntOptions(engine=engine))
    middle = sorted(report.files, key=lambda one: one.first_ns)[1]
    path = Path(middle.file)
    with open_captures(path) as opened:
        times = sorted(alert.time_ns for alert in opened.scan(plan))
    cut = times[len(times) // 2]
    options = HuntOptions(engine=engine, since_ns=cut, until_ns=times[-1])
    some, report = hunted(captures, plan, tmp_path / "some", options)
    with open_captures(path) as opened:
        within = {(str(path), a.rule.name, a.num) for a in opened.scan(plan)
                  if cut <= a.time_ns < times[-1]}  # fmt: skip
    assert some == within
    assert 0 < len(some) < len(all_alerts)
    assert [one.status for one in report.files].count("pruned") == 2
    assert {one.reason for one in report.with_status("pruned")} == {
        "ends before the time that is asked for",
        "begins after the time that is asked for",
    }
    options = HuntOptions(engine=engine, hosts=("host-[02]",))
    some, report = hunted(captures, plan, tmp_path / "hosts", options)
    assert {Path(file).stem for file, _, _ in some} == {"host-0", "host-2"}
    assert [one.reason for one in report.with_status("pruned")] == ["host host-1 is not asked for"]


def test_types_of_events_prune(captures: Path, tmp_path: Path) -> None:
    """A capture without any event that a rule looks at is not read."""
    text = RulesText(
        "- rule: r\n  desc: d\n  condition: evt.type = kexec_load\n  output: o\n  priority: DEBUG\n"
    )
    ruleset = load_rules([text])
    ruleset.raise_if_invalid()
    alerts, report = hunted(captures, ruleset.plan, tmp_path / "state")
    assert not alerts
    assert {one.status for one in report.files} == {"pruned"}
    assert "no event of a type that a rule looks at" in report.files[0].reason


@pytest.mark.parametrize("engine", ENGINES)
def test_damaged_files_cost_nobody_else_anything(
    captures: Path, plan: Plan, tmp_path: Path, engine: str
) -> None:
    """Truncated, empty, foreign, gone, or changed inside: named, and the others are hunted."""
    folder = tmp_path / "captures"
    shutil.copytree(captures, folder)
    good = sorted(folder.rglob("*.parquet"))
    raw = SHIPPED.read_bytes()
    (folder / "cut.parquet").write_bytes(raw[:50_000])
    (folder / "empty.parquet").write_bytes(b"")
    (folder / "foreign.parquet").write_bytes(b"no capture at all")
    changed = bytearray(raw)
    changed[1000:60_000] = os.urandom(59_000)
    (folder / "changed.parquet").write_bytes(changed)
    (folder / "gone.parquet").symlink_to(tmp_path / "nowhere")
    (folder / "odd [1]*.parquet").write_bytes(raw)
    alerts, report = hunted(folder, plan, tmp_path / "state", HuntOptions(engine=engine))
    assert {Path(one.file).name for one in report.with_status("failed")} == {
        "cut.parquet", "empty.parquet", "foreign.parquet", "changed.parquet", "gone.parquet"
    }  # fmt: skip
    assert all(one.reason and "\n" not in one.reason for one in report.with_status("failed"))
    expected, _ = hunted(captures, plan, tmp_path / "expected")
    assert {(Path(f).name, rule, num) for f, rule, num in alerts if Path(f) in good} == {
        (Path(f).name, rule, num) for f, rule, num in expected
    }
    assert any("odd [1]*" in file for file, _, _ in alerts)


class _Stopped(BaseException):
    pass


def test_an_interrupted_hunt_goes_on(
    captures: Path, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an interruption only the files that are left are read, and nothing is told twice."""
    monkeypatch.setattr("falcotrace.hunt.chunks.ReplayAsker.most_files", 1)
    hunt = Hunt(plan, find_targets([captures]), HuntOptions(engine="replay"))
    seen: list[str] = []

    def stop(progress: HuntProgress) -> None:
        seen.append(progress.file)
        if len(seen) == 2:
            raise _Stopped

    with pytest.raises(_Stopped), Ledger(tmp_path / "state", hunt.digest) as ledger:
        hunt.run(ledger, stop)
    with Ledger(tmp_path / "state", hunt.digest) as ledger:
        hunt.run(ledger, lambda progress: seen.append(progress.file))
        findings = Findings(ledger, plan, [target.text for target in hunt.targets])
        alerts = [(a.capture, a.rule.name, a.num) for a in findings.alerts()]
    assert len(seen) == len(set(seen)) == 3
    expected, _ = hunted(captures, plan, tmp_path / "other")
    assert sorted(alerts) == sorted(expected)


def test_a_file_that_changed_is_read_again(captures: Path, plan: Plan, tmp_path: Path) -> None:
    """Its new alerts replace those from before; other files are not read again."""
    folder = tmp_path / "captures"
    shutil.copytree(captures, folder)
    before, _ = hunted(folder, plan, tmp_path / "state")
    changed = folder / "day1" / "host-1.parquet"
    changed.unlink()
    restamp(SHIPPED, changed, "renamed", 5 * HOUR_NS)
    after, report = hunted(folder, plan, tmp_path / "state")
    assert after == before
    assert {one.host for one in report.files} == {"host-0", "renamed", "host-2"}
    (folder / "day1" / "host-1.parquet").unlink()
    after, _ = hunted(folder, plan, tmp_path / "state")
    assert after == {alert for alert in before if "host-1" not in alert[0]}


def test_a_ledger_belongs_to_one_question(captures: Path, plan: Plan, tmp_path: Path) -> None:
    """Other rules or limits are refused, and so is a second hunt at the same time."""
    hunted(captures, plan, tmp_path / "state")
    with pytest.raises(FalcoTraceError, match="other rules or limits"):
        hunted(captures, plan, tmp_path / "state", HuntOptions(hosts=("a",)))
    digest = Hunt(plan, [], HuntOptions()).digest
    with Ledger(tmp_path / "busy", digest), pytest.raises(FalcoTraceError, match="another hunt"):
        Ledger(tmp_path / "busy", digest)


@pytest.fixture
def findings(captures: Path, plan: Plan, tmp_path: Path) -> Iterator[Findings]:
    """A finished hunt."""
    hunt = Hunt(plan, find_targets([captures]), HuntOptions())
    with Ledger(tmp_path / "state", hunt.digest) as ledger:
        hunt.run(ledger)
        yield Findings(ledger, plan, [target.text for target in hunt.targets])


def test_results_agree(findings: Findings, tmp_path: Path) -> None:
    """JSON lines, Parquet and the database hold the same alerts; the database files and rules."""
    expected = sorted((a.capture, a.rule.name, a.num) for a in findings.alerts())
    report = findings.report()
    write_json(findings, tmp_path / "a.json")
    lines = [json.loads(line) for line in (tmp_path / "a.json").read_text().splitlines()]
    assert sorted((line["capture"], line["rule"]) for line in lines) == [x[:2] for x in expected]
    assert all(line["output_fields"]["evt.time.iso8601"] for line in lines)
    write_parquet(findings, tmp_path / "a.parquet")
    rows = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert sorted((row["file"], row["rule"], row["num"]) for row in rows) == expected
    write_database(findings, report, tmp_path / "a.duckdb")
    with duckdb.connect(str(tmp_path / "a.duckdb"), read_only=True) as database:
        rows = database.sql("SELECT file, rule, num FROM alerts").fetchall()
        assert sorted(rows) == expected
        counts = "SELECT sum(alert_count) FROM files UNION ALL SELECT sum(alerts) FROM rules"
        assert {int(count) for (count,) in database.sql(counts).fetchall()} == {len(expected)}
        query = "SELECT count(*) FROM alerts WHERE output_fields->>'$.\"proc.name\"' IS NOT NULL"
        assert database.sql(query).fetchall()[0][0] > 0
    assert report.alert_count == len(expected)


def test_one_call(captures: Path, plan: Plan) -> None:
    """The same in one call, with the alerts as objects and as a table."""
    found = hunt_captures(str(captures / "**" / "*.parquet"), plan)
    assert found.report.alert_count == len(list(found)) == len(found.table()) > 30
    assert not len(hunt_captures(captures, plan, HuntOptions(hosts=("nobody",))).table())


def test_nothing_there_is_an_error(tmp_path: Path) -> None:
    """A folder without captures and a pattern that matches nothing are named."""
    with pytest.raises(CaptureError, match=r"no .parquet file"):
        find_targets([tmp_path])
    with pytest.raises(CaptureError, match="no file matches"):
        find_targets([tmp_path / "*.parquet"])
