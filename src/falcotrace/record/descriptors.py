"""The columns `fd.*`: which open file an event is about, and under which name.

In: the events of one call and the files of the recording. Out: columns. `fd.name` is the path as
    the program gave it when the file was opened, joined with its directory and normalised, symlinks
    not followed; rules are written for that. The kernel's own path stands beside it in `fd.path`.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from falcotrace.capture.address_names import NAME_COLUMNS
from falcotrace.capture.columns import Columns
from falcotrace.capture.distinct import distinct
from falcotrace.capture.schema import flat_type
from falcotrace.capture.text_pool import MISSING
from falcotrace.events.event_types import EventType
from falcotrace.events.paths import merge_slashes
from falcotrace.record.addresses import Endpoint
from falcotrace.record.argument_sources import own_descriptor, sources
from falcotrace.record.call import CallEvents
from falcotrace.record.known import Known, MergedEvents
from falcotrace.record.layout import PartKind, Role
from falcotrace.record.open_file import OpenFile

_OPENS: Mapping[str, tuple[int, int | None]] = {
    "open": (0, None),
    "creat": (0, None),
    "openat": (1, 0),
    "openat2": (1, 0),
}
"""Calls that name the file that they open: the argument with the path, and its directory slot."""

_COPIES = frozenset({"dup", "dup2", "dup3", "fcntl", "pidfd_getfd"})
"""Calls that make another descriptor of a file that is open already."""

_TWO_NEW = frozenset({"pipe", "pipe2", "socketpair"})
"""Calls that make two descriptors; the event is about the second (libs, `add_fd` runs twice)."""


def name_opened_files(
    events: MergedEvents, known: Known, numbers: Mapping[str, Sequence[int]]
) -> None:
    """Give every file opened in a block the name that its program used.

    Args:
        events: the merged events.
        known: files, processes, texts.
        numbers: numbers of system calls by name.
    """
    found = ((number, *where) for name, where in _OPENS.items() for number in numbers.get(name, ()))
    for number, place, slot in found:
        rows = np.flatnonzero(
            (events.fixed["nr"] == number)
            & (events.fixed["ret"] >= 0)
            & (events.fixed["file_id"] > 0)
        )
        if len(rows):
            _name_files(number, rows, place, slot, events, known)


def _name_files(
    number: int,
    rows: np.ndarray,
    place: int,
    slot: int | None,
    events: MergedEvents,
    known: Known,
) -> None:
    """Name files in rounds.

    One opened below a directory waits until that directory has its name.
    """
    while len(rows):
        call = CallEvents(number, rows, events, known)
        ready = np.ones(len(rows), np.bool_)
        if slot is not None:
            ready = ~np.isin(call.directory_ids(slot), call.file_ids)
            if not ready.any():
                ready[:] = True
        done = call if ready.all() else CallEvents(number, rows[ready], events, known)
        given = done.part_codes(PartKind.STRING, place)
        absolute = done.absolute_paths(given, slot)
        has_name = absolute != MISSING
        ids = done.file_ids[has_name].astype(np.int64)
        known.files.name_opened(ids, absolute[has_name], _merged(given[has_name], known))
        rows = rows[~ready]


def _merged(codes: np.ndarray, known: Known) -> np.ndarray:
    found, indices = distinct(codes)
    texts = [merge_slashes(known.pool[code]) for code in found.tolist()]
    return known.pool.codes(texts)[indices]


def note_renamed(events: MergedEvents, known: Known) -> None:
    """Note in `events.before` what files were called before they were described anew."""
    ids, first = np.unique(events.fixed["file_id"], return_index=True)
    ids = ids.astype(np.int64)
    fresh = known.files.mark_used(ids)
    files, indices = known.files.distinct(ids[fresh])
    previous = np.array([0 if file is None else file.previous_id for file in files], np.int64)
    events.before[first[fresh]] = previous[indices]


def put_descriptor_columns(
    event: EventType, call: CallEvents, known: Known, columns: Columns
) -> None:
    """Fill `fd.*` of all events of one call that is about a descriptor."""
    numbers, file_ids = _descriptor(event, call)
    columns.put_numbers("fd.num", call.rows, numbers)
    files, indices = known.files.distinct(file_ids)
    has_file = np.array([file is not None for file in files], np.bool_)[indices]
    rows = call.rows[has_file]
    _put_names(event, call, file_ids, has_file, known, columns)
    present = indices[has_file]
    for path, getter in _GETTERS.items():
        values = [None if file is None else getter(file) for file in files]
        if all(value is None for value in values):
            continue
        kind = str(flat_type(path))
        if kind == "string":
            columns.put_texts(path, rows, values, present)  # type: ignore[arg-type]
        elif kind == "binary":
            columns.put_bytes(path, rows, values, present)  # type: ignore[arg-type]
        else:
            valid = np.array([value is not None for value in values], np.bool_)
            filled = np.array([value or 0 for value in values], np.int64)
            columns.put_numbers(path, rows, filled[present], valid[present])
    _put_address_names(files, present, rows, call.positions[has_file], known, columns)
    changed = _name_changed(event, call, file_ids, known)
    columns.put_numbers("fd.name_changed", rows, changed[has_file])


def _put_address_names(
    files: Sequence[OpenFile | None],
    which: np.ndarray,
    rows: np.ndarray,
    places: np.ndarray,
    known: Known,
    columns: Columns,
) -> None:
    """What the ends of a connection were called when the event happened.

    DIFFERS: Falco asks name servers, when a rule is asked and again every few minutes; here answers
    count that were recorded before the event.
    """
    names = known.names.block
    if names.is_empty or not any(file is not None and file.is_ip for file in files):
        return
    for path, address_path in NAME_COLUMNS.items():
        address_of = _GETTERS[address_path]
        addresses = [None if file is None else address_of(file) for file in files]
        names.put(columns, path, rows, (addresses, which), places)  # type: ignore[arg-type]


def _descriptor(event: EventType, call: CallEvents) -> tuple[np.ndarray, np.ndarray]:
    """The descriptor that each event is about, and the open file behind it (FIELDS 4.1)."""
    if "CREATES_FD" in event.flags:
        made = call.results >= 0
        if event.name in _TWO_NEW:
            second, _valid = call.struct_numbers(0 if event.name != "socketpair" else 3, 4, 4)
            number, ids = second.astype(np.int64), call.other_file_ids
        else:
            number, ids = call.results, call.file_ids
        return np.where(made, number, -1), np.where(made, ids, 0)
    own = own_descriptor(event)
    if own is None:
        return np.full(call.count, -1, np.int64), np.zeros(call.count, np.int64)
    register = sources()[event.name][own.name].place
    numbers = call.arguments(register).astype(np.uint32).view(np.int32).astype(np.int64)
    # A fcntl that makes a descriptor is about that one.
    numbers = np.where(call.result_files > 0, call.results, numbers)
    return numbers, np.where(numbers >= 0, call.argument_files(register), 0)


def _put_names(
    event: EventType,
    call: CallEvents,
    file_ids: np.ndarray,
    has_file: np.ndarray,
    known: Known,
    columns: Columns,
) -> None:
    """Names of files; where there is no file, what was asked for, else the empty text."""
    empty = known.pool.code("")
    names = np.where(has_file, known.files.name_codes(file_ids), empty)
    raw_names = np.where(has_file, known.files.raw_name_codes(file_ids), empty)
    # DIFFERS: where an openat names a directory's descriptor, Falco shows the directory's name.
    if event.name in _OPENS and not has_file.all():
        place, slot = _OPENS[event.name]
        given = call.part_codes(PartKind.STRING, place)
        names = np.where(has_file, names, call.absolute_paths(given, slot))
        raw_names = np.where(has_file, raw_names, given)
    columns.put_codes("fd.name", call.rows, names)
    columns.put_codes("fd.nameraw", call.rows, raw_names)


def _name_changed(
    event: EventType, call: CallEvents, file_ids: np.ndarray, known: Known
) -> np.ndarray:
    """Whether the file has another name than before the event (copies of a descriptor never)."""
    empty = known.pool.code("")
    names = known.files.name_codes(file_ids)
    if event.name in _COPIES:
        return np.zeros(call.count, np.bool_)
    if "CREATES_FD" in event.flags:
        return (call.results >= 0) & (names != empty)
    before = known.files.name_codes(call.previous_files)
    return (call.previous_files > 0) & (names != before)


def _end(index: int) -> Callable[[OpenFile], Endpoint | None]:
    """Client (0) or server (1) end; None while the role is unknown."""

    def get(file: OpenFile) -> Endpoint | None:
        if not file.is_ip:
            return None
        if file.is_listening:
            return file.local if index else None
        return None if file.role is Role.NONE else file.ends[index]

    return get


def _side(*, local: bool) -> Callable[[OpenFile], Endpoint | None]:
    """This machine's end or the other one; None for listening sockets and unknown roles."""

    def get(file: OpenFile) -> Endpoint | None:
        if not file.is_ip or file.is_listening or file.role is Role.NONE:
            return None
        # DIFFERS: Falco guesses which end is local from the interfaces, and takes the client's on
        # loopback; the kernel knows which end is this socket's.
        return file.local if local else file.remote

    return get


