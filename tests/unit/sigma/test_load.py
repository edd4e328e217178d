"""Files: told apart by shape, loaded together, names, places, filters, correlations, bad input."""

import subprocess
import sys
from pathlib import Path

import pytest

import falcotrace as ft
from falcotrace.errors import RulesError
from falcotrace.rules.load import Ruleset, RulesText, load_rules
from falcotrace.rules.plan import Priority, RulePlan
from falcotrace.sigma.convert import Conversion, Ending
from falcotrace.sigma.load import convert_rules, load_any_rules, print_rules
from sigma_by_hand import sigma_text

FALCO = """\
- list: words
  items: [never]
- rule: Falco's
  desc: d
  condition: evt.type = openat and fd.name in (words)
  output: o
  priority: INFO
"""
IMAGE = "a: {Image: /a}, condition: a"
ID = "11111111-2222-3333-4444-555555555555"
OTHER_ID = "66666666-2222-3333-4444-555555555555"


def load(*texts: str) -> Ruleset:
    """Load texts one after another."""
    return load_any_rules([RulesText(text, f"f{number}") for number, text in enumerate(texts)])


def only(ruleset: Ruleset) -> RulePlan:
    """The one rule of a rule set."""
    ruleset.raise_if_invalid()
    (rule,) = ruleset.plan.rules
    return rule


def conversions(*texts: str) -> list[Conversion]:
    """What becomes of the rules of texts."""
    return list(convert_rules([RulesText(text) for text in texts]))


def reason(conversion: Conversion) -> str:
    """Why a rule does not run."""
    assert conversion.converted.ending is Ending.NOT_RUN
    return "; ".join(conversion.converted.reasons)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with rules of both languages, and folders below it."""
    (tmp_path / "b_falco.yaml").write_text(FALCO)
    (tmp_path / "a_sigma.yml").write_text(sigma_text(IMAGE, title="First"))
    below = tmp_path / "linux" / "process_creation"
    below.mkdir(parents=True)
    (below / "c.yml").write_text(sigma_text(IMAGE, title="Below"))
    (below / "falco.yaml").write_text(FALCO.replace("Falco's", "Not asked for"))
    (below / "notes.txt").write_text("nothing")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "d.yml").write_text(sigma_text(IMAGE, title="Hidden"))
    return tmp_path


def test_folders_hold_both(folder: Path) -> None:
    """Falco's files of a folder are its own, Sigma's also those below; hidden folders are not."""
    plan = ft.rules(folder)
    assert [rule.name for rule in plan.rules] == ["First", "Falco's", "Below"]


def test_broken_files_below_a_folder_are_told(folder: Path) -> None:
    """One of a thousand files that is no YAML spoils nothing, and is not passed over in silence."""
    broken = folder / "linux" / "broken.yml"
    broken.write_text(sigma_text(IMAGE).replace("}", ""))
    plan = ft.rules(folder)
    assert [rule.name for rule in plan.rules] == ["First", "Falco's", "Below"]
    (left_out,) = plan.left_out
    assert left_out.rule == str(broken)
    with pytest.raises(RulesError, match=r"broken\.yml:"):
        ft.rules(broken)


def test_bad_expressions_are_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    """RE2's own log stays quiet: what is wrong with a pattern is the rule's reason."""
    (found,) = conversions(sigma_text("a: {Image|re: '(a'}, condition: a"))
    assert "missing )" in reason(found)
    assert capfd.readouterr().err == ""


def test_single_files_and_texts(folder: Path) -> None:
    """A file of Sigma's rules goes wherever one of Falco's goes."""
    plan = ft.rules(folder / "a_sigma.yml", folder / "b_falco.yaml")
    assert [rule.name for rule in plan.rules] == ["First", "Falco's"]
    assert only(load(sigma_text(IMAGE))).name == "Test"
    flow = f"{{title: J, logsource: {{category: process_creation}}, detection: {{{IMAGE}}}}}"
    assert only(load(flow)).name == "J"


def test_files_of_falco_stay_as_they_are() -> None:
    """A rules file that is no YAML, or whose texts look like Sigma's keys, is not taken for one."""
    text = FALCO.replace("desc: d", "desc: |\n    detection: y")
    assert only(load(text)).name == "Falco's"
    (error,) = load("detection: [\n").errors
    assert error.code == "LOAD_ERR_YAML_PARSE"
    (error,) = load("title: somebody's pipeline\nsteps: []\n").errors
    assert error.code == "LOAD_ERR_YAML_VALIDATE"


def test_what_is_kept_of_a_rule() -> None:
    """Level, tags, id, status, author, references and the fields to show come along."""
    text = sigma_text(IMAGE, title="100% bad") + (
        f"id: {ID}\nstatus: test\nauthor: Somebody\nreferences: ['https://example.org/x']\n"
        "description: What it finds\nfalsepositives: [Ordinary work]\n"
        "fields: [LogonId, Nothing, User]\n"
        "tags: [attack.t1059.004, attack.defense-evasion, attack.g0020, cve.2021-44228, 'x.a, b']\n"
    )
    rule = only(load(text))
    assert rule.priority is Priority.ERROR
    assert {"T1059.004", "mitre_defense_evasion", "G0020", "cve.2021-44228", "x.a, b"} <= {
        *rule.tags
    }
    for part in ("What it finds", ID, "status: test", "Somebody", "example.org/x", "Ordinary work"):
        assert part in rule.description
    assert rule.output.text.startswith("100percent bad | ")
    assert rule.output.text.count("%user.uid") == rule.output.text.count("%user.name") == 1


