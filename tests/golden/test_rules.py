"""Golden files of the rules front end: what conditions become, and what authors are told.

Each YAML document is one case; the keys below `title` and the input are what the stages make of it.
With FALCOTRACE_UPDATE_GOLDEN=1 in the environment the expectations are written anew: read the diff.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from falcotrace.errors import render_diagnostic
from falcotrace.rules.check import Checker
from falcotrace.rules.event_set import find_events
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.parser import parse_condition
from falcotrace.rules.plan import Atom, FieldOperand, Formula, fold_formula
from falcotrace.rules.printer import print_condition
from falcotrace.rules.source import TextSource

HERE = Path(__file__).parent
UPDATES = os.environ.get("FALCOTRACE_UPDATE_GOLDEN") == "1"
MANY_NAMES = 20


def _describe_atom(atom: Atom) -> str:
    left = atom.left
    marks = "" if left.multiplicity == "single" else f" ({left.multiplicity})"
    kind = left.field.name if isinstance(left, FieldOperand) else left.function
    argument = f"[{left.argument!r}]" if left.argument is not None else ""
    operator = f"{atom.operator} {atom.quantifier}" if atom.quantifier else atom.operator
    right = f"{atom.right.text}" if atom.right else ", ".join(map(repr, atom.values))
    return f"{kind}{argument}{marks} {operator} {right}".rstrip()


def _describe(formula: Formula) -> object:
    def atom(leaf: Atom) -> object:
        return _describe_atom(leaf)

    def all_of(parts: list[object]) -> object:
        return {"all": parts}

    def any_of(parts: list[object]) -> object:
        return {"any": parts}

    def not_of(part: object) -> object:
        return {"not": part}

    return fold_formula(formula, atom, all_of, any_of, not_of)


def run_condition(case: Mapping[str, Any]) -> dict[str, object]:
    """Run one condition through parser, printer, checker and event set."""
    tree = parse_condition(TextSource("case", case["in"]))
    formula = Checker().check(tree)[0]
    events = find_events(formula)
    names = None if events.names is None else sorted(events.names)
    if names is not None and len(names) > MANY_NAMES:
        names = [f"{len(names)} names"]
    return {"canonical": print_condition(tree), "formula": _describe(formula), "events": names}


def run_diagnostics(case: Mapping[str, Any]) -> dict[str, object]:
    """Load rules and draw everything there is to say about them."""
    ruleset = load_rules([RulesText(case["rules"], "rules.yaml")])
    drawn = [render_diagnostic(item) for item in (*ruleset.errors, *ruleset.warnings)]
    return {"drawn": "\n\n".join(drawn) + "\n"}


RUNNERS = {"conditions": run_condition, "diagnostics": run_diagnostics}


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text and "\t" not in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _files() -> list[Path]:
    return [path for stage in RUNNERS for path in sorted((HERE / stage).glob("*.yaml"))]


@pytest.mark.parametrize("path", _files(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_golden(path: Path) -> None:
    """Each stage makes of the inputs what is written in the golden file."""
    cases = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    run = RUNNERS[path.parent.name]
    found = [
        {**{k: case[k] for k in ("title", "in", "rules") if k in case}, **run(case)}
        for case in cases
    ]
    if UPDATES:
        text = yaml.dump_all(found, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
        path.write_text(text, encoding="utf-8")
    assert found == cases or UPDATES
    titles = [case["title"] for case in cases]
    assert len(titles) == len(set(titles))
