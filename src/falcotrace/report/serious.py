"""Which alerts get a graph of their own: the most severe ones that no graph shows yet.

In: findings. Out: graphs, each with the alerts that it shows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from falcotrace.alerts import Alert
from falcotrace.investigate.graph import Graph, process_id
from falcotrace.report.findings import Findings
from falcotrace.rules.plan import Priority

GRAPHS_MAX = 8
"""More graphs nobody reads."""

_TRIED_MAX = 60
"""Alerts that are looked at for a graph."""


@dataclass(slots=True)
class Story:
    """A graph, and the serious alerts that it shows.

    Attributes:
        graph: of the first of them.
        alerts: in the order in which they were looked at.
    """

    graph: Graph
    alerts: list[Alert] = field(default_factory=list)


def stories_of(findings: Findings) -> tuple[list[Story], int]:
    """Graphs of serious alerts, and how many alerts got none because there were too many."""
    asked = findings.investigation
    known = findings.alerts
    serious = _one_each(_serious(known), findings)
    stories: list[Story] = []
    undrawn = max(0, len(serious) - _TRIED_MAX)
    for alert in serious[:_TRIED_MAX]:
        capture = asked.capture_of(alert)
        process = process_id(asked.process_of(alert.num, capture))
        home = next((one for one in stories if _shows(one.graph, process, alert)), None)
        if home is None:
            if len(stories) == GRAPHS_MAX:
                undrawn += 1
                continue
            home = Story(asked.graph(alert.num, capture, rule=alert.rule.name, alerts=known))
            stories.append(home)
        home.alerts.append(alert)
    return stories, undrawn


def _serious(alerts: Sequence[Alert]) -> Iterator[Alert]:
    """Critical and worse; if nothing is that bad, the worst there is, unless it is small talk."""
    worst = alerts[0].priority if alerts else Priority.DEBUG
    least = max(Priority.CRITICAL, min(worst, Priority.NOTICE))
    return (alert for alert in alerts if alert.priority <= least)


def _one_each(alerts: Iterator[Alert], findings: Findings) -> list[Alert]:
    """One alert of each rule and process; the first of every rule before the second of any."""
    chosen = list(alerts)
    found: dict[str, dict[int, Alert]] = {}
    owners = findings.investigation.processes_of(chosen)
    for alert, owner in zip(chosen, owners, strict=True):
        found.setdefault(alert.rule.name, {}).setdefault(owner.number, alert)
    ranked = [
        (alert.priority, rank, alert.time_ns, alert.num, alert)
        for of_rule in found.values()
        for rank, alert in enumerate(of_rule.values())
    ]
    return [entry[-1] for entry in sorted(ranked, key=lambda entry: entry[:-1])]


def _shows(graph: Graph, process: str, alert: Alert) -> bool:
    node = graph.nodes.get(process)
    return node is not None and alert.rule.name in node.rules
