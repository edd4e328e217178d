"""Rules asked of `.scap` files directly: what an import and a scan of it would say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from falcotrace.api import open_captures
from falcotrace.engines.replay import ReplayEngine
from falcotrace.errors import CaptureError
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.plan import Plan
from falcotrace.scap import blocks
from falcotrace.scap.capture import ScapCapture
from falcotrace.scap.importer import import_scap
from unit.scap.scenarios import (
    BEGIN_NS,
    STEP_NS,
    Happening,
    adds_user,
    capture_bytes,
    clones,
    enters,
    executes,
    leaves,
    looks,
    opens,
    reads,
)

OFFICIAL = ("falco_rules", "falco-incubating_rules", "falco-sandbox_rules")

RULES = """
- rule: Opened by a child
  desc: d
  condition: evt.type = openat and proc.pname = shell
  output: opened %fd.name by %proc.name below %proc.aname[2] at %evt.reltime (%user.name)
  priority: WARNING
- rule: Any read
  desc: d
  condition: evt.type = read and fd.name startswith /
  output: read %fd.name files=%proc.fdopencount
  priority: INFO
- rule: Ran for long
  desc: d
  condition: thread.totexectime > 1000 or evt.num = 1
  output: ran %thread.exectime %thread.totexectime %proc.vmsize
  priority: INFO
"""


def events() -> list[Happening]:
    """Some of each."""
    found = [adds_user(0, "boss"), looks(10), clones(10, 20, vm_size=7)]
    for number in range(5):
        found += [
            opens(20, 3 + number, f"f{number}"),
            reads(20, 3 + number),
            enters("switch", 20, next=10, vm_size=number),
        ]
    found += [executes(20), reads(20, 3), leaves("setuid", 20, res=0, uid=5), opens(20, 9, "/x")]
    return found


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Rules about descriptors, threads, users and counters."""
    path = tmp_path_factory.mktemp("rules") / "r.yaml"
    path.write_text(RULES)
    return load_rules([path]).plan


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A capture of a few events."""
    path = tmp_path / "a.scap"
    path.write_bytes(capture_bytes(events()))
    return path


def alerts(path: Path, plan: Plan, **options: Any) -> list[tuple[object, ...]]:
    """All that rules say about a file."""
    with open_captures([path]) as captures:
        found = [
            (one.num, one.rule.name, one.time_ns, one.output, sorted(one.output_fields.items()))
            for one in captures.scan(plan, **options)
        ]
    return sorted(found, key=repr)


def matches(path: Path, plan: Plan) -> set[tuple[int, int]]:
    """Which rules hold for which events."""
    with open_captures([path]) as captures:
        return {
            pair
            for group in ReplayEngine().match(list(captures), plan)
            for pair in zip(group.matches.rules.tolist(), group.matches.nums.tolist(), strict=True)
        }


@pytest.mark.parametrize("name", ["attack", "container", "sd_io"])
def test_a_scan_of_a_file_is_a_scan_of_its_import(shared: Path, tmp_path: Path, name: str) -> None:
    """Official rules with all of their texts, and those that each test one operator or field."""
    (source,) = (shared / "oracle" / "captures").glob(f"{name}.scap*")
    import_scap(source, tmp_path / "a.parquet")
    rules = [shared / "falco-rules" / f"{one}.yaml" for one in OFFICIAL]
    official = load_rules(rules, append_suggested=True).plan
    found = alerts(source, official)
    assert found == alerts(tmp_path / "a.parquet", official)
    assert found or name == "sd_io"
    each = load_rules([shared / "oracle" / "rules" / "ops_rules.yaml"]).plan
    assert matches(source, each) == matches(tmp_path / "a.parquet", each) != set()


SEVERAL = """
- rule: many names
  desc: d
  condition: evt.type in (open, openat)
  output: o %fd.name
  priority: NOTICE
  count: {at_least: 5, distinct: fd.name, by: process, within: 10s}
- rule: forked and executed, not followed by a connection
  desc: d
  condition: evt.type in (execve, execveat) and evt.rawres >= 0
  output: o %proc.exepath
  priority: NOTICE
  sequence:
    by: {parent: proc.ppid}
    within: 1s
    after: [{condition: "evt.type in (clone, clone3, fork, vfork)", by: {parent: proc.pid}}]
    unless_followed_by: [{condition: evt.type=connect}]
