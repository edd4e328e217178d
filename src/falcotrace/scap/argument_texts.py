"""Arguments as text: what conditions see of numbers, paths and addresses.

In: the values of one parameter, and the state. Out: codes of texts. Each step works on all events
at once and makes a text once for each distinct value.

Source: libs 48dfd53c, userspace/libsinsp/event.cpp, `get_param_as_str` (FIELDS 1.9).
"""

import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from falcotrace.capture.distinct import distinct
from falcotrace.capture.text_pool import MISSING, TextPool
from falcotrace.events.event_types import Param
from falcotrace.events.numbers import condition_text
from falcotrace.events.paths import PATH_LIMIT_BYTES, TOO_LONG, join_path
from falcotrace.events.text import to_bytes
from falcotrace.scap.argument_values import Values
from falcotrace.scap.batch import Integers
from falcotrace.scap.resolver import Codes, Resolver

_NO_ID = 0xFFFF_FFFF
_NO_NAME = "<NA>"
_UNSET = "<NONE>"

_PLAIN = frozenset({"INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT64"})
_FORMATS = {"DEC": "%d", "HEX": "%X"}


def codes_of(pool: TextPool, numbers: Integers, text: Callable[[int], str]) -> Codes:
    """Codes of the texts of numbers; `text` is asked once for each distinct one."""
    found, indices = distinct(numbers)
    return pool.codes([text(number) for number in found.tolist()])[indices]


def number_texts(param: Param, ascending: Integers) -> list[str]:
    """What conditions see of distinct numbers where no state is needed.

    The same as `condition_text` of each; many of them are addresses and sizes, which are many.
    """
    first = int(np.searchsorted(ascending, 0)) if _plain_form(param) else len(ascending)
    texts = [condition_text(param, number) for number in ascending[:first].tolist()]
    form = _plain_form(param)
    return texts + [form % number for number in ascending[first:].tolist()]


def _plain_form(param: Param) -> str:
    """How numbers from 0 on are printed, where no table is asked; empty where one is."""
    if param.type == "ERRNO":
        return "%d"
    return _FORMATS.get(param.format, "") if param.type in _PLAIN else ""


def number_codes(param: Param, values: Values, numbers: Integers, resolver: Resolver) -> Codes:
    """Codes of what conditions see of numbers."""
    if param.type == "FD":
        return _descriptor_codes(param, values.rows, numbers, resolver)
    if param.type == "PID":
        names = resolver.thread_names(values.rows, numbers)
        nameless = (names == MISSING) | (names == resolver.pool.code(""))
        return _filled(names, nameless, numbers, resolver.pool, str)
    if param.type in {"UID", "GID"}:
        return _account_codes(param.type, values.rows, numbers, resolver)
    found, indices = distinct(numbers)
    return resolver.pool.codes(number_texts(param, found))[indices]


def _descriptor_codes(param: Param, rows: Integers, numbers: Integers, resolver: Resolver) -> Codes:
    codes = np.full(len(rows), MISSING, np.int32)
    is_open = numbers >= 0
    codes[is_open] = resolver.descriptor_texts(rows[is_open], numbers[is_open])
    return _filled(
        codes, codes == MISSING, numbers, resolver.pool, lambda fd: condition_text(param, fd)
    )


def _account_codes(kind: str, rows: Integers, numbers: Integers, resolver: Resolver) -> Codes:
    names = resolver.user_names if kind == "UID" else resolver.group_names
    codes = names(rows, numbers)
    pool = resolver.pool
    nameless = (codes == MISSING) | (codes == pool.code(""))
    codes = np.where(nameless, np.int32(pool.code(_NO_NAME)), codes)
    return np.where(numbers == _NO_ID, np.int32(pool.code(_UNSET)), codes)


def _filled(
    codes: Codes,
    gaps: np.ndarray,
    numbers: Integers,
    pool: TextPool,
    text: Callable[[int], str],
) -> Codes:
    """Codes, with texts of the numbers in the gaps."""
    codes = codes.copy()
    codes[gaps] = codes_of(pool, numbers[gaps], text)
    return codes


def is_relative(codes: Codes, pool: TextPool) -> np.ndarray:
    """Which paths, by code, are neither absolute nor empty nor missing."""
    found, indices = distinct(codes)
    answers = [text is not None and text[:1] not in {"", "/"} for text in pool.texts(found)]
    return np.array(answers, np.bool_)[indices]


def absolute_codes(directories: Codes, paths: Codes, pool: TextPool) -> Codes:
    """Codes of paths below directories, all by code; a missing directory is an empty one."""
    return _pair_codes(directories, paths, pool, absolute_path)


def prefixed_codes(prefixes: Codes, paths: Codes, pool: TextPool) -> Codes:
    """Codes of texts behind prefixes, as they are."""
    return _pair_codes(prefixes, paths, pool, lambda prefix, path: prefix + path)


def _pair_codes(
    first: Codes, second: Codes, pool: TextPool, text: Callable[[str, str], str]
) -> Codes:
    pairs = (first.astype(np.int64) + 1) << 32 | (second.astype(np.int64) + 1)
    found, indices = distinct(pairs)
    firsts = pool.texts((found >> 32) - 1)
    seconds = pool.texts((found & 0xFFFF_FFFF) - 1)
    texts = [
        None if path is None else text(directory or "", path)
        for directory, path in zip(firsts, seconds, strict=True)
    ]
    return pool.codes(texts)[indices] if len(found) else np.empty(0, np.int32)


_TO_NORMALISE = re.compile(r"//|/\.{0,2}(?:/|$)|^[^/]")
"""What a path contains that is not normal yet."""


@lru_cache(maxsize=1 << 16)
def absolute_path(directory: str, path: str) -> str:
    """A path below a directory, normalised.

    Below an unknown (empty) directory it stays relative. Falco gives up on what is too long before
    it normalises. Source: libs 48dfd53c, userspace/libsinsp/utils.cpp, `concatenate_paths`.

    Example:
        >>> absolute_path("/home/ann", "../b"), absolute_path("", "./x"), absolute_path("/y", "/x/")
        ('/home/b', 'x', '/x')
    """
    is_absolute = path.startswith("/")
    base = "" if is_absolute or not directory else directory.removesuffix("/") + "/"
    # A character stands for at most four bytes: few paths have to be measured.
    if 4 * (len(base) + len(path)) >= PATH_LIMIT_BYTES and (
        len(to_bytes(base)) + len(to_bytes(path)) >= PATH_LIMIT_BYTES
    ):
        return TOO_LONG
    if not path:
        return ""
    if (base or is_absolute) and not _TO_NORMALISE.search(base + path):
        return base + path
    joined = join_path(base, path)
    return joined if base or is_absolute else joined.removeprefix("/")
