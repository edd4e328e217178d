"""A batch of events after upgrading: what the reader hands to the state engine and to columns.

In: nothing. Out: the data structures. Events are rows, numbered from 0 in file order; parameters
are places in one buffer of bytes, so that nothing is copied and nothing loops over events.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Lengths = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

NO_ROW = -1
"""In `EventBatch.enters`: no enter event is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Params:
    """Parameters of all events of one code in a batch, in the order of `EventType.params`.

    Attributes:
        rows: the events, ascending, int64 [n].
        offsets: where each parameter begins in `EventBatch.data`, int64 [n, parameters].
        lengths: its bytes, int32 [n, parameters]; 0 means that there is no value.
    """

    rows: Integers
    offsets: Integers
    lengths: Lengths


@dataclass(frozen=True, slots=True, eq=False)
class EventBatch:
    """Events in file order, each of a current code (see `events.event_types.current_events`).

    Attributes:
        data: the bytes that parameters lie in; values that the upgrade made up lie there too.
        nums: `evt.num`; 0 for events that an earlier batch has counted already and that are here
            only because an exit event may need them (`is_carried`).
        times_ns: since the epoch.
        tids: the thread; -1 or 0 for some events of the whole machine.
        cpus: int32.
        codes: event code after upgrading, int32.
        is_delivered: whether rules see the event; enter events and events about users and groups
            only pass on to the state.
        is_carried: enter events of an earlier batch, at the beginning.
        enters: for each event the row of the enter event of the same call that passed, or `NO_ROW`.
        params: parameters by code.
    """

    data: Bytes
    nums: Integers
    times_ns: Integers
    tids: Integers
    cpus: npt.NDArray[np.int32]
    codes: npt.NDArray[np.int32]
    is_delivered: Bools
    is_carried: Bools
    enters: npt.NDArray[np.int32]
    params: Mapping[int, Params]

    def __len__(self) -> int:
        return len(self.codes)
