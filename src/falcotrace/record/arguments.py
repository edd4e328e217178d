"""Arguments of events: from registers, texts and descriptions to the columns `evt.arg.*`.

In: the events of one system call, and the table `arguments.tsv`, which says where each parameter of
an event is found. Out: columns. Every step works on all events of the call at once and on distinct
values; nothing loops over events.
"""

import numpy as np

from falcotrace.capture.columns import Columns
from falcotrace.capture.text_pool import MISSING
from falcotrace.events.columns import COLUMNS, PATHS, is_number_column
from falcotrace.events.event_types import EventType, Param
from falcotrace.events.numbers import condition_text
from falcotrace.events.text import to_text
from falcotrace.record.addresses import address_text
from falcotrace.record.argument_numbers import (
    falco_numbers,
    sized,
)
from falcotrace.record.argument_readings import read_numbers
from falcotrace.record.argument_sources import Source, sources
from falcotrace.record.argument_unions import put_key_argument, put_socket_option, put_traced
from falcotrace.record.call import CallEvents
from falcotrace.record.layout import PartKind
from falcotrace.record.polled import put_polled

BUFFERS = {
    "buf": PartKind.BYTES,
    "vbuf": PartKind.VECTOR_DATA,
    "mbuf": PartKind.MSG_DATA,
    "control": PartKind.MSG_CONTROL,
}
"""Sources that are contents, and the parts that hold them."""


def put_arguments(event: EventType, call: CallEvents, columns: Columns) -> None:
    """Fill the argument columns of all events of one call."""
    places = sources().get(event.name, {})
    for param in event.params:
        source = places.get(param.name)
        if source is not None:
            _put(event, param, source, call, columns)


def _put(
    event: EventType, param: Param, source: Source, call: CallEvents, columns: Columns
) -> None:
    path = f"evt.arg.{param.name}"
    match source.verb:
        case "path":
            _put_path(param, source, call, columns)
        case "text":
            columns.put_codes(path, call.rows, call.part_codes(PartKind.STRING, source.place))
        case "execname":
            columns.put_codes(path, call.rows, call.absolute_paths(call.exec_filenames(), None))
        case "buf" | "vbuf" | "mbuf" | "control":
            _put_buffer(param, source, call, columns)
        case "poll":
            put_polled(param, source.place, call, columns)
        case "sockopt":
            put_socket_option(param, source.place, call, columns)
        case "ptrace":
            put_traced(param, source.place, call, columns)
        case "key":
            put_key_argument(param, source.place, call, columns)
        case "addr":
            _put_address(param, source, call, columns)
        case "tuple":
            codes = call.tuple_codes(inbound=source.operands[0] == "in")
            columns.put_codes(path, call.rows, codes)
        case "proc":
            _put_process(event, param, source.operands[0], call, columns)
            if event.name in {"execve", "execveat"}:
                _put_attempt(param, call, columns)
        case "file":
            _put_file(param, source.operands[0], call, columns)
        case _:
            values, valid = _numbers(source, call)
            put_numbers(event, param, values, valid, call, columns)
            if param.type == "FD":
                _put_descriptors(event, param, source, values, valid, call, columns)


