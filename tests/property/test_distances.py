"""The law of distances: the reported leaves suffice to make a condition true, and no fewer do."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from falcotrace.explain.distance import cheapest_flips, costs
from falcotrace.explain.patterns import PatternBuilder
from falcotrace.rules.load import parse_formula
from falcotrace.rules.outline import Outline, PartKind, outline_formula

CHECKS = [f"proc.name = {letter}" for letter in "abcdef"]


def join(parts: list[str], word: str) -> str:
    """Parts in parentheses, joined by `and` or `or`."""
    return f" {word} ".join(f"({part})" for part in parts)


conditions = st.recursive(
    st.sampled_from(CHECKS),
    lambda inner: st.one_of(
        inner.map(lambda part: f"not ({part})"),
        st.tuples(st.lists(inner, min_size=2, max_size=3), st.sampled_from(["and", "or"])).map(
            lambda pair: join(*pair)
        ),
    ),
    max_leaves=8,
)


def holds(outline: Outline, leaves: tuple[bool, ...]) -> bool:
    """The truth of a condition, one part after the other; a leaf at each place has its own."""
    truth = dict(zip(outline.leaves, leaves, strict=True))
    for place in reversed(range(len(outline.parts))):
        part = outline.parts[place]
        children = [truth[child] for child in part.children]
        if part.kind is PartKind.NOT:
            truth[place] = not children[0]
        elif part.kind is not PartKind.LEAF:
            truth[place] = all(children) if part.kind is PartKind.ALL else any(children)
    return truth[0]


def nearest(outline: Outline, leaves: tuple[bool, ...]) -> int:
    """The fewest flips that make a condition true, by trying all."""
    return min(
        sum(flips)
        for flips in itertools.product([False, True], repeat=len(leaves))
        if holds(outline, tuple(a ^ b for a, b in zip(leaves, flips, strict=True)))
    )


@settings(max_examples=300, deadline=None)
@given(conditions, st.data())
def test_the_fewest_flips_make_it_true(condition: str, data: st.DataObject) -> None:
    """Flipping the reported leaves makes the condition true, and no smaller set does."""
    outline = outline_formula(parse_formula(condition))
    size = len(outline.leaves)
    cases = data.draw(st.lists(st.tuples(*[st.booleans()] * size), min_size=1, max_size=4))
    truths = np.array(cases, np.bool_).T.reshape(size, len(cases))
    found = costs(outline, truths)
    flips = cheapest_flips(outline, found)
    for column, case in enumerate(cases):
        flipped = tuple((truths[:, column] ^ flips[:, column]).tolist())
        assert holds(outline, flipped)
        assert flips[:, column].sum() == found.to_true[0, column] == nearest(outline, case)
        assert (found.to_true[0, column] == 0) == holds(outline, case)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 200), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_patterns_are_the_truths(check_count: int, row_count: int, seed: int) -> None:
    """Each event's combination is its own truths, also of more checks than a number has bits."""
    rng = np.random.default_rng(seed)
    few = rng.random((check_count, max(1, row_count // 4))) < 0.3
    truths = few[:, rng.integers(0, few.shape[1], row_count)]
    builder = PatternBuilder.of_rows(row_count)
    for truth in truths:
        builder.add(truth)
    patterns = builder.build()
    assert (patterns.table[:, patterns.of_rows] == truths).all()
    assert len(np.unique(patterns.table, axis=1).T) == patterns.table.shape[1]
    assert patterns.counts().sum() == row_count
