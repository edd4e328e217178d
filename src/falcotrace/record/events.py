"""From samples to the columns of a row group.

In: a block of samples, and everything described so far. Out: the event columns of all its system
    calls and process ends, in the order in which the kernel made them.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from falcotrace.capture.columns import Columns
from falcotrace.capture.distinct import distinct
from falcotrace.capture.parquet.values import Sparse, Stepwise
from falcotrace.capture.text_pool import MISSING
from falcotrace.events.derived import FD_EVENTS
from falcotrace.events.event_types import EVENT_TYPES, SYSCALLS, EventType, current_events
from falcotrace.events.numbers import result_text
from falcotrace.record.answers import note_answers
from falcotrace.record.arguments import put_arguments
from falcotrace.record.call import CallEvents
from falcotrace.record.compat_calls import (
    COMPAT_OFFSET,
    X32_BIT,
    X32_OFFSET,
    compat_by_number,
    x32_names,
)
from falcotrace.record.cuts import event_cuts
from falcotrace.record.descriptors import (
    name_opened_files,
    note_renamed,
    put_descriptor_columns,
)
from falcotrace.record.exchanges import Exchanges
from falcotrace.record.exits import put_exits
from falcotrace.record.fs_paths import put_fs_paths
from falcotrace.record.known import Known, MergedEvents
from falcotrace.record.layout import EVENT, EVENT_DATA, HeaderFlag, SampleType
from falcotrace.record.samples import SampleBlock
from falcotrace.record.syscalls import ROWS, syscalls_by_number

PROCEXIT_NUMBER = 0xFFFF
"""Stands for the number of a system call in the merged events of process ends."""

_MOST = 0x3FF
"""No table of 32-bit calls reaches so far; numbers beyond it are this one."""

STREAMS = ("stdin", "stdout", "stderr")
"""Descriptors 0, 1 and 2, as fields name them."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a system call number means.

    The name that `evt.type` shows, and its event if it has one.
    """

    name: str
    event: EventType | None


@cache
def calls(arch: str) -> dict[int, Call]:
    """System calls of an architecture (`x86_64`, `aarch64`) by number, 32-bit ones too."""
    by_constant = {event.constant: event for event in EVENT_TYPES}
    exit_events = {syscall.name: by_constant.get(syscall.exit_event) for syscall in SYSCALLS}
    events = current_events()

    def meaning(name: str) -> Call:
        event = exit_events.get(name)
        current = events.get(event.name) if event and event.name != "syscall" else None
        return Call(current.name if current else name, current)

    found = {number: meaning(call.name) for number, call in syscalls_by_number(arch).items()}
    for number, compat in compat_by_number(arch).items():
        call = compat.call
        found[COMPAT_OFFSET | number] = meaning(call.name) if call else Call(compat.name, None)
    if arch == "x86_64":
        found |= {number: Call(meaning(name).name, None) for number, name in x32_names().items()}
    return found


@cache
def numbers_by_name(arch: str) -> dict[str, tuple[int, ...]]:
    """Numbers of the calls that are decoded, by the names of their events."""
    found: dict[str, list[int]] = {}
    for number, call in calls(arch).items():
        if call.event is not None:
            found.setdefault(call.name, []).append(number)
    return {name: tuple(numbers) for name, numbers in found.items()}


def merge_events(block: SampleBlock) -> MergedEvents:
    """Bring plain events, events with parts and ends of threads into the order of the stream."""
    plain = block.fixed(SampleType.EVENT)
    with_data = block.fixed(SampleType.EVENT_DATA)
    exits = block.fixed(SampleType.EXIT)
    fixed = np.concatenate([plain, _event_part(with_data), _exit_part(exits)])
    position = np.concatenate(
        [
            block.positions(kind)
            for kind in (SampleType.EVENT, SampleType.EVENT_DATA, SampleType.EXIT)
        ]
    )
    data_index = np.full(len(fixed), -1, np.int64)
    data_index[len(plain) : len(plain) + len(with_data)] = np.arange(len(with_data))
    order = np.argsort(position, kind="stable")
    fixed[: len(fixed) - len(exits)]["nr"] = _numbers(fixed[: len(fixed) - len(exits)])
    return MergedEvents(
        data=block.data,
        position=position[order],
        fixed=fixed[order],
        with_data=with_data,
        data_index=data_index[order],
        parts_start=block.starts[SampleType.EVENT_DATA].astype(np.int64) + EVENT_DATA.itemsize,
        before=np.zeros(len(fixed), np.int64),
    )


def _numbers(fixed: np.ndarray) -> np.ndarray:
    """Numbers of calls, 32-bit ones apart; whatever a program asks for, none is an end's."""
    numbers = fixed["nr"]
    low = np.where(numbers & COMPAT_OFFSET, _MOST, numbers & (X32_BIT - 1))
    compat = COMPAT_OFFSET | numbers & X32_BIT | np.minimum(low, _MOST)
    is_compat = fixed["flags"] & HeaderFlag.COMPAT != 0
    return np.where(is_compat, compat, np.minimum(numbers, ROWS))


def _event_part(with_data: np.ndarray) -> np.ndarray:
    part = np.empty(len(with_data), EVENT)
    for name in EVENT.names or ():
        part[name] = with_data[name]
    return part


