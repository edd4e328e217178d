"""Every reference case against the rules front end; expectations come from Falco's own engine."""

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from falcotrace.events.event_types import EVENT_TYPES
from spec_cases.cases import Case, differences, event_codes, failing_stage, rendered


@functools.cache
def _all_cases() -> Mapping[str, Sequence[Case]]:
    beside = Path(__file__).resolve().parents[3] / "shared"
    path = Path(os.environ.get("FALCOTRACE_SHARED", beside)) / "spec" / "TEST_CASES.yaml"
    if not path.is_file():
        return {}
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def _cases(kind: str) -> list[Any]:
    cases = _all_cases().get(kind, ())
    return [pytest.param(case, id=f"{kind}-{case['id']}") for case in cases]


def test_cases_are_there() -> None:
    """The reference cases were found; without them nothing below has run."""
    if not _all_cases():
        if os.environ.get("CI") == "true":
            pytest.fail("no shared/spec/TEST_CASES.yaml beside the repository")
        pytest.skip("no shared/spec/TEST_CASES.yaml beside the repository")
    assert {kind: bool(cases) for kind, cases in _all_cases().items()} == dict.fromkeys(
        ("loader_cases", "condition_cases", "output_cases", "event_set_cases"), True
    )


@pytest.mark.parametrize("case", _cases("loader_cases"))
def test_loader_case(case: Case) -> None:
    """Verdict, codes, chains, warnings and resulting rules are Falco's."""
    assert differences(case) == []


@pytest.mark.parametrize("case", _cases("condition_cases"))
def test_condition_case(case: Case) -> None:
    """A condition is refused exactly where Falco refuses it, and in the same stage."""
    expected = case["stage"] if case["expect"] == "error" else None
    assert failing_stage(case["condition"]) == expected


@pytest.mark.parametrize("case", _cases("output_cases"))
def test_output_case(case: Case) -> None:
    """A template prints what Falco prints."""
    assert rendered(case) == case["expect"]


@pytest.mark.parametrize("case", _cases("event_set_cases"))
def test_event_set_case(case: Case) -> None:
    """A condition is tried on exactly the event codes that Falco tries it on."""
    found = event_codes(case["condition"])
    if case.get("expect") == "error":
        assert found is None
        return
    assert found is not None
    wanted = case["event_codes"]
    assert found[0] == (len(EVENT_TYPES) if wanted == "all" else wanted)
    if "events" in case:
        assert found[1] == frozenset(case["events"])
