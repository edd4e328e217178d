"""Times, durations and sizes as people write and read them."""

import datetime
import re

_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def parse_duration(text: str) -> float:
    """Seconds of `90`, `1.5s`, `10m`, `1h30m`.

    Raises:
        ValueError: not a duration, with what was expected.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    pieces = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", text)
    if not pieces or "".join(number + unit for number, unit in pieces) != text:
        raise ValueError(f"expected a duration such as 60s, 10m or 1h30m, found {text!r}")
    return sum(float(number) * _SECONDS[unit] for number, unit in pieces)


def parse_size(text: str) -> int:
    """Bytes of `4096`, `64M`, `1.5G`.

    Raises:
        ValueError: not a size, with what was expected.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.lower())
    if not found:
        raise ValueError(f"expected a size such as 64M or 2G, found {text!r}")
    return int(float(found.group(1)) * _BYTES[found.group(2)])


def parse_snaplen(text: str) -> tuple[int, int]:
    """Bytes of files and of sockets of `80` or `files=0,sockets=512`.

    Raises:
        ValueError: neither, with what was expected.
    """
    if "=" not in text:
        size = parse_size(text)
        return size, size
    found = {"files": 0, "sockets": 0}
    for item in text.split(","):
        name, _, size_text = item.partition("=")
        if name not in found:
            raise ValueError(f"expected files=SIZE or sockets=SIZE, found {item!r}")
        found[name] = parse_size(size_text)
    return found["files"], found["sockets"]


def parse_time(text: str, now: datetime.datetime | None = None) -> int:
    """Nanoseconds since the epoch of an ISO 8601 time, `@seconds`, or a duration back from now.

    A time without an offset is local.

    Raises:
        ValueError: not a time, with what was expected.
    """
    if text.startswith("@"):
        whole, _, fraction = text[1:].partition(".")
        return int(whole) * 1_000_000_000 + int((fraction + "0" * 9)[:9])
    try:
        moment = datetime.datetime.fromisoformat(text).astimezone()
    except ValueError:
        try:
            seconds = parse_duration(text)
        except ValueError:
            raise ValueError(
                "expected a time such as 2026-01-31T12:00:00Z, or 10m for ten minutes ago, "
                f"found {text!r}"
            ) from None
        moment = (now or datetime.datetime.now(datetime.UTC)) - datetime.timedelta(seconds=seconds)
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


def show_bytes(count: int) -> str:
    """A size for people.

    Example:
        >>> show_bytes(1536), show_bytes(12)
        ('1.5 KiB', '12 B')
    """
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"


def show_duration(seconds: float) -> str:
    """A duration for people: `850 ms`, `12.3 s`, `4 min 05 s`, `2 h 03 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def show_time(time_ns: int) -> str:
    """A time as ISO 8601 in UTC with nanoseconds, as Falco prints it."""
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest_ns:09d}Z"
