"""Alerts as tables: by rule, by tactic, one by one."""

from collections.abc import Iterator

from falcotrace.outputs.html import without_blanks
from falcotrace.outputs.svg import clock, date
from falcotrace.report.cover import badge
from falcotrace.report.findings import Findings, RuleAlerts
from falcotrace.report.markup import Markup, Room, element, joined, more, safe, table
from falcotrace.rules.attack import TACTICS, attack_of

EVIDENCE_MAX = 2000
"""Alerts that are listed one by one."""

_NO_TACTIC = "without a tactic"

_RULES_BYTES, _EVIDENCE_BYTES = 500_000, 1_300_000


def moment(time_ns: int) -> Markup:
    """A time of day, under the mouse with its day."""
    return element("span", safe(clock(time_ns)), class_="time", title=date(time_ns))


def by_rule(findings: Findings) -> Markup:
    """A row for each rule that alerted, the most severe first."""
    if not findings.by_rule:
        return element("p", safe("No rule alerted."))
    rows = (
        (
            badge(one.rule.priority),
            joined((element("b", safe(one.rule.name)), _description(one))),
            _attack(one),
            safe(f"{one.count:,}"),
            moment(one.kept[0].time_ns),
            moment(one.last_ns),
        )
        for one in findings.by_rule.values()
    )
    header = ("priority", "rule", "ATT&CK", "alerts", "first", "last")
    drawn, left_out = table(
        header, rows, room=Room(_RULES_BYTES), right=("alerts",), wide="rule", firm=("ATT&CK",)
    )
    return joined((drawn, more(left_out, "rules")))


def _attack(one: RuleAlerts) -> Markup:
    told = attack_of(one.rule.tags)
    techniques = " ".join(technique.id for technique in told.techniques)
    tactics = ", ".join(tactic.name for tactic in told.tactics)
    return joined((safe(tactics), element("span", safe(techniques), class_="small")))


def _description(one: RuleAlerts) -> Markup:
    text = " ".join(one.rule.description.split())
    return element("span", safe(text, 320), class_="small") if text else Markup("")


def by_tactic(findings: Findings) -> Markup:
    """A row for each tactic, in the order of the matrix."""
    if not findings.by_rule:
        return element("p", safe("No rule alerted."))
    found: dict[str, list[RuleAlerts]] = {}
    for one in findings.by_rule.values():
        names = [tactic.name for tactic in attack_of(one.rule.tags).tactics]
        for name in names or (_NO_TACTIC,):
            found.setdefault(name, []).append(one)
    order = [name for name in (*(one.name for one in TACTICS), _NO_TACTIC) if name in found]
    rows = ((safe(name), *_tactic_cells(found[name])) for name in order)
    header = ("tactic", "rules", "techniques", "worst", "alerts")
    firm = ("tactic", "techniques", "worst")
    drawn, left_out = table(
        header, rows, room=Room(_RULES_BYTES), right=("alerts",), wide="rules", firm=firm
    )
    note = safe("As the tags of rules say; a rule with several tactics counts in each.")
    return joined((drawn, more(left_out, "tactics"), element("p", note, class_="note")))


def _tactic_cells(ones: list[RuleAlerts]) -> Iterator[Markup]:
    yield safe(", ".join(one.rule.name for one in ones), 1500)
    techniques = {t.id for one in ones for t in attack_of(one.rule.tags).techniques}
    yield safe(", ".join(sorted(techniques)))
    yield badge(min(one.rule.priority for one in ones))
    yield safe(f"{sum(one.count for one in ones):,}")


def evidence(findings: Findings) -> Markup:
    """A row for each alert, in order of time; the most severe are listed where room is short."""
    chosen = findings.alerts[:EVIDENCE_MAX]
    if not chosen:
        return element("p", safe("No rule alerted."))
    asked = findings.investigation
    owners = dict(zip(map(id, chosen), asked.processes_of(chosen), strict=True))
    severe_first = list(chosen)
    room = Room(_EVIDENCE_BYTES)
    several = len(findings.captures) > 1
    rows: dict[int, tuple[Markup, ...]] = {}
    for alert in severe_first:
        owner = owners[id(alert)]
        where = element("span", safe(alert.capture, 80), class_="small") if several else Markup("")
        process = joined((safe(f"{owner.name} ({owner.pid})", 60), where))
        cells = (
            moment(alert.time_ns),
            joined((badge(alert.priority), Markup("<br>"), safe(alert.rule.name, 120))),
            safe(str(alert.num)),
            process,
            element("code", safe(without_blanks(alert.output))),
        )
        if not room.take(joined(cells)):
            break
        rows[id(alert)] = cells
    listed = sorted((a for a in chosen if id(a) in rows), key=lambda a: (a.time_ns, a.num))
    header = ("time", "rule", "event", "process", "output")
    drawn, _ = table(
        header,
        (rows[id(alert)] for alert in listed),
        room=Room(3 * _EVIDENCE_BYTES),
        right=("event",),
        wide="output",
    )
    rest = findings.alert_count - len(listed)
    return joined((drawn, more(rest, "alerts")))
