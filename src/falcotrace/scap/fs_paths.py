"""The columns `fs.path.*` of imported events: which paths a successful call acted on.

In: an `EventBatch` and a `Resolver`. Out: columns: name for calls with one path, source and target
for calls with two; absolute, and as given.

Source: libs 48dfd53c, userspace/libsinsp/sinsp_filtercheck_fspath.cpp (FIELDS 5).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from falcotrace.capture.columns import Columns
from falcotrace.capture.text_pool import MISSING
from falcotrace.events.derived import OPEN_MODE_EVENTS
from falcotrace.events.event_types import EVENT_TYPES, EventType
from falcotrace.events.path_fields import DESCRIPTOR_EVENTS, PATH_ARGUMENTS
from falcotrace.events.paths import UNKNOWN_DIRECTORY
from falcotrace.scap.argument_texts import absolute_codes, is_relative, prefixed_codes
from falcotrace.scap.arguments import directory_descriptors, given_paths
from falcotrace.scap.batch import EventBatch, Integers
from falcotrace.scap.resolver import Codes, Resolver
from falcotrace.scap.results import has_result, results_of

_OPENED_BELOW = frozenset({"openat", "openat2"})
_BELOW_DIRECTORY = frozenset({"mkdirat", "unlinkat", "fchmodat", "fchownat", "symlinkat"})
_BELOW_ANY = frozenset({"renameat2"})
_LINK_TARGET = "target"


def put_fs_paths(batch: EventBatch, resolver: Resolver, columns: Columns) -> None:
    """Fill `fs.path.*` of all events that succeeded."""
    for code in batch.params:
        event = EVENT_TYPES[code]
        if not has_result(event):
            continue
        if event.name in DESCRIPTOR_EVENTS:
            _put_descriptor(batch, code, resolver, columns)
        for field, argument in PATH_ARGUMENTS.get(event.name, {}).items():
            paths = _paths(batch, event, argument, resolver)
            for suffix, codes in (("", paths.absolute()), ("raw", paths.given)):
                columns.put_codes(f"fs.path.{field}{suffix}", paths.rows, codes)


def _succeeded(batch: EventBatch, code: int) -> npt.NDArray[np.bool_]:
    """Which delivered events of a code show their paths."""
    values, results = results_of(batch, code)
    delivered = batch.params[code].rows[batch.is_delivered[batch.params[code].rows]]
    # Of opens Falco compares the result with -1 and not with 0: most failed ones count.
    is_open = EVENT_TYPES[code].name in OPEN_MODE_EVENTS
    counts = values.rows[results != -1 if is_open else results == 0]
    return np.isin(delivered, counts)


def _put_descriptor(batch: EventBatch, code: int, resolver: Resolver, columns: Columns) -> None:
    rows = batch.params[code].rows
    rows = rows[batch.is_delivered[rows]][_succeeded(batch, code)]
    names = resolver.event_descriptor_names(rows)
    columns.put_codes("fs.path.name", rows, names)
    columns.put_codes("fs.path.nameraw", rows, names)


def _paths(batch: EventBatch, event: EventType, argument: str, resolver: Resolver) -> "_Paths":
    names = [param.name for param in event.params]
    index = names.index(argument)
    given = given_paths(batch, event.code, index, resolver)
    counts = _succeeded(batch, event.code) & (given != MISSING)
    rows = batch.params[event.code].rows
    rows = rows[batch.is_delivered[rows]][counts]
    place = event.params[index].directory_index
    dirfds = None
    if place is not None:
        dirfds = directory_descriptors(batch, event.code, place)[counts]
    return _Paths(event.name, argument, rows, given[counts], dirfds, resolver)


@dataclass(frozen=True, slots=True, eq=False)
class _Paths:
    """One path of each event of a kind."""

    event: str
    argument: str
    rows: Integers
    given: Codes
    dirfds: Integers | None
    resolver: Resolver

    def absolute(self) -> Codes:
        """Codes of the paths made absolute."""
        pool = self.resolver.pool
        nowhere = np.full(len(self.rows), MISSING, np.int32)
        codes = absolute_codes(nowhere, self.given, pool)
        relative = np.flatnonzero(is_relative(self.given, pool))
        rows, given = self.rows[relative], self.given[relative]
        unknown = np.int32(pool.code(UNKNOWN_DIRECTORY))
        if self.event in _OPENED_BELOW:
            names = self.resolver.event_descriptor_names(rows)
            codes[relative] = np.where(names == MISSING, unknown, names)
            return codes
        bases, can_be_unknown = self._bases(rows, relative)
        joined = absolute_codes(bases, given, pool)
        if can_be_unknown:
            # Falco puts the word before the path as it stands.
            prefixes = np.full(len(rows), unknown, np.int32)
            joined = np.where(bases == MISSING, prefixed_codes(prefixes, given, pool), joined)
        codes[relative] = joined
        return codes

    def _bases(self, rows: Integers, relative: Integers) -> tuple[Codes, bool]:
        """Directories of the relative paths, and whether one may be unknown."""
        if self.event == "symlinkat" and self.argument == _LINK_TARGET:
            return np.full(len(rows), MISSING, np.int32), True
        if self.dirfds is not None and self.event in _BELOW_DIRECTORY:
            return self.resolver.directory_names(rows, self.dirfds[relative]), True
        if self.dirfds is not None and self.event in _BELOW_ANY:
            return self.resolver.directories(rows, self.dirfds[relative]), True
        return self.resolver.working_directories(rows), False
