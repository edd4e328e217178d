"""Derived fields about the kind and the result of an event, and about times, as SQL.

In: the query's context and the field's argument. Out: values. What each function means stands in
`falcotrace.events.derived`; a test holds the columns used here to the inputs named there.
"""

import functools
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType

from sqlglot import exp

from falcotrace.engines.sql import build
from falcotrace.engines.sql.build import template
from falcotrace.engines.sql.context import Context
from falcotrace.engines.sql.values import Choice, Scalar
from falcotrace.events import derived as table
from falcotrace.events.argument_forms import ASYNC_MARK, CALL_NAMES, GENERIC_MARK
from falcotrace.events.flags import FLAG_TABLES
from falcotrace.events.operators import ValueKind

Argument = str | int | None
DerivedSql = Callable[[Context, Argument], Scalar]

IS_GENERIC = f"{GENERIC_MARK} IS NOT NULL"
"""The event is the generic one, whatever its name."""

_FRACTION = "'.' || lpad(CAST(evt.time % 1000000000 AS TEXT), 9, '0')"
_SECONDS = "to_timestamp(evt.time // 1000000000)"
_ERROR_COUNT = "CAST(evt.rawres < 0 AS INT)"


def number_of(sql: str) -> DerivedSql:
    """A number as a piece of SQL says."""
    return lambda _context, _argument: Scalar(template(sql), ValueKind.NUMBER)


def text_of(sql: str) -> DerivedSql:
    """A text as a piece of SQL says."""
    return lambda _context, _argument: Scalar(template(sql), ValueKind.TEXT)


def truth_of(sql: str) -> DerivedSql:
    """A truth as a piece of SQL says."""
    return lambda _context, _argument: Scalar(template(sql), ValueKind.BOOL)


def when(condition: exp.Expr, value: exp.Expr, otherwise: exp.Expr | None = None) -> exp.Expr:
    """`CASE WHEN condition THEN value ELSE otherwise END`; missing without `otherwise`."""
    if isinstance(condition, exp.Boolean):
        return value if condition.this else otherwise or exp.null()
    case = exp.Case(ifs=[exp.If(this=condition, true=value)])
    if otherwise is not None:
        case.set("default", otherwise)
    return case


def chosen(*choices: Choice) -> Scalar:
    """A text with few values: missing where no condition holds."""
    possible = [choice for choice in choices if not _is_truth(choice.condition, False)]
    return Scalar(_case_of(possible), ValueKind.TEXT, choices=possible)


def _is_truth(condition: exp.Expr, value: bool) -> bool:  # noqa: FBT001
    return isinstance(condition, exp.Boolean) and condition.this is value


def _case_of(choices: list[Choice]) -> exp.Expr:
    if not choices:
        return exp.null()
    if _is_truth(choices[0].condition, True):
        return build.text(choices[0].text)
    return exp.Case(
        ifs=[
            exp.If(this=choice.condition.copy(), true=build.text(choice.text)) for choice in choices
        ]
    )


def _may_be_asynchronous(context: Context) -> bool:
    return context.event_names is None or not context.event_names <= CALL_NAMES


def is_asynchronous(context: Context) -> exp.Expr:
    """Whether the event is an asynchronous one, whatever its name."""
    if _may_be_asynchronous(context):
        return build.is_present(build.column(ASYNC_MARK))
    return build.truth(False)


def is_synchronous(context: Context) -> exp.Expr:
    """Whether the event is none of those."""
    return build.negate(is_asynchronous(context))


def is_plain(context: Context) -> exp.Expr:
    """Whether the event's name tells what it is."""
    return build.all_of([build.is_missing(build.column(GENERIC_MARK)), is_synchronous(context)])


def _is_plain_event(context: Context, names: frozenset[str]) -> exp.Expr:
    """Whether the event is one of the event table, and among some of them."""
    return build.all_of([context.is_event(names), is_plain(context)])


def is_single_sided(context: Context) -> exp.Expr:
    """Whether the event is no system call."""
    single = context.is_event(table.SINGLE_SIDED_EVENTS)
    return build.any_of([single, is_asynchronous(context)])


