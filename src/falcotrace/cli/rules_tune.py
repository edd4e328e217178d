"""`falcotrace rules tune`: propose exceptions for rules that are noisy on known-good captures."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.exit_codes import ExitCode
from falcotrace.cli.row_output import ForceOption, OutputOption, refuse_captures, text_sink
from falcotrace.cli.rule_sources import RulesOption
from falcotrace.cli.rules_proof import FixturesOption

if TYPE_CHECKING:
    from falcotrace.tuning.model import RuleTuning, Tuning


def tune(
    more: Annotated[
        list[Path] | None, typer.Argument(help="More captures of the baseline.", show_default=False)
    ] = None,
    *,
    baseline: Annotated[
        list[Path],
        typer.Option(
            "--baseline", help="Captures that are known to be good: files, folders, globs."
        ),
    ],
    rules: RulesOption = None,
    fixtures: FixturesOption = None,
    most_per_hour: Annotated[
        float,
        typer.Option(
            "--max-per-hour", min=0, help="So many alerts of a rule an hour are no noise."
        ),
    ] = 0.0,
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Propose exceptions for rules that are noisy on captures which are known to be good.

    The result is a rules file of Falco to load after the rules. No exception is proposed that would
    silence a fixture or covers too much; what is proposed is verified on both engines.

    Exit codes: 0 nothing is noisy any more, 1 some noise is left, 2 error.
    """
    from falcotrace.tuning.text import tuned_rules

    captures = [*baseline, *(more or [])]
    refuse_captures(output, captures)
    tuning = _tuned(captures, rules or [], fixtures, most_per_hour)
    text = tuned_rules(tuning)
    if output is not None or text:
        with text_sink(output, force=force) as stream:
            stream.write(text)
    _print_report(tuning)
    sys.exit(ExitCode.CLEAN if tuning.is_complete else ExitCode.ALERTS)


def _tuned(
    captures: list[Path], rules: list[Path], fixtures: list[Path] | None, most_per_hour: float
) -> "Tuning":
    from falcotrace.api import open_captures
    from falcotrace.cli.live_line import LiveLine
    from falcotrace.fixtures.load import fixtures_beside, load_fixtures
    from falcotrace.rules.load import load_definitions
    from falcotrace.rules.shipped import shipped_rules
    from falcotrace.sigma.load import falco_sources
    from falcotrace.tuning.noise import Baseline
    from falcotrace.tuning.propose import Names, propose
    from falcotrace.tuning.verify import Sources, verify

    sources = Sources(
        tuple(rules or [shipped_rules()]),
        tuple(fixtures_beside(rules) if fixtures is None else fixtures),
        takes_strangers=any(not path.is_dir() for path in rules),
    )
    loaded = load_fixtures(sources.rules, sources.fixtures, takes_strangers=sources.takes_strangers)
    names = Names(*load_definitions(falco_sources(sources.rules)))
    if not loaded.fixtures:
        print(
            "note: the rules have no fixtures: no attack speaks against what is proposed",
            file=sys.stderr,
        )
    with open_captures(captures) as opened, LiveLine() as line:
        known_good = Baseline(opened.stored)
        tuning = propose(
            loaded,
            names,
            known_good,
            most_per_hour,
            lambda name: line.show(f"tuning  {_shown(name)}"),
        )
        line.show("verifying")
        return verify(tuning, sources, known_good)


def _print_report(tuning: "Tuning") -> None:
    """What each value does, on standard error: the rules file may go to standard output."""
    recorded = f"{_count(tuning.captures, 'capture')}, {_duration(tuning.hours)}"
    if not tuning.rules:
        print(f"no rule is noisy: {recorded}", file=sys.stderr)
        return
    for tuned in tuning.rules:
        for line in _lines(tuned):
            print(line, file=sys.stderr)
    alerts = sum(each.alerts for each in tuning.rules)
    verified = " and ".join(tuning.verified_by)
    print(
        f"{recorded}: {_count(alerts, 'alert')} of noisy rules, {tuning.alerts_left:,} with these "
        f"exceptions, verified by {verified}",
        file=sys.stderr,
    )


def _lines(tuned: "RuleTuning") -> list[str]:
    alerts = _count(tuned.alerts, "alert")
    lines = [f"{_shown(tuned.rule.name)}: {alerts}, {tuned.per_hour:,.1f} an hour"]
    for value in tuned.values:
        also = f"; also covers {_count(value.also, 'other event')}" if value.also else ""
        lines.append(
            f"  {_shown(value.candidate.shape.name)}: {_shown(value.candidate.condition)}: "
            f"silences {_count(value.alerts, 'alert')} ({value.share:.0%}) in "
            f"{_count(value.captures, 'capture')} of {_count(value.hosts, 'host')}{also}"
        )
    lines += [
        f"  refused: {_shown(refused.candidate.condition)}: {_shown(refused.reason)}"
        for refused in tuned.refused
    ]
    if tuned.left or tuned.problem:
        problem = f": {_shown(tuned.problem)}" if tuned.problem else ""
        lines.append(f"  left: {_count(tuned.left, 'alert')}{problem}")
    return lines


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _duration(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} hours"
    minutes = hours * 60
    return f"{minutes:.0f} minutes" if minutes >= 2 else f"{minutes * 60:.0f} s"


def _shown(text: str) -> str:
    from falcotrace.outputs.escape import for_terminal

    return for_terminal(text)
