"""One test of one field of Sigma as checks of Falco's fields.

In come the way in which the field is asked (`forms`) and the test (`values`); out comes a tree,
with `Missing` where no system call answers. A missing value makes a check false in both languages.
"""

import dataclasses
import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import assert_never

from falcotrace.events.event_types import EVENT_TYPES, SYSCALLS
from falcotrace.events.fields import FIELDS
from falcotrace.events.operators import Operator
from falcotrace.rules.ast import FieldExpression, Operand, Transform, Transformer
from falcotrace.rules.parser import parse_condition
from falcotrace.rules.source import TextSource
from falcotrace.sigma.forms import (
    Absent,
    Address,
    Argument,
    CallName,
    Choice,
    CommandLine,
    EitherText,
    Folder,
    Form,
    Number,
    Register,
    Text,
    Unanswerable,
)
from falcotrace.sigma.logic import NOWHERE, Missing, Tree, all_of, any_of, make_check, not_of
from falcotrace.sigma.text_tests import TextTest, read_text_test
from falcotrace.sigma.values import (
    Comparison,
    Existence,
    FieldEquality,
    Network,
    Pattern,
    Test,
    Unreadable,
    Wildcard,
)

_NO_PATTERN = "is a number, and has no letters to compare"


def ask(name: str, form: Form, test: Test, forms: Mapping[str, Form]) -> Tree:
    """Ask one test of one field.

    Args:
        name: the field's name in Sigma, for reasons.
        form: the way in which it is asked.
        test: what is asked.
        forms: the other fields, for tests that compare two.
    """
    if isinstance(test, Unreadable):
        return Missing(f"`{name}` {test.reason}")
    if isinstance(form, Unanswerable):
        return Missing(f"`{name}` {form.why}")
    try:
        if isinstance(form, Absent):
            return isinstance(test, Existence) and not test.exists
        if isinstance(test, FieldEquality):
            return _compare_fields(form, test, forms)
        match form:
            case Number():
                return _ask_number(form, test)
            case Address():
                return _ask_address(form, test)
            case Choice():
                return _ask_choice(form, test)
            case CallName():
                return _ask_call(test)
            case Register():
                return _ask_register(test)
            case _:
                return _ask_text(form, test)
    except ValueError as error:
        return Missing(f"`{name}` {error}")


@dataclasses.dataclass(frozen=True, slots=True)
class _Reading:
    """One way to read a text: an operand, and the condition under which it says what is meant."""

    guard: Tree
    operand: Operand


_WHOLE = FieldExpression("proc.exeline", None, NOWHERE)
_PROGRAM = FieldExpression("proc.exe", None, NOWHERE)
_COUNT = FieldExpression("proc.cmdnargs", None, NOWHERE)
_HAS_ARGUMENTS = make_check(_COUNT, Operator.GREATER, "0")
_NO_ARGUMENTS = make_check(_COUNT, Operator.EQUAL, "0")


def _ask_text(form: Form, test: Test) -> Tree:
    if isinstance(test, Pattern) and test.is_any:
        test = Existence(exists=True)
    if isinstance(test, Existence):
        exists = _exists(form)
        return exists if test.exists else not_of(exists)
    if isinstance(test, Network | Comparison):
        raise ValueError("is a text, not a number or an address")  # noqa: TRY004 - the rule's fault
    assert not isinstance(test, FieldEquality | Unreadable)
    text = read_text_test(test)
    checks = [
        all_of((reading.guard, _text_check(reading.operand, text)))
        for reading in _readings(form, text)
    ]
    if isinstance(form, Folder) and (longer := text.followed_by("/")) is not None:
        checks.append(_text_check(_operand(form.field), longer))
    return any_of(checks)


def _readings(form: Form, text: TextTest | None) -> Iterator[_Reading]:
    """How a text is read for a test; None stands for one that may see everything."""
    match form:
        case Text(field=field) | Folder(field=field):
            yield _Reading(True, _operand(field))
        case EitherText(fields=fields):
            yield from (_Reading(True, _operand(field)) for field in fields)
        case CommandLine():
            # Without arguments Falco leaves a blank at the end.
            yield from _read_command_line(text)
        case Argument(index=index):
            # Falco shows an empty text where there are fewer arguments.
            guard: Tree = True
            if text is None or text.can_be_empty:
                guard = make_check(_COUNT, Operator.GREATER_EQUAL, str(index))
            yield _Reading(guard, FieldExpression("proc.args", str(index - 1), NOWHERE))
        case _:
            raise ValueError("is no text")