def is_two_sided(context: Context) -> exp.Expr:
    """Whether the event is a system call."""
    other = context.is_other_event(table.SINGLE_SIDED_EVENTS)
    return build.all_of([other, is_synchronous(context)])


def _is_meta(context: Context) -> exp.Expr:
    return build.any_of([context.is_event(table.META_EVENTS), is_asynchronous(context)])


def _event_truth(names: frozenset[str]) -> DerivedSql:
    return lambda context, _argument: Scalar(
        _is_plain_event(context, names), ValueKind.BOOL, is_required=True
    )


def _false_without(condition: exp.Expr) -> Scalar:
    return Scalar(condition, ValueKind.BOOL, null_is_false=True)


def _type_is(context: Context, argument: Argument) -> Scalar:
    value = when(context.is_event([str(argument)]), build.number(1), build.number(0))
    return Scalar(value, ValueKind.NUMBER, is_required=True)


def _direction(context: Context, _: Argument) -> Scalar:
    return chosen(
        Choice(is_single_sided(context), ">"),
        Choice(is_two_sided(context), "<"),
    )


def _io_direction(context: Context, _: Argument) -> Scalar:
    return chosen(
        Choice(_is_plain_event(context, table.WRITE_EVENTS), "write"),
        Choice(_is_plain_event(context, table.READ_EVENTS - table.WRITE_EVENTS), "read"),
    )


def _only(names: Callable[[Context], exp.Expr]) -> DerivedSql:
    """`evt.type`, missing for some events."""
    return lambda context, _argument: Scalar(
        when(names(context), build.column("evt.type")), ValueKind.TEXT
    )


def _category(context: Context, _: Argument) -> Scalar:
    known = {**table.CATEGORY_BY_EVENT, **dict.fromkeys(table.IO_EVENTS, "")}
    is_io = _is_plain_event(context, table.IO_EVENTS)
    choices = [
        Choice(build.all_of([is_io.copy(), template_of_types(types)]), text)
        for text, types in _groups(table.CLASS_BY_FD_TYPE).items()
    ]
    no_class = build.negate(build.or_false(template_of_types(frozenset(table.CLASS_BY_FD_TYPE))))
    choices.append(Choice(build.all_of([is_io, no_class]), "unknown"))
    choices += [
        Choice(_is_plain_event(context, names), text)
        for text, names in _groups(table.CATEGORY_BY_EVENT).items()
    ]
    unknown = [context.is_other_event(known), template(IS_GENERIC), is_asynchronous(context)]
    choices.append(Choice(build.any_of(unknown), table.OTHER_CATEGORY))
    return chosen(*_united(choices))


def _united(choices: list[Choice]) -> list[Choice]:
    """One choice for each text."""
    conditions: dict[str, list[exp.Expr]] = {}
    for choice in choices:
        conditions.setdefault(choice.text, []).append(choice.condition)
    return [Choice(build.any_of(parts), text) for text, parts in conditions.items()]


def _groups(names: Mapping[str, str]) -> Mapping[str, frozenset[str]]:
    """The keys of a mapping by value."""
    found: dict[str, set[str]] = {}
    for key, value in names.items():
        found.setdefault(value, set()).add(key)
    return {value: frozenset(keys) for value, keys in found.items()}


def template_of_types(types: frozenset[str]) -> exp.Expr:
    """Whether the descriptor has one of some types."""
    return build.among(build.column("fd.type"), [build.text(name) for name in sorted(types)])


def _is_syslog(context: Context, _: Argument) -> Scalar:
    names_it = build.call("contains", build.column("fd.name"), build.text("/dev/log"))
    return _false_without(build.all_of([context.is_event(table.WRITE_EVENTS), names_it]))


def _without_descriptor(context: Context, names: frozenset[str]) -> exp.Expr:
    return build.all_of([build.is_missing(build.column("fd.type")), context.is_event(names)])


def _is_file_error(context: Context) -> exp.Expr:
    of_type = template_of_types(frozenset({"file", "directory"}))
    return build.any_of([of_type, _without_descriptor(context, table.FILE_OPEN_EVENTS)])


def _is_net_error(context: Context) -> exp.Expr:
    of_type = template_of_types(table.SOCKET_FD_TYPES)
    return build.any_of([of_type, _without_descriptor(context, table.SOCKET_OPEN_EVENTS)])


