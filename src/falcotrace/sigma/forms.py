"""The ways in which a field of Sigma can be asked of a system call.

Each class is one way; `taxonomy` says which field goes which way, `fields` makes the checks.
"""

import dataclasses
from collections.abc import Mapping


class UnaskableError(ValueError):
    """A test that a field cannot answer; the message is a part of a sentence behind its name."""


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """A text field of Falco that says the same.

    Args:
        field: its name.
        unknown: the text that Falco shows where there is no value.
    """

    field: str
    unknown: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class EitherText:
    """Text fields of Falco of which any may hold; they come near without being the same.

    Args:
        fields: their names.
        note: what is read instead of what Sigma means.
    """

    fields: tuple[str, ...]
    note: str


@dataclasses.dataclass(frozen=True, slots=True)
class CommandLine:
    """All arguments joined by blanks, the name of the program first (`proc.exeline`)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Argument:
    """One argument behind the program's name, counted from 1."""

    index: int


@dataclasses.dataclass(frozen=True, slots=True)
class Folder:
    """A text field of Falco with a slash at its end that Sigma does not have."""

    field: str


@dataclasses.dataclass(frozen=True, slots=True)
class Number:
    """A numeric field of Falco.

    Args:
        field: its name.
        unset: the number that Sigma's source has where Falco has -1.
    """

    field: str
    unset: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """An address of Falco, and the field that compares it with networks."""

    address: str
    network: str


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """A field with few values, each of which is a condition; the empty condition always holds."""

    conditions: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class CallName:
    """The name of the system call."""


@dataclasses.dataclass(frozen=True, slots=True)
class Register:
    """An argument of a system call as a hexadecimal number: not in captures."""


@dataclasses.dataclass(frozen=True, slots=True)
class Absent:
    """A field that records of this kind do not have: never a value."""


@dataclasses.dataclass(frozen=True, slots=True)
class Unanswerable:
    """A field that no system call answers.

    Args:
        why: the reason, to stand behind the field's name.
    """

    why: str


Form = (
    Text
    | EitherText
    | CommandLine
    | Argument
    | Folder
    | Number
    | Address
    | Choice
    | CallName
    | Register
    | Absent
    | Unanswerable
)


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """One kind of record of a log source.

    Args:
        events: the condition of Falco for the events that such records are about; empty where the
            rule has to say which.
        fields: how each field is asked.
        keywords: what words without a field are looked for in; None: they cannot be.
    """

    events: str
    fields: Mapping[str, Form]
    keywords: Form | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class LogSource:
    """A log source of Sigma that captures can stand for.

    Args:
        views: the kinds of records in it; a rule runs on each.
        output: the fields that an alert shows.
        tags: tags of its rules, as the official rules of Falco have them.
        record_field: the field that tells the kinds of records apart, if there is one.
    """

    views: tuple[View, ...]
    output: str
    tags: tuple[str, ...]
    record_field: str = ""