def _read_command_line(text: TextTest | None) -> Iterator[_Reading]:
    if text is not None and not text.sees_end:
        yield _Reading(True, _WHOLE)
        return
    needs_end = (
        text is not None
        and text.operator in {Operator.EQUAL, Operator.ENDSWITH}
        and not text.value.endswith(" ")
        and text.value
    )
    yield _Reading(True if needs_end else _HAS_ARGUMENTS, _WHOLE)
    yield _Reading(_NO_ARGUMENTS, _PROGRAM)


def _text_check(operand: Operand, text: TextTest) -> Tree:
    left = Transformer(Transform.TOLOWER, (operand,), None, NOWHERE) if text.folds else operand
    return make_check(left, text.operator, text.value)


def _exists(form: Form) -> Tree:
    match form:
        case Text(field=field, unknown=unknown) if unknown:
            exists = make_check(_operand(field), Operator.EXISTS)
            return all_of((exists, not_of(make_check(_operand(field), Operator.EQUAL, unknown))))
        case Text(field=field) | Folder(field=field):
            return make_check(_operand(field), Operator.EXISTS)
        case EitherText(fields=fields):
            return any_of(make_check(_operand(field), Operator.EXISTS) for field in fields)
        case CommandLine():
            return make_check(_PROGRAM, Operator.EXISTS)
        case Argument(index=index):
            return make_check(_COUNT, Operator.GREATER_EQUAL, str(index))
        case Number(field=field) | Address(address=field):
            return make_check(_operand(field), Operator.EXISTS)
        case Choice(conditions=conditions):
            return any_of(map(_condition, conditions.values()))
        case CallName():
            return make_check(_operand("evt.type"), Operator.EXISTS)
        case Register() | Absent() | Unanswerable():
            raise ValueError("is not in captures")
        case _:
            assert_never(form)


_BITS = re.compile(r"(U?)INT(8|16|32|64)")


def _ask_number(form: Number, test: Test) -> Tree:
    operand = _operand(form.field)
    match test:
        case Existence(exists=exists):
            return _exists(form) if exists else not_of(_exists(form))
        case Pattern(is_any=True):
            return _exists(form)
        case Pattern(literal=str(text)) if re.fullmatch(r"[+-]?[0-9]+", text):
            number = int(text)
            if not _fits(form.field, number):
                return False
            return make_check(operand, Operator.EQUAL, str(number))
        case Pattern():
            raise ValueError(_NO_PATTERN)
        case Comparison(operator=operator, number=number):
            if not _fits(form.field, number):
                raise ValueError(f"is never near {number}")
            return make_check(operand, operator, str(number))
        case _:
            raise ValueError(_NO_PATTERN)


def _fits(field: str, number: int) -> bool:
    """Whether a field can have a value: Falco would cut a larger number to the field's width."""
    kind = FIELDS[field].type
    match = _BITS.fullmatch(kind)
    sign, bits = (match[1], int(match[2])) if match else ("U", 16 if kind == "PORT" else 64)
    low, high = (0, 2**bits) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    return low <= number < high


_OCTETS = re.compile(r"(?:[0-9]{1,3}\.){1,3}")


def _ask_address(form: Address, test: Test) -> Tree:
    match test:
        case Existence(exists=exists):
            return _exists(form) if exists else not_of(_exists(form))
        case Network(cidr=cidr):
            return any_of(
                make_check(_operand(form.network), Operator.EQUAL, each) for each in _halves(cidr)
            )
        case Pattern(is_any=True):
            return _exists(form)
        case Pattern(literal=str(text)):
            return make_check(_operand(form.address), Operator.EQUAL, _address(text))
        case Pattern(parts=(str(start), Wildcard.ANY)) if _OCTETS.fullmatch(start):
            octets = start.removesuffix(".").split(".")
            network = ".".join((octets + ["0"] * 4)[:4])
            cidr = f"{_address(network)}/{8 * len(octets)}"
            return make_check(_operand(form.network), Operator.EQUAL, cidr)
        case _:
            raise ValueError("is an address, and of patterns only its first numbers can be asked")


