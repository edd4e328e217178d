"""Functions of values."""

import pytest

from falcotrace.rules.ast import Transform
from falcotrace.rules.transforms import Result, apply_transform


@pytest.mark.parametrize(
    ("function", "arguments", "result"),
    [
        (Transform.TOLOWER, ["ÄbC"], "Äbc"),
        (Transform.TOUPPER, ["äbc"], "äBC"),
        (Transform.TOLOWER, [["A", "b"]], ["a", "b"]),
        (Transform.BASENAME, ["/a/b"], "b"),
        (Transform.BASENAME, ["/a/b/"], ""),
        (Transform.BASENAME, ["b"], "b"),
        (Transform.LEN, ["é"], 2),
        (Transform.LEN, ["\U0010feff"], 1),
        (Transform.LEN, [b"abc"], 3),
        (Transform.LEN, [["a", "b"]], 2),
        (Transform.B64, ["aGVsbG8="], "hello"),
        (Transform.B64, ["aGVsbG8"], "hello"),
        (Transform.B64, [b"aGVsbG8="], b"hello"),
        (Transform.B64, ["/w=="], "\U0010feff"),
        (Transform.B64, ["***"], None),
        (Transform.B64, ["a"], None),
        (Transform.CONCAT, ["a", "-", "b"], "a-b"),
        (Transform.JOIN, ["-", ["a", "b"]], "a-b"),
        (Transform.JOIN, ["-", "a"], None),
        (Transform.GETOPT, [["-a", "-bx", "file", "-c"], "ab:c"], ["a", "b"]),
        (Transform.GETOPT, ["-ab x y", "ab:"], ["a", "b"]),
        (Transform.GETOPT, [["-z", "--", "-a"], "a"], []),
    ],
)
def test_results(function: Transform, arguments: list[Result], result: Result) -> None:
    """Each function computes what Falco's does, bytes counted as bytes."""
    assert apply_transform(function, arguments) == result


@pytest.mark.parametrize("function", list(Transform))
def test_missing_inputs_give_no_result(function: Transform) -> None:
    """A function of a missing value is missing, whichever input it is."""
    assert apply_transform(function, [None, "a"]) is None
    assert apply_transform(function, ["a", None]) is None


def test_option_values() -> None:
    """The text in brackets asks for one option's value."""
    words = ["-v", "-oout", "-i", "in"]
    assert apply_transform(Transform.GETOPT, [words, "vo:i:"], "o") == "out"
    assert apply_transform(Transform.GETOPT, [words, "vo:i:"], "i") == "in"
    assert apply_transform(Transform.GETOPT, [words, "vo:i:"], "v") == ""
    assert apply_transform(Transform.GETOPT, [words, "vo:i:"], "x") is None
