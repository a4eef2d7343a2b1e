"""When the demo company sells: its clock, its seasons, its opening hours. Times are Beijing time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import date, datetime, timedelta, timezone
from itertools import accumulate
from random import Random

BEIJING = timezone(timedelta(hours=8))

FIRST_PULL = datetime(2026, 11, 21, 10, 0, 0, tzinfo=BEIJING)
"""The instant of the first load; nothing in it is younger."""

INCREMENTS = 3
PULLS = tuple(FIRST_PULL + timedelta(minutes=5 * number) for number in range(INCREMENTS + 1))
"""The instant at which each batch is pulled: 0 is the first load, then the increments."""

OPENING_DAY = date(2025, 5, 21)
"""First day of sales: 18 months before the first pull."""

_DAYS = [OPENING_DAY + timedelta(days=number) for number in range((FIRST_PULL.date() - OPENING_DAY).days)]
"""The days of the history. The day of the first pull itself belongs to the increments."""

SPRING_FESTIVAL = date(2026, 2, 17)


def _appetite(day: date, festive: bool) -> float:
    """How much is sold that day against an ordinary one; shops feel the festivals, wholesale hardly."""
    weight = 1.0 + 0.35 * (day - OPENING_DAY).days / 550
    if festive:
        weight *= {5: 1.15, 6: 1.2}.get(day.weekday(), 1.0)
        if day.month == 6 and day.day <= 20:
            weight *= 5.0 if day.day == 18 else 1.9
        if day.month == 11 and day.day <= 11:
            weight *= 7.0 if day.day == 11 else 2.1
        if day.month == 12 and day.day == 12:
            weight *= 2.5
    else:
        weight *= {5: 0.45, 6: 0.2}.get(day.weekday(), 1.0)
        if day.month in {6, 11} and day.day <= 10:
            weight *= 1.4  # the shops that buy here stock up before the festivals
    to_festival = (SPRING_FESTIVAL - day).days
    if 3 <= to_festival <= 30:
        weight *= 1.6
    elif -7 <= to_festival < 3:
        weight *= 0.15
    return weight


class Season:
    """Draws days and instants of sales between two days, by appetite."""

    def __init__(self, *, festive: bool) -> None:
        self._festive = festive
        self._sums = list(accumulate(_appetite(day, festive) for day in _DAYS))

    def instant(self, dice: Random, first: int = 0, last: int = len(_DAYS) - 1) -> datetime:
        """An instant in the days no. `first` to `last` of the history."""
        low = self._sums[first - 1] if first else 0.0
        drawn = low + dice.random() * (self._sums[last] - low)
        number = min(bisect_left(self._sums, drawn), last)
        return at(_DAYS[number], self._second(dice))

    def _second(self, dice: Random) -> int:
        hours = _SHOP_HOURS if self._festive else _OFFICE_HOURS
        hour = bisect_right(hours, dice.random() * hours[-1])
        return min(hour, 23) * 3600 + int(dice.random() * 3600)


_SHOP_HOURS = list(accumulate((3, 1, 1, 1, 1, 1, 2, 3, 4, 6, 8, 7, 6, 6, 6, 6, 6, 6, 6, 8, 11, 12, 10, 6)))
_OFFICE_HOURS = list(accumulate((0, 0, 0, 0, 0, 0, 0, 1, 6, 12, 14, 12, 4, 7, 12, 12, 10, 7, 2, 1, 0, 0, 0, 0)))

HISTORY_DAYS = len(_DAYS)


def at(day: date, second: int) -> datetime:
    """The instant `second` seconds into a day."""
    return datetime(day.year, day.month, day.day, tzinfo=BEIJING) + timedelta(seconds=second)


def just_before(dice: Random, batch: int) -> datetime:
    """An instant in the last minute before batch no. `batch` is pulled: what an increment is made of."""
    return PULLS[batch] - timedelta(seconds=dice.randint(4, 55))


def text(instant: datetime) -> str:
    """As ERP databases and exports write it: 2026-11-11 20:15:03."""
    return instant.strftime("%Y-%m-%d %H:%M:%S")
