"""Answers about the state for columns of arguments: names of descriptors, threads and users.

In: a batch and its state. Out: codes of texts, for any rows at once. It is the `Resolver` of
`arguments`.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from falcotrace.capture.distinct import distinct
from falcotrace.capture.text_pool import MISSING, TextPool
from falcotrace.scap.batch import EventBatch
from falcotrace.scap.opens import AT_FDCWD
from falcotrace.scap.state import BatchState

Integers = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]


class Lookups:
    """Look-ups in the state of one batch.

    Args:
        batch: the events.
        state: their state.
        pool: where codes of texts come from.
        event_descriptors: for each event the place of its own descriptor among the state's, -1
            without.
    """

    def __init__(
        self, batch: EventBatch, state: BatchState, pool: TextPool, event_descriptors: Integers
    ) -> None:
        self._batch = batch
        self._state = state
        self.pool = pool
        self._event_descriptors = event_descriptors

    def descriptors(self, rows: Integers, fds: Integers) -> Integers:
        """Places of descriptors among the state's; -1 for unknown ones."""
        return self._state.places_behind(rows, fds)

    def descriptor_texts(self, rows: Integers, fds: Integers) -> Codes:
        """What an argument that is a descriptor shows behind its number: `<f>/path`."""
        return self._state.descriptors.argument_texts(self.descriptors(rows, fds), self.pool)

    def descriptor_names(self, rows: Integers, fds: Integers) -> Codes:
        """Names of descriptors."""
        return self._state.descriptors.names(self.descriptors(rows, fds), self.pool)

    def directory_names(self, rows: Integers, fds: Integers) -> Codes:
        """Names of descriptors that are known to be directories."""
        return self._state.descriptors.directory_names(self.descriptors(rows, fds), self.pool)

    def event_descriptor_names(self, rows: Integers) -> Codes:
        """Names of the events' own descriptors."""
        return self._state.descriptors.names(self._event_descriptors[rows], self.pool)

    def directories(self, rows: Integers, dirfds: Integers) -> Codes:
        """What a relative path is relative to; MISSING where that is unknown."""
        names = self.descriptor_names(rows, dirfds)
        return np.where(dirfds == AT_FDCWD, self.working_directories(rows), names)

    def working_directories(self, rows: Integers) -> Codes:
        """Working directories of the events' processes."""
        return self._of_views(rows, "proc.cwd")

    def _of_views(self, rows: Integers, path: str) -> Codes:
        places, which = distinct(self._state.view_places[rows])
        texts: list[str | None] = []
        for place in places.tolist():
            view = self._state.views[place]
            value = None if view is None else view.columns[path]
            texts.append(value if isinstance(value, str) else None)
        codes: Codes = self.pool.codes(texts)[which]
        return codes

    def thread_names(self, rows: Integers, tids: Integers) -> Codes:
        """Names of threads by number, as of some events."""
        names = self._state.thread_names
        found, which = distinct(names.places(rows, tids))
        codes: Codes = self.pool.codes([names.name(place) for place in found.tolist()])[which]
        return codes

    def user_names(self, rows: Integers, uids: Integers) -> Codes:
        """Names of users, of the events' containers."""
        accounts = self._state.accounts
        return self._of_accounts(rows, uids, lambda *asked: accounts.user(*asked).name)

    def group_names(self, rows: Integers, gids: Integers) -> Codes:
        """Names of groups, likewise."""
        return self._of_accounts(rows, gids, self._state.accounts.group)

    def _of_accounts(
        self, rows: Integers, ids: Integers, name: Callable[[int, str, int], str]
    ) -> Codes:
        boxes = self._of_views(rows, "container.id")
        # Between two changes of the accounts a number means the same.
        changes = np.array(self._state.accounts.changed_rows, np.int64)
        asked = np.stack([ids, boxes, np.searchsorted(changes, rows, side="right")], axis=1)
        found, first, which = np.unique(asked, axis=0, return_index=True, return_inverse=True)
        texts: list[str | None] = []
        for (number, box, _), row in zip(found.tolist(), rows[first].tolist(), strict=True):
            container = "host" if box == MISSING else self.pool[box]
            texts.append(name(number, "" if container == "host" else container, row))
        codes: Codes = self.pool.codes(texts)[which.reshape(-1)]
        return codes