"""


def test_rules_over_several_events_need_no_import(shared: Path, tmp_path: Path) -> None:
    """A file that is read twice from front to back says what its import says, its end included."""
    (source,) = (shared / "oracle" / "captures").glob("container.scap*")
    import_scap(source, tmp_path / "a.parquet")
    plan = load_rules([RulesText(SEVERAL)]).plan
    told = []
    for path in (source, tmp_path / "a.parquet"):
        with open_captures([path]) as captures:
            report = captures.scan(plan)
            found = sorted((one.num, one.rule.name, one.steps, one.output) for one in report)
            unclear = [
                (one.rule.name, one.reason, one.count, one.nums) for one in report.undetermined
            ]
            told.append((found, sorted(unclear)))
    assert told[0] == told[1]
    assert {name for _, name, *_ in told[0][0]} == {rule.name for rule in plan.rules}
    assert told[0][1]


OPTIONS: list[Mapping[str, Any]] = [
    {},
    {"all_matches": False},
    {"since_ns": BEGIN_NS + 9 * STEP_NS},
    {"until_ns": BEGIN_NS + 9 * STEP_NS},
    {"threads": 1},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("batch_events", [1, 4, 1000])
def test_options_of_a_scan(
    made: Path,
    plan: Plan,
    monkeypatch: pytest.MonkeyPatch,
    options: Mapping[str, Any],
    batch_events: int,
) -> None:
    """In batches of any size, which are worked on at the same time."""
    out = made.with_suffix(".parquet")
    import_scap(made, out)
    monkeypatch.setattr(blocks, "MAX_BATCH_EVENTS", batch_events)
    found = alerts(made, plan, **options)
    assert found == alerts(out, plan, **options)
    assert {rule for _, rule, *_ in found} == {"Opened by a child", "Any read", "Ran for long"}
    assert alerts(made, plan, **options) == found


def test_what_cannot_be_asked_is_named(made: Path, tmp_path: Path) -> None:
    """The same rules miss the same columns."""
    rules = tmp_path / "gaps.yaml"
    rules.write_text(
        "- rule: of types\n  desc: d\n  condition: evt.type = read and fd.types in (ipv4)\n"
        "  output: o\n  priority: INFO\n"
    )
    ruleset = load_rules([rules])
    ruleset.raise_if_invalid()
    gaps = ruleset.plan
    import_scap(made, made.with_suffix(".parquet"))
    notes = []
    for path in (made, made.with_suffix(".parquet")):
        with open_captures([path]) as captures:
            report = captures.scan(gaps)
            assert list(report) == []
            notes.append(report.coverage_notes)
    assert notes[0] == notes[1]
    assert "fd.types" in notes[0][0]


def test_damage_is_told_after_the_scan(made: Path, plan: Plan) -> None:
    """What came before it was scanned."""
    made.write_bytes(made.read_bytes()[:-30])
    with open_captures([made]) as captures:
        assert len(list(captures.scan(plan))) > 3
        (capture,) = captures
        assert "ends within a block" in str(capture.footer.losses.incomplete)


def test_what_needs_a_capture_of_our_own(made: Path) -> None:
    """SQL and summaries are asked of imports, and a message says so."""
    with open_captures([made]) as captures:
        for ask in (lambda: captures.sql("SELECT 1"), lambda: captures.info):
            with pytest.raises(CaptureError, match="falcotrace import"):
                ask()


def test_several_captures_of_both_kinds(made: Path, plan: Plan) -> None:
    """A folder has no .scap files in it unless they are named."""
    out = made.with_suffix(".parquet")
    import_scap(made, out)
    with open_captures([out, made]) as captures:
        both = list(captures.scan(plan))
    assert len(both) == 2 * len(alerts(made, plan))
    assert {one.capture for one in both} == {out.name, made.name}
    with open_captures(made.parent) as captures:
        assert captures.paths == (out,)


@pytest.mark.parametrize("data", [b"", b"nothing of the kind"])
def test_what_is_no_capture(tmp_path: Path, data: bytes) -> None:
    """It is said when the file is opened."""
    path = tmp_path / "a.scap"
    path.write_bytes(data)
    with pytest.raises(CaptureError):
        ScapCapture(path)


def test_a_file_that_goes_away(made: Path, plan: Plan) -> None:
    """Each scan reads it anew."""
    with open_captures([made]) as captures:
        made.unlink()
        with pytest.raises(CaptureError):
            list(captures.scan(plan))