@pytest.mark.parametrize(
    ("level", "priority"),
    [
        ("informational", Priority.INFORMATIONAL),
        ("low", Priority.NOTICE),
        ("medium", Priority.WARNING),
        ("critical", Priority.CRITICAL),
    ],
)
def test_levels_are_priorities(level: str, priority: Priority) -> None:
    """Each level has its priority; without one a rule is of medium level."""
    text = sigma_text(IMAGE)
    assert only(load(text.replace("high", level))).priority is priority
    assert only(load(text.replace("level: high\n", ""))).priority is Priority.WARNING


def test_rules_of_one_title_get_names_of_their_own() -> None:
    """Titles need not be unique in Sigma; names are, and the same rule twice is one."""
    first, second = (sigma_text(IMAGE) + f"id: {each}\n" for each in (ID, OTHER_ID))
    ruleset = load(first, second, first)
    assert [rule.name for rule in ruleset.plan.rules] == ["Test", "Test (66666666)"]
    (left_out,) = ruleset.plan.left_out
    assert left_out.reasons == ("a rule with its id came before",)


def test_no_rule_of_falco_is_replaced_unasked() -> None:
    """A title that is the name of a rule of Falco is an error, and points to Sigma's file."""
    (error,) = load(FALCO, sigma_text(IMAGE, title="Falco's")).errors
    assert "there is a rule `Falco's` already" in error.message
    assert error.span is not None
    assert str(error.span.locate()) == "f1:1:8"


def test_rules_of_falco_can_add_to_sigmas() -> None:
    """Exceptions and switches in Falco's form apply to converted rules."""
    added = (
        "- {rule: Test, exceptions: [{name: e, fields: proc.name, values: [words]}], "
        "override: {exceptions: append}}\n"
    )
    rule = load(sigma_text(IMAGE), FALCO, added).plan.rules[0]
    assert "not proc.name in (never)" in rule.condition_text
    assert rule.span is not None
    assert str(rule.span.locate()) == "f0:1:8"


def test_words_are_not_taken_for_lists() -> None:
    """A word of a command line that is the name of somebody's list stays that word."""
    text = sigma_text("a: {CommandLine|contains: 'a words b'}, condition: a")
    ruleset = load(FALCO, text)
    ruleset.raise_if_invalid()
    assert "a words b" in ruleset.plan.rules[1].condition_text


def test_rules_point_to_sigmas_file() -> None:
    """Each converted rule knows the file and the line of its title."""
    two = f"{sigma_text(IMAGE, title='One')}---\n{sigma_text(IMAGE, title='Two')}"
    ruleset = load(two, sigma_text(IMAGE, title="Three"))
    places = [str(rule.span.locate()) for rule in ruleset.plan.rules if rule.span]
    assert places == ["f0:1:8", "f0:6:8", "f1:1:8"]


def test_documents_with_actions() -> None:
    """What a `global` document says is in the rules behind it, until `reset`; `repeat` varies."""
    text = (
        "action: global\nlogsource: {product: linux, category: process_creation}\nlevel: low\n"
        f"---\ntitle: One\ndetection: {{{IMAGE}}}\n"
        "---\naction: repeat\ntitle: Two\ndetection: {a: {Image: /b}}\n"
        f"---\naction: reset\n---\ntitle: Three\ndetection: {{{IMAGE}}}\n"
    )
    one, two, three = conversions(text)
    assert [one.name, two.name, three.name] == ["One", "Two", "Three"]
    assert str(two.span.locate()) == "<rules>:9:8"
    assert "log source" in reason(three)
    assert [rule.priority for rule in load(text).plan.rules] == [Priority.NOTICE] * 2


def test_filters_reach_rules_of_other_files() -> None:
    """A filter excludes from the rules that it names, and from no others."""
    ruled = sigma_text(IMAGE) + f"id: {ID}\n"
    other = sigma_text(IMAGE, title="Other") + f"id: {OTHER_ID}\n"
    filtering = (
        "title: F\nlogsource: {product: linux, category: process_creation}\n"
        f"filter: {{rules: [{ID}], selection: {{User: me}}, condition: not selection}}\n"
    )
    one, two = load(ruled, other, filtering).plan.rules
    assert "not tolower(user.name) = me" in one.condition_text
    assert "user.name" not in two.condition_text


