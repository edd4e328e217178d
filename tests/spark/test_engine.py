"""The engine: whole rule sets over captures, names of files, and what it says when it cannot."""

import dataclasses
import math
import os
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from pyspark.errors import AnalysisException

from differential.both_engines import replay_matches
from differential.random_conditions import random_events, rules_text
from falcotrace.engines.spark import SparkEngine, SparkMatch
from falcotrace.engines.sql import matches_sql, rule_sql
from falcotrace.errors import CaptureError, FalcoTraceError, UnsupportedError
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.plan import Plan
from falcotrace.scap.importer import import_scap
from small_captures import write_capture

REPOSITORY = Path(__file__).parents[2]
SHIPPED = REPOSITORY / "captures" / "first_light.parquet"
OFFICIAL = ("falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml")
IMPORTED = ("attack", "container", "sd_io", "t_udp_dns", "open-multiple-files")


def load(paths: Sequence[Path]) -> Plan:
    """The plan of some rules files; rules that are off by default are run as well."""
    ruleset = load_rules(list(paths))
    ruleset.raise_if_invalid()
    return Plan(tuple(dataclasses.replace(rule, enabled=True) for rule in ruleset.plan.rules))


def plan_of(*conditions: str) -> Plan:
    """A plan with a rule for each condition."""
    ruleset = load_rules([RulesText(rules_text(conditions))])
    ruleset.raise_if_invalid()
    return ruleset.plan


@pytest.fixture(scope="module")
def shipped() -> Plan:
    """The rules that come with FalcoTrace."""
    return load(sorted((REPOSITORY / "rules").glob("*.yaml")))


@pytest.fixture(scope="module")
def official(shared: Path) -> Plan:
    """Falco's official rules, all three files together."""
    return load([shared / "falco-rules" / name for name in OFFICIAL])


def by_replay(plan: Plan, paths: Sequence[Path]) -> list[tuple[str, int, int]]:
    """Path, rule and `evt.num` of each match, in the order that the engine has.

    Rules about several events are left to replay.
    """
    places = {rule.name: at for at, rule in enumerate(plan.rules) if rule.correlation is None}
    return [
        (str(path), rule, num)
        for path in paths
        for num, rule in sorted(
            (num, places[name])
            for name, nums in replay_matches(plan, path).items()
            if name in places
            for num in nums
        )
    ]


def without_times(matches: Sequence[SparkMatch]) -> list[tuple[str, int, int]]:
    """Path, rule and `evt.num`."""
    return [(match.path, match.rule, match.num) for match in matches]


def test_shipped_capture(engine: SparkEngine, shipped: Plan) -> None:
    """The shipped rules match the events of replay in the shipped capture, with their times.

    Rules about several events are left to replay, by name and with the reason.
    """
    found = list(engine.matches(shipped, [SHIPPED]))
    left = {at for at, rule in enumerate(shipped.rules) if rule.correlation is not None}
    refused = engine.refused(shipped)
    assert refused.keys() == left
    assert all("a rule about several events" in reason for reason in refused.values())
    assert len(found) > 10
    assert without_times(found) == by_replay(shipped, [SHIPPED])
    times = engine.session.read.parquet(str(SHIPPED)).selectExpr("evt.num", "evt.time").collect()
    assert {match.num: match.time_ns for match in found}.items() <= dict(times).items()


def test_official_rules(engine: SparkEngine, official: Plan, shared: Path, tmp_path: Path) -> None:
    """All official rules at once over imported captures and made-up events, as replay says."""
    paths = [SHIPPED]
    for name in IMPORTED:
        (source,) = (shared / "oracle" / "captures").glob(f"{name}.scap*")
        paths.append(tmp_path / f"{name}.parquet")
        import_scap(source, paths[-1])
    paths.append(tmp_path / "made_up.parquet")
    write_capture(paths[-1], [random_events(random.Random(3), 3000)])
    wanted = by_replay(official, paths)
    assert engine.refused(official) == {}
    assert len({rule for _, rule, _ in wanted}) > 30
    assert without_times(list(engine.matches(official, paths))) == wanted


