"""Tells the Shanghai calendar day of an instant by arithmetic alone: no clock, no time zone data."""

from __future__ import annotations

SHANGHAI_OFFSET_US = 8 * 3600 * 1_000_000
_DAY_US = 86_400_000_000


def shanghai_day(at: int) -> str:
    """The Shanghai calendar day of an instant in microseconds UTC, YYYY-MM-DD."""
    return _day_text((at + SHANGHAI_OFFSET_US) // _DAY_US)


def _day_text(days: int) -> str:
    # Civil date from days since 1970-01-01, by the calendar's 400-year cycle.
    z = days + 719_468
    era, doe = divmod(z, 146_097)
    yoe = (doe - doe // 1460 + doe // 36_524 - doe // 146_096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    year = yoe + era * 400 + (month <= 2)
    return f"{year:04d}-{month:02d}-{doy - (153 * mp + 2) // 5 + 1:02d}"
