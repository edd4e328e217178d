"""What arguments ask of the state of threads and descriptors.

In: nothing. Out: the protocol that the state engine implements.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from falcotrace.capture.text_pool import TextPool

Integers = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]


class Resolver(Protocol):
    """Answers questions about the state as it was after an event.

    Every method takes rows of one batch, in any order, and as many numbers; it answers codes of
    texts in `pool`, `MISSING` where nothing is known.
    """

    @property
    def pool(self) -> TextPool:
        """Where the codes come from; the pool of the columns that are filled."""

    def descriptor_texts(self, rows: Integers, fds: Integers) -> Codes:
        """Descriptors as arguments show them: `<f>/etc/passwd`, `<4t>` and both ends.

        Between the brackets `fd.typechar`, for IP sockets followed by t, u, i or r.
        """

    def descriptor_names(self, rows: Integers, fds: Integers) -> Codes:
        """`fd.name` of descriptors of the events' processes."""

    def thread_names(self, rows: Integers, tids: Integers) -> Codes:
        """Names of threads in the table, `<NA>` of one that was only heard of."""

    def user_names(self, rows: Integers, uids: Integers) -> Codes:
        """Names of users among those of the thread's container, or of the host."""

    def group_names(self, rows: Integers, gids: Integers) -> Codes:
        """Names of groups, likewise."""

    def working_directories(self, rows: Integers) -> Codes:
        """The working directories of the events' processes."""

    def directories(self, rows: Integers, dirfds: Integers) -> Codes:
        """The working directory for `AT_FDCWD`, for other descriptors their name."""

    def directory_names(self, rows: Integers, fds: Integers) -> Codes:
        """`fd.name` of descriptors that are known to be directories."""

    def event_descriptor_names(self, rows: Integers) -> Codes:
        """`fd.name` of the events' own descriptors; `MISSING` without an entry in the table."""
