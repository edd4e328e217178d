"""Which captures need not be read, by what their footers say.

In: a footer, and what is asked. Out: a reason, or none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from falcotrace.capture.footer import Footer
from falcotrace.engines.base import runs_on_captures
from falcotrace.rules.plan import Plan


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a hunt asks for.

    Attributes:
        since_ns: no event before, ns since the epoch.
        until_ns: no event at this time or later.
        hosts: patterns of host names; none means every host.
        event_names: types of events that rules look at; None means every type.
    """

    since_ns: int | None = None
    until_ns: int | None = None
    hosts: Sequence[str] = ()
    event_names: frozenset[str] | None = None


def event_names_of(plan: Plan) -> frozenset[str] | None:
    """The types of events that the enabled rules look at; None for every type."""
    names: set[str] = set()
    for rule in filter(runs_on_captures, plan.rules):
        if rule.event_names is None:
            return None
        names |= rule.event_names
    return frozenset(names)


def why_not_read(footer: Footer, wanted: Wanted) -> str:
    """Why a capture cannot hold a match; empty if it may."""
    host = footer.host.hostname
    if wanted.hosts and not any(fnmatchcase(host, pattern) for pattern in wanted.hosts):
        return f"host {host or 'unknown'} is not asked for"
    groups = footer.row_groups
    if not any(group.row_count for group in groups):
        return "no events"
    if wanted.since_ns is not None and all(g.last_time_ns < wanted.since_ns for g in groups):
        return "ends before the time that is asked for"
    if wanted.until_ns is not None and all(g.first_time_ns >= wanted.until_ns for g in groups):
        return "begins after the time that is asked for"
    if wanted.event_names is not None and footer.event_counts:
        recorded = {name for name, count in footer.event_counts.items() if count}
        if not recorded & wanted.event_names:
            return "no event of a type that a rule looks at"
    return ""