def _address(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"is an address, and `{text}` is none") from None
    if "." in text and address.version != 4:
        raise ValueError(f"is compared with `{text}`, which Falco's language cannot spell")
    return str(address)


def _halves(cidr: str) -> tuple[str, ...]:
    # Falco does not take ::/0.
    return ("::/1", "8000::/1") if cidr == "::/0" else (cidr,)


def _ask_choice(form: Choice, test: Test) -> Tree:
    match test:
        case Existence(exists=exists):
            return _exists(form) if exists else not_of(_exists(form))
        case Pattern():
            chosen = (text for name, text in form.conditions.items() if test.matches(name))
            return any_of(map(_condition, chosen))
        case _:
            raise ValueError(f"is one of {', '.join(form.conditions)}")


def _ask_call(test: Test) -> Tree:
    operand = _operand("evt.type")
    match test:
        case Existence(exists=exists):
            return exists
        case Pattern():
            names = {event for call, event in _event_names().items() if test.matches(call)}
            if not names:
                raise ValueError(f"names no system call with {test.literal or 'its pattern'}")
            return any_of(make_check(operand, Operator.EQUAL, name) for name in sorted(names))
        case _:
            raise ValueError("is a name")


def _event_names() -> Mapping[str, str]:
    """System calls and the names of their events."""
    names = {event.constant: event.name for event in EVENT_TYPES}
    generic = {"GENERIC_X", "GENERIC_E"}
    return {
        call.name: call.name
        if call.exit_event.removeprefix("PPME_") in generic
        else names.get(call.exit_event, call.name)
        for call in SYSCALLS
    }


def _ask_register(test: Test) -> Tree:
    if isinstance(test, Pattern):
        letters = "".join(part for part in test.parts if isinstance(part, str))
        if re.fullmatch(r"[0-9A-Fa-f]*", letters) is None:
            return False
    raise ValueError("of SYSCALL is a register, and captures have arguments by their meaning")


def _compare_fields(form: Form, test: FieldEquality, forms: Mapping[str, Form]) -> Tree:
    other = forms.get(test.field)
    if other is None or isinstance(other, Unanswerable | Absent):
        raise ValueError(f"is compared with `{test.field}`, which captures do not have")
    if isinstance(form, Number | Address) or isinstance(other, Number | Address):
        return _compare_values(form, other, test.operator)
    checks = [
        all_of((left.guard, right.guard, _field_check(left, right, test.operator)))
        for left in _readings(form, None)
        for right in _readings(other, None)
    ]
    return any_of(checks)


def _field_check(left: _Reading, right: _Reading, operator: Operator) -> Tree:
    folded = Transformer(Transform.TOLOWER, (right.operand,), None, NOWHERE)
    if operator is Operator.ICONTAINS:
        return make_check(left.operand, operator, right=folded)
    asked = Transformer(Transform.TOLOWER, (left.operand,), None, NOWHERE)
    return make_check(asked, operator, right=folded)


def _compare_values(form: Form, other: Form, operator: Operator) -> Tree:
    names = [
        each.field if isinstance(each, Number) else each.address
        for each in (form, other)
        if isinstance(each, Number | Address)
    ]
    if len(names) < 2 or type(form) is not type(other) or operator is not Operator.EQUAL:
        raise ValueError("is compared with a field of another kind")
    if FIELDS[names[0]].type != FIELDS[names[1]].type:
        raise ValueError("is compared with a number of another width")
    value = Transformer(Transform.VAL, (_operand(names[1]),), None, NOWHERE)
    return make_check(_operand(names[0]), operator, right=value)


def _operand(text: str) -> FieldExpression:
    name, _, rest = text.partition("[")
    return FieldExpression(name, rest.removesuffix("]") or None, NOWHERE)


def _condition(text: str) -> Tree:
    """A condition of a table."""
    return parse_condition(TextSource("<sigma>", text)) if text else True
