"""`falcotrace record`: record what this host does."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from falcotrace.cli.rule_sources import RulesOption, at_least, load_for_use, priority_of
from falcotrace.cli.sign import SignOption, signer_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from falcotrace.record.options import Outcome


def record(
    command: Annotated[
        list[str] | None,
        typer.Argument(
            help="After --: follow this command and its descendants, and end with it.",
            metavar="[-- COMMAND ...]",
        ),
    ] = None,
    *,
    duration: Annotated[
        str, typer.Option("--duration", help="How long, such as 60s or 10m. Default: until Ctrl-C.")
    ] = "",
    output: Annotated[Path, typer.Option("-o", "--output", help="The capture to write.")] = Path(
        "capture.parquet"
    ),
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the file if it exists.")
    ] = False,
    buffer: Annotated[
        str, typer.Option("--buffer", help="Size of the ring buffer, a power of two.")
    ] = "256M",
    syscalls: Annotated[
        str,
        typer.Option(
            "--syscalls",
            help="all, rules (those that the rules ask for), or names such as execve,openat.",
        ),
    ] = "all",
    rules: RulesOption = None,
    snaplen: Annotated[
        str,
        typer.Option(
            "--snaplen",
            help=(
                "Bytes of what is read and written, such as 80, or files=0,sockets=512; "
                "fd.sip.name needs what sockets receive."
            ),
        ),
    ] = "0",
    ring: Annotated[
        str,
        typer.Option(
            "--ring",
            help="Keep only the last, such as 10m; `falcotrace seal` makes a capture of it.",
        ),
    ] = "",
    rotate: Annotated[
        str,
        typer.Option("--rotate", help="Go on with another capture after a time, such as 1h."),
    ] = "",
    rotate_size: Annotated[
        str,
        typer.Option("--rotate-size", help="The same when a capture is large, such as 500M."),
    ] = "",
    alerts: Annotated[
        bool,
        typer.Option("--alerts/--no-alerts", help="Whether --rules are asked while recording."),
    ] = True,
    output_format: Annotated[
        str, typer.Option("--format", help="How --rules prints alerts: text or json (Falco's).")
    ] = "text",
    priority: Annotated[
        str, typer.Option("--priority", help="Ask rules of this priority and more severe.")
    ] = "debug",
    seal_on: Annotated[
        str,
        typer.Option(
            "--seal-on",
            help="An alert of this priority and more severe seals, such as critical.",
        ),
    ] = "",
    seal_after: Annotated[
        str, typer.Option("--seal-after", help="How long after the alert it does.")
    ] = "10s",
    args_max: Annotated[
        str, typer.Option("--args-max", help="How much of a program's arguments, at most 32K.")
    ] = "4K",
    env_max: Annotated[
        str, typer.Option("--env-max", help="How much of its environment, at most 32K; 0: nothing.")
    ] = "4K",
    max_size: Annotated[
        str,
        typer.Option(
            "--max-size",
            help="End before the recording is larger, such as 2G; with --ring drop the oldest.",
        ),
    ] = "",
    sign: SignOption = None,
    disk_free: Annotated[
        str,
        typer.Option(
            "--disk-free", help="The same before less room than this is left on the disk."
        ),
    ] = "256M",
) -> None:
    """Record this host's system calls into one capture. Needs root.

    What is recorded lies in OUTPUT.recording until it is complete; `falcotrace recover` makes a
    capture of it if the recorder could not. SIGUSR1 or `falcotrace seal` makes a capture of what
    is there while recording goes on. With --rules it prints alerts about a second after the events.
    """
    from falcotrace.cli.quantities import parse_duration, parse_size, parse_snaplen
    from falcotrace.errors import RecordError
    from falcotrace.record.rights import libraries_without_threads

    with libraries_without_threads():
        from falcotrace.cli.recording_lines import RecordingLines
        from falcotrace.record.options import RecordOptions
        from falcotrace.record.recorder import record_host

    if output_format not in _LINES:
        raise typer.BadParameter(f"expected {' or '.join(_LINES)}, found {output_format!r}")
    try:
        files_bytes, sockets_bytes = parse_snaplen(snaplen)
        options = RecordOptions(
            event_names=_event_names(syscalls, rules, has_contents=sockets_bytes > 0),
            data_bytes=files_bytes,
            socket_data_bytes=sockets_bytes,
            argv_bytes=parse_size(args_max),
            env_bytes=parse_size(env_max),
            output=output,
            overwrite=force,
            duration_s=parse_duration(duration) if duration else None,
            ring_bytes=parse_size(buffer),
            command=tuple(command or ()),
            max_bytes=parse_size(max_size) if max_size else 0,
            free_bytes=parse_size(disk_free),
            window_s=parse_duration(ring) if ring else 0,
            rotate_s=parse_duration(rotate) if rotate else 0,
            rotate_bytes=parse_size(rotate_size) if rotate_size else 0,
            plan=(
                at_least(load_for_use(rules).plan, priority_of(priority))
                if rules and alerts
                else None
            ),
            seal_priority=priority_of(seal_on) if seal_on else None,
            seal_delay_s=parse_duration(seal_after),
            gives_up_rights=True,
        )
    except ValueError as error:
        raise RecordError(str(error)) from None
    from falcotrace.outputs import falco

    # Before recording begins: somebody may have to type a passphrase.
    signer = signer_of(sign, output, overwrite=force) if sign else None
    with RecordingLines(getattr(falco, _LINES[output_format]), signer) as lines:
        outcome = record_host(options, lines)
    print(_outcome_text(outcome), file=sys.stderr)
    if signer is not None:
        signer.sign(outcome.path, overwrite=force)
    sys.exit(outcome.exit_code)


def _event_names(
    syscalls: str, rules: "Sequence[Path] | None", *, has_contents: bool
) -> frozenset[str] | None:
    """Events to record; None for all. Without contents of sockets no answer tells a name."""
    if syscalls == "all":
        return None
    if syscalls != "rules":
        return frozenset(name.strip() for name in syscalls.split(",") if name.strip())
    from falcotrace.record.coverage import events_behind, recorded_events
    from falcotrace.rules.asked import asked_events, asked_fields

    plan = load_for_use(rules).plan
    found: set[str] = set()
    for rule in plan.enabled:
        names = asked_events(rule)
        if names is None:
            print(f"note: {rule.name} asks for every event: all are recorded", file=sys.stderr)
            return None
        found |= names
        found |= events_behind(asked_fields(rule)) if has_contents else frozenset()
    return recorded_events() & found


def _outcome_text(outcome: "Outcome") -> str:
    from falcotrace.capture.summary import describe_losses
    from falcotrace.cli.quantities import show_bytes, show_duration

    return (
        f"{outcome.path}: {outcome.event_count:,} events in {show_duration(outcome.elapsed_s)}, "
        f"{show_bytes(outcome.size_bytes)}; lost: {describe_losses(outcome.losses)}"
        f"{_ENDED.get(outcome.ended_by, f'; ended by {outcome.ended_by}')}"
    )


_LINES = {"text": "text_line", "json": "json_line"}
"""Functions of `outputs.falco` by the name of the format."""

_ENDED = {"duration": "", "command": "", "signal": ""}
"""Ends that need no word; all others are unexpected."""
