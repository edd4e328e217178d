"""Compares imported captures with what Falco printed about them, and prints tables.

    python tests/oracle/compare.py                       every capture and set of rules
    python tests/oracle/compare.py t_io sd_io --events   each field of each event
    python tests/oracle/compare.py attack --field fd.name --examples 10
    python tests/oracle/compare.py --rules ops

Differences stand in the order of their number, those of all captures together; each with what Falco
printed, what we have, and some of the events. Accepted ones (`accepted.tsv`) are left out.
"""

import argparse
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from oracle.alert_comparison import REJECTED
from oracle.imports import Comparison
from oracle.oracle_files import EVENTS, capture_names, expected_sets, oracle_folder
from oracle.outcomes import (
    Difference,
    Kind,
    Outcome,
    acceptance_lines,
    read_acceptances,
    without_accepted,
)

ROW = "{:20} {:16} {:>10} {:>8} {:>8} {:>9} {:>7}"
_BEFORE, _WIDTH = 30, 110
_PAIRS = 4


def main(arguments: Sequence[str]) -> int:
    """Compare what was asked for; exit code 1 if anything differs."""
    chosen = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="falcotrace-imports-") as temporary:
        folder = chosen.import_dir or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        outcomes = list(_compare(chosen, Comparison(oracle_folder(), folder)))
    if chosen.tsv:
        print("\n".join(line for outcome in outcomes for line in acceptance_lines(outcome)))
    else:
        _print_differences(outcomes, chosen.subjects)
    return int(any(outcome.differences for outcome in outcomes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("captures", nargs="*", help="names of captures; all if none is given")
    parser.add_argument("--events", action="store_true", help="only fields of events")
    parser.add_argument("--rules", action="append", default=[], help="only this set; repeatable")
    parser.add_argument("--field", action="append", default=[], help="only this field; repeatable")
    parser.add_argument(
        "--examples", type=int, default=3, help="events to name for each difference"
    )
    parser.add_argument("--subjects", type=int, default=40, help="how many fields or rules to show")
    parser.add_argument("--import-dir", type=Path, help="use and keep imported captures here")
    parser.add_argument("--all", action="store_true", help="show accepted differences too")
    parser.add_argument("--tsv", action="store_true", help="print lines for accepted.tsv instead")
    return parser


def _compare(chosen: argparse.Namespace, comparison: Comparison) -> Iterable[Outcome]:
    """Compare and print a line for each capture and set, as they are done."""
    acceptances = [] if chosen.all else read_acceptances()
    if not chosen.tsv:
        print(ROW.format("capture", "rule set", "same", *Kind, "seconds"))
    failed = set()
    for name, rule_set in _tasks(chosen):
        started = time.perf_counter()
        if name in failed:
            continue
        try:
            if chosen.field:
                found = comparison.fields(name, chosen.field, chosen.examples)
            else:
                found = comparison.outcome(name, rule_set)
        except Exception as error:  # noqa: BLE001 - one capture must not hide the others
            frame = traceback.extract_tb(error.__traceback__)[-1]
            print(f"{name:20} {rule_set:16} {error!r} ({Path(frame.filename).name}:{frame.lineno})")
            failed.add(name)
            continue
        found = without_accepted(found, acceptances)
        yield found
        if not chosen.tsv:
            counts = [found.same, *map(found.count, Kind)]
            shown = [f"{count:,}" if count else "-" for count in counts]
            seconds = f"{time.perf_counter() - started:.1f}"
            print(ROW.format(name, rule_set, *shown, seconds), flush=True)


def _tasks(chosen: argparse.Namespace) -> Iterable[tuple[str, str]]:
    oracle = oracle_folder()
    wanted = {*chosen.rules, *([EVENTS] if chosen.events or chosen.field else [])}
    for name in chosen.captures or capture_names(oracle):
        for rule_set in expected_sets(oracle, name):
            if not wanted or rule_set in wanted:
                yield name, rule_set
    if not chosen.captures and (not wanted or REJECTED in wanted):
        yield "-", REJECTED


def _print_differences(outcomes: Iterable[Outcome], subjects: int) -> None:
    """Print each field or rule that differs anywhere, the one with most differences first."""
    by_subject: dict[tuple[str, str], list[tuple[str, Difference]]] = defaultdict(list)
    for outcome in outcomes:
        for found in outcome.differences:
            by_subject[outcome.rule_set, _concern(found)].append((outcome.capture, found))
    ordered = sorted(by_subject.items(), key=lambda item: -_total(item[1]))
    for (rule_set, subject), same in ordered[:subjects]:
        captures = sorted({capture for capture, _ in same})
        rules = {difference.subject for _, difference in same}
        of_rules = f" in {len(rules)} rules" if len(rules) > 1 else ""
        print(f"\n{rule_set}  {subject}: {_total(same):,}{of_rules} in {', '.join(captures)}")
        _print_pairs(same)
    if len(ordered) > subjects:
        print(f"\n... and {len(ordered) - subjects} more (--subjects)")


def _concern(found: Difference) -> str:
    """What differences are put together by: a field of alerts is the same field in every rule."""
    rule, slash, field = found.subject.rpartition("/")
    return f"*/{field}" if found.kind is Kind.DIFFERENT and slash and rule else found.subject


def _total(found: Iterable[tuple[str, Difference]]) -> int:
    return sum(difference.count for _, difference in found)


def _print_pairs(found: Iterable[tuple[str, Difference]]) -> None:
    """Print the most frequent differences, equal ones of several captures together."""
    by_pair: dict[tuple[Kind, str, str], list[tuple[str, Difference]]] = defaultdict(list)
    for capture, difference in found:
        by_pair[difference.kind, difference.falco, difference.ours].append((capture, difference))
    ordered = sorted(by_pair.items(), key=lambda item: -_total(item[1]))
    for (kind, falco, ours), same in ordered[:_PAIRS]:
        capture, most = max(same, key=lambda pair: pair[1].count)
        rule, slash, _ = most.subject.rpartition("/")
        of_rule = f" ({rule})" if slash else ""
        print(f"  {kind} {_total(same):,}x, {capture}{of_rule}: {'; '.join(most.events)}")
        start = _first_difference(falco, ours)
        print(f"      Falco {_excerpt(falco, start)}")
        print(f"      ours  {_excerpt(ours, start)}")
    if len(ordered) > _PAIRS:
        print(f"  ... and {len(ordered) - _PAIRS:,} other pairs of values")


def _first_difference(one: str, other: str) -> int:
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return min(len(one), len(other))


def _excerpt(text: str, place: int) -> str:
    """A long text around the place where two of them part."""
    start = max(0, place - _BEFORE) if len(text) > _WIDTH else 0
    shown = text[start : start + _WIDTH]
    before, after = "…" if start else "", "…" if start + _WIDTH < len(text) else ""
    return f"{before}{shown}{after}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
