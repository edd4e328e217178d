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
from falcotrace.events.times import LOCAL_FORM, time_text

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

_WIDTH_32 = frozenset({"INT32", "UINT32", "UID", "GID", "MODE"})
_ALWAYS_DECIMAL = frozenset({"ERRNO", "FD", "PID", "SIGTYPE", "SYSCALLID", "UID", "GID"})
_NO_TIME = (1 << 64) - 1
_FIRST_REAL_TIME_SIGNAL = 32


def errno_text(result: int) -> str | None:
    """`ENOENT` for -2; None for results that are no known error."""
    return ERRNO_NAMES.get(-result) if result < 0 else None


def result_text(result: int) -> str:
    """`evt.res`: SUCCESS, the name of the error, or the number where it has no name."""
    return "SUCCESS" if result >= 0 else errno_text(result) or str(result)


def signal_text(number: int) -> str | None:
    """`SIGKILL` for 9; None for numbers without a name, real-time signals among them."""
    if not 0 < number < _FIRST_REAL_TIME_SIGNAL:
        return None
    return signal.Signals(number).name


def signal_set_text(bits: int) -> str:
    """Names of the signals in a set, joined by blanks; bit 0 is signal 1."""
    numbers = (number for number in range(1, _FIRST_REAL_TIME_SIGNAL) if bits >> number - 1 & 1)
    return " ".join(filter(None, map(signal_text, numbers)))


def signed(number: int, bits: int = 64) -> int:
    """The number that the same bits are as a signed one.

    Example:
        >>> signed(2**32 - 1, 32), signed(5)
        (-1, 5)
    """
    return number - (1 << bits) if 1 << bits - 1 <= number < 1 << bits else number


def format_number(number: int, form: str, bits: int = 64) -> str:
    """A number in the format of an argument.

    Args:
        number: the number.
        form: `HEX` (digits in upper case), `OCT` (a leading zero), anything else is decimal, and
            signed whatever the type.
        bits: the width of its type.
    """
    unsigned = number & (1 << bits) - 1
    if form == "HEX":
        return f"{unsigned:X}"
    if form == "OCT":
        return f"0{unsigned:o}" if unsigned else "0"
    return str(signed(number, bits))


def raw_text(param: Param, number: int) -> str:
    """A parameter's raw form: by its format; unsigned decimals print as signed."""
    kind = param.type
    if kind == "SIGSET":
        return signal_set_text(number)
    if kind == "RELTIME":
        duration_ns = number % (1 << 64)
        return "none" if duration_ns == _NO_TIME else str(duration_ns)
    if kind == "ABSTIME":
        return time_text(number % (1 << 64), LOCAL_FORM)
    form = format_of(param)
    if form == "DEC" and kind.startswith("INT"):
        return str(number)
    return format_number(number, form, width_of(param))


def format_of(param: Param) -> str:
    """`HEX`, `OCT` or, for most parameters, `DEC`; names' numbers are decimal whatever is said."""
    kind = param.type
    if kind in _ALWAYS_DECIMAL or kind.startswith(("FLAGS", "ENUMFLAGS")):
        return "DEC"
    if kind == "MODE":
        return "OCT"
    return param.format if param.format in {"HEX", "OCT"} else "DEC"


def width_of(param: Param) -> int:
    """The bits that a number wraps at when it is printed."""
    return 32 if param.type in _WIDTH_32 else 64


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
    if kind == "RELTIME" and number % (1 << 64) != _NO_TIME:
        return f"{number % (1 << 64) / 1e9:g}s"
    return None


def condition_text(param: Param, number: int) -> str:
    """What conditions see: the resolved form, else the raw one."""
    return resolved_text(param, number) or raw_text(param, number)
