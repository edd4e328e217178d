"""Laws of the front end for Sigma, on random rules and events."""

import json
from collections.abc import Mapping
from typing import Any

import re2
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from falcotrace.evaluate import evaluate
from falcotrace.rules.load import RulesText, load_rules
from falcotrace.rules.printer import print_parseable
from falcotrace.rules.regex import compile_regex
from falcotrace.sigma.convert import Conversion, Ending
from falcotrace.sigma.expressions import UntranslatableError, translate
from falcotrace.sigma.load import convert_rules, load_any_rules, print_rules
from falcotrace.sigma.values import Expression
from property.naive_sigma import rule_holds
from property.sigma_events import process_events

TEXTS = ["", "a", "A", "ab", "b", "-c", "a b", "ä", "Ä", "a*b", "a?b", "a\\b", "[a]", "x\ny", "/a"]
PATTERNS = [
    *TEXTS,
    "*",
    "?",
    "a*",
    "*b",
    "*a*",
    "?b",
    "a\\*b",
    "a\\?b",
    "a\\\\b",
    "a\\\\*",
    "b ",
    " ",
]
EXPRESSIONS = ["a", "^a", "b$", "^a.b$", r"\s", r"(a|^b)", r"[^a-c\s]$", "a{2}", r"\*", "(?i)A"]
MODIFIERS = ["", "contains", "startswith", "endswith", "cased", "contains|cased", "windash"]
FIELDS = ["Image", "CommandLine", "ParentImage", "User", "CurrentDirectory"]
NUMBERS = ["LogonId", "ProcessId"]
COMPARED = [field for field in FIELDS if field != "CurrentDirectory"]
REFERENCES: st.SearchStrategy[object] = st.sampled_from(COMPARED)


def _texts(pool: list[str]) -> st.SearchStrategy[object]:
    value = st.sampled_from(pool)
    return value | st.lists(value, min_size=1, max_size=3)


def _item(key: str, values: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[str, object]]:
    return values.map(lambda value: (key, value))


def _keys(field: str) -> st.SearchStrategy[tuple[str, object]]:
    """Items about one text field."""
    choices = [
        *(
            _item(f"{field}|{modifier}".rstrip("|"), _texts(PATTERNS))
            for modifier in (*MODIFIERS, "contains|all")
        ),
        *(_item(f"{field}|{each}", _texts(EXPRESSIONS)) for each in ("re", "re|i", "re|m|s")),
        _item(f"{field}|base64offset|contains", _texts(["a", "ab"])),
        _item(f"{field}|wide|base64offset|contains", _texts(["a", "ab"])),
        _item(f"{field}|exists", st.booleans()),
        _item(field, st.none()),
    ]
    if field in COMPARED:
        choices += [_item(f"{field}|fieldref{how}", REFERENCES) for how in ("", "|startswith")]
    return st.one_of(choices)


def _number_keys(field: str) -> st.SearchStrategy[tuple[str, object]]:
    number = st.integers(0, 3)
    comparisons = [_item(f"{field}|{word}", number) for word in ("lt", "lte", "gt", "gte")]
    return st.one_of(_item(field, number | st.lists(number, min_size=1)), *comparisons)


UNKNOWN = _item("Hashes|contains", _texts(["a", "b"]))
ITEMS = st.one_of([*map(_keys, FIELDS), *map(_number_keys, NUMBERS)])


def _selections(items: st.SearchStrategy[tuple[str, object]]) -> st.SearchStrategy[object]:
    mapping = st.lists(items, min_size=1, max_size=3).map(dict)
    return mapping | st.lists(mapping, min_size=1, max_size=2)


NAMES = ["sel_a", "sel_b", "other"]
CONDITIONS = st.recursive(
    st.sampled_from([*NAMES, "1 of sel_*", "all of sel_*", "all of them", "1 of them"]),
    lambda inner: st.one_of(
        inner.map(lambda each: f"not ({each})"),
        st.tuples(inner, inner).map(" and ".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} or {pair[1]})"),
    ),
    max_leaves=5,
)


def _rules(items: st.SearchStrategy[tuple[str, object]]) -> st.SearchStrategy[Mapping[str, Any]]:
    detection = st.fixed_dictionaries(
        {**dict.fromkeys(NAMES, _selections(items)), "condition": CONDITIONS}
    )
    return detection.map(
        lambda found: {
            "title": "Random",
            "logsource": {"product": "linux", "category": "process_creation"},
            "detection": found,
        }
    )


