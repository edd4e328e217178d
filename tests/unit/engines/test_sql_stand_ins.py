"""What checks say of the texts that stand for missing arguments."""

import pytest

from falcotrace.engines.sql.stand_ins import satisfies
from falcotrace.events.operators import Operator


@pytest.mark.parametrize(
    ("paths", "verdict"),
    [
        (["/etc", "home"], False),
        (["/etc", "/"], True),
        ([""], True),
        (["/*"], None),
        (["//[<]NA>"], None),
    ],
)
def test_paths_above_what_is_no_path(paths: list[str], *, verdict: bool | None) -> None:
    """The root is above everything, and a path that begins with a wildcard may be."""
    assert satisfies("<NA>", Operator.PMATCH, paths) is verdict
