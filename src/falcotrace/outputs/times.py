"""Times of alerts, as Falco prints them with `time_format_iso_8601`."""

import datetime


def iso_time(time_ns: int, zone: str = "Z") -> str:
    """ISO 8601 in UTC with nanoseconds; `zone` is `Z` in JSON and `+0000` in text.

    Example:
        >>> iso_time(1_700_000_000_000_000_005)
        '2023-11-14T22:13:20.000000005Z'
    """
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest_ns:09d}{zone}"