TEXT = st.sampled_from(TEXTS)
EVENTS = st.builds(
    process_events,
    st.lists(TEXT, min_size=1, max_size=3),
    st.none() | TEXT,
    folder=st.sampled_from([None, "/", "/a", "/ab", "a"]),
    ParentImage=st.none() | TEXT,
    User=st.sampled_from([None, "a", "A", "b"]),
    LogonId=st.integers(0, 3) | st.none(),
    ProcessId=st.integers(0, 3),
    Hashes=st.sampled_from([None, "a", "b"]),
)


def converted(rule: Mapping[str, Any]) -> Conversion:
    """What becomes of a rule; JSON is YAML."""
    (conversion,) = convert_rules([RulesText(json.dumps(rule))])
    return conversion


def truths(conversion: Conversion, events: list[Any]) -> list[bool]:
    """What the converted condition says about events."""
    condition = conversion.converted.condition
    assert condition is not None
    return evaluate(print_parseable(condition), [falco for _, falco in events])


@settings(max_examples=400, deadline=None)
@given(_rules(ITEMS), st.lists(EVENTS, min_size=1, max_size=12))
def test_converted_rules_mean_what_sigma_says(rule: Mapping[str, Any], events: list[Any]) -> None:
    """A rule of which everything can be said holds for the same events as by the specification."""
    conversion = converted(rule)
    if conversion.converted.ending is Ending.NOT_RUN:
        # A rule that contradicts itself is said to be asked of no event, and matches none.
        assert not any(rule_holds(rule, sigma) for sigma, _ in events), conversion.converted.reasons
        return
    assert conversion.converted.reasons == ()
    assert truths(conversion, events) == [rule_holds(rule, sigma) for sigma, _ in events]


@settings(max_examples=200, deadline=None)
@given(_rules(ITEMS | UNKNOWN), st.lists(EVENTS, min_size=1, max_size=12))
def test_what_is_left_out_never_widens_a_rule(rule: Mapping[str, Any], events: list[Any]) -> None:
    """A rule that runs in part holds only where the whole rule does."""
    conversion = converted(rule)
    if conversion.converted.ending is Ending.NOT_RUN:
        return
    for ours, (sigma, _) in zip(truths(conversion, events), events, strict=True):
        assert rule_holds(rule, sigma) or not ours


@settings(max_examples=100, deadline=None)
@given(_rules(ITEMS | UNKNOWN))
def test_printed_rules_load_to_the_same_plan(rule: Mapping[str, Any]) -> None:
    """What `rules convert` prints is a rules file that means what loading Sigma's file means."""
    text = RulesText(json.dumps(rule))
    printed = print_rules(convert_rules([text]))
    again, direct = load_rules([RulesText(printed)]), load_any_rules([text])
    assert again.errors == direct.errors == ()
    assert again.plan.rules == direct.plan.rules


PIECES = st.sampled_from(
    [*"aAbB.ä", r"\d", r"\w", r"\S", "[ab]", r"[^a\d]", "[A-b]", r"\.", r"\x41", "\n", "-", "[^]a]"]
)
REPEATS = st.sampled_from(["", "", "", "*", "+?", "?", "{1,2}"])
PATTERN = st.recursive(
    st.lists(st.tuples(PIECES, REPEATS).map("".join), max_size=4).map("".join),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("|".join),
        st.tuples(inner, REPEATS).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
        st.tuples(inner, inner).map("".join),
    ),
    max_leaves=4,
)
ANCHORED = st.tuples(
    st.sampled_from(["", "^", "(^|a)"]), PATTERN, st.sampled_from(["", "$", "(b|$)"])
)


@settings(max_examples=600, deadline=None)
@given(
    ANCHORED.map("".join),
    st.text("aAbBäÄ1 .-\n]", max_size=6),
    st.sampled_from(["", "i", "m", "s", "im", "ims"]),
)
def test_expressions_match_the_same_texts(pattern: str, text: str, flags: str) -> None:
    """A translated expression matches the whole of what RE2 finds the original in."""
    try:
        original = re2.compile(f"(?{flags}){pattern}" if flags else pattern)
    except re2.error:
        assume(False)
        raise
    try:
        translation = translate(Expression(pattern, "i" in flags, "m" in flags, "s" in flags))
    except UntranslatableError:
        # Only anchors within have no like here.
        assert "^" in pattern or "$" in pattern
        return
    ours = compile_regex(translation.pattern).fullmatch(text.encode()) is not None
    assert ours == (original.search(text) is not None)
    if translation.literal is not None:
        found = {
            (False, False): translation.literal in text,
            (True, False): text.startswith(translation.literal),
            (False, True): text.endswith(translation.literal),
            (True, True): text == translation.literal,
        }
        assert found[translation.is_begin, translation.is_end] == ours
