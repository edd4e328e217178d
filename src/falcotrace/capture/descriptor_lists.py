"""Lists of descriptors, which poll and ppoll take: how their argument and `fdlist.*` are shown.

In: all entries of all lists of a row group, one behind the other, with the texts and names of what
stands behind them. Out: columns. Lists that show the same are joined once. Who stands behind a
descriptor is the caller's business.

Source: libs 48dfd53c, userspace/libsinsp/sinsp_filtercheck_fdlist.cpp (FIELDS 4.12).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from falcotrace.capture.columns import Columns
from falcotrace.capture.distinct import distinct
from falcotrace.capture.text_pool import MISSING, TextPool, distinct_bytes

Integers = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]

_MOST_CHARACTERS = 1 << 27
"""Of all lists of a row group; ten bytes of a hostile list can stand for a name of a thousand."""

_UNKNOWN_TYPE = "?"
_NO_NAME = "<NA>"
_ANY_ADDRESS = {"4": "0.0.0.0", "6": "::"}  # noqa: S104 - a text, nothing is bound


@dataclass(frozen=True, slots=True, eq=False)
class DescriptorLists:
    """The entries of all lists, list by list.

    Attributes:
        rows: the event of each list.
        counts: how many entries each list has.
        fds: the descriptor of each entry.
        flags: Falco's poll flags of each entry.
        texts: code of each descriptor as arguments show it, `<4t>` and its name; MISSING unknown.
    """

    rows: Integers
    counts: Integers
    fds: Integers
    flags: Integers
    texts: Codes


def put_list_argument(name: str, lists: DescriptorLists, pool: TextPool, columns: Columns) -> None:
    """Fill the argument that is a list: `3:f1 4:p0`, the type's character and the flags."""
    kinds = _of_texts(pool, lists.texts, lambda text: text[1:2] if text else _UNKNOWN_TYPE)
    triples = np.stack([lists.fds, lists.flags, kinds.astype(np.int64)], axis=1)
    found, indices = _distinct_rows(triples)
    shown = [
        f"{fd % (1 << 64)}:{pool[kind]}{flags % (1 << 32):x}" for fd, flags, kind in found.tolist()
    ]
    codes = _joined(pool.codes(shown)[indices], lists.counts, pool, " ")
    columns.put_codes(f"evt.arg.{name}", lists.rows, codes)


def put_list_columns(
    lists: DescriptorLists, names: Codes, pool: TextPool, columns: Columns
) -> None:
    """Fill the columns `fdlist.*`.

    Args:
        lists: the entries.
        names: code of each entry's `fd.name`.
        pool: where codes of texts come from.
        columns: filled.
    """
    nameless = (names == MISSING) | (names == pool.code(""))
    found, indices = distinct(lists.fds)
    shown = {
        "nums": pool.codes([str(fd) for fd in found.tolist()])[indices],
        "names": np.where(nameless, np.int32(pool.code(_NO_NAME)), names),
    }
    for field, part in _END_PARTS.items():
        shown[field] = _of_texts(pool, lists.texts, part)
    for field, codes in shown.items():
        joined = _joined(codes, lists.counts, pool, ",")
        joined[joined == pool.code("")] = MISSING
        columns.put_codes(f"fdlist.{field}", lists.rows, joined)


def _of_texts(pool: TextPool, codes: Codes, part: Callable[[str | None], str | None]) -> Codes:
    found, indices = distinct(codes)
    return pool.codes([part(text) for text in pool.texts(found)])[indices]


def _distinct_rows(numbers: Integers) -> tuple[Integers, Integers]:
    if not len(numbers):
        return numbers, np.empty(0, np.int64)
    found, indices = np.unique(numbers, axis=0, return_inverse=True)
    return found, indices.reshape(-1)


def _joined(codes: Codes, counts: Integers, pool: TextPool, separator: str) -> Codes:
    """Codes of the joined texts of each list; entries without a text are left out.

    Lists beyond a limit have none.
    """
    data = np.ascontiguousarray(codes, np.int32).view(np.uint8)
    starts = (np.cumsum(counts) - counts) * 4
    found, indices = distinct_bytes(data, starts, counts * 4)
    texts: list[str | None] = []
    room = _MOST_CHARACTERS
    for raw in found:
        text = separator.join(filter(None, pool.texts(np.frombuffer(raw, np.int32))))
        room -= len(text)
        texts.append(text if room >= 0 else None)
    return pool.codes(texts)[indices] if len(counts) else np.empty(0, np.int32)


def _end(text: str | None, *, is_client: bool, is_port: bool) -> str | None:
    """One part of one end of an IP socket, of which `text` is `<4t>` and its ends."""
    if text is None or text[1:2] not in _ANY_ADDRESS:
        return None
    name = text.partition(">")[2]
    left, arrow, right = name.partition("->")
    is_listening = bool(left) and not arrow
    if is_listening and is_client and not is_port:
        return None
    # Falco's list of client ports shows the port of a listening socket as well.
    end = left if is_listening or is_client else right
    address, _, port = end.rpartition(":")
    return (port or "0") if is_port else (address or _ANY_ADDRESS[text[1]])


_END_PARTS: dict[str, Callable[[str | None], str | None]] = {
    "cips": lambda text: _end(text, is_client=True, is_port=False),
    "sips": lambda text: _end(text, is_client=False, is_port=False),
    "cports": lambda text: _end(text, is_client=True, is_port=True),
    "sports": lambda text: _end(text, is_client=False, is_port=True),
}
