"""One test of one field of Sigma as checks of Falco's fields.

In come the way in which the field is asked (`forms`) and the test (`values`); out comes a tree,
with `Missing` where no system call answers. A missing value makes a check false in both languages.
"""

import ipaddress
import re
from collections.abc import Mapping

from falcotrace.events.event_types import EVENT_TYPES, SYSCALLS
from falcotrace.events.fields import FIELDS
from falcotrace.events.operators import Operator
from falcotrace.rules.ast import Transform, Transformer
from falcotrace.rules.parser import parse_condition
from falcotrace.rules.source import TextSource
from falcotrace.sigma.forms import (
    Absent,
    Address,
    CallName,
    Choice,
    Folder,
    Form,
    Number,
    Register,
    Unanswerable,
    UnaskableError,
)
from falcotrace.sigma.logic import NOWHERE, Missing, Tree, all_of, any_of, make_check, not_of
from falcotrace.sigma.text_fields import Reading, ask_text, operand_of, readings, text_exists
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
                return ask_text(form, test)
    except ValueError as error:
        return Missing(f"`{name}` {error}")


def _exists(form: Form) -> Tree:
    match form:
        case Number(field=field) | Address(address=field):
            return make_check(operand_of(field), Operator.EXISTS)
        case Choice(conditions=conditions):
            return any_of(map(_condition, conditions.values()))
        case _:
            return text_exists(form)


_BITS = re.compile(r"(U?)INT(8|16|32|64)")


def _ask_number(form: Number, test: Test) -> Tree:
    operand = operand_of(form.field)
    match test:
        case Existence(exists=exists):
            return _exists(form) if exists else not_of(_exists(form))
        case Pattern(is_any=True):
            return _exists(form)
        case Pattern(literal=str(text)) if re.fullmatch(r"[+-]?[0-9]+", text):
            number = -1 if int(text) == form.unset else int(text)
            if not _fits(form.field, number):
                return False
            return make_check(operand, Operator.EQUAL, str(number))
        case Comparison(operator=operator, number=number):
            return _compare_number(form, operator, number)
        case _:
            raise UnaskableError("is a number, and has no letters to compare")


def _compare_number(form: Number, operator: Operator, number: int) -> Tree:
    if not _fits(form.field, number):
        raise UnaskableError(f"is never near {number}")
    check = make_check(operand_of(form.field), operator, str(number))
    if form.unset is None:
        return check
    is_unset = make_check(operand_of(form.field), Operator.EQUAL, "-1")
    is_above = operator in {Operator.GREATER, Operator.GREATER_EQUAL}
    return any_of((check, is_unset)) if is_above else all_of((check, not_of(is_unset)))


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
                make_check(operand_of(form.network), Operator.EQUAL, each) for each in _halves(cidr)
            )
        case Pattern(is_any=True):
            return _exists(form)
        case Pattern(literal=str(text)):
            return make_check(operand_of(form.address), Operator.EQUAL, _address(text))
        case Pattern(parts=(str(start), Wildcard.ANY)) if _OCTETS.fullmatch(start):
            octets = start.removesuffix(".").split(".")
            network = ".".join((octets + ["0"] * 4)[:4])
            cidr = f"{_address(network)}/{8 * len(octets)}"
            return make_check(operand_of(form.network), Operator.EQUAL, cidr)
        case _:
            raise UnaskableError(
                "is an address, and of patterns only its first numbers can be asked"
            )


def _address(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise UnaskableError(f"is an address, and `{text}` is none") from None
    if "." in text and address.version != 4:
        raise UnaskableError(f"is compared with `{text}`, which Falco's language cannot spell")
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
            raise UnaskableError(f"is one of {', '.join(form.conditions)}")


def _ask_call(test: Test) -> Tree:
    operand = operand_of("evt.type")
    match test:
        case Existence(exists=exists):
            return exists
        case Pattern():
            names = {event for call, event in _event_names().items() if test.matches(call)}
            if not names:
                raise UnaskableError(f"names no system call with {test.literal or 'its pattern'}")
            return any_of(make_check(operand, Operator.EQUAL, name) for name in sorted(names))
        case _:
            raise UnaskableError("is a name")


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
    raise UnaskableError("of SYSCALL is a register, and captures have arguments by their meaning")


def _compare_fields(form: Form, test: FieldEquality, forms: Mapping[str, Form]) -> Tree:
    other = forms.get(test.field)
    if other is None or isinstance(other, Unanswerable | Absent):
        raise UnaskableError(f"is compared with `{test.field}`, which captures do not have")
    if isinstance(form, Folder) or isinstance(other, Folder):
        raise UnaskableError("is compared with another field, and has a slash behind it here")
    if isinstance(form, Number | Address) or isinstance(other, Number | Address):
        return _compare_values(form, other, test.operator)
    checks = [
        all_of((left.guard, right.guard, _field_check(left, right, test.operator)))
        for left in readings(form, None)
        for right in readings(other, None)
    ]
    return any_of(checks)


def _field_check(left: Reading, right: Reading, operator: Operator) -> Tree:
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
        raise UnaskableError("is compared with a field of another kind")
    if FIELDS[names[0]].type != FIELDS[names[1]].type:
        raise UnaskableError("is compared with a number of another width")
    value = Transformer(Transform.VAL, (operand_of(names[1]),), None, NOWHERE)
    return make_check(operand_of(names[0]), operator, right=value)


def _condition(text: str) -> Tree:
    """A condition of a table."""
    return parse_condition(TextSource("<sigma>", text)) if text else True
