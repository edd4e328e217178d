"""The loss account: what the kernel counted, in the words of the footer, and when it was lost."""

from itertools import zip_longest

import msgspec

from falcotrace.capture.address_names import NOT_NAMED
from falcotrace.capture.footer import Losses, LossInterval
from falcotrace.record.call_classes import CLASS_NAMES
from falcotrace.record.layout import SampleType
from falcotrace.record.parts import Part
from falcotrace.record.session import Losses as KernelLosses

EVENT_TYPES = (SampleType.EVENT, SampleType.EVENT_DATA, SampleType.EXIT)
"""Samples that become events of a capture."""

MOST_INTERVALS = 4096
"""Of a recording that loses events all the time, neighbouring intervals are put together."""

_DESCRIPTIONS = {
    SampleType.PROCESS: "process states not described",
    SampleType.IMAGE: "programs not described",
    SampleType.FILE: "open files not described",
    SampleType.CGROUPS: "control groups not described",
}


NOT_DESCRIBED = "containers that no runtime described"


def loss_account(kernel: KernelLosses, intervals: tuple[LossInterval, ...] = ()) -> Losses:
    """The footer's account of what the kernel side counted.

    Args:
        kernel: the counters.
        intervals: when events were lost.
    """
    lost = kernel.lost_events
    incomplete = {text: kernel.lost[kind] for kind, text in _DESCRIPTIONS.items()}
    incomplete |= {
        "texts that could not be read": kernel.faults,
        "kernel paths cut": kernel.cut_paths,
        "texts cut at a limit": kernel.cut_parts,
        "contents left out, ring buffer filling": kernel.shed_parts,
        "calls not recorded, no memory for their thread": kernel.no_state,
    }
    return Losses(
        is_known=True,
        made_count=sum(kernel.made[kind] for kind in EVENT_TYPES),
        lost_count=lost,
        by_cause={
            "ring buffer full": lost - kernel.shed_events,
            "left out, ring buffer nearly full": kernel.shed_events,
        },
        by_cpu=list(kernel.lost_by_cpu),
        by_class=_by_class(kernel),
        intervals=list(intervals),
        incomplete={text: count for text, count in incomplete.items() if count},
    )


def with_unknown(losses: Losses, container_count: int, name_count: int) -> Losses:
    """The account, with containers that no runtime described, and names that found no room."""
    unknown = {NOT_DESCRIBED: container_count, NOT_NAMED: name_count}
    incomplete = losses.incomplete | {text: count for text, count in unknown.items() if count}
    return msgspec.structs.replace(losses, incomplete=incomplete)


def _by_class(kernel: KernelLosses) -> dict[str, int]:
    named = {name: kernel.lost_by_class[kind] for kind, name in CLASS_NAMES.items()}
    return {name: count for name, count in named.items() if count}


def account_since(now: Losses, part: Part, event_count: int) -> Losses:
    """The account of what happened since a part of a recording began.

    Args:
        now: the account of the whole recording.
        part: the part.
        event_count: the events that were recorded since.
    """
    before = part.losses
    lost_count = now.lost_count - before.lost_count
    return msgspec.structs.replace(
        now,
        made_count=event_count + lost_count,
        lost_count=lost_count,
        by_cause=_difference(now.by_cause, before.by_cause),
        by_cpu=[count - was for count, was in zip_longest(now.by_cpu, before.by_cpu, fillvalue=0)],
        by_class=_difference(now.by_class, before.by_class),
        intervals=[one for one in now.intervals if one.to_ns > part.began_ns],
        incomplete=_difference(now.incomplete, before.incomplete),
    )


def _difference(now: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    return {
        name: count - before.get(name, 0)
        for name, count in now.items()
        if count > before.get(name, 0)
    }


class LossHistory:
    """Notes between which readings of the counters events were lost.

    Args:
        began_ns: when counting began, since the epoch.
    """

    def __init__(self, began_ns: int) -> None:
        self._read_ns = began_ns
        self._before: dict[str, int] = {}
        self._intervals: list[LossInterval] = []

    def note(self, kernel: KernelLosses, now_ns: int) -> tuple[LossInterval, ...]:
        """Take in a reading; returns all intervals so far."""
        counts = _by_class(kernel)
        lost = {name: count - self._before.get(name, 0) for name, count in counts.items()}
        lost = {name: count for name, count in lost.items() if count}
        if lost:
            self._intervals.append(LossInterval(from_ns=self._read_ns, to_ns=now_ns, by_class=lost))
        if len(self._intervals) > MOST_INTERVALS:
            pairs = zip(self._intervals[::2], self._intervals[1::2], strict=False)
            rest = self._intervals[len(self._intervals) & ~1 :]
            self._intervals = [_joined(*pair) for pair in pairs] + rest
        self._before, self._read_ns = counts, now_ns
        return tuple(self._intervals)


def _joined(first: LossInterval, second: LossInterval) -> LossInterval:
    names = first.by_class.keys() | second.by_class.keys()
    counts = {
        name: first.by_class.get(name, 0) + second.by_class.get(name, 0) for name in sorted(names)
    }
    return msgspec.structs.replace(first, to_ns=second.to_ns, by_class=counts)