def _is_other_error(context: Context) -> exp.Expr:
    named = build.negate(
        build.or_false(build.any_of([_is_file_error(context), _is_net_error(context)]))
    )
    known = build.is_present(build.column("fd.type"))
    no_memory = context.is_other_event(table.MEMORY_EVENTS)
    return build.all_of([named, build.any_of([known, no_memory])])


def _error_count(rows: Callable[[Context], exp.Expr]) -> DerivedSql:
    return lambda context, _argument: Scalar(
        when(rows(context), template(_ERROR_COUNT)), ValueKind.NUMBER
    )


def _event_count(rows: Callable[[Context], exp.Expr]) -> DerivedSql:
    """1 for some events, 0 for the others."""
    return lambda context, _argument: Scalar(
        when(rows(context), build.number(1), build.number(0)), ValueKind.NUMBER, is_required=True
    )


def _transferred(events: frozenset[str], types: frozenset[str] = frozenset()) -> DerivedSql:
    """`buflen` of some events, on descriptors of some types (none given: any known one)."""

    def function(context: Context, _: Argument) -> Scalar:
        known = build.is_present(build.column("fd.type"))
        meant = template_of_types(types) if types else known
        rows = build.all_of([context.is_event(events), meant, template("evt.rawres >= 0")])
        return Scalar(when(rows, build.column("evt.rawres")), ValueKind.NUMBER)

    return function


def _has_bits(path: str, bits: int, name: str) -> exp.Expr:
    wanted = build.number(bits)
    wanted.add_comments([name])
    masked = exp.BitwiseAnd(this=build.column(path), expression=wanted)
    return exp.NEQ(this=exp.Paren(this=masked), expression=build.number(0))


def _has_flag(*names: str) -> exp.Expr:
    """Whether the flags of an open have one of some bits."""
    bits = functools.reduce(operator.or_, map(FLAG_TABLES["file_flags"].value_of, names))
    return _has_bits("evt.rawarg.flags", bits, " | ".join(names))


def _is_open(flag: str) -> DerivedSql:
    return lambda context, _argument: _false_without(
        build.all_of([context.is_event(table.OPEN_EVENTS), _has_flag(flag)])
    )


def _is_open_create(context: Context, _: Argument) -> Scalar:
    created = _has_flag("O_F_CREATED")
    temporary = _has_flag("O_TMPFILE")
    succeeded = build.all_of([temporary, template("evt.rawres >= 0")])
    opened = context.is_event(table.OPEN_EVENTS)
    return _false_without(build.all_of([opened, build.any_of([created, succeeded])]))


def _is_open_exec(context: Context, _: Argument) -> Scalar:
    creates = _has_flag("O_CREAT", "O_TMPFILE")
    opened = build.all_of([context.is_event(table.OPEN_MODE_EVENTS), creates])
    executable = _has_bits("evt.rawarg.mode", table.EXECUTE_BITS, "x for anybody")
    made = build.any_of([opened, context.is_event({"creat"})])
    return _false_without(build.all_of([made, executable]))


_TOLD_START = """
(
    SELECT CAST(decode(footer.value) ->> '$.recording.first_event_ns' AS BIGINT)
    FROM :footer AS footer
    WHERE footer.key = 'falcotrace'
)
"""


def _start(context: Context) -> exp.Expr:
    """The time that `evt.reltime` counts from."""
    if context.joins_gates:
        return exp.column("first_event_ns", "gates")
    capture = context.only_capture("evt.reltime")
    first = exp.Subquery(
        this=exp.Select(
            expressions=[exp.Min(this=build.column("evt.time"))],
            from_=exp.From(this=build.capture_table([capture])),
        )
    )
    footer = build.call("parquet_kv_metadata", build.text(capture))
    told = build.call("nullif", template(_TOLD_START, footer=footer), build.number(0))
    return build.call("coalesce", told, first)


def _since_start(divided: str) -> DerivedSql:
    def function(context: Context, _: Argument) -> Scalar:
        since = exp.Sub(this=build.column("evt.time"), expression=_start(context))
        value = template(f":since{divided}", since=exp.Paren(this=since)) if divided else since
        return Scalar(value, ValueKind.NUMBER)

    return function


