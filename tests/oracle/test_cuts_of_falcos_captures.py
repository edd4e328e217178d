"""Cuts of Falco's captures: what the official rules say of them, they say of one event alone."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cuts import alerts_of
from falcotrace.fixtures.cut import CutOptions, cut_alerts
from falcotrace.rules.load import load_rules
from falcotrace.rules.plan import Plan
from falcotrace.scap.importer import import_scap

if TYPE_CHECKING:
    from falcotrace.alerts import Alert

OFFICIAL = ("falco_rules", "falco-incubating_rules", "falco-sandbox_rules")
CAPTURES = ("attack", "container", "t_memfd", "t_files", "t_mount_unshare", "sd_benign")
LARGEST_BYTES = 60_000
MOST_RULES = 10
"""So many rules of a capture are tried, of many every so manieth."""


@pytest.fixture(scope="module")
def plan(shared: Path) -> Plan:
    """All official rules, those that are switched off too."""
    ruleset = load_rules([shared / "falco-rules" / f"{name}.yaml" for name in OFFICIAL])
    ruleset.raise_if_invalid()
    rules = (dataclasses.replace(rule, enabled=True) for rule in ruleset.plan.rules)
    return dataclasses.replace(ruleset.plan, rules=tuple(rules))


@pytest.mark.parametrize("name", CAPTURES)
def test_each_rule_fires_on_its_cut(name: str, shared: Path, tmp_path: Path, plan: Plan) -> None:
    """The same text and fields from both engines; redacted, the rule's own words are enough."""
    source = tmp_path / "imported.parquet"
    import_scap(shared / "oracle" / "captures" / f"{name}.scap.gz", source)
    firsts: dict[str, Alert] = {}
    for alert in alerts_of(source, plan):
        firsts.setdefault(alert.rule.name, alert)
    assert firsts
    for alert in list(firsts.values())[:: 1 + len(firsts) // MOST_RULES]:
        cut = cut_alerts(source, [alert], tmp_path / "c.parquet", CutOptions(overwrites=True))
        told = [(one.num, one.output, one.output_fields) for one in cut.alerts]
        assert told == [(alert.num, alert.output, alert.output_fields)]
        assert cut.size_bytes < LARGEST_BYTES
        options = CutOptions(redacts=True, overwrites=True)
        masked = cut_alerts(source, [alert], tmp_path / "c.parquet", options)
        assert [one.num for one in masked.alerts] == [alert.num]
        assert masked.redacted is not None
        assert masked.redacted.needed == ()
