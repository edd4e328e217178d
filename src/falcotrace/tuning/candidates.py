"""Values for the shapes of exceptions: what would cover some of the noise.

In: the values of alerts, and shapes. Out: candidates, each with the rows that it covers. Texts were
recorded and are hostile: one that a condition cannot say exactly is no candidate.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from falcotrace.evaluate import evaluate
from falcotrace.tuning.noise import AlertRow
from falcotrace.tuning.shapes import (
    EQUALITIES,
    FILE,
    FOLDER_SHAPE,
    PATTERN_SHAPES,
    PROGRAM,
    Shape,
)

LEAST_GENERALISED = 4
"""So many files have to be in a folder, or of a pattern, before one value stands for all."""

_MOST_DEPTH = 8
_PLAIN = re.compile(r"/[A-Za-z0-9_./@:+%-]*|[0-9]+|[0-9a-f.:]*[.:][0-9a-f.:]*")
_DIGIT = re.compile("[0-9]")
_GLOB_ESCAPES = {"*": "[*]", "?": "[?]", "[": "[[]"}
_GLOB_CHARACTERS = frozenset("*?[]\\")
_LONGEST_VALUE = 1_000
"""A longer text is nothing that people would look over."""


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """One value of an exception.

    Attributes:
        shape: the exception.
        values: one for each field, plain.
        rows: places of the rows of alerts that it covers.
    """

    shape: Shape
    values: tuple[str, ...]
    rows: frozenset[int]

    @property
    def condition(self) -> str:
        """What it excepts, as a condition."""
        return exception_condition(self.shape, self.values)


def written_value(text: str) -> str | None:
    r"""A text as a value that conditions read as that text; None if there is no way to say it.

    Falco puts values into the condition as they are, in double quotes where they have a blank: so
    what is no plain word brings its own quotes.

    Example:
        >>> [written_value(text) for text in ("/bin/tar", 'sh -c "a"', "a'\"", "a\n")]
        ['/bin/tar', '\'sh -c "a"\'', None, None]
    """
    if _PLAIN.fullmatch(text):
        return text
    if not 0 < len(text) <= _LONGEST_VALUE or not text.isprintable() or text.endswith("\\"):
        return None
    quote = next((quote for quote in "\"'" if quote not in text), None)
    if quote is None:
        return None
    escaped = text.replace("\\", "\\\\")
    return f"{quote}{escaped}{quote}"


def exception_condition(shape: Shape, values: Sequence[str]) -> str:
    """The condition that Falco makes of a value of an exception."""
    terms = zip(shape.fields, shape.comparisons, values, strict=True)
    return " and ".join(
        f"{field} {word} {_operand(word, written_value(value) or '')}"
        for field, word, value in terms
    )


def _operand(word: str, value: str) -> str:
    return f"({value})" if word in {"in", "pmatch"} else value


def candidates(rows: Sequence[AlertRow], shapes: Sequence[Shape]) -> list[Candidate]:
    """Everything that would cover some rows, in the order of shapes and values."""
    found: list[Candidate] = []
    for shape in shapes:
        if shape == FOLDER_SHAPE:
            found += _folders(rows, shape)
        elif shape in PATTERN_SHAPES:
            found += _patterns(rows, shape)
        else:
            found += _exact(rows, shape)
    return found


def _exact(rows: Sequence[AlertRow], shape: Shape) -> Iterator[Candidate]:
    places: dict[tuple[str, ...], set[int]] = {}
    for place, row in enumerate(rows):
        if all(row.values.get(field) for field in shape.fields):
            values = tuple(row.values[field] for field in shape.fields)
            places.setdefault(values, set()).add(place)
    is_equality = all(word in EQUALITIES for word in shape.comparisons)
    for values in sorted(places):
        if not _is_writable(shape, values):
            continue
        covered = places[values] if is_equality else covered_rows(shape, values, rows)
        yield Candidate(shape, values, frozenset(covered))


def covered_rows(shape: Shape, values: Sequence[str], rows: Sequence[AlertRow]) -> set[int]:
    """Places of the rows that a value covers, as the engine decides it."""
    truths = evaluate(exception_condition(shape, values), [_event(shape, row) for row in rows])
    return {place for place, holds in enumerate(truths) if holds}


def _event(shape: Shape, row: AlertRow) -> dict[str, object]:
    return {field: row.values[field] for field in shape.fields if field in row.values}


def _is_writable(shape: Shape, values: Sequence[str]) -> bool:
    """Whether conditions can say the values, and say nothing else with them."""
    if any(written_value(value) is None for value in values):
        return False
    return not any(
        word in {"glob", "pmatch"} and _GLOB_CHARACTERS & set(value)
        for word, value in zip(shape.comparisons, values, strict=True)
    )


def _folders(rows: Sequence[AlertRow], shape: Shape) -> Iterator[Candidate]:
    """One folder for many files of one program."""
    files: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        program, file = row.values.get(PROGRAM), row.values.get(FILE)
        if program and file and file.startswith("/"):
            for parent in list(PurePosixPath(file).parents)[:-1][:_MOST_DEPTH]:
                files.setdefault((program, f"{parent}/"), set()).add(file)
    yield from _widened(rows, shape, files)


def _patterns(rows: Sequence[AlertRow], shape: Shape) -> Iterator[Candidate]:
    """One pattern for many texts of one program that differ in digits alone."""
    _, field = shape.fields
    alike: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        program, text = row.values.get(PROGRAM), row.values.get(field)
        if program and text and "\\" not in text:
            alike.setdefault((program, _DIGIT.sub("0", text)), set()).add(text)
    patterns = {
        (program, _pattern(sorted(texts))): texts
        for (program, _), texts in alike.items()
        if len(texts) >= LEAST_GENERALISED
    }
    yield from _widened(rows, shape, patterns)


def _pattern(texts: Sequence[str]) -> str:
    """The pattern of texts of one length: a digit that differs may be any digit, nothing else."""
    return "".join(
        "[0-9]" if len(set(chars)) > 1 else _GLOB_ESCAPES.get(chars[0], chars[0])
        for chars in zip(*texts, strict=True)
    )


def _widened(
    rows: Sequence[AlertRow], shape: Shape, found: Mapping[tuple[str, str], set[str]]
) -> Iterator[Candidate]:
    for values in sorted(key for key, texts in found.items() if len(texts) >= LEAST_GENERALISED):
        if all(written_value(value) is not None for value in values):
            yield Candidate(shape, values, frozenset(covered_rows(shape, values, rows)))
