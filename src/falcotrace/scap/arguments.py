"""Arguments of imported events: from parameters to the columns `evt.arg.*` and `evt.rawarg.*`.

In: an `EventBatch` and a `Resolver`. Out: columns, one argument at a time or all of them, in the
form that `events.columns` gives them. The same parameter of all events is made at once.
"""

from dataclasses import dataclass

import numpy as np

from falcotrace.capture.columns import Columns
from falcotrace.capture.text_pool import MISSING
from falcotrace.events.columns import BUFFER_PARAM, COLUMNS, PATHS, is_number_column
from falcotrace.events.event_types import Param
from falcotrace.events.numbers import AT_FDCWD
from falcotrace.events.unions import UNIONS, dotted
from falcotrace.scap.addresses import sockaddr_text, socktuple_text
from falcotrace.scap.argument_texts import (
    absolute_codes,
    is_relative,
    number_codes,
)
from falcotrace.scap.argument_values import (
    WIDTHS,
    Values,
    delivered_values,
    distinct_values,
    joined_values,
    numbers_of,
    read_numbers,
    text_codes,
)
from falcotrace.scap.batch import Bytes, EventBatch
from falcotrace.scap.parameter_places import Place, names_of, places_of
from falcotrace.scap.poll_lists import put_poll_argument
from falcotrace.scap.resolver import Codes, Resolver

_MARKS = frozenset({"nativeID", "plugin_id"})
"""Generic and asynchronous events are known by these arguments, for `evt.type` has other names."""

_ADDRESSES = {"SOCKADDR": sockaddr_text, "SOCKTUPLE": socktuple_text}


def argument_names(batch: EventBatch) -> tuple[str, ...]:
    """The arguments that events of a batch may have, in the order of the event table."""
    codes = sorted(code for code, params in batch.params.items() if len(params.rows))
    return tuple(dict.fromkeys(name for code in codes for name in names_of(code)))


def put_arguments(batch: EventBatch, resolver: Resolver, columns: Columns) -> None:
    """Fill the columns of all arguments."""
    for name in argument_names(batch):
        put_argument(name, batch, resolver, columns)


def put_argument(name: str, batch: EventBatch, resolver: Resolver, columns: Columns) -> None:
    """Fill the columns of one argument: `evt.arg.NAME`, `evt.rawarg.NAME`, `evt.buffer`."""
    groups: dict[Param, list[Place]] = {}
    for place in places_of(name):
        if place.code in batch.params:
            groups.setdefault(place.param, []).append(place)
    filler = _Filler(batch, resolver, columns)
    if name in _MARKS:
        for places in groups.values():
            filler.put_marks(places)
    for param, places in groups.items():
        if param.type in PATHS:
            filler.put_paths(param, places)
            continue
        parts = [delivered_values(batch, place.code, place.index) for place in places]
        values = joined_values(parts)
        filler.put(param, values.where(values.lengths > 0))


