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
from falcotrace.engines.sql.derived_events import Argument, DerivedSql, when
from falcotrace.engines.sql.values import PrintedNumber, Scalar
from falcotrace.events import derived as table
from falcotrace.events.columns import BUFFER_PARAM, BUFFERS, COLUMNS, params_by_name
from falcotrace.events.event_types import EventType, Param, current_events
from falcotrace.events.operators import ValueKind

_NO_TEXT: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("BYTEBUF", "SOCKTUPLE", "FDLIST", "DYN"), "NULL")
)
"""What `evt.args` shows for an argument without a value; `<NA>` for all other types."""

_MISSING = Scalar(exp.null(), ValueKind.TEXT)
_MASK = (1 << 64) - 1


def _arg(context: Context, argument: Argument) -> Scalar:
    if isinstance(argument, int):
        return _by_event(context, table.params_at(argument), _named_arg)
    return _named_arg(context, str(argument))


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
    if name == "ID":
        plain = context.is_other_event(current_events().keys())
        return Scalar(when(plain, build.column("evt.type")), ValueKind.TEXT)
    path = f"evt.arg.{name}"
    if path not in COLUMNS:
        return _MISSING
    shown = _as_text(path, params_by_name()[name][0].format)
    if name == BUFFER_PARAM:
        buffer = raw_text.printable_bytes(build.column("evt.buffer"))
        return Scalar(build.call("coalesce", shown.expression, buffer), ValueKind.TEXT)
    return shown


def _as_text(path: str, form: str) -> Scalar:
    """A stored argument as text: numbers in a format, bytes with dots."""
    stored = build.column(path)
    match COLUMNS[path].type:
        case "binary":
            return Scalar(raw_text.printable_bytes(stored), ValueKind.TEXT)
        case "int64" | "uint64" as kind:
            printed = PrintedNumber(stored, _reader(form, is_signed=kind == "int64"))
            return Scalar(_format_number(path, form), ValueKind.TEXT, printed=printed)
        case _:
            return Scalar(stored, ValueKind.TEXT)


def _format_number(path: str, form: str) -> exp.Expr:
    stored = build.column(path)
    if form == "HEX":
        return build.call("to_hex", stored)
    if form == "OCT":
        return template("'0' || printf('%o', :number)", number=stored)
    if COLUMNS[path].type == "uint64":
        # Falco prints unsigned numbers through a signed conversion.
        return template(
            "CAST(CASE WHEN :number >> 63 = 1 THEN :number - 18446744073709551616"
            " ELSE :number END AS TEXT)",
            number=stored,
        )
    return template("CAST(:number AS TEXT)", number=stored)


def _reader(form: str, *, is_signed: bool) -> Callable[[str], list[int]]:
    """Which numbers of a column print as a text; at most one does."""
    base = {"HEX": 16, "OCT": 8}.get(form, 10)

    def read(text: str) -> list[int]:
        try:
            bits = int(text, base) & _MASK
        except ValueError:
            return []
        signed = bits - (1 << 64) if bits >> 63 else bits
        printed = {"HEX": f"{bits:X}", "OCT": f"0{bits:o}"}.get(form, str(signed))
        if printed != text:
            return []
        return [signed if is_signed else bits]

    return read


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
    cases: list[exp.If] = []
    by_params: dict[tuple[Param, ...], list[EventType]] = {}
    for event in current_events().values():
        if event.params:
            by_params.setdefault(event.params, []).append(event)
    for params, events in by_params.items():
        meant = context.is_event({event.name for event in events})
        shown = _all_arguments(context, params)
        if isinstance(meant, exp.Boolean):
            if meant.this:
                return Scalar(shown, ValueKind.TEXT, is_required=True)
            continue
        cases.append(exp.If(this=meant, true=shown))
    if not cases:
        return Scalar(build.text(""), ValueKind.TEXT, is_required=True)
    return Scalar(exp.Case(ifs=cases, default=build.text("")), ValueKind.TEXT, is_required=True)


def _all_arguments(context: Context, params: tuple[Param, ...]) -> exp.Expr:
    parts: list[exp.Expr] = []
    for index, param in enumerate(params):
        blank = " " if index else ""
        parts += [build.text(f"{blank}{param.name}="), *_shown_argument(context, param)]
    return build.concatenate(*parts)


def _shown_argument(context: Context, param: Param) -> list[exp.Expr]:
    """`raw`, or `raw(resolved)` where the two differ."""
    value = _named_arg(context, param.name).expression
    missing = build.text(_NO_TEXT.get(param.type, "<NA>"))
    shown = build.call("coalesce", value, missing)
    path = f"evt.rawarg.{param.name}"
    if path not in COLUMNS or param.type in BUFFERS:
        return [shown]
    # The names of flags carry a format for hexadecimal, but are printed as decimal numbers.
    raw = _as_text(path, "DEC" if "FLAGS" in param.type else param.format).expression
    resolved = template(
        "CASE WHEN :raw <> :shown THEN '(' || :shown || ')' ELSE '' END", raw=raw, shown=shown
    )
    return [build.call("coalesce", raw, shown), resolved]


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
