"""Loading: files and folders, order, appends, overrides, selection, limits, and the report."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from falcotrace.errors import RulesError
from falcotrace.rules.compile import OutputAddition
from falcotrace.rules.load import Ruleset, RulesText, load_rules
from falcotrace.rules.plan import Plan, Priority
from falcotrace.rules.report import report
from falcotrace.rules.select import Selection

RULE = """\
- rule: {name}
  desc: d
  condition: {condition}
  output: "%proc.name"
  priority: {priority}
  tags: [{tags}]
"""


def rule(
    name: str = "r", condition: str = "evt.type=open", priority: str = "INFO", tags: str = ""
) -> str:
    """The text of a rule."""
    return RULE.format(name=name, condition=condition, priority=priority, tags=tags)


def load(*texts: str) -> Ruleset:
    """Load texts one after another."""
    return load_rules([RulesText(text, f"f{number}") for number, text in enumerate(texts)])


def codes(ruleset: Ruleset) -> list[str]:
    """The codes of all errors and warnings."""
    return [item.code for item in (*ruleset.errors, *ruleset.warnings)]


def test_folders_are_read_in_order(tmp_path: Path) -> None:
    """A folder gives its .yaml and .yml files by name, nothing else and nothing deeper."""
    (tmp_path / "b.yml").write_text(rule("b"))
    (tmp_path / "a.yaml").write_text(rule("a"))
    (tmp_path / "c.txt").write_text(rule("c"))
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "d.yaml").write_text(rule("d"))
    assert [item.name for item in load_rules([tmp_path]).plan.rules] == ["a", "b"]


def test_other_names_are_refused_aloud(tmp_path: Path) -> None:
    """A file that Falco would pass over in silence is an error."""
    path = tmp_path / "rules.txt"
    path.write_text(rule())
    assert codes(load_rules([path])) == ["LOAD_ERR_FILE_READ"]
    assert codes(load_rules([tmp_path / "none.yaml"])) == ["LOAD_ERR_FILE_READ"]


def test_failed_rules_leave_no_plan() -> None:
    """Nothing of a rule set runs if any file fails, and the load stops there."""
    ruleset = load(rule("a"), rule("b", "evt.typ=open"), rule("c", "nonsense"))
    assert ruleset.plan == Plan(())
    assert len(ruleset.files) == 2
    assert ruleset.files[0].ok
    with pytest.raises(RulesError, match=r"unknown field `evt\.typ`") as caught:
        ruleset.raise_if_invalid()
    assert len(caught.value.diagnostics) == 1


def test_warnings_are_said_once() -> None:
    """Everything is compiled again after each file, but nobody is told twice."""
    ruleset = load("- list: idle\n  items: [a]\n", rule("a"), rule("b"))
    assert codes(ruleset) == ["LOAD_UNUSED_LIST"]
    assert [len(file.diagnostics) for file in ruleset.files] == [1, 1, 1]


def test_lasting_warnings() -> None:
    """What a later file uses is not called unused in the end; what nobody uses is."""
    ruleset = load(
        "- macro: m\n  condition: evt.type=open\n- list: idle\n  items: [a]\n", rule("a", "m")
    )
    assert codes(ruleset) == ["LOAD_UNUSED_MACRO", "LOAD_UNUSED_LIST"]
    assert [item.code for item in ruleset.lasting_warnings] == ["LOAD_UNUSED_LIST"]


def test_first_definition_fixes_the_place() -> None:
    """A rule redefined later keeps its index, and the new text counts."""
    ruleset = load(rule("a") + rule("b"), rule("a", "evt.type=close"))
    assert [(item.name, item.index) for item in ruleset.plan.rules] == [("a", 0), ("b", 1)]
    assert ruleset.plan.rules[0].event_names == frozenset({"close"})


def test_later_files_change_macros_of_earlier_ones() -> None:
    """Rules of the first file are compiled again with what the second file adds."""
    ruleset = load(
        "- macro: m\n  condition: evt.type=open\n" + rule("a", "m"),
        "- macro: m\n  condition: or evt.type=creat\n  override: {condition: append}\n",
    )
    assert ruleset.plan.rules[0].event_names == frozenset({"open", "creat"})
    assert ruleset.plan.rules[0].condition_text == "(evt.type = open or evt.type = creat)"


def test_rules_share_atoms() -> None:
    """Equal checks are one object across rules and files."""
    plan = load(rule("a", "evt.type=open and proc.name=x"), rule("b", "proc.name='x'")).plan
    assert len(plan.atoms) == 2
    assert plan.rules[0].condition.children[1] is plan.rules[1].condition  # type: ignore[union-attr]


def test_plan_of_a_rule() -> None:
    """Everything an engine or a report wants to know stands in the plan."""
    text = rule("R", "evt.type in (open, creat) and proc.name=val(proc.pname)", "WARNING", "b, a")
    text += "  capture: true\n  capture_duration: 0x10\n"
    text += "  exceptions: [{name: e, fields: proc.exe, values: [x, y z]}]\n"
    (planned,) = load(text).plan.rules
    assert planned.priority is Priority.WARNING
    assert planned.priority.title == "Warning"
    assert planned.tags == ("a", "b")
    assert planned.event_names == frozenset({"open", "creat"})
    assert planned.event_code_count == 4
    assert [field.text for field in planned.condition_fields] == [
        *("evt.type", "proc.name", "proc.pname", "proc.exe")
    ]
    assert [field.text for field in planned.output_fields] == ["proc.name"]
    assert (planned.capture, planned.capture_duration_ms) == (True, 16)
    assert planned.exceptions[0].fields == ("proc.exe",)
    assert planned.condition_text.endswith('and not proc.exe in (x, "y z"))')
    assert planned.span is not None
    assert planned.span.locate().line == 1


def test_minimum_priority() -> None:
    """Rules below the minimum are compiled, not run, and cannot be selected."""
    text = rule("low", priority="DEBUG") + rule("same", priority="NOTICE")
    sources = [RulesText(text)]
    ruleset = load_rules(sources, min_priority=Priority.NOTICE, selections=[Selection(True, "*")])
    assert [item.name for item in ruleset.plan.enabled] == ["same"]
    assert len(ruleset.plan.rules) == 2


@pytest.mark.parametrize(
    ("selections", "enabled"),
    [
        ([], ["Shell in a", "Open b"]),
        ([Selection(False, "*")], []),
        ([Selection(False, "*"), Selection(True, "Shell*")], ["Shell in a"]),
        ([Selection(False, tag="net")], ["Shell in a"]),
        ([Selection(False, "shell*")], ["Shell in a", "Open b"]),
        ([Selection(False, "S*in*a")], ["Open b"]),
        ([Selection(False, "Open .")], ["Shell in a", "Open b"]),
    ],
)
def test_selection(selections: list[Selection], enabled: list[str]) -> None:
    """Patterns know `*` and nothing else, tags are exact, and the last one wins."""
    text = rule("Shell in a", tags="disk") + rule("Open b", tags="net")
    plan = load_rules([RulesText(text)], selections=selections).plan
    assert [item.name for item in plan.enabled] == enabled


def test_additions_to_outputs() -> None:
    """The configuration's texts follow the rule's own, where they apply."""
    ruleset = load_rules(
        [RulesText(rule("a", tags="t") + rule("b"))],
        additions=[
            OutputAddition("x=%proc.exe", tags=frozenset({"t"})),
            OutputAddition("y", rule="b"),
        ],
        append_suggested=True,
    )
    first, second = (item.output.text for item in ruleset.plan.rules)
    assert first.startswith("%proc.name container_id=%container.id ")
    assert first.endswith(" x=%proc.exe")
    assert second.endswith(" y")


def test_missing_plugins() -> None:
    """A plugin that is not here is an error for use, and none for a check of the text."""
    text = "- required_plugin_versions: [{name: k8saudit, version: 0.7.0}]\n"
    assert codes(load(text)) == ["LOAD_ERR_VALIDATE"]
    assert load_rules([RulesText(text)], verify_plugins=False).ok
    known = "- required_plugin_versions: [{name: container, version: %s}]\n"
    assert load(known % "0.4.0").ok
    assert not load(known % "0.8.0").ok
    assert not load(known % "1.0.0").ok
    other = "{name: none, version: 1.0.0, alternatives: [{name: container, version: 0.4.0}]}"
    assert load(f"- required_plugin_versions: [{other}]\n").ok


def test_container_info_is_dropped() -> None:
    """The old token prints nothing and is told about."""
    text = rule().replace("%proc.name", "a %container.info b")
    ruleset = load(text)
    assert ruleset.plan.rules[0].output.text == "a  b"
    assert codes(ruleset) == ["LOAD_DEPRECATED_ITEM"]


def test_other_sources() -> None:
    """A rule of a source that nobody names is left out; of one that is named, compiled."""
    text = rule() + "  source: k8s_audit\n"
    assert codes(load(text)) == ["LOAD_UNKNOWN_SOURCE"]
    assert not load(text).plan.rules
    (planned,) = load_rules([RulesText(text)], extra_sources=["k8s_audit"]).plan.rules
    assert (planned.source, planned.event_names) == ("k8s_audit", None)


def test_report_is_plain_data() -> None:
    """The report is JSON as it stands, with places and chains."""
    ruleset = load(rule("a", "proc.name=x") + "  colour: red\n")
    told = json.loads(json.dumps(report(ruleset)))
    assert told["ok"] is True
    assert [item["code"] for item in told["warnings"]] == ["LOAD_UNKNOWN_KEY", "LOAD_NO_EVTTYPE"]
    assert told["warnings"][0]["at"] == ["rule:a"]
    assert (told["warnings"][0]["file"], told["warnings"][0]["line"]) == ("f0", 7)
    assert told["rules"][0]["condition"] == "proc.name = x"
    assert told["rules"][0]["event_types"] is None
    broken = report(load("- rule: a\n"))
    assert not broken["ok"]
    assert broken["rules"] == []
    assert broken["errors"][0]["column"] == 3


def _doubling_macros() -> str:
    lines = ["- macro: m0\n  condition: proc.name=a\n"]
    lines += [f"- macro: m{n}\n  condition: m{n - 1} and m{n - 1}\n" for n in range(1, 60)]
    return "".join(lines) + rule("r", "m59")


def _doubling_lists() -> str:
    lines = [f"- list: l{n}\n  items: [l{n - 1}, l{n - 1}]\n" for n in range(40, 0, -1)]
    return "".join(lines) + "- list: l0\n  items: [a]\n" + rule("r", "proc.name in (l40)")


def _aliases_of_aliases() -> str:
    head = "- list: l0\n  items: &x [" + "a," * 50_000 + "a]\n"
    return head + "".join(f"- list: l{n}\n  items: *x\n" for n in range(1, 50))


def _macros_through_macros() -> str:
    lines = ["- macro: m0\n  condition: proc.name=a\n"]
    lines += [
        f"- macro: m{n}\n  condition: not (evt.type=open and m{n - 1})\n" for n in range(1, 900)
    ]
    return "".join(lines)


@pytest.mark.parametrize(
    "make", [_doubling_macros, _doubling_lists, _aliases_of_aliases, _macros_through_macros]
)
def test_growth_is_bounded(make: object) -> None:
    """Rules that multiply themselves get one error, soon."""
    assert callable(make)
    started = time.process_time()
    ruleset = load(make())
    assert len(ruleset.errors) == 1
    assert time.process_time() - started < 20


def test_loading_imports_no_engine() -> None:
    """The front end starts quickly: neither columns nor SQL are imported for it."""
    code = "import sys, falcotrace.rules.load; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "pyarrow", "duckdb", "sqlglot", "typer", "rich"} & set(done.stdout.split())
