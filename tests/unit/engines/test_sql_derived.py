"""Derived fields as SQL: each function exists, reads what its table says, has the right value."""

from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from sqlglot import exp

from falcotrace.engines.sql.context import Context
from falcotrace.engines.sql.operands import DERIVED_FUNCTIONS, operand_sql
from falcotrace.engines.sql.printer import print_sql
from falcotrace.engines.sql.values import Items, Scalar
from falcotrace.events.derived import DERIVED, derived_inputs
from falcotrace.events.fields import FIELDS, Storage
from falcotrace.rules.field_reference import find_field
from falcotrace.rules.plan import FieldOperand
from small_captures import write_capture

GOLDEN = Path(__file__).parents[2] / "golden" / "derived" / "fields.yaml"


def value_of(text: str, path: str) -> tuple[Scalar | Items, str]:
    """The value of a field, and how it is printed."""
    field = operand_of(text)
    value = operand_sql(field, Context((path,)))
    assert isinstance(value, Scalar | Items)
    return value, field.field.print_format


def load_cases() -> list[dict[str, Any]]:
    """The golden cases of computed fields; of one row, for they share a capture."""
    cases = yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))
    return [
        case
        for case in cases
        if operand_of(case["field"]).field.storage is Storage.DERIVED
        and not case["field"].startswith("evt.reltime")
    ]


def operand_of(text: str) -> FieldOperand:
    """The field that a text refers to."""
    name, _, argument = text.partition("[")
    return find_field(name, argument.removesuffix("]") if argument else None)


CASES = load_cases()


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture with an event for each case, numbered as the cases are."""
    path = tmp_path_factory.mktemp("derived") / "cases.parquet"
    rows = [
        {
            "evt.type": "getpid",
            "evt.time": 0,
            **{k: v.encode() if k == "evt.buffer" else v for k, v in case["columns"].items()},
        }
        for case in CASES
    ]
    write_capture(path, [rows])
    return path


def is_printed_as(value: object, form: str, wanted: str | None) -> bool:
    """Whether a value is what outputs print."""
    match value:
        case bool():
            return str(value).lower() == wanted
        case float():
            return wanted is not None and value == float(wanted)
        case int() if form == "10_PADDED_DEC":
            return f"{value:09d}" == wanted
        case None:
            return wanted is None
        case list() if wanted is not None and wanted.startswith("("):
            return f"({','.join(value)})" == wanted
        case list():
            return " ".join(value) == wanted
        case _:
            return str(value) == wanted


@pytest.mark.parametrize(
    "number", [pytest.param(i, id=f"{i}-{case['field']}") for i, case in enumerate(CASES)]
)
def test_value(capture: Path, number: int) -> None:
    """A derived field has the value that its sentence promises."""
    case = CASES[number]
    scalar, form = value_of(case["field"], str(capture))
    value = scalar.expression
    if isinstance(scalar, Scalar) and scalar.null_is_false:
        value = exp.Coalesce(this=value, expressions=[exp.false()])
    query = f"SELECT {print_sql(value)} FROM '{capture}' WHERE evt.num = {number + 1}"
    rows = duckdb.connect().execute(query).fetchall()
    assert is_printed_as(rows[0][0], form, case["value"]), query


def test_every_function_is_implemented() -> None:
    """SQL knows the functions of the table of sentences; `around` is a check of its own."""
    assert DERIVED.keys() - DERIVED_FUNCTIONS.keys() == {"around"}
    assert DERIVED_FUNCTIONS.keys() <= DERIVED.keys()


_OTHERS = ("x", "v", "each", "done", "part", "footer.key", "footer.value")
"""Variables of lambdas, and the footer."""


@pytest.mark.parametrize("name", sorted(DERIVED_FUNCTIONS))
def test_function_reads_only_its_inputs(name: str) -> None:
    """A function reads no column that its table does not name."""
    field = next(field for field in FIELDS.values() if field.source == name)
    arguments: list[str | int | None] = [None]
    if field.argument:
        arguments = ["flags", "data", "ID", 0] if name == "arg" else ["data"]
        arguments = [1] if name in {"args_text", "fd_types"} or "mount" in name else arguments
        arguments = [None, 0, 1, "HOME"] if name == "ancestor_env" else arguments
        arguments = [None, 0, 1] if name == "ancestor_args" else arguments
    for argument in arguments:
        value = DERIVED_FUNCTIONS[name](Context(("capture.parquet",)), argument)
        expressions = [value.expression]
        if isinstance(value, Scalar):
            expressions += (choice.condition for choice in value.choices or ())
            if value.equals is not None:
                expressions.append(value.equals(["a", "/"]))
            if value.printed is not None:
                expressions.append(value.printed.expression)
        allowed = {*derived_inputs(name, argument), *_OTHERS}
        for expression in expressions:
            assert {path_of(column) for column in expression.find_all(exp.Column)} <= allowed


def path_of(column: exp.Column) -> str:
    """The path of a column."""
    return ".".join(part.name for part in column.parts)
