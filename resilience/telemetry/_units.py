"""How figures and names are written for people."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["number_text", "printable", "seconds_text", "share_text", "short", "time_text"]

_SMALL = ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms"))
_LARGE = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))
_MINUTES_FROM = 120.0


def seconds_text(seconds: float) -> str:
    """Return a duration in the unit that fits: "0 s", "1.23 ms", "45 s", "2.5 h"."""
    if seconds == 0:
        return "0 s"
    for below, factor, unit in _SMALL:
        if seconds < below:
            return f"{seconds * factor:.3g} {unit}"
    if seconds < _MINUTES_FROM:
        return f"{seconds:.3g} s"
    size, unit = next((each for each in _LARGE if seconds >= 2 * each[0]), _LARGE[-1])
    return (
        f"{seconds / size:.3g} {unit}" if seconds < 1e3 * size else f"{seconds / size:,.0f} {unit}"
    )


def number_text(number: float) -> str:
    """Return a count with its thousands apart, or another number with four digits."""
    return f"{number:,}" if isinstance(number, int) else f"{number:.4g}"


def share_text(share: float) -> str:
    """Return a share of 1 in per cent."""
    return f"{100 * share:.4g} %"


def time_text(wall: float) -> str:
    """Return a time in seconds since 1970 as date and time of UTC."""
    try:
        return f"{datetime.fromtimestamp(wall, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError, ValueError):  # a clock that a test has put anywhere
        return f"{wall:.0f} s"


def printable(text: str) -> str:
    """Return a text without what would move a cursor or break a line."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def short(text: str, width: int) -> str:
    """Return a printable text of at most so many characters; what is left out is its middle."""
    text = printable(text)
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"