def test_correlations_do_not_run() -> None:
    """A correlation, and a rule that is only a part of one, end as not run with the reason."""
    base = sigma_text(IMAGE, title="Base") + "name: base\n"
    counted = (
        "title: Many\ncorrelation: {type: event_count, rules: [base], group-by: [User], "
        "timespan: 5m, condition: {gte: 3}}\n"
    )
    part, whole = conversions(f"{base}---\n{counted}")
    assert "part of the correlation `Many`" in reason(part)
    assert "counts events" in reason(whole)
    generating = counted.replace("rules: [base]", "rules: [base], generate: true")
    assert conversions(f"{base}---\n{generating}")[0].converted.ending is Ending.RUN


BAD = [
    ("title: T\nlogsource: {product: linux}\n", "detection"),
    (f"title: T\ndetection: {{{IMAGE}}}\n", "log source"),
    (sigma_text("a: {Image: /a}, condition: a and"), ""),
    (sigma_text("a: {Image: /a}, condition: b"), "'b'"),
    (sigma_text("a: {Image: /a}, condition: 1 of x*"), "x*"),
    (sigma_text("a: {}, condition: a"), ""),
    (sigma_text("a: {Image: {b: c}}, condition: a"), ""),
    (sigma_text("a: {Image: [[b]]}, condition: a"), ""),
    (sigma_text("a: 3, condition: a"), "words without a field"),
    (sigma_text("condition: a"), ""),
    (sigma_text(IMAGE).replace("level: high", "level: enormous"), "enormous"),
    (sigma_text(IMAGE) + "title: Again\n", "title"),
    (sigma_text(IMAGE) + "id: nonsense\n", "UUID"),
    (sigma_text(IMAGE) + "taxonomy: ecs\n", "ecs"),
    (sigma_text(f"a: {{Image: /a}}, condition: '{'not ' * 3000}a'"), ""),
    (sigma_text(IMAGE) + f"---\n{FALCO}", ""),
]


@pytest.mark.parametrize(("text", "said"), BAD)
def test_bad_rules_do_not_run(text: str, said: str) -> None:
    """A rule that cannot be read ends as not run with one line, and spoils no other."""
    good = sigma_text(IMAGE, title="Good")
    found = {each.name: each for each in conversions(text, good)}
    assert found.pop("Good").converted.ending is Ending.RUN
    reasons = [reason(each) for each in found.values() if each.converted.condition is None]
    assert reasons
    assert all(each and "\n" not in each for each in reasons)
    assert said in " ".join(reasons)


@pytest.mark.parametrize("nested", ["(" * 3000 + "a" + ")" * 3000, "not " * 3001 + "a"])
def test_deep_conditions_end_somehow(nested: str) -> None:
    """However deep a condition is, there is an ending and no traceback."""
    (found,) = conversions(sigma_text(f"a: {{Image: /a}}, condition: '{nested}'"))
    assert found.converted.condition is not None or reason(found)


def test_aliases_do_not_explode() -> None:
    """A document of aliases of aliases is refused and not expanded."""
    levels = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 12))
    (found,) = conversions(f"x0: &x0 [a, b]\n{levels}{sigma_text(IMAGE)}")
    assert reason(found)


def test_printed_rules_are_a_file_of_falcos(folder: Path) -> None:
    """What is printed of a folder loads by itself, to the same rules."""
    printed = load_rules([RulesText(print_rules(convert_rules([folder])))])
    printed.raise_if_invalid()
    direct = [rule for rule in ft.rules(folder).rules if rule.name != "Falco's"]
    assert [rule.condition for rule in printed.plan.rules] == [rule.condition for rule in direct]
    assert [rule.output for rule in load_any_rules([folder / "a_sigma.yml"]).plan.rules] == [
        printed.plan.rules[0].output
    ]


def test_strange_texts_are_printed() -> None:
    """Titles and values with anything in them are printed as YAML that says the same."""
    title = "a: #b 'c' \"d\" \\ [é] \N{SNOWMAN} - &x *y %"
    value = 'a:\t#b \\\' "c" \\x \n \x01 é \U0001f600 - {}'
    quoted = "".join(f"\\U{ord(char):08x}" for char in value)
    text = sigma_text(f'a: {{CommandLine|contains: "{quoted}"}}, condition: a', title="T")
    text = text.replace("title: T", 'title: "' + "".join(f"\\U{ord(c):08x}" for c in title) + '"')
    direct = only(load(text))
    assert direct.name == title
    printed = load_rules([RulesText(print_rules(conversions(text)))])
    assert printed.plan.rules == load_any_rules([RulesText(text)]).plan.rules


def test_unreadable_files_are_errors(tmp_path: Path) -> None:
    """A file that is missing or named otherwise is what it was without Sigma."""
    with pytest.raises(RulesError, match="cannot read"):
        ft.rules(tmp_path / "missing.yml")
    (tmp_path / "rule.txt").write_text(sigma_text(IMAGE))
    with pytest.raises(RulesError, match="must end in"):
        ft.rules(tmp_path / "rule.txt")


def test_pysigma_waits_until_it_is_needed() -> None:
    """Loading rules of Falco imports nothing of pySigma."""
    code = (
        "import sys, falcotrace as ft; ft.rules(); print([m for m in sys.modules if m == 'sigma'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
