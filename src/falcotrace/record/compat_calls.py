"""System calls of 32-bit programs: their numbers, and what travels with them.

In: `compat_calls.tsv`. Out: the kernel side's second array of `struct ft_syscall`, and for readers
calls by number. Numbers of 32-bit calls stand behind `COMPAT_OFFSET` wherever both kinds meet, and
those of x32 behind `X32_OFFSET`: they have the 64-bit table's numbers, and are not decoded.
"""

import dataclasses
import functools
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import numpy as np

from falcotrace.record.syscalls import (
    ROWS,
    Limits,
    Syscall,
    fill_table,
    load_syscalls,
    syscalls_by_number,
)

COMPAT_OFFSET: Final = 0x8000
X32_BIT: Final = 0x4000
"""Set in the numbers of x32 calls (`bpf/event.h`, FT_X32)."""

X32_OFFSET: Final = COMPAT_OFFSET | X32_BIT

_ARCH_32: Final = {"x86_64": "i386", "aarch64": "arm"}
_X32_FIRST: Final = 512
_X32_NAMES: Final = (
    *("rt_sigaction", "rt_sigreturn", "ioctl", "readv", "writev", "recvfrom", "sendmsg", "recvmsg"),
    *("execve", "ptrace", "rt_sigpending", "rt_sigtimedwait", "rt_sigqueueinfo", "sigaltstack"),
    *("timer_create", "mq_notify", "kexec_load", "waitid", "set_robust_list", "get_robust_list"),
    *("vmsplice", "move_pages", "preadv", "pwritev", "rt_tgsigqueueinfo", "recvmmsg", "sendmmsg"),
    *("process_vm_readv", "process_vm_writev", "setsockopt", "getsockopt", "io_setup", "io_submit"),
    *("execveat", "preadv2", "pwritev2"),
)
"""Calls with numbers of their own in x32, from 512 on (arch/x86/entry/syscalls/syscall_64.tbl)."""

SOCKET_CALLS: Final = (
    *("", "socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername"),
    *("socketpair", "send", "recv", "sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt"),
    *("sendmsg", "recvmsg", "accept4", "recvmmsg", "sendmmsg"),
)
"""What socketcall's first argument stands for (Linux include/uapi/linux/net.h)."""

SOCKET_CALL_ROWS: Final = 32


@dataclasses.dataclass(frozen=True, slots=True)
class CompatCall:
    """A row of the table; `call` has what travels, None where nothing is decoded."""

    name: str
    numbers: Mapping[str, int]
    call: Syscall | None


@functools.cache
def load_compat_calls() -> tuple[CompatCall, ...]:
    """Read the table."""
    calls = {call.name: _portable(call) for call in load_syscalls()}
    text = (files("falcotrace.record") / "compat_calls.tsv").read_text(encoding="utf-8")
    lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return tuple(
        CompatCall(
            name=name,
            numbers={arch: int(n) for arch, n in (("i386", i386), ("arm", arm)) if n},
            call=calls[call] if call else None,
        )
        for name, i386, arm, call in lines[1:]
    )


def _portable(call: Syscall) -> Syscall:
    """The call without structs that 32-bit programs pass in another form."""
    return dataclasses.replace(call, parts=tuple(part for part in call.parts if part.is_portable))


def compat_by_number(arch: str) -> dict[int, CompatCall]:
    """The 32-bit calls of a 64-bit architecture by their own numbers."""
    key = _ARCH_32[arch]
    return {call.numbers[key]: call for call in load_compat_calls() if key in call.numbers}


def compat_syscalls(arch: str) -> dict[int, Syscall]:
    """What travels with 32-bit calls, by number behind `COMPAT_OFFSET`."""
    return {
        COMPAT_OFFSET | number: compat.call
        for number, compat in compat_by_number(arch).items()
        if compat.call is not None
    }


def x32_names() -> dict[int, str]:
    """Names of x32 calls by number behind `X32_OFFSET`."""
    own = {_X32_FIRST + at: name for at, name in enumerate(_X32_NAMES)}
    shared = {number: call.name for number, call in syscalls_by_number("x86_64").items()}
    return {X32_OFFSET | number: name for number, name in (shared | own).items()}


def build_compat_table(
    arch: str, limits: Limits, numbers: frozenset[int] | None = None
) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Make the kernel side's array for 32-bit calls.

    Args:
        arch: `x86_64` or `aarch64`, whose 32-bit programs these are.
        limits: what travels of buffers, arguments and environments.
        numbers: record only these, behind `COMPAT_OFFSET`; None: all.
    """
    calls = {number - COMPAT_OFFSET: call for number, call in compat_syscalls(arch).items()}
    if numbers is not None:
        numbers = frozenset(
            number - COMPAT_OFFSET for number in numbers if COMPAT_OFFSET <= number < X32_OFFSET
        )
    return fill_table(calls, limits, numbers)


def build_socket_calls() -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    """What each of i386's socketcalls is, by number; `ROWS` for none."""
    numbers = {compat.name: number for number, compat in compat_by_number("x86_64").items()}
    table = np.full(SOCKET_CALL_ROWS, ROWS, np.uint16)
    table[1 : len(SOCKET_CALLS)] = [numbers[name] for name in SOCKET_CALLS[1:]]
    return table
