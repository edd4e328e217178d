"""The loss account: what the kernel counted, in the words of the footer."""

from falcotrace.capture.footer import Losses
from falcotrace.record.layout import SampleType
from falcotrace.record.session import Losses as KernelLosses

EVENT_TYPES = (SampleType.EVENT, SampleType.EVENT_DATA, SampleType.EXIT)
"""Samples that become events of a capture."""

_DESCRIPTIONS = {
    SampleType.PROCESS: "process states not described",
    SampleType.IMAGE: "programs not described",
    SampleType.FILE: "open files not described",
    SampleType.CGROUPS: "control groups not described",
}


def loss_account(kernel: KernelLosses) -> Losses:
    """The footer's account of what the kernel side counted."""
    lost = kernel.lost_events
    incomplete = {text: kernel.lost[kind] for kind, text in _DESCRIPTIONS.items()}
    incomplete |= {
        "texts that could not be read": kernel.faults,
        "kernel paths cut": kernel.cut_paths,
        "texts cut at a limit": kernel.cut_parts,
        "calls not recorded, no memory for their thread": kernel.no_state,
    }
    return Losses(
        is_known=True,
        made_count=sum(kernel.made[kind] for kind in EVENT_TYPES),
        lost_count=lost,
        by_cause={"ring buffer full": lost},
        by_cpu=list(kernel.lost_by_cpu),
        incomplete={text: count for text, count in incomplete.items() if count},
    )
