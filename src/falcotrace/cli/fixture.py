"""`falcotrace fixture`: make a small capture of an alert, which proves its rule from then on."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.options import CapturesArgument, JsonOption
from falcotrace.cli.rule_sources import RulesOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from falcotrace.api import Captures
    from falcotrace.api.alerts import CapturedAlert
    from falcotrace.fixtures.cut import Cut
    from falcotrace.fixtures.redact import Redacted

_MOST_NAMED = 8
"""So many events are named in an error."""


def fixture(
    captures: CapturesArgument,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The capture to write.")],
    alert: Annotated[
        list[int] | None,
        typer.Option(
            "--alert", help="The alert of this number, from 1, as `scan` lists them; repeatable."
        ),
    ] = None,
    rule: Annotated[
        str, typer.Option("--rule", help="The rule of this name; needs no --alert.")
    ] = "",
    event: Annotated[
        list[int] | None,
        typer.Option("--event", help="With --rule: where it fires; repeatable."),
    ] = None,
    rules: RulesOption = None,
    context: Annotated[
        str,
        typer.Option(
            "--context",
            help="Also keep events around it: none, of its process, or of its tree of processes.",
        ),
    ] = "none",
    around: Annotated[
        int, typer.Option("--around", min=1, help="At most so many events of the context.")
    ] = 200,
    redact: Annotated[
        bool,
        typer.Option("--redact", help="Replace names, paths, addresses and contents."),
    ] = False,
    fixtures: Annotated[
        Path | None,
        typer.Option("--fixtures", help="Append the entry to this file of fixtures."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Cut the smallest capture on which a rule still fires, and print its entry for `rules test`.

    Exit codes: 0 written, 2 error.
    """
    from falcotrace.api import open_captures
    from falcotrace.api.fixtures import Context, CutOptions, cut_fixture
    from falcotrace.fixtures.cut_entry import append_entry, entry_text, fixture_entry

    if context not in [one.value for one in Context]:
        raise typer.BadParameter(f"expected none, process or tree, found {context!r}")
    if bool(alert) == bool(rule):
        raise typer.BadParameter("name an --alert, or a --rule and the --event that it fires on")
    if event and not rule:
        raise typer.BadParameter("--event needs the --rule that fires on it")
    options = CutOptions(Context(context), around, redact, force)
    with open_captures(captures) as opened:
        chosen = _by_rule(opened, rules, rule, event) if rule else _by_number(opened, rules, alert)
        cut = cut_fixture(opened, chosen, output, options)
    entry = fixture_entry(cut, fixtures)
    if as_json:
        _print_json(cut, entry)
    else:
        print(entry_text(entry), end="")
    if fixtures is not None:
        append_entry(fixtures, entry)
    if not as_json:
        _tell(cut, fixtures)


def _by_number(
    opened: "Captures", rules: "list[Path] | None", numbers: "list[int] | None"
) -> "list[CapturedAlert]":
    from falcotrace.cli.investigations import chosen_alert
    from falcotrace.cli.live_line import Waiting
    from falcotrace.cli.rule_sources import load_for_use

    plan = load_for_use(rules, append_suggested=False).plan
    with Waiting("asking the rules"):
        found = list(opened.scan(plan))
    return [chosen_alert(found, number) for number in numbers or ()]


def _by_rule(
    opened: "Captures", rules: "list[Path] | None", name: str, events: "list[int] | None"
) -> "list[CapturedAlert]":
    """The alerts of a rule, also one that is switched off, on some events or on the only one."""
    import dataclasses

    from falcotrace.cli.live_line import Waiting
    from falcotrace.cli.rule_sources import load_for_use
    from falcotrace.rules.plan import Plan
    from falcotrace.rules.select import find_rule

    plan = load_for_use(rules, append_suggested=False, tells_left_out=False).plan
    rule = dataclasses.replace(find_rule(plan, name), enabled=True)
    with Waiting("asking the rule"):
        report = opened.scan(Plan((rule,)))
        found = list(report)
    if not events:
        if len(found) == 1:
            return found
        raise typer.BadParameter(f"--event says on which event: {_places(rule.name, found)}")
    chosen = [alert for alert in found if alert.num in events]
    missing = sorted(set(events) - {alert.num for alert in chosen})
    if missing:
        notes = "".join(f"; {note}" for note in report.coverage_notes)
        places = _places(rule.name, found)
        raise typer.BadParameter(f"not on event {missing[0]}: {places}{notes}")
    return chosen


def _places(name: str, found: "Sequence[CapturedAlert]") -> str:
    from falcotrace.outputs.escape import for_terminal

    rule = f"the rule `{for_terminal(name)}`"
    if not found:
        return f"{rule} does not fire; `falcotrace explain` says why"
    shown = ", ".join(f"{alert.num}" for alert in found[:_MOST_NAMED])
    more = f" and {len(found) - _MOST_NAMED:,} more" if len(found) > _MOST_NAMED else ""
    return f"{rule} fires on {shown}{more}"


def _tell(cut: "Cut", fixtures: Path | None) -> None:
    """Say what was made, on standard error: on standard output is the entry alone."""
    from falcotrace.cli.investigations import print_notes
    from falcotrace.cli.quantities import show_bytes
    from falcotrace.outputs.escape import for_terminal

    size = show_bytes(cut.size_bytes)
    count = f"{cut.event_count:,} of {cut.source_count:,} events"
    print(f"{for_terminal(str(cut.path))}: {count}, {size}", file=sys.stderr)
    times = f"{len(cut.alerts):,} time{'s' * (len(cut.alerts) != 1)}"
    name = for_terminal(cut.rule.name)
    print(f"`{name}` fires {times} on it, in replay and in DuckDB", file=sys.stderr)
    if fixtures is not None:
        print(f"appended to {for_terminal(str(fixtures))}", file=sys.stderr)
    print_notes(_notes(cut))


def _notes(cut: "Cut") -> "list[str]":
    notes = []
    if cut.added_count:
        notes.append(f"the rule needs {cut.added_count:,} events beside those of the alerts")
    if cut.redacted is None:
        notes.append(
            "paths, command lines, environments and contents of the host are in it as they were: "
            "--redact replaces them"
        )
        return notes
    notes += _told_in_clear(cut.redacted)
    notes.append("process ids, users' numbers, inodes, sizes and times are in it as they were")
    return notes


def _told_in_clear(redacted: "Redacted") -> "list[str]":
    kinds = {
        "words that the rule mentions": redacted.words,
        "endings of file names": redacted.extensions,
        "addresses": redacted.addresses,
        "further words that the rule does not fire without": redacted.needed,
    }
    told = [
        f"readable as before: {kind}: {', '.join(found)}" for kind, found in kinds.items() if found
    ]
    return told or ["readable as before: nothing"]


def _print_json(cut: "Cut", entry: "dict[str, object]") -> None:
    import dataclasses

    from falcotrace.cli.investigations import print_json

    redacted = None if cut.redacted is None else dataclasses.asdict(cut.redacted)
    print_json(
        {
            "path": str(cut.path),
            "events": cut.event_count,
            "source_events": cut.source_count,
            "size_bytes": cut.size_bytes,
            "alerts": [alert.num for alert in cut.alerts],
            "redacted": redacted,
            "entry": entry,
        }
    )
