"""What became of Sigma rules: a table on standard error, or plain data for JSON."""

import sys
from collections import Counter
from typing import TYPE_CHECKING, TypedDict

from falcotrace.errors import escape_controls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from falcotrace.sigma.convert import Conversion


class ConversionReport(TypedDict):
    """One rule; `condition` is null if it does not run."""

    rule: str
    file: str
    line: int
    ending: str
    left_out: list[str]
    notes: list[str]
    condition: str | None


def conversion_report(conversions: "Sequence[Conversion]") -> list[ConversionReport]:
    """Describe conversions."""
    from falcotrace.rules.printer import print_parseable

    return [
        ConversionReport(
            rule=each.name,
            file=each.span.locate().file,
            line=each.span.locate().line,
            ending=str(each.converted.ending),
            left_out=list(each.converted.reasons),
            notes=list(each.converted.notes),
            condition=print_parseable(condition)
            if (condition := each.converted.condition) is not None
            else None,
        )
        for each in conversions
    ]


def show_endings(conversions: "Sequence[Conversion]") -> None:
    """Print each rule that does not run as it stands, and how many end in which way."""
    for each in conversions:
        converted = each.converted
        said = (*converted.reasons, *(f"note: {note}" for note in converted.notes))
        if said:
            line = f"{converted.ending}\t{each.name}\t{'; '.join(said)}"
            print("\t".join(map(escape_controls, line.split("\t"))), file=sys.stderr)
    counts = Counter(each.converted.ending for each in conversions)
    endings = ", ".join(f"{count} {ending}" for ending, count in sorted(counts.items(), key=_rank))
    print(f"{len(conversions)} rules of Sigma: {endings}", file=sys.stderr)


def _rank(entry: "tuple[str, int]") -> int:
    return -entry[1]
