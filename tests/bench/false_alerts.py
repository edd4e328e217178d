"""False alerts an hour on recordings of ordinary work, for each rule and altogether.

    python tests/bench/false_alerts.py CAPTURES... [--rules R...] [--most 1.0]

What is recorded is taken for benign, so every alert is a false one. Hours are those that the
captures say that they recorded. Exit code 1 if there are more an hour than `--most`, our aim.
"""

import argparse
import sys
from collections import Counter, defaultdict
from pathlib import Path

from falcotrace.api import open_captures
from falcotrace.capture.reader import Capture
from falcotrace.capture.summary import recorded_ns
from falcotrace.errors import FalcoTraceError
from falcotrace.rules.shipped import load_plan

_HOUR_NS = 3_600_000_000_000


def measure(captures: list[Path], rules: list[Path], most: float) -> bool:
    """Print alerts an hour by rule; tell whether they are few enough."""
    plan = load_plan(*rules)
    alerts: Counter[str] = Counter()
    firsts: dict[str, str] = {}
    where: defaultdict[str, set[str]] = defaultdict(set)
    with open_captures(captures) as opened:
        events = sum(summary.event_count for summary in opened.info)
        hours = sum(recorded_ns(each) for each in opened if isinstance(each, Capture)) / _HOUR_NS
        for alert in opened.scan(plan):
            name = alert.rule.name
            alerts[name] += 1
            where[name].add(alert.capture)
            firsts.setdefault(name, f"{alert.capture} event {alert.num}")
    print(f"{len(captures)} captures, {hours:.2f} hours, {events:,} events")
    if not hours:
        print("nothing is recorded: no rate")
        return False
    print(f"{'alerts':>8} {'an hour':>9} {'captures':>8}  rule, first alert")
    for name, count in sorted(alerts.items(), key=lambda item: (-item[1], item[0])):
        print(f"{count:8,} {count / hours:9.2f} {len(where[name]):8}  {name}, {firsts[name]}")
    rate = alerts.total() / hours
    verdict = "within" if rate <= most else "above"
    print(
        f"{alerts.total():8,} {rate:9.2f} {'':8}  all rules: {verdict} the aim of {most:g} an hour"
    )
    return rate <= most


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("captures", nargs="+", type=Path)
    parser.add_argument("--rules", nargs="*", type=Path, default=[])
    parser.add_argument("--most", type=float, default=1.0)
    given = parser.parse_args()
    try:
        sys.exit(0 if measure(given.captures, given.rules, given.most) else 1)
    except FalcoTraceError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
