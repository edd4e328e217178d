"""Distinct values and where they are."""

import numpy as np
import pytest

from falcotrace.capture.distinct import TABLE_LIMIT, distinct


@pytest.mark.parametrize(
    "values",
    [
        np.array([], np.int64),
        np.array([5], np.int32),
        np.array([3, -2, 3, 0, -2], np.int64),
        np.array([0, TABLE_LIMIT, 1], np.int64),
        np.array([0, TABLE_LIMIT - 1], np.int64),
        np.array([2**64 - 100, 2**64 - 1, 2**64 - 100], np.uint64),
        np.array([0, 2**64 - 1], np.uint64),
        np.array([-(2**63), 2**63 - 1], np.int64),
        np.array([True, False, True]).astype(np.uint8),
    ],
    ids=repr,
)
def test_agrees_with_numpy(values: np.ndarray) -> None:
    """Whatever the type and the range: the result is that of numpy.unique, ascending."""
    found, places = distinct(values)
    wanted, wanted_places = np.unique(values, return_inverse=True)
    assert found.tolist() == wanted.tolist()
    assert places.tolist() == wanted_places.tolist()
    assert found.dtype == values.dtype
    assert found[places].tolist() == values.tolist()
