"""Times as Falco writes them.

In: nanoseconds since the epoch. Out: text.
"""

import time

_SECOND = 1_000_000_000

ISO_8601_FORM = "Z%Y-%m-%dT%H:%M:%S.%N+0000"
"""The form of `evt.time.iso8601`."""

LOCAL_FORM = "%Y-%m-%d %H:%M:%S.%N"
"""The form of `evt.datetime` and of arguments that are times."""


def time_text(time_ns: int, form: str) -> str:
    """A time in one of the forms of Falco's fields.

    Args:
        time_ns: ns since the epoch.
        form: `strftime` codes; `%N` is the nanoseconds, a leading `Z` asks for UTC.

    Example:
        >>> time_text(1_000_000_005, "Z%H:%M:%S.%N")
        '00:00:01.000000005'
    """
    seconds, nanoseconds = divmod(time_ns, _SECOND)
    parts = time.gmtime(seconds) if form.startswith("Z") else time.localtime(seconds)
    return time.strftime(form.removeprefix("Z").replace("%N", f"{nanoseconds:09d}"), parts)
