"""The table of operators, row by row, through `evaluate`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from falcotrace.evaluate import evaluate
from falcotrace.events.operators import Operator

VECTORS = Path(__file__).parents[2] / "golden" / "operators"


def load_vectors() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each vector with its field."""
    for path in sorted(VECTORS.glob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for vector in document["vectors"]:
            yield document["field"], vector


def value_of(left: object) -> object:
    """The value that a vector puts into the event."""
    if isinstance(left, str) and left.startswith("hex:"):
        return bytes.fromhex(left.removeprefix("hex:"))
    return left


@pytest.mark.parametrize(
    ("field", "vector"),
    [pytest.param(f, v, id=f"{f} {v['check']} of {v['left']!r}") for f, v in load_vectors()],
)
def test_vector(field: str, vector: dict[str, Any]) -> None:
    """A check has the verdict of the table, and its negation the opposite."""
    condition = f"{field} {vector['check']}"
    event = {field: value_of(vector["left"])}
    assert evaluate(condition, [event]) == [vector["verdict"]]
    assert evaluate(f"not {condition}", [event]) == [not vector["verdict"]]


def test_every_operator_has_vectors() -> None:
    """No operator is without a vector that holds and one that does not."""
    verdicts: dict[str, set[bool]] = {}
    for _, vector in load_vectors():
        verdicts.setdefault(vector["check"].split()[0], set()).add(vector["verdict"])
    assert {operator for operator, seen in verdicts.items() if seen == {True, False}} == {
        str(operator) for operator in Operator
    }
