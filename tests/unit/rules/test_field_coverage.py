"""Coverage of fields: what has no value has a reason, and the README has the table of reasons."""

from pathlib import Path

import pytest

from falcotrace.events.fields import FIELDS, Storage
from falcotrace.rules.field_coverage import (
    Coverage,
    coverage_counts,
    field_coverage,
    unsupported_markdown,
)
from falcotrace.rules.load import load_rules
from falcotrace.rules.shipped import shipped_rules

README = Path(__file__).parents[3] / "README.md"


def test_every_field_without_value_has_a_reason() -> None:
    """Storage is never bare: people read why."""
    bare = [
        field.name
        for field in FIELDS.values()
        if field.storage in {Storage.NEVER, Storage.UNSUPPORTED} and not field.source
    ]
    assert not bare


def test_every_field_of_the_specification_is_listed(shared: Path) -> None:
    """Falco's fields and ours are the same, in the same order."""
    lines = (shared / "spec" / "FIELDS.tsv").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[2] for line in lines[1:]] == list(FIELDS)


@pytest.mark.parametrize("official", [True, False])
def test_no_rule_needs_a_field_that_is_not_supported(shared: Path, *, official: bool) -> None:
    """Falco's rules and those that ship ask only for fields that captures answer."""
    names = ("falco_rules", "falco-incubating_rules", "falco-sandbox_rules")
    files = [shared / "falco-rules" / f"{name}.yaml" for name in names]
    rules = load_rules(files if official else [shipped_rules()]).plan.rules
    entries = field_coverage(rules)
    needed = {e.name: e.condition_rules + e.output_rules for e in entries}
    assert needed["proc.name"] > 0
    missing = [e.name for e in entries if e.coverage is Coverage.UNSUPPORTED and needed[e.name]]
    assert not missing
    assert sum(coverage_counts(entries).values()) == len(FIELDS)


def test_the_table_of_the_readme_is_current() -> None:
    """It is made from the catalogue, not written beside it."""
    _, _, rest = README.read_text(encoding="utf-8").partition(
        "field_coverage`; a test compares. -->\n"
    )
    assert rest.partition("<!-- end -->")[0] == unsupported_markdown()
