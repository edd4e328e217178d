"""Tests of text fields as checks: where Falco has a text otherwise than Sigma, in several parts.

In come the way in which the field is asked and the test, out comes a tree that is exact: it holds
for the same texts as Sigma's test.
"""

import dataclasses
from collections.abc import Iterator

from falcotrace.events.operators import Operator
from falcotrace.rules.ast import FieldExpression, Operand, Transform, Transformer
from falcotrace.sigma.forms import (
    Argument,
    CommandLine,
    EitherText,
    Folder,
    Form,
    Text,
    UnaskableError,
)
from falcotrace.sigma.logic import NOWHERE, Tree, all_of, any_of, make_check, not_of
from falcotrace.sigma.text_tests import TextTest, read_text_test
from falcotrace.sigma.values import Existence, Expression, Pattern, Test


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a text: an operand, and the condition under which it says what is meant."""

    guard: Tree
    operand: Operand


_WHOLE = FieldExpression("proc.exeline", None, NOWHERE)
_PROGRAM = FieldExpression("proc.exe", None, NOWHERE)
_COUNT = FieldExpression("proc.cmdnargs", None, NOWHERE)
_HAS_ARGUMENTS = make_check(_COUNT, Operator.GREATER, "0")
_NO_ARGUMENTS = make_check(_COUNT, Operator.EQUAL, "0")
_ROOT = "/"


def ask_text(form: Form, test: Test) -> Tree:
    """Ask one test of a text field.

    Raises:
        UnaskableError: it cannot be asked; the message is a part of a sentence.
    """
    if isinstance(test, Pattern) and test.is_any:
        test = Existence(exists=True)
    if isinstance(test, Existence):
        return text_exists(form) if test.exists else not_of(text_exists(form))
    if not isinstance(test, Pattern | Expression):
        raise UnaskableError("is a text, not a number or an address")
    text = read_text_test(test)
    if isinstance(form, Folder):
        return _ask_folder(operand_of(form.field), test, text)
    asked = any_of(
        all_of((reading.guard, _check(reading.operand, text))) for reading in readings(form, text)
    )
    if isinstance(form, Text) and form.unknown and test.matches(form.unknown):
        return all_of((_is_known(form), asked))
    return asked


def readings(form: Form, text: TextTest | None) -> Iterator[Reading]:
    """How a text is read for a test; None stands for one that may see everything.

    Raises:
        UnaskableError: the field is no text.
    """
    match form:
        case Text(field=field, unknown=unknown):
            yield Reading(_is_known(form) if unknown and text is None else True, operand_of(field))
        case EitherText(fields=fields):
            yield from (Reading(True, operand_of(field)) for field in fields)
        case CommandLine():
            yield from _read_command_line(text)
        case Argument(index=index):
            # Falco shows an empty text where there are fewer arguments.
            guard: Tree = True
            if text is None or text.can_be_empty:
                guard = make_check(_COUNT, Operator.GREATER_EQUAL, str(index))
            yield Reading(guard, FieldExpression("proc.args", str(index - 1), NOWHERE))
        case _:
            raise UnaskableError("is no text")


def _read_command_line(text: TextTest | None) -> Iterator[Reading]:
    """Without arguments Falco leaves a blank at the end of the command line."""
    if text is not None and not text.sees_end:
        yield Reading(True, _WHOLE)
        return
    needs_end = (
        text is not None
        and text.operator in {Operator.EQUAL, Operator.ENDSWITH}
        and not text.value.endswith(" ")
        and text.value
    )
    yield Reading(True if needs_end else _HAS_ARGUMENTS, _WHOLE)
    yield Reading(_NO_ARGUMENTS, _PROGRAM)


def _ask_folder(operand: Operand, test: Pattern | Expression, text: TextTest) -> Tree:
    """Falco has a slash behind every folder; only the root's is its own."""
    is_root = make_check(operand, Operator.EQUAL, _ROOT)
    asked = _folder_check(operand, text)
    if text.can_be_empty:
        asked = all_of((not_of(is_root), asked))
    return any_of((asked, is_root)) if test.matches(_ROOT) else asked


def _folder_check(operand: Operand, text: TextTest) -> Tree:
    match text.operator:
        case Operator.STARTSWITH if text.value.endswith("/"):
            whole = dataclasses.replace(text, operator=Operator.EQUAL)
            return all_of((_check(operand, text), not_of(_check(operand, whole))))
        case Operator.CONTAINS | Operator.ICONTAINS if text.value.endswith("/"):
            return _check(operand, text.as_glob(behind="?*"))
        case Operator.STARTSWITH | Operator.CONTAINS | Operator.ICONTAINS:
            return _check(operand, text)
        case Operator.REGEX:
            return _check(operand, dataclasses.replace(text, value=f"({text.value})/"))
        case _:
            return _check(operand, dataclasses.replace(text, value=f"{text.value}/"))


def _check(operand: Operand, text: TextTest) -> Tree:
    left = Transformer(Transform.TOLOWER, (operand,), None, NOWHERE) if text.folds else operand
    return make_check(left, text.operator, text.value)


def _is_known(form: Text) -> Tree:
    return not_of(make_check(operand_of(form.field), Operator.EQUAL, form.unknown))


def text_exists(form: Form) -> Tree:
    """Whether a text field has a value.

    Raises:
        UnaskableError: the field is no text.
    """
    match form:
        case Text(field=field, unknown=unknown):
            exists = make_check(operand_of(field), Operator.EXISTS)
            return all_of((exists, _is_known(form))) if unknown else exists
        case Folder(field=field):
            return make_check(operand_of(field), Operator.EXISTS)
        case EitherText(fields=fields):
            return any_of(make_check(operand_of(field), Operator.EXISTS) for field in fields)
        case CommandLine():
            return make_check(_PROGRAM, Operator.EXISTS)
        case Argument(index=index):
            return make_check(_COUNT, Operator.GREATER_EQUAL, str(index))
        case _:
            raise UnaskableError("is not in captures")


def operand_of(text: str) -> FieldExpression:
    """A field as a condition has it: `proc.aexepath[2]`."""
    name, _, rest = text.partition("[")
    return FieldExpression(name, rest.removesuffix("]") or None, NOWHERE)
