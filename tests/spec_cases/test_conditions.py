"""Reference cases of conditions: what Falco's own engine answered, asked of `evaluate`."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from falcotrace.errors import RulesError
from falcotrace.evaluate import evaluate


def load_cases(shared: Path) -> list[dict[str, Any]]:
    """The condition cases of the reference."""
    text = (shared / "spec" / "TEST_CASES.yaml").read_text(encoding="utf-8")
    cases: list[dict[str, Any]] = yaml.load(text, yaml.CSafeLoader)["condition_cases"]
    return cases


def answer(case: dict[str, Any]) -> bool | str:
    """What `evaluate` says: a verdict, or `error`."""
    event = {
        name: bytes.fromhex(value[4:])
        if isinstance(value, str) and value.startswith("hex:")
        else value
        for name, value in case["event"].items()
    }
    try:
        return evaluate(case["condition"], [event])[0]
    except RulesError:
        return "error"


def test_conditions_mean_what_falco_means(shared: Path, subtests: pytest.Subtests) -> None:
    """Every reference case gives Falco's verdict, or is refused where Falco refuses it."""
    cases = load_cases(shared)
    assert len(cases) > 300
    for case in cases:
        with subtests.test(case["id"], condition=case["condition"]):
            assert answer(case) == case["expect"], case.get("note", "")
