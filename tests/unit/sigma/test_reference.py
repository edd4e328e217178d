"""The README's table of Sigma's fields is the code's, and the tables name what there is."""

import re
from pathlib import Path

import pytest

from falcotrace.events.fields import FIELDS
from falcotrace.rules.load import RulesText, load_rules, parse_formula
from falcotrace.rules.plan import iter_atoms
from falcotrace.sigma.forms import Choice, LogSource, View
from falcotrace.sigma.reference import support_markdown
from falcotrace.sigma.taxonomy import LOG_SOURCES

README = Path(__file__).parents[3] / "README.md"
VIEWS = [view for source in LOG_SOURCES.values() for view in source.views]


def test_the_readme_has_the_table() -> None:
    """Made by `python -m falcotrace.sigma.reference`."""
    command = "<!-- Made by `python -m falcotrace.sigma.reference`; a test compares. -->\n"
    _, _, rest = README.read_text().partition(command)
    assert rest.partition("<!-- end -->")[0] == support_markdown()


@pytest.mark.parametrize("view", VIEWS)
def test_conditions_of_the_tables_are_falcos(view: View) -> None:
    """Every condition in the tables is one, and asks about few events."""
    choices = [form for form in view.fields.values() if isinstance(form, Choice)]
    texts = [text for form in choices for text in form.conditions.values()]
    for text in filter(None, (view.events, *texts)):
        assert list(iter_atoms(parse_formula(text)))


def test_fields_of_the_tables_are_falcos() -> None:
    """Every field that the README's table names is known."""
    named = set(re.findall(r"`((?:proc|fd|fs|evt|user|group)\.[a-z._0-9]+)", support_markdown()))
    assert named
    assert named <= FIELDS.keys()


@pytest.mark.parametrize("source", LOG_SOURCES.values(), ids=map(str, LOG_SOURCES))
def test_outputs_are_templates(source: LogSource) -> None:
    """What an alert shows is a template of fields that exist."""
    keys = "rule: r, desc: d, condition: evt.type=open, priority: INFO"
    text = f"- {{{keys}, output: '{source.output}'}}"
    ruleset = load_rules([RulesText(text)])
    ruleset.raise_if_invalid()
    (rule,) = ruleset.plan.rules
    assert len(rule.output_fields) == source.output.count("%")