def test_rules_print_as_queries(engine: SparkEngine, shipped: Plan) -> None:
    """What `rules sql --dialect spark` prints runs as it stands and finds the events of replay."""
    replay = replay_matches(shipped, SHIPPED)
    for rule in shipped.rules:
        if rule.correlation is not None:
            with pytest.raises(UnsupportedError, match="several events"):
                rule_sql(rule, str(SHIPPED), "spark")
            continue
        rows = engine.session.sql(rule_sql(rule, str(SHIPPED), "spark")).collect()
        assert [row["num"] for row in rows] == replay[rule.name], rule.name


def test_official_rules_are_queries(engine: SparkEngine, official: Plan, tmp_path: Path) -> None:
    """Every official rule prints as a query that Spark can plan."""
    path = tmp_path / "capture.parquet"
    write_capture(path, [[{"evt.type": "open"}]])
    failed = {}
    for rule in official.rules[::4]:
        try:
            engine.session.sql(rule_sql(rule, str(path), "spark"))
        except AnalysisException as error:
            failed[rule.name] = str(error)
    assert failed == {}


def test_jobs_of_some_files(engine: SparkEngine, tmp_path: Path) -> None:
    """Captures beyond one job's worth are asked in the next; the order is that of the paths."""
    paths = [tmp_path / f"{name}.parquet" for name in "zyxab"]
    for path in paths:
        write_capture(path, [[{"evt.type": "open"}, {"evt.type": "close"}]])
    engine_of_two = SparkEngine(files_per_job=2)
    found = list(engine_of_two.matches(plan_of("evt.type = close", "evt.num > 0"), paths))
    engine_of_two.close()
    assert without_times(found) == [
        (str(path), rule, num) for path in paths for rule, num in ((1, 1), (0, 2), (1, 2))
    ]
    assert list(engine.matches(plan_of("evt.num > 5"), paths)) == []


def test_more_rules_than_bits(engine: SparkEngine, tmp_path: Path) -> None:
    """Every rule of seventy has its own bit, also the last of a number."""
    path = tmp_path / "capture.parquet"
    write_capture(path, [[{"evt.type": "open", "fd.num": number} for number in range(70)]])
    plan = plan_of(*(f"evt.type = open and fd.num = {number}" for number in range(70)))
    found = without_times(list(engine.matches(plan, [path])))
    assert found == [(str(path), number, number + 1) for number in range(70)]


@pytest.mark.parametrize("name", ["a b", "a%20b", "a[1]", "{x,y}", "é?*", "a#b", "ü$(x)'\""])
def test_names_of_captures(engine: SparkEngine, tmp_path: Path, name: str) -> None:
    """A capture comes back under the name it was given, whatever characters that has."""
    path = tmp_path / f"{name}.parquet"
    shutil.copy(SHIPPED, path)
    found = list(engine.matches(plan_of("evt.num = 7"), [path]))
    assert without_times(found) == [(str(path), 0, 7)]


@pytest.mark.parametrize("name", ["_a.parquet", ".a.parquet", "a:b.parquet", "missing.parquet"])
def test_captures_that_spark_would_leave_out(
    engine: SparkEngine, tmp_path: Path, name: str
) -> None:
    """A capture that Spark would silently pass over is an error with its name."""
    path = tmp_path / name
    if name != "missing.parquet":
        shutil.copy(SHIPPED, path)
    with pytest.raises(CaptureError, match=name) as caught:
        list(engine.matches(plan_of("evt.num > 0"), [SHIPPED, path]))
    assert "\n" not in str(caught.value)


def test_damaged_captures(engine: SparkEngine, tmp_path: Path) -> None:
    """Files that are no captures, or no longer, are named in one line."""
    data = bytearray(SHIPPED.read_bytes())
    data[1000:3000] = random.Random(1).randbytes(2000)
    contents = {"flipped": bytes(data), "short": bytes(data[:-500]), "text": b"x" * 50}
    for name, content in contents.items():
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(content)
        with pytest.raises(CaptureError, match=f"{name}.parquet: Spark cannot read it") as caught:
            list(engine.matches(plan_of("proc.name != x", "fd.num > 0"), [SHIPPED, path]))
        assert str(caught.value.path) == str(path)
        assert "\n" not in str(caught.value)
    (tmp_path / "empty.parquet").touch()
    with pytest.raises(CaptureError, match="an empty file"):
        list(engine.matches(plan_of("evt.num > 0"), [tmp_path / "empty.parquet"]))


