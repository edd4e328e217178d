"""Laws of the rules front end, on random input."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from falcotrace.errors import Span
from falcotrace.events.operators import Operator, Quantifier
from falcotrace.events.text import to_text
from falcotrace.rules.ast import (
    And,
    Check,
    Condition,
    FieldExpression,
    Literal,
    MacroReference,
    Not,
    Or,
    Transform,
    Transformer,
)
from falcotrace.rules.faults import Fault
from falcotrace.rules.lists import ExpandedList, expand_lists
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.nodes import File
from falcotrace.rules.parser import parse_condition
from falcotrace.rules.printer import print_parseable
from falcotrace.rules.source import (
    MappingNode,
    Node,
    Scalar,
    SequenceNode,
    TextSource,
    compose_documents,
)

NOWHERE = Span(TextSource("", ""), 0, 0)
NAMES = st.sampled_from(["proc.name", "fd.name", "evt.arg.flags", "proc.pid"])
MACROS = st.sampled_from(["a", "spawned_process", "not_m", "x1"])
VALUES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["anyof", "a b", 'x"y', "it's", "a\\", "b c\\", "(", "a,b", "=", "\t", "é", ""]
    ),
    st.binary(max_size=4).map(to_text),
).map(lambda text: to_text(text.encode(errors="surrogatepass")))
ARGUMENTS = st.none() | st.text(min_size=1, max_size=6).map(
    lambda text: to_text(text.encode(errors="surrogatepass"))
)

TEXTUAL = ("=", "!=", "==", "contains", "glob", "regex", "startswith")
ORDERED = ("<", "<=", ">", ">=")
LISTING = ("in", "intersects", "pmatch")


@st.composite
def operands(draw: st.DrawFn, *, calls_only: bool = False) -> FieldExpression | Transformer:
    """Fields with and without arguments, and functions of them."""
    field = FieldExpression(draw(NAMES), draw(ARGUMENTS), NOWHERE)
    if not calls_only and draw(st.booleans()):
        return field
    function = draw(st.sampled_from([Transform.TOLOWER, Transform.BASENAME, Transform.LEN]))
    return Transformer(function, (field,), None, NOWHERE)


@st.composite
def checks(draw: st.DrawFn) -> Check:
    """Checks with every kind of operator, value and right-hand side."""
    spelling = draw(st.sampled_from(("exists", *TEXTUAL, *ORDERED, *LISTING)))
    operator = Operator.EQUAL if spelling == "==" else Operator(spelling)
    several = st.lists(VALUES, max_size=3)
    values: list[str] = []
    right = quantifier = None
    if spelling != "exists" and draw(st.booleans()) and draw(st.booleans()):
        right = draw(operands(calls_only=True))
    elif spelling in LISTING:
        values = draw(several)
    elif spelling in ORDERED:
        values = [str(draw(st.integers(-(10**20), 10**20)))]
    elif spelling != "exists":
        quantifier = draw(st.none() | st.sampled_from(list(Quantifier)))
        values = draw(several) if quantifier else [draw(VALUES)]
    return Check(
        draw(operands()),
        operator,
        quantifier,
        tuple(Literal(value, NOWHERE) for value in values),
        right,
        span=NOWHERE,
        operator_span=NOWHERE,
        spelling=spelling,
    )


@st.composite
def conditions(draw: st.DrawFn, depth: int = 3) -> Condition:
    """Trees of checks, macros, groups and negations, as the parser would make them."""
    kind = draw(st.sampled_from(["check", "macro", "and", "or", "not"] if depth else ["check"]))
    if kind == "check":
        return draw(checks())
    if kind == "macro":
        return MacroReference(draw(MACROS), NOWHERE)
    if kind == "not":
        child = draw(conditions(depth=depth - 1))
        return child if isinstance(child, Not) else Not(child, NOWHERE)
    children = tuple(draw(st.lists(conditions(depth=depth - 1), min_size=2, max_size=3)))
    return (And if kind == "and" else Or)(children, NOWHERE)


@given(conditions())
def test_printing_and_parsing_again_changes_nothing(condition: Condition) -> None:
    """A tree equals its parseable printing parsed again, whatever its values contain."""
    text = print_parseable(condition)
    assert parse_condition(TextSource("", text)) == condition


def _words(condition: Condition) -> list[tuple[Span, str]]:
    """Spans of a tree, each with words that its text must contain."""
    found: list[tuple[Span, str]] = []
    pending = [condition]
    while pending:
        node = pending.pop()
        match node:
            case Check():
                left = node.left
                found.append((left.span, left.name if isinstance(left, FieldExpression) else "("))
                found.append((node.operator_span, node.spelling))
                found += [(v.span, '"' if v.quoted else v.text) for v in node.values]
            case MacroReference(name=name):
                found.append((node.span, name))
            case Not(child=child):
                found.append((node.span, "not "))
                pending.append(child)
            case And(children=children) | Or(children=children):
                found.append((node.span, "and" if isinstance(node, And) else "or"))
                pending.extend(children)
    return found


@given(conditions())
def test_spans_cover_what_was_written(condition: Condition) -> None:
    """Every span of a parsed condition covers the words of its node."""
    tree = parse_condition(TextSource("", print_parseable(condition)))
    for span, word in _words(tree):
        assert word in span.text


@given(st.text(alphabet="ab=!<>()\"'\\ ,.[]notrandexi\n", max_size=40))
def test_any_text_parses_or_fails_with_a_place(text: str) -> None:
    """Whatever is written as a condition, the answer is a tree or a fault inside the text."""
    try:
        parse_condition(TextSource("", text))
    except Fault as fault:
        assert fault.span is not None
        assert 0 <= fault.span.start <= fault.span.end <= len(text)


WORDS = st.sampled_from(["l", "m", "a", " ", ",", "(", ")", "=", "ll", "\n"])
ITEMS = st.lists(st.sampled_from(["x", "y z", "m", "l"]), max_size=3)


def _one_by_one(text: str, item: ExpandedList) -> str:
    """Lists as the specification tells it: replace one name, look again behind it."""
    blanks, position = " \t\n\r", 0
    pattern = re.compile(rf"(?<![^ \t\n\r(),=]){re.escape(item.name)}(?![^ \t\n\r(),=])")
    while match := pattern.search(text, position):
        head, tail = text[: match.start()].rstrip(blanks), text[match.end() :].lstrip(blanks)
        if not item.text and head.endswith(","):
            head = head[:-1]
        elif not item.text and tail.startswith(","):
            tail = tail[1:]
        inserted = (f"{head} " if head else "") + f"{item.text} "
        # After a replacement at the very beginning Falco skips one more character.
        position = len(inserted) + (0 if head else 1)
        text = inserted + tail
    return text


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=12).map("".join), ITEMS, ITEMS)
def test_lists_are_put_in_as_text(text: str, first: list[str], second: list[str]) -> None:
    """One pass over a condition gives what replacing names one by one gives."""
    lists = [_expanded("l", first), _expanded("m", second)]
    expected = _one_by_one(_one_by_one(text, lists[0]), lists[1])
    assert expand_lists(TextSource("", text), lists)[0].text == expected


@given(st.lists(WORDS, max_size=12).map("".join), ITEMS, ITEMS)
def test_expanded_texts_know_where_they_were_written(
    text: str, first: list[str], second: list[str]
) -> None:
    """Each character that somebody wrote is found again where it was written."""
    source, _ = expand_lists(TextSource("", text), [_expanded("l", first), _expanded("m", second)])
    for index, char in enumerate(source.text):
        place = source.locate(index, index + 1)
        if place.length and char not in ' ,"\n':
            assert place.line_text[place.column - 1] == char


def _expanded(name: str, items: list[str]) -> ExpandedList:
    spans = [Span(TextSource("list", item), 0, len(item)) for item in items]
    return ExpandedList.of(name, spans, NOWHERE)


YAML_WORDS = st.text(alphabet="ab1:# -'\"é", min_size=1, max_size=8)


def _scalars(node: Node | None) -> list[Scalar]:
    match node:
        case Scalar():
            return [node]
        case SequenceNode(items=items):
            return [scalar for item in items for scalar in _scalars(item)]
        case MappingNode(pairs=pairs):
            return [scalar for pair in pairs for item in pair for scalar in _scalars(item)]
    return []


@given(st.lists(YAML_WORDS, min_size=1, max_size=5), st.sampled_from(["|", ">", ">-", '"', "'"]))
def test_values_of_scalars_know_their_lines(words: list[str], style: str) -> None:
    """Each character of a YAML value, blanks aside, is found where it stands in the file."""
    if style in {"'", '"'}:
        escaped = [w.replace("'", "''") if style == "'" else w.replace('"', '\\"') for w in words]
        text = f"- key: {style}" + "\n    ".join(escaped) + f"{style}\n"
    else:
        text = f"- key: {style}\n" + "".join(f"    x{word}\n" for word in words)
    source = TextSource("", text)
    try:
        documents = compose_documents(source)
    except Fault:
        return
    for root in documents.roots:
        for scalar in _scalars(root):
            span = File(source).text_span(scalar)
            for index, char in enumerate(span.text):
                if not char.isspace():
                    place = span.source.locate(index, index + 1)
                    # An escaped character is where its backslash is.
                    assert place.line_text[place.column - 1] in {char, "\\"}


@given(st.text(alphabet="ab: -[]{}&*!|>'\"#%\n\t,?", max_size=60))
def test_any_text_is_rules_or_an_error(text: str) -> None:
    """Loading never raises: whatever is in a file, the rule set says what is wrong with it."""
    ruleset = load_rules([RulesText(text)])
    assert ruleset.ok == (not ruleset.errors)
