"""What is decided of a value that was cut: never anything that the rest of it could change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcotrace.evaluate import evaluate
from falcotrace.events.text import to_text
from falcotrace.explain.decide import Remnant, decide
from falcotrace.rules.load import parse_formula
from falcotrace.rules.plan import Atom
from falcotrace.rules.printer import print_value

TEXT_OPERATORS = (
    *("=", "!=", "contains", "icontains", "startswith", "endswith", "glob", "iglob", "pmatch"),
    *("in", "intersects", "<", "<=", ">", ">="),
)
BYTE_OPERATORS = ("=", "!=", "contains", "startswith", "endswith")
NUMBER_OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in")

raw = st.lists(
    st.sampled_from(
        [b"a", b"b", b"/", b"A", b"*", b"?", b"\xe2\x82\xac", b"\xe2", b"\x82", b"\xff"]
    )
).map(b"".join)


def atom_of(condition: str) -> Atom:
    """A condition of one check."""
    formula = parse_formula(condition)
    assert isinstance(formula, Atom)
    return formula


@st.composite
def text_conditions(draw: st.DrawFn, field: str, operators: tuple[str, ...]) -> str:
    """One check of a field, with literals that often fit."""
    operator = draw(st.sampled_from(operators))
    values = draw(st.lists(raw, min_size=1, max_size=3))
    if operator in {"<", "<=", ">", ">="}:
        return f"{field} {operator} {draw(st.integers(0, 99))}"
    texts = [print_value(to_text(value)) for value in values]
    if operator in {"in", "intersects", "pmatch"}:
        return f"{field} {operator} ({', '.join(texts)})"
    if draw(st.booleans()):
        quantifier = draw(st.sampled_from(["anyof", "allof", "oneof"]))
        return f"{field} {operator} {quantifier} ({', '.join(texts)})"
    return f"{field} {operator} {texts[0]}"


@given(text_conditions("proc.cmdline", TEXT_OPERATORS), raw, raw)
def test_a_decided_text_stays_so(condition: str, known: bytes, rest: bytes) -> None:
    """Whatever follows or precedes what is known of a text, the engine gives the same answer."""
    check_decided(condition, "proc.cmdline", known, rest)


@given(text_conditions("evt.buffer", BYTE_OPERATORS), raw, raw)
def test_decided_bytes_stay_so(condition: str, known: bytes, rest: bytes) -> None:
    """The same for bytes, which compare one by one."""
    check_decided(condition, "evt.buffer", known, rest)


def check_decided(condition: str, field: str, known: bytes, rest: bytes) -> None:
    """Compare with the engine for the part itself and for whole values with that part."""
    part = known if field == "evt.buffer" else to_text(known)
    for remnant, whole in (
        (Remnant.BEGINNING, known + rest),
        (Remnant.END, rest + known),
        (Remnant.UNKNOWN, rest),
    ):
        decided = decide(atom_of(condition), remnant, part)
        for value in (known, whole):
            if decided is not None:
                assert [decided] == evaluate(condition, [{field: value}]), (remnant, value)


@given(
    st.sampled_from(NUMBER_OPERATORS),
    st.lists(st.integers(0, 5), min_size=1, max_size=3),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_a_decided_count_stays_so(
    operator: str, literals: list[int], known: int, more: int
) -> None:
    """A count that may be larger is decided only where a larger one gives the same answer."""
    right = f"({', '.join(map(str, literals))})" if operator == "in" else str(literals[0])
    condition = f"proc.cmdnargs {operator} {right}"
    decided = decide(atom_of(condition), Remnant.AT_LEAST, known)
    for count in (known, known + more):
        if decided is not None:
            assert [decided] == evaluate(condition, [{"proc.cmdnargs": count}])


@pytest.mark.parametrize(
    ("check", "remnant", "known", "decided"),
    [
        ("startswith /etc", Remnant.BEGINNING, "/etc/pass", True),
        ("startswith /etc/passwd", Remnant.BEGINNING, "/etc/pass", None),
        ("startswith /var", Remnant.BEGINNING, "/etc/pass", False),
        ("startswith /etc", Remnant.END, "/etc/pass", None),
        ("endswith wd", Remnant.BEGINNING, "/etc/passwd", None),
        ("endswith wd", Remnant.END, "sswd", True),
        ("endswith wd", Remnant.END, "shadow", False),
        ("contains tc", Remnant.BEGINNING, "/etc", True),
        ("contains x", Remnant.BEGINNING, "/etc", None),
        ("icontains ETC", Remnant.BEGINNING, "/etc", True),
        ("= /etc/passwd", Remnant.BEGINNING, "/etc", None),
        ("= /etc/passwd", Remnant.BEGINNING, "/var", False),
        ("!= /etc/passwd", Remnant.BEGINNING, "/var", True),
        ("!= /etc/passwd", Remnant.END, "passwd", None),
        ("in (/var/a, /etc/b)", Remnant.BEGINNING, "/et", None),
        ("in (/var/a, /etc/b)", Remnant.BEGINNING, "/usr", False),
        ("glob /etc/*", Remnant.BEGINNING, "/etc/p", True),
        ("glob /etc/?*", Remnant.BEGINNING, "/etc/p", None),
        ("glob /etc/*.conf", Remnant.BEGINNING, "/etc/p", None),
        ("glob /var/*", Remnant.BEGINNING, "/etc/p", False),
        ("regex /etc/.*", Remnant.BEGINNING, "/etc/p", None),
        ("exists", Remnant.UNKNOWN, "", True),
        ("exists", Remnant.UNKNOWN, None, None),
        ("= a", Remnant.UNKNOWN, "b", None),
        ("startswith allof (/etc, /etc/p)", Remnant.BEGINNING, "/etc/p", True),
        ("startswith oneof (/etc, /etc/p)", Remnant.BEGINNING, "/etc/p", False),
        ("startswith oneof (/etc, /etc/px)", Remnant.BEGINNING, "/etc/p", None),
        ("in ()", Remnant.BEGINNING, "a", False),
    ],
)
def test_what_is_left_decides(
    check: str,
    remnant: Remnant,
    known: str | None,
    decided: bool | None,  # noqa: FBT001 - an expectation, not a switch
) -> None:
    """Each operator decides what it can: unknown is no excuse where the rest does not matter."""
    assert decide(atom_of(f"proc.cmdline {check}"), remnant, known) is decided
