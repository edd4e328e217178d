"""Which rules ran and which did not, what the captures are, and the commands that say it again."""

import hashlib
import shlex
from collections.abc import Iterable
from pathlib import Path

from falcotrace.alerts import describe_undetermined
from falcotrace.engines.base import describe_gap
from falcotrace.outputs.svg import clock, date
from falcotrace.report.findings import Findings
from falcotrace.report.markup import Markup, Room, element, joined, more, safe, table
from falcotrace.rules.left_out import describe_left_out
from falcotrace.version import __version__

_LISTED_MAX = 500
_LIST_BYTES = 150_000
_SOURCE_MAX_BYTES = 64 << 20


def rules(findings: Findings) -> Markup:
    """Rules that alerted, that matched nothing, that did not run."""
    plan = findings.plan
    gaps = dict.fromkeys(describe_gap(gap) for gap in findings.gaps)
    notes = (*describe_left_out(plan.left_out), *gaps)
    open_ones = [describe_undetermined(found) for found in findings.undetermined]
    off = [rule.name for rule in plan.rules if not rule.enabled]
    quiet = [rule.name for rule in findings.quiet_rules]
    counts = (
        f"{len(plan.rules):,} rules: {len(findings.by_rule):,} alerted, {len(quiet):,} ran and "
        f"matched nothing, {len(off):,} are switched off."
    )
    return joined(
        (
            element("p", safe(counts)),
            _files(findings),
            _list("Rules that did not run, or only in part, and why", notes, is_open=True),
            _list("Rules of which nobody can say, and why", open_ones, is_open=True),
            _list("Rules that ran and matched nothing", quiet, columns="columns"),
            _list("Rules that are switched off", off, columns="columns"),
        )
    )


def _list(title: str, items: Iterable[str], *, is_open: bool = False, columns: str = "") -> Markup:
    """Texts behind a line that opens them."""
    told = list(items)
    if not told:
        return Markup("")
    room = Room(_LIST_BYTES)
    drawn = [
        one for one in (element("li", safe(text)) for text in told[:_LISTED_MAX]) if room.take(one)
    ]
    head = element("summary", safe(f"{title} ({len(told):,})"))
    body = element("ul", joined(drawn), class_=columns)
    opened = {"open": ""} if is_open else {}
    return element("details", head, body, more(len(told) - len(drawn), "rules"), **opened)


def _files(findings: Findings) -> Markup:
    """The files that the rules came from, with their hashes."""
    counts: dict[str, int] = {}
    for rule in findings.plan.rules:
        if rule.span is not None:
            file = rule.span.locate().file
            counts[file] = counts.get(file, 0) + 1
    rows = (
        (safe(Path(file).name), safe(f"{count:,}"), element("code", safe(_hash(file))))
        for file, count in counts.items()
    )
    drawn, left_out = table(
        ("rules file", "rules", "SHA-256"), rows, room=Room(_LIST_BYTES), right=("rules",)
    )
    return joined((drawn, more(left_out, "files"))) if counts else Markup("")


def _hash(file: str) -> str:
    path = Path(file)
    try:
        if not path.is_file() or path.stat().st_size > _SOURCE_MAX_BYTES:
            return "unknown"
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "unknown"


def repeat(findings: Findings) -> Markup:
    """The captures with their hashes, and commands that give the same again."""
    rows = (
        (
            joined(
                (
                    safe(capture.path.name),
                    element("span", safe(f"recorded by {one.tool}"), class_="small"),
                )
            ),
            safe(f"{one.hostname}, Linux {one.kernel}, {one.architecture}"),
            safe(
                f"{date(one.first_time_ns)} {clock(one.first_time_ns)}" if one.event_count else "-"
            ),
            safe(f"{one.event_count:,}"),
            safe(f"{one.size_bytes:,}"),
            element("code", safe(digest)),
        )
        for capture, one, digest in zip(
            findings.captures, findings.summaries, findings.hashes, strict=True
        )
    )
    header = ("capture", "host", "from (UTC)", "events", "bytes", "SHA-256")
    drawn, left_out = table(header, rows, room=Room(_LIST_BYTES), right=("events", "bytes"))
    asked = element("p", safe(f"With FalcoTrace {__version__}, beside the captures:"))
    return joined((drawn, more(left_out, "captures"), asked, _pre(_commands(findings))))


def _commands(findings: Findings) -> list[str]:
    names = [capture.path.name for capture in findings.captures]
    rules = [word for source in findings.sources for word in ("-r", str(source))]
    commands = [
        ["sha256sum", *names],
        ["falcotrace", "info", names[0]],
        ["falcotrace", "scan", *names, *rules],
        ["falcotrace", "report", *names, *rules, "-o", "report.html"],
    ]
    if findings.alerts:
        worst = findings.alerts[0]
        which = ["--rule", worst.rule.name, "--event", str(worst.num)]
        event = [worst.capture or names[0], str(worst.num)]
        commands.append(["falcotrace", "show", *event])
        commands.append(["falcotrace", "graph", event[0], "--event", event[1], *rules])
        commands.append(["falcotrace", "explain", worst.capture or names[0], *which, *rules])
    return [shlex.join(words) for words in commands]


def _pre(commands: Iterable[str]) -> Markup:
    lines = (safe(command, 1000) for command in commands)
    return element("pre", element("code", joined(lines, "\n")))
