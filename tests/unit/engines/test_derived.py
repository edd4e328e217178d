"""Derived fields: each function exists, reads what its table says, has the values it should."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from falcotrace.engines.capture_source import RowGroupSource
from falcotrace.engines.derived_base import Inputs
from falcotrace.engines.derived_fields import DERIVED_FUNCTIONS
from falcotrace.engines.printing import printed_texts
from falcotrace.engines.vectors import Vector
from falcotrace.events.derived import DERIVED, derived_inputs
from falcotrace.events.fields import FIELDS, Storage
from falcotrace.rules.field_reference import find_field
from falcotrace.rules.plan import FieldOperand
from small_captures import write_capture

GOLDEN = Path(__file__).parents[2] / "golden" / "derived" / "fields.yaml"
CASES: list[dict[str, Any]] = yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))


def operand_of(text: str) -> FieldOperand:
    """The field that a text refers to."""
    name, _, argument = text.partition("[")
    return find_field(name, argument.removesuffix("]") if argument else None)


def printed(tmp_path: Path, text: str, columns: dict[str, Any]) -> str | None:
    """A field of an event that has only some columns, as an output prints it."""
    row = {
        path: value.encode() if path == "evt.buffer" else value for path, value in columns.items()
    }
    row = {"evt.type": "getpid", **row}
    capture = write_capture(tmp_path / "one.parquet", [[row]])
    operand = operand_of(text)
    return printed_texts(operand, RowGroupSource(capture, 0).field(operand, np.arange(1)))[0]


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{i}-{case['field']}") for i, case in enumerate(CASES)]
)
def test_value(tmp_path: Path, case: dict[str, Any]) -> None:
    """A derived field has the value that its sentence promises."""
    assert printed(tmp_path, case["field"], case["columns"]) == case["value"]


def test_every_function_is_implemented_and_used() -> None:
    """The table of sentences, the catalogue of fields and the engine name the same functions."""
    named = {field.source for field in FIELDS.values() if field.storage is Storage.DERIVED}
    assert named == DERIVED.keys() == DERIVED_FUNCTIONS.keys()


def test_every_function_has_a_case() -> None:
    """No derived function is without a case."""
    missing = DERIVED.keys() - {operand_of(case["field"]).field.source for case in CASES}
    local_times = {name for name in DERIVED if name.startswith("local_")}
    assert missing - local_times <= {
        *("around", "rawtime", "reltime_s", "reltime_ns", "ppid_duration", "buflen_out"),
        *("buflen_file", "buflen_file_in", "buflen_net_out", "thread_vmrss", "thread_vmsize_b"),
        *("service_cport", "service_lport", "service_rport"),
    }


@pytest.mark.parametrize("name", sorted(DERIVED))
def test_function_reads_only_its_inputs(tmp_path: Path, name: str) -> None:
    """A function asks for no column that its table does not name: scopes and reports rest on it."""
    events = ["openat", "read", "linkat", "setuid", "procinfo", "swapon", "connect"]
    capture = write_capture(tmp_path / "c.parquet", [[{"evt.type": event} for event in events]])
    source = RowGroupSource(capture, 0)
    field = next(field for field in FIELDS.values() if field.source == name)
    arguments: list[str | int | None] = [None]
    if field.argument:
        arguments = ["flags", "data", "ID", 0] if name == "arg" else ["data"]
        indexed = {"around", "args_text", "fd_types"}
        arguments = [1] if name in indexed or "mount" in name else arguments
        arguments = [None, 0, 1, "HOME"] if name == "ancestor_env" else arguments
        arguments = [None, 0, 1] if name == "ancestor_args" else arguments
    for argument in arguments:
        allowed = derived_inputs(name, argument)

        def column(path: str, allowed: tuple[str, ...] = allowed) -> Vector:
            assert path in allowed
            return source.column_at(path, np.arange(len(events)))

        vector = DERIVED_FUNCTIONS[name](Inputs(column, argument, len(events), 0))
        assert len(vector) == len(events)
