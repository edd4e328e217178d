"""What our rules and Falco's official ones find in the same captures, as a table for Markdown.

    python tests/bench/rule_sets.py [CAPTURES...] [--official FILES...] [--names]

Without captures those that ship. Official rules are those of the reference material beside the
repository, or of the folder that FALCOTRACE_SHARED names; without it only ours are asked. Every set
runs with the rules that it enables by itself, all matches counted. `--names` lists the rules.
"""

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from falcotrace.api import open_captures
from falcotrace.errors import FalcoTraceError
from falcotrace.rules.plan import Plan
from falcotrace.rules.shipped import load_plan, shipped_rules

REPOSITORY = Path(__file__).parents[2]
SHARED = Path(os.environ.get("FALCOTRACE_SHARED", REPOSITORY.parent / "shared"))
OFFICIAL = ("falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml")
STABLE = "Falco's stable"


def rule_sets(official: Sequence[Path]) -> dict[str, Plan]:
    """The sets to compare, by the heading of their column."""
    sets = {"ours": load_plan(shipped_rules())}
    if official:
        sets[STABLE] = load_plan(official[0])
    if len(official) > 1:
        sets["all of Falco's"] = load_plan(*official)
    return sets


def alerts_of(capture: Path, plan: Plan) -> Counter[str]:
    """Alerts by rule."""
    with open_captures(capture) as opened:
        return Counter(alert.rule.name for alert in opened.scan(plan))


def table(captures: Sequence[Path], sets: dict[str, Plan], *, shows_names: bool) -> None:
    """Print a line for each capture: alerts and rules of each set."""
    print("| capture |", " | ".join(f"{name}: rules | alerts" for name in sets), "|")
    print("|---|", "|".join("---:|---:" for _ in sets), "|", sep="")
    names: list[str] = []
    for capture in captures:
        found = {name: alerts_of(capture, plan) for name, plan in sets.items()}
        cells = [f"{len(alerts)} | {alerts.total():,}" for alerts in found.values()]
        print(f"| {capture.stem} |", " | ".join(cells), "|", flush=True)
        for name, alerts in found.items():
            told = ", ".join(f"{rule} ({count:,})" for rule, count in sorted(alerts.items()))
            names.append(f"{capture.stem}, {name}: {told or 'nothing'}")
    rules = " | ".join(f"{len(plan.enabled)} enabled | " for plan in sets.values())
    print("| rules of the set |", rules, "|")
    if shows_names:
        print("", *names, sep="\n")


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("captures", nargs="*", type=Path)
    parser.add_argument("--official", nargs="*", type=Path)
    parser.add_argument("--names", action="store_true")
    given = parser.parse_args()
    captures = given.captures or sorted((REPOSITORY / "captures").glob("*.parquet"))
    official = given.official
    if official is None:
        official = [SHARED / "falco-rules" / name for name in OFFICIAL]
        official = [path for path in official if path.is_file()]
        if not official:
            print(f"no official rules in {SHARED}: only ours are asked\n")
    try:
        table(captures, rule_sets(official), shows_names=given.names)
    except FalcoTraceError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
