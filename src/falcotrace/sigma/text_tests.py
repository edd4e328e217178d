"""Tests of texts as operators of Falco with a value.

In: a pattern or a regular expression of Sigma. Out: an operator, its value, and whether the field
is folded to lower case first: Sigma does not tell upper from lower case, Falco's `=`, `startswith`
and `endswith` do.
"""

import dataclasses
import re

import re2

from falcotrace.events.operators import Operator
from falcotrace.events.text import to_text
from falcotrace.rules.regex import compile_regex
from falcotrace.rules.transforms import fold_case
from falcotrace.sigma.expressions import translate
from falcotrace.sigma.values import Expression, Pattern, Wildcard

_GLOB_SPECIAL = re.compile(r"[*?\[\\]")
_ESCAPED = r"\\\g<0>"


@dataclasses.dataclass(frozen=True, slots=True)
class TextTest:
    """An operator and its value.

    Args:
        operator: of Falco.
        value: in the form of `events.text.to_text`.
        folds: whether the field stands in `tolower(..)`.
    """

    operator: Operator
    value: str
    folds: bool

    @property
    def can_be_empty(self) -> bool:
        """Whether the empty text passes."""
        match self.operator:
            case Operator.REGEX:
                return compile_regex(self.value).fullmatch(b"") is not None
            case Operator.GLOB | Operator.IGLOB:
                return not self.value.replace("*", "")
            case _:
                return not self.value

    @property
    def sees_end(self) -> bool:
        """Whether a blank at the end of the field makes a difference."""
        if self.operator in {Operator.CONTAINS, Operator.ICONTAINS, Operator.STARTSWITH}:
            return self.value.endswith(" ")
        return True

    def as_glob(self, *, behind: str) -> "TextTest":
        """A test of what a text contains as a pattern, with more wildcards behind."""
        operator = Operator.GLOB if self.operator is Operator.CONTAINS else Operator.IGLOB
        return TextTest(
            operator, f"*{_GLOB_SPECIAL.sub(_ESCAPED, self.value)}{behind}", folds=False
        )


def read_text_test(test: Pattern | Expression) -> TextTest:
    """Translate a test.

    Raises:
        ValueError: it has no like; the message is a part of a sentence.

    Example:
        >>> from falcotrace.sigma.values import Wildcard
        >>> read_text_test(Pattern((Wildcard.ANY, "/Nc")))
        TextTest(operator=<Operator.ENDSWITH: 'endswith'>, value='/nc', folds=True)
    """
    if isinstance(test, Expression):
        return _read_expression(test)
    begins = test.parts[:1] != (Wildcard.ANY,)
    ends = test.parts[-1:] != (Wildcard.ANY,)
    inner = test.parts[not begins : len(test.parts) - (not ends)]
    if len(inner) <= 1 and not any(isinstance(part, Wildcard) for part in inner):
        return _plain(str(inner[0]) if inner else "", begins, ends, is_cased=test.is_cased)
    operator = Operator.GLOB if test.is_cased else Operator.IGLOB
    return TextTest(operator, _stored(_glob(test.parts)), folds=False)


def _plain(text: str, begins: bool, ends: bool, *, is_cased: bool) -> TextTest:  # noqa: FBT001
    operator = {
        (True, True): Operator.EQUAL,
        (True, False): Operator.STARTSWITH,
        (False, True): Operator.ENDSWITH,
        (False, False): Operator.CONTAINS,
    }[begins, ends]
    # Text without letters is the same in either case, and need not be folded.
    if is_cased or fold_case(text) == text.upper():
        return TextTest(operator, _stored(text), folds=False)
    if operator is Operator.CONTAINS:
        return TextTest(Operator.ICONTAINS, _stored(text), folds=False)
    return TextTest(operator, _stored(fold_case(text)), folds=True)


def _read_expression(expression: Expression) -> TextTest:
    translation = translate(expression)
    if translation.literal is not None:
        begins, ends = translation.is_begin, translation.is_end
        return _plain(translation.literal, begins, ends, is_cased=True)
    pattern = _stored(translation.pattern)
    try:
        compile_regex(pattern)
    except re2.error as error:
        raise ValueError(f"is an expression that Falco does not take ({error})") from error
    return TextTest(Operator.REGEX, pattern, folds=False)


def _glob(parts: tuple[str | Wildcard, ...]) -> str:
    return "".join(
        part.value if isinstance(part, Wildcard) else _GLOB_SPECIAL.sub(_ESCAPED, part)
        for part in parts
    )


def _stored(text: str) -> str:
    return text if text.isascii() else to_text(text.encode(errors="surrogatepass"))
