"""Turns drained samples into the columns of row groups.

In: batches of the ring. Out: columns of events and tables of process states, as a writer takes
them. Keeps what has been described so far: files, processes, texts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcotrace.capture.encoding import KEY
from falcotrace.capture.parquet.values import Sparse, Stepwise
from falcotrace.capture.text_pool import MISSING, TextPool
from falcotrace.events.control_groups import HOST
from falcotrace.record.accounts import Accounts
from falcotrace.record.compat_calls import compat_syscalls
from falcotrace.record.descriptions import (
    take_control_groups,
    take_files,
    take_images,
    take_processes,
)
from falcotrace.record.events import event_columns, merge_events, name_files
from falcotrace.record.exchanges import Exchanges
from falcotrace.record.files import OpenFiles
from falcotrace.record.interfaces import Interfaces
from falcotrace.record.known import Known
from falcotrace.record.process_table import process_table
from falcotrace.record.processes import UNKNOWN_KEY, Processes
from falcotrace.record.ring import Batch
from falcotrace.record.rings import Rings
from falcotrace.record.runtimes.containers import Containers
from falcotrace.record.samples import SampleBlock, block_of
from falcotrace.record.syscalls import syscalls_by_number

ROW_GROUP_EVENTS = 500_000
"""Events that make a row group worth its own cost, and more than which need too much memory."""

REMEMBERED_PATHS = 1 << 20
"""Pairs of a directory and a path below it whose joined form is remembered."""

REMEMBERED_TEXTS = 1 << 20
"""Texts of all kinds behind which those that nothing refers to are forgotten."""

_NO_INTERFACES = Interfaces()
_NO_PROCESSES = pa.table({KEY: pa.array([], pa.int64())})


@dataclass(frozen=True, slots=True, eq=False)
class Converted:
    """What one block became.

    Attributes:
        block: its samples.
        columns: the events' columns by path; None where it held descriptions alone.
        processes: the states of their processes.
        position: how far the stream is converted, bytes.
        next_num: the next event's `evt.num`.
        last_key: the greatest `proc.key` so far.
    """

    block: SampleBlock
    columns: Mapping[str, pa.Array | Sparse | Stepwise] | None
    processes: pa.Table
    position: int
    next_num: int
    last_key: int


class Converter:
    """Converts the samples of one recording.

    Args:
        accounts: names of users and groups.
        arch: whose numbers system calls have, `x86_64` or `aarch64`.
        boot_to_epoch_ns: added to times since boot.
        data_bytes: how much of each buffer was asked for.
        interfaces: the host's addresses.
        containers: what runtimes told.
        numbers: make columns of these system calls only, `PROCEXIT_NUMBER` for ends of processes;
            None: of all events. The others count, and what they tell is known.
    """

    def __init__(
        self,
        accounts: Accounts,
        arch: str,
        boot_to_epoch_ns: int,
        data_bytes: int = 0,
        interfaces: Interfaces = _NO_INTERFACES,
        containers: Containers | None = None,
        numbers: frozenset[int] | None = None,
    ) -> None:
        pool = TextPool()
        self._boot_to_epoch_ns = boot_to_epoch_ns
        self._position = 0
        self._next_num = 1
        self.saw_container = False
        self.rings = Rings()
        self._known = Known(
            arch=arch,
            pool=pool,
            files=OpenFiles(pool),
            processes=Processes(),
            accounts=accounts,
            syscalls=syscalls_by_number(arch) | compat_syscalls(arch),
            containers=containers or Containers(),
            data_bytes=data_bytes,
        )
        self._exchanges = Exchanges(interfaces)
        self._numbers = None if numbers is None else np.array(sorted(numbers))

    @property
    def event_count(self) -> int:
        """Events so far."""
        return self._next_num - 1

    @property
    def known(self) -> Known:
        """What has been described so far."""
        return self._known

    def go_on(self, position: int, next_num: int, last_key: int) -> None:
        """Go on where another converter stopped; before anything is made known."""
        self._position, self._next_num = position, next_num
        self._known.processes.last_key = last_key

    def convert(self, batches: Sequence[Batch]) -> Iterator[Converted]:
        """Convert batches, as one row group unless they are very many."""
        pending: list[Batch] = []
        count = 0
        for batch in batches:
            pending.append(batch)
            count += len(batch)
            if count >= ROW_GROUP_EVENTS:
                yield self._convert_block(pending)
                pending, count = [], 0
        if pending:
            yield self._convert_block(pending)

    def _convert_block(self, batches: Sequence[Batch]) -> Converted:
        block = block_of(batches, self._position)
        self._position += len(block.data)
        known = self._known
        known.containers.refresh()
        take_images(block, known.processes)
        take_control_groups(block, known.processes)
        take_files(block, known.files)
        take_processes(block, known.processes)
        columns, processes = None, _NO_PROCESSES
        events = merge_events(block)
        self.rings.note(block, events, known.processes)
        nums = np.arange(self._next_num, self._next_num + len(events.fixed))
        self._next_num += len(events.fixed)
        known.names.begin_block()
        name_files(events, known, self._exchanges)
        if self._numbers is not None:
            rows = np.flatnonzero(np.isin(events.fixed["nr"], self._numbers))
            events, nums = events.take(rows), nums[rows]
        if len(nums):
            columns = event_columns(events, known, nums, self._boot_to_epoch_ns)
            processes = self._process_table(columns[KEY])
        known.processes.forget_ended()
        known.containers.forget_unused(known.processes.states.values())
        known.files.forget_unused(known.processes.standard_files())
        if len(known.joined_paths) > REMEMBERED_PATHS:
            known.joined_paths.clear()
        if len(known.pool) > REMEMBERED_TEXTS:
            self._renew_pool()
        return Converted(
            block=block,
            columns=columns,
            processes=processes,
            position=self._position,
            next_num=self._next_num,
            last_key=known.processes.last_key,
        )

    def _renew_pool(self) -> None:
        """Forget texts that only events of the past have shown."""
        known = self._known
        used = known.files.used_codes()
        codes = np.full(len(known.pool), MISSING, np.int32)
        texts = known.pool.texts(used)
        known.pool.reset()
        codes[used] = known.pool.codes(texts)
        known.files.recode(known.pool, codes)
        known.joined_paths.clear()

    def _process_table(self, keys_of_events: pa.Array) -> pa.Table:
        keys = keys_of_events.unique().to_pylist()
        rows = [self._known.processes.rows[key] for key in keys if key != UNKNOWN_KEY]
        known = self._known
        table = process_table(rows, known.accounts, known.containers, self._boot_to_epoch_ns)
        self.saw_container |= pc.any(pc.not_equal(table["container.id"], HOST)).as_py() is True
        if UNKNOWN_KEY in keys:
            unknown = pa.table({KEY: pa.array([UNKNOWN_KEY], pa.int64())})
            table = pa.concat_tables([table, unknown], promote_options="default")
        return table
