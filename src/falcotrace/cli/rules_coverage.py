"""`falcotrace rules coverage`: techniques of ATT&CK that rules were seen to find, or only claim."""

from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from falcotrace.cli.row_output import ForceOption, OutputOption, text_sink
from falcotrace.cli.rule_sources import RulesOption
from falcotrace.cli.rules_proof import FixturesOption, loaded_fixtures, proved

if TYPE_CHECKING:
    from falcotrace.fixtures.coverage import Coverage
    from falcotrace.fixtures.verdicts import Proof

_FORMATS = ("table", "json", "navigator")


def coverage(
    *,
    rules: RulesOption = None,
    fixtures: FixturesOption = None,
    output_format: Annotated[
        str, typer.Option("--format", help="table, json or navigator (a layer).")
    ] = "table",
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Say which techniques of ATT&CK rules cover: seen to fire in their fixtures, or only claimed.

    Exit codes: 0 done, 2 error.
    """
    from falcotrace.fixtures.answers import ENGINES

    if output_format not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise typer.BadParameter(f"--format: expected one of {known}, found {output_format!r}")
    proof = proved(loaded_fixtures(rules or [], fixtures, []), tuple(ENGINES))
    if output is None and output_format == "table":
        _print_table(proof)
        return
    with text_sink(output, force=force) as stream:
        _write(proof, output_format, stream)


def _write(proof: "Proof", output_format: str, stream: TextIO) -> None:
    from falcotrace.fixtures.coverage import coverage_of
    from falcotrace.outputs.cells import json_text
    from falcotrace.outputs.exports.context import ExportContext
    from falcotrace.outputs.exports.navigator import write_proven

    if output_format == "navigator":
        write_proven(ExportContext(tuple(each.rule for each in proof.rules)), proof.proven, stream)
        return
    found = coverage_of(proof)
    if output_format == "json":
        stream.write(json_text(_document(found)) + "\n")
        return
    rows = (_HEADER, *_rows(found))
    stream.writelines("\t".join(map(_shown, row)) + "\n" for row in rows)


def _print_table(proof: "Proof") -> None:
    from falcotrace.cli.render import table
    from falcotrace.fixtures.coverage import coverage_of

    found = coverage_of(proof)
    table(_HEADER, _rows(found), right=("proven", "claimed"))
    print(
        f"{_techniques(len(found.proven_ids))} proven: a rule was seen to find each; "
        f"{_techniques(len(found.claimed_ids))} claimed by tags alone"
    )
    if found.untagged:
        print(f"rules that name no technique: {', '.join(map(_shown, found.untagged))}")


_HEADER = ("tactic", "technique", "proven", "claimed", "rules")


def _rows(found: "Coverage") -> list[tuple[str, ...]]:
    return [
        (
            one.tactic.name if one.tactic is not None else "-",
            one.technique or "-",
            str(len(one.proven)),
            str(len(one.claimed)),
            ", ".join((*one.proven, *(f"{name} (claimed)" for name in one.claimed))),
        )
        for one in found.techniques
    ]


def _document(found: "Coverage") -> dict[str, object]:
    return {
        "proven": list(found.proven_ids),
        "claimed": list(found.claimed_ids),
        "techniques": [
            {
                "tactic": one.tactic.id if one.tactic is not None else None,
                "technique": one.technique or None,
                "proven": list(one.proven),
                "claimed": list(one.claimed),
            }
            for one in found.techniques
        ],
        "untagged": list(found.untagged),
    }


def _techniques(count: int) -> str:
    return "1 technique" if count == 1 else f"{count} techniques"


def _shown(text: str) -> str:
    from falcotrace.outputs.escape import for_terminal

    return for_terminal(text)
