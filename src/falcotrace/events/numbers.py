"""The text of a number: what conditions see of a flag, a mode, an errno, a signal.

A parameter's raw form is the number by its format, its resolved form a name; conditions see the
resolved form, or the raw one where there is none. Forms that need state (descriptors, threads,
users) are made by
whoever has that state. Source: libs 48dfd53c, userspace/libsinsp/event.cpp, `get_param_as_str`.
"""

import errno
import signal

from falcotrace.events.event_types import Param
from falcotrace.events.flags import FLAG_TABLES

_ERRNO_SPELLING = {35: "EDEADLK", 95: "EOPNOTSUPP"}
# Results that only a tracer sees (Linux include/linux/errno.h): the call will be restarted.
_KERNEL_ERRNOS = {
    512: "ERESTARTSYS",
    513: "ERESTARTNOINTR",
    514: "ERESTARTNOHAND",
    515: "ENOIOCTLCMD",
    516: "ERESTART_RESTARTBLOCK",
}
ERRNO_NAMES = {**errno.errorcode, **_ERRNO_SPELLING, **_KERNEL_ERRNOS}
"""Names of errno values as Falco spells them."""

AT_FDCWD = -100

_UNSIGNED_AS_SIGNED = {"UINT32": 32, "UINT64": 64}


def errno_text(result: int) -> str | None:
    """`ENOENT` for -2; None for results that are no known error."""
    return ERRNO_NAMES.get(-result) if result < 0 else None


def result_text(result: int) -> str:
    """`evt.res`: SUCCESS, the name of the error, or the number where it has no name."""
    return "SUCCESS" if result >= 0 else errno_text(result) or str(result)


def signal_text(number: int) -> str | None:
    """`SIGKILL` for 9; None for numbers without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return None


def raw_text(param: Param, number: int) -> str:
    """A parameter's raw form: by its format; unsigned 32- and 64-bit decimals print as signed."""
    if param.type == "MODE" or param.format == "OCT":
        return f"0{number:o}" if number else "0"
    if param.type.startswith(("FLAGS", "ENUMFLAGS")):
        return str(number)
    if param.format == "HEX":
        bits = 32 if param.type.endswith("32") else 64
        return f"{number & (1 << bits) - 1:X}"
    width = _UNSIGNED_AS_SIGNED.get(param.type)
    if width and number >= 1 << width - 1:
        return str(number - (1 << width))
    return str(number)


def resolved_text(param: Param, number: int) -> str | None:
    """A parameter's resolved form, where a table alone decides it; None where there is none."""
    kind = param.type
    if kind.startswith("FLAGS"):
        return FLAG_TABLES[param.extra].flags_text(number) or None
    if kind.startswith("ENUMFLAGS"):
        return FLAG_TABLES[param.extra].enum_text(number) or None
    if kind == "MODE":
        return FLAG_TABLES[param.extra].flags_text(number) or None
    if kind == "ERRNO":
        return errno_text(number)
    if kind == "SIGTYPE":
        return signal_text(number)
    if kind == "FD" and number < 0:
        return "AT_FDCWD" if number == AT_FDCWD else errno_text(number)
    return None


def condition_text(param: Param, number: int) -> str:
    """What conditions see: the resolved form, else the raw one."""
    return resolved_text(param, number) or raw_text(param, number)