def _tuple_end(index: int) -> Callable[[OpenFile], Endpoint | None]:
    """Left or right end of the tuple, whatever the role."""

    def get(file: OpenFile) -> Endpoint | None:
        if not file.is_ip or (file.is_listening and index):
            return None
        return file.ends[index]

    return get


Value = str | bytes | int | bool | None


def _endpoint_getters() -> dict[str, Callable[[OpenFile], Value]]:
    getters: dict[str, Callable[[OpenFile], Value]] = {}
    ends = {
        ("fd.cip", "fd.cport"): _end(0),
        ("fd.sip", "fd.sport"): _end(1),
        ("fd.lip", "fd.lport"): _side(local=True),
        ("fd.rip", "fd.rport"): _side(local=False),
        ("fd.ip_left", "fd.port_left"): _tuple_end(0),
        ("fd.ip_right", "fd.port_right"): _tuple_end(1),
    }
    for (address, port), end in ends.items():
        getters[address] = _of(end, lambda found: found.text)
        getters[f"{address}_bytes"] = _of(end, lambda found: found.address or None)
        getters[port] = _of(end, lambda found: found.port)
    return getters


def _of(
    end: Callable[[OpenFile], Endpoint | None], value: Callable[[Endpoint], Value]
) -> Callable[[OpenFile], Value]:
    def get(file: OpenFile) -> Value:
        found = end(file)
        return None if found is None else value(found)

    return get


_GETTERS: Mapping[str, Callable[[OpenFile], Value]] = {
    "fd.type": lambda file: file.type,
    "fd.path": lambda file: file.path,
    "fd.l4proto": lambda file: file.l4proto,
    "fd.is_server": lambda file: file.is_ip and (file.is_listening or file.role is Role.SERVER),
    "fd.connected": lambda file: file.is_connected,
    "fd.dev": lambda file: file.dev,
    "fd.ino": lambda file: file.ino,
    "fd.is_upper_layer": lambda file: file.is_upper_layer,
    "fd.is_lower_layer": lambda file: file.is_lower_layer,
    "fd.is_cut": lambda file: file.is_cut,
    **_endpoint_getters(),
}
