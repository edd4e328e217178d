"""Durations, sizes and times as people write them."""

import datetime

import pytest

from falcotrace.cli.quantities import (
    parse_duration,
    parse_size,
    parse_snaplen,
    parse_time,
    show_bytes,
    show_duration,
    show_time,
)

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60", 60), ("1.5s", 1.5), ("10m", 600), ("1h30m", 5400), ("250ms", 0.25), ("2d", 172800)],
)
def test_durations(text: str, seconds: float) -> None:
    """What `--duration` takes."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "10x", "m10", "1h 30m", "-5s"])
def test_bad_durations_say_what_was_expected(text: str) -> None:
    """A typo cannot become a recording of no length."""
    with pytest.raises(ValueError, match="expected a duration such as"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "count"), [("4096", 4096), ("64M", 64 << 20), ("1.5GiB", 3 << 29), ("2k", 2048)]
)
def test_sizes(text: str, count: int) -> None:
    """What `--buffer` takes."""
    assert parse_size(text) == count


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("2026-01-02T03:04:05Z", 1767323045_000000000),
        ("2026-01-02T03:04:05.000001+00:00", 1767323045_000001000),
        ("@1767323045.5", 1767323045_500000000),
        ("10m", 1767322445_000000000),
    ],
)
def test_times(text: str, time_ns: int) -> None:
    """What `--since` and `--until` take."""
    assert parse_time(text, NOW) == time_ns


def test_shown_quantities() -> None:
    """What people read."""
    assert show_bytes(3 << 30) == "3.0 GiB"
    assert show_duration(0.25) == "250 ms"
    assert show_duration(245) == "4 min 05 s"
    assert show_duration(7380) == "2 h 03 min"
    assert show_time(1767323045_000000007) == "2026-01-02T03:04:05.000000007Z"


def test_snaplen() -> None:
    """One size for all, or one for each class; a class that is not named has none."""
    assert parse_snaplen("80") == (80, 80)
    assert parse_snaplen("files=1K,sockets=3") == (1024, 3)
    assert parse_snaplen("sockets=512") == (0, 512)
    with pytest.raises(ValueError, match="expected files=SIZE"):
        parse_snaplen("file=1")
