"""What a capture holds, in numbers, without reading its events."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow.compute as pc

from falcotrace.capture.footer import CutFrom, Losses, PartlyBlind
from falcotrace.capture.reader import Capture


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `falcotrace info`; times in ns since the epoch."""

    path: str
    format_version: int
    hostname: str
    boot_id: str
    kernel: str
    architecture: str
    tool: str
    ended_by: str
    cpu_time_ns: int
    peak_memory_bytes: int
    journal_bytes: int
    first_time_ns: int
    last_time_ns: int
    event_count: int
    event_counts: dict[str, int]
    process_count: int
    losses: Losses
    partly_blind: list[PartlyBlind]
    cut_from: CutFrom | None
    size_bytes: int

    @property
    def losses_text(self) -> str:
        """The loss account in one line."""
        return describe_losses(self.losses)

    @property
    def cut_text(self) -> str:
        """What it is a cut of, in one line; empty for a whole capture."""
        return describe_cut(self.cut_from)

    @property
    def blindness_text(self) -> str:
        """Which processes acted past the system calls, in one line; empty without any."""
        return describe_blindness(self.partly_blind)


def recorded_ns(capture: Capture) -> int:
    """How long a capture was recorded for, ns: as its footer says, or from first to last event."""
    recording = capture.footer.recording
    if recording.started_ns and recording.ended_ns > recording.started_ns:
        return recording.ended_ns - recording.started_ns
    groups = capture.row_groups
    first = min((group.first_time_ns for group in groups), default=0)
    return max((group.last_time_ns for group in groups), default=first) - first


def summarise(capture: Capture) -> Summary:
    """Collect a capture's numbers.

    Raises:
        CaptureError: a process table is damaged.
    """
    footer = capture.footer
    groups = capture.row_groups
    lives: set[tuple[int, int]] = set()
    for group in groups:
        processes = capture.processes(group.index)
        pids = processes["proc.pid"].fill_null(-1).to_numpy()
        # Imported captures know when they first heard of a process, not when it began.
        starts = pc.coalesce(processes["proc.start"], processes["proc.pid_ts"], 0).to_numpy()
        pairs = np.unique(np.column_stack([pids, starts]), axis=0)
        lives.update(map(tuple, pairs.tolist()))
    return Summary(
        path=str(capture.path),
        format_version=footer.format_version,
        hostname=footer.host.hostname,
        boot_id=footer.host.boot_id,
        kernel=footer.host.kernel,
        architecture=footer.host.architecture,
        tool=footer.recording.tool,
        ended_by=footer.recording.ended_by,
        cpu_time_ns=footer.recording.cpu_time_ns,
        peak_memory_bytes=footer.recording.peak_memory_bytes,
        journal_bytes=footer.recording.journal_bytes,
        first_time_ns=min((g.first_time_ns for g in groups), default=0),
        last_time_ns=max((g.last_time_ns for g in groups), default=0),
        event_count=capture.row_count,
        event_counts=footer.event_counts,
        process_count=len({life for life in lives if life[0] >= 0}),
        losses=footer.losses,
        partly_blind=footer.partly_blind,
        cut_from=footer.cut_from,
        size_bytes=capture.path.stat().st_size,
    )


def describe_cut(cut: CutFrom | None) -> str:
    """One line about what a capture was cut out of; empty for a whole one.

    Example:
        >>> describe_cut(CutFrom(sha256="c0ffee", event_count=9, lost_count=0, is_redacted=True))
        'out of 9 events, of which none were lost, of the capture with SHA-256 c0ffee; redacted'
    """
    if cut is None:
        return ""
    known = f"{cut.lost_count:,}" if cut.lost_count else "none"
    lost = "nobody knows how many" if cut.lost_count is None else known
    text = f"out of {cut.event_count:,} events, of which {lost} were lost, "
    text += f"of the capture with SHA-256 {cut.sha256}"
    return f"{text}; redacted" if cut.is_redacted else text


MOST_NAMED = 4
"""So many processes are named in a line."""


def describe_blindness(processes: Sequence[PartlyBlind]) -> str:
    """One line about processes that acted past the system calls; empty without any.

    Example:
        >>> describe_blindness([PartlyBlind(pid=7, name="nginx", ring_count=2, request_count=9)])
        'nginx (7) used io_uring: 2 rings, 9 of its requests recorded'
    """
    if not processes:
        return ""
    most = sorted(processes, key=lambda entry: -(entry.request_count + entry.ring_count))
    names = [f"{entry.name or '<NA>'} ({entry.pid})" for entry in most[:MOST_NAMED]]
    others = f" and {len(most) - MOST_NAMED} others" if len(most) > MOST_NAMED else ""
    rings = sum(entry.ring_count for entry in processes)
    requests = sum(entry.request_count for entry in processes)
    owner = "its" if len(processes) == 1 else "their"
    return (
        f"{', '.join(names)}{others} used io_uring: {rings:,} ring{'s' * (rings != 1)}, "
        f"{requests:,} of {owner} requests recorded"
    )


def has_losses(losses: Losses) -> bool:
    """Whether events were lost, or nobody knows although the source keeps an account.

    Of a source without one (`.scap`), what was cut or damaged counts.
    """
    if not losses.is_told:
        return bool(losses.incomplete)
    return bool(losses.lost_count) or not losses.is_known


NEAR_NS = 5_000_000_000
"""An alert that is no further from lost events may lack what led to it."""


def is_near_losses(losses: Losses, time_ns: int) -> bool:
    """Whether events were lost shortly before or after a time, as far as it is known when."""
    return any(
        interval.from_ns - NEAR_NS <= time_ns <= interval.to_ns + NEAR_NS
        for interval in losses.intervals
    )


def _why_unknown(losses: Losses) -> str:
    if losses.is_cut:
        return "a cut has only the events that somebody chose"
    if not losses.is_told:
        return ".scap files do not say"
    if losses.made_count:
        return f"the counters were last read before the end, with {losses.lost_count:,} lost"
    return "the counters could not be read"


def describe_losses(losses: Losses) -> str:
    """One line about lost events: none, how many of how many, or unknown.

    Example:
        >>> describe_losses(Losses(is_known=True, made_count=10))
        'none of 10 events'
    """
    if not losses.is_known:
        text = f"unknown: {_why_unknown(losses)}"
    elif losses.lost_count == 0:
        text = f"none of {losses.made_count:,} events"
    else:
        share = 100 * losses.lost_count / max(1, losses.made_count)
        causes = ", ".join(
            f"{cause} {count:,}" for cause, count in losses.by_cause.items() if count
        )
        text = f"{losses.lost_count:,} of {losses.made_count:,} events ({share:.2f} %): {causes}"
        classes = ", ".join(f"{name} {count:,}" for name, count in losses.by_class.items())
        text += f" ({classes})" if classes else ""
    missed = ", ".join(f"{what} {count:,}" for what, count in losses.incomplete.items() if count)
    return f"{text}; incomplete: {missed}" if missed else text
