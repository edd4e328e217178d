"""The batch form of SQL where it could differ from replay: parts, changing states, odd files."""

import random
from collections.abc import Sequence
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from differential.random_conditions import random_events
from falcotrace.capture.footer import METADATA_KEY, Footer, Host, encode_footer
from falcotrace.capture.reader import Capture, open_capture
from falcotrace.capture.writer import CaptureWriter
from falcotrace.engines.base import ScanOptions
from falcotrace.engines.batch import DuckdbEngine, DuckdbOptions, PreparedRules
from falcotrace.engines.group_matches import GroupMatches
from falcotrace.engines.replay import ReplayEngine
from falcotrace.engines.sql import matches_sql
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.plan import Plan
from falcotrace.rules.shipped import load_plan
from small_captures import write_capture

SHIPPED = Path(__file__).parents[3] / "captures" / "first_light.parquet"
Match = tuple[str, str, int, int]


def plan_of(*conditions: str) -> Plan:
    """A plan with a rule for each condition."""
    text = "".join(
        f"- rule: r{number}\n  desc: d\n  condition: {condition}\n  output: o\n  priority: DEBUG\n"
        for number, condition in enumerate(conditions)
    )
    ruleset = load_rules([RulesText(text)])
    ruleset.raise_if_invalid()
    return ruleset.plan


def told(groups: Sequence[GroupMatches], plan: Plan) -> list[Match]:
    """Every match as capture, rule, event number and row."""
    return sorted(
        (str(group.capture.path), plan.rules[rule].name, int(num), int(row))
        for group in groups
        for rule, num, row in zip(
            group.matches.rules, group.matches.nums, group.matches.rows, strict=True
        )
    )


def both(captures: Sequence[Capture], plan: Plan, options: ScanOptions) -> list[Match]:
    """What both engines say, which must be the same."""
    batch = told(list(DuckdbEngine().match(captures, plan, options)), plan)
    assert batch == told(list(ReplayEngine().match(captures, plan, options)), plan)
    return batch


