"""Which rules fire on ordinary work, how often, and on what.

In: captures of ordinary work and rules. Out: a table of rules with their alerts and alerts an hour,
and the commonest kinds of alerts of each: the program, its parent, what it touched.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import falcotrace as ft
from falcotrace.capture.reader import open_capture
from falcotrace.capture.summary import recorded_ns
from falcotrace.rules.shipped import load_plan, shipped_rules

_NS_PER_HOUR = 3_600_000_000_000
_COLUMNS = (
    *("proc.name", "proc.pname", "proc.cmdline", "container.id", "user.name"),
    *("fd.name", "fs.path.name", "evt.type"),
)
_WIDTH = 170
_NUMBER = re.compile(r"\d{3,}")
"""What differs from one alert to the next without telling anything."""


def print_alerts(captures: Sequence[Path], rules: Sequence[Path], examples: int) -> None:
    """Print what fires, as Markdown."""
    plan = load_plan(*(rules or [shipped_rules()]))
    hours, events = _extent(captures)
    kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
    with ft.open(captures) as opened:
        for found in opened.scan(plan).evidence(_COLUMNS):
            kinds[found.alert.rule.name][_kind(found.event)] += 1
    total = sum(counted.total() for counted in kinds.values())
    names = [rule.name for rule in plan.rules]
    print(
        f"{events:,} events in {hours:.2f} hours; {total:,} alerts of {len(kinds)} of "
        f"{len(names)} rules, {total / hours:,.1f} an hour.\n"
    )
    for line in _lines(kinds, hours, examples):
        print(line)


def _lines(kinds: Mapping[str, Counter[str]], hours: float, examples: int) -> Iterator[str]:
    for rule, counted in sorted(kinds.items(), key=lambda item: -item[1].total()):
        yield f"## {rule}: {counted.total()} alerts, {counted.total() / hours:.1f} an hour\n"
        for kind, count in counted.most_common(examples):
            yield f"- {count} x {kind}"
        if len(counted) > examples:
            yield f"- and {len(counted) - examples} other kinds"
        yield ""


def _kind(event: Mapping[str, object]) -> str:
    """What tells alerts apart for whoever makes a rule quieter."""
    touched = event.get("fs.path.name") or event.get("fd.name") or ""
    where = "" if event.get("container.id") == "host" else f" in {event.get('container.id')}"
    told = (
        f"{event.get('evt.type')} `{touched}` by `{event.get('proc.cmdline')}` "
        f"({event.get('user.name')}) under `{event.get('proc.pname')}`{where}"
    )
    told = _NUMBER.sub("N", told)
    return told if len(told) <= _WIDTH else f"{told[: _WIDTH - 3]}..."


def _extent(captures: Sequence[Path]) -> tuple[float, int]:
    """Hours and events of all captures together."""
    duration_ns = events = 0
    for path in captures:
        with open_capture(path) as capture:
            events += capture.row_count
            duration_ns += recorded_ns(capture)
    return duration_ns / _NS_PER_HOUR, events
