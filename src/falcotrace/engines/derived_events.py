"""Derived fields about the kind and the result of an event, and about times."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from falcotrace.engines.derived_base import (
    DerivedFunction,
    Inputs,
    as_int64,
    both_present,
    choose,
    constant_texts,
    counts,
    flags,
    is_among,
    keep_where,
    map_texts,
    select_numbers,
)
from falcotrace.engines.text_match import TEXT_MATCHES
from falcotrace.engines.vectors import (
    Bools,
    Domain,
    Integers,
    NumberVector,
    TextVector,
    Vector,
    arrow_texts,
)
from falcotrace.events import derived as table
from falcotrace.events.operators import Operator
from falcotrace.events.times import ISO_8601_FORM, LOCAL_FORM, time_text

_SECOND = 1_000_000_000


def _category(inputs: Inputs) -> Vector:
    events = inputs.texts("evt.type")
    marked = constant_texts([(inputs.is_marked, table.OTHER_CATEGORY)], inputs.row_count)
    named = map_texts(events, table.CATEGORY_BY_EVENT, table.OTHER_CATEGORY)
    plain = choose(marked.present(), marked, named)
    of_descriptor = map_texts(inputs.texts("fd.type"), table.CLASS_BY_FD_TYPE, "unknown")
    unknown = constant_texts([(of_descriptor.codes < 0, "unknown")], inputs.row_count)
    of_descriptor = choose(of_descriptor.present(), of_descriptor, unknown)
    return choose(inputs.plain_events(table.IO_EVENTS), of_descriptor, plain)


def _is_syslog(inputs: Inputs) -> Vector:
    def names_syslog(domain: Domain) -> Bools:
        found = TEXT_MATCHES[Operator.CONTAINS](domain.values, "/dev/log")
        return np.append(found, np.False_)

    names = inputs.texts("fd.name")
    writes = inputs.events(table.WRITE_EVENTS)
    return flags(writes & names.domain.table("syslog", names_syslog).take(names.codes))


def _error_count(inputs: Inputs, rows: Bools | None = None) -> NumberVector:
    result = inputs.numbers("evt.rawres")
    failed = counts(as_int64(result.values) < 0, result.valid)
    return failed if rows is None else select_numbers(failed, rows)


def _failed(inputs: Inputs) -> Vector:
    result = inputs.numbers("evt.rawres")
    return flags(as_int64(result.values) < 0, result.valid)


def _is_file_error(inputs: Inputs) -> Bools:
    types = inputs.texts("fd.type")
    without = ~types.present() & inputs.events(table.FILE_OPEN_EVENTS)
    return is_among(types, ("file", "directory")) | without


def _is_net_error(inputs: Inputs) -> Bools:
    types = inputs.texts("fd.type")
    without = ~types.present() & inputs.events(table.SOCKET_OPEN_EVENTS)
    return is_among(types, table.SOCKET_FD_TYPES) | without


def _is_other_error(inputs: Inputs) -> Bools:
    known = inputs.texts("fd.type").present()
    rest = ~_is_file_error(inputs) & ~_is_net_error(inputs)
    return rest & (known | ~inputs.events(table.MEMORY_EVENTS))


def _count_procinfo(inputs: Inputs) -> Vector:
    main = _ismain(inputs)
    return counts(inputs.events(("procinfo",)) & main.values.astype(np.bool_) & main.present())


def _ismain(inputs: Inputs) -> NumberVector:
    thread, process = inputs.numbers("thread.tid"), inputs.numbers("proc.pid")
    return flags(thread.values == process.values, both_present(thread, process))


def _transferred(events: frozenset[str], types: tuple[str, ...] = ()) -> DerivedFunction:
    """`buflen` of some events, on descriptors of some types (none given: any known one)."""

    def function(inputs: Inputs) -> Vector:
        result, kinds = inputs.numbers("evt.rawres"), inputs.texts("fd.type")
        meant = is_among(kinds, types) if types else kinds.present()
        return select_numbers(
            result, inputs.events(events) & meant & (as_int64(result.values) >= 0)
        )

    return function


def _opens(inputs: Inputs, events: frozenset[str], bits: int) -> Bools:
    """Which rows are events of opening whose flags have one of some bits."""
    given = inputs.numbers("evt.rawarg.flags")
    return inputs.events(events) & given.present() & ((as_int64(given.values) & bits) != 0)


def _is_open(bits: int) -> DerivedFunction:
    return lambda inputs: flags(_opens(inputs, table.OPEN_EVENTS, bits))


def _is_open_create(inputs: Inputs) -> Vector:
    result = inputs.numbers("evt.rawres")
    temporary = _opens(inputs, table.OPEN_EVENTS, table.O_TMPFILE)
    succeeded = result.present() & (as_int64(result.values) >= 0)
    return flags(_opens(inputs, table.OPEN_EVENTS, table.O_F_CREATED) | (temporary & succeeded))


def _is_open_exec(inputs: Inputs) -> Vector:
    mode = inputs.numbers("evt.rawarg.mode")
    executable = mode.present() & ((as_int64(mode.values) & table.EXECUTE_BITS) != 0)
    creates = _opens(inputs, table.OPEN_MODE_EVENTS, table.O_CREAT | table.O_TMPFILE)
    return flags(executable & (creates | inputs.events(("creat",))))


def _times(inputs: Inputs) -> Integers:
    return as_int64(inputs.numbers("evt.time").values)


def _number(part: Callable[[Inputs], Integers]) -> DerivedFunction:
    return lambda inputs: NumberVector(part(inputs), inputs.numbers("evt.time").valid)


def _since_start(inputs: Inputs) -> Integers:
    return _times(inputs) - inputs.first_time_ns


def _around(inputs: Inputs) -> Integers:
    assert isinstance(inputs.argument, int)
    return np.abs(_times(inputs) - inputs.argument)


def _time_texts(form: str) -> DerivedFunction:
    def function(inputs: Inputs) -> Vector:
        distinct, places = np.unique(_times(inputs), return_inverse=True)
        texts = arrow_texts(time_text(value, form) for value in distinct.tolist())
        present = inputs.numbers("evt.time").present()
        return keep_where(TextVector(Domain(texts), places.astype(np.int32)), present)

    return function


def _lasted(start: str) -> DerivedFunction:
    """Time from a start, missing where the start is unknown or 0."""

    def function(inputs: Inputs) -> Vector:
        # DIFFERS: for a parent of unknown start libs 48dfd53c gives the number of open files.
        begun = inputs.numbers(start)
        known = begun.present() & (begun.values != 0)
        return NumberVector(_times(inputs) - as_int64(begun.values), known)

    return function


def _container_duration(inputs: Inputs) -> Vector:
    lasted = _lasted("proc.pidns_init_start_ts")(inputs)
    assert isinstance(lasted, NumberVector)
    return select_numbers(lasted, ~is_among(inputs.texts("container.id"), ("host",)))


def _is_single_sided(inputs: Inputs) -> Bools:
    return inputs.events(table.SINGLE_SIDED_EVENTS) | inputs.is_asynchronous


def _is_meta(inputs: Inputs) -> Bools:
    return inputs.events(table.META_EVENTS) | inputs.is_asynchronous


def _syscall_type(inputs: Inputs) -> Vector:
    return keep_where(inputs.texts("evt.type"), ~_is_single_sided(inputs))


def _asynctype(inputs: Inputs) -> Vector:
    return keep_where(inputs.texts("evt.type"), _is_meta(inputs))


def _direction(inputs: Inputs) -> Vector:
    single = _is_single_sided(inputs)
    return constant_texts([(single, ">"), (~single, "<")], inputs.row_count)


def _io_direction(inputs: Inputs) -> Vector:
    writes = inputs.plain_events(table.WRITE_EVENTS)
    reads = inputs.plain_events(table.READ_EVENTS)
    return constant_texts([(writes, "write"), (reads, "read")], inputs.row_count)


def _count_exit(inputs: Inputs) -> Vector:
    exits = ~_is_single_sided(inputs)
    return counts(exits, exits)


def _type_is(inputs: Inputs) -> Vector:
    # DIFFERS: libs 48dfd53c compares with the first event code of the name, which for superseded
    # layouts (mkdir, rmdir ..) no event has any more.
    return counts(inputs.events((str(inputs.argument),)))


def _is_event(events: frozenset[str]) -> DerivedFunction:
    return lambda inputs: flags(inputs.plain_events(events))


_FILE, _NET = ("file",), ("ipv4", "ipv6")

EVENT_FUNCTIONS: Mapping[str, DerivedFunction] = MappingProxyType(
    {
        "local_time": _time_texts("%H:%M:%S.%N"),
        "local_time_s": _time_texts("%H:%M:%S"),
        "time_iso8601": _time_texts(ISO_8601_FORM),
        "local_datetime": _time_texts(LOCAL_FORM),
        "local_datetime_s": _time_texts("%Y-%m-%d %H:%M:%S"),
        "rawtime": _number(_times),
        "rawtime_s": _number(lambda inputs: _times(inputs) // _SECOND),
        "rawtime_ns": _number(lambda inputs: _times(inputs) % _SECOND),
        "reltime": _number(_since_start),
        "reltime_s": _number(lambda inputs: _since_start(inputs) // _SECOND),
        "reltime_ns": _number(lambda inputs: _since_start(inputs) % _SECOND),
        "around": _number(_around),
        "proc_duration": _lasted("proc.pid_ts"),
        "ppid_duration": _lasted("proc.ppid_ts"),
        "container_duration": _container_duration,
        "is_async": lambda inputs: flags(_is_meta(inputs)),
        "asynctype": _asynctype,
        "dir": _direction,
        "type_is": _type_is,
        "syscall_type": _syscall_type,
        "category": _category,
        "is_io": _is_event(table.READ_EVENTS | table.WRITE_EVENTS),
        "is_io_read": _is_event(table.READ_EVENTS),
        "is_io_write": _is_event(table.WRITE_EVENTS),
        "io_dir": _io_direction,
        "is_wait": _is_event(table.WAIT_EVENTS),
        "is_syslog": _is_syslog,
        "failed": _failed,
        "count_error": _error_count,
        "count_error_file": lambda inputs: _error_count(inputs, _is_file_error(inputs)),
        "count_error_net": lambda inputs: _error_count(inputs, _is_net_error(inputs)),
        "count_error_memory": (
            lambda inputs: _error_count(inputs, inputs.events(table.MEMORY_EVENTS))
        ),
        "count_error_other": lambda inputs: _error_count(inputs, _is_other_error(inputs)),
        "count_exit": _count_exit,
        "count_procinfo": _count_procinfo,
        "count_threadinfo": lambda inputs: counts(inputs.events(("procinfo",))),
        "ismain": _ismain,
        "buflen": _transferred(table.IO_EVENTS),
        "buflen_in": _transferred(table.IO_READ_EVENTS),
        "buflen_out": _transferred(table.IO_WRITE_EVENTS),
        "buflen_file": _transferred(table.IO_EVENTS, _FILE),
        "buflen_file_in": _transferred(table.IO_READ_EVENTS, _FILE),
        "buflen_file_out": _transferred(table.IO_WRITE_EVENTS, _FILE),
        "buflen_net": _transferred(table.IO_EVENTS, _NET),
        "buflen_net_in": _transferred(table.IO_READ_EVENTS, _NET),
        "buflen_net_out": _transferred(table.IO_WRITE_EVENTS, _NET),
        "is_open_read": _is_open(table.O_RDONLY),
        "is_open_write": _is_open(table.O_WRONLY),
        "is_open_create": _is_open_create,
        "is_open_exec": _is_open_exec,
    }
)
"""Functions by the name that `fields.tsv` gives them."""
