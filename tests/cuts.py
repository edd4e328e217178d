"""Captures and rules for tests of cuts."""

import dataclasses
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from falcotrace.alerts import Alert
from falcotrace.api import open_captures
from falcotrace.fixtures.cut import Cut, CutOptions, cut_alerts
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.plan import Plan

SHIPPED = Path(__file__).parents[1] / "captures"


def rule_text(condition: str, output: str = "%proc.name %fd.name") -> str:
    """A rules file of one rule."""
    return (
        f"- rule: One rule\n  desc: d\n  condition: {condition}\n  output: {output!r}\n"
        "  priority: NOTICE\n"
    )


def plan_of(condition: str, output: str = "%proc.name %fd.name") -> Plan:
    """One rule, ready to run."""
    ruleset = load_rules([RulesText(rule_text(condition, output), "rules.yaml")])
    ruleset.raise_if_invalid()
    return ruleset.plan


def alerts_of(path: Path, plan: Plan) -> list[Alert]:
    """What rules say of a capture."""
    with open_captures(path) as captures:
        return list(captures.scan(plan))


def cut_one(path: Path, plan: Plan, out: Path, options: CutOptions | None = None) -> Cut:
    """Cut a capture for the first alert."""
    return cut_alerts(path, alerts_of(path, plan)[:1], out, options or CutOptions())


def redacted(path: Path, plan: Plan, out: Path, options: CutOptions | None = None) -> Cut:
    """Cut a capture for the first alert, and take the names out."""
    chosen = dataclasses.replace(options or CutOptions(), redacts=True, overwrites=True)
    return cut_one(path, plan, out, chosen)


def stored_texts(path: Path) -> set[str]:
    """Every text that lies in a file: of dictionaries also what no row has."""
    texts: set[str] = set()
    file = pq.ParquetFile(path)
    leaves = [file.metadata.schema.column(i).path for i in range(len(file.metadata.schema))]
    coded = pq.ParquetFile(path, read_dictionary=leaves)
    for leaf in leaves:
        array = coded.read_row_group(0, columns=[leaf])[leaf.split(".")[0]].combine_chunks()
        for name in leaf.removesuffix(".list.element").split(".")[1:]:
            array = array.field(name)
        values = array.values if pa.types.is_list(array.type) else array
        if pa.types.is_dictionary(values.type):
            values = values.dictionary
        if pa.types.is_string(values.type) or pa.types.is_binary(values.type):
            texts.update(_text(value) for value in values.to_pylist() if value is not None)
    return texts


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