@dataclass(frozen=True, slots=True, eq=False)
class _Filler:
    """Puts the values of parameters into columns."""

    batch: EventBatch
    resolver: Resolver
    columns: Columns

    @property
    def data(self) -> Bytes:
        return self.batch.data

    def put(self, param: Param, values: Values) -> None:
        """Fill the columns of a parameter of any type but a path."""
        if not len(values):
            return
        if param.type in WIDTHS:
            self.put_numbers(param, values)
        elif param.type == "CHARBUF":
            codes = text_codes(self.data, values, self.resolver.pool)
            self.columns.put_codes(f"evt.arg.{param.name}", values.rows, codes)
        elif param.type == "BYTEBUF":
            self.put_bytes(param, values)
        elif param.type in _ADDRESSES:
            found, indices = distinct_values(self.data, values)
            texts = [_ADDRESSES[param.type](raw) for raw in found]
            self.columns.put_texts(f"evt.arg.{param.name}", values.rows, texts, indices)
        elif param.type == "FDLIST":
            put_poll_argument(param.name, values, self.data, self.resolver, self.columns)
        elif param.type == "DYN":
            self.put_union(param, values)

    def put_marks(self, places: list[Place]) -> None:
        """Zeros, to be overwritten where there is a number."""
        for place in places:
            rows = delivered_values(self.batch, place.code, place.index).rows
            self.columns.put_numbers(f"evt.arg.{place.param.name}", rows, 0)

    def put_numbers(self, param: Param, values: Values) -> None:
        """Numbers: as such, or as text with the number beside it."""
        values, numbers = numbers_of(self.data, values, param.type)
        plain, raw = f"evt.arg.{param.name}", f"evt.rawarg.{param.name}"
        if is_number_column(param.name):
            self.columns.put_numbers(plain, values.rows, numbers)
            return
        if raw in COLUMNS and not COLUMNS[raw].is_text:
            self.columns.put_numbers(raw, values.rows, numbers)
        codes = number_codes(param, values, numbers, self.resolver)
        self.columns.put_codes(plain, values.rows, codes)

    def put_bytes(self, param: Param, values: Values) -> None:
        """Bytes as they are; what an event reads or writes has a column of its own."""
        path = "evt.buffer" if param.name == BUFFER_PARAM else f"evt.arg.{param.name}"
        found, indices = distinct_values(self.data, values)
        self.columns.put_bytes(path, values.rows, found, indices)

    def put_union(self, param: Param, values: Values) -> None:
        """A union: its first byte says what follows."""
        selectors = read_numbers(self.data, values.offsets, 1, is_signed=False)
        for selector, kind in enumerate(UNIONS.get(param.name, ())):
            chosen = values.where(selectors == selector).behind(1)
            chosen = chosen.where(chosen.lengths > 0)
            if kind == "BYTEBUF":
                found, indices = distinct_values(self.data, chosen)
                path = f"evt.arg.{param.name}"
                self.columns.put_texts(path, chosen.rows, [dotted(raw) for raw in found], indices)
            else:
                self.put(Param(param.name, kind, param.format, ""), chosen)

    def put_paths(self, param: Param, places: list[Place]) -> None:
        """Paths: absolute, and as given where that is relative."""
        for_cwd = param.directory_index is None
        parts = [self.path_parts(place) for place in places]
        values = joined_values([part[0] for part in parts])
        if not len(values):
            return
        pool = self.resolver.pool
        given = text_codes(self.data, values, pool)
        relative = np.flatnonzero(is_relative(given, pool))
        rows = values.rows[relative]
        if for_cwd:
            bases = self.resolver.working_directories(rows)
        else:
            dirfds = np.concatenate([part[1] for part in parts])[relative]
            bases = self.resolver.directories(rows, dirfds)
        shown = given.copy()
        absolute = absolute_codes(bases, given[relative], pool)
        # What joining leaves empty is shown as it was given, and only so.
        is_joined = absolute != pool.code("")
        shown[relative[is_joined]] = absolute[is_joined]
        self.columns.put_codes(f"evt.arg.{param.name}", values.rows, shown)
        as_given = given[relative[is_joined]]
        self.columns.put_codes(f"evt.rawarg.{param.name}", rows[is_joined], as_given)

    def path_parts(self, place: Place) -> tuple[Values, np.ndarray]:
        """The paths of one kind of event that have a value, and their directories' descriptors."""
        values = delivered_values(self.batch, place.code, place.index)
        present = values.lengths > 0
        index = place.param.directory_index
        if index is None:
            return values.where(present), np.empty(0, np.int64)
        return values.where(present), directory_descriptors(self.batch, place.code, index)[present]


def directory_descriptors(batch: EventBatch, code: int, index: int) -> np.ndarray:
    """The descriptors in a parameter of all delivered events of a code.

    Without a value it is the working directory's: old captures may lack the parameter.
    """
    values = delivered_values(batch, code, index)
    dirfds = np.full(len(values), AT_FDCWD, np.int64)
    present = values.lengths == WIDTHS["FD"]
    dirfds[present] = read_numbers(batch.data, values.offsets[present], 8, is_signed=True)
    return dirfds


def given_paths(batch: EventBatch, code: int, index: int, resolver: Resolver) -> Codes:
    """Codes of a path parameter of all delivered events of a code, as given."""
    values = delivered_values(batch, code, index)
    codes = np.full(len(values), MISSING, np.int32)
    present = values.lengths > 0
    codes[present] = text_codes(batch.data, values.where(present), resolver.pool)
    return codes