def test_missing_columns(engine: SparkEngine, tmp_path: Path) -> None:
    """A file without some columns has no values there, whichever file comes first."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    small = tmp_path / "small.parquet"
    events = [{"num": number, "time": 5, "type": "openat"} for number in (1, 2)]
    pq.write_table(pa.table({"evt": pa.array(events)}), small)
    plan = plan_of("evt.type = openat and not proc.name = x", "evt.type = openat and fd.num >= 0")
    found = list(engine.matches(plan, [small, SHIPPED]))
    assert [match[1:] for match in found if match.path == str(small)] == [(0, 1, 5), (0, 2, 5)]
    assert {match.rule for match in found if match.path == str(SHIPPED)} == {0, 1}


def test_numbers_that_do_not_fit(engine: SparkEngine, tmp_path: Path) -> None:
    """Sums at the limits of 64 bits wrap as in replay and end no hunt."""
    path = tmp_path / "capture.parquet"
    big = (1 << 63) - 1
    rows: list[dict[str, object]] = [
        {"evt.type": "open", "evt.time": -big, "proc.pid_ts": big, "proc.vmsize": big},
        {"evt.type": "open", "evt.time": 9, "proc.pid_ts": 5, "thread.tid": 1, "proc.pid": 1},
    ]
    write_capture(path, [rows])
    plan = plan_of("proc.duration > 0", "proc.duration < 0", "thread.vmsize.b > 0")
    assert without_times(list(engine.matches(plan, [path]))) == by_replay(plan, [path])


def test_long_texts(engine: SparkEngine, tmp_path: Path) -> None:
    """Java's patterns take a step of stack for each repetition: long texts must not end a hunt."""
    path = tmp_path / "capture.parquet"
    long = "/a" * 32_768
    write_capture(path, [[{"evt.type": "open", "fd.name": text} for text in (long, long + "/")]])
    plan = plan_of(
        'evt.type = open and fd.name regex "(/[^/]+)*"',
        'evt.type = open and fd.name regex "(/|a|aa)*/"',
    )
    assert without_times(list(engine.matches(plan, [path]))) == by_replay(plan, [path])


def test_rules_that_spark_cannot_run(engine: SparkEngine) -> None:
    """They are named with the reason, and the others run."""
    plan = plan_of("evt.num = 7", "evt.hostname = web-1", "evt.type = open and evt.num = 0")
    assert list(engine.refused(plan)) == [1]
    assert "evt.hostname" in engine.refused(plan)[1]
    assert without_times(list(engine.matches(plan, [SHIPPED]))) == [(str(SHIPPED), 0, 7)]
    with pytest.raises(UnsupportedError, match="function parquet_kv_metadata"):
        matches_sql(plan.rules[1], ["capture.parquet"], "spark")


def test_running_session_is_used_and_left(engine: SparkEngine) -> None:
    """Without a master the session that runs is asked, with settings of its own, and goes on."""
    before = engine.session.conf.get("spark.sql.ansi.enabled")
    with SparkEngine(settings={"spark.sql.ansi.enabled": "true"}) as other:
        assert other.session.sparkContext is engine.session.sparkContext
        assert other.session.conf.get("spark.sql.ansi.enabled") == "true"
    assert engine.session.conf.get("spark.sql.ansi.enabled") == before
    assert len(list(engine.matches(plan_of("evt.num = 7"), [SHIPPED]))) == 1


def test_errors_of_spark_are_one_line(engine: SparkEngine) -> None:
    """A master that is none, and a second one beside the first, are told in one line."""
    with pytest.raises(FalcoTraceError, match="Spark did not start") as caught:
        SparkEngine("nonsense")
    assert "\n" not in str(caught.value)
    assert math.isclose(engine.session.sql("SELECT 1.5D").collect()[0][0], 1.5)


def test_java_is_asked_for(tmp_path: Path) -> None:
    """Without Java the error says what to install."""
    import subprocess
    import sys

    script = "from falcotrace.engines.spark import SparkEngine; SparkEngine('local[1]')"
    environment = {**os.environ, "JAVA_HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    last = result.stderr.strip().splitlines()[-1]
    assert "falcotrace.errors.FalcoTraceError: Spark did not start" in last
    assert "openjdk-17-jre-headless" in last
