"""Golden files of explanations: the tree that people read, for events that lack something.

Each YAML document is one case: rules, events as columns of a capture, what its footer says, and the
text of `falcotrace explain` for one of them (or of the nearest misses). With
FALCOTRACE_UPDATE_GOLDEN=1 in the environment the expectations are written anew: read the diff.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from falcotrace.capture.footer import Footer
from falcotrace.explain.event import explain_event
from falcotrace.explain.misses import find_misses
from falcotrace.outputs.explanation import answer_notes, event_text
from falcotrace.outputs.misses import misses_text
from falcotrace.rules.load import RulesText, load_rules
from small_captures import write_capture

FILE = Path(__file__).parent / "explain" / "trees.yaml"
UPDATES = os.environ.get("FALCOTRACE_UPDATE_GOLDEN") == "1"


def read_cases() -> list[dict[str, Any]]:
    """All cases."""
    return [case for case in yaml.safe_load_all(FILE.read_text()) if case]


def run(case: Mapping[str, Any], folder: Path) -> str:
    """What is printed for a case, notes at the end."""
    ruleset = load_rules([RulesText(case["rules"])])
    ruleset.raise_if_invalid()
    rule = ruleset.plan.rules[-1]
    footer = msgspec.convert(case.get("footer", {}), Footer)
    with write_capture(folder / "c.parquet", [case["events"]], footer) as capture:
        if "event" not in case:
            misses = find_misses(capture, rule)
            return "\n".join((*misses_text(misses), *answer_notes(misses))) + "\n"
        explained = explain_event(capture, rule, case["event"])
        lines = event_text(explained, shows_all=bool(case.get("all")))
        notes = [f"note: {note}" for note in answer_notes(explained)]
        return "\n".join((*lines, *notes)) + "\n"


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case["title"])
def test_explanations_read_as_shown(case: dict[str, Any], tmp_path: Path) -> None:
    """Names, values, truths, doubts and marks stand where a reader expects them."""
    shown = run(case, tmp_path)
    if UPDATES:
        write_expectation(case["title"], shown)
    else:
        assert shown == case["shown"]


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks."""


_Dumper.add_representer(str, _represent)


def write_expectation(title: str, shown: str) -> None:
    """Write what is printed now for one case."""
    cases = read_cases()
    for case in cases:
        if case["title"] == title:
            case["shown"] = shown
    text = yaml.dump_all(
        cases, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True, explicit_start=True
    )
    FILE.write_text(text)
