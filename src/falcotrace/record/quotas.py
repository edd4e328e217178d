"""Numbers of quotactl's arguments: its command, and the struct that the command passes.

In: the events of quotactl. Out: the kernel's numbers, 0 for what a command does not say.

Source: libs 48dfd53c, driver/modern_bpf/programs/tail_called/events/syscall_dispatched_events/
quotactl.bpf.c; Linux include/uapi/linux/quota.h and dqblk_xfs.h.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from falcotrace.record.call import CallEvents

_COMMAND_SHIFT, _TYPE_MASK = 8, 0xFF
_QUOTAON, _GETFMT = 0x800002, 0x800004
_INFO = (0x800005, 0x800006)  # Q_GETINFO, Q_SETINFO
_LIMITS = (0x800007, 0x800008)  # Q_GETQUOTA, Q_SETQUOTA
_OF_SOMEBODY = (*_LIMITS, 0x5803, 0x5804)  # Q_XGETQUOTA, Q_XSETQLIM
_FORMAT_NOT_USED = 0
"""A quota format that the kernel does not have; Falco's table has it as none."""


@dataclass(frozen=True, slots=True)
class _Member:
    """A number in the struct of some commands, which counts if a bit of another number is set."""

    commands: tuple[int, ...]
    offset: int
    byte_count: int
    mask_offset: int
    mask: int


_MEMBERS: Mapping[str, _Member] = MappingProxyType(
    {
        "dqb_bhardlimit": _Member(_LIMITS, 0, 8, 64, 1),
        "dqb_bsoftlimit": _Member(_LIMITS, 8, 8, 64, 1),
        "dqb_curspace": _Member(_LIMITS, 16, 8, 64, 2),
        "dqb_ihardlimit": _Member(_LIMITS, 24, 8, 64, 4),
        "dqb_isoftlimit": _Member(_LIMITS, 32, 8, 64, 4),
        "dqb_btime": _Member(_LIMITS, 48, 8, 64, 16),
        "dqb_itime": _Member(_LIMITS, 56, 8, 64, 32),
        "dqi_bgrace": _Member(_INFO, 0, 8, 20, 1),
        "dqi_igrace": _Member(_INFO, 8, 8, 20, 2),
        "dqi_flags": _Member(_INFO, 16, 4, 20, 4),
    }
)


def quota_numbers(name: str, call: CallEvents) -> np.ndarray:
    """The kernel's numbers of a parameter of quotactl, by its name."""
    first = call.arguments(0) & 0xFFFFFFFF
    command = first >> _COMMAND_SHIFT
    if name == "cmd":
        return command
    if name == "type":
        return first & _TYPE_MASK
    if name == "id":
        return np.where(np.isin(command, _OF_SOMEBODY), call.arguments(2), 0)
    if name == "quota_fmt":
        return np.where(command == _QUOTAON, call.arguments(2), _FORMAT_NOT_USED)
    if name == "quota_fmt_out":
        told, _ = call.struct_numbers(3, 0, 4)
        return np.where(command == _GETFMT, told, _FORMAT_NOT_USED)
    member = _MEMBERS[name]
    values, _ = call.struct_numbers(3, member.offset, member.byte_count)
    mask, _ = call.struct_numbers(3, member.mask_offset, 4)
    is_told = np.isin(command, member.commands) & (mask & member.mask != 0)
    return np.where(is_told, values, 0)
