"""Derived fields about the arguments of events, as SQL: `evt.arg`, `evt.rawarg`, `evt.args` ...

In: the query's context and the field's argument. Out: values. A capture holds each argument in its
natural form; here it takes the text that Falco's conditions and outputs see.

Source: `falcotrace.events.derived`; libs 48dfd53c userspace/libsinsp/event.cpp, get_param_as_str.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sqlglot import exp

from falcotrace.engines.sql import build, raw_text
from falcotrace.engines.sql.build import template
from falcotrace.engines.sql.context import Context
from falcotrace.engines.sql.derived_events import (
    IS_GENERIC,
    Argument,
    DerivedSql,
    is_asynchronous,
    is_plain,
    when,
)
from falcotrace.engines.sql.number_texts import number_text, numbers_of
from falcotrace.engines.sql.values import PrintedNumber, Scalar, StandIn
from falcotrace.events import derived as table
from falcotrace.events.argument_forms import (
    ASYNC_EVENT,
    GENERIC_PARAMS,
    GROWN_EVENTS,
    number_forms,
    owners,
    stand_in,
)
from falcotrace.events.columns import BUFFER_PARAM, COLUMNS, PATHS
from falcotrace.events.event_types import EventType, Param, current_events
from falcotrace.events.numbers import format_of
from falcotrace.events.operators import ValueKind

_MISSING = Scalar(exp.null(), ValueKind.TEXT)


def _arg(context: Context, argument: Argument) -> Scalar:
    if not isinstance(argument, int):
        return _named_arg(context, str(argument))
    ifs = []
    marked = (
        (template(IS_GENERIC), GENERIC_PARAMS),
        (is_asynchronous(context), _ASYNC_PARAMS),
    )
    for mark, names in marked:
        named = _marked_arg(names[argument]) if argument < len(names) else exp.null()
        if not _is_never(mark):
            ifs.append(exp.If(this=mark, true=named))
    of_table: exp.Expr = exp.null()
    for name, text, events in _forms_at(argument):
        shown = build.call(
            "coalesce", _stored_arg(context, name).expression.copy(), build.text(text)
        )
        meant = context.is_event(events)
        if isinstance(meant, exp.Boolean) and meant.this:
            of_table = shown
        elif not isinstance(meant, exp.Boolean):
            ifs.append(exp.If(this=meant, true=shown))
    return Scalar(exp.Case(ifs=ifs, default=of_table), ValueKind.TEXT)


_ASYNC_PARAMS = tuple(param.name for param in ASYNC_EVENT.params)


def _marked_arg(name: str) -> exp.Expr:
    """An argument of an event whose name does not tell what it is."""
    if name == "ID":
        return build.column("evt.type")
    stored = _stored_arg(Context(), name).expression.copy()
    if name not in _ASYNC_PARAMS:
        return stored
    param = ASYNC_EVENT.params[_ASYNC_PARAMS.index(name)]
    return build.call("coalesce", stored, build.text(stand_in(param)))


def _forms_at(index: int) -> list[tuple[str, str, frozenset[str]]]:
    """Names and stand-ins of the arguments at an index, and the events of each."""
    found: dict[tuple[str, str], set[str]] = {}
    for event in current_events().values():
        if index < len(event.params):
            param = event.params[index]
            found.setdefault((param.name, stand_in(param)), set()).add(event.name)
    return [(name, text, frozenset(events)) for (name, text), events in found.items()]


def _by_event(
    context: Context, names: Mapping[str, str], function: Callable[[Context, str], Scalar]
) -> Scalar:
    """Ask the argument that the type of event has."""
    cases: list[tuple[exp.Expr, exp.Expr]] = []
    for name in dict.fromkeys(names.values()):
        meant = context.is_event({event for event, param in names.items() if param == name})
        value = function(context, name)
        if isinstance(meant, exp.Boolean):
            if meant.this:
                return value
            continue
        cases.append((meant, value.expression))
    if not cases:
        return _MISSING
    ifs = [exp.If(this=meant, true=value.copy()) for meant, value in cases]
    return Scalar(exp.Case(ifs=ifs), ValueKind.TEXT)


def _named_arg(context: Context, name: str) -> Scalar:
    """An argument as text; one without a value is a text too where the event has it."""
    if name == "ID":
        return Scalar(when(template(IS_GENERIC), build.column("evt.type")), ValueKind.TEXT)
    stored = _stored_arg(context, name)
    shown = {
        text: condition
        for text, events in owners(name).items()
        if not _is_never(condition := _has_argument(context, name, events))
    }
    if not shown:
        return stored
    texts = exp.Case(
        ifs=[exp.If(this=condition, true=build.text(text)) for text, condition in shown.items()]
    )
    has_argument = build.any_of([condition.copy() for condition in shown.values()])
    return Scalar(
        build.call("coalesce", stored.expression.copy(), texts),
        ValueKind.TEXT,
        stand_in=StandIn(stored, frozenset(shown), has_argument),
    )


def _is_never(condition: exp.Expr) -> bool:
    return isinstance(condition, exp.Boolean) and not condition.this


def _has_argument(context: Context, name: str, events: frozenset[str]) -> exp.Expr:
    """Whether the event has an argument by the event table."""
    has = build.all_of([context.is_event(events), is_plain(context)])
    if name in _ASYNC_PARAMS:
        return build.any_of([has, is_asynchronous(context)])
    return has


def _stored_arg(context: Context, name: str) -> Scalar:
    path = f"evt.arg.{name}"
    if path not in COLUMNS:
        return _MISSING
    stored = build.column(path)
    match COLUMNS[path].type:
        case "binary":
            return Scalar(raw_text.printable_bytes(stored), ValueKind.TEXT)
        case "int64" | "uint64":
            return _number_as_text(context, name)
        case _ if name == BUFFER_PARAM:
            buffer = raw_text.printable_bytes(build.column("evt.buffer"))
            return Scalar(build.call("coalesce", stored, buffer), ValueKind.TEXT)
        case _:
            return Scalar(stored, ValueKind.TEXT)


def _number_as_text(context: Context, name: str) -> Scalar:
    """A number as the types of event print it."""
    path = f"evt.arg.{name}"
    (first, _), *others = number_forms(name).items()
    cases = [
        exp.If(this=condition, true=number_text(path, form, resolved=True))
        for form, events in others
        if not _is_never(condition := context.is_event(events))
    ]
    plain = number_text(path, first, resolved=True)
    if cases:
        return Scalar(exp.Case(ifs=cases, default=plain), ValueKind.TEXT)
    read = numbers_of(first, is_signed=COLUMNS[path].type == "int64")
    printed = PrintedNumber(build.column(path), read) if read else None
    return Scalar(plain, ValueKind.TEXT, printed=printed)


def _rawarg(_: Context, argument: Argument) -> Scalar:
    name = str(argument)
    plain, raw = f"evt.arg.{name}", f"evt.rawarg.{name}"
    if name == BUFFER_PARAM:
        return Scalar(build.column("evt.buffer"), ValueKind.BYTES)
    if raw not in COLUMNS:
        return _stored(plain) if plain in COLUMNS else _MISSING
    if COLUMNS[raw].is_text:
        both = build.call("coalesce", build.column(raw), build.column(plain))
        return Scalar(both, ValueKind.TEXT)
    return _stored(raw)


def _stored(path: str) -> Scalar:
    kinds = {"string": ValueKind.TEXT, "binary": ValueKind.BYTES}
    return Scalar(build.column(path), kinds.get(COLUMNS[path].type, ValueKind.NUMBER))


def _args(context: Context, _: Argument) -> Scalar:
    """All arguments of an event as text."""
    cases = [exp.If(this=template(IS_GENERIC), true=build.text(""))]
    if not _is_never(asynchronous := is_asynchronous(context)):
        cases.append(exp.If(this=asynchronous, true=_all_arguments(context, ASYNC_EVENT)))
    by_params: dict[tuple[Param, ...], list[EventType]] = {}
    for event in current_events().values():
        if event.params:
            by_params.setdefault(event.params, []).append(event)
    default: exp.Expr = build.text("")
    for events in by_params.values():
        meant = context.is_event({event.name for event in events})
        if _is_never(meant):
            continue
        shown = _all_arguments(context, events[0])
        if isinstance(meant, exp.Boolean):
            default = shown
            break
        cases.append(exp.If(this=meant, true=shown))
    return Scalar(exp.Case(ifs=cases, default=default), ValueKind.TEXT, is_required=True)


def _all_arguments(context: Context, event: EventType) -> exp.Expr:
    parts: list[exp.Expr] = []
    for index, param in enumerate(event.params):
        blank = " " if index else ""
        named = [build.text(f"{blank}{param.name}="), *_shown_argument(context, param)]
        if index and event.name in GROWN_EVENTS:
            behind = [build.column(f"evt.arg.{other.name}") for other in event.params[index:]]
            named = [_if_any_behind(event.params[0], behind, build.concatenate(*named))]
        parts += named
    return build.concatenate(*parts)


def _if_any_behind(first: Param, behind: list[exp.Expr], text: exp.Expr) -> exp.Expr:
    """The text, but nothing where all arguments from here on are missing."""
    first_missing = build.is_missing(build.column(f"evt.arg.{first.name}"))
    known = [build.is_present(column) for column in behind]
    return when(build.any_of([first_missing, *known]), text, build.text(""))


def _shown_argument(context: Context, param: Param) -> list[exp.Expr]:
    """`raw`, or `raw(resolved)`."""
    plain, behind = f"evt.arg.{param.name}", f"evt.rawarg.{param.name}"
    missing = build.text(stand_in(param))
    shown = _stored_arg(context, param.name).expression
    if plain in COLUMNS and COLUMNS[plain].type in {"int64", "uint64"}:
        raw = build.call("coalesce", number_text(plain, param), missing)
        if param.type != "RELTIME":
            return [raw]
        return [raw, _resolved(number_text(plain, param), number_text(plain, param, resolved=True))]
    is_path = behind in COLUMNS and COLUMNS[behind].is_text and param.type in PATHS
    if not is_path and (behind not in COLUMNS or COLUMNS[behind].is_text or param.type == "SIGSET"):
        return [build.call("coalesce", shown, missing)]
    raw = build.column(behind)
    if is_path:
        # A path as given stands there only if Falco resolves it, even to the same text.
        resolved = template(
            "coalesce(CASE WHEN :raw IS NOT NULL THEN '(' || :shown || ')' END, '')",
            raw=raw,
            shown=shown,
        )
        return [build.call("coalesce", raw, shown, missing), resolved]
    raw = number_text(behind, param)
    if param.type == "DYN" and format_of(param) != "DEC":
        # A union that is a plain number prints by the parameter's format; one that has a name,
        # and signals, errors and times have, as a decimal.
        decimal = template("CAST(:number AS TEXT)", number=build.column(behind))
        same = template(":raw = :shown", raw=raw, shown=shown)
        raw = when(same, raw.copy(), decimal)
    return [build.call("coalesce", raw, shown, missing), _resolved(raw, shown)]


def _resolved(raw: exp.Expr, shown: exp.Expr) -> exp.Expr:
    return template(
        "CASE WHEN :raw <> :shown THEN '(' || :shown || ')' ELSE '' END", raw=raw, shown=shown
    )


def all_arguments(event_names: frozenset[str] | None) -> exp.Expr:
    """The arguments of some types of events as they are stored, in one struct."""
    if event_names is None:
        return build.column("evt.arg")
    names = dict.fromkeys(
        param.name
        for event in current_events().values()
        if event.name in event_names
        for param in event.params
        if f"evt.arg.{param.name}" in COLUMNS
    )
    if not names:
        return exp.null()
    return exp.Struct(
        expressions=[
            exp.PropertyEQ(this=build.text(name), expression=build.column(f"evt.arg.{name}"))
            for name in names
        ]
    )


_NORMAL = """
coalesce(
    nullif(
        list_reduce(
            string_split(:path, '/'),
            lambda done, part: CASE
                WHEN part IN ('', '.') THEN done
                WHEN part = '..' THEN regexp_replace(done, '/[^/]*$', '')
                ELSE done || '/' || part
            END,
            ''
        ),
        ''
    ),
    '/'
)
"""


_ABSOLUTE = f"""
CASE WHEN starts_with(:path, '/') THEN '' WHEN :path IS NOT NULL THEN :unknown END || {_NORMAL}
"""


def _abspath(context: Context, argument: Argument) -> Scalar:
    side = 1 if argument == "dst" else 0
    names = {event: pair[side] for event, pair in table.ABSPATH_PARAMS.items()}
    given = _by_event(context, names, lambda _, name: _stored(f"evt.arg.{name}")).expression
    is_known = build.any_of(
        [context.is_other_event({"open_by_handle_at"}), template("evt.rawres > 0")]
    )
    path = template("nullif(:given, '')", given=when(is_known, given))
    unknown = build.text(table.UNKNOWN_DIRECTORY.removesuffix("/"))
    return Scalar(
        build.once(path, lambda x: template(_ABSOLUTE, path=x, unknown=unknown)), ValueKind.TEXT
    )


ARGUMENT_FUNCTIONS: Mapping[str, DerivedSql] = MappingProxyType(
    {"arg": _arg, "rawarg": _rawarg, "args": _args, "abspath": _abspath}
)
"""Functions by the name that `fields.tsv` gives them."""
