"""What the decoder works on: the events of a block as arrays, and what is known beside them.

In: nothing. Out: two records that the decoding steps pass to each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from falcotrace.capture.address_names import AddressNames
from falcotrace.capture.text_pool import TextPool
from falcotrace.record.accounts import Accounts
from falcotrace.record.files import OpenFiles
from falcotrace.record.processes import Processes
from falcotrace.record.runtimes.containers import Containers
from falcotrace.record.syscalls import Syscall


@dataclass(frozen=True)
class Known:
    """What is known beside the events themselves.

    Attributes:
        arch: whose numbers system calls have, `x86_64` or `aarch64`.
        syscalls: what travels with each system call, by its number.
        names: names of addresses, as of each place of the block that is being decoded.
        data_bytes: how much of each buffer was asked for.
        joined_paths: codes of paths by the codes of a directory and of a path below it.
    """

    arch: str
    pool: TextPool
    files: OpenFiles
    processes: Processes
    accounts: Accounts
    syscalls: Mapping[int, Syscall]
    containers: Containers = field(default_factory=Containers)
    names: AddressNames = field(default_factory=AddressNames)
    data_bytes: int = 0
    joined_paths: dict[tuple[int, int], int] = field(default_factory=dict)


@dataclass(frozen=True)
class MergedEvents:
    """The events of a block in the order of the stream, as arrays.

    Attributes:
        before: the open file whose name each event's file had before it; 0 none, or the same.
    """

    data: np.ndarray
    position: np.ndarray
    fixed: np.ndarray
    with_data: np.ndarray
    data_index: np.ndarray
    parts_start: np.ndarray
    before: np.ndarray

    def take(self, rows: np.ndarray) -> "MergedEvents":
        """Some of the events."""
        return replace(
            self,
            position=self.position[rows],
            fixed=self.fixed[rows],
            data_index=self.data_index[rows],
            before=self.before[rows],
        )
