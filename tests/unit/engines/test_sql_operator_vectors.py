"""The table of operators, row by row, through DuckDB."""

from typing import Any

import duckdb
import pytest

from differential.rows import row_of
from falcotrace.engines.sql import condition_sql
from falcotrace.rules.load import parse_formula
from small_captures import write_capture
from unit.engines.test_operator_vectors import load_vectors

CASES = [
    (field, vector)
    for field, vector in load_vectors()
    if "sql" in vector.get("engines", ["replay", "sql"])
]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """A table with an event for each vector, numbered as the vectors are."""
    path = tmp_path_factory.mktemp("vectors") / "vectors.parquet"
    write_capture(path, [[row_of({field: vector["left"]}) for field, vector in CASES]])
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE events AS FROM '{path}'")
    return connection


@pytest.mark.parametrize(
    "number",
    [pytest.param(i, id=f"{f} {v['check']} of {v['left']!r}") for i, (f, v) in enumerate(CASES)],
)
def test_vector(connection: duckdb.DuckDBPyConnection, number: int) -> None:
    """A check has the verdict of the table, and its negation the opposite."""
    field, vector = CASES[number]
    assert verdict(connection, f"{field} {vector['check']}", number) is vector["verdict"]
    assert verdict(connection, f"not {field} {vector['check']}", number) is not vector["verdict"]


def verdict(connection: duckdb.DuckDBPyConnection, condition: str, number: int) -> Any:
    """What DuckDB says about one event."""
    sql = condition_sql(parse_formula(condition))
    query = f"SELECT {sql} FROM events WHERE evt.num = {number + 1}"
    rows = connection.execute(query).fetchall()
    return rows[0][0]