def _is_procinfo(context: Context) -> exp.Expr:
    return context.is_event({"procinfo"})


_IS_MAIN = "thread.tid = proc.pid"
_FILE = frozenset({"file"})

EVENT_FUNCTIONS: Mapping[str, DerivedSql] = MappingProxyType(
    {
        "local_time": text_of(f"strftime({_SECONDS}, '%H:%M:%S') || {_FRACTION}"),
        "local_time_s": text_of(f"strftime({_SECONDS}, '%H:%M:%S')"),
        "time_iso8601": text_of(
            f"strftime(make_timestamp_ns(evt.time), '%Y-%m-%dT%H:%M:%S') || {_FRACTION} || '+0000'"
        ),
        "local_datetime": text_of(f"strftime({_SECONDS}, '%Y-%m-%d %H:%M:%S') || {_FRACTION}"),
        "local_datetime_s": text_of(f"strftime({_SECONDS}, '%Y-%m-%d %H:%M:%S')"),
        "rawtime": number_of("evt.time"),
        "rawtime_s": number_of("evt.time // 1000000000"),
        "rawtime_ns": number_of("evt.time % 1000000000"),
        "reltime": _since_start(""),
        "reltime_s": _since_start(" // 1000000000"),
        "reltime_ns": _since_start(" % 1000000000"),
        "proc_duration": number_of("evt.time - nullif(proc.pid_ts, 0)"),
        "ppid_duration": number_of("evt.time - nullif(proc.ppid_ts, 0)"),
        "container_duration": number_of(
            "CASE WHEN container.id IS DISTINCT FROM 'host'"
            " THEN evt.time - nullif(proc.pidns_init_start_ts, 0) END"
        ),
        "is_async": lambda context, _argument: Scalar(
            _is_meta(context), ValueKind.BOOL, is_required=True
        ),
        "asynctype": _only(_is_meta),
        "dir": _direction,
        "type_is": _type_is,
        "syscall_type": _only(is_two_sided),
        "category": _category,
        "is_io": _event_truth(table.READ_EVENTS | table.WRITE_EVENTS),
        "is_io_read": _event_truth(table.READ_EVENTS),
        "is_io_write": _event_truth(table.WRITE_EVENTS),
        "io_dir": _io_direction,
        "is_wait": _event_truth(table.WAIT_EVENTS),
        "is_syslog": _is_syslog,
        "failed": truth_of("evt.rawres < 0"),
        "count_error": number_of(_ERROR_COUNT),
        "count_error_file": _error_count(_is_file_error),
        "count_error_net": _error_count(_is_net_error),
        "count_error_memory": _error_count(lambda context: context.is_event(table.MEMORY_EVENTS)),
        "count_error_other": _error_count(_is_other_error),
        "count_exit": lambda context, _argument: Scalar(
            when(is_two_sided(context), build.number(1)), ValueKind.NUMBER
        ),
        "count_procinfo": _event_count(
            lambda context: build.all_of([_is_procinfo(context), template(_IS_MAIN)])
        ),
        "count_threadinfo": _event_count(_is_procinfo),
        "ismain": truth_of(_IS_MAIN),
        "buflen": _transferred(table.IO_EVENTS),
        "buflen_in": _transferred(table.IO_READ_EVENTS),
        "buflen_out": _transferred(table.IO_WRITE_EVENTS),
        "buflen_file": _transferred(table.IO_EVENTS, _FILE),
        "buflen_file_in": _transferred(table.IO_READ_EVENTS, _FILE),
        "buflen_file_out": _transferred(table.IO_WRITE_EVENTS, _FILE),
        "buflen_net": _transferred(table.IO_EVENTS, table.IP_FD_TYPES),
        "buflen_net_in": _transferred(table.IO_READ_EVENTS, table.IP_FD_TYPES),
        "buflen_net_out": _transferred(table.IO_WRITE_EVENTS, table.IP_FD_TYPES),
        "is_open_read": _is_open("O_RDONLY"),
        "is_open_write": _is_open("O_WRONLY"),
        "is_open_create": _is_open_create,
        "is_open_exec": _is_open_exec,
    }
)
"""Functions by the name that `fields.tsv` gives them; `around` is a check of its own."""
