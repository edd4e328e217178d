"""`falcotrace info`: what is in a capture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.options import JsonOption

if TYPE_CHECKING:
    from falcotrace.capture.summary import Summary


def info(
    captures: Annotated[list[Path], typer.Argument(help="Capture files.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Say what is in a capture: host, time span, events, processes, losses, size."""
    import msgspec

    from falcotrace.capture.reader import open_capture
    from falcotrace.capture.summary import summarise

    summaries = []
    for path in captures:
        with open_capture(path) as capture:
            summaries.append(summarise(capture))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(summaries), indent=2).decode())
        return
    for summary in summaries:
        _draw(summary)


def _of_recorder(summary: "Summary") -> dict[str, str]:
    """Why recording ended and what it cost, where the recorder took it down."""
    from falcotrace.cli.quantities import show_bytes, show_duration

    if not summary.journal_bytes:
        return {}
    cpu = f"{show_duration(summary.cpu_time_ns / 1e9)} of CPU, " if summary.cpu_time_ns else ""
    memory, journal = show_bytes(summary.peak_memory_bytes), show_bytes(summary.journal_bytes)
    return {
        "ended by": summary.ended_by,
        "recorder": f"{cpu}{memory} of memory at most, {journal} of journal",
    }


def _draw(summary: "Summary") -> None:
    from falcotrace.cli.quantities import show_bytes, show_duration, show_time
    from falcotrace.cli.render import key_values, table

    seconds = (summary.last_time_ns - summary.first_time_ns) / 1e9
    per_event = summary.size_bytes / summary.event_count if summary.event_count else 0.0
    key_values(
        summary.path,
        {
            "host": f"{summary.hostname} (Linux {summary.kernel}, {summary.architecture})",
            "recorded by": summary.tool,
            "from": show_time(summary.first_time_ns) if summary.event_count else "-",
            "to": show_time(summary.last_time_ns) if summary.event_count else "-",
            "span": show_duration(seconds),
            "events": f"{summary.event_count:,}",
            "processes": f"{summary.process_count:,}",
            **_of_recorder(summary),
            **({"cut": summary.cut_text} if summary.cut_from else {}),
            "lost": summary.losses_text,
            **({"partly blind": summary.blindness_text} if summary.partly_blind else {}),
            "size": f"{show_bytes(summary.size_bytes)}, {per_event:.1f} bytes an event",
        },
    )
    ranked = sorted(summary.event_counts.items(), key=lambda item: (-item[1], item[0]))
    table(
        ("event", "count", "share"),
        [
            (name, f"{count:,}", f"{100 * count / summary.event_count:.1f} %")
            for name, count in ranked
        ],
        right=("count", "share"),
    )
