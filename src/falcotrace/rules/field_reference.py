"""References to fields, such as `proc.aname[2]` or `evt.arg.flags`, to field and argument.

The names come from `events.fields`; this module knows where a name ends and its argument begins,
which arguments a field takes, and for how many values a reference stands.

Source: libs 48dfd53c userspace/libsinsp/sinsp_filtercheck*.cpp, parse_field_name and extract_arg.
"""

import re

from falcotrace.errors import Span
from falcotrace.events.event_types import EVENT_NAMES
from falcotrace.events.fields import FIELDS, Field
from falcotrace.events.operators import Multiplicity
from falcotrace.rules.faults import Fault, suggest
from falcotrace.rules.plan import FieldOperand
from falcotrace.rules.raw_arguments import raw_argument_types

_ANCESTOR_FIELDS = frozenset(
    {"proc.aname", "proc.aexe", "proc.aexepath", "proc.apid", "proc.acmdline", "proc.aenv"}
)
_NAME_FIELDS = frozenset({"fd.cip.name", "fd.sip.name", "fd.lip.name", "fd.rip.name"})
_BOTH_ENDS_FIELDS = frozenset({"fd.ip", "fd.port", "fd.net", "fd.proto"})
_INDEX = re.compile(r"\[(n|index|fdnum|timestamp_ns)\]")
_LONGEST_FIELD = max(map(len, FIELDS))
_LONGEST_REFERENCE = 1_000
_MOST_REMEMBERED = 10_000
_DIGITS = re.compile(r"[0-9]{1,20}")


def find_field(name: str, argument: str | None, span: Span | None = None) -> FieldOperand:
    """Look a reference up.

    Args:
        name: the dotted name, with a dotted argument if there is one.
        argument: the text in brackets, or None.
        span: where it was written, for the message.

    Raises:
        Fault: no such field, or not with that argument.

    Example:
        >>> find_field("evt.arg.flags", None).argument
        'flags'
    """
    operand = _look_up(name, argument, span)
    if operand is None:
        raise _unknown_field(name, argument, span)
    return operand


def is_field(name: str, argument: str | None = None) -> bool:
    """Tell whether a reference would be found."""
    try:
        return _look_up(name, argument, None) is not None
    except Fault:
        return False


def longest_field(name: str) -> tuple[FieldOperand, int] | None:
    """Find the longest beginning of a dotted name that is a field: `proc.names` begins with one.

    Returns:
        The field, and how many characters it takes; None if no beginning is a field.
    """
    for end in range(min(len(name), _LONGEST_REFERENCE), 2, -1):
        if is_field(name[:end]):
            return find_field(name[:end], None), end
    return None


_found: dict[tuple[str, str | None], FieldOperand] = {}
"""References seen so far: rules repeat a few hundred."""


def _look_up(name: str, argument: str | None, span: Span | None) -> FieldOperand | None:
    known = _found.get((name, argument))
    if known is not None:
        return known
    for field, rest in _candidates(name):
        operand = _apply(field, rest, argument, name, span)
        if operand is not None:
            if len(_found) < _MOST_REMEMBERED:
                _found[name, argument] = operand
            return operand
    return None


def _candidates(name: str) -> list[tuple[Field, str]]:
    """Fields that the name may mean, longest first, with what follows as dotted argument."""
    found: list[tuple[Field, str]] = []
    end = len(name) if len(name) <= _LONGEST_FIELD else name.rfind(".", 0, _LONGEST_FIELD + 1)
    while end > 0:
        field = FIELDS.get(name[:end])
        rest = name[end + 1 :]
        if (
            field is not None
            and not field.status.startswith("removed")
            and (rest or end == len(name))
        ):
            found.append((field, rest))
        end = name.rfind(".", 0, end)
    return found


def _apply(
    field: Field, dotted: str, argument: str | None, name: str, span: Span | None
) -> FieldOperand | None:
    """Give a field its argument; None if it cannot have that one."""
    text = name if argument is None else f"{name}[{argument}]"
    if dotted:
        if argument is not None or not _takes_dotted(field):
            return None
        _check_dotted(field, dotted, span)
        return FieldOperand(field, dotted, Multiplicity.SINGLE, text)
    if argument is None:
        if field.argument.startswith("required"):
            forms = field.argument.removeprefix("required: ")
            message = f"field `{field.name}` needs an argument"
            raise Fault(message, span, help_text=f"`{field.name}` takes {forms}")
        return FieldOperand(field, None, _multiplicity(field), text)
    if "[" not in field.argument:
        return None
    multiplicity = Multiplicity.LIST if field.is_list else Multiplicity.SINGLE
    return FieldOperand(field, _read_bracket(field, argument, span), multiplicity, text)


def _multiplicity(field: Field) -> Multiplicity:
    if field.is_list:
        return Multiplicity.LIST
    if field.name in _ANCESTOR_FIELDS:
        return Multiplicity.ANY_ANCESTOR
    if field.name in _NAME_FIELDS:
        return Multiplicity.ANY_NAME
    if field.name in _BOTH_ENDS_FIELDS:
        return Multiplicity.BOTH_ENDS
    return Multiplicity.SINGLE


def _takes_dotted(field: Field) -> bool:
    return re.search(r"(?:^|[:|] )\.", field.argument) is not None


def _check_dotted(field: Field, dotted: str, span: Span | None) -> None:
    if field.name in {"evt.arg", "evt.rawarg"} and dotted not in raw_argument_types():
        help_text = suggest(dotted, raw_argument_types()) if span is not None else None
        raise Fault(f"no event has an argument `{dotted}`", span, help_text=help_text)
    is_unknown = (field.name == "evt.abspath" and dotted not in {"src", "dst"}) or (
        field.name == "evt.type.is" and dotted not in EVENT_NAMES
    )
    if is_unknown:
        message = f"unknown field `{field.name}.{dotted}`"
        raise Fault(message, span, skippable=True)


def _read_bracket(field: Field, argument: str, span: Span | None) -> str | int:
    """Take an index as a number where the field has one."""
    if _INDEX.search(field.argument):
        if _DIGITS.fullmatch(argument):
            return int(argument)
        if " | [" not in field.argument:
            raise Fault(f"field `{field.name}` takes a number, not `{argument}`", span)
    return argument


def _unknown_field(name: str, argument: str | None, span: Span | None) -> Fault:
    removed = FIELDS.get(name)
    help_text = None
    if removed is not None and removed.status.startswith("removed"):
        help_text = f"Falco has {removed.status.replace('removed', 'removed it in', 1)}"
    elif removed is not None and argument is not None:
        help_text = f"`{name}` takes no argument in brackets"
    else:
        usable = (field.name for field in FIELDS.values() if "removed" not in field.status)
        help_text = suggest(name, usable)
    text = name if argument is None else f"{name}[{argument}]"
    return Fault(f"unknown field `{text}`", span, help_text=help_text, skippable=True)
