"""What a hunt found, rule by rule and file by file.

In: a ledger. Out: a report in numbers, and the alerts themselves.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
import pyarrow as pa

from falcotrace.alerts import Alert
from falcotrace.engines.base import runs_on_captures
from falcotrace.hunt.ledger import Ledger, Outcome, decode_fields
from falcotrace.rules.plan import Plan, RulePlan


class RuleFindings(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one rule.

    Attributes:
        rule: its name.
        priority: its priority.
        alerts: how often it matched.
        files: captures that it matched in.
        hosts: hosts that it matched on.
        first_ns: its first match, ns since the epoch; 0 without any.
        last_ns: its last match.
        events_asked: events of its types in the captures that were hunted: what it costs.
        files_run: captures that it ran on.
        undetermined: events for which nobody can say whether it matches.
        notes: why it did not run, or only in part, each with the number of captures.
    """

    rule: str
    priority: str
    alerts: int
    files: int
    hosts: int
    first_ns: int
    last_ns: int
    events_asked: int
    files_run: int
    undetermined: int
    notes: list[str]


class HuntReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a hunt.

    Attributes:
        rules: rules with matches first, most severe first.
        files: outcomes of all files, in the order asked.
    """

    rules: list[RuleFindings]
    files: list[Outcome]

    def with_status(self, status: str) -> list[Outcome]:
        """The files that ended in one way: hunted, pruned or failed."""
        return [one for one in self.files if one.status == status]

    @property
    def alert_count(self) -> int:
        """All alerts."""
        return sum(one.alerts for one in self.rules)

    @property
    def event_count(self) -> int:
        """Events in the captures that were hunted."""
        return sum(one.event_count for one in self.with_status("hunted"))


class Findings:
    """The ledger of a hunt, seen from the files and the rules that were asked."""

    def __init__(self, ledger: Ledger, plan: Plan, files: Sequence[str]) -> None:
        self._ledger = ledger
        self._plan = plan
        outcomes = ledger.outcomes
        self.outcomes = [outcomes[file] for file in dict.fromkeys(files) if file in outcomes]

    def tables(self) -> Iterator[pa.Table]:
        """The alerts as tables (`ledger.ALERT_SCHEMA`), in the order in which they were found."""
        hunted = frozenset(one.file for one in self.outcomes if one.alert_count)
        yield from self._ledger.tables(hunted)

    def alerts(self) -> Iterator[Alert]:
        """The alerts; `capture` is the file."""
        rules = {rule.name: rule for rule in self._plan.rules}
        for table in self.tables():
            for batch in table.to_batches(max_chunksize=1000):
                for row in batch.to_pylist():
                    yield Alert(
                        rule=rules[row["rule"]],
                        num=row["num"],
                        time_ns=row["time_ns"],
                        output=row["output"],
                        output_fields=decode_fields(row["output_fields"]),
                        hostname=row["host"],
                        capture=row["file"],
                        steps=tuple(row["steps"]),
                    )

    def report(self) -> HuntReport:
        """Count everything."""
        found = _by_rule(self.tables())
        hunted = [one for one in self.outcomes if one.status == "hunted"]
        events = Counter[str]()
        notes: dict[str, Counter[str]] = {}
        idle = Counter[str]()
        unclear = Counter[str]()
        for one in hunted:
            events.update(one.asked_counts)
            idle.update(one.idle_rules)
            for rule, reason, count, _ in one.undetermined:
                unclear[rule] += count
                notes.setdefault(rule, Counter())[f"rule `{rule}` is undetermined: {reason}"] += 1
            for rule, note in one.gaps:
                notes.setdefault(rule, Counter())[note] += 1
        rules = [
            self._findings(
                item,
                found,
                events,
                notes.get(item.name, Counter()),
                files_run=len(hunted) - idle[item.name],
                undetermined=unclear[item.name],
            )
            for item in self._plan.enabled
        ]
        order = {rule.name: rule.priority for rule in self._plan.rules}
        rules.sort(key=lambda one: (not one.alerts, order[one.rule], -one.alerts, one.rule))
        return HuntReport(rules=rules, files=self.outcomes)

    def _findings(
        self,
        rule: RulePlan,
        found: dict[str, dict[str, int]],
        events: Counter[str],
        notes: Counter[str],
        *,
        files_run: int,
        undetermined: int,
    ) -> RuleFindings:
        names = events.keys() if rule.event_names is None else rule.event_names
        counted = found.get(rule.name, {})
        return RuleFindings(
            rule=rule.name,
            priority=rule.priority.title,
            events_asked=sum(events[name] for name in names) if runs_on_captures(rule) else 0,
            files_run=files_run,
            undetermined=undetermined,
            notes=[f"{note} ({count:,} captures)" for note, count in notes.most_common()],
            **{key: counted.get(key, 0) for key in _COUNTED},
        )


_COUNTED = ("alerts", "files", "hosts", "first_ns", "last_ns")


def _by_rule(tables: Iterator[pa.Table]) -> dict[str, dict[str, int]]:
    """Counts by rule; a pair of rule and file or host is kept only once."""
    pairs = [
        table.group_by(["rule", "file", "host"]).aggregate(
            [("num", "count"), ("time_ns", "min"), ("time_ns", "max")]
        )
        for table in tables
    ]
    if not pairs:
        return {}
    grouped = (
        pa.concat_tables(pairs)
        .group_by("rule")
        .aggregate(
            [
                ("num_count", "sum"),
                ("file", "count_distinct"),
                ("host", "count_distinct"),
                ("time_ns_min", "min"),
                ("time_ns_max", "max"),
            ]
        )
    )
    names = dict(
        zip(
            _COUNTED,
            (
                "num_count_sum",
                "file_count_distinct",
                "host_count_distinct",
                "time_ns_min_min",
                "time_ns_max_max",
            ),
            strict=True,
        )
    )
    return {
        row["rule"]: {key: row[column] for key, column in names.items()}
        for row in grouped.to_pylist()
    }
