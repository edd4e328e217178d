"""Tree to formula: which operators fit which operands, sharing, and hints."""

import pytest

from falcotrace.errors import RulesError
from falcotrace.events.fields import FIELDS
from falcotrace.events.operators import OPERATOR_RULES, Multiplicity, Operator, is_allowed, kind_of
from falcotrace.rules.check import Checker, unsafe_na_checks
from falcotrace.rules.faults import Fault
from falcotrace.rules.load import parse_formula
from falcotrace.rules.parser import parse_condition
from falcotrace.rules.plan import AllOf, AnyOf, Atom, NotOf, fold_formula, iter_atoms
from falcotrace.rules.source import TextSource


def fault(text: str) -> Fault:
    """The fault of a condition that must not pass."""
    with pytest.raises(Fault) as caught:
        Checker().check(parse_condition(TextSource("t", text)))
    return caught.value


def hints(text: str) -> list[str]:
    """What the author of a condition is told."""
    return [hint.message for hint in Checker().check(parse_condition(TextSource("t", text)))[1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("proc.pid contains 3", "`contains` does not apply to `proc.pid`, which is a number"),
        ("proc.name bcontains 41", "does not apply"),
        ("fd.sip < 5", "does not apply"),
        ("fd.types = file", "which is a list"),
        ("evt.buffer glob a", "does not apply"),
        ("proc.is_exe_writable = 1", "expected `true` or `false`"),
        ("tolower(proc.pid) = 1", "`tolower` does not take `proc.pid`"),
        ("tolower(proc.aname) = a", "cannot stand in a function"),
        ("toupper(evt.type) = OPEN", "`evt.type` cannot stand in a function"),
        ("evt.type = val(evt.type)", "cannot be compared with a field"),
        ("proc.aname = val(proc.name)", "cannot be compared with a field"),
        ("proc.name = val(proc.aname)", "cannot be compared with a field"),
        ("proc.pid = val(proc.name)", "differ in type"),
        ("proc.pid = val(user.uid)", "differ in type"),
        ("proc.name regex val(proc.exe)", "needs a constant"),
        ("evt.around[5] > 3", "supports only `=`"),
        ("concat(proc.name) = a", "two or more"),
        ('join("-", proc.name) = a', "needs a list"),
        ("len(proc.pid) = 1", "does not take"),
        ("len(proc.name, proc.exe) = 1", "takes 1 argument, not 2"),
        ("getopt(proc.args, proc.name) in (a)", "quoted text"),
        ("evt.type startswith opne", "unknown event type"),
        ('proc.name regex "(a"', "regular expression"),
    ],
)
def test_refused(text: str, message: str) -> None:
    """What has no meaning is refused with the reason."""
    assert message in fault(text).message


@pytest.mark.parametrize(
    "text",
    [
        "proc.name in (a) and fd.types intersects (file)",
        "tolower(fd.types) in (file)",
        "len(fd.types) > 2",
        "proc.name = val(proc.pname) and proc.pid != val(proc.ppid)",
        "proc.name contains tolower(proc.exe)",
        'getopt(proc.args, "ab:") intersects (a) and getopt(proc.args, "ab:")[b] = x',
        "evt.rawarg.uid = 0 and evt.rawarg.path startswith /etc",
        "proc.name < 5",
        "evt.around[1700000000000000000] = 100",
    ],
)
def test_accepted(text: str) -> None:
    """What Falco takes is taken."""
    assert list(iter_atoms(parse_formula(text)))


def test_equal_checks_are_one_object() -> None:
    """Engines may keep results by atom: equal checks of different rules are the same atom."""
    checker = Checker()
    first, _ = checker.check(parse_condition(TextSource("a", "proc.name=a and proc.pid=1")))
    second, _ = checker.check(parse_condition(TextSource("b", "proc.pid = 1 or proc.name == 'a'")))
    assert isinstance(first, AllOf)
    assert isinstance(second, AnyOf)
    assert first.children[0] is second.children[1]
    assert first.children[1] is second.children[0]


def test_formulas_are_flat() -> None:
    """Nested groups of one kind and double negations are gone."""
    formula = parse_formula("proc.pid=1 and (proc.pid=2 and not (not proc.pid=3))")
    assert isinstance(formula, AllOf)
    assert all(isinstance(child, Atom) for child in formula.children)
    negated = parse_formula("not proc.pid=1")
    assert isinstance(negated, NotOf)


def test_deep_formulas_need_no_recursion() -> None:
    """Nine hundred alternating levels are hashed, compared and folded."""
    text = "proc.pid=1"
    for _ in range(450):
        text = f"not (proc.pid=2 and {text})"
    formula = parse_formula(text)
    depth = fold_formula(
        formula,
        atom=lambda _: 0,
        all_of=lambda parts: 1 + max(parts),
        any_of=lambda parts: 1 + max(parts),
        not_of=lambda part: 1 + part,
    )
    assert depth == 900
    assert len(list(iter_atoms(formula))) == 451
    assert hash(formula) == hash(parse_formula(text))


def test_hints() -> None:
    """Texts that read like something else are pointed out, once for each check."""
    assert hints('fd.name regex "/etc/passwd"') == [
        "this regular expression has no special characters"
    ]
    assert hints("proc.name = proc.pname") == [
        "`proc.pname` is the name of a field, but only a text here"
    ]
    assert hints('proc.name = "tolower(proc.exe)"')[0].startswith("`tolower(proc.exe)` looks like")
    assert hints("evt.dir = <") == ["field `evt.dir` is deprecated"]
    assert hints('fd.name regex "/etc/.*" and proc.name = a.b and proc.name = <NA>') == []


def test_unsafe_comparisons_with_na() -> None:
    """Only fields of the plugins that yield no `<NA>` are told about."""
    tree = parse_condition(TextSource("t", "ka.verb in (get, <NA>) or proc.name = <NA>"))
    assert [span.text for span in unsafe_na_checks(tree)] == ["ka.verb in (get, <NA>)"]


def test_operator_table_is_complete() -> None:
    """Every operator has its sentence and some kind of value, and every field has a kind."""
    assert set(OPERATOR_RULES) == set(Operator)
    assert all(rule.meaning and rule.kinds for rule in OPERATOR_RULES.values())
    assert all(kind_of(field.type) for field in FIELDS.values())
    lists = {
        op for op in Operator if is_allowed(op, kind_of(FIELDS["fd.types"].type), Multiplicity.LIST)
    }
    assert lists == {Operator.EXISTS, Operator.IN, Operator.INTERSECTS}


def test_conditions_alone_raise() -> None:
    """A condition outside of any file is refused by an exception with the same message."""
    with pytest.raises(RulesError, match=r"unknown field `proc\.nam`"):
        parse_formula("proc.nam = a")
    with pytest.raises(RulesError, match="macro `m` is not defined"):
        parse_formula("m")
