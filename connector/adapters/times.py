"""Times as vendors tell and take them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

EPOCH: Final = datetime.fromtimestamp(0, UTC)
MILLISECONDS_FROM: Final = 1e11
"""A number of this size or more counts milliseconds: as seconds it would be after the year 5000."""


def moment(told: object) -> datetime | None:
    """A vendor's time in UTC: ISO 8601, or seconds or milliseconds since 1970. None where it cannot be read."""
    try:
        if (isinstance(told, int | float) and not isinstance(told, bool)) or str(told).isdecimal():
            seconds = float(str(told))
            return datetime.fromtimestamp(seconds / 1000 if abs(seconds) >= MILLISECONDS_FROM else seconds, UTC)
        read = datetime.fromisoformat(str(told))
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def http_date(told: str) -> datetime | None:
    """A time as headers of HTTP tell it, RFC 9110: `Tue, 07 Apr 2026 14:30:12 GMT`. None where it cannot be read."""
    try:
        read = parsedate_to_datetime(told)
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def seconds_until(at: datetime, headers: Mapping[str, str]) -> float:
    """How long from an answer's making to a moment, by the answer's own clock; by ours where it does not tell."""
    made = http_date(headers.get("date", "")) or datetime.now(UTC)
    return (at - made).total_seconds()


def first_of(told: Iterable[object]) -> datetime:
    """The first of these times that can be read; the beginning of 1970 where none can."""
    return next((at for one in told if one and (at := moment(one))), EPOCH)


def iso(at: datetime, *, timespec: str = "seconds") -> str:
    """A time in UTC as most vendors read it: `2026-11-28T09:00:00Z`."""
    return at.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
