"""The one place that knows what time it is; everything else is told.

The demo runs on a clock of its own (`FixedClock`), tests on one they turn by hand.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time, aware and in UTC, and waits."""

    def now(self) -> datetime:
        """The present instant."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for measuring durations."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits that long."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some fixed point."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Waits that long."""
        time.sleep(seconds)


class FixedClock:
    """A clock that starts where it is told and moves only when somebody waits or turns it."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock needs an aware time")
        self._now = start.astimezone(UTC)
        self._elapsed = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The instant it stands at."""
        return self._now

    def monotonic(self) -> float:
        """Seconds it was moved by."""
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        """Moves on by that long at once."""
        self.turn(seconds)

    def turn(self, seconds: float) -> None:
        """Moves on."""
        with self._lock:
            self._now += timedelta(seconds=seconds)
            self._elapsed += seconds


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(at: datetime) -> int:
    """An aware instant as stored: microseconds since 1970 UTC, exact."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def instant(at: int) -> datetime:
    """A stored time as an aware datetime."""
    return _EPOCH + timedelta(microseconds=at)
