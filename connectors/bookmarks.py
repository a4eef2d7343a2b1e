"""Compares and writes bookmarks: how far a stream has been pulled.

The SDK compares bookmarks as text, so `10:00+08:00` would count as later than `09:00Z`. Ours are UTC ISO
times with microseconds, or whole numbers, and are compared as what they are.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

__all__ = ["BEIJING", "as_time", "bookmark", "later_of"]

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
"""What a vendor's time means when it carries no offset."""

Bookmark = str | int


def bookmark(at: datetime) -> str:
    """The bookmark of an aware time: UTC, ISO 8601, always six decimals."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def as_time(value: object, zone: tzinfo = BEIJING) -> datetime | None:
    """The aware UTC time a bookmark or a vendor's ISO-like text stands for; None if it stands for none."""
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip().replace("/", "-"))
        except ValueError:
            return None
    else:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return aware.astimezone(UTC)


def later_of(one: Bookmark | None, other: Bookmark | None) -> Bookmark | None:
    """The bookmark that is further on; None counts as before everything.

    Numbers compare as numbers and times as times; of two that cannot be compared the second wins.
    """
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, int) and isinstance(other, int):
        return max(one, other)
    times = as_time(one, UTC), as_time(other, UTC)
    if times[0] is not None and times[1] is not None:
        return one if times[0] > times[1] else other
    return max(one, other) if isinstance(one, str) and isinstance(other, str) else other