def _exit_part(exits: np.ndarray) -> np.ndarray:
    """Ends of threads as events: the exit code as argument 0, the reaper as argument 1."""
    part = np.zeros(len(exits), EVENT)
    for name in ("type", "flags", "cpu", "ts_ns", "process_id"):
        part[name] = exits[name]
    part["nr"] = PROCEXIT_NUMBER
    part["ret"] = exits["code"]
    part["args"][:, 0] = exits["code"].astype(np.int64).view(np.uint64)
    part["args"][:, 1] = exits["reaper_tid"]
    return part


def name_files(events: MergedEvents, known: Known, exchanges: Exchanges) -> None:
    """Take in what events tell about files and their peers: names of both, and who the peers are.

    Args:
        events: merged events; their descriptions have been taken in.
        known: files, processes, texts, names of addresses.
        exchanges: peers of datagram sockets.
    """
    numbers = numbers_by_name(known.arch)
    name_opened_files(events, known, numbers)
    note_renamed(events, known)
    exchanges.name(events, known, numbers)
    note_answers(events, known, numbers)


def event_columns(
    events: MergedEvents, known: Known, nums: np.ndarray, boot_to_epoch_ns: int
) -> dict[str, pa.Array | Sparse | Stepwise]:
    """Make the event columns of a row group.

    Args:
        events: merged events; what they tell has been taken in.
        known: files, processes, texts.
        nums: their `evt.num`.
        boot_to_epoch_ns: added to times since boot.
    """
    count = len(events.fixed)
    keys = known.processes.keys_at(events.fixed["process_id"], events.position)
    columns = Columns(count, known.pool, _file_order(keys))
    _put_common(events, known, columns, keys, nums, boot_to_epoch_ns)
    order = np.argsort(events.fixed["nr"], kind="stable")
    found, starts = np.unique(events.fixed["nr"][order], return_index=True)
    bounds = [*starts.tolist(), count]
    for index, number in enumerate(found.tolist()):
        rows = order[bounds[index] : bounds[index + 1]]
        if number == PROCEXIT_NUMBER:
            put_exits(events, rows, known, columns)
        else:
            _put_call(number, CallEvents(number, rows, events, known), known, columns)
    return columns.compact()


def _file_order(keys: np.ndarray) -> np.ndarray:
    """Where each event stands in the row group: sorted by process state, then as they came."""
    found, places = distinct(keys)
    # Stable sorts of 16-bit integers are radix sorts.
    small = places.astype(np.uint16) if len(found) <= 1 << 16 else places
    order = np.argsort(small, kind="stable")
    place = np.empty(len(keys), np.int64)
    place[order] = np.arange(len(keys))
    return place


def _put_common(
    events: MergedEvents,
    known: Known,
    columns: Columns,
    keys: np.ndarray,
    nums: np.ndarray,
    boot_to_epoch_ns: int,
) -> None:
    every = np.arange(len(keys))
    fixed = events.fixed
    columns.put_numbers("evt.num", every, nums)
    times = fixed["ts_ns"].astype(np.int64) + boot_to_epoch_ns
    columns.put_numbers("evt.time", every, times)
    columns.put_numbers("evt.cpu", every, fixed["cpu"])
    columns.put_numbers("evt.compat", every, fixed["flags"] & HeaderFlag.COMPAT != 0)
    # DIFFERS: what is asked of an io_uring makes no event in Falco. Here it is the event of the
    # call that it stands for, since rules are about what a process does; this column tells.
    columns.put_numbers("evt.io_uring", every, fixed["flags"] & HeaderFlag.IO_URING != 0)
    process_ids = fixed["process_id"]
    columns.put_numbers("proc.key", every, keys)
    found, indices = distinct(process_ids)
    states = [known.processes.states.get(number) for number in found.tolist()]
    for path, member in (("thread.tid", "tid"), ("thread.vtid", "vtid")):
        values = np.array([state[member] if state else 0 for state in states], np.int64)
        valid = np.array([state is not None for state in states], np.bool_)
        columns.put_numbers(path, every, values[indices], valid[indices])
    for number, stream in enumerate(STREAMS):
        ids = np.array([state.std_files[number] if state else 0 for state in states], np.int64)
        files, which = known.files.distinct(ids)
        types = [file.type if file else None for file in files]
        columns.put_codes(f"proc.{stream}.name", every, known.files.name_codes(ids)[indices])
        columns.put_texts(f"proc.{stream}.type", every, types, which[indices])


def _put_call(number: int, call: CallEvents, known: Known, columns: Columns) -> None:
    meaning = calls(known.arch).get(number)
    if meaning is None:
        name = "unknown" if number < COMPAT_OFFSET else f"compat_{number & ~X32_OFFSET}"
        columns.put_codes("evt.type", call.rows, known.pool.code(name))
        return
    columns.put_codes("evt.type", call.rows, known.pool.code(meaning.name))
    event = meaning.event
    if event is None:
        # Falco's generic event has no result: only the call's number travels.
        columns.put_numbers("evt.arg.nativeID", call.rows, number & ~X32_OFFSET)
        return
    cuts = event_cuts(event, call)
    columns.put_codes("evt.cut", call.rows, cuts)
    columns.put_numbers("evt.truncated", call.rows, (cuts != MISSING) | (call.cut_parts != 0))
    results = call.results
    known_rows = call.rows[call.has_result]
    columns.put_numbers("evt.rawres", known_rows, results[call.has_result])
    found, indices = distinct(np.minimum(results[call.has_result], 0))
    texts = [result_text(result) for result in found.tolist()]
    columns.put_texts("evt.res", known_rows, texts, indices)
    put_arguments(event, call, columns)
    if event.name in FD_EVENTS:
        put_descriptor_columns(event, call, known, columns)
    put_fs_paths(event, call, columns)
