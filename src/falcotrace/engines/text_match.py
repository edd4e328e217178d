"""Text and byte operators on arrays of distinct values.

In: values without nulls, in the form of `events.text.to_text` (or plain bytes), and one literal.
Out: one truth for each value. Equality is not here: `tests` answers all equalities of a plan with
one look-up.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.engines.glob import glob_regex
from falcotrace.engines.vectors import Bools, arrow_text, arrow_texts, bools_of
from falcotrace.events.operators import Operator
from falcotrace.events.text import to_bytes
from falcotrace.rules.regex import compile_regex
from falcotrace.rules.transforms import fold_case


def glob_matches(value: str, pattern: str) -> bool:
    """Whether one text matches one pattern."""
    return bool(match_glob(arrow_texts([value]), pattern)[0])


def _contains(values: pa.Array, literal: str | bytes) -> Bools:
    return bools_of(pc.match_substring(values, literal))


def _icontains(values: pa.Array, literal: str) -> Bools:
    return bools_of(pc.match_substring(pc.ascii_lower(values), fold_case(literal)))


def _startswith(values: pa.Array, literal: str | bytes) -> Bools:
    return bools_of(pc.starts_with(values, literal))


def _endswith(values: pa.Array, literal: str | bytes) -> Bools:
    return bools_of(pc.ends_with(values, literal))


def match_glob(values: pa.Array, literal: str) -> Bools:
    """Which values match an fnmatch pattern."""
    return bools_of(pc.match_substring_regex(values, glob_regex(literal)))


def _iglob(values: pa.Array, literal: str) -> Bools:
    pattern = glob_regex(fold_case(literal))
    return bools_of(pc.match_substring_regex(pc.ascii_lower(values), pattern))


def _regex(values: pa.Array, literal: str) -> Bools:
    matches = compile_regex(literal).fullmatch
    texts = values.to_pylist()
    return np.array([matches(to_bytes(text)) is not None for text in texts], np.bool_)


# Arrow compares UTF-8 byte by byte; a raw byte's stand-in begins with F4, above every literal here:
# the checker lets only numbers stand behind these operators.
def _less(values: pa.Array, literal: str) -> Bools:
    return bools_of(pc.less(values, arrow_text(literal)))


def _less_equal(values: pa.Array, literal: str) -> Bools:
    return bools_of(pc.less_equal(values, arrow_text(literal)))


def _greater(values: pa.Array, literal: str) -> Bools:
    return bools_of(pc.greater(values, arrow_text(literal)))


def _greater_equal(values: pa.Array, literal: str) -> Bools:
    return bools_of(pc.greater_equal(values, arrow_text(literal)))


TEXT_MATCHES: Mapping[Operator, Callable[[pa.Array, str], Bools]] = MappingProxyType(
    {
        Operator.CONTAINS: _contains,
        Operator.ICONTAINS: _icontains,
        Operator.STARTSWITH: _startswith,
        Operator.ENDSWITH: _endswith,
        Operator.GLOB: match_glob,
        Operator.IGLOB: _iglob,
        Operator.REGEX: _regex,
        Operator.LESS: _less,
        Operator.LESS_EQUAL: _less_equal,
        Operator.GREATER: _greater,
        Operator.GREATER_EQUAL: _greater_equal,
    }
)
"""Operators of a text and one literal."""

BYTE_MATCHES: Mapping[Operator, Callable[[pa.Array, bytes], Bools]] = MappingProxyType(
    {
        Operator.CONTAINS: _contains,
        Operator.BCONTAINS: _contains,
        Operator.STARTSWITH: _startswith,
        Operator.BSTARTSWITH: _startswith,
        Operator.ENDSWITH: _endswith,
    }
)
"""Operators of bytes and one literal."""
