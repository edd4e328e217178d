"""`falcotrace rules test`: prove rules by captures, on which they fire or are silent."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.exit_codes import ExitCode
from falcotrace.cli.options import JsonOption
from falcotrace.cli.rule_sources import RuleNameOption
from falcotrace.errors import FalcoTraceError

if TYPE_CHECKING:
    from falcotrace.fixtures.model import FixtureSet
    from falcotrace.fixtures.verdicts import Proof, RuleVerdict, Shortcoming

_BOTH = "both"

FixturesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--fixtures",
        help="Fixture files and folders; repeatable. Default: `fixtures` beside the rules.",
    ),
]


def prove(
    rules: Annotated[
        list[Path] | None,
        typer.Argument(help="Rules files and folders, in order. Default: those that ship."),
    ] = None,
    *,
    fixtures: FixturesOption = None,
    rule: RuleNameOption = None,
    engine: Annotated[
        str, typer.Option("--engine", help="replay, duckdb, or both, which have to agree.")
    ] = _BOTH,
    output_format: Annotated[
        str, typer.Option("--format", help="table, json, tap or junit.")
    ] = "table",
    as_json: JsonOption = False,
) -> None:
    """Prove rules by their fixtures: each fires on its capture, and is silent on benign ones.

    Exit codes: 0 every enabled rule is proven, 1 something falls short, 2 error.
    """
    from falcotrace.fixtures.answers import ENGINES
    from falcotrace.fixtures.listings import LISTINGS

    output_format = "json" if as_json else output_format
    if output_format not in ("table", *LISTINGS):
        known = ", ".join(("table", *LISTINGS))
        raise typer.BadParameter(f"--format: expected one of {known}, found {output_format!r}")
    if engine not in (*ENGINES, _BOTH):
        known = ", ".join((*ENGINES, _BOTH))
        raise typer.BadParameter(f"--engine: expected one of {known}, found {engine!r}")
    loaded = loaded_fixtures(rules or [], fixtures, rule or [])
    proof = proved(loaded, tuple(ENGINES) if engine == _BOTH else (engine,))
    if output_format == "table":
        _print_proof(proof)
    else:
        print(LISTINGS[output_format](proof))
    for note in (*_strangers_note(loaded), *proof.notes):
        print(f"note: {_shown(note)}", file=sys.stderr)
    sys.exit(ExitCode.CLEAN if proof.is_complete else ExitCode.ALERTS)


def loaded_fixtures(
    rules: list[Path], fixtures: list[Path] | None, names: list[str]
) -> "FixtureSet":
    """The fixtures of rules, of some of them if names are given.

    Raises:
        RulesError: the rules or the fixtures cannot be used.
        FalcoTraceError: no rule has such a name.
    """
    from falcotrace.fixtures.load import fixtures_beside, load_fixtures
    from falcotrace.fixtures.run import chosen_fixtures
    from falcotrace.rules.select import Selection

    chosen = fixtures_beside(rules) if fixtures is None else fixtures
    if not (rules or chosen):
        raise FalcoTraceError(
            "the captures that prove the rules which ship are not installed: they are in a checkout"
        )
    # The folder beside one file of rules has the fixtures of its neighbours, too.
    loaded = load_fixtures(rules, chosen, takes_strangers=any(not path.is_dir() for path in rules))
    if not names:
        return loaded
    selections = [Selection(enables=True, rule=name) for name in names]
    selected = frozenset(
        rule.name for rule in loaded.plan.rules if any(each.selects(rule) for each in selections)
    )
    if not selected:
        raise FalcoTraceError(
            f"no rule is called {' or '.join(f'`{_shown(name)}`' for name in names)}; "
            "`falcotrace rules list` lists them"
        )
    return chosen_fixtures(loaded, selected)


def proved(fixtures: "FixtureSet", engines: tuple[str, ...]) -> "Proof":
    """Run fixtures, with a line of progress on a terminal."""
    from falcotrace.cli.live_line import LiveLine
    from falcotrace.fixtures.run import run_fixtures

    with LiveLine() as line:
        return run_fixtures(
            fixtures,
            engines,
            lambda place, count, path: line.show(
                f"testing rules  {place} of {count} captures  {_shown(path.name)}"
            ),
        )


def _print_proof(proof: "Proof") -> None:
    from falcotrace.cli.render import table

    table(_HEADER, [*_file_rows(proof), _row("all", proof.rules)], right=_HEADER[1:])
    for shortcoming in proof.shortcomings:
        print(_line(shortcoming))
    for each in proof.rules:
        if each.verdict == "untested":
            off = "" if each.rule.enabled else " (disabled)"
            print(f"untested: {_shown(each.rule.name)}{off}: no fixture shows that it fires")


_HEADER = ("file", "rules", "fired", "silent", "failed", "noisy", "untested")


def _file_rows(proof: "Proof") -> list[tuple[str, ...]]:
    files = dict.fromkeys(each.file for each in proof.rules)
    return [_row(file, [each for each in proof.rules if each.file == file]) for file in files]


def _row(title: str, rules: "tuple[RuleVerdict, ...] | list[RuleVerdict]") -> tuple[str, ...]:
    verdicts = [each.verdict.value for each in rules]
    silences = [each.is_silent for each in rules]
    was_asked = any(silence is not None for silence in silences)
    return (
        title,
        str(len(rules)),
        str(sum(each.is_proven for each in rules)),
        str(silences.count(True)) if was_asked else "-",
        str(verdicts.count("failed")),
        str(silences.count(False)) if was_asked else "-",
        str(verdicts.count("untested")),
    )


def _line(shortcoming: "Shortcoming") -> str:
    from falcotrace.fixtures.listings import place_text, shortcoming_text

    place = place_text(shortcoming)
    where = f" ({place})" if place else ""
    about = f"{_shown(shortcoming.rule)}: {_shown(shortcoming.capture.name)}"
    return f"{shortcoming.lack}: {about}: {shortcoming_text(shortcoming)}{where}"


def _strangers_note(fixtures: "FixtureSet") -> tuple[str, ...]:
    count = len(fixtures.left_out)
    what = "1 rule has fixtures and is" if count == 1 else f"{count} rules have fixtures and are"
    return (f"{what} not among the files given: left out",) if count else ()


def _shown(text: str) -> str:
    from falcotrace.outputs.escape import for_terminal

    return for_terminal(text)
