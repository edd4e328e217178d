"""`evt.args` against Falco: every text that Falco printed, taken apart and rendered again."""

import time
from pathlib import Path

import duckdb
import numpy as np
import pytest

from falcotrace.capture.reader import Capture
from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.printing import printed_texts
from falcotrace.engines.sql.context import Context
from falcotrace.engines.sql.operands import operand_sql
from falcotrace.engines.sql.printer import print_sql
from falcotrace.engines.sql.values import Scalar
from falcotrace.rules.field_reference import find_field
from oracle.falco_arguments import columns_of_arguments
from oracle.falco_events import read_json_lines
from small_captures import write_capture


@pytest.fixture(scope="module")
def printed(shared: Path) -> list[tuple[str, str]]:
    """Each kind of event with each text of arguments that Falco printed for it."""
    found: dict[tuple[str, str], None] = {}
    for path in sorted((shared / "oracle" / "expected").glob("*.events.jsonl.gz")):
        for event in read_json_lines(path):
            found[event["evt.type"], event["evt.args"]] = None
    return list(found)


@pytest.fixture(scope="module")
def capture(printed: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """A capture with the columns of those texts."""
    rows = [columns_of_arguments(name, text) for name, text in printed]
    return write_capture(tmp_path_factory.mktemp("arguments") / "all.parquet", [rows])


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_replay_renders_what_falco_prints(printed: list[tuple[str, str]], capture: Capture) -> None:
    """Raw and resolved forms, stand-ins, dots and order are Falco's, for each type of event."""
    operand = find_field("evt.args", None)
    assert len({name for name, _ in printed}) > 150
    source = RowGroupSource(capture, 0)
    shown = printed_texts(operand, source.field(operand, np.arange(len(printed))))
    wanted = [text for _, text in printed]
    nums = source.integers("evt.num")
    differing = {
        printed[num - 1][0]: (text, wanted[num - 1])
        for num, text in zip(nums.tolist(), shown, strict=True)
        if text != wanted[num - 1]
    }
    assert not differing


def test_sql_renders_what_falco_prints(printed: list[tuple[str, str]], capture: Capture) -> None:
    """The same from SQL."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET max_expression_depth TO 100000")
    differing: list[tuple[str, str, str]] = []
    for name in dict.fromkeys(name for name, _ in printed):
        context = Context((str(capture.path),), frozenset({name}))
        value = operand_sql(find_field("evt.args", None), context)
        assert isinstance(value, Scalar)
        query = (
            f"SELECT evt.num, {print_sql(value.expression)} FROM '{capture.path}' "
            f"WHERE evt.type = '{name}'"
        )
        rows = connection.execute(query).fetchall()
        assert rows
        pairs = [(text, printed[num - 1][1]) for num, text in rows]
        differing += [(name, shown, wanted) for shown, wanted in pairs if shown != wanted]
    assert not differing
