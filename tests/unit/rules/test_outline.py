"""The outline of a condition: the plan's atoms in place, under the names that authors gave."""

import dataclasses
from pathlib import Path

import pytest

from falcotrace.rules.load import RulesText, load_rules, parse_formula
from falcotrace.rules.outline import Outline, PartKind, outline_formula, outline_rule
from falcotrace.rules.plan import AllOf, AnyOf, Formula, NotOf, RulePlan, iter_atoms

RULES = """
- list: shells
  items: [ash, bash, csh, dash, zsh]
- list: editors
  items: [vi, emacs]
- macro: started
  condition: evt.type in (execve, execveat) and evt.rawres >= 0
- macro: spawned
  condition: started
- macro: trusted
  condition: proc.pname in (shells, make)
- rule: Shell
  desc: d
  condition: spawned and (proc.name in (shells, editors, nano) or not trusted)
  exceptions:
    - name: known_user
      fields: [user.name, proc.name]
      comps: [=, in]
      values:
        - [root, [shells]]
    - name: without_values
      fields: [user.uid]
    - name: known_parents
      fields: proc.pname
      values: [cron, systemd]
  output: o
  priority: INFO
"""


def rule_of(text: str) -> RulePlan:
    """The only rule of a text."""
    ruleset = load_rules([RulesText(text)])
    ruleset.raise_if_invalid()
    (rule,) = ruleset.plan.rules
    return rule


def flat_formula(outline: Outline) -> Formula:
    """The formula of an outline, flattened as plans are."""
    done: dict[int, Formula] = {}
    for place in reversed(range(len(outline.parts))):
        part = outline.parts[place]
        children = [done[child] for child in part.children]
        if part.atom is not None:
            done[place] = part.atom
        elif part.kind is PartKind.NOT:
            (child,) = children
            done[place] = child.child if isinstance(child, NotOf) else NotOf(child)
        else:
            kind = AllOf if part.kind is PartKind.ALL else AnyOf
            flat: list[Formula] = []
            for child in children:
                flat += child.children if isinstance(child, kind) else [child]
            done[place] = kind(tuple(flat))
    return done[0]


def test_names_stand_where_they_were_written() -> None:
    """Macros, macros of macros, lists and exceptions have their names, in the order written."""
    outline = outline_rule(rule_of(RULES))
    named = [
        ([(name.name, name.kind) for name in part.names], part.kind.value, part.text)
        for part in outline.parts
        if part.names
    ]
    assert named == [
        ([("spawned", "macro"), ("started", "macro")], "all", ""),
        ([("trusted", "macro")], "leaf", "proc.pname in (shells: ash, bash, csh, 2 more, make)"),
        ([("known_user", "exception")], "all", ""),
        ([("known_parents", "exception")], "leaf", "proc.pname in (cron, systemd)"),
    ]
    texts = [part.text for part in outline.parts if part.lists]
    assert texts[0] == "proc.name in (shells (5), editors (2), nano)"
    (use, *_) = [use for part in outline.parts for use in part.lists if use.name == "editors"]
    assert use.item_count == 2


def test_negation_is_counted_from_the_root() -> None:
    """A leaf knows whether a match needs it false."""
    outline = outline_formula(parse_formula("not (proc.name=a or not proc.name=b)"))
    assert [outline.parts[place].is_negated for place in outline.leaves] == [True, False]


def test_leaves_are_the_atoms_of_the_plan(shared: Path) -> None:
    """Of every official and shipped rule the outline is the plan's formula, name by name."""
    folders = [shared / "falco-rules", Path(__file__).parents[3] / "rules"]
    plans = [load_rules(sorted(folder.glob("*.yaml"))).plan for folder in folders]
    rules = [rule for plan in plans for rule in plan.rules]
    assert len(rules) > 80
    for rule in (*rules, rule_of(RULES)):
        assert flat_formula(outline_rule(rule)) == rule.condition, rule.name
        without = outline_rule(dataclasses.replace(rule, written=None))
        assert flat_formula(without) == rule.condition
        assert [without.parts[place].atom for place in without.leaves] == [
            *iter_atoms(rule.condition)
        ]


def test_exceptions_of_a_condition_that_closes_its_group() -> None:
    """Text assembled against its grain still gives the plan's formula, if not the names."""
    text = RULES.replace("condition: spawned and", "condition: evt.type = open) or (spawned and")
    rule = rule_of(text)
    outline = outline_rule(rule)
    assert flat_formula(outline) == rule.condition
    assert all(name.kind == "macro" for part in outline.parts for name in part.names)


def test_deep_conditions_do_not_recurse() -> None:
    """A thousand levels, and a chain of macros, need no more stack than one."""
    condition = "(" * 300 + "evt.type=open" + ") and not user.uid=0 or user.uid=1" * 300
    macros = "".join(
        f"- macro: m{at}\n  condition: not {f'm{at - 1}' if at else 'evt.type=open'}\n"
        for at in range(150)
    )
    rule = rule_of(
        f"{macros}- rule: deep\n  desc: d\n  condition: {condition} and m149\n  output: o\n"
        "  priority: INFO\n"
    )
    outline = outline_rule(rule)
    atoms = [outline.parts[place].atom for place in outline.leaves]
    # Formulas as deep as this cannot be compared without recursion.
    assert atoms == [*iter_atoms(rule.condition)]
    assert sum(bool(part.names) for part in outline.parts) == 150


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ('proc.cmdline contains "a b"', 'proc.cmdline contains "a b"'),
        ("proc.name = val(proc.pname)", "proc.name = val(proc.pname)"),
        (
            "tolower(proc.name) startswith anyof (a, b)",
            "tolower(proc.name) startswith anyof (a, b)",
        ),
        ("proc.name exists", "proc.name exists"),
        (f"proc.name = {'x' * 100}", f"proc.name = {'x' * 60}..."),
        (
            f"proc.name in ({', '.join(map(str, range(100, 120)))})",
            "proc.name in (100, 101, 102, 103, 104, 105, 106, 107, 108, 11 more)",
        ),
    ],
)
def test_checks_are_shown_as_written(condition: str, text: str) -> None:
    """Quotes, functions, quantifiers; long values and lists are cut, and say so."""
    rule = rule_of(
        f"- rule: r\n  desc: d\n  condition: >\n    evt.type=open and {condition}\n"
        "  output: o\n  priority: INFO\n"
    )
    assert outline_rule(rule).parts[-1].text == text