def test_slices_and_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture cut into slices, some captures in one part, time that cuts row groups."""
    monkeypatch.setattr("falcotrace.engines.batch.parts._PART_ROWS", 120)
    chance = random.Random(5)
    large = write_capture(tmp_path / "large.parquet", [random_events(chance, 50) for _ in range(9)])
    small = [
        write_capture(tmp_path / f"{number}.parquet", [random_events(chance, 20)])
        for number in range(7)
    ]
    plan = plan_of(
        "evt.num > 0", "proc.name startswith a", "not proc.name exists", "fd.num > 1 or evt.dir = <"
    )
    captures = [*small[:3], large, *small[3:]]
    assert both(captures, plan, ScanOptions())
    for options in (
        ScanOptions(since_ns=60_000, until_ns=310_000),
        ScanOptions(until_ns=15_000),
        ScanOptions(first_match=True),
    ):
        assert 0 < len(both(captures, plan, options)) < len(both(captures, plan, ScanOptions()))


def test_a_state_that_changes_between_row_groups(tmp_path: Path) -> None:
    """A container that is described late has its name for later events of the same state only."""
    path = tmp_path / "c.parquet"
    with CaptureWriter(path) as writer:
        for group, name in enumerate(["<NA>", "web", "web", "<NA>"]):
            nums = pa.array([10 * group + 1, 10 * group + 2], pa.int64())
            events = {
                "evt.num": nums,
                "evt.time": nums,
                "evt.type": pa.array(["openat"] * 2),
                "proc.key": pa.array([7, 8], pa.int64()),
            }
            states = pa.table(
                {
                    "proc.key": pa.array([7, 8], pa.int64()),
                    "proc.name": pa.array(["cat", "sh"]),
                    "container.name": pa.array([name, "other"]),
                }
            )
            writer.write_row_group(events, states)
        writer.close(Footer(host=Host(hostname="h")))
    plan = plan_of("container.name = web", "container.name = other and evt.type = openat")
    with open_capture(path) as capture:
        found = both([capture], plan, ScanOptions())
    assert [num for _, rule, num, _ in found if rule == "r0"] == [11, 21]
    assert len(found) == 2 + 4


def test_what_sql_cannot_express_runs_in_replay(tmp_path: Path) -> None:
    """A rule with `getopt` is named, and its matches stand among the others, also as the first."""
    rows = [
        {
            "evt.type": "execve",
            "proc.name": "tar",
            "proc.argv": ["-x", "f"][: number % 3],
        }
        for number in range(9)
    ]
    capture = write_capture(tmp_path / "c.parquet", [rows])
    plan = plan_of('getopt(proc.args, "x:")[x] = f', "proc.name = tar")
    with PreparedRules(plan, ScanOptions(), DuckdbOptions()) as rules:
        assert rules.left_out == (("r0", "function getopt"),)
    assert {rule for _, rule, _, _ in both([capture], plan, ScanOptions())} == {"r0", "r1"}
    assert both([capture], plan, ScanOptions(first_match=True))


def test_captures_of_an_older_version(tmp_path: Path) -> None:
    """A capture that lacks columns has no values there, alone and beside one that has them."""
    old = tmp_path / "old.parquet"
    _without(SHIPPED, old, {"fd.name", "proc.cmdline"})
    plan = plan_of(
        "fd.name = /etc/shadow", "not fd.name exists and evt.type = openat", "proc.name = sh",
        "proc.cmdline contains sh or evt.type = socket"
    )  # fmt: skip
    with open_capture(old) as older, open_capture(SHIPPED) as newer:
        assert "fd.name" in older.unrecorded
        alone = both([older], plan, ScanOptions())
        together = both([older, newer], plan, ScanOptions())
    assert not [one for one in alone if one[1] == "r0"]
    assert [one for one in together if one[1] == "r0"]
    assert set(alone) < set(together)


def _without(source: Path, path: Path, left_out: set[str]) -> None:
    """A copy without some columns, as an older version would have written it."""
    with open_capture(source) as capture:
        groups = [
            msgspec.structs.replace(group, processes_offset=0, processes_bytes=0)
            for group in capture.footer.row_groups
        ]
        footer = encode_footer(msgspec.structs.replace(capture.footer, row_groups=groups))
    table = pq.read_table(source)
    columns = {}
    for head in table.column_names:
        names = {path.partition(".")[2] for path in left_out if path.startswith(f"{head}.")}
        array = table[head].combine_chunks()
        kept = [field.name for field in array.type if field.name not in names]
        columns[head] = pa.StructArray.from_arrays([array.field(name) for name in kept], kept)
    changed = pa.table(columns)
    with pq.ParquetWriter(path, changed.schema, store_schema=False) as writer:
        writer.write_table(changed, row_group_size=1 << 20)
        writer.add_key_value_metadata({METADATA_KEY: footer})


def test_names_of_files_are_no_patterns(tmp_path: Path) -> None:
    """A capture whose name looks like a pattern is asked itself, once, whatever lies beside it."""
    for name in ("a[1].parquet", "a1.parquet", "b*.parquet", "bc.parquet", "'; --.parquet"):
        (tmp_path / name).write_bytes(SHIPPED.read_bytes())
    captures = [open_capture(tmp_path / name) for name in ("a[1].parquet", "b*.parquet")]
    captures.append(open_capture(tmp_path / "'; --.parquet"))
    found = both(captures, load_plan(), ScanOptions())
    assert {Path(path).name for path, _, _, _ in found} == {
        "a[1].parquet", "b*.parquet", "'; --.parquet"
    }  # fmt: skip


def test_long_lists_are_relations(tmp_path: Path) -> None:
    """`in` with thousands of texts finds what replay finds, below `not` and for missing values."""
    names = [None, "/x/1", "/x/7000", "/y"]
    rows = [{"evt.type": "openat", "fd.name": name, "proc.name": name} for name in names * 3]
    capture = write_capture(tmp_path / "c.parquet", [rows])
    listed = ", ".join(f"/x/{number}" for number in range(8000))
    plan = plan_of(
        f"fd.name in ({listed})",
        f"not fd.name in ({listed})",
        f"proc.name in ({listed}) and not fd.name exists",
        f"not proc.name in ({listed}) and fd.name in ({listed}, /y)",
    )
    found = both([capture], plan, ScanOptions())
    assert [sum(rule == f"r{n}" for _, rule, _, _ in found) for n in range(4)] == [6, 6, 0, 3]


def test_long_lists_are_relations_for_fields_of_several_values(tmp_path: Path) -> None:
    """Of names and ancestors one among the listed is enough; each relation is looked up."""
    lists = [None, ["x-1"], ["y", "x-7000"], ["y", "z"]]
    rows = [
        {"evt.type": "openat", "fd.sip_name": names, "proc.aname": names} for names in lists * 3
    ]
    capture = write_capture(tmp_path / "c.parquet", [rows])
    listed = ", ".join(f"x-{number}" for number in range(8000))
    plan = plan_of(
        f"fd.sip.name in ({listed})",
        f"not fd.sip.name in ({listed})",
        f"proc.aname in ({listed}) and not fd.sip.name = y",
        f"fd.sip.name exists and (fd.sip.name in ({listed}, z) or proc.aname in ({listed}))",
    )
    found = both([capture], plan, ScanOptions())
    assert [sum(rule == f"r{n}" for _, rule, _, _ in found) for n in range(4)] == [6, 6, 3, 9]
    for place, count in enumerate((6, 6, 3, 9)):
        query = matches_sql(plan.rules[place], [str(capture.path)])
        assert len(duckdb.connect().execute(query).fetchall()) == count


def test_only_blanks_are_trimmed_from_environments(tmp_path: Path) -> None:
    """Other spaces of Unicode around a value stay, in every form."""
    values = ["X= a ", "X=\u00a0a", "X=a\u2003", "X=\ta"]
    rows = [{"evt.type": "openat", "proc.env": [value]} for value in values]
    capture = write_capture(tmp_path / "c.parquet", [rows])
    plan = plan_of("proc.env[X] = a", "proc.aenv[X] = a", "evt.num > 0")
    found = both([capture], plan, ScanOptions())
    assert [num for _, rule, num, _ in found if rule == "r0"] == [1]
    query = matches_sql(plan.rules[0], [str(capture.path)])
    assert duckdb.connect().execute(query).fetchall() == [(1,)]
