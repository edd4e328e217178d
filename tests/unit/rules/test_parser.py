"""Condition text to tree: what parses, and what the message about the rest says."""

import pytest

from falcotrace.events.operators import Operator, Quantifier
from falcotrace.rules.ast import And, Check, Condition, FieldExpression, MacroReference, Not, Or
from falcotrace.rules.faults import Fault
from falcotrace.rules.parser import MAX_NESTING, parse_condition
from falcotrace.rules.printer import print_condition
from falcotrace.rules.source import TextSource


def parse(text: str) -> Condition:
    """Parse a condition from a text."""
    return parse_condition(TextSource("t", text))


def fault(text: str) -> Fault:
    """The fault of a condition that must not parse."""
    with pytest.raises(Fault) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a or b and c", "(a or (b and c))"),
        ("(a or b) and c", "((a or b) and c)"),
        ("not a or b", "(not a or b)"),
        ("not(a or b)", "not (a or b)"),
        ("not not a", "a"),
        ("((((a))))", "a"),
        ("a and(b)or(c)", "((a and b) or c)"),
        ("and and and", "(and and and)"),
        ("not_m", "not_m"),
        ("proc.name existsand a", "(proc.name exists and a)"),
        (" \n a\t", "a"),
        ("proc.name in(a,b)", "proc.name in (a, b)"),
        ("proc.name = anyof and a", "(proc.name = anyof and a)"),
        ("proc.name = anyof(a)", "proc.name = anyof (a)"),
        ("proc.pid<=5", "proc.pid <= 5"),
        ("proc.name = #x", "proc.name = #x"),
    ],
)
def test_structure(text: str, canonical: str) -> None:
    """Precedence, grouping and the places where blanks may be missing are Falco's."""
    assert print_condition(parse(text)) == canonical


def test_shape_of_a_tree() -> None:
    """The tree says what was written, spans included."""
    tree = parse("m and not proc.name startswith anyof (a, 'b c')")
    assert isinstance(tree, And)
    macro, negation = tree.children
    assert macro == MacroReference("m", macro.span)
    assert isinstance(negation, Not)
    assert negation.span.text == "not proc.name startswith anyof (a, 'b c')"
    check = negation.child
    assert isinstance(check, Check)
    assert check.left == FieldExpression("proc.name", None, check.left.span)
    assert (check.operator, check.quantifier) == (Operator.STARTSWITH, Quantifier.ANY_OF)
    assert [value.text for value in check.values] == ["a", "b c"]
    assert [value.span.text for value in check.values] == ["a", "'b c'"]


def test_chains_are_flat() -> None:
    """A long chain is one node, however long."""
    tree = parse(" or ".join(["a"] * 5000))
    assert isinstance(tree, Or)
    assert len(tree.children) == 5000


def test_depth_is_limited() -> None:
    """The limit is a message, not Python's recursion limit."""
    parse("(" * MAX_NESTING + "a" + ")" * MAX_NESTING)
    too_deep = fault("(" * 10_000 + "a" + ")" * 10_000)
    assert "1,000 levels" in too_deep.message


@pytest.mark.parametrize(
    ("text", "message", "pointed"),
    [
        ("proc.name", "needs an operator, found the end", "proc.name"),
        ("(a", "`(` is never closed", "("),
        ("proc.name in (a", "`(` is never closed", "("),
        ("tolower(proc.name = a", "expected `)`", "="),
        ("tolower(proc.name", "`(` is never closed", "("),
        ("proc.aname[1 = a", "`[` is never closed", "["),
        ("a b", "expected `and`, `or` or the end, found `b`", "b"),
        ("a)", "found `)`", ")"),
        ("a andb", "expected a blank or `(` after `and`", "andb"),
        ("a and", "expected a field, a macro or `(`, found the end", ""),
        ("", "expected a field, a macro or `(`, found the end", ""),
        ("proc.name = ", "`=` needs a value, found the end", ""),
        ("proc.pid < abc", "`<` needs a number, found `abc`", "abc"),
        ("proc.name in (a,)", "expected a value after `,`", ")"),
        ("proc.name in (a b)", "expected `,` or `)`", "b"),
        ("proc.name pmatch /etc", "`pmatch` needs a list", "/etc"),
        ('proc.name = "a\\q"', "`\\q` is not an escape", "\\q"),
        ('proc.name = "abc', 'this " is never closed', '"'),
        ("proc.name === a", "`==` needs a value", "="),
        ("tolower()=a", "`tolower` needs a field", ")"),
        ("proc.name = val(tolower(proc.pname))", "`val` needs a field", "tolower"),
        ("tolower(proc.name)[x] = a", "only `getopt(..)` takes an argument", "[x]"),
    ],
)
def test_messages_point_at_the_place(text: str, message: str, pointed: str) -> None:
    """What is wrong is said in words, and the span covers it; unclosed things where they open."""
    found = fault(text)
    assert message in found.message
    assert found.span is not None
    assert found.span.text == pointed


@pytest.mark.parametrize(
    ("text", "help_text"),
    [
        ("proc.name startwith a", "`startswith`"),
        ("proc.name contains", "needs a blank"),
        ("a AND b", "lower case"),
        ("a # b", "no comments"),
        ("proc.name = (a)", "`in (..)`"),
        ("(a and", "is not closed"),
        ("a)", "no `(` is open"),
    ],
)
def test_help_says_what_to_write(text: str, help_text: str) -> None:
    """Common mistakes come with the way out."""
    assert help_text in (fault(text).help or "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"a\"b"', 'a"b'),
        (r"'it\'s'", "it's"),
        (r'"a\\b"', "a\\b"),
        (r'"a\ b"', "a\\b"),
        (r'"\x41\x2f"', "A/"),
        (r'"\xc3\xa4"', "ä"),
        (r'"\xff"', "\U0010feff"),
        (r'"\t\n\/"', "\t\n/"),
        ('""', ""),
        ("a\\b", "a\\b"),
        ("größe", "größe"),
        ("<NA>", "<NA>"),
        ("2001:db8::/32", "2001:db8::/32"),
    ],
)
def test_values(text: str, value: str) -> None:
    """Quotes and escapes are undone, and bytes take the form that captures have."""
    tree = parse(f"proc.name = {text}")
    assert isinstance(tree, Check)
    assert tree.values[0].text == value


@pytest.mark.parametrize("text", [r'"a\\"', r'"a\'b"', r"'a\"b'", r'"\x4"', '"a'])
def test_texts_that_cannot_be_written(text: str) -> None:
    """A quote behind a backslash never closes, and the other quote has no escape."""
    fault(f"proc.name = {text}")


def test_arguments_in_brackets() -> None:
    """An argument is a bare or a quoted text."""
    tree = parse('proc.env["MY KEY"]=1 and proc.env[HOME]=2')
    assert isinstance(tree, And)
    lefts = [child.left for child in tree.children if isinstance(child, Check)]
    assert [left.argument for left in lefts] == ["MY KEY", "HOME"]
