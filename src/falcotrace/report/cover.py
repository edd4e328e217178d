"""What comes first: what was found, and what the recording cannot say."""

from falcotrace.outputs.svg import PRIORITIES, clock
from falcotrace.report.findings import Findings, RuleAlerts
from falcotrace.report.markup import Markup, element, joined, more, safe
from falcotrace.rules.attack import TACTICS, attack_of
from falcotrace.rules.plan import Priority

_WORST_MAX = 6


def summary(findings: Findings) -> Markup:
    """A few sentences, figures, the worst findings."""
    events = sum(one.event_count for one in findings.summaries)
    processes = sum(one.process_count for one in findings.summaries)
    tiles = [
        _tile(f"{events:,}", "events"),
        _tile(f"{processes:,}", "processes"),
        _tile(f"{findings.alert_count:,}", "alerts"),
        *(
            _tile(f"{count:,}", priority.title, f"p-{PRIORITIES[priority].name}")
            for priority, count in sorted(findings.by_priority.items())
        ),
    ]
    worst = list(findings.by_rule.values())
    found = element("ul", joined(_worst(one, findings) for one in worst[:_WORST_MAX]))
    return joined(
        (
            element("p", safe(_sentences(findings, events), 2000)),
            element("div", joined(tiles), class_="tiles"),
            element("h3", safe("Worst findings")) if worst else Markup(""),
            found if worst else Markup(""),
            more(max(0, len(worst) - _WORST_MAX), "rules that alerted"),
        )
    )


def _sentences(findings: Findings, events: int) -> str:
    ran = len(findings.plan.enabled)
    hosts = len({one.hostname for one in findings.summaries})
    where = "one host" if hosts == 1 else f"{hosts} hosts"
    were = "rule was" if ran == 1 else "rules were"
    asked = f"{ran:,} {were} asked of {events:,} events of {where}."
    if not findings.alert_count:
        return f"{asked} None of them alerted."
    tactics = {t for one in findings.by_rule.values() for t in attack_of(one.rule.tags).tactics}
    severe = sum(n for priority, n in findings.by_priority.items() if priority <= Priority.CRITICAL)
    first = min(alert.time_ns for alert in findings.alerts)
    last = max(one.last_ns for one in findings.by_rule.values())
    return (
        f"{asked} {len(findings.by_rule):,} of them alerted, {findings.alert_count:,} times"
        f"{f' ({severe:,} critical or worse)' if severe else ''}, between {clock(first)} and "
        f"{clock(last)}. They concern {len(tactics)} of the {len(TACTICS)} tactics of ATT&CK."
    )


def _tile(figure: str, name: str, kind: str = "") -> Markup:
    number = element("b", safe(figure), class_=f"badge {kind}".strip())
    return element("div", number, element("span", safe(name)), class_="tile")


def _worst(one: RuleAlerts, findings: Findings) -> Markup:
    first = one.kept[0]
    (process,) = findings.investigation.processes_of([first])
    times = f"{one.count:,} times, first" if one.count > 1 else "once,"
    user = f" of {process.user}" if process.user else ""
    who = f" by process {process.pid}{user}: "
    parts = (
        badge(one.rule.priority),
        safe(" "),
        element("b", safe(one.rule.name)),
        safe(f" {times} at {clock(first.time_ns)} (event {first.num}){who}", 200),
        element("code", safe(process.cmdline, 200)),
    )
    return element("li", *parts)


def badge(priority: Priority) -> Markup:
    """A priority in its colour."""
    return element("span", safe(priority.title), class_=f"badge p-{PRIORITIES[priority].name}")


def losses(findings: Findings) -> Markup:
    """What was lost, what acted past the recorder, which rules lacked something."""
    parts = [_banner("bad", f"Lost events, {note}") for note in findings.losses]
    if not parts:
        parts.append(_banner("good", _all_there(findings)))
    if findings.near_losses:
        near = f"{findings.near_losses:,} alerts lie within 5 s of lost events"
        parts.append(
            _banner("bad", f"{near}: what led to them, and others like them, may be missing.")
        )
    parts += [_banner("warn", f"Partly blind: {note}") for note in findings.blindness]
    incomplete = [
        f"{capture.path.name}: {cause} {count:,}"
        for capture in findings.captures
        for cause, count in capture.footer.losses.incomplete.items()
        if count and not findings.losses
    ]
    parts += [_banner("warn", f"Incomplete: {note}") for note in incomplete]
    stopped = len({g.rule.name for g in findings.gaps}) + len(findings.plan.left_out)
    if stopped:
        told = f"{stopped:,} rules did not run or ran without something that they ask for"
        parts.append(_banner("warn", f"{told}; the section on rules says why."))
    return joined(parts)


def _all_there(findings: Findings) -> str:
    if not all(capture.footer.losses.is_told for capture in findings.captures):
        return "The source of these captures keeps no account of lost events: nobody knows."
    made = sum(capture.footer.losses.made_count for capture in findings.captures)
    return f"No event was lost: all {made:,} that the kernel made are in the capture."


def _banner(kind: str, text: str) -> Markup:
    return element("p", safe(text, 1200), class_=f"banner {kind}")
