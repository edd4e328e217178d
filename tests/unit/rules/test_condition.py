"""Conditions by themselves: macros and lists of rules files, places in messages, columns."""

from pathlib import Path

import pytest

from falcotrace.errors import RulesError
from falcotrace.rules.condition import default_columns, load_columns, load_condition
from falcotrace.rules.load import RulesText, load_definitions, load_rules

DEFINITIONS = RulesText(
    "- {list: editors, items: [vi, emacs]}\n"
    "- {list: more, items: [editors, nano]}\n"
    "- {macro: opens, condition: evt.type=openat}\n"
    "- {macro: edits, condition: proc.name in (more) and opens}\n"
)


def test_macros_and_lists_of_files_can_be_named() -> None:
    """A condition sees every definition of all files, the last one of each."""
    rules = RulesText("- {macro: opens, condition: 'evt.type in (open, openat)'}\n", "later.yaml")
    rule = load_condition("edits and fd.name=/etc/motd", [DEFINITIONS, rules])
    text = "((proc.name in (vi, emacs, nano) and evt.type in (open, openat)) and fd.name = "
    assert rule.condition_text.startswith(text)
    assert rule.event_names == frozenset({"open", "openat"})


def test_a_condition_means_what_a_rule_with_it_means() -> None:
    """The formula and its events are those of a rule in a file with the same definitions."""
    text = "edits or not (proc.name=x and user.uid>0)"
    one = "- {rule: r, desc: d, condition: '%s', output: o, priority: INFO}\n" % text  # noqa: UP031
    ruleset = load_rules([DEFINITIONS, RulesText(one)])
    ruleset.raise_if_invalid()
    (rule,) = ruleset.plan.rules
    alone = load_condition(text, [DEFINITIONS])
    assert alone.condition == rule.condition
    assert alone.event_names == rule.event_names
    assert alone.condition_fields == rule.condition_fields


def test_rules_in_the_files_do_not_matter() -> None:
    """A file whose rules cannot run still lends its macros."""
    broken = RulesText("- {rule: r, desc: d, condition: no.such=1, output: o, priority: INFO}\n")
    assert load_condition("opens", [DEFINITIONS, broken]).event_names == frozenset({"openat"})


def test_errors_in_definitions_name_their_file(tmp_path: Path) -> None:
    """What is wrong in a file is told with the file's place, not the condition's."""
    path = tmp_path / "m.yaml"
    path.write_text("- macro: bad\n  condition: proc.name =\n")
    with pytest.raises(RulesError, match=r"m\.yaml:2:"):
        load_condition("bad", [path])
    path.write_text("- macro: [")
    with pytest.raises(RulesError, match=r"m\.yaml"):
        load_definitions([path])


@pytest.mark.parametrize(
    ("text", "place", "word"),
    [
        ("", "1:1", "found the end"),
        ("   ", "1:4", "found the end"),
        ("proc.name", "1:1", "needs an operator"),
        ("proc.name=a\nand proc.nme=b", "2:5", "did you mean `proc.name`"),
        ("edit", "1:1", "did you mean `edits`"),
        ("(proc.name=a", "1:1", "never closed"),
        ("evt.type=opn", "1:10", "unknown event type"),
        ("proc.pid=a", "1:10", ""),
    ],
)
def test_errors_point_into_the_condition(text: str, place: str, word: str) -> None:
    """Whatever is wrong has a line, a column and a caret under the text."""
    with pytest.raises(RulesError) as caught:
        load_condition(text, [DEFINITIONS])
    message = str(caught.value)
    assert f"--> <condition>:{place}\n" in message
    assert "^" in message.splitlines()[3]
    assert word in message


def test_columns_are_fields_and_functions_of_fields() -> None:
    """Commas inside functions and brackets are theirs; what repeats counts once."""
    columns = load_columns(
        ' evt.arg.flags,proc.aname[2] , concat(proc.name, "a,b", fd.name), evt.arg.flags'
    )
    assert [column.text for column in columns] == [
        *("evt.arg.flags", "proc.aname[2]", 'concat(proc.name, "a,b", fd.name)'),
    ]
    assert load_columns(["proc.name", "fd.name,evt.type"]) == load_columns(
        "proc.name,fd.name,evt.type"
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "1:1"),
        ("proc.name,", "1:11"),
        ("proc.name fd.name", "1:11"),
        ("proc.name,proc.nme", "1:11"),
        ("evt.around[1]", "1:1"),
        ("fd.ip", "1:1"),
        ("tolower(evt.num)", "1:9"),
        ("evt.arg", "1:1"),
    ],
)
def test_errors_point_into_the_columns(text: str, place: str) -> None:
    """What cannot be shown is told with its place."""
    with pytest.raises(RulesError, match=rf"<columns>:{place}\n"):
        load_columns(text)


def test_default_columns_fit_the_question() -> None:
    """Executions show command lines, opens their file; what was asked is there, macros' parts not.

    All arguments of a process's beginning are never shown unasked: they fill a page.
    """

    def shown(text: str) -> list[str]:
        rule = load_condition(text, [DEFINITIONS])
        return [column.text for column in default_columns(rule, text)][5:]

    assert shown("evt.type=execve and proc.cwd=/tmp")[0] == "proc.cwd"
    assert "proc.cmdline" in shown("evt.type=execve")
    assert shown("opens") == ["fd.name", "evt.arg.flags", "evt.res"]
    assert "evt.args" in shown("evt.type=kill")
    assert "evt.args" not in shown("user.uid=0") + shown("evt.type in (kill, clone)")
    assert "fd.ip" not in shown("fd.ip=10.0.0.1")
