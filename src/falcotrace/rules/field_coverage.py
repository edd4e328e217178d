"""Which of Falco's fields a capture answers, which not and why, and how many rules ask for each.

In: the catalogue of fields, and rules. Out: one entry for each field, and the table of the README.
`python -m falcotrace.rules.field_coverage` prints that table; a test compares the two.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from falcotrace.events.fields import FIELDS, Field, Storage
from falcotrace.rules.plan import RulePlan, TemplateField, iter_fields


class Coverage(StrEnum):
    """What a capture says of a field."""

    SUPPORTED = "supported"
    NEVER = "never has a value"
    UNSUPPORTED = "not supported"
    REMOVED = "removed from Falco"


@dataclass(frozen=True, slots=True)
class FieldCoverage:
    """One field of the catalogue.

    Attributes:
        name: as rules write it, without argument.
        coverage: whether captures answer it.
        how: where the value comes from, or why there is none.
        condition_rules: rules whose condition asks for it, macros and exceptions included.
        output_rules: rules whose output prints it.
    """

    name: str
    coverage: Coverage
    how: str
    condition_rules: int
    output_rules: int


PARTLY: Mapping[str, str] = MappingProxyType(
    {"fd.types[n]": "of the descriptors 0, 1 and 2 only: which others are open is not stored"}
)
"""Arguments of supported fields that are not."""


def field_coverage(rules: Sequence[RulePlan]) -> tuple[FieldCoverage, ...]:
    """Tell of every field, in Falco's order, whether it is supported and how many rules need it."""
    in_conditions = Counter(name for rule in rules for name in _condition_names(rule))
    in_outputs = Counter(name for rule in rules for name in _output_names(rule))
    return tuple(
        FieldCoverage(
            field.name, coverage_of(field), how(field), in_conditions[name], in_outputs[name]
        )
        for name, field in FIELDS.items()
    )


def _condition_names(rule: RulePlan) -> set[str]:
    return {operand.field.name for operand in rule.condition_fields}


def _output_names(rule: RulePlan) -> set[str]:
    return {
        operand.field.name
        for part in rule.output.parts
        if isinstance(part, TemplateField)
        for operand in iter_fields(part.operand)
    }


def coverage_of(field: Field) -> Coverage:
    """Whether captures answer a field."""
    match field.storage:
        case Storage.NEVER:
            return Coverage.NEVER
        case Storage.UNSUPPORTED:
            return Coverage.UNSUPPORTED
        case Storage.REMOVED:
            return Coverage.REMOVED
        case _:
            return Coverage.SUPPORTED


def how(field: Field) -> str:
    """Where a capture has the value, in a word or two; why there is none, in a sentence."""
    match field.storage:
        case Storage.COLUMN:
            return f"column {field.path}"
        case Storage.DERIVED | Storage.BOTH_ENDS | Storage.SAME:
            return "computed"
        case Storage.CONSTANT:
            return f"always {field.source}"
        case Storage.CAPTURE:
            return "footer"
        case Storage.REMOVED:
            return field.status.removeprefix("removed ")
        case _:
            return field.source


def coverage_counts(entries: Iterable[FieldCoverage]) -> dict[str, int]:
    """How many fields there are of each kind."""
    found = Counter(entry.coverage for entry in entries)
    return {str(kind): found[kind] for kind in Coverage}


def unsupported_markdown() -> str:
    """The README's table of fields without a value, one row for each reason."""
    lines = ["| field | |", "|---|---|"]
    for kind in (Coverage.UNSUPPORTED, Coverage.NEVER):
        names_by_reason: dict[str, list[str]] = {}
        for field in FIELDS.values():
            if coverage_of(field) is kind:
                names_by_reason.setdefault(field.source, []).append(field.name)
        for reason, names in names_by_reason.items():
            lines.append(f"| {_listed(names)} | {kind}: {reason} |")
    for name, reason in PARTLY.items():
        lines.append(f"| `{name}` | partly: {reason} |")
    return "\n".join(lines) + "\n"


def _listed(names: Sequence[str]) -> str:
    """Names; where all fields of a family are among them, the family: `k8smeta.*`."""
    return ", ".join(dict.fromkeys(f"`{_family(name, frozenset(names))}`" for name in names))


def _family(name: str, names: frozenset[str]) -> str:
    for end in (place for place, letter in enumerate(name) if letter == "."):
        family = {field for field in FIELDS if field.startswith(name[: end + 1])}
        if len(family) > 1 and family <= names:
            return f"{name[:end]}.*"
    return name


if __name__ == "__main__":
    sys.stdout.write(unsupported_markdown())