def _numbers(source: Source, call: CallEvents) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of a parameter, and which of them there are."""
    values, valid = read_numbers(source, call)
    if source.default is None or call.is_compat:
        return values, valid
    default = np.asarray(source.default, np.int64).astype(values.dtype)
    return np.where(valid, values, default), np.ones(call.count, np.bool_)


def put_numbers(
    event: EventType,
    param: Param,
    values: np.ndarray,
    valid: np.ndarray,
    call: CallEvents,
    columns: Columns,
    *,
    is_of_host: bool = False,
) -> None:
    """Store numbers as the column wants them: as numbers, or as text with the number beside it.

    `is_of_host` says that process ids are the host's and not of the caller's pid namespace.
    """
    values = falco_numbers(event, param, sized(param, values), call)
    plain, raw = f"evt.arg.{param.name}", f"evt.rawarg.{param.name}"
    if is_number_column(param.name):
        columns.put_numbers(plain, call.rows, values, valid)
        return
    if raw in COLUMNS and COLUMNS[raw].type != "string":
        columns.put_numbers(raw, call.rows, values, valid)
    if param.type == "PID":
        names = call.thread_names(values, is_of_host=is_of_host)
        numbers = call.codes_of(values, str)
        columns.put_codes(plain, call.rows[valid], np.where(names >= 0, names, numbers)[valid])
    elif param.type in {"UID", "GID"}:
        names = call.account_names(param.type, values)
        columns.put_codes(plain, call.rows[valid], names[valid])
    elif param.type != "FD":
        texts = call.codes_of(values, lambda number: condition_text(param, number))
        columns.put_codes(plain, call.rows[valid], texts[valid])


def _put_descriptors(
    event: EventType,
    param: Param,
    source: Source,
    values: np.ndarray,
    valid: np.ndarray,
    call: CallEvents,
    columns: Columns,
) -> None:
    """Descriptors show the file behind them where the sample tells it, else their number."""
    numbers = sized(param, values)
    files = call.file_texts(np.where(numbers >= 0, _files_of(event, param, source, call), 0))
    texts = call.codes_of(numbers, lambda number: condition_text(param, number))
    codes = np.where(files >= 0, files, texts)
    columns.put_codes(f"evt.arg.{param.name}", call.rows[valid], codes[valid])


def _files_of(event: EventType, param: Param, source: Source, call: CallEvents) -> np.ndarray:
    """The open file behind a descriptor argument; 0 where the sample does not tell it."""
    if source.verb == "ret":
        # DIFFERS: of fcntl Falco takes every result for a descriptor, flags too.
        return call.result_files
    if param.name == "fd1":
        return call.file_ids
    if param.name == "fd2":
        return call.other_file_ids
    if event.name in {"dup2", "dup3"}:
        return np.where(call.results >= 0, call.file_ids, call.argument_files(source.place))
    return call.argument_files(source.place)


def _put_process(
    event: EventType, param: Param, what: str, call: CallEvents, columns: Columns
) -> None:
    """An argument that repeats what is known of the process."""
    values, indices = call.process_values(what)
    example = next((value for value in values if value is not None), None)
    path = f"evt.arg.{param.name}"
    if isinstance(example, str):
        columns.put_texts(path, call.rows, values, indices)  # type: ignore[arg-type]
    elif isinstance(example, bytes):
        columns.put_bytes(path, call.rows, values, indices)  # type: ignore[arg-type]
    elif example is not None:
        numbers = np.array([value or 0 for value in values], np.uint64)
        known = np.array([value is not None for value in values], np.bool_)
        put_numbers(event, param, numbers[indices], known[indices], call, columns, is_of_host=True)


def _put_attempt(param: Param, call: CallEvents, columns: Columns) -> None:
    """What a failed exec was asked to execute, in place of what the process still is."""
    if param.name not in {"exe", "args", "env"}:
        return
    rows, found, indices = call.exec_attempts("env" if param.name == "env" else "argv")
    path = f"evt.arg.{param.name}"
    if not len(rows):
        return
    if param.name == "exe":
        columns.put_texts(path, rows, [to_text(raw.split(b"\0", 1)[0]) for raw in found], indices)
    elif param.name == "args":
        columns.put_bytes(path, rows, [raw.partition(b"\0")[2] for raw in found], indices)
    else:
        columns.put_bytes(path, rows, found, indices)


def _put_path(param: Param, source: Source, call: CallEvents, columns: Columns) -> None:
    """A path: absolute under evt.arg, as given under evt.rawarg where that differs."""
    slot = int(source.operands[1]) if len(source.operands) > 1 else None
    given = call.part_codes(PartKind.STRING, source.place)
    absolute = call.absolute_paths(given, slot)
    columns.put_codes(f"evt.arg.{param.name}", call.rows, absolute)
    if param.type in PATHS:
        as_given = np.where(given != absolute, given, MISSING)
        columns.put_codes(f"evt.rawarg.{param.name}", call.rows, as_given)


def _put_buffer(param: Param, source: Source, call: CallEvents, columns: Columns) -> None:
    # DIFFERS: of sendmmsg and recvmmsg Falco makes an event for each message; ours is one for the
    # call, with the first message's size and data. An empty vector does not end the data.
    rows, found, indices = call.part_bytes(BUFFERS[source.verb], source.place)
    has_bytes = np.array([bool(raw) for raw in found], np.bool_)[indices]
    rows, indices = rows[has_bytes], indices[has_bytes]
    if len(rows):
        path = "evt.buffer" if param.name == "data" else f"evt.arg.{param.name}"
        columns.put_bytes(path, rows, found, indices)


def _put_address(param: Param, source: Source, call: CallEvents, columns: Columns) -> None:
    rows, found, indices = call.part_bytes(PartKind.SOCKADDR, source.place)
    texts = [address_text(raw) for raw in found]
    columns.put_texts(f"evt.arg.{param.name}", rows, texts, indices)


def _put_file(param: Param, what: str, call: CallEvents, columns: Columns) -> None:
    path, raw = f"evt.arg.{param.name}", f"evt.rawarg.{param.name}"
    if what == "path":
        columns.put_codes(path, call.rows, call.file_names)
        return
    values, valid = call.file_numbers(what)
    if is_number_column(param.name):
        columns.put_numbers(path, call.rows, values, valid)
        return
    if raw in COLUMNS:
        columns.put_numbers(raw, call.rows, values, valid)
    texts = call.codes_of(values, lambda number: condition_text(param, number))
    columns.put_codes(path, call.rows[valid], texts[valid])
