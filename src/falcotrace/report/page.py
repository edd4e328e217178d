"""The page: its sections one below the other, and what it forbids the browser.

In: findings. Out: HTML. It is complete in itself: no scripts, nothing from the network.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from falcotrace.outputs.svg import clock, date
from falcotrace.report import alert_sections, cover, rule_sections, scene_sections
from falcotrace.report.findings import Findings
from falcotrace.report.markup import Markup, element, joined, safe
from falcotrace.report.style import POLICY, STYLE
from falcotrace.version import __version__

_Section = Callable[[Findings], Markup]

SECTIONS: Mapping[str, tuple[str, _Section]] = {
    "summary": ("Summary", cover.summary),
    "losses": ("What this recording cannot say", cover.losses),
    "timeline": ("Timeline", scene_sections.timeline),
    "alerts": ("Alerts by rule", alert_sections.by_rule),
    "attack": ("Alerts by ATT&CK tactic", alert_sections.by_tactic),
    "graphs": ("Causes and impact", scene_sections.graphs),
    "processes": ("Processes with alerts", scene_sections.tree),
    "network": ("Network", scene_sections.network),
    "evidence": ("Evidence", alert_sections.evidence),
    "rules": ("Rules", rule_sections.rules),
    "repeat": ("Captures, and how to repeat this", rule_sections.repeat),
}
"""By id, in the order of the page: heading, and what makes the section."""


def page_of(findings: Findings, *, title: str = "") -> str:
    """Write the report.

    Args:
        findings: what it says.
        title: what stands above; the hosts by default.
    """
    heading = title or f"FalcoTrace report: {', '.join(hosts(findings)) or 'unknown host'}"
    body = joined(
        element("section", element("h2", safe(name)), make(findings), id=key)
        for key, (name, make) in SECTIONS.items()
    )
    links = joined(
        (element("a", safe(name), href=f"#{key}") for key, (name, _) in SECTIONS.items()), "\n"
    )
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    head = (
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="referrer" content="no-referrer">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{element('title', safe(heading))}<style>{STYLE}</style>"
    )
    top = element(
        "header",
        element("h1", safe(heading)),
        element("p", safe(span(findings))),
        element("nav", links),
    )
    end = element("footer", safe(f"Made {made} by FalcoTrace {__version__}. All times are UTC."))
    page = element("main", top, body, end)
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>{page}</body></html>\n'


def hosts(findings: Findings) -> tuple[str, ...]:
    """The hosts that were recorded."""
    return tuple(dict.fromkeys(one.hostname for one in findings.summaries if one.hostname))


def span(findings: Findings) -> str:
    """From when to when, in words."""
    known = [one for one in findings.summaries if one.event_count]
    if not known:
        return "No events were recorded."
    first = min(one.first_time_ns for one in known)
    last = max(one.last_time_ns for one in known)
    seconds = (last - first) / 1e9
    return f"{date(first)} {clock(first)} to {date(last)} {clock(last)} UTC ({duration(seconds)})"


def duration(seconds: float) -> str:
    """A duration for people.

    Example:
        >>> duration(12.34), duration(3725)
        ('12.3 s', '1 h 02 min 05 s')
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min {rest:02d} s" if hours else f"{minutes} min {rest:02d} s"
