"""Distinct values of an integer array, and which one each element is.

`numpy.unique` sorts; most of our integers are dense numbers (codes, ids, descriptors, results), for
which a table of what occurs is an order of magnitude faster.
"""

import numpy as np

TABLE_LIMIT = 1 << 22
"""Widest range of values for which a table is made; wider ones are sorted."""


def distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values, ascending, and for each element its place among them.

    Example:
        >>> [part.tolist() for part in distinct(np.array([7, -1, 7, 5]))]
        [[-1, 5, 7], [2, 0, 2, 1]]
    """
    if not len(values):
        return values[:0], np.zeros(0, np.int64)
    least, most = int(values.min()), int(values.max())
    if most - least >= TABLE_LIMIT:
        found, places = np.unique(values, return_inverse=True)
        return found, places
    shifted = (values - values.dtype.type(least)).astype(np.int64)
    occurs = np.zeros(most - least + 1, np.bool_)
    occurs[shifted] = True
    found = np.flatnonzero(occurs)
    table = np.empty(len(occurs), np.int64)
    table[found] = np.arange(len(found))
    # Added in Python's integers: the least value of an unsigned type may not fit a signed one.
    return found.astype(values.dtype) + values.dtype.type(least), table[shifted]
